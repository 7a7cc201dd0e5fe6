"""A photo with a kernel slid over it, as a picture file, and what there is to say about it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peephole.lab import photo
from peephole.lab.catalogue import Kernel
from peephole.lab.kernels import Cell, Slide, apply, match, picture, work_cell

__all__ = ["Summary", "Worked", "filter_photo", "match_photo"]

EVEN = 1e-6  # of the sum of |kernel|: below this a kernel makes an even grey zero


@dataclass(frozen=True, eq=False)
class Summary:
    """What was done: `kernel` as given and `applied` as slid, the sizes (H, W, C) `before` and `after`, and the values from `low` to `high`.

    `limit`: in the picture grey 128 is 0, black -limit and white limit; None where 0 is black and 255 white, and `cut` values were beyond. `cell` is
    an output pixel worked out, of `channel`. `best` (row, column) and `score` are those of a match.
    """

    kernel: Kernel
    applied: np.ndarray
    slide: Slide
    before: tuple[int, ...]
    after: tuple[int, ...]
    low: float
    high: float
    limit: float | None
    cut: int
    channel: int
    cell: Cell
    best: tuple[int, int] | None = None
    score: float | None = None


@dataclass(frozen=True, eq=False)
class Worked:
    """A summary with both pictures, uint8."""

    summary: Summary
    before: np.ndarray
    after: np.ndarray


def filter_photo(pixels: np.ndarray, kernel: Kernel, slide: Slide, output: Path, at: tuple[int, int] | None = None) -> Worked:
    """Slide `kernel` over `pixels` (H, W) or (H, W, 3) and write the picture; `at` is the pixel to work out, without it the strongest.

    Where an even grey becomes 0 (edges, a patch without its mean) the picture shows 0 as mid-grey. Raises InputError as kernels.apply, OutputError.
    """
    found = apply(pixels, kernel, slide)
    signed = kernel.sum <= EVEN * float(np.abs(kernel.values).sum())
    strongest = np.unravel_index(int(np.abs(found.values).argmax()), found.values.shape)
    place = at if at is not None else (int(strongest[0]), int(strongest[1]))
    channel = int(strongest[2]) if found.values.ndim == 3 else 0
    cell = work_cell(pixels, kernel, place, slide, channel)
    low, high = float(found.values.min()), float(found.values.max())
    limit = max(-low, high) if signed else None
    after = picture(found.values, signed=signed, limit=limit)
    cut = 0 if signed else int(np.count_nonzero((found.values < -0.5) | (found.values >= 255.5)))
    photo.write(output, after)
    summary = Summary(kernel, found.applied, slide, pixels.shape, after.shape, low, high, limit, cut, channel, cell)
    return Worked(summary, pixels, after)


def match_photo(pixels: np.ndarray, patch: Kernel, slide: Slide, output: Path, at: tuple[int, int] | None = None) -> Worked:
    """Write how well `patch` fits each window of `pixels`: black -1, grey 128 nothing alike, white 1; raises InputError, OutputError.

    A match is slid as it is and only inside the picture, whatever `slide` says.
    """
    del slide
    as_is = Slide(flip=False, pad="valid")
    found = match(pixels, patch)
    cell = work_cell(pixels, patch, at if at is not None else found.best, as_is)
    low, high = float(found.values.min()), float(found.values.max())
    after = picture(found.values, signed=True, limit=1.0)
    photo.write(output, after)
    summary = Summary(patch, patch.values, as_is, pixels.shape, after.shape, low, high, 1.0, 0, 0, cell, found.best, found.score)
    return Worked(summary, pixels, after)
