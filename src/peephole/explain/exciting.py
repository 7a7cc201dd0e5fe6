"""The patches that excite a unit most, over a folder of photos: edges first, then parts, then wholes (Zeiler & Fergus 2014).

A patch is what the unit sees of a prepared picture, its receptive field. It says what the unit answers to among these photos, not what it is for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peephole.base.errors import DataError, InputError, MissingInput
from peephole.data.layout import printable, walk
from peephole.decide.predictor import Predictor
from peephole.explain.geometry import Field
from peephole.explain.gradient import Tape
from peephole.explain.layers import Layer, Look

__all__ = ["Excited", "Patch", "Search", "cut", "exciting", "filters"]

PHOTOS = 300
EVEN = 8  # grey levels of difference up to which a patch is of one colour
ALIKE = 0.01  # of the best answer: a filter that most photos excite to within this tells no photo from another
OUTSIDE = 128  # the grey of what lies beyond the picture


@dataclass(frozen=True, eq=False)
class Patch:
    """What one unit sees where it answers most in one photo.

    `photo` is the photo's path below the folder, `at` the unit's (row, column) in its map, `value` its answer there; `box` (top, left, height,
    width) of the receptive field in the prepared picture, partly outside it near a border; `pixels` uint8 (height, width, C), middle grey outside.
    Where the field is larger than the picture, `pixels` is all of the picture.
    """

    photo: str
    at: tuple[int, int]
    value: float
    box: tuple[int, int, int, int]
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class Excited:
    """A unit (filter) of a layer and the patches that excite it most, each from another photo, the strongest first.

    `here` is its strongest answer to the picture that is explained, `share` that as a share of the best patch's.
    """

    layer: str
    unit: int
    units: int
    field: Field
    here: float
    share: float
    patches: tuple[Patch, ...]


@dataclass(frozen=True, eq=False)
class Search:
    """The units that the picture excites most, layer by layer; `photos` were looked at of `found`, `left_out` of them could not be read."""

    units: tuple[Excited, ...]
    photos: int
    found: int
    left_out: int


def filters(seen: Look, most: int = 4) -> tuple[Layer, ...]:
    """Return at most `most` convolutions with a receptive field that is known, from the first to the last, evenly spread."""
    known = [layer for layer in seen.layers if layer.op == "Conv" and layer.field is not None and not layer.field.whole and len(layer.shape) == 3]
    return tuple(known[round(at)] for at in np.linspace(0, len(known) - 1, min(most, len(known)))) if known else ()


def cut(picture: np.ndarray, field: Field, at: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Return (pixels, box) of what the unit at (row, column) sees of `picture` (H, W, C)."""
    top, left = (field.offset[axis] + at[axis] * field.stride[axis] for axis in (0, 1))
    box = (top, left, *field.size)
    if field.size[0] >= picture.shape[0] and field.size[1] >= picture.shape[1]:
        return picture.copy(), box
    rows, columns = top + np.arange(field.size[0]), left + np.arange(field.size[1])
    inside = ((rows >= 0) & (rows < picture.shape[0]))[:, None] & ((columns >= 0) & (columns < picture.shape[1]))
    seen = picture[np.clip(rows, 0, picture.shape[0] - 1)][:, np.clip(columns, 0, picture.shape[1] - 1)]
    return np.where(inside[..., None], seen, np.uint8(OUTSIDE)), box


def _photos(folder: Path, most: int) -> tuple[list[tuple[str, str]], int]:
    """Return (path, name below the folder) of at most `most` files, evenly spread, and how many there are."""
    if not folder.exists():
        raise MissingInput(f"{folder} is not there", "give the folder of photos the model was trained on, or leave --photos out")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file, not a folder of photos", "give the folder that the model was trained on")
    files = [(entry.path, printable("/".join(entry.parts))) for entry in walk(folder, []) if not entry.reason]
    places = sorted({round(at) for at in np.linspace(0, len(files) - 1, min(most, len(files)))}) if files else []
    return [files[at] for at in places], len(files)


