"""The X of the example and an O of its size, and the same picture shifted, rotated, thickened: arrays of -1 (black) and 1 (white).

Source: Brandon Rohrer, How do convolutional neural networks work? Every function takes numbers -1..1 (H, W) and returns new ones float64 (H, W).
"""

import math
from typing import Any

import numpy as np

from peephole.base.errors import InputError
from peephole.lab.exact import SIDE_LEAST, SIDE_MOST, picture_of

__all__ = ["cross", "ring", "rotate", "shift", "thicken"]

BLACK, WHITE = -1.0, 1.0
SIDE = 9
POINTS = [(down / 5, right / 5) for down in range(-2, 3) for right in range(-2, 3)]
COVERED = -0.2 - 1e-9  # the mean of 40 % white and 60 % black, a rounding error less


def _side(side: int) -> int:
    if not SIDE_LEAST <= side <= SIDE_MOST:
        raise InputError(f"a picture has {SIDE_LEAST} to {SIDE_MOST} rows and columns, not {side}", "the X of the example is 9 x 9")
    return side


def _margin(side: int) -> int:
    """A black border of one pixel, where there is room for one."""
    return 1 if side >= 5 else 0


def cross(side: int = SIDE) -> np.ndarray:
    """Return the X: both diagonals white inside a black border; 9 x 9 is Rohrer's."""
    near = np.arange(_side(side))
    inside = (near >= _margin(side)) & (near < side - _margin(side))
    on = (near[:, None] == near) | (near[:, None] + near == side - 1)
    return np.where(on & inside[:, None] & inside, WHITE, BLACK)


def ring(side: int = SIDE) -> np.ndarray:
    """Return an O: a circle one pixel thick inside a black border; 9 x 9 has three white pixels on each side and one on each slant."""
    middle, radius = (_side(side) - 1) / 2, (side - 1) / 2 - _margin(side)
    half = middle % 1  # pixels of an even picture lie at halves from its middle
    picture = np.full((side, side), BLACK)
    across = half
    while across <= radius:
        along = math.floor(math.sqrt(radius**2 - across**2) - half + 0.5) + half
        if along < across:
            break
        for a, b in ((across, along), (along, across)):
            for row in (middle - a, middle + a):
                picture[int(row), [int(middle - b), int(middle + b)]] = WHITE
        across += 1
    return picture


def shift(picture: Any, down: int = 0, right: int = 0) -> np.ndarray:
    """Move a picture by whole pixels, black coming in from the edges; what leaves the picture is lost."""
    values = picture_of(picture).values
    moved = np.full_like(values, BLACK)
    height, width = values.shape
    rows, columns = (slice(max(0, by), min(side, side + by)) for by, side in ((down, height), (right, width)))
    from_rows, from_columns = (slice(max(0, -by), min(side, side - by)) for by, side in ((down, height), (right, width)))
    if abs(down) < height and abs(right) < width:
        moved[rows, columns] = values[from_rows, from_columns]
    return moved


def rotate(picture: Any, degrees: float) -> np.ndarray:
    """Turn a picture against the clock about its middle, outside it black.

    A pixel looks at 25 points of its area. In a grey picture it takes their mean; in one of black and white alone it is white where at least 40 % of
    them are: half would tear lines of one pixel.
    """
    values = picture_of(picture).values
    if not math.isfinite(degrees):
        raise InputError(f"degrees is a number, not {degrees}", "--rotate 15")
    height, width = values.shape
    cos, sin = (round(f(math.radians(degrees)), 12) for f in (math.cos, math.sin))  # cos 90 degrees is 0, not 6e-17
    seen = np.zeros_like(values)
    for down, right in POINTS:
        y, x = np.mgrid[:height, :width] + np.array([down - (height - 1) / 2, right - (width - 1) / 2]).reshape(2, 1, 1)
        rows = np.floor(cos * y + sin * x + height / 2).astype(int)
        columns = np.floor(-sin * y + cos * x + width / 2).astype(int)
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        seen += np.where(inside, values[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)], BLACK)
    mean = seen / len(POINTS)
    return np.where(mean >= COVERED, WHITE, BLACK) if np.isin(values, (BLACK, WHITE)).all() else mean


def thicken(picture: Any, times: int = 1) -> np.ndarray:
    """Make strokes thicker: each pixel becomes the whitest of itself and its four neighbours, so many times over."""
    values = picture_of(picture).values
    for _ in range(max(0, min(int(times), SIDE_MOST))):
        framed = np.pad(values, 1, constant_values=BLACK)
        values = np.max([framed[1:-1, 1:-1], framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]], axis=0)
    return values
