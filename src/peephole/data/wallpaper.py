"""Photos with another wall behind the subject, with none, and with nobody in them: what shows whether a model knows the subject or the wallpaper."""

import numpy as np
from PIL import Image

__all__ = ["GREY", "GROWN", "blanked", "emptied", "swapped"]

GREY = 127  # the plain wall of `blanked`, 0..255
GROWN = 1.25  # the edge of a mask is soft, and its subject's light falls beside it: what is painted over is a little more


def swapped(picture: np.ndarray, mask: np.ndarray, scene: np.ndarray) -> np.ndarray:
    """Return the subject of uint8 `picture` (H, W, 3) before another `scene` (h, w, 3), which is stretched to fit.

    `mask` (H, W) is 1 on the subject, 0 on the background, and mixes the two between.
    """
    high, wide = mask.shape
    other = scene if scene.shape == picture.shape else np.asarray(Image.fromarray(scene).resize((wide, high), Image.Resampling.BILINEAR))
    part = mask[:, :, None]
    return np.asarray(np.rint(picture * part + other * (1 - part)), np.uint8)


def blanked(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the subject of uint8 `picture` (H, W, 3) before plain grey; `mask` as for `swapped`."""
    return swapped(picture, mask, np.full_like(picture, GREY))


def emptied(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return uint8 `picture` (H, W, 3) with its subject painted over by what surrounds it; all grey when nothing does.

    Push-pull filling (Gortler et al. 1996, section 3.2): each hole takes the weighted mean of the smallest surroundings that hold anything.
    """
    weight = np.clip(1 - GROWN * mask, 0, 1).astype(np.float32)
    if not weight.any():
        return np.full_like(picture, GREY)
    return np.asarray(np.rint(np.clip(_filled(picture.astype(np.float32), weight), 0, 255)), np.uint8)


def _filled(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Fill float32 (H, W, 3) where `weight` (H, W) is below 1, from a picture of half the size that was filled in the same way."""
    high, wide = weight.shape
    if min(high, wide) == 1 or (weight >= 1).all():
        mean = (values * weight[:, :, None]).sum((0, 1)) / max(float(weight.sum()), 1e-9)
        return np.asarray(values * weight[:, :, None] + mean * (1 - weight[:, :, None]))
    pad = ((0, high % 2), (0, wide % 2))
    heavy, all_values = np.pad(weight, pad), np.pad(values, (*pad, (0, 0)))
    blocks = heavy.reshape(heavy.shape[0] // 2, 2, heavy.shape[1] // 2, 2)
    total = blocks.sum((1, 3))
    sums = (all_values * heavy[:, :, None]).reshape(*blocks.shape, 3).sum((1, 3))
    half = _filled(np.asarray(sums / np.maximum(total, 1e-6)[:, :, None], np.float32), np.minimum(total, 1))
    size = (heavy.shape[1], heavy.shape[0])
    wider = np.stack([np.asarray(Image.fromarray(half[:, :, c]).resize(size, Image.Resampling.BILINEAR)) for c in range(3)], 2)[:high, :wide]
    return np.asarray(values * weight[:, :, None] + wider * (1 - weight[:, :, None]))
