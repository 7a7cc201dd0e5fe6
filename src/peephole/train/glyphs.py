"""Characters that nobody has ever written: invented from strokes, and drawn again and again as different hands would draw them.

A character is 1 to 4 strokes (lines, arcs of ellipses, curves, bent lines) of 16 points each in a box of side 1 about the middle. Another
hand bends the plane, moves, turns and stretches each stroke, draws it shorter or longer, with another pen. The idea of learning from
drawn programs is that of Lake et al. 2015; nothing here is taken from their data or from any other.
"""

import math

import numpy as np

from peephole.train.compiled import compiled

__all__ = ["drawings", "invent"]

STROKES, POINTS = 4, 16  # strokes of a character at most, points of each
F4 = np.float32


@compiled
def _even(low: float, high: float) -> float:
    return low + (high - low) * np.random.random()


@compiled
def _line(stroke: np.ndarray) -> None:
    """Upright, level or slanting more often than anything between."""
    angle = _even(0.0, 2 * math.pi) if np.random.random() < 0.4 else math.pi / 4 * np.random.randint(0, 8)
    length = _even(0.3, 1.0)
    for p in range(POINTS):
        along = length * (p / (POINTS - 1) - 0.5)
        stroke[p, 0], stroke[p, 1] = along * math.cos(angle), along * math.sin(angle)


@compiled
def _arc(stroke: np.ndarray) -> None:
    """Part of an ellipse, three times in ten all of it."""
    start, sweep = _even(0.0, 2 * math.pi), 2 * math.pi
    if np.random.random() >= 0.3:
        sweep = math.pi * _even(0.5, 1.9)
    if np.random.random() < 0.5:
        sweep = -sweep
    wide = _even(0.15, 0.5)
    high = wide * _even(0.6, 1.5)
    for p in range(POINTS):
        angle = start + sweep * p / (POINTS - 1)
        stroke[p, 0], stroke[p, 1] = wide * math.cos(angle), high * math.sin(angle)


@compiled
def _curve(stroke: np.ndarray) -> None:
    """Through 3 to 5 points, with sharp corners or as a Catmull-Rom spline."""
    count = 3 + np.random.randint(0, 3)
    corners, sharp = np.random.random((count, 2)) - 0.5, np.random.random() < 0.35
    for p in range(POINTS):
        place = p / (POINTS - 1) * (count - 1)
        i = min(int(place), count - 2)
        f = place - i
        for d in range(2):
            b, c = corners[i, d], corners[i + 1, d]
            a = corners[i - 1, d] if i > 0 else 2 * b - c
            e = corners[i + 2, d] if i + 2 < count else 2 * c - b
            bent = 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - e) * f * f + (3 * b - a - 3 * c + e) * f * f * f)
            stroke[p, d] = b + f * (c - b) if sharp else bent


@compiled
def _place(character: np.ndarray, s: int) -> None:
    """Move stroke s to where an earlier one begins, ends or passes, or anywhere."""
    dx, dy = _even(-0.4, 0.4), _even(-0.4, 0.4)
    if np.random.random() < 0.65:
        other, choice = np.random.randint(0, s), np.random.random()
        at = 0 if choice < 0.3 else POINTS - 1 if choice < 0.6 else np.random.randint(0, POINTS)
        mine = 0 if np.random.random() < 0.6 else np.random.randint(0, POINTS)
        dx, dy = character[other, at, 0] - character[s, mine, 0], character[other, at, 1] - character[s, mine, 1]
    for p in range(POINTS):
        character[s, p, 0] += dx
        character[s, p, 1] += dy


@compiled
def _box(character: np.ndarray, count: int) -> tuple[float, float, float]:
    """Return the middle (x, y) of the strokes and the longer side of the box around them."""
    left, right, top, bottom = 1e9, -1e9, 1e9, -1e9
    for s in range(count):
        for p in range(POINTS):
            left, right = min(left, character[s, p, 0]), max(right, character[s, p, 0])
            top, bottom = min(top, character[s, p, 1]), max(bottom, character[s, p, 1])
    return (left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top, 1e-3)


@compiled
def _fit(character: np.ndarray, count: int) -> None:
    x, y, side = _box(character, count)
    for s in range(count):
        for p in range(POINTS):
            character[s, p, 0] = (character[s, p, 0] - x) / side
            character[s, p, 1] = (character[s, p, 1] - y) / side


