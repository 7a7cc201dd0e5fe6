"""Drawings of X, O and other things as hands would make them, made by a program: strokes bent, turned, moved, drawn with another pen.

Nobody's drawings are used. A drawing is a function of (kind, seed) alone, whatever its size.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from peephole.base.errors import SettingsError, did_you_mean

__all__ = ["KINDS", "STRANGERS", "Drawings", "draw", "drawings"]

Strokes = list[np.ndarray]  # each (points, 2): x to the right, y down, in a box of side 2 about 0
POINTS = 24


@dataclass(frozen=True, eq=False)
class Drawings:
    """Pictures float64 (N, side, side), -1 the paper and 1 the ink, and their labels int64 (N,): 0 X, 1 O."""

    pictures: np.ndarray
    labels: np.ndarray


def _line(*corners: tuple[float, float]) -> np.ndarray:
    """Points along straight pieces between corners."""
    at, given = np.linspace(0, len(corners) - 1, POINTS), np.array(corners, np.float64)
    return np.stack([np.interp(at, np.arange(len(corners)), given[:, axis]) for axis in (0, 1)], 1)


def _arc(start: float, sweep: float, wide: float = 0.9, high: float = 0.9, *, at: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Part of an ellipse about `at`: from `start` over `sweep`, in turns."""
    angle = 2 * math.pi * (start + sweep * np.linspace(0, 1, POINTS))
    return np.stack([at[0] + wide * np.cos(angle), at[1] + high * np.sin(angle)], 1)


def _x(rng: np.random.Generator) -> Strokes:
    """Two strokes that cross; ends, lengths and the crossing differ, some are bowed."""
    ends = np.array([[-0.9, -0.9], [0.9, 0.9], [0.9, -0.9], [-0.9, 0.9]]) * rng.uniform(0.75, 1.1, (4, 2)) + rng.normal(0, 0.08, (4, 2))
    return [_line(tuple(ends[0]), tuple(ends[1])), _line(tuple(ends[2]), tuple(ends[3]))]


def _o(rng: np.random.Generator) -> Strokes:
    """A round in one go, begun anywhere, in either direction, that ends a little short of its beginning or goes past it."""
    sweep = rng.choice([-1, 1]) * rng.uniform(0.9, 1.15)
    arc = _arc(rng.uniform(0, 1), sweep, 0.9, 0.9 * rng.uniform(0.5, 1))
    lean = rng.uniform(0, math.pi)
    arc = arc @ np.array([[math.cos(lean), -math.sin(lean)], [math.sin(lean), math.cos(lean)]])
    drift = np.linspace(0, 1, POINTS)[:, None] * rng.normal(0, 0.09, 2)
    return [arc + drift]


def _spiral(rng: np.random.Generator) -> Strokes:
    turns, at = rng.uniform(1.6, 3.2), np.linspace(0.12, 1, 3 * POINTS)
    angle = 2 * math.pi * (turns * at + rng.uniform(0, 1))
    return [0.9 * at[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)]


def _scribble(rng: np.random.Generator) -> Strokes:
    """A line that wanders back and forth."""
    corners = rng.uniform(-0.9, 0.9, (rng.integers(6, 14), 2))
    return [_line(*(tuple(corner) for corner in corners))]


def _zigzag(rng: np.random.Generator) -> Strokes:
    corners = rng.integers(4, 9)
    across = np.linspace(-0.9, 0.9, corners)
    return [_line(*((x, 0.7 * (-1) ** i * rng.uniform(0.6, 1.1)) for i, x in enumerate(across)))]


def _wave(rng: np.random.Generator) -> Strokes:
    across = np.linspace(-0.95, 0.95, 3 * POINTS)
    return [np.stack([across, 0.5 * np.sin(2 * math.pi * (rng.uniform(0.8, 2.2) * across / 2 + rng.uniform(0, 1)))], 1)]


def _dots(rng: np.random.Generator) -> Strokes:
    return [_line(tuple(at), tuple(at + 0.02)) for at in rng.uniform(-0.9, 0.9, (rng.integers(1, 7), 2))]


def _hatch(rng: np.random.Generator) -> Strokes:
    """Parallel strokes."""
    count, lean = rng.integers(2, 5), rng.uniform(-0.5, 0.5)
    return [_line((x - lean, -0.85), (x + lean, 0.85)) for x in np.linspace(-0.8, 0.8, count)]


