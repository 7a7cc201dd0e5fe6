"""What each way of convolving costs, measured; the quickest is chosen.

The constants are nanoseconds on the machine of bench/results.md (float32, one thread), other work beside them; float64
and two threads change all of them much alike, so that the choice stays.
A wrong guess costs time, never accuracy.
"""

import math
from typing import Literal

import numpy as np

from peephole.lab.lowrank import Parts
from peephole.lab.ways import Span

__all__ = ["Way", "choose"]

Way = Literal["direct", "separable", "fft"]

TAP, TAP_CALL = 0.06, 400.0  # direct: one multiply-add; one call of BLAS
BAND, BAND_CALL = 0.024, 40_000.0  # separable: one multiply-add inside a banded matrix; one part
WAVE, WAVE_CALL = 0.32, 60_000.0  # FFT: one value times the logarithm of the length, for all transforms together
ROW_TAP, ROW_WAVE, ROW_CALL = 0.12, 1.5, 20_000.0  # one dimension: NumPy's loop; FFT


def choose(spans: tuple[Span, ...], parts: Parts | None, dtype: np.dtype) -> Way:
    """Return the quickest way; `parts` are the kernel's, where it has few."""
    if len(spans) == 1:
        (span,) = spans
        waves = ROW_WAVE * span.period * math.log2(span.period + 1) + ROW_CALL
        return "fft" if waves < ROW_TAP * span.n * span.k else "direct"
    rows, columns = spans
    area = rows.size * columns.size
    costs: dict[Way, float] = {
        "direct": rows.k * columns.k * (TAP * area + TAP_CALL),
        "fft": WAVE * rows.period * columns.period * math.log2(rows.period * columns.period + 1) + WAVE_CALL,
    }
    if parts is not None:
        costs["separable"] = parts.count * (BAND * area * (rows.k + columns.k + 64) + BAND_CALL)
    return min(costs, key=costs.__getitem__)