@compiled
def _stroke(stroke: np.ndarray) -> None:
    kind = np.random.random()
    if kind < 0.25:
        _line(stroke)
    elif kind < 0.55:
        _arc(stroke)
    else:
        _curve(stroke)


@compiled
def _character(character: np.ndarray) -> int:
    """Draw a new character's strokes and return how many there are."""
    choice = np.random.random()
    count = 1 if choice < 0.25 else 2 if choice < 0.6 else 3 if choice < 0.87 else 4
    for s in range(count):
        _stroke(character[s])
        if s:
            _place(character, s)
    _fit(character, count)
    return count


@compiled
def _invent(characters: np.ndarray, counts: np.ndarray, seeds: np.ndarray) -> None:
    for c in range(len(characters)):
        np.random.seed(seeds[c])
        counts[c] = _character(characters[c])


@compiled
def _again(stroke: np.ndarray, out: np.ndarray, hand: float) -> None:
    """One stroke once more: moved, turned, stretched, bent, and a little shorter or longer at both ends."""
    middle_x, middle_y = stroke[:, 0].mean(), stroke[:, 1].mean()
    dx, dy, angle = hand * 0.05 * np.random.randn(), hand * 0.05 * np.random.randn(), hand * 0.15 * np.random.randn()
    wide, high = math.exp(hand * 0.13 * np.random.randn()), math.exp(hand * 0.13 * np.random.randn())
    bow_x, bow_y = hand * 0.04 * np.random.randn(), hand * 0.04 * np.random.randn()
    wave_x, wave_y = hand * 0.025 * np.random.randn(), hand * 0.025 * np.random.randn()
    begin, end = hand * 0.08 * np.random.randn(), hand * 0.08 * np.random.randn()
    cos, sin = math.cos(angle), math.sin(angle)
    for p in range(POINTS):
        v = p / (POINTS - 1)
        place = (-begin + (1 + begin + end) * v) * (POINTS - 1)
        i = max(0, min(POINTS - 2, math.floor(place)))
        f = place - i  # beyond 0..1 where the stroke goes on in its own direction
        x = stroke[i, 0] + f * (stroke[i + 1, 0] - stroke[i, 0]) - middle_x
        y = stroke[i, 1] + f * (stroke[i + 1, 1] - stroke[i, 1]) - middle_y
        bow, wave = math.sin(math.pi * v), math.sin(2 * math.pi * v)
        out[p, 0] = middle_x + dx + wide * (cos * x - sin * y) + bow_x * bow + wave_x * wave
        out[p, 1] = middle_y + dy + high * (sin * x + cos * y) + bow_y * bow + wave_y * wave


@compiled
def _joined(out: np.ndarray, count: int, hand: float) -> int:
    """Now and then leave the pen on the paper between two strokes, or end one in a hook; return how many strokes there are then."""
    for s in range(count):
        if np.random.random() < 0.15 * hand:  # a hook: the last points turn off
            at = POINTS - 1 - np.random.randint(2, 5)
            dx, dy, reach = np.random.randn(), np.random.randn(), _even(0.03, 0.12)
            for p in range(at, POINTS):
                far = reach * (p - at) / (POINTS - 1 - at)
                out[s, p, 0] += far * dx
                out[s, p, 1] += far * dy
    if 1 < count < STROKES and np.random.random() < 0.12 * hand:
        s = np.random.randint(1, count)
        for p in range(POINTS):
            f = p / (POINTS - 1)
            out[count, p, 0] = (1 - f) * out[s - 1, POINTS - 1, 0] + f * out[s, 0, 0]
            out[count, p, 1] = (1 - f) * out[s - 1, POINTS - 1, 1] + f * out[s, 0, 1]
        count += 1
    return count


@compiled
def _bend(out: np.ndarray, count: int, hand: float) -> None:
    """Bend the plane (quadratic, and a slow wave), then slant, stretch and turn it."""
    angle, slant = hand * 0.21 * np.random.randn(), hand * 0.25 * np.random.randn()
    wide, high = math.exp(hand * 0.24 * np.random.randn()), math.exp(hand * 0.2 * np.random.randn())
    bend = hand * 0.12 * np.random.randn(2, 3)
    waves, phases, swing = math.pi * (1.5 + 2 * np.random.random(2)), 2 * math.pi * np.random.random(2), hand * _even(0.0, 0.05)
    cos, sin = math.cos(angle), math.sin(angle)
    for s in range(count):
        for p in range(POINTS):
            x, y = out[s, p, 0], out[s, p, 1]
            u = x + bend[0, 0] * x * x + bend[0, 1] * x * y + bend[0, 2] * y * y + swing * math.sin(waves[0] * y + phases[0])
            v = y + bend[1, 0] * x * x + bend[1, 1] * x * y + bend[1, 2] * y * y + swing * math.sin(waves[1] * x + phases[1])
            u, v = wide * (u + slant * v), high * v
            out[s, p, 0], out[s, p, 1] = cos * u - sin * v, sin * u + cos * v


