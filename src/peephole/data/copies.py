"""Copies: the same pixels twice count once; a burst, a re-save, a crop or an augmented copy share one source."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from peephole.data.near import EXHAUSTIVE, near_pairs
from peephole.data.photos import Photo

__all__ = ["Copies", "Grouping", "Link", "group", "same_pixels", "thumbnail", "thumbnail_side"]

# Which copy of a picture is kept when it stands in several splits: the one that trains.
FIRST = {"train": 0, "": 1, "val": 2, "test": 3}


@dataclass(frozen=True)
class Link:
    """Two examples that share a source, how that was seen, and how alike they are (correlation, 0..1)."""

    first: str
    second: str
    how: str
    alike: float


@dataclass(frozen=True)
class Copies:
    """Exact duplicates: indices that are kept, (id dropped, id kept), (id, id elsewhere, reason) of pictures that stand under two labels."""

    keep: tuple[int, ...]
    duplicates: tuple[tuple[str, str], ...]
    conflicts: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Grouping:
    """sources int64 (N,): equal numbers are one original and its copies; why; and what was not searched."""

    sources: np.ndarray
    links: tuple[Link, ...]
    notes: tuple[str, ...]


def thumbnail_side(count: int) -> int:
    """Return how many pixels wide the thumbnails of `count` photos are: 64, or 32 when so many would fill the memory."""
    return 64 if count <= EXHAUSTIVE else 32


def thumbnail(image: Image.Image, side: int) -> np.ndarray:
    """Return a picture as uint8 (side, side) grey, stretched; what near copies are searched by."""
    grey = image.convert("RGB").convert("L") if image.mode in ("RGBA", "LA") else image.convert("L")
    return np.asarray(grey.resize((side, side), Image.Resampling.BILINEAR), np.uint8)


def same_pixels(photos: list[Photo], contents: list[bytes]) -> Copies:
    """Find pictures whose decoded pixels are equal; `contents` are digests of them."""
    groups: dict[bytes, list[int]] = {}
    for at, content in enumerate(contents):
        groups.setdefault(content, []).append(at)
    keep: list[int] = []
    duplicates: list[tuple[str, str]] = []
    conflicts: list[tuple[str, str, str]] = []
    notes: list[str] = []
    crossed = renamed = 0
    for members in groups.values():
        if len({photos[at].label for at in members}) > 1:
            conflicts += [(photos[at].id, *_elsewhere(at, members, photos)) for at in members]
            continue
        best = min(members, key=lambda at: (FIRST[photos[at].split], photos[at].id))
        keep.append(best)
        duplicates += [(photos[at].id, photos[best].id) for at in members if at != best]
        crossed += len({photos[at].split for at in members}) > 1
        renamed += len({photos[at].stranger for at in members}) > 1
    if crossed:
        notes.append(f"{crossed} pictures stand in two splits; the copy in the earlier one (train, val, test) stays")
    if renamed:
        notes.append(f"{renamed} pictures stand under two strangers; the first one keeps it")
    return Copies(tuple(sorted(keep)), tuple(duplicates), tuple(conflicts), tuple(notes))


def _elsewhere(at: int, members: list[int], photos: list[Photo]) -> tuple[str, str]:
    other = next(photos[i] for i in members if photos[i].label != photos[at].label)
    return other.id, f"the same picture also stands under {other.label} ({other.id})"


def group(photos: list[Photo], thumbnails: np.ndarray) -> Grouping:
    """Give photos that show one original the same source; `thumbnails` uint8 (N, 64, 64) or (N, 32, 32) grey."""
    pairs = near_pairs(photos, thumbnails)
    links = tuple(
        Link(photos[i].id, photos[j].id, how, round(float(alike), 3))
        for i, j, how, alike in zip(pairs.first, pairs.second, pairs.how, pairs.alike, strict=True)
    )
    return Grouping(_joined(len(photos), pairs.first, pairs.second), links, pairs.notes)


def _joined(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number the connected groups of `count` things by the order of their first members, int64 (count,)."""
    parent = list(range(count))

    def top(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        low, high = sorted((top(i), top(j)))
        parent[high] = low
    _, numbers = np.unique([top(i) for i in range(count)], return_inverse=True)
    return np.asarray(numbers, np.int64)
