"""What is gathered once on each machine reaches all of its processes: the pixels by a file they share, the rest by word."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from socket import gethostname
from typing import NamedTuple

import numpy as np

from peephole.base.card import Input
from peephole.base.errors import DataError, SettingsError
from peephole.data.dataset import PhotoSet
from peephole.data.photos import Listing
from peephole.data.pixels import Room, file_of, opened
from peephole.train import distributed
from peephole.train.recipe import Recipe

__all__ = ["Gathered", "met"]


class Gathered(NamedTuple):
    """A listing, its photos, the recipe derived from them, and how raw photos become the network's input."""

    listing: Listing
    photos: PhotoSet
    recipe: Recipe
    spec: Input


class _Told(NamedTuple):
    """What the first process of a machine tells: all but the pixels, in which file those are, and their shape."""

    gathered: Gathered
    file: str
    shape: tuple[int, ...]
    machine: str


def met(gather: Callable[[Room], Gathered], room: Room) -> Gathered:
    """Return what `gather` finds; of many processes the first of each machine gathers, and the recipe is that of process 0.

    Raises DataError when the machines see different photos, SettingsError when a batch has fewer examples than there are processes.
    """
    if distributed.size() == 1:
        return _with(gather(room))
    own, told = None, None
    try:
        if distributed.local_rank() == 0:
            own = gather(replace(room, named=True))
            bare = own._replace(photos=replace(own.photos, images=np.empty(0, np.uint8)))
            told = _Told(bare, str(file_of(own.photos.images)), own.photos.images.shape, gethostname())
        everybody = distributed.exchanged(told)
        here, first = everybody[distributed.first_here()], everybody[0]
        assert here and first
        _require_the_same([each for each in everybody if each])
        _require_enough(first.gathered.recipe)
        images = own.photos.images if own else opened(Path(here.file), here.shape)
        distributed.agreed(None)  # all have opened it
    finally:
        if own and (file := file_of(own.photos.images)):
            with suppress(OSError):  # Windows keeps the name of an open file
                file.unlink(missing_ok=True)
    return _with(here.gathered._replace(recipe=first.gathered.recipe), images)


def _with(gathered: Gathered, images: np.ndarray | None = None) -> Gathered:
    """Return what was gathered with its pixels, or others, as a plain array: what is picked from a mapped file is in memory, and no file."""
    pixels = np.asarray(gathered.photos.images if images is None else images)
    return gathered._replace(photos=replace(gathered.photos, images=pixels))


def _digest(told: _Told) -> str:
    photos = told.gathered.photos
    return sha256(repr((photos.ids, photos.digests, photos.labels.tolist(), told.shape, told.gathered.spec.region)).encode()).hexdigest()


def _require_the_same(machines: list[_Told]) -> None:
    for other in machines[1:]:
        if _digest(other) != _digest(machines[0]):
            sizes = (len(machines[0].gathered.photos), len(other.gathered.photos))
            raise DataError(
                f"{machines[0].machine} sees {sizes[0]} photos and {other.machine} {sizes[1]}, and they are not the same",
                "give every machine the same folder, shared or copied",
            )


def _require_enough(recipe: Recipe) -> None:
    if recipe.fit != "frozen" and recipe.batch < distributed.size():
        raise SettingsError(
            f"a batch of {recipe.batch} cannot be shared among {distributed.size()} processes", f"--batch {distributed.size()}, or fewer processes"
        )
