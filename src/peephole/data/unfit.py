"""Photos from which nothing can be learned: too small, too long and narrow, or of one colour all over."""

import numpy as np

from peephole.base.evidence import counted
from peephole.data.photos import Listing, Photo
from peephole.data.photoset import PhotoSet

__all__ = ["blank", "unfit"]

SMALL = 8  # pixels of the shorter side: the least that a network here looks at
NARROW = 10  # times longer than wide: all but the middle is cut off
# Grey levels between the darkest and the brightest cell, of each channel: what sensor noise and JPEG leave of a covered lens.
FLAT = 8
PIECE = 1024  # photos looked at together: they may lie in a file


def blank(images: np.ndarray) -> np.ndarray:
    """Tell which of uint8 pictures (N, H, W, C) are one colour all over, or nearly: bool (N,)."""
    found = np.zeros(len(images), bool)
    for at in range(0, len(images), PIECE):
        some = images[at : at + PIECE].reshape(len(images[at : at + PIECE]), -1, images.shape[-1])
        found[at : at + PIECE] = (some.max(1).astype(np.int16) - some.min(1)).max(1) <= FLAT
    return found


def _told(found: list[Photo], what: str) -> str:
    one = found[0]
    return f"{counted(len(found), 'photo')} {'is' if len(found) == 1 else 'are'} {what} (first: {one.id}, {one.width} x {one.height} pixels)"


def unfit(listing: Listing, photos: PhotoSet) -> tuple[tuple[str, str], ...]:
    """Say which of the photos that are used nothing can be learned from: (what, hint) for each reason that there is."""
    by_id = {photo.id: photo for photo in listing.photos}
    used = [by_id[id] for id in photos.ids]
    small = [photo for photo in used if min(photo.width, photo.height) < SMALL]
    large = np.array([min(photo.width, photo.height) >= SMALL for photo in used], bool)
    narrow = [
        photo for photo, fits in zip(used, large, strict=True) if fits and max(photo.width, photo.height) > NARROW * min(photo.width, photo.height)
    ]
    # A dark frame of nobody may be meant: strangers stay as they are.
    flat = [used[at] for at in np.flatnonzero(large & (photos.labels >= 0) & blank(photos.images))]
    told = (
        (small, f"too small to be learned from, below {SMALL} pixels on a side", "take larger photos, or delete these"),
        (narrow, f"too long and narrow to be learned from, over {NARROW} times longer than wide", "cut the subject out of them, or delete them"),
        (
            flat,
            "of one colour all over, or nearly",
            "delete them, or take them again with the lens uncovered; nothing but their colour can be learned",
        ),
    )
    return tuple((_told(found, what), hint) for found, what, hint in told if found)