def _fixed(*strokes: np.ndarray) -> Callable[[np.random.Generator], Strokes]:
    return lambda _: list(strokes)


_UP, _DOWN = -0.9, 0.9
_STAR = tuple((0.9 * math.sin(0.8 * math.pi * k), -0.9 * math.cos(0.8 * math.pi * k)) for k in range(6))

# What is neither X nor O, by name.
STRANGERS: dict[str, Callable[[np.random.Generator], Strokes]] = {
    "line": lambda rng: [_arc(0, 0.5, 0.95, rng.uniform(0, 0.15))],
    "corner": _fixed(_line((-0.7, _UP), (-0.7, _DOWN), (0.8, _DOWN))),
    "tee": _fixed(_line((-0.9, _UP), (0.9, _UP)), _line((0, _UP), (0, _DOWN))),
    "tick": _fixed(_line((-0.9, 0.1), (-0.3, 0.8), (0.9, -0.8))),
    "arrow": _fixed(_line((-0.9, 0), (0.9, 0)), _line((0.3, -0.6), (0.9, 0), (0.3, 0.6))),
    "triangle": _fixed(_line((0, _UP), (0.9, 0.8), (-0.9, 0.8), (0, _UP))),
    "square": _fixed(_line((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85), (-0.85, -0.85))),
    "house": _fixed(_line((-0.8, 0.9), (-0.8, -0.1), (0, -0.9), (0.8, -0.1), (0.8, 0.9), (-0.8, 0.9))),
    "star": _fixed(_line(*_STAR)),
    "heart": _fixed(
        _arc(0.5, 0.5, 0.45, 0.45, at=(-0.45, -0.35)), _arc(0.5, 0.5, 0.45, 0.45, at=(0.45, -0.35)), _line((-0.9, -0.3), (0, 0.9), (0.9, -0.3))
    ),
    "moon": _fixed(_arc(0.15, 0.7), _arc(0.2, 0.6, 0.5, 0.6, at=(0.35, 0.0))),
    "half": lambda rng: [_arc(rng.uniform(0, 1), rng.uniform(0.35, 0.6))],
    "hook": _fixed(_line((0.1, _UP), (0.1, 0.4)), _arc(0.0, 0.4, 0.4, 0.4, at=(-0.3, 0.4))),
    "S": _fixed(_arc(-0.05, -0.7, 0.55, 0.45, at=(0, -0.45)), _arc(-0.25, 0.7, 0.55, 0.45, at=(0, 0.45))),
    "A": _fixed(_line((-0.8, _DOWN), (0, _UP), (0.8, _DOWN)), _line((-0.45, 0.2), (0.45, 0.2))),
    "E": _fixed(_line((0.7, _UP), (-0.6, _UP), (-0.6, _DOWN), (0.7, _DOWN)), _line((-0.6, 0), (0.5, 0))),
    "H": _fixed(_line((-0.7, _UP), (-0.7, _DOWN)), _line((0.7, _UP), (0.7, _DOWN)), _line((-0.7, 0), (0.7, 0))),
    "K": _fixed(_line((-0.6, _UP), (-0.6, _DOWN)), _line((0.7, _UP), (-0.6, 0.1), (0.8, _DOWN))),
    "M": _fixed(_line((-0.9, _DOWN), (-0.7, _UP), (0, 0.3), (0.7, _UP), (0.9, _DOWN))),
    "Y": _fixed(_line((-0.8, _UP), (0, 0)), _line((0.8, _UP), (0, 0), (0, _DOWN))),
    "Z": _fixed(_line((-0.8, _UP), (0.8, _UP), (-0.8, _DOWN), (0.8, _DOWN))),
    "2": _fixed(_arc(0.5, 0.55, 0.6, 0.5, at=(0, -0.4)), _line((0.5, -0.1), (-0.7, _DOWN), (0.8, _DOWN))),
    "4": _fixed(_line((0.2, _UP), (-0.8, 0.3), (0.8, 0.3)), _line((0.3, -0.3), (0.3, _DOWN))),
    "6": _fixed(_line((0.4, _UP), (-0.5, 0.3)), _arc(0.5, 1.0, 0.5, 0.5, at=(0.0, 0.4))),
    "8": _fixed(_arc(0.25, 1.0, 0.45, 0.42, at=(0, -0.45)), _arc(-0.25, 1.0, 0.55, 0.48, at=(0, 0.42))),
    "9": _fixed(_arc(0.0, 1.0, 0.5, 0.45, at=(0.0, -0.42)), _line((0.5, -0.4), (0.3, _DOWN))),
    "spiral": _spiral,
    "scribble": _scribble,
    "zigzag": _zigzag,
    "wave": _wave,
    "dots": _dots,
    "hatch": _hatch,
}
KINDS: dict[str, Callable[[np.random.Generator], Strokes]] = {"X": _x, "O": _o} | STRANGERS


