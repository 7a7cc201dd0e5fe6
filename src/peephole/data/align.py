"""Laying one small grey picture over another: the affine motion that fits best, and how alike the two are then.

Pairs are handled in batches. A copy that was cropped, turned, flipped, lit or saved differently fits almost perfectly
in the middle band of detail; two honest pictures of the same thing do not, even when their outlines agree. The motion
is found by Gauss-Newton steps on the difference with gain and offset free (Lucas & Kanade 1981; Baker & Matthews 2004).
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Fit", "blur", "fit", "shear", "starts", "warp", "window"]

BATCH = 256
# A longer step than this share of half a picture is a leap into another valley.
LONGEST = 0.15


@dataclass(frozen=True, eq=False)
class Fit:
    """How well P pairs fit.

    `alike` (P,) correlation of the middle band after alignment, -1..1; `shared` (P,) how much of the second picture the
    first one covers, 0..1; `motion` (P, 6) as in `starts`.
    """

    alike: np.ndarray
    shared: np.ndarray
    motion: np.ndarray


def starts() -> np.ndarray:
    """Return the motions that the search starts from, float32 (T, 6): whole, crops, shifts, small turns, and all of them flipped.

    A motion (a, b, c, d, e, f) takes (x, y) of the second picture, each -1..1, to (ax + by + c, dx + ey + f) of the first.
    """
    boxes = [(1.0, 0.0, 0.0)]
    boxes += [(0.93, 0.07 * x, 0.07 * y) for x, y in ((0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))]
    boxes += [(0.85, 0.15 * x, 0.15 * y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    motions = [(scale, 0.0, x, 0.0, scale, y) for scale, x, y in boxes]
    motions += [(1.0, 0.0, 0.1 * x, 0.0, 1.0, 0.1 * y) for x in (-1, 1) for y in (-1, 1)]
    angles = np.radians([-12, -6, 6, 12])
    motions += [(float(np.cos(a)), -float(np.sin(a)), 0.0, float(np.sin(a)), float(np.cos(a)), 0.0) for a in angles]
    return np.array([(flip * a, flip * b, flip * c, d, e, f) for flip in (1, -1) for a, b, c, d, e, f in motions], np.float32)


def warp(pictures: np.ndarray, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 pictures (P, S, S) moved by `motion` (P, 6), bilinear, and where they had pixels, bool (P, S, S).

    One motion (1, 6) moves all pictures alike, which is faster.
    """
    count, side, _ = pictures.shape
    x, y = _grid(side)[None, None, :], _grid(side)[None, :, None]
    a, b, c, d, e, f = (motion[:, k, None, None] for k in range(6))
    across = ((a * x + b * y + c) + 1) * (side / 2) - 0.5
    down = ((d * x + e * y + f) + 1) * (side / 2) - 0.5
    inside = (across >= 0) & (across <= side - 1) & (down >= 0) & (down <= side - 1)
    across, down = np.clip(across, 0, side - 1.001), np.clip(down, 0, side - 1.001)
    left, top = across.astype(np.int32), down.astype(np.int32)
    # An int32 array would lift the difference, and all that follows, to float64.
    u, v = across - left.astype(np.float32), down - top.astype(np.float32)
    # Places in the flattened batch; np.take is several times faster than take_along_axis.
    at = top * side + left
    corners = (0, 1, side, side + 1)
    if len(motion) == 1:
        p, q, r, s = (np.take(pictures.reshape(count, -1), at[0] + k, axis=1) for k in corners)
    else:
        at += np.arange(count, dtype=np.int32)[:, None, None] * side**2
        p, q, r, s = (np.take(pictures.reshape(-1), at + k) for k in corners)
    return (p * (1 - u) + q * u) * (1 - v) + (r * (1 - u) + s * u) * v, inside


def _grid(side: int) -> np.ndarray:
    return np.asarray((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1, np.float32)


def window(side: int) -> np.ndarray:
    """Return weights (S, S) that fall to 0 at the rim, where turned and shifted copies have no picture."""
    edge = np.clip((1 - np.abs(_grid(side))) / 0.15, 0, 1)
    return np.asarray(edge[:, None] * edge[None, :], np.float32)


def blur(pictures: np.ndarray, radius: int) -> np.ndarray:
    """Return pictures (P, S, S) averaged over (2 radius + 1) x (2 radius + 1) pixels."""
    if radius == 0:
        return pictures
    width = 2 * radius + 1
    for axis in (1, 2):
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(pictures, pad, mode="edge"), axis, dtype=np.float32)
        high, low = [slice(None)] * 3, [slice(None)] * 3
        high[axis], low[axis] = slice(width, None), slice(None, -width)
        pictures = (sums[tuple(high)] - sums[tuple(low)]) / width
    return pictures


