"""Optics: a lens out of focus makes a disc of every point, a moving camera a line."""

import math

import numpy as np

from peephole.train.chance import uniform
from peephole.train.compiled import compiled
from peephole.train.strengths import Augment

__all__ = ["blur", "draw_defocus", "draw_motion"]

F4 = np.float32
MOST_RADIUS, MOST_LENGTH = 32.0, 64.0  # pixels: beyond these nothing is left to recognise, and time grows with the square


def _around(reach: int) -> tuple[np.ndarray, np.ndarray]:
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    return down[None], across[None]


def draw_defocus(how: Augment, keys: np.ndarray, height: int, width: int) -> np.ndarray | None:
    """Return the disc (N, K, K) float32, sum 1, that a point becomes on each image; None when the lens is in focus."""
    if not how.defocus:
        return None
    most = min(how.defocus * max(height, width), MOST_RADIUS)
    down, across = _around(math.ceil(most + 0.5))
    # Below one pixel the root lets the four neighbours in gently; far above, it is the radius itself.
    radius = np.sqrt((most * uniform(keys, "defocus", 1)[:, :, None]) ** 2 + 0.25)
    disc = np.clip(radius + 0.5 - np.sqrt(down**2 + across**2), 0, 1)
    return np.ascontiguousarray(disc / disc.sum((1, 2), keepdims=True), np.float32)


def draw_motion(how: Augment, keys: np.ndarray, height: int, width: int) -> np.ndarray | None:
    """Return the line (N, K, K) float32, sum 1, that a point becomes on each image; None when the camera stands still."""
    if not how.motion:
        return None
    most = min(how.motion * max(height, width), MOST_LENGTH)
    down, across = _around(math.ceil(most / 2))
    chance = uniform(keys, "motion", 2)[:, :, None, None]
    half, angle = chance[:, 0] * most / 2, chance[:, 1] * np.pi
    cos, sin = np.cos(angle), np.sin(angle)
    along = np.clip(across * cos + down * sin, -half, half)
    away = np.sqrt((across - along * cos) ** 2 + (down - along * sin) ** 2)
    line = np.clip(1 - away, 0, 1)
    return np.ascontiguousarray(line / line.sum((1, 2), keepdims=True), np.float32)


@compiled
def _blur(pixels: np.ndarray, points: np.ndarray) -> None:
    count, channels, height, width = pixels.shape
    reach = points.shape[1] // 2
    wider = np.empty((height + 2 * reach, width + 2 * reach), np.float32)
    for i in range(count):
        for c in range(channels):
            image = pixels[i, c]
            for y in range(height + 2 * reach):
                row, to = image[min(max(y - reach, 0), height - 1)], wider[y]
                to[reach : reach + width] = row
                to[:reach] = row[0]
                to[reach + width :] = row[width - 1]
            for y in range(height):
                out = image[y]
                out[:] = F4(0)
                for dy in range(2 * reach + 1):
                    for dx in range(2 * reach + 1):
                        weight = points[i, dy, dx]
                        if weight != F4(0):
                            row = wider[y + dy, dx : dx + width]
                            for x in range(width):
                                out[x] += weight * row[x]


def blur(pixels: np.ndarray, points: np.ndarray) -> None:
    """Spread every point of float32 (n, C, H, W) in place as `points` (n, K, K) says; the border repeats."""
    _blur(pixels, points)
