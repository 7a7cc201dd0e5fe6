"""What a recipe needs to know of a folder of photos, from their headers and a look at a few of them."""

import numpy as np
from PIL import Image

from peephole.base.errors import PhotoError
from peephole.data.photos import Listing, open_photo
from peephole.train.recipe import Facts

__all__ = ["survey"]

SAMPLE = 48
FEWEST = 8  # drawings from which it can be told whether all are framed alike
# Spread of the middle of the ink, as a fraction of a side, and of the logarithm of its size: up to these, someone has framed the drawings.
# MNIST: 0.011 and 0.00; X and O, drawn by hand somewhere on a square: 0.07 and 0.21 (docs/log.md).
STILL, SAME = 0.03, 0.05


def _grey(image: Image.Image) -> np.ndarray:
    """Return a picture as float32 (64, 64) in 0..255, on white where it is see-through."""
    flat = Image.new("RGBA", image.size, "white")
    flat.alpha_composite(image.convert("RGBA"))
    return np.asarray(flat.convert("L").resize((64, 64), Image.Resampling.BOX), np.float32)


def _ground(grey: np.ndarray) -> float:
    """Return the level of the background, which is what the border shows."""
    return float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))


def _looks_drawn(grey: np.ndarray) -> bool:
    """Few grey levels on a flat background: most pixels lie near the two most common ends of the scale."""
    ground = _ground(grey)
    return bool(np.mean(np.abs(grey - ground) < 12) > 0.5 and (ground < 32 or ground > 223))


def _frame(grey: np.ndarray) -> tuple[float, float, float] | None:
    """Return the middle of the ink across and down and the longer side of its box, as fractions of the picture; None without ink."""
    ink = np.abs(grey - _ground(grey))
    if ink.max() < 12:
        return None
    places, extent = (np.arange(64) + 0.5) / 64, ink > 0.25 * ink.max()
    across, down = (float(ink.sum(axis) @ places / ink.sum()) for axis in (0, 1))
    return across, down, float(max(np.ptp(np.flatnonzero(extent.any(axis))) + 1 for axis in (0, 1))) / 64


def _framed(frames: list[tuple[float, float, float]]) -> bool:
    """Tell whether the ink of all drawings lies in the same place and is of the same size, as where a program has cut them out."""
    if len(frames) < FEWEST:
        return False
    across, down, side = np.array(frames).T
    return bool(max(across.std(), down.std()) <= STILL and np.log(side).std() <= SAME)


def _colourful(image: Image.Image) -> bool:
    """The channels differ by more than a JPEG's rounding."""
    if image.mode in ("L", "LA"):
        return False
    small = np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BOX), np.float32)
    return bool((small.max(2) - small.min(2)).mean() > 4)


def survey(listing: Listing, seed: int) -> Facts:
    """Return the facts of the labelled photos of a listing; opens at most 48 of them."""
    photos = [p for p in listing.photos if p.label != "unknown"]
    chosen = np.random.default_rng(seed).permutation(len(photos))[:SAMPLE]
    drawn, colourful, frames = list[bool](), list[bool](), list[tuple[float, float, float]]()
    for index in chosen:
        try:
            image = open_photo(photos[index].path)
        except PhotoError:
            continue  # refused, with its reason, when the set is loaded
        grey = _grey(image)
        drawn.append(_looks_drawn(grey))
        colourful.append(_colourful(image))
        frames += [frame] if (frame := _frame(grey)) else []
    counts: dict[str, int] = {}
    for photo in photos:
        counts[photo.label] = counts.get(photo.label, 0) + 1
    drawing = bool(np.mean(drawn) > 0.5) if drawn else False
    return Facts(
        examples=len(photos),
        labels=len(counts),
        fewest=min(counts.values()),
        height=int(np.median([p.height for p in photos])),
        width=int(np.median([p.width for p in photos])),
        # A red drawing is still a drawing: its shape is what counts, and the next one may be black.
        colour=bool(np.mean(colourful) > 0.1) and not drawing if colourful else False,
        drawing=drawing,
        framed=drawing and _framed(frames),
    )
