"""Geometry: shift, scale, turn, slant, perspective, elastic bending and mirroring, composed into one resampling.

A place of the result is mapped to the place it comes from, bilinearly between the four nearest pixels; beyond the border the border
repeats. Elastic bending is a cubic B-spline over a coarse grid of random moves (as Rueckert et al. 1999 bend scans).
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from peephole.train.chance import uniform
from peephole.train.compiled import compiled
from peephole.train.strengths import Augment

__all__ = ["Warp", "draw", "warp"]

F4, U4 = np.float32, np.uint32
CELLS = 4  # of the elastic grid along each side
NODES = CELLS + 3
BLOCK = 2048  # places whose sources are worked out together: they stay in the fastest memory


@dataclass(frozen=True, eq=False)
class Warp:
    """What was drawn: matrices float32 (N, 8) and elastic moves float32 (N, 2, NODES, NODES) in pixels, or (N, 2, 0, 0).

    With u, v measured from the middle, a place comes from (m0 u + m1 v, m3 u + m4 v) / (1 + m6 u + m7 v) + (m2, m5). `grid` (2, H * W)
    holds u and v; `across` and `down` are the spline's nodes and weights for each column and row.
    """

    matrix: np.ndarray
    moves: np.ndarray
    grid: np.ndarray
    across: tuple[np.ndarray, np.ndarray]
    down: tuple[np.ndarray, np.ndarray]

    def __getitem__(self, at: slice) -> "Warp":
        """Return the draws of some of the images."""
        return replace(self, matrix=self.matrix[at], moves=self.moves[at])


def draw(how: Augment, keys: np.ndarray, height: int, width: int) -> Warp | None:
    """Draw where each image's pixels come from, or return None when geometry stays as it is."""
    if not any((how.shift, how.scale, how.stretch, how.rotate, how.flip, how.shear, how.perspective, how.elastic)):
        return None
    chance = uniform(keys, "warp", 8).astype(np.float64)
    even = 2 * chance - 1
    angle, slant = even[:, 0] * math.radians(how.rotate), np.tan(even[:, 1] * math.radians(how.shear))
    size = np.exp(-even[:, 2] * math.log1p(how.scale))
    mirror = np.where(chance[:, 3] < 0.5, -1.0, 1.0) if how.flip else np.ones(len(keys))
    # Half of the change goes to the width, half to the height: the area stays. A stream of its own leaves the other draws as they were.
    wider = np.exp((uniform(keys, "stretch", 1)[:, 0].astype(np.float64) - 0.5) * math.log1p(how.stretch))
    cos, sin = np.cos(angle) * size, np.sin(angle) * size
    matrix = np.stack(
        [
            cos * mirror * wider,
            (cos * slant - sin) / wider,
            even[:, 4] * how.shift * width,
            sin * mirror * wider,
            (sin * slant + cos) / wider,
            even[:, 5] * how.shift * height,
            even[:, 6] * how.perspective / max(width, 2),
            even[:, 7] * how.perspective / max(height, 2),
        ],
        1,
    )
    nodes = NODES if how.elastic else 0
    moves = 2 * uniform(keys, "elastic", 2 * nodes * nodes).reshape(len(keys), 2, nodes, nodes) - 1
    moves *= np.array([how.elastic * width, how.elastic * height], np.float32).reshape(1, 2, 1, 1)
    grid = np.empty((2, height, width), np.float32)
    grid[0], grid[1] = np.arange(width) - (width - 1) / 2, (np.arange(height) - (height - 1) / 2)[:, None]
    return Warp(matrix.astype(np.float32), moves, grid.reshape(2, -1), _bend(width), _bend(height))


