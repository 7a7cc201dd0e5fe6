"""Drawings: strokes thicker or thinner, as another pen would draw them (grey dilation and erosion, with fractions of a pixel)."""

import numpy as np

from peephole.train.chance import uniform
from peephole.train.compiled import compiled
from peephole.train.strengths import Augment

__all__ = ["draw", "strokes"]

F4 = np.float32
MOST = 16.0  # pixels


def draw(how: Augment, keys: np.ndarray, height: int, width: int) -> np.ndarray | None:
    """Return by how many pixels (N,) each side of a stroke grows (negative: shrinks), or None when strokes stay as they are."""
    if not how.thickness:
        return None
    most = min(how.thickness * max(height, width), MOST)
    return ((2 * uniform(keys, "strokes", 1)[:, 0] - 1) * np.float32(most)).astype(np.float32)


@compiled
def _grown(image: np.ndarray, out: np.ndarray, sign: np.float32, square: bool) -> None:
    """One pixel of growth of what is brighter (sign 1) or darker (-1): the extreme of the 4 (cross) or 8 neighbours and the pixel."""
    height, width = image.shape
    for y in range(height):
        above, below = image[max(y - 1, 0)], image[min(y + 1, height - 1)]
        here = image[y]
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            most = max(sign * above[x], sign * below[x], sign * here[left], sign * here[right], sign * here[x])
            if square:
                most = max(most, sign * above[left], sign * above[right], sign * below[left], sign * below[right])
            out[y, x] = sign * most


@compiled
def _ink(image: np.ndarray) -> np.float32:
    """Say whether strokes are brighter (1) or darker (-1) than the paper, which is what the border shows."""
    height, width = image.shape
    inside, border = F4(0), F4(0)
    for y in range(height):
        border += image[y, 0] + image[y, width - 1]
        for x in range(width):
            inside += image[y, x]
    for x in range(width):
        border += image[0, x] + image[height - 1, x]
    return F4(1) if inside / F4(height * width) >= border / F4(2 * (height + width)) else F4(-1)


@compiled
def _strokes(pixels: np.ndarray, growth: np.ndarray) -> None:
    count, channels, height, width = pixels.shape
    image, grown = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    for i in range(count):
        sign = _ink(pixels[i, channels // 2])  # green shows best what is bright
        if growth[i] < F4(0):
            sign = -sign
        for c in range(channels):
            left, square = abs(growth[i]), False
            image[:] = pixels[i, c]
            while left > F4(0):
                _grown(image, grown, sign, square)
                part = min(left, F4(1))
                for y in range(height):
                    for x in range(width):
                        image[y, x] += part * (grown[y, x] - image[y, x])
                left, square = left - part, not square
            pixels[i, c] = image


def strokes(pixels: np.ndarray, growth: np.ndarray) -> None:
    """Thicken or thin the strokes of float32 (n, C, H, W) in place by `growth` (n,) pixels; crosses and squares by turns make it round."""
    _strokes(pixels, growth)
