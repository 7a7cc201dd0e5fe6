"""What a recipe needs to know of a folder of photos, from their headers and a look at a few of them."""

import numpy as np
from PIL import Image

from peephole.base.errors import PhotoError
from peephole.data.photos import Listing, open_photo
from peephole.train.recipe import Facts

__all__ = ["survey"]

SAMPLE = 48


def _looks_drawn(image: Image.Image) -> bool:
    """Few grey levels on a flat background: most pixels lie near the two most common ends of the scale."""
    flat = Image.new("RGBA", image.size, "white")
    flat.alpha_composite(image.convert("RGBA"))
    grey = np.asarray(flat.convert("L").resize((64, 64), Image.Resampling.BOX), np.float32)
    ground = np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))
    return bool(np.mean(np.abs(grey - ground) < 12) > 0.5 and (ground < 32 or ground > 223))


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
    drawn, colourful = [], []
    for index in chosen:
        try:
            image = open_photo(photos[index].path)
        except PhotoError:
            continue  # refused, with its reason, when the set is loaded
        drawn.append(_looks_drawn(image))
        colourful.append(_colourful(image))
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
    )
