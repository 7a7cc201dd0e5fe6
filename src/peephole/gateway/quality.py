"""How good a frame is before anybody judges it: light and sharpness, in numpy."""

import numpy as np

from peephole.base.records import Prediction, Quality
from peephole.gateway.keys import Limits

__all__ = ["measure", "poor", "unfit"]

LONGEST = 320
ADDS = 257  # bytes of 255 that 16 bits can hold the sum of
WHITE = 250 / 255  # grey from which on a sensor saw nothing but light
WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601 luma, as Pillow's mode L


def measure(pixels: np.ndarray) -> Quality:
    """Return the quality of uint8 pixels (H, W, C), C = 1, 3 or 4.

    Light is the mean grey, 0..1; overexposed is the share of it at 250 of 255 or above. Sharpness is the variance of the
    Laplacian (Pech-Pacheco et al. 2000) of 0..1 grey. All are taken after averaging whole blocks so that no side is longer than
    639 pixels: a bigger sensor is not a sharper one.
    """
    grey = _grey(pixels)
    light, white = float(grey.mean()), float(np.count_nonzero(grey >= WHITE) / grey.size)
    if min(grey.shape) < 3:
        return Quality(light, 0.0, white)
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1]
    for beside in (grey[1:-1, :-2], grey[1:-1, 2:], -4 * grey[1:-1, 1:-1]):
        laplacian += beside
    return Quality(light, float(laplacian.var()), white)


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Return the grey, 0..1, of n x n blocks, n = longest side // 320; what does not fill a block is left out.

    Adds whole rows, then weighs the columns and colours of a block one after the other: at every frame of a sleeping gate, `mean` over two axes
    takes thirty times as long, and a matrix product wakes BLAS's threads for 0.1 ms of work.
    """
    high, wide, channels = pixels.shape
    n = min(max(1, max(high, wide) // LONGEST), high, wide)
    high, wide = high // n, wide // n
    cut = pixels[: high * n, : wide * n].reshape(high, n, wide * n * channels)
    rows: np.ndarray = cut[:, 0]
    if n > 1:
        rows = rows.astype(np.uint16 if n <= ADDS else np.uint32)
        for k in range(1, n):
            rows += cut[:, k]
    values = rows.reshape(high * wide, n * channels).astype(np.float32)
    grey, weighed = np.zeros(high * wide, np.float32), np.empty(high * wide, np.float32)
    weights = WEIGHTS if channels >= 3 else np.ones(1, np.float32)
    for column in range(n):
        for colour, weight in enumerate(weights):  # alpha has none
            grey += np.multiply(values[:, column * channels + colour], weight / np.float32(255 * n * n), out=weighed)
    return grey.reshape(high, wide)


def poor(quality: Quality, limits: Limits) -> str:
    """Say why a frame is too poor to be judged, or nothing; a figure that is no number is too poor."""
    if not quality.light >= limits.min_light:
        return f"too dark: light {quality.light:.2f}, at least {limits.min_light:.2f} is asked"
    if not quality.overexposed <= limits.max_overexposed:
        return f"over-exposed: {quality.overexposed:.0%} of the frame is white, at most {limits.max_overexposed:.0%} may be"
    if not quality.sharpness >= limits.min_sharpness:
        return f"too blurred: sharpness {quality.sharpness:.3g}, at least {limits.min_sharpness:.3g} is asked"
    return ""


def unfit(prediction: Prediction, limits: Limits) -> str:
    """Say why a judged frame cannot count, or nothing: more people than may be there, or somebody too far away to be told apart."""
    if limits.max_subjects is not None and prediction.subjects > limits.max_subjects:
        return f"{prediction.subjects} at once: at most {limits.max_subjects} may be seen"
    if not prediction.share >= limits.min_subject:
        return f"too far: what is judged fills {prediction.share:.1%} of the frame, at least {limits.min_subject:.1%} is asked"
    return ""
