"""The subject cut out along its own edges: GrabCut (Rother, Kolmogorov & Blake 2004), begun from an ellipse.

Needs OpenCV; reached through `base/extras.py`. Says nothing where what it found cannot be a subject.
"""

import threading

import cv2
import numpy as np
from PIL import Image

__all__ = ["cut"]

SIDE = 160  # pixels of the longer side: 96 lose a twentieth of the overlap, more gain nothing (docs/log.md)
ROUNDS = 2
WHOLE = (0, 0, 1, 1)  # asked for, and not looked at where a mask is given
# Shares of the ellipse's axes: inside the first all is subject, outside the second nothing is.
SURE, NEVER = 0.5, 1.3
# Areas relative to the ellipse: less is a part of a subject, more a part of the wall.
AREA = (0.35, 1.6)
# Levels by which the channels differ on average: below it is grey, and grey subjects are lost to their walls (0.44 of the overlap; docs/log.md).
COLOURED = 4
# OpenCV draws chance numbers to begin with, from one generator for each thread.
DRAWING = threading.Lock()


def cut(image: Image.Image, away: np.ndarray) -> np.ndarray | None:
    """Return the subject of a picture, float32 (H, W) 0..1 with a soft edge, or None where what was cut out cannot be one.

    `away` float32 (H, W) is how far a pixel is from the middle of the ellipse that the subject is thought to fill, 1 on its edge.
    """
    scale = max(1.0, max(image.size) / SIDE)
    size = (max(1, round(image.width / scale)), max(1, round(image.height / scale)))
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX), np.uint8)[:, :, ::-1])
    if (pixels.max(2) - pixels.min(2)).mean() < COLOURED:
        return None
    far = np.asarray(Image.fromarray(away).resize(size, Image.Resampling.BOX))
    sheet = np.select([far <= SURE, far <= 1, far <= NEVER], [cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_PR_BGD], cv2.GC_BGD).astype(np.uint8)
    if not ((sheet == cv2.GC_FGD).any() and (sheet == cv2.GC_BGD).any()):
        return None  # too small to tell one from the other
    try:
        with DRAWING:
            cv2.setRNGSeed(1)
            cv2.grabCut(pixels, sheet, WHOLE, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return None  # a few pixels, or all of one colour: nothing to learn two mixtures of colours from
    found = (sheet == cv2.GC_FGD) | (sheet == cv2.GC_PR_FGD)
    share = found.sum() / max(1, (far <= 1).sum())
    if not AREA[0] <= share <= AREA[1]:
        return None
    return np.asarray(Image.fromarray(found.astype(np.uint8) * 255).resize(image.size, Image.Resampling.BILINEAR), np.float32) / 255
