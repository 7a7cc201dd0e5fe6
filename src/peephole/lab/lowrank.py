"""A kernel as a sum of a few columns times rows, where it is one: found by cross elimination, put in order by a small SVD.

A whole SVD of 127 x 127 numbers takes longer than the convolution it would speed up. Elimination with full pivots (Bebendorf 2000, "adaptive cross
approximation") finds the rank of a low-rank kernel in one look per part; the SVD then only sees those parts.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["MOST_PARTS", "Parts", "split", "whole"]

MOST_PARTS = 4  # more never paid against FFT on the machines measured (bench/convolve)
KEEPS = 2.0  # of the dtype's epsilon, times the sum of |kernel|: rounding the kernel's own numbers errs by half of one


@dataclass(frozen=True, eq=False)
class Parts:
    """A kernel = the sum over r of outer(`columns`[r], `rows`[r]); columns (R, KH), rows (R, KW), float64, largest part first."""

    columns: np.ndarray
    rows: np.ndarray

    @property
    def count(self) -> int:
        """The rank R."""
        return len(self.columns)


def split(kernel: np.ndarray, *, most: int = MOST_PARTS) -> Parts | None:
    """Return a kernel (KH, KW) as at most `most` parts, or None where it takes more to keep the accuracy of its dtype.

    What is left out sums, in absolute values, to at most KEEPS epsilons of the kernel's own sum, so that no output moves by more than rounding does.
    """
    rest = kernel.astype(np.float64)
    allowed = KEEPS * np.finfo(kernel.dtype).eps * np.abs(rest).sum()
    columns, rows = [], []
    for _ in range(min(most, *kernel.shape)):
        at = np.unravel_index(np.abs(rest).argmax(), rest.shape)
        pivot = rest[at]
        if pivot == 0:
            break
        column, row = rest[:, at[1]].copy(), rest[at[0]] / pivot
        rest -= np.outer(column, row)
        columns.append(column)
        rows.append(row)
        if np.abs(rest).sum() <= allowed:
            break
    if np.abs(rest).sum() > allowed:
        return None
    if not columns:
        return Parts(np.zeros((1, kernel.shape[0])), np.zeros((1, kernel.shape[1])))
    return _ordered(np.array(columns), np.array(rows)) if len(columns) > 1 else _evened(np.array(columns), np.array(rows))


def whole(kernel: np.ndarray) -> Parts:
    """Return a kernel (KH, KW) as all the parts of its SVD, however many that are."""
    u, sizes, v = np.linalg.svd(kernel.astype(np.float64), full_matrices=False)
    root = np.sqrt(sizes)
    return Parts((u * root).T, v * root[:, None])


def _ordered(columns: np.ndarray, rows: np.ndarray) -> Parts:
    """Return the same sum with parts at right angles, largest first: the SVD of columns.T @ rows by way of two thin QRs."""
    left, up = np.linalg.qr(columns.T)
    right, down = np.linalg.qr(rows.T)
    u, sizes, v = np.linalg.svd(up @ down.T)
    root = np.sqrt(sizes)
    return Parts((left @ (u * root)).T, (right @ (v.T * root)).T)


def _evened(columns: np.ndarray, rows: np.ndarray) -> Parts:
    """Share the size evenly between column and row, so that neither overflows float32."""
    factor = np.sqrt(np.abs(rows).max() / np.abs(columns).max())
    return Parts(columns * factor, rows / factor)
