"""Pictures as strokes and edges: gradient histograms, normalised where they stand, so that a lamp or a pen changes little.

After Dalal & Triggs 2005, "Histograms of Oriented Gradients for Human Detection", with smooth windows in place of cells. Nothing is trained, so
two drawings or two faces in different light can be compared when there are only five of each.
"""

import math

import numpy as np
import torch
from torch.nn import functional

__all__ = ["SCALES", "gradients"]

ORIENTATIONS = 8
SIDE = 32  # larger pictures are averaged down to this; smaller ones stay as they are
AROUND = 7  # pixels on each side over which a gradient is compared with its neighbours
FAINT = 0.02  # gradients (of 0..1 grey) below this are noise
# Standard deviation of the window and distance of the windows, in pixels: fine for faces, coarse for drawings that move (docs/log.md).
SCALES = ((1.0, 2), (2.0, 3))
BATCH = 256


def _small(images: np.ndarray) -> torch.Tensor:
    """Return uint8 (N, H, W, C) as grey 0..1 (N, 1, h, w)."""
    grey = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().mean(1, keepdim=True) / 255
    return functional.adaptive_avg_pool2d(grey, (SIDE, SIDE)) if max(images.shape[1:3]) > SIDE + 8 else grey


def _orientations(grey: torch.Tensor) -> torch.Tensor:
    """Return (N, 8, h, w): how strong the gradient is in each direction, beside the strength around it."""
    kernel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]) / 8
    both = functional.conv2d(functional.pad(grey, (1, 1, 1, 1), mode="replicate"), torch.stack([kernel, kernel.T])[:, None])
    across, down = both[:, :1], both[:, 1:]
    strength = torch.hypot(across, down)
    strength = strength / (functional.avg_pool2d(strength, AROUND, 1, AROUND // 2, count_include_pad=False) + FAINT)
    turn = torch.atan2(down, across) % (2 * math.pi) / (2 * math.pi) * ORIENTATIONS
    apart = (turn - torch.arange(ORIENTATIONS).view(1, -1, 1, 1)).abs()
    return strength * (1 - torch.minimum(apart, ORIENTATIONS - apart)).clamp(min=0)


def _pooled(maps: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
    """Sum the maps (N, 8, h, w) under Gaussian windows, `step` pixels apart; return (N, features)."""
    reach = math.ceil(3 * sigma)
    line = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    window = (line[:, None] * line / line.sum() ** 2).expand(ORIENTATIONS, 1, -1, -1).contiguous()
    summed = functional.conv2d(functional.pad(maps, (reach,) * 4), window, groups=ORIENTATIONS)
    return summed[:, :, step // 2 :: step, step // 2 :: step].clamp(min=0).sqrt().flatten(1)


def gradients(images: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return float32 (N, features) for each of SCALES, of pictures uint8 (N, H, W, C)."""
    grey = _small(images)
    batches = (_orientations(grey[at : at + BATCH]) for at in range(0, len(grey), BATCH))
    parts = [[_pooled(maps, *scale).numpy() for scale in SCALES] for maps in batches]
    return tuple(np.concatenate(of_scale) for of_scale in zip(*parts, strict=True))
