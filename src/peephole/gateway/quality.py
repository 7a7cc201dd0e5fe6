"""How good a frame is before anybody judges it: light and sharpness, in numpy."""

import numpy as np

from peephole.base.records import Quality

__all__ = ["measure"]

LONGEST = 320
WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601 luma, as Pillow's mode L


def measure(pixels: np.ndarray) -> Quality:
    """Return light and sharpness of uint8 pixels (H, W, C), C = 1, 3 or 4.

    Light is the mean grey, 0..1. Sharpness is the variance of the Laplacian (Pech-Pacheco et al. 2000) of 0..1 grey,
    after averaging whole blocks so that no side is longer than 639 pixels: a bigger sensor is not a sharper one.
    """
    grey = _blocks(pixels).astype(np.float32) / 255
    grey = grey[..., 0] if grey.shape[2] == 1 else grey[..., :3] @ WEIGHTS
    light = float(grey.mean())
    if min(grey.shape) < 3:
        return Quality(light, 0.0)
    centre = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre
    return Quality(light, float(laplacian.var()))


def _blocks(pixels: np.ndarray) -> np.ndarray:
    """Average n x n blocks, n = longest side // 320; what does not fill a block is left out."""
    high, wide, channels = pixels.shape
    n = max(1, max(high, wide) // LONGEST)
    n = min(n, high, wide)
    if n == 1:
        return pixels
    cut = pixels[: high // n * n, : wide // n * n]
    return np.asarray(cut.reshape(high // n, n, wide // n, n, channels).mean(axis=(1, 3), dtype=np.float32))
