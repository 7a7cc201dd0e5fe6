"""Do the borders of the photos alone tell the labels apart? Then a model may learn the wall behind the subject instead of the subject."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from peephole.base.evidence import counted, interval

__all__ = ["SIDE", "Border", "glances", "sheets", "test"]

SIDE, RING = 16, 2  # the photo as 16 x 16 cells, of which the two outermost on three sides are its border
MOST = 1000  # photos: each is compared with every other one
SEGMENTS = 4  # of each side: their medians do not see a subject that crosses the border here and there
LEAST_SOURCES = 6
SHEET, PLAIN = 12, 32  # grey levels: how far a sheet of paper strays from its colour, and that colour from black or white


@dataclass(frozen=True)
class Border:
    """Each photo named by the photo of another source with the most similar border: `right` of `n` sources, where a guess gets `chance` 0..1.

    `low` and `high` are the two-sided 95 % Clopper-Pearson interval of right / n.
    """

    right: int
    n: int
    chance: float
    low: float
    high: float

    @property
    def better(self) -> bool:
        """Tell whether borders name labels better than a guess: beyond what chance allows, and a quarter of the way to certainty."""
        return self.low > self.chance and self.right / self.n >= self.chance + (1 - self.chance) / 4

    @property
    def sentence(self) -> str:
        """What was found, with its numbers."""
        return (
            f"the border of the photos alone names the label of {self.right} of {counted(self.n, 'source')} ({self.right / self.n:.0%}; 95 % "
            f"interval {self.low:.0%} to {self.high:.0%}; a guess gets {self.chance:.0%})"
        )

    @property
    def telling(self) -> bool:
        """Tell whether borders name labels so well, at least half way from a guess to certainty, that each label seems to have its own background."""
        return self.better and self.right / self.n >= (1 + self.chance) / 2


def glances(images: np.ndarray) -> np.ndarray:
    """Return uint8 pictures (N, H, W, C), C = 1 or 3, as the 16 x 16 x 3 cells that `test` looks at."""
    flat = [image[..., 0] if image.shape[-1] == 1 else image for image in images]
    found = [np.asarray(Image.fromarray(image).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)) for image in flat]
    return np.stack(found) if found else np.empty((0, SIDE, SIDE, 3), np.uint8)


def sheets(images: np.ndarray) -> bool:
    """Tell whether most of uint8 (N, 16, 16, 3) photos are drawings: a border that is all of one colour, near black or near white."""
    edge = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1).astype(np.int16)  # (N, 64, 3)
    middle = np.median(edge, 1, keepdims=True)
    flat = (np.abs(edge - middle).max(2) <= SHEET).mean(1) > 0.8
    plain = ((middle < PLAIN) | (middle > 255 - PLAIN)).all((1, 2))
    return bool(len(images)) and bool((flat & plain).mean() > 0.5)


def features(images: np.ndarray) -> np.ndarray:
    """Return each photo's border as numbers 0..255, float32 (N, 72), from uint8 (N, 16, 16, 3).

    For each quarter of the top, left and right side: the median colour and the median distance from it. The bottom is left out: there
    stand the shoulders, and they belong to the subject.
    """
    count = len(images)
    sides = (images[:, :RING], images[:, :, :RING].swapaxes(1, 2), images[:, :, -RING:].swapaxes(1, 2))
    found = []
    for side in sides:  # (N, RING, 16, 3)
        parts = side.reshape(count, RING, SEGMENTS, SIDE // SEGMENTS, 3).transpose(0, 2, 1, 3, 4).reshape(count, SEGMENTS, -1, 3).astype(np.float32)
        middle = np.median(parts, 2)
        found += [middle, np.median(np.abs(parts - middle[:, :, None]), 2)]
    return np.concatenate(found, 1).reshape(count, -1)


def test(images: np.ndarray, labels: np.ndarray, sources: np.ndarray) -> Border | None:
    """Ask the borders of uint8 (N, 16, 16, 3) photos, labels and sources int64 (N,), for their labels, leaving the own source out.

    One photo of each source is asked, at most 1,000 evenly over the labels. None with fewer than two labels or 6 sources.
    """
    ones = np.unique(sources, return_index=True)[1]
    names = np.unique(labels[ones])
    if len(names) < 2 or len(ones) < LEAST_SOURCES:
        return None
    each = max(2, MOST // len(names))
    ones = np.concatenate([(mine := ones[labels[ones] == name])[np.linspace(0, len(mine) - 1, min(each, len(mine))).astype(int)] for name in names])
    ring, own = features(images[ones]), labels[ones]
    square = (ring**2).sum(1)
    apart = np.sqrt(np.maximum(square[:, None] + square - 2 * ring @ ring.T, 0) / ring.shape[1])
    np.fill_diagonal(apart, np.inf)
    near = apart.min(1)
    # The same sheet of paper behind every drawing is as near to one as to another: each label gets its share.
    alike = apart <= near[:, None] + 1e-3
    share = (alike & (own == own[:, None])).sum(1) / alike.sum(1)
    right, n = int(np.floor(share.sum() + 1e-6)), len(ones)
    low, high = interval(right, n)
    chance = float(np.bincount(np.searchsorted(names, own)).max() / n)
    return Border(right, n, chance, low, high)
