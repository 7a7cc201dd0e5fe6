"""Which region these photos call for, and what it needs to know: the cascade's digest, or the scene behind the subjects."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from peephole.base.card import Region
from peephole.base.errors import DataError, InputError, MissingExtra, PhotoError
from peephole.base.evidence import counted
from peephole.base.extras import load
from peephole.data.border import Border, glances, test
from peephole.data.motion import ENOUGH, as_card, learn, small
from peephole.data.photos import Listing, Photo, open_photo
from peephole.data.photoset import PhotoSet
from peephole.data.region import NO_FACE, REASONS, place

__all__ = ["EMPTY", "advice", "border_of", "borders", "choose", "learned", "nothing_found", "require_found"]

EMPTY = "empty"  # unknown/empty/ holds photos of the scene without anybody
SCENES = 60  # pictures that a scene is learned from
LOOKED_AT = 200  # photos that `choose` opens
# A cascade marks a fifth more than the face, and that fifth is wall (docs/log.md, Yale B); of what moved nothing may be lost.
MARGINS = {"face": -0.2, "motion": 0.08}
ENOUGH_FACES = 0.75


def learned(region: Region, listing: Listing) -> Region:
    """Return the region with what it needs learned from the photos: the card can then be cut by anywhere.

    Raises MissingExtra for `face` without OpenCV; DataError, saying why, where `motion` finds no scene.
    """
    if region.how == "face" and region.face is None:
        return region.model_copy(update={"face": load("data.face:finder")(), "margin": region.margin or MARGINS["face"]})
    if region.how == "motion" and region.motion is None:
        scenes = [photo for photo in listing.photos if photo.stranger == EMPTY]
        scenes = scenes if len(scenes) >= ENOUGH else list(listing.photos)
        _require_one_size(scenes)
        pictures = [small(image) for _, image in _opened(scenes, SCENES)]
        return region.model_copy(update={"motion": as_card(learn(pictures), len(pictures)), "margin": region.margin or MARGINS["motion"]})
    return region


def _require_one_size(photos: list[Photo]) -> None:
    sizes = {(photo.width, photo.height) for photo in photos}
    if len(sizes) > 1:
        some = ", ".join(f"{wide}x{high}" for wide, high in sorted(sizes)[:3])
        raise DataError(
            f"motion needs photos of one fixed camera, and these have {len(sizes)} sizes ({some}{', ...' if len(sizes) > 3 else ''})",
            "--region face, or --region whole",
        )


def _opened(photos: list[Photo], most: int) -> Iterator[tuple[Photo, Image.Image]]:
    """Open at most so many photos, evenly over all of them; those that cannot be read are refused, with their reason, when the set is loaded."""
    for at in np.unique(np.linspace(0, len(photos) - 1, min(most, len(photos))).astype(int)) if photos else ():
        try:
            yield photos[at], open_photo(photos[at].path)
        except (PhotoError, FileNotFoundError):
            continue


def border_of(photos: PhotoSet) -> Border | None:
    """Return what the borders of loaded photos tell; of a thousand at most."""
    at = np.flatnonzero(photos.labels >= 0)
    at = at[np.unique(np.linspace(0, len(at) - 1, min(1000, len(at))).astype(int))] if len(at) else at
    return test(glances(photos.images[at]), photos.labels[at], photos.sources[at])


def choose(listing: Listing) -> tuple[Region, str]:
    """Return the region for these photos, and why: whole unless the borders alone tell the labels apart; then motion, else face, where possible."""
    opened = list(_opened([photo for photo in listing.photos if photo.label != "unknown"], LOOKED_AT))
    found = _told(listing, opened)
    if found is None or not found.telling:
        why = f"{found.sentence}: no background of their own" if found else "too few photos to tell whether the labels have backgrounds of their own"
        return Region(), f"region: whole; {why}"
    reasons = []
    for how in ("motion", "face"):
        region, reason = _tried(how, listing, [image for _, image in opened])
        if region is not None:
            return region, f"region: {how}; {found.sentence}, so {reason} is judged and not the wall"
        reasons.append(f"{how}: {reason}")
    return Region(), f"region: whole, although {found.sentence}; nothing better is possible ({'; '.join(reasons)})"


def borders(listing: Listing) -> Border | None:
    """Return what the borders of photos that are not loaded tell; of 200 at most, each taken for a source of its own."""
    return _told(listing, list(_opened([photo for photo in listing.photos if photo.label != "unknown"], LOOKED_AT)))


def _told(listing: Listing, opened: list[tuple[Photo, Image.Image]]) -> Border | None:
    names = {name: i for i, name in enumerate(listing.labels)}
    small_ones = np.concatenate([glances(np.asarray(image.convert("RGB"))[None]) for _, image in opened]) if opened else glances(np.empty(0))
    return test(small_ones, np.array([names[photo.label] for photo, _ in opened]), np.arange(len(opened)))


def _tried(how: str, listing: Listing, images: list[Image.Image]) -> tuple[Region | None, str]:
    """Return a region that works for most of these pictures and what it judges, or None and why it does not."""
    try:
        region = learned(Region(how=how), listing)  # type: ignore[arg-type]  # the caller names the kinds
    except (InputError, MissingExtra) as error:
        return None, error.what
    seen = 0
    for image in images:
        try:
            place(image, region)
            seen += 1
        except PhotoError:
            continue
    if seen < ENOUGH_FACES * len(images):
        return None, f"found in only {seen} of {counted(len(images), 'photo')}"
    return region, {"motion": "what moved", "face": "the face"}[how]


def advice(border: Border | None, region: Region, listing: Listing) -> str:
    """Return what to tell somebody who trains on the whole frame although the backgrounds tell the labels apart; "" where all is well."""
    if border is None or not border.telling or region.how in ("motion", "face"):
        return ""
    chosen, _ = choose(listing)
    elsewhere = "take photos of each before several backgrounds; --vary background=1 lays the subjects before each other's, the next best"
    other = f"--region {chosen.how} judges the subject alone" if chosen.how != "whole" else elsewhere
    return f"{border.sentence}: each seems to have a background of its own, and the model may learn that instead; {other}"


def nothing_found(photos: PhotoSet, listing: Listing, region: Region) -> str:
    """Return in how many photos the region found nothing to judge, as a sentence; "" for none."""
    lost = _lost(photos, region)
    what = {"face": NO_FACE, "motion": "no subject was found"}.get(region.how, "")
    total = sum(photo.id in lost for photo in listing.photos) + len(photos)
    return f"{what} in {len(lost)} of {counted(total, 'photo')}: they are not used, and such a frame is not judged at the door" if lost else ""


def require_found(photos: PhotoSet, listing: Listing, region: Region) -> None:
    """Raise DataError when the region finds nothing in so many photos that a label keeps fewer than 2."""
    lost = _lost(photos, region)
    for number, name in enumerate(photos.names):
        left, gone = int((photos.labels == number).sum()), sum(photo.id in lost for photo in listing.photos if photo.label == name)
        if gone and left < 2:
            first = next(lost[photo.id] for photo in listing.photos if photo.id in lost and photo.label == name)
            raise DataError(
                f"--region {region.how} leaves {left} of {name}'s {counted(left + gone, 'photo')}; in the others {first}",
                "--region whole, or photos that show the subject as the region needs it",
            )


def _lost(photos: PhotoSet, region: Region) -> dict[str, str]:
    """Return the photos that the region found nothing in, by id, with the reason."""
    if region.how not in ("face", "motion"):
        return {}
    return {refusal.id: refusal.reason for refusal in photos.refused if refusal.reason.startswith(REASONS)}
