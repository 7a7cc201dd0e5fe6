"""Pictures and filters as whole numbers over one denominator, so that a match is exact: 7/9, never 0.7777777.

Grey values are taken as decimals of at most six places; 0.5 is 1/2, and 1/3 becomes 0.333333.
"""

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from peephole.base.errors import InputError

__all__ = ["Fractions", "Grid", "filters_of", "grid", "picture_of"]

MILLION = 10**6  # six decimals; 81 products of two such numbers stay far below 2**63
SIDE_LEAST, SIDE_MOST = 3, 32
FILTERS_MOST, FILTER_SIDE_MOST = 8, 9
HUNDREDTHS = np.array([f"{'-' if n < 0 else ''}{abs(n) // 100}.{abs(n) % 100:02}" for n in range(-100, 101)])


@dataclass(frozen=True, eq=False)
class Fractions:
    """Numbers -1..1 as `parts` (int64, any shape) of `whole`: the value is parts / whole."""

    parts: np.ndarray
    whole: int

    @property
    def values(self) -> np.ndarray:
        """The numbers as float64."""
        return self.parts / self.whole


@dataclass(frozen=True, eq=False)
class Grid:
    """A map of exact numbers: `parts` int64 (H, W) of `whole`, with each as two decimals, cut off (0.77) and rounded (0.78)."""

    parts: np.ndarray
    whole: int
    truncated: tuple[tuple[str, ...], ...]
    rounded: tuple[tuple[str, ...], ...]


def _texts(hundredths: np.ndarray) -> tuple[tuple[str, ...], ...]:
    return tuple(map(tuple, HUNDREDTHS[hundredths + 100].tolist()))


def grid(parts: np.ndarray, whole: int) -> Grid:
    """Return int64 (H, W) numbers, each at most `whole` in size, with both texts; a half is rounded away from zero."""
    size, sign = np.abs(parts), np.sign(parts)
    return Grid(parts, whole, _texts(sign * (100 * size // whole)), _texts(sign * ((200 * size + whole) // (2 * whole))))


def _fractions(given: Any, what: str) -> Fractions:
    """Read numbers -1..1 of any shape as fractions of one smallest denominator."""
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"the {what} is not made of rows of numbers of one length", "give rows like [[-1, 1, -1], [1, 1, 1], [-1, 1, -1]]") from None
    if not (np.isfinite(values).all() and (np.abs(values) <= 1).all()):
        raise InputError(f"the {what} has a number outside -1..1", "-1 is black, 1 is white, anything between is grey")
    parts = np.rint(values * MILLION).astype(np.int64)
    shared = gcd(MILLION, int(np.gcd.reduce(parts, axis=None)) if parts.size else 0)
    return Fractions(parts // shared, MILLION // shared)


def picture_of(given: Any) -> Fractions:
    """Read a picture: rows of numbers -1 (black) to 1 (white), 3 to 32 rows and columns; raises InputError for anything else."""
    found = _fractions(given, "picture")
    if found.parts.ndim != 2 or not all(SIDE_LEAST <= side <= SIDE_MOST for side in found.parts.shape):
        shape = " x ".join(map(str, found.parts.shape)) or "one number"
        raise InputError(f"a picture has {SIDE_LEAST} to {SIDE_MOST} rows and columns, not {shape}", "the X of the example is 9 x 9")
    return found


def filters_of(given: Any, picture: tuple[int, int]) -> Fractions:
    """Read 1 to 8 filters of one shape, numbers -1..1, (filters, h, w), no larger than the picture; raises InputError for anything else."""
    found = _fractions(given, "set of filters")
    if found.parts.ndim != 3 or not 1 <= len(found.parts) <= FILTERS_MOST:
        raise InputError(f"1 to {FILTERS_MOST} filters of one size are needed", "one filter of 3 x 3: [[[1, -1, -1], [-1, 1, -1], [-1, -1, 1]]]")
    if not all(1 <= side <= min(FILTER_SIDE_MOST, room) for side, room in zip(found.parts.shape[1:], picture, strict=True)):
        tall, wide = found.parts.shape[1:]
        raise InputError(f"a filter of {tall} x {wide} does not fit", f"up to {FILTER_SIDE_MOST} rows and columns, and no larger than the picture")
    return found
