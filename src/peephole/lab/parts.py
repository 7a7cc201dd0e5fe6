"""Why not compare whole pictures: pixel by pixel a shifted X looks like an O, part by part it is the same X somewhere else."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from peephole.base.errors import InputError
from peephole.lab.drawn import cross, ring
from peephole.lab.exact import picture_of
from peephole.lab.x_or_o import FILTERS, Worked, work

__all__ = ["Comparison", "PartMatch", "Place", "Whole", "compare", "nearest_whole", "whole"]

PLACES_MOST = 16


@dataclass(frozen=True)
class Whole:
    """Two pictures laid over each other: `equal` of `pixels` are the same, `share` 0..1; `cosine` -1..1 of all values as one long list."""

    equal: int
    pixels: int
    share: float
    cosine: float


@dataclass(frozen=True)
class Place:
    """Where a filter fits in both pictures: its upper left corners, and its match there, `parts_a` and `parts_b` of `whole`."""

    row_a: int
    column_a: int
    row_b: int
    column_b: int
    parts_a: int
    parts_b: int


@dataclass(frozen=True)
class PartMatch:
    """One filter in both pictures: its best match in each, of `whole`; `exact` where both are perfect; a line for each pair of places.

    The places are those of the best match in each picture, paired so that the lines are as alike as they can be; what is left over stays unpaired.
    """

    name: str
    best_a: int
    best_b: int
    whole: int
    exact: bool
    places: tuple[Place, ...]
    unpaired_a: int
    unpaired_b: int


@dataclass(frozen=True)
class Comparison:
    """Two pictures of one size, compared both ways; `parts_found` is the mean over the filters of the weaker of the two best matches, -1..1.

    `moved` (rows, columns) is how all parts moved where every line says the same, else None.
    """

    whole: Whole
    parts: tuple[PartMatch, ...]
    parts_found: float
    moved: tuple[int, int] | None


def whole(a: Any, b: Any) -> Whole:
    """Compare two pictures (H, W) pixel by pixel; raises InputError when their sizes differ. The cosine of a grey 0 everywhere is 0."""
    first, second = picture_of(a).values, picture_of(b).values
    if first.shape != second.shape:
        raise InputError("the pictures differ in size", "compare two of the same rows and columns")
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    equal = int((first == second).sum())
    return Whole(equal, first.size, equal / first.size, float((first * second).sum()) / length if length else 0.0)


def nearest_whole(picture: Any) -> tuple[str | None, Whole, Whole]:
    """Say what comparing whole pictures would answer: "X" or "O", None for equally many; with both comparisons. The picture is square."""
    values = picture_of(picture).values
    with_x, with_o = (whole(values, template(max(values.shape))) for template in (cross, ring))
    answer = None if with_x.equal == with_o.equal else "X" if with_x.equal > with_o.equal else "O"
    return answer, with_x, with_o


def _best(worked: Worked, number: int) -> tuple[int, np.ndarray]:
    """Return the best match of a filter and its places (n, 2)."""
    parts = worked.maps[number].matches.parts
    return int(parts.max()), np.argwhere(parts == parts.max())


def _paired(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pair places (n, 2) and (m, 2) by one common move: the move that pairs most of them exactly, the shortest of those; the rest by nearness."""
    a, b = np.array(first), np.array(second)
    moves, counts = np.unique((b[None] - a[:, None]).reshape(-1, 2), axis=0, return_counts=True)
    move = moves[np.lexsort((np.abs(moves).sum(1), -counts))[0]]
    away = np.abs(a[:, None] + move - b[None]).sum(-1).astype(float)
    pairs = list[tuple[tuple[int, int], tuple[int, int]]]()
    for _ in range(min(len(a), len(b))):
        i, j = divmod(int(away.argmin()), len(b))
        pairs.append((first[i], second[j]))
        away[i, :], away[:, j] = np.inf, np.inf
    return sorted(pairs)


def _part(first: Worked, second: Worked, number: int) -> PartMatch:
    (best_a, at_a), (best_b, at_b) = _best(first, number), _best(second, number)
    # A part that fits nowhere, or everywhere alike, is nowhere.
    somewhere = min(best_a, best_b) > 0 and max(len(at_a), len(at_b)) <= PLACES_MOST
    pairs = _paired(at_a.tolist(), at_b.tolist()) if somewhere else []
    places = tuple(Place(*a, *b, best_a, best_b) for a, b in pairs)
    left = len(at_a) - len(pairs), len(at_b) - len(pairs)
    return PartMatch(first.maps[number].name, best_a, best_b, first.whole, best_a == first.whole and best_b == second.whole, places, *left)


def compare(a: Any, b: Any, filters: Any = FILTERS) -> Comparison:
    """Compare two pictures (H, W) of numbers -1..1 as wholes and by the parts that the filters look for; raises InputError when sizes differ."""
    together = whole(a, b)
    first, second = work(a, filters), work(b, filters)
    parts = tuple(_part(first, second, number) for number in range(len(first.maps)))
    found = float(np.mean([min(part.best_a / first.whole, part.best_b / second.whole) for part in parts]))
    moves = {(place.row_b - place.row_a, place.column_b - place.column_a) for part in parts for place in part.places}
    return Comparison(together, parts, found, moves.pop() if len(moves) == 1 else None)