def fit(first: np.ndarray, second: np.ndarray, motion: np.ndarray, steps: int) -> Fit:
    """Move each `first` picture onto its `second` one, uint8 or float (P, S, S), from a start motion, and compare them."""
    parts = []
    for at in range(0, max(len(motion), 1), BATCH):
        here = slice(at, at + BATCH)
        a, b = _standard(first[here]), _standard(second[here])
        parts.append(_compare(a, b, _align(a, b, motion[here], steps)))
    return Fit(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _standard(pictures: np.ndarray) -> np.ndarray:
    """Give every picture mean 0 and deviation 1; a flat one stays flat."""
    real = pictures.astype(np.float32)
    return np.asarray((real - real.mean((1, 2), keepdims=True)) / (real.std((1, 2), keepdims=True) + 1e-3), np.float32)


def _slopes(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the change across and down per unit of the -1..1 grid."""
    across, down = np.zeros_like(pictures), np.zeros_like(pictures)
    scale = pictures.shape[1] / 4
    across[:, :, 1:-1] = (pictures[:, :, 2:] - pictures[:, :, :-2]) * scale
    down[:, 1:-1] = (pictures[:, 2:] - pictures[:, :-2]) * scale
    return across, down


def _align(first: np.ndarray, second: np.ndarray, motion: np.ndarray, steps: int) -> np.ndarray:
    """Improve motions (P, 6) by Gauss-Newton steps."""
    count, side, _ = first.shape
    weight = window(side)
    x, y = _grid(side)[None, None, :], _grid(side)[None, :, None]
    target = second.reshape(count, -1, 1)
    for _ in range(steps):
        moved, inside = warp(first, motion)
        across, down = _slopes(moved)
        # Slopes were taken along the second picture's axes; the motion is told in the first one's.
        a, b, _c, d, e, _f = (motion[:, k, None, None] for k in range(6))
        area = a * e - b * d
        area = np.where(np.abs(area) < 0.1, 0.1, area)
        gx, gy = (e * across - d * down) / area, (a * down - b * across) / area
        columns = np.stack([gx * x, gx * y, gx, gy * x, gy * y, gy, moved, np.ones_like(moved)], 1).reshape(count, 8, -1)
        weighed = columns * (inside * weight).reshape(count, 1, -1)
        square, right = weighed @ columns.transpose(0, 2, 1), weighed @ target
        ridge = 1e-3 * np.trace(square, axis1=1, axis2=2) / 8 + 1e-6
        found = np.linalg.solve(square + ridge[:, None, None] * np.eye(8, dtype=np.float32), right)[:, :, 0]
        step = found[:, :6] / np.maximum(found[:, 6:7], 0.2)
        longest = np.abs(step).max(1, keepdims=True)
        motion = motion + step * np.minimum(1, LONGEST / np.maximum(longest, 1e-9))
    return motion


def _compare(first: np.ndarray, second: np.ndarray, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return correlation in the middle band, shared area, and the motion itself."""
    count, side, _ = first.shape
    moved, inside = warp(first, motion)
    fine, broad = (1, 4) if side >= 64 else (0, 2)
    # Near the rim of a turned copy the blur would mix in the empty corners.
    covered = blur(inside.astype(np.float32), broad) > 0.999
    weight = (covered * window(side)).reshape(count, -1)
    total = weight.sum(1, keepdims=True) + 1e-9
    flat = []
    for pictures in (moved, second):
        band = (blur(pictures, fine) - blur(pictures, broad)).reshape(count, -1)
        flat.append(band - (band * weight).sum(1, keepdims=True) / total)
    one, two = flat
    norm = np.sqrt((one * one * weight).sum(1) * (two * two * weight).sum(1))
    alike = np.where(norm > 1e-4, (one * two * weight).sum(1) / np.maximum(norm, 1e-4), 0)
    return alike, inside.mean((1, 2)), motion


def shear(motion: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how far motions (P, 6) are from keeping right angles, 0..1, on pictures with these aspects (width / height, (P,))."""
    a, b, d, e = motion[:, 0] * first / second, motion[:, 1] * first, motion[:, 3] / second, motion[:, 4]
    return np.asarray(np.abs(a * b + d * e) / (np.hypot(a, d) * np.hypot(b, e) + 1e-6))