def _by_hand(strokes: Strokes, rng: np.random.Generator) -> Strokes:
    """Bow each stroke, then stretch, slant and turn all of them together."""
    hand = rng.uniform(0.4, 1.6)  # how far this one is from neat
    turn, slant = hand * rng.normal(0, 0.15), hand * rng.normal(0, 0.2)
    wide, high = np.exp(hand * rng.normal(0, 0.15, 2))
    plane = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) @ np.array([[wide, slant], [0, high]])
    out = list[np.ndarray]()
    for stroke in strokes:
        along = np.linspace(0, 1, len(stroke))[:, None]
        bow, wobble = hand * rng.normal(0, 0.06, 2), hand * rng.normal(0, 0.025, 2)
        out.append(
            (stroke + bow * np.sin(math.pi * along) + wobble * np.sin(math.pi * (2 * along + rng.uniform(0, 2))) + hand * rng.normal(0, 0.03, 2))
            @ plane.T
        )
    return out


def _ink(strokes: Strokes, side: int, pen: float, soft: float) -> np.ndarray:
    """Return ink 0..1 (side, side): full within `pen` pixels of a stroke, fading over `soft` pixels."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    near = np.full((side, side), np.inf, np.float32)
    for stroke in strokes:
        for (ax, ay), (bx, by) in pairwise(stroke):
            reach = pen + soft + 1
            top, bottom = max(0, int(min(ay, by) - reach)), min(side, int(max(ay, by) + reach) + 2)
            left, right = max(0, int(min(ax, bx) - reach)), min(side, int(max(ax, bx) + reach) + 2)
            if top >= bottom or left >= right:
                continue
            u, v = x[top:bottom, left:right] - ax, y[top:bottom, left:right] - ay
            vx, vy = bx - ax, by - ay
            t = np.clip((u * vx + v * vy) / max(vx * vx + vy * vy, 1e-9), 0, 1)
            np.minimum(near[top:bottom, left:right], np.hypot(u - t * vx, v - t * vy), out=near[top:bottom, left:right])
    ink: np.ndarray = np.clip((pen + soft / 2 - near) / soft, 0, 1).astype(np.float64)
    return ink


def draw(kind: str, seed: int, side: int = 28, *, least: float = 0.45, most: float = 0.95, pen: tuple[float, float] = (0.012, 0.06)) -> np.ndarray:
    """Draw one of KINDS: ink float64 (side, side), 0 the paper and 1 the ink.

    `least`, `most`: the share of the side that the drawing's longer side takes; `pen`: half the stroke's width, as a share of the side, from..to.
    """
    if kind not in KINDS:
        raise SettingsError(f"'{kind}' is nothing that can be drawn{did_you_mean(kind, KINDS)}", f"one of: {', '.join(KINDS)}")
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    strokes = _by_hand(KINDS[kind](rng), rng)
    every = np.concatenate(strokes)
    low, high = every.min(0), every.max(0)
    size = side * rng.uniform(least, most)
    scale = size / max(float((high - low).max()), 0.2)
    # No thicker than a ninth of the drawing: a small O would fill.
    width = min(side * math.exp(rng.uniform(math.log(pen[0]), math.log(pen[1]))), size / 9)
    room = np.maximum(0, (side - scale * (high - low)) / 2 - width)
    middle = (side - 1) / 2 + rng.uniform(-0.9, 0.9, 2) * room
    return _ink([(stroke - (low + high) / 2) * scale + middle for stroke in strokes], side, width, max(1.0, 0.01 * side))


def drawings(each: int = 30, seed: int = 0, side: int = 16) -> Drawings:
    """Draw `each` X and as many O (X first), large in their pictures: values -1 (paper) to 1 (ink), rounded to two decimals."""
    pen = (0.03, 0.06)
    made = [draw(kind, 100_000 * (seed + 1) + number, side, least=0.7, most=0.95, pen=pen) for kind in "XO" for number in range(each)]
    return Drawings((2 * np.array(made) - 1).round(2), np.repeat([0, 1], each))