def _bend(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each place's first node (side,) and the weights of its four nodes float32 (4, side): the cubic B-spline."""
    place = (np.arange(side) + 0.5) / side * CELLS
    first = np.minimum(place.astype(np.uint32), CELLS - 1)
    t = place - first
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    return first.astype(np.uint32), weights.astype(np.float32)


@compiled
def _spread(field: np.ndarray, moves: np.ndarray, across: tuple, down: tuple, width: int) -> None:  # type: ignore[type-arg]
    """Spread the moves (2, NODES, NODES) of one image over its places: field (2, H * W)."""
    lines = np.empty((moves.shape[1], width), np.float32)
    for axis in range(2):
        for r in range(moves.shape[1]):
            for x in range(width):
                at = across[0][x]
                line = F4(0)
                for k in range(4):
                    line += across[1][k, x] * moves[axis, r, at + U4(k)]
                lines[r, x] = line
        for y in range(len(down[0])):
            at, row = down[0][y], field[axis][y * width : (y + 1) * width]
            for x in range(width):
                row[x] = F4(0)
            for k in range(4):
                weight, line_ = down[1][k, y], lines[at + U4(k)]
                for x in range(width):
                    row[x] += weight * line_[x]


@compiled
def _sources(m: np.ndarray, place: tuple, size: tuple, moved: tuple, found: tuple) -> None:  # type: ignore[type-arg]
    """Work out for a block of places the first of the four pixels they come from, and how far they lie between them."""
    height, width = size
    index, right, below = found
    u, v = place
    most_x, most_y, last_x, last_y = width - F4(1), height - F4(1), max(width - F4(2), F4(0)), max(height - F4(2), F4(0))
    middle_x, middle_y = most_x * F4(0.5) + m[2], most_y * F4(0.5) + m[5]
    a, b, d, e, g, h = m[0], m[1], m[3], m[4], m[6], m[7]
    aside, away = moved
    curved, bent = g != F4(0) or h != F4(0), aside.size > 0
    for j in range(u.size):  # the compiler takes the two questions out of the loop
        x, y = a * u[j] + b * v[j], d * u[j] + e * v[j]
        if curved:
            share = F4(1) / (F4(1) + g * u[j] + h * v[j])
            x, y = x * share, y * share
        if bent:
            x, y = x + aside[j], y + away[j]
        x = min(max(x + middle_x, F4(0)), most_x)
        y = min(max(y + middle_y, F4(0)), most_y)
        left, top = min(np.floor(x), last_x), min(np.floor(y), last_y)
        right[j], below[j] = x - left, y - top
        index[j] = U4(np.int32(top * width + left))  # exact in float32 up to 16 million pixels


@compiled
def _sample(out: np.ndarray, image: np.ndarray, found: tuple, beside: int, under: int) -> None:  # type: ignore[type-arg]
    index, right, below = found
    image_2, image_3, image_4 = image[beside:], image[under:], image[under + beside :]  # one index for all four pixels
    for j in range(out.size):
        q = index[j]
        one, two, three, four = image[q], image_2[q], image_3[q], image_4[q]
        top = one + right[j] * (two - one)
        out[j] = top + below[j] * (three + right[j] * (four - three) - top)


@compiled
def _warp(pixels: np.ndarray, drawn: tuple, grid: np.ndarray, across: tuple, down: tuple) -> None:  # type: ignore[type-arg]
    (matrix, moves), (count, channels, area) = drawn, pixels.shape
    height, width = len(down[0]), len(across[0])
    image = np.empty((channels, area), np.float32)
    field = np.empty((2, area if moves.shape[2] else 0), np.float32)
    block = min(area, BLOCK)
    index, right, below = np.empty(block, np.uint32), np.empty(block, np.float32), np.empty(block, np.float32)
    beside, under = 1 if width > 1 else 0, width if height > 1 else 0
    for i in range(count):
        for c in range(channels):
            to_, from_ = image[c], pixels[i, c]
            for j in range(area):
                to_[j] = from_[j]
        if moves.shape[2]:
            _spread(field, moves[i], across, down, width)
        for at in range(0, area, block):
            to = min(at + block, area)
            found = (index[: to - at], right[: to - at], below[: to - at])
            _sources(matrix[i], (grid[0][at:to], grid[1][at:to]), (F4(height), F4(width)), (field[0][at:to], field[1][at:to]), found)
            for c in range(channels):
                _sample(pixels[i, c][at:to], image[c], found, beside, under)


def warp(pixels: np.ndarray, drawn: Warp) -> None:
    """Resample float32 (n, C, H, W) in place by what was drawn for these images."""
    _warp(pixels.reshape(*pixels.shape[:2], -1), (drawn.matrix, drawn.moves), drawn.grid, drawn.across, drawn.down)
