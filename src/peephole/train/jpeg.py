"""JPEG's losses without its files: 8 x 8 blocks, cosine transform, the standard's tables, colours at full resolution (4:4:4)."""

import numpy as np

from peephole.train.chance import uniform
from peephole.train.compiled import compiled
from peephole.train.strengths import Augment

__all__ = ["draw", "jpeg"]

F4 = np.float32
# ITU-T T.81, tables K.1 and K.2.
LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
CHROMINANCE = np.full((8, 8), 99)
CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
_WAVES = np.cos((2 * np.arange(8)[None] + 1) * np.arange(8)[:, None] * np.pi / 16) / 2
COSINES = np.ascontiguousarray(_WAVES * np.where(np.arange(8) == 0, np.sqrt(0.5), 1)[:, None], np.float32)


def draw(how: Augment, keys: np.ndarray) -> np.ndarray | None:
    """Return each image's table of steps (N, 2, 8, 8) float32 for brightness and colour, or None without JPEG.

    A quality q becomes a table as in the Independent JPEG Group's library: 50 is the standard's own table.
    """
    if not how.jpeg:
        return None
    quality = np.round(100 - uniform(keys, "jpeg", 1)[:, 0].astype(np.float64) * how.jpeg).clip(1, 100)
    percent = np.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None, None]
    tables = np.floor((np.stack([LUMINANCE, CHROMINANCE])[None] * percent + 50) / 100).clip(1, 255)
    return np.ascontiguousarray(tables, np.float32)


@compiled
def _product(out: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    for r in range(8):
        for x in range(8):
            out[r, x] = F4(0)
        for k in range(8):
            weight = a[r, k]
            for x in range(8):
                out[r, x] += weight * b[k, x]


@compiled
def _lose(image: np.ndarray, table: np.ndarray, cosines: np.ndarray, back: np.ndarray) -> None:
    """Round the cosine transform of every block of one plane (H, W) to the table's steps; a block over the border repeats it."""
    height, width = image.shape
    block, half, waves = np.empty((8, 8), np.float32), np.empty((8, 8), np.float32), np.empty((8, 8), np.float32)
    for top in range(0, height, 8):
        for left in range(0, width, 8):
            for y in range(8):
                for x in range(8):
                    block[y, x] = image[min(top + y, height - 1), min(left + x, width - 1)] - F4(128)
            _product(half, cosines, block)
            _product(waves, half, back)
            for y in range(8):
                for x in range(8):
                    waves[y, x] = np.floor(waves[y, x] / table[y, x] + F4(0.5)) * table[y, x]
            _product(half, back, waves)
            _product(block, half, cosines)
            for y in range(min(8, height - top)):
                for x in range(min(8, width - left)):
                    image[top + y, left + x] = block[y, x] + F4(128)


@compiled
def _jpeg(pixels: np.ndarray, tables: np.ndarray, cosines: np.ndarray, back: np.ndarray) -> None:
    count, channels, height, width = pixels.shape
    for i in range(count):
        if channels == 3:
            red, green, blue = pixels[i, 0], pixels[i, 1], pixels[i, 2]
            for y in range(height):
                for x in range(width):
                    r, g, b = red[y, x], green[y, x], blue[y, x]
                    luma = F4(0.299) * r + F4(0.587) * g + F4(0.114) * b
                    red[y, x] = np.floor(luma + F4(0.5))
                    green[y, x] = np.floor((b - luma) * F4(0.564334) + F4(128.5))
                    blue[y, x] = np.floor((r - luma) * F4(0.713267) + F4(128.5))
        for c in range(channels):
            _lose(pixels[i, c], tables[i, 1 if c and channels == 3 else 0], cosines, back)
        if channels == 3:
            for y in range(height):
                for x in range(width):
                    luma, cb, cr = red[y, x], green[y, x] - F4(128), blue[y, x] - F4(128)
                    red[y, x], blue[y, x] = luma + F4(1.402) * cr, luma + F4(1.772) * cb
                    green[y, x] = luma - F4(0.344136) * cb - F4(0.714136) * cr
        for c in range(channels):
            for y in range(height):
                for x in range(width):
                    pixels[i, c, y, x] = min(max(np.floor(pixels[i, c, y, x] + F4(0.5)), F4(0)), F4(255))


def jpeg(pixels: np.ndarray, tables: np.ndarray) -> None:
    """Lose in float32 (n, C, H, W), in place, what JPEG loses with these tables (n, 2, 8, 8); whole numbers 0..255 come out."""
    _jpeg(pixels, tables, COSINES, np.ascontiguousarray(COSINES.T))
