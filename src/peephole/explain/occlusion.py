"""What part of the picture mattered: cover it piece by piece and watch one logit (MATH section 8).

Delta = logit(picture) - logit(picture with a patch of the baseline). The baseline is a choice and is shown:
the mean colour unless another is asked for.
"""

from dataclasses import dataclass

import numpy as np

from peephole.base.engine import Engine
from peephole.explain.attribution import baseline

__all__ = ["Occlusion", "occlude"]

# A gateway has little memory: so few pictures at once keep lite0 at 224 px under 100 MB.
TOGETHER = 8


@dataclass(frozen=True, eq=False)
class Occlusion:
    """How much one logit falls when a patch is covered, in logits; `deltas` (rows, columns), positive where the picture speaks for the label.

    `patch` is (height, width) in pixels of the network's input, `logit` that of the whole picture; `baseline` is what covers, by name, and `colour`
    its colour (for the blur, which has none, its mean).
    """

    label: int
    logit: float
    deltas: np.ndarray
    patch: tuple[int, int]
    colour: tuple[int, ...]
    baseline: str = "mean"

    @property
    def evaluations(self) -> int:
        """How many covered pictures were judged."""
        return self.deltas.size


def _grid(height: int, width: int, most: int) -> tuple[int, int]:
    """Return rows and columns of about square cells, at most `most` of them and none smaller than a pixel."""
    rows = max(1, min(height, int((most * height / width) ** 0.5)))
    columns = max(1, min(width, most // rows))
    return min(rows, most), columns


def occlude(engine: Engine, picture: np.ndarray, label: int, *, most: int = 100, how: str = "mean") -> Occlusion:
    """Cover uint8 `picture` (H, W, C) patch by patch, at most `most` times, and return what each patch was worth to `label`.

    A patch is a cell of the grid and half a cell around it, so that a feature on a border is not missed. `how` is the baseline that covers, one of
    `attribution.BASELINES`; raises SettingsError for any other.
    """
    height, width = picture.shape[:2]
    rows, columns = _grid(height, width, most)
    cover = baseline(picture, how).round().astype(np.uint8)
    colour = cover.reshape(-1, picture.shape[2]).mean(axis=0).round().astype(np.uint8)
    margin = (height // (2 * rows), width // (2 * columns))
    logit = float(engine.run(picture).logits[0, label])
    values: list[float] = []
    for first in range(0, rows * columns, TOGETHER):
        cells = range(first, min(first + TOGETHER, rows * columns))
        batch = np.repeat(picture[None], len(cells), axis=0)
        for image, cell in zip(batch, cells, strict=True):
            row, column = divmod(cell, columns)
            top, bottom = -(-row * height // rows) - margin[0], -(-(row + 1) * height // rows) + margin[0]
            left, right = -(-column * width // columns) - margin[1], -(-(column + 1) * width // columns) + margin[1]
            place = slice(max(0, top), bottom), slice(max(0, left), right)
            image[place] = cover[place]
        values += [float(value) for value in engine.run(batch).logits[:, label]]
    deltas = logit - np.array(values).reshape(rows, columns)
    patch = (-(-height // rows) + 2 * margin[0], -(-width // columns) + 2 * margin[1])
    return Occlusion(label, logit, deltas, patch, tuple(int(part) for part in colour), how)
