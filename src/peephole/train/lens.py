"""What lies before the sensor: a patch that hides, a greasy smear, rain drops that magnify, scratches and dust on the glass."""

import math

import numpy as np

from peephole.train.chance import uniform
from peephole.train.compiled import compiled
from peephole.train.strengths import Augment

__all__ = ["dust", "numbers", "patch", "rain", "scratch", "smear"]

F4 = np.float32
# Numbers that each needs: for every scratch, speck and drop, or once.
EACH = {"patch": 7, "smear": 4, "rain": 3, "scratch": 9, "dust": 5}
SEVERAL = ("rain", "scratch", "dust")


def numbers(how: Augment, keys: np.ndarray, effect: str) -> np.ndarray | None:
    """Return the numbers (N, most + 1 or 1, each) even in 0..1 that an effect needs, or None when it is off; of several, row 0 says how many."""
    amount = getattr(how, effect)
    if not amount:
        return None
    rows = 1 + math.ceil(amount) if effect in SEVERAL else 1
    return uniform(keys, effect, rows * EACH[effect]).reshape(len(keys), rows, EACH[effect])


@compiled
def _scratch(pixels: np.ndarray, size: tuple, drawn: np.ndarray, most: np.float32) -> None:  # type: ignore[type-arg]
    """Draw each scratch as a parabola along the axis it is flatter on; coverage falls with the distance across it."""
    count, channels, (height, width) = pixels.shape[0], pixels.shape[1], size
    faint = min(most, F4(1))
    for i in range(count):
        for s in range(1, 2 + int(drawn[i, 0, 0] * most)):
            d = drawn[i, min(s, drawn.shape[1] - 1)]
            flat = d[0] < F4(0.5)
            along, across = (width, height) if flat else (height, width)
            length = (F4(0.3) + F4(0.7) * d[1]) * F4(along)
            start = d[2] * (F4(along) - length)
            slope, bow = F4(1.6) * d[3] - F4(0.8), (d[4] - F4(0.5)) * F4(0.4) / length
            half = max(F4(0.35), (F4(0.1) + F4(0.3) * d[5]) * F4(0.01) * F4(max(height, width)))
            tone = F4(255) - F4(60) * d[6] if d[6] < F4(0.5) else F4(120) * (d[6] - F4(0.5))
            opacity = faint * (F4(0.35) + F4(0.55) * d[7])
            middle, thin = d[8] * F4(across), F4(1) / np.sqrt(F4(1) + slope * slope)
            reach, fade = (half + F4(0.5)) / thin, F4(8) / length
            by_p, by_r = (1, width) if flat else (width, 1)
            for p in range(int(start), min(along, int(start + length) + 1)):
                q = F4(p) - start - length * F4(0.5)
                place = middle + slope * q + bow * q * q
                strong = opacity * min(F4(1), max(F4(0), (length * F4(0.5) - abs(q) + F4(1)) * fade))
                for r in range(max(0, int(place - reach)), min(across, int(place + reach) + 1)):
                    cover = min(max(half + F4(0.5) - abs(F4(r) - place) * thin, F4(0)), F4(1)) * strong
                    at = p * by_p + r * by_r
                    for c in range(channels):
                        pixels[i, c, at] += cover * (tone - pixels[i, c, at])


def scratch(pixels: np.ndarray, drawn: np.ndarray, most: float) -> None:
    """Scratch float32 (n, C, H, W) in place: thin, curved, bright or dark, 30 to 100 % of a side long, at least 0.7 pixels wide."""
    _scratch(pixels.reshape(*pixels.shape[:2], -1), pixels.shape[2:], drawn, F4(most))


@compiled
def _dust(pixels: np.ndarray, drawn: np.ndarray, most: np.float32) -> None:
    count, channels, height, width = pixels.shape
    faint, side = min(most, F4(1)), F4(max(height, width))
    for i in range(count):
        for s in range(1, 2 + int(drawn[i, 0, 0] * most)):
            d = drawn[i, min(s, drawn.shape[1] - 1)]
            middle_x, middle_y = d[0] * F4(width), d[1] * F4(height)
            radius = max(F4(0.6), (F4(0.3) + F4(1.2) * d[2] * d[2]) * F4(0.01) * side)
            tone, opacity = F4(90) * d[3], faint * (F4(0.3) + F4(0.6) * d[4])
            for y in range(max(0, int(middle_y - radius - F4(1))), min(height, int(middle_y + radius) + 2)):
                for x in range(max(0, int(middle_x - radius - F4(1))), min(width, int(middle_x + radius) + 2)):
                    far = np.sqrt((F4(x) - middle_x) ** 2 + (F4(y) - middle_y) ** 2)
                    cover = opacity * min(max(radius + F4(0.5) - far, F4(0)), F4(1))
                    for c in range(channels):
                        pixels[i, c, y, x] += cover * (tone - pixels[i, c, y, x])


def dust(pixels: np.ndarray, drawn: np.ndarray, most: float) -> None:
    """Lay dark round specks of 0.3 to 1.5 % of the side (at least 0.6 pixels) in radius on float32 (n, C, H, W), in place."""
    _dust(pixels, drawn, F4(most))


