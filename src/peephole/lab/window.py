"""A window slides over a grid: how many places it has by stride, padding and dilation, and what stands at each; knows sizes and numbers only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from peephole.base.errors import InputError, did_you_mean

__all__ = ["HOWS", "How", "Slid", "Steps", "slide"]

How = Literal["sum", "max", "mean"]
HOWS: tuple[How, ...] = ("sum", "max", "mean")
TAKE: dict[str, Callable[[np.ndarray], float]] = {"sum": np.sum, "max": np.max, "mean": np.mean}
MOST = 100_000


@dataclass(frozen=True)
class Steps:
    """How a window of `kernel` cells goes along a side: `stride` cells a step, `padding` cells of nothing at both ends, taps `dilation` apart.

    `partial` (ceil mode) also takes a last window that the edge cuts, as long as it begins inside the side or the padding before it.
    """

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    partial: bool = False

    def __post_init__(self) -> None:
        for name, least in (("kernel", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
            if not least <= getattr(self, name) <= MOST:
                raise InputError(f"a {name} of {getattr(self, name)}", f"{name} is at least {least}")

    @property
    def reach(self) -> int:
        """How many cells the window spans, its gaps included: d (k - 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    def count(self, side: int) -> int:
        """Return the places on a side of so many cells: floor((n + 2 p - d (k - 1) - 1) / s) + 1, or with ceil; 0 where it fits nowhere."""
        room = side + 2 * self.padding - self.reach
        if room < 0:
            return 0
        places = room // self.stride + 1
        more = self.partial and room % self.stride and places * self.stride < side + self.padding
        return places + 1 if more else places


@dataclass(frozen=True, eq=False)
class Slid:
    """What a window gave: `values` float64 (rows, columns), and of how many cells inside the grid each is, `inside` int64 (rows, columns)."""

    values: np.ndarray
    inside: np.ndarray
    steps: Steps


def slide(grid: np.ndarray, steps: Steps, how: How = "sum") -> Slid:
    """Slide a square window over a grid (H, W) and take the sum, the largest or the mean of the cells inside; what is padded counts as nothing.

    A window that sees padding alone gives 0. Raises InputError for another `how`, no numbers, or a window that fits nowhere.
    """
    values = np.asarray(grid, np.float64)
    if how not in HOWS:
        raise InputError(f"a window cannot give '{how}'{did_you_mean(str(how), HOWS)}", f"one of {', '.join(HOWS)}")
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise InputError("the grid is not made of rows of numbers", "give rows like [[1, 2], [3, 4]]")
    rows, columns = (steps.count(side) for side in values.shape)
    if not rows or not columns:
        high, wide = values.shape
        raise InputError(f"a window that spans {steps.reach} cells fits nowhere in {high} x {wide}", "a smaller window, or more padding")
    found, inside = np.zeros((rows, columns)), np.zeros((rows, columns), np.int64)
    taps = steps.dilation * np.arange(steps.kernel) - steps.padding
    for row in range(rows):
        for column in range(columns):
            down, right = (start * steps.stride + taps for start in (row, column))
            seen = values[np.ix_(down[(down >= 0) & (down < values.shape[0])], right[(right >= 0) & (right < values.shape[1])])]
            inside[row, column] = seen.size
            if seen.size:
                found[row, column] = TAKE[how](seen)
    return Slid(found, inside, steps)
