"""A listing -> arrays with their sources, decoded once; the honest split of them stands in `splits` and is offered here too."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b, sha256

import numpy as np
from PIL import Image

from peephole.base.card import Input
from peephole.base.errors import DataError, MissingInput, PhotoError
from peephole.data.copies import Copies, group, same_pixels, thumbnail, thumbnail_side
from peephole.data.decode import read_bytes
from peephole.data.photos import Listing, Photo, Refusal, open_bytes
from peephole.data.photoset import PhotoSet
from peephole.data.pixels import Room, scattered
from peephole.data.prepare import placed
from peephole.data.splits import Split, merged_strangers, split, stranger_split

__all__ = ["MAX_ARRAY_BYTES", "PhotoSet", "Split", "load", "merged_strangers", "split", "stranger_split"]

MAX_ARRAY_BYTES = 8 * 10**9
BATCH = 64


@dataclass(frozen=True, eq=False)
class _Decoded:
    """One photo after its only decoding: prepared pixels, digests of the file and of all its pixels, a small grey picture, the region's remark."""

    pixels: np.ndarray
    file: str
    content: bytes
    thumbnail: np.ndarray
    note: str


def _decode(photo: Photo, spec: Input, side: int) -> _Decoded | str:
    """Decode one photo, or return why it cannot be."""
    try:
        data = read_bytes(photo.path)
        image = open_bytes(data)
        pixels, place = placed(image, spec)
    except PhotoError as error:
        return error.what
    except MissingInput:
        return "went away while it was read"
    return _Decoded(pixels, sha256(data).hexdigest(), _content(image), thumbnail(image, side), place.note)


def _content(image: Image.Image) -> bytes:
    """Return a digest of a picture's pixels; pictures of one and the same colour all over are one picture, whatever their size."""
    ends = np.array(image.getextrema(), np.int64).reshape(-1, 2)
    if (ends[:, 0] == ends[:, 1]).all():
        return blake2b(b"one colour " + image.crop((0, 0, 1, 1)).convert("RGBA").tobytes(), digest_size=16).digest()
    return blake2b(f"{image.mode} {image.size}".encode() + image.tobytes(), digest_size=16).digest()


def load(listing: Listing, spec: Input, *, progress: Callable[[int, int], None] | None = None, room: Room | None = None) -> PhotoSet:
    """Decode every photo of a listing once and prepare it as the card's `spec` says.

    Exact duplicates are dropped (counted), the same picture under two labels is refused, near copies share a source.
    `progress(done, total)` is called now and then. With a `room` the pixels lie where it says, which may be a file mapped into memory; raises
    OutputError where that has no place for them. Without, raises DataError when they would be over 8 GB.
    """
    photos = listing.photos
    shape = (*spec.resize.to, 3 if spec.colour == "rgb" else 1)
    if room:
        images = room.array((len(photos), *shape), f"{len(photos)} photos of {shape[0]} x {shape[1]} x {shape[2]}")
    else:
        _check_memory(len(photos), shape)
        images = np.empty((len(photos), *shape), np.uint8)
    side = thumbnail_side(len(photos))
    decoded: list[_Decoded | str] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(photos), BATCH):
            for result in pool.map(lambda photo: _decode(photo, spec, side), photos[start : start + BATCH]):
                if isinstance(result, _Decoded):
                    images[len(decoded)] = result.pixels
                decoded.append(result)
            if progress:
                progress(len(decoded), len(photos))
    return _assemble(listing, images, decoded)


def _several(notes: Iterable[str]) -> list[str]:
    """Say in how many photos the region had to choose among several subjects."""
    count = sum(bool(note) for note in notes)
    return [f"{count} photo{' shows' if count == 1 else 's show'} more than one subject; the largest is judged"] if count else []


def _check_memory(count: int, shape: tuple[int, ...]) -> None:
    needed = count * int(np.prod(shape))
    if needed > MAX_ARRAY_BYTES:
        side = int((MAX_ARRAY_BYTES / count / shape[2]) ** 0.5)
        raise DataError(
            f"{count} photos of {shape[0]} x {shape[1]} x {shape[2]} need {needed / 1e9:.1f} GB of memory, more than {MAX_ARRAY_BYTES / 1e9:.0f} GB",
            f"use a size of at most {side} x {side}, or fewer photos",
        )


def _assemble(listing: Listing, images: np.ndarray, decoded: list["_Decoded | str"]) -> PhotoSet:
    """Drop what is refused or a duplicate, group what is left, and put it into one PhotoSet."""
    refused = list(listing.refused)
    good: list[tuple[int, Photo, _Decoded]] = []
    for at, (photo, result) in enumerate(zip(listing.photos, decoded, strict=True)):
        if isinstance(result, str):
            refused.append(Refusal(photo.id, result))
        else:
            good.append((at, photo, result))
    copies: Copies = same_pixels([photo for _, photo, _ in good], [result.content for _, _, result in good])
    label_of = {photo.id: photo.label for _, photo, _ in good}
    refused += [Refusal(id, reason, twin, (label_of[id], label_of[twin])) for id, twin, reason in copies.conflicts]
    kept = [good[i] for i in copies.keep]
    for to, (at, _, _) in enumerate(kept):  # in place: a second copy of the array may not fit
        if to != at:
            images[to] = images[at]
    photos = [photo for _, photo, _ in kept]
    names = listing.labels
    index = {name: i for i, name in enumerate(names)}
    stranger_names = tuple(sorted({photo.stranger for photo in photos if photo.label == "unknown"}))
    stranger_index = {name: i for i, name in enumerate(stranger_names)}
    labels = np.array([index.get(photo.label, -1) for photo in photos], np.int64)
    strangers = np.array([stranger_index[photo.stranger] if photo.label == "unknown" else -1 for photo in photos], np.int64)
    thumbnails = np.stack([result.thumbnail for _, _, result in kept]) if kept else np.empty((0, 64, 64), np.uint8)
    grouping = group(photos, thumbnails)
    return PhotoSet(
        images=scattered(images)[: len(kept)],
        labels=labels,
        names=names,
        sources=grouping.sources,
        strangers=strangers,
        stranger_names=stranger_names,
        ids=tuple(photo.id for photo in photos),
        digests=tuple(result.file for _, _, result in kept),
        given=tuple(photo.split for photo in photos),
        refused=tuple(sorted(refused, key=lambda refusal: refusal.id)),
        duplicates_dropped=len(copies.duplicates),
        notes=(*listing.notes, *copies.notes, *grouping.notes, *_several(result.note for _, _, result in kept)),
        duplicates=copies.duplicates,
        links=grouping.links,
    )