@compiled
def _distances(character: np.ndarray, count: int, away: np.ndarray, frame: tuple[float, float, float], reach: float) -> None:
    """Lower away (side, side), squared distances in pixels, to those of a character within reach.

    `frame`: where its middle comes to lie (x, y), and how many pixels its box's side takes.
    """
    last = away.shape[0] - 1
    x0, y0, size = frame
    for s in range(count):
        for p in range(POINTS - 1):
            ax, ay = F4(x0 + size * character[s, p, 0]), F4(y0 + size * character[s, p, 1])
            bx, by = F4(x0 + size * character[s, p + 1, 0]), F4(y0 + size * character[s, p + 1, 1])
            vx, vy = bx - ax, by - ay
            scale = F4(1) / max(vx * vx + vy * vy, F4(1e-6))
            for y in range(max(0, int(min(ay, by) - reach)), min(last, int(max(ay, by) + reach) + 1) + 1):
                fy = F4(y) - ay
                for x in range(max(0, int(min(ax, bx) - reach)), min(last, int(max(ax, bx) + reach) + 1) + 1):
                    fx = F4(x) - ax
                    t = min(max((fx * vx + fy * vy) * scale, F4(0)), F4(1))
                    ex, ey = fx - t * vx, fy - t * vy
                    away[y, x] = min(away[y, x], ex * ex + ey * ey)


@compiled
def _draw(out: np.ndarray, character: np.ndarray, count: int, hand: float) -> None:
    """Draw a character by another hand into out float32 (side, side), ink 0..1, at a size, a place and with a pen of its own."""
    drawn = np.zeros_like(character)
    hand *= _even(0.4, 1.4)
    for s in range(count):
        _again(character[s], drawn[s], hand)
    count = _joined(drawn, count, hand)
    _bend(drawn, count, hand)
    side = out.shape[0]
    x, y, long = _box(drawn, count)
    size = side * _even(0.5, 0.9) / max(long, 0.2)
    room = 0.35 * (side - size * long)
    x0, y0 = (side - 1) / 2 - size * x + room * _even(-1.0, 1.0), (side - 1) / 2 - size * y + room * _even(-1.0, 1.0)
    radius, soft = side * (0.016 + 0.05 * np.random.random() ** 1.5), _even(1.0, 2.0)
    away = np.full((side, side), F4(1e9))
    _distances(drawn, count, away, (x0, y0, size), radius + soft + 1)
    for i in range(side):
        for j in range(side):
            out[i, j] = min(max((radius + 0.5 * soft - math.sqrt(away[i, j])) / soft, 0.0), 1.0)


@compiled
def _fill(out: np.ndarray, characters: np.ndarray, counts: np.ndarray, seeds: np.ndarray, hand: float) -> None:
    for c in range(len(characters)):
        np.random.seed(seeds[c])
        for e in range(out.shape[1]):
            _draw(out[c, e], characters[c], counts[c], hand)


def _seeds(seed: int, step: int, use: int, count: int) -> np.ndarray:
    """Return whole numbers (count,) that no other (seed, step, use) gives."""
    return np.random.default_rng([seed, step, use]).integers(0, 2**31 - 1, count)


def invent(count: int, seed: int, step: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Invent characters: strokes float64 (count, 4, 16, 2) in -0.5..0.5, and how many of the 4 each has (count,)."""
    characters, counts = np.zeros((count, STROKES, POINTS, 2)), np.zeros(count, np.int64)
    _invent(characters, counts, _seeds(seed, step, 0, count))
    return characters, counts


def drawings(count: int, each: int, side: int, seed: int, step: int = 0, *, hand: float = 1.0) -> np.ndarray:
    """Draw `count` new characters `each` times: ink float32 (count, each, side, side), 0 the paper, 1 the ink.

    hand: how much hands differ, 0 (only in size, place and pen) to about 1.5. A function of seed and step alone.
    """
    characters, counts = invent(count, seed, step)
    out = np.empty((count, each, side, side), np.float32)
    _fill(out, characters, counts, _seeds(seed, step, 1, count), hand)
    return out
