"""Three ways to the same sum: tap by tap, by columns and rows as banded matrices, by FFT.

All of them pad the signal once and then work as a cross-correlation with the flipped kernel; all return what their spans ask for.
"""

import os
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy import fft
from scipy.linalg.blas import daxpy, saxpy

from peephole.lab.lowrank import Parts

__all__ = ["Span", "by_fft", "by_parts", "directly", "threads"]


@dataclass(frozen=True)
class Span:
    """One axis: a signal of `n`, a kernel of `k`, and of their full convolution (n + k - 1) the `size` values from `start` on."""

    n: int
    k: int
    start: int
    size: int

    @property
    def before(self) -> int:
        """Zeros needed before the signal."""
        return self.k - 1 - self.start

    @property
    def period(self) -> int:
        """The shortest circular convolution that leaves the wanted values alone: what wraps round lands outside them."""
        return max(self.n, self.k, self.start + self.size, self.n + self.k - 1 - self.start)


def threads() -> int:
    """Return how many threads an FFT may use: the cores this process may run on, or OMP_NUM_THREADS where that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(asked)) if asked.isdecimal() and int(asked) > 0 else cores


def directly(a: np.ndarray, b: np.ndarray, spans: tuple[Span, ...]) -> np.ndarray:
    """Add the shifted signal once for each tap; in two dimensions with BLAS `axpy` over the padded picture as one long row.

    In one dimension NumPy's own loop does it.
    """
    if a.ndim == 1:
        (span,) = spans
        return np.convolve(a, b)[span.start : span.start + span.size]
    rows, columns = spans
    width = columns.size + columns.k - 1
    # One row more than needed: the last tap of the last row reads past the end of it, into columns that are cut off below.
    padded = _padded(a, spans, rows.size + rows.k, width).reshape(-1)
    taps = b[::-1, ::-1].tolist()
    count = rows.size * width
    out = padded[:count] * b[-1, -1]
    add = saxpy if a.dtype == np.float32 else daxpy
    for down, row in enumerate(taps):
        for across, tap in enumerate(row):
            if tap and (down or across):
                add(padded, out, count, tap, down * width + across)
    return np.asarray(out.reshape(rows.size, width)[:, : columns.size])


def _padded(a: np.ndarray, spans: tuple[Span, ...], height: int, width: int) -> np.ndarray:
    """Return the signal (H, W) with zeros round it, (height, width); what lies beyond is cut off."""
    rows, columns = spans
    padded = np.zeros((height, width), a.dtype)
    inside = a[: height - rows.before, : width - columns.before]
    padded[rows.before : rows.before + inside.shape[0], columns.before : columns.before + inside.shape[1]] = inside
    return padded


def by_parts(a: np.ndarray, parts: Parts, spans: tuple[Span, ...]) -> np.ndarray:
    """Convolve with each part's column, then its row, and add the parts up; both as products with small banded matrices (BLAS)."""
    rows, columns = spans
    tall, wide = _block(rows), _block(columns)
    strips, blocks = -(-rows.size // tall), -(-columns.size // wide)
    padded = _padded(a, spans, strips * tall + rows.k - 1, blocks * wide + columns.k - 1)
    down, across = padded.strides
    windows = as_strided(padded, (strips, tall + rows.k - 1, padded.shape[1]), (tall * down, down, across))
    between = np.empty((strips, tall, padded.shape[1]), a.dtype)
    found = np.empty((2, strips * tall, blocks * wide), a.dtype)
    slices = as_strided(between, (blocks, strips * tall, wide + columns.k - 1), (wide * across, down, across))
    for number, (column, row) in enumerate(zip(parts.columns, parts.rows, strict=True)):
        np.matmul(_banded(column[::-1], tall).astype(a.dtype), windows, out=between)
        out = found[min(number, 1)]
        np.matmul(slices, _banded(row[::-1], wide).T.astype(a.dtype), out=out.reshape(strips * tall, blocks, wide).transpose(1, 0, 2))
        if number:
            found[0] += found[1]
    return found[0, : rows.size, : columns.size]


def _block(span: Span) -> int:
    """Return how many outputs one banded matrix makes: longer kernels waste less in larger ones."""
    return min(span.size, 32 if span.k <= 48 else 64)


def _banded(taps: np.ndarray, outputs: int) -> np.ndarray:
    """Return (outputs, outputs + K - 1): row i holds the taps from column i on."""
    found = np.zeros((outputs, outputs + taps.size - 1))
    as_strided(found, (outputs, taps.size), (found.strides[0] + found.strides[1], found.strides[1]))[...] = taps
    return found


def by_fft(a: np.ndarray, b: np.ndarray, spans: tuple[Span, ...]) -> np.ndarray:
    """Multiply the spectra; the circle is only as long as the wanted values need, and rows that nobody wants are not transformed back."""
    workers = threads() if a.size > 1 << 15 else 1
    last = spans[-1]
    across = fft.next_fast_len(last.period, real=True)
    first, second = fft.rfft(a, across, workers=workers), fft.rfft(b, across)
    if len(spans) == 2:
        rows = spans[0]
        down = fft.next_fast_len(rows.period)
        product = fft.fft(first, down, axis=0, workers=workers)
        product *= fft.fft(second, down, axis=0, workers=workers)
        product = fft.ifft(product, axis=0, overwrite_x=True, workers=workers)[rows.start : rows.start + rows.size]
    else:
        product = first * second
    return np.asarray(fft.irfft(product, across, workers=workers)[..., last.start : last.start + last.size])
