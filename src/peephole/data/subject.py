"""Where in a photo the subject is, pixel by pixel: what moved, a head around the face, what GrabCut cuts out, or an ellipse in the middle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from peephole.base.card import Input, Region
from peephole.base.errors import DataError, InputError, MissingExtra, PeepholeError, PhotoError
from peephole.base.extras import load
from peephole.data.photos import Listing, Photo, open_photo
from peephole.data.prepare import prepare_part
from peephole.data.region import place
from peephole.data.settle import learned

__all__ = ["HOW", "Subject", "masks", "seeker", "subject"]

HOW = {"motion": "what moved", "face": "a head around the face", "cut": "what GrabCut cut out", "ellipse": "an ellipse in the middle"}
# The half axes of the ellipse, as shares of the judged part's width and height.
ELLIPSE = (0.32, 0.38)
# A head is as wide as what a cascade marks, and higher: half axes in widths and heights of the mark, and how much higher its middle is.
HEAD = (0.5, 0.62, 0.05)
SOFT = 0.06  # how far the border fades, as a share of the distance from the middle
ENOUGH_FACES = 0.8
COVERED = 0.5  # of the head, by what is cut out: whoever is looked at has a face in it
LOOKED_AT = 24


@dataclass(frozen=True, eq=False)
class Subject:
    """`mask` float32 (H, W) over the whole picture, 1 on the subject, 0 on the background; `how` is a key of HOW."""

    mask: np.ndarray
    how: str


def seeker(listing: Listing, region: Region) -> Region:
    """Return the best way to find the subjects of these photos: the model's own region, what moved, faces, or none (`whole`).

    Motion needs photos of one camera and scene; faces need OpenCV, and to be found in 8 of 10 photos.
    """
    if region.how in ("motion", "face"):
        return _bare(region)
    try:
        return _bare(learned(Region(how="motion"), listing))
    except DataError:
        pass
    try:
        face = _bare(learned(Region(how="face"), listing))
    except (MissingExtra, InputError):
        return Region()
    labelled = [photo for photo in listing.photos if photo.label != "unknown"]
    some = [labelled[i] for i in np.linspace(0, len(labelled) - 1, min(LOOKED_AT, len(labelled))).astype(int)] if labelled else []
    seen = sum(_has(photo, face) for photo in some)
    return face if some and seen >= ENOUGH_FACES * len(some) else Region()


def _bare(region: Region) -> Region:
    """Return the region without its margin: the subject itself, not what is cut around it."""
    return region.model_copy(update={"margin": 0.0})


def _has(photo: Photo, region: Region) -> bool:
    try:
        place(open_photo(photo.path), region)
    except PeepholeError:
        return False
    return True


def subject(image: Image.Image, region: Region, how: Region) -> Subject:
    """Return where the subject of a picture is, sought as `how` says (see `seeker`).

    What moved; else what GrabCut, with OpenCV, cuts out of the part that `region` judges, unless that misses the face; else a head around the
    face, or an ellipse in the middle of the part. Where the region is the face, only what is around the face is the subject.
    """
    head = None
    try:
        found = place(image, how)
        if found.mask is not None:
            return Subject(_smooth(found.mask, image.size), "motion")
        if how.how == "face":
            head = _ellipse(image.size, found.box, HEAD)
    except PhotoError:
        pass
    if head is not None and region.how == "face":
        return Subject(head, "face")
    try:
        box = place(image, region).box
    except PhotoError:
        box = (0, 0, *image.size)
    away = _away(image.size, box, (*ELLIPSE, 0.0))
    part = _cut(image, box, away)
    if part is not None and (head is None or (part * head).sum() >= COVERED * head.sum()):
        return Subject(part, "cut")
    return Subject(_edge(away), "ellipse") if head is None else Subject(head, "face")


def _cut(image: Image.Image, box: tuple[int, int, int, int], away: np.ndarray) -> np.ndarray | None:
    """Return what GrabCut cuts out of a box of a picture, float32 (H, W) over all of it; None without OpenCV, or where it finds no subject."""
    left, top, right, bottom = box
    try:
        part = load("data.cut:cut")(image.crop(box), away[top:bottom, left:right])
    except MissingExtra:
        return None
    if part is None:
        return None
    whole = np.zeros_like(away)
    whole[top:bottom, left:right] = part
    return whole


def _ellipse(size: tuple[int, int], box: tuple[int, int, int, int], shape: tuple[float, float, float]) -> np.ndarray:
    """Return a soft ellipse in a box; see `_away`."""
    return _edge(_away(size, box, shape))


def _away(size: tuple[int, int], box: tuple[int, int, int, int], shape: tuple[float, float, float]) -> np.ndarray:
    """Return how far pixels are from the middle of a box (left, top, right, bottom), 1 on the ellipse's edge: float32 (H, W).

    `shape`: the half axes in widths and heights of the box, and the middle's lift.
    """
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    x = (np.arange(size[0]) + 0.5 - (left + right) / 2) / max(shape[0] * wide, 0.5)
    y = (np.arange(size[1]) + 0.5 - (top + bottom) / 2 + shape[2] * high) / max(shape[1] * high, 0.5)
    return np.asarray(np.sqrt(x[None] ** 2 + y[:, None] ** 2), np.float32)


def _edge(away: np.ndarray) -> np.ndarray:
    """Return the ellipse as a soft mask."""
    return np.asarray(np.clip((1 + SOFT - away) / (2 * SOFT), 0, 1), np.float32)


def _smooth(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a small bool mask (h, w) as a soft one over a picture of `size` (width, height)."""
    sheet = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(sheet, np.float32) / 255


def masks(listing: Listing, ids: Sequence[str], spec: Input, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """Return the subjects of some of a listing's photos as the network sees them: uint8 (N, H, W), cut and resized as the photos themselves were.

    What another background may be laid behind: 255 stays, 0 is replaced. A photo that cannot be read any more is all subject.
    """
    how = seeker(listing, spec.region)
    paths = {photo.id: photo.path for photo in listing.photos}
    grey = spec.model_copy(update={"colour": "grey", "alpha": "black", "shape": ("N", *spec.shape[1:3], 1)})
    found = np.full((len(ids), *spec.resize.to), 255, np.uint8)
    for at, name in enumerate(ids):
        try:
            image = open_photo(paths[name])
            mask = subject(image, spec.region, how).mask
            box = place(image, spec.region).box
        except PeepholeError:
            continue
        found[at] = prepare_part(Image.fromarray(np.rint(255 * mask).astype(np.uint8)), box, grey)[:, :, 0]
        if progress:
            progress(at + 1, len(ids))
    return found
