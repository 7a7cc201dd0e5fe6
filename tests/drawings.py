"""Drawings for the tests of learning: X, O and other signs, each from its own seed, in folders and in memory."""

from pathlib import Path

import numpy as np
from PIL import Image

from peephole.data.photoset import PhotoSet

SIDE = 16


def draw(sign: str, seed: int, side: int = SIDE) -> np.ndarray:
    """Return one drawing, uint8 (side, side), dark on white; another seed gives another place, size, tilt and pen."""
    rng = np.random.default_rng([seed, ord(sign[0])])
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    x, y = x - rng.uniform(-0.08, 0.08) * side, y - rng.uniform(-0.08, 0.08) * side
    turn = rng.uniform(-0.25, 0.25)
    x, y = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
    reach, pen = rng.uniform(0.26, 0.42) * side, rng.uniform(0.05, 0.09) * side
    inside = np.maximum(np.abs(x), np.abs(y)) < reach
    ink = {
        "X": inside & ((np.abs(x - y) < 1.4 * pen) | (np.abs(x + y) < 1.4 * pen)),
        "O": np.abs(np.hypot(x, y) - 0.9 * reach) < pen,
        "=": inside & (np.abs(np.abs(y) - 0.5 * reach) < pen),
        "I": inside & (np.abs(x) < pen),
        "L": inside & ((np.abs(x + 0.6 * reach) < pen) | (np.abs(y - 0.6 * reach) < pen)),
    }[sign]
    grey = np.where(ink, rng.integers(0, 60), 250) + rng.normal(0, 3, (side, side))
    return np.clip(grey, 0, 255).astype(np.uint8)


def save(pixels: np.ndarray, path: Path) -> Path:
    """Save pixels as a picture, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def folder(root: Path, each: int = 6, signs: str = "XO", strangers: str = "", start: int = 0) -> Path:
    """Fill root/<sign>/ with `each` drawings and root/unknown/<sign>/ with two of each stranger."""
    for sign in signs:
        for seed in range(start, start + each):
            save(draw(sign, seed), root / sign / f"{sign}{seed}.png")
    for sign in strangers:
        for seed in range(start, start + 2):
            save(draw(sign, seed), root / "unknown" / f"sign {sign}" / f"{seed}.png")
    return root


def photo_set(each: int = 6, signs: str = "XO") -> PhotoSet:
    """Return drawings in memory, every one a source of its own."""
    pixels = np.stack([draw(sign, seed)[..., None] for sign in signs for seed in range(each)])
    count = len(pixels)
    return PhotoSet(
        images=pixels,
        labels=np.repeat(np.arange(len(signs)), each),
        names=tuple(signs),
        sources=np.arange(count),
        strangers=np.full(count, -1),
        stranger_names=(),
        ids=tuple(f"{sign}/{seed}.png" for sign in signs for seed in range(each)),
        digests=tuple(f"{i:064x}" for i in range(count)),
        given=("",) * count,
        refused=(),
        duplicates_dropped=0,
        notes=(),
    )
