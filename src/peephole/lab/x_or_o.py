"""X or O as Brandon Rohrer draws it, worked exactly: matches in ninths, ReLU, max pooling twice, flatten, the vote.

A match is the mean of the products of a filter and the part of the picture under it: 1 where all agree, -1 where none does. All of it is computed
from the picture and the filters that are given, as whole numbers over one denominator; nothing is looked up. White is 1, black -1.
Source: How do convolutional neural networks work? (2016). His figures cut matches off after two decimals (0.77), others round (0.78): both are given.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from peephole.base.errors import InputError
from peephole.lab.drawn import cross, ring
from peephole.lab.exact import Fractions, Grid, filters_of, grid, picture_of
from peephole.lab.softmax import softmax

__all__ = ["FILTERS", "AsPrinted", "FilterMap", "Product", "Vote", "Worked", "WorkedCell", "as_printed", "work", "work_cell"]

FILTERS = np.array(
    [
        [[1, -1, -1], [-1, 1, -1], [-1, -1, 1]],  # a stroke down to the right
        [[1, -1, 1], [-1, 1, -1], [1, -1, 1]],  # the crossing
        [[-1, -1, 1], [-1, 1, -1], [1, -1, -1]],  # a stroke down to the left
    ],
    np.float64,
)
POOL = 2


@dataclass(frozen=True, eq=False)
class FilterMap:
    """One filter's way: its match with every part of the picture, then ReLU, then 2 x 2 max pooling, then pooling once more.

    `matches` (H - h + 1, W - w + 1); `negatives` of its cells are below 0; `agreeing` counts the pixels that agree, None where anything
    is grey.
    Pooling keeps windows cut by the edge (7 -> 4); `pooled_floor` leaves them out (7 -> 3). `winners` (rows, columns, 2) is the cell of `rectified`
    that each window kept, `winners_twice` that of `pooled`.
    """

    name: str
    filter: np.ndarray
    matches: Grid
    agreeing: np.ndarray | None
    negatives: int
    rectified: Grid
    pooled: Grid
    winners: np.ndarray
    pooled_floor: Grid
    pooled_twice: Grid
    winners_twice: np.ndarray


@dataclass(frozen=True)
class Vote:
    """The vote for one label: the mean of the flattened values at `voters`, which all have an equal say.

    `share` = `parts` / (`whole` * number of voters), 0..1; it is no probability: the votes for X and O need not add up to 1.
    """

    label: str
    voters: tuple[int, ...]
    parts: int
    whole: int
    share: float


@dataclass(frozen=True, eq=False)
class Worked:
    """A picture worked through: one `FilterMap` a filter, the flattened values, the votes, and the shares that softmax makes of them.

    `flat` int64 (values,) of `whole`, filter by filter, row by row; `flat_x`, `flat_o` are the same of the X and the O of this size, from which the
    voters follow. `answer` is "X", "O", or None where both have the same vote.
    """

    picture: np.ndarray
    filters: np.ndarray
    whole: int
    maps: tuple[FilterMap, ...]
    flat: np.ndarray
    flat_x: np.ndarray
    flat_o: np.ndarray
    votes: tuple[Vote, Vote]
    shares: tuple[float, float]
    answer: str | None


@dataclass(frozen=True)
class Product:
    """One pixel under one weight of a filter, and their product."""

    row: int
    column: int
    pixel: float
    weight: float
    product: float


@dataclass(frozen=True)
class WorkedCell:
    """One cell of a feature map: the products row by row, their sum `parts` of `whole`, the match, cut off and rounded to two decimals."""

    name: str
    row: int
    column: int
    products: tuple[Product, ...]
    total: float
    parts: int
    whole: int
    match: float
    truncated: str
    rounded: str


def _sums(picture: Fractions, filters: Fractions) -> tuple[np.ndarray, int]:
    """Return the sums of products (filters, rows, columns) and what a perfect match would have."""
    windows = np.lib.stride_tricks.sliding_window_view(picture.parts, filters.parts.shape[1:])
    return np.einsum("ijab,fab->fij", windows, filters.parts), filters.parts[0].size * picture.whole * filters.whole


def _pool(maps: np.ndarray, keep_partial: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest of each 2 x 2 window of (F, H, W) maps >= 0, and its row and column (F, rows, columns, 2); the first of equals wins."""
    filters, height, width = maps.shape
    if keep_partial:
        maps = np.pad(maps, ((0, 0), (0, height % POOL), (0, width % POOL)), constant_values=-1)
    rows, columns = maps.shape[1] // POOL, maps.shape[2] // POOL
    windows = maps[:, : rows * POOL, : columns * POOL].reshape(filters, rows, POOL, columns, POOL).transpose(0, 1, 3, 2, 4)
    windows = windows.reshape(filters, rows, columns, POOL * POOL)
    best = windows.argmax(-1) if windows.size else np.zeros((filters, rows, columns), np.int64)
    at = np.stack([POOL * np.arange(rows)[:, None] + best // POOL, POOL * np.arange(columns) + best % POOL], -1)
    return windows.max(-1, initial=-1), at


def _flat(sums: np.ndarray) -> np.ndarray:
    """Convolution's sums -> ReLU -> pool -> pool -> flatten."""
    return _pool(_pool(np.maximum(sums, 0), True)[0], True)[0].ravel()


@lru_cache(maxsize=64)
def _templates(shape: tuple[int, int], filters: bytes, sides: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the flattened X and O of a size under the filters; a picture that is not square gets their middle rows or columns."""
    parts = np.frombuffer(filters, np.int64).reshape(sides)
    found = []
    for template in (cross(max(shape)), ring(max(shape))):
        top, left = ((max(shape) - side) // 2 for side in shape)
        cut = picture_of(template[top : top + shape[0], left : left + shape[1]])
        found.append(_flat(_sums(cut, Fractions(parts, 1))[0]))
    return found[0], found[1]


def _vote(label: str, flat: np.ndarray, voters: np.ndarray, whole: int) -> Vote:
    parts = int(flat[voters].sum())
    return Vote(label, tuple(int(place) for place in voters), parts, whole, parts / (whole * len(voters)) if len(voters) else 0.0)


def work(picture: Any, filters: Any = FILTERS) -> Worked:
    """Work a picture (H, W), numbers -1..1 with 3 to 32 rows and columns, through filters (F, h, w) of numbers -1..1.

    Who votes: a flattened place votes for X where the X of this size has more there than the O, for O where it has less; equal places have no vote.
    For the 9 x 9 pictures these are the thick lines of Rohrer's figure. Raises InputError for what is no picture or no set of filters.
    """
    seen = picture_of(picture)
    used = filters_of(filters, (seen.parts.shape[0], seen.parts.shape[1]))
    sums, whole = _sums(seen, used)
    rectified = np.maximum(sums, 0)
    pooled, winners = _pool(rectified, True)
    floored, _ = _pool(rectified, False)
    twice, winners_twice = _pool(pooled, True)
    maps = tuple(
        FilterMap(
            f"F{number + 1}",
            used.values[number],
            grid(sums[number], whole),
            (sums[number] + whole) // 2 if _two_valued(seen) and _two_valued(used) else None,
            int((sums[number] < 0).sum()),
            *(grid(rectified[number], whole), grid(pooled[number], whole), winners[number]),
            *(grid(floored[number], whole), grid(twice[number], whole), winners_twice[number]),
        )
        for number in range(len(sums))
    )
    # The templates count in parts of n * filter denominators; times the picture's they count as this picture does.
    flat_x, flat_o = (flat * seen.whole for flat in _templates((seen.parts.shape[0], seen.parts.shape[1]), used.parts.tobytes(), used.parts.shape))
    flat = twice.ravel()
    votes = (_vote("X", flat, np.flatnonzero(flat_x > flat_o), whole), _vote("O", flat, np.flatnonzero(flat_o > flat_x), whole))
    first, second = softmax(np.array([vote.share for vote in votes])).tolist()
    answer = None if votes[0].share == votes[1].share else max(votes, key=lambda vote: vote.share).label
    return Worked(seen.values, used.values, whole, maps, flat, flat_x, flat_o, votes, (first, second), answer)


def _two_valued(numbers: Fractions) -> bool:
    return numbers.whole == 1 and bool((numbers.parts != 0).all())


def work_cell(worked: Worked, number: int, row: int, column: int) -> WorkedCell:
    """Work out one cell of the map of filter `number` (from 0): its products, their sum, the match; raises InputError outside the map."""
    if not 0 <= number < len(worked.maps):
        raise InputError(f"there is no filter {number + 1}", f"filters 1 to {len(worked.maps)}")
    found = worked.maps[number]
    rows, columns = found.matches.parts.shape
    if not (0 <= row < rows and 0 <= column < columns):
        raise InputError(f"the map has no cell {row},{column}", f"rows 0 to {rows - 1}, columns 0 to {columns - 1}")
    tall, wide = found.filter.shape
    patch = worked.picture[row : row + tall, column : column + wide]
    products = tuple(
        Product(row + r, column + c, float(patch[r, c]), float(found.filter[r, c]), float(patch[r, c] * found.filter[r, c]))
        for r in range(tall)
        for c in range(wide)
    )
    parts = int(found.matches.parts[row, column])
    texts = found.matches.truncated[row][column], found.matches.rounded[row][column]
    return WorkedCell(found.name, row, column, products, parts * tall * wide / worked.whole, parts, worked.whole, parts / worked.whole, *texts)


@dataclass(frozen=True)
class AsPrinted:
    """The vote in Rohrer's last figure (cnn13.png), as printed, beside what equal votes would give.

    The thin lines of the figure have weights that it does not state: `printed_x` .92 cannot be recomputed (equal votes: .912); `printed_o` .51 can,
    cut off (.5175). The two are votes, not probabilities: they add up to 1.43. `shares` is what softmax would make of them.
    """

    inputs: tuple[float, ...]
    voters_x: tuple[int, ...]
    voters_o: tuple[int, ...]
    printed_x: float
    printed_o: float
    mean_x: float
    mean_o: float
    shares: tuple[float, float]


def as_printed() -> AsPrinted:
    """Return Rohrer's figure as printed, with the means recomputed."""
    inputs = (0.9, 0.65, 0.45, 0.87, 0.96, 0.73, 0.23, 0.63, 0.44, 0.89, 0.94, 0.53)
    voters_x, voters_o = (0, 3, 4, 9, 10), (1, 2, 8, 11)
    mean_x, mean_o = (sum(inputs[place] for place in voters) / len(voters) for voters in (voters_x, voters_o))
    first, second = softmax(np.array([0.92, 0.51])).tolist()
    return AsPrinted(inputs, voters_x, voters_o, 0.92, 0.51, mean_x, mean_o, (first, second))