@compiled
def _drop(image: np.ndarray, below: np.ndarray, place: tuple, faint: np.float32) -> None:  # type: ignore[type-arg]
    """Let one drop at (x, y, radius) show what lies behind its middle, enlarged; `below` is room for what it covers."""
    channels, height, width = image.shape
    middle_x, middle_y, radius = place
    left, top = max(0, int(middle_x - radius - F4(1))), max(0, int(middle_y - radius - F4(1)))
    right, bottom = min(width, int(middle_x + radius) + 2), min(height, int(middle_y + radius) + 2)
    below[:, : bottom - top, : right - left] = image[:, top:bottom, left:right]
    for y in range(top, bottom):
        for x in range(left, right):
            dx, dy = F4(x) - middle_x, F4(y) - middle_y
            far = np.sqrt(dx * dx + dy * dy)
            cover = faint * min(max(radius + F4(0.5) - far, F4(0)), F4(1))
            if cover <= F4(0):
                continue
            near = far / radius
            shrink = min(F4(0.4) + F4(0.6) * near * near, F4(1))
            from_x = min(max(middle_x + dx * shrink - F4(left), F4(0)), F4(right - left - 1))
            from_y = min(max(middle_y + dy * shrink - F4(top), F4(0)), F4(bottom - top - 1))
            x0, y0 = int(from_x), int(from_y)
            x1, y1 = min(x0 + 1, right - left - 1), min(y0 + 1, bottom - top - 1)
            fx, fy = from_x - F4(x0), from_y - F4(y0)
            rim = F4(1.1) - F4(0.4) * near * near * near * near
            for c in range(channels):
                upper = below[c, y0, x0] + fx * (below[c, y0, x1] - below[c, y0, x0])
                lower = below[c, y1, x0] + fx * (below[c, y1, x1] - below[c, y1, x0])
                image[c, y, x] += cover * ((upper + fy * (lower - upper)) * rim - image[c, y, x])


@compiled
def _rain(pixels: np.ndarray, drawn: np.ndarray, most: np.float32) -> None:
    count, channels, height, width = pixels.shape
    below = np.empty((channels, height, width), np.float32)
    side = F4(max(height, width))
    for i in range(count):
        for s in range(1, 2 + int(drawn[i, 0, 0] * most)):
            d = drawn[i, min(s, drawn.shape[1] - 1)]
            radius = max(F4(1.5), (F4(4) + F4(6) * d[2]) * F4(0.01) * side)
            _drop(pixels[i], below, (d[0] * F4(width), d[1] * F4(height), radius), min(most, F4(1)))


def rain(pixels: np.ndarray, drawn: np.ndarray, most: float) -> None:
    """Put drops of 4 to 10 % of the side in radius on float32 (n, C, H, W), in place: each magnifies 2.5 times in its middle, dark at its rim."""
    _rain(pixels, drawn, F4(most))


@compiled
def _blurred(image: np.ndarray, out: np.ndarray, reach: int) -> None:
    """Average over 2 * reach + 1 pixels along both axes; the border repeats."""
    height, width = image.shape
    rows, share = np.empty((height, width), np.float32), F4(1) / F4(2 * reach + 1)
    for y in range(height):
        for x in range(width):
            rows[y, x] = F4(0)
        for k in range(-reach, reach + 1):
            for x in range(width):
                rows[y, x] += share * image[y, min(max(x + k, 0), width - 1)]
    for y in range(height):
        for x in range(width):
            out[y, x] = F4(0)
        for k in range(-reach, reach + 1):
            row = rows[min(max(y + k, 0), height - 1)]
            for x in range(width):
                out[y, x] += share * row[x]


@compiled
def _smear(pixels: np.ndarray, drawn: np.ndarray, most: np.float32) -> None:
    count, channels, height, width = pixels.shape
    side = F4(max(height, width))
    blur = np.empty((height, width), np.float32)
    for i in range(count):
        d = drawn[i, 0]
        angle, offset = d[0] * F4(np.pi), (d[1] - F4(0.5)) * F4(0.7) * side
        half, depth = (F4(0.12) + F4(0.3) * d[2]) * side, most * d[3]
        cos, sin = np.cos(angle), np.sin(angle)
        for c in range(channels):
            _blurred(pixels[i, c], blur, max(1, int(F4(0.02) * side)))
            veil = pixels[i, c].mean() * F4(0.25) + F4(32)
            for y in range(height):
                for x in range(width):
                    away = (F4(x) - F4(width) * F4(0.5)) * cos + (F4(y) - F4(height) * F4(0.5)) * sin - offset
                    inside = max(F4(0), F4(1) - (away / half) ** 2)
                    pixels[i, c, y, x] += depth * inside * (F4(0.65) * blur[y, x] + veil - pixels[i, c, y, x])


def smear(pixels: np.ndarray, drawn: np.ndarray, most: float) -> None:
    """Drag a greasy band over float32 (n, C, H, W) in place: behind it the picture is blurred, paler and nearer to a grey veil."""
    _smear(pixels, drawn, F4(most))


@compiled
def _patch(pixels: np.ndarray, drawn: np.ndarray, most: np.float32) -> None:
    count, channels, height, width = pixels.shape
    for i in range(count):
        d = drawn[i, 0]
        area = d[0] * most * F4(height) * F4(width)
        stretch = F4(2) ** (d[1] - F4(0.5))  # the longer side is at most 1.4 times what a square's would be
        high = min(np.sqrt(area) * stretch, F4(height))
        wide = min(area / max(high, F4(1e-6)), F4(width))
        top, left = d[2] * (F4(height) - high), d[3] * (F4(width) - wide)
        for y in range(int(top), min(height, int(top + high) + 1)):
            cover_y = min(F4(y + 1), top + high) - max(F4(y), top)
            for x in range(int(left), min(width, int(left + wide) + 1)):
                cover = max(F4(0), cover_y) * max(F4(0), min(F4(x + 1), left + wide) - max(F4(x), left))
                for c in range(channels):
                    pixels[i, c, y, x] += cover * (F4(255) * d[4 + min(c, 2)] - pixels[i, c, y, x])


def patch(pixels: np.ndarray, drawn: np.ndarray, most: float) -> None:
    """Hide a rectangle of 0..most of the area of float32 (n, C, H, W) behind a flat colour, in place; its edges cover parts of pixels."""
    _patch(pixels, drawn, F4(most))
