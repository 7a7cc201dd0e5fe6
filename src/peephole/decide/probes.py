"""Built-in pictures that every photo model must be able to answer for: no photo is needed to see whether a file computes at all."""

import numpy as np

__all__ = ["plain", "probes"]

SEED = 20261125


def plain() -> tuple[tuple[str, np.ndarray], ...]:
    """Return frames with nothing in them, uint8 (32, 32, 3), and what each stands for: a hand on the lens, fog, a lamp."""
    return tuple((name, np.full((32, 32, 3), light, np.uint8)) for name, light in (("black", 0), ("grey", 127), ("white", 255)))


def probes(shape: tuple[int, int, int], count: int) -> np.ndarray:
    """Return the same `count` pictures in every run, uint8 (count, H, W, C): noise of several grains, slopes, stripes; `shape` is (H, W, C)."""
    random = np.random.default_rng(SEED)
    height, width, channels = shape
    down, across = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    made = []
    for number in range(count):
        tint, turn = random.uniform(0.3, 1, channels), random.uniform(0, np.pi)
        if number % 2:
            grain = min(2 ** (1 + number // 2 % 4), max(1, min(height, width) // 2))
            rough = random.uniform(0, 1, (-(-height // grain), -(-width // grain), channels))
            picture = rough.repeat(grain, 0).repeat(grain, 1)[:height, :width]
        else:
            slope = np.cos(turn) * across + np.sin(turn) * down
            picture = (0.5 + 0.5 * np.sin(2 * np.pi * (1 + number // 2 % 4) * slope) if number else np.abs(slope)) * tint
        made.append(np.clip(picture * 255, 0, 255).astype(np.uint8))
    return np.stack(made)
