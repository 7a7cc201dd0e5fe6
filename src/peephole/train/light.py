"""Light: brightness, contrast, colour temperature, each channel's gain, over-exposure, gamma, and a shadow with a straight soft edge."""

from dataclasses import dataclass

import numpy as np

from peephole.train.chance import uniform
from peephole.train.compiled import compiled
from peephole.train.strengths import Augment

__all__ = ["Light", "draw", "light"]

F4 = np.float32
# How the red and the blue of a picture (as stored, not linear) change with one mired: black bodies at 6500 and 3000 K are 179 mired apart
# and look (255, 249, 253) and (255, 180, 107), scaled to equal green (Charity's table of black-body colours).
RED, BLUE = 0.0020, -0.0029


@dataclass(frozen=True, eq=False)
class Light:
    """What was drawn: factors of contrast (N, 1), additions (N, 1), gains (N, C), exponents (N,), shadows (N, 5), all float32."""

    contrast: np.ndarray
    brightness: np.ndarray
    gains: np.ndarray
    gamma: np.ndarray | None
    shadow: np.ndarray | None

    def __getitem__(self, at: slice) -> "Light":
        """Return the draws of some of the images."""
        gamma, shadow = (None if rows is None else rows[at] for rows in (self.gamma, self.shadow))
        return Light(self.contrast[at], self.brightness[at], self.gains[at], gamma, shadow)


def draw(how: Augment, keys: np.ndarray, channels: int) -> Light | None:
    """Draw the light of each image, or return None when it stays as it is. A grey image has neither colour temperature nor channel gains."""
    names = ("colour", "brightness", "contrast", "gamma", "temperature", "channels", "shadow", "exposure")
    if not any(getattr(how, name) for name in names):
        return None
    chance = uniform(keys, "light", 10 + 2 * channels).astype(np.float64)
    even = 2 * chance - 1
    contrast = (1 + even[:, :1] * how.colour) * (1 + even[:, 1:2] * how.contrast)
    brightness = even[:, 2:3] * how.colour * 127.5 + even[:, 3:4] * how.brightness
    gains = np.ones((len(keys), channels)) * 2.0 ** (chance[:, 4:5] * how.exposure)
    if channels == 3:
        gains = gains * (1 + even[:, 10:13] * how.colour / 2) * (1 + even[:, 13:16] * how.channels)
        gains = gains * np.exp(even[:, 5:6] * how.temperature * np.array([RED, 0.0, BLUE]))
    gamma = np.exp(even[:, 6] * np.log1p(how.gamma)).astype(np.float32) if how.gamma else None
    shadow = None
    if how.shadow:
        angle = even[:, 7] * np.pi
        columns = [np.cos(angle), np.sin(angle), even[:, 8] * 0.35, chance[:, 9] * how.shadow, 0.02 + 0.2 * chance[:, 6]]
        shadow = np.stack(columns, 1).astype(np.float32)
    return Light(contrast.astype(np.float32), brightness.astype(np.float32), gains.astype(np.float32), gamma, shadow)


@compiled
def _tone(pixels: np.ndarray, contrast: np.ndarray, brightness: np.ndarray, gains: np.ndarray) -> None:
    """Change contrast around each image's mean, add light, and weigh each channel."""
    count, channels, area = pixels.shape
    for i in range(count):
        mean = F4(0)
        if contrast[i, 0] != F4(1):
            for c in range(channels):
                row = pixels[i, c]
                part = F4(0)  # float32 is exact enough: a mean of at most a million bytes
                for j in range(area):
                    part += row[j]
                mean += part
            mean /= F4(channels * area)
        for c in range(channels):
            row = pixels[i, c]
            factor = contrast[i, 0] * gains[i, c]
            add = (mean * (F4(1) - contrast[i, 0]) + brightness[i, 0]) * gains[i, c]
            for j in range(area):
                row[j] = row[j] * factor + add


@compiled
def _gamma(pixels: np.ndarray, exponents: np.ndarray) -> None:
    """Bend each image's scale by a table with straight lines between whole values; what is outside 0..255 is clipped first."""
    table = np.empty(257, np.float32)
    for i in range(pixels.shape[0]):
        for level in range(257):
            table[level] = F4(255) * (F4(min(level, 255)) / F4(255)) ** exponents[i]
        row = pixels[i]
        for j in range(row.size):
            v = min(max(row[j], F4(0)), F4(255))
            low = np.floor(v)
            at = np.uint32(np.int32(low))
            row[j] = table[at] + (v - low) * (table[np.uint32(at + np.uint32(1))] - table[at])


@compiled
def _shade(pixels: np.ndarray, shadows: np.ndarray) -> None:
    count, channels, height, width = pixels.shape
    side = F4(max(height, width))
    for i in range(count):
        across, down = shadows[i, 0] / side, shadows[i, 1] / side
        offset, depth, soft = shadows[i, 2], shadows[i, 3], F4(1) / shadows[i, 4]
        for y in range(height):
            start = down * (F4(y) - F4(height - 1) * F4(0.5)) - across * F4(width - 1) * F4(0.5) - offset
            for c in range(channels):
                row = pixels[i, c, y]
                for x in range(width):
                    dark = min(max((start + across * F4(x)) * soft + F4(0.5), F4(0)), F4(1))
                    row[x] *= F4(1) - depth * dark * dark * (F4(3) - F4(2) * dark)


def light(pixels: np.ndarray, drawn: Light) -> None:
    """Change the light of float32 (n, C, H, W) in place by what was drawn for these images; may leave 0..255."""
    _tone(pixels.reshape(*pixels.shape[:2], -1), drawn.contrast, drawn.brightness, drawn.gains)
    if drawn.gamma is not None:
        _gamma(pixels.reshape(len(pixels), -1), drawn.gamma)
    if drawn.shadow is not None:
        _shade(pixels, drawn.shadow)