def _prepared(predictor: Predictor, files: list[tuple[str, str]]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, prepared picture) of every file that can be judged."""
    for path, name in files:
        try:
            yield name, predictor.prepare(path)
        except InputError:
            continue


@dataclass(frozen=True, eq=False)
class _Best:
    """For each photo and unit of one layer: the strongest answer (photos, units) and its place in the map."""

    values: np.ndarray
    places: np.ndarray


def _strongest(tape: Tape, layers: tuple[Layer, ...], pictures: np.ndarray, together: int) -> dict[str, _Best]:
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {layer.name: [] for layer in layers}
    for first in range(0, len(pictures), together):
        passed = tape.run(pictures[first : first + together])
        for name, parts in found.items():
            rows = tape.values(passed, name)
            rows = rows.reshape(*rows.shape[:2], -1)
            parts.append((rows.max(axis=2), rows.argmax(axis=2)))
    return {name: _Best(*(np.concatenate(column) for column in zip(*parts, strict=True))) for name, parts in found.items()}


def exciting(
    predictor: Predictor, seen: Look, folder: Path | str, *, layers: int = 4, units: int = 3, patches: int = 6, photos: int = PHOTOS
) -> Search:
    """Look through at most `photos` photos below `folder` for the patches that excite the filters which the picture behind `seen` excites most.

    Of each of `layers` convolutions the `units` filters are shown whose answer to the picture comes nearest to, or beyond, their best among the
    photos; those whose best patch is of one colour, or that most photos excite alike, come last, for that shows nothing.
    Raises MissingInput or DataError when `folder` is no folder; photos that cannot be read or judged are counted and left out.
    """
    asked, total = _photos(Path(folder), photos)
    named = dict(_prepared(predictor, asked))
    chosen = filters(seen, layers)
    if not named or not chosen:
        return Search((), len(named), total, len(asked) - len(named))
    tape = Tape(predictor.model.data, until=chosen[-1].name, keep=[layer.name for layer in chosen])
    together = tape.at_once(sum(layer.values.size for layer in seen.layers))
    best = _strongest(tape, chosen, np.stack(list(named.values())), together)
    found = tuple(each for layer in chosen for each in _of_layer(layer, best[layer.name], named, units, patches))
    return Search(found, len(named), total, len(asked) - len(named))


def _patch(layer: Layer, best: _Best, pictures: dict[str, np.ndarray], index: int, unit: int) -> Patch:
    """Return what a filter sees where it answers most in photo number `index`."""
    assert layer.field is not None
    name = list(pictures)[index]
    at = divmod(int(best.places[index, unit]), layer.shape[2])
    pixels, box = cut(pictures[name], layer.field, at)
    return Patch(name, at, float(best.values[index, unit]), box, pixels)


def _of_layer(layer: Layer, best: _Best, pictures: dict[str, np.ndarray], units: int, patches: int) -> Iterator[Excited]:
    """Yield the filters of one layer that the picture excites most, with their patches."""
    here = layer.values.reshape(layer.shape[0], -1).max(axis=1)
    most = best.values.max(axis=0)
    alive = [int(unit) for unit in np.flatnonzero(most > 0)]  # a filter that no photo excites has no patch to show
    top = {unit: _patch(layer, best, pictures, int(best.values[:, unit].argmax()), unit) for unit in alive}
    even = {unit: np.ptp(patch.pixels.astype(int), axis=(0, 1)).max() <= EVEN for unit, patch in top.items()}
    alike = np.median(best.values, axis=0) >= (1 - ALIKE) * most
    for unit in sorted(alive, key=lambda unit: (even[unit] or alike[unit], -here[unit] / most[unit]))[:units]:
        shown: list[Patch] = []
        for index in np.argsort(-best.values[:, unit], kind="stable"):
            patch = _patch(layer, best, pictures, int(index), unit)
            if not any(np.array_equal(patch.pixels, other.pixels) for other in shown):
                shown.append(patch)
            if len(shown) == patches:
                break
        assert layer.field is not None
        yield Excited(layer.name, unit, layer.shape[0], layer.field, float(here[unit]), float(here[unit] / most[unit]), tuple(shown))
