"""Which part of the frame is judged; the same cut in training and at the door."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image

from peephole.base.card import Region
from peephole.base.errors import InputError, PhotoError
from peephole.base.extras import load
from peephole.data.motion import CHANGED, NOTHING, SHAPE, Background, background_of, moved, small

__all__ = ["NO_FACE", "REASONS", "Place", "cut", "place", "require_ready", "within"]

NO_FACE = "no face was found"
# How a reason begins when a photo is refused because its region holds nobody.
REASONS = (NO_FACE, NOTHING, CHANGED, SHAPE)


@dataclass(frozen=True, eq=False)
class Place:
    """Where the judged part of a picture lies: `box` (left, top, right, bottom) in whole pixels; `note` is what a person should know of it.

    `mask` bool (h, w) is what moved, over the whole picture at the resolution of the search; None for the other kinds.
    `subjects` is how many were found, the judged one among them; `share` how much of the picture the judged one fills, 0..1, without the margin.
    """

    box: tuple[int, int, int, int]
    note: str = ""
    mask: np.ndarray | None = None
    subjects: int = 1
    share: float = 1.0


def place(image: Image.Image, region: Region, background: Background | None = None) -> Place:
    """Return the judged part of an upright picture, at least 1 x 1 pixel.

    `whole` is the picture itself. `rectangle` takes (left, top, width, height) as fractions 0..1 of the picture, rounded to whole pixels and
    kept inside it. `motion` is the largest thing that is not in the scene: `background`, or the card's where none is given. `face` is the
    largest face. Raises InputError when the region lacks what it needs, PhotoError with the reason when nothing is found.
    """
    if region.how == "whole":
        return Place((0, 0, *image.size))
    if region.how == "rectangle":
        if region.box is None:
            raise InputError("a rectangle needs its box", "set region.box = [left, top, width, height], each 0..1")
        return Place(within(region.box, image.size))
    return _motion(image, region, background) if region.how == "motion" else _face(image, region)


def cut(image: Image.Image, region: Region, background: Background | None = None) -> Image.Image:
    """Return the judged part of a picture; see `place`."""
    box = place(image, region, background).box
    return image if box == (0, 0, *image.size) else image.crop(box)


def within(box: tuple[float, float, float, float], size: tuple[int, int], margin: float = 0.0) -> tuple[int, int, int, int]:
    """Turn (left, top, width, height) in fractions into (left, top, right, bottom) in pixels of a picture of `size` (width, height).

    `margin` is added on each side, as a share of the box's own width and height; what stands over is cut off, one pixel always stays.
    """
    wide, high = size
    left, top, width, height = box
    left, top, width, height = left - margin * width, top - margin * height, width * (1 + 2 * margin), height * (1 + 2 * margin)
    x0 = min(max(round(left * wide), 0), wide - 1)
    y0 = min(max(round(top * high), 0), high - 1)
    x1 = min(max(round((left + width) * wide), x0 + 1), wide)
    y1 = min(max(round((top + height) * high), y0 + 1), high)
    return x0, y0, x1, y1


def require_ready(region: Region) -> None:
    """Raise, before the first frame comes, what would keep every frame from being cut: MissingExtra, or InputError for another cascade."""
    with suppress(PhotoError):  # an empty picture holds no subject, and that was found out
        place(Image.new("L", (64, 64)), region)


def _motion(image: Image.Image, region: Region, background: Background | None) -> Place:
    if region.motion is None:
        raise InputError("a motion region needs the scene that it was learned from", "train with --region motion")
    scene = background or background_of(region.motion)
    found = moved(small(image, scene), scene, region.motion)
    if found.box is None:
        raise PhotoError(found.problem, "see that the camera stands as it did in training, or train with another --region")
    note, share = _several(found.others, "thing that moved", "things that moved"), found.box[2] * found.box[3]
    return Place(within(found.box, image.size, region.margin), note, found.mask, found.others + 1, share)


def _face(image: Image.Image, region: Region) -> Place:
    if region.face is None:
        raise InputError("a face region needs the cascade that finds it", "train with --region face")
    faces = load("data.face:find")(image, region.face)
    if not faces:
        raise PhotoError(NO_FACE, "the whole face must be seen from the front; or train with another --region")
    left, top, width, height = faces[0]
    part = (left / image.width, top / image.height, width / image.width, height / image.height)
    return Place(within(part, image.size, region.margin), _several(len(faces) - 1, "face", "faces"), None, len(faces), part[2] * part[3])


def _several(others: int, one: str, many: str) -> str:
    """Say that there is more than one subject."""
    return f"{others + 1} {many}: the largest one is judged, the other{'s are' if others > 1 else ' ' + one + ' is'} not" if others else ""
