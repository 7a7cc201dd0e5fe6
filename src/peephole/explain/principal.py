"""Principal components: the flat picture that keeps the most variance, the same for the same points; numpy only.

On Euclidean distances classical multidimensional scaling gives the very same picture, so there is no second one of that name.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Principal", "principal"]


@dataclass(frozen=True, eq=False)
class Principal:
    """The `mean` (d,) and directions `axes` (m, d) of unit length, largest variance first; `shares` (m,) 0..1 of all the variance."""

    mean: np.ndarray
    axes: np.ndarray
    shares: np.ndarray

    def place(self, points: np.ndarray) -> np.ndarray:
        """Return points (n, d) along the axes, (n, m); points that were not there at the start take their place the same way."""
        return np.asarray((np.asarray(points, np.float64) - self.mean) @ self.axes.T)


def principal(points: np.ndarray, most: int = 2) -> Principal:
    """Return the `most` first principal components of points (n, d), fewer where there are fewer dimensions; signs are fixed."""
    x = np.asarray(points, np.float64)
    mean = x.mean(axis=0)
    centred = x - mean
    if len(x) > x.shape[1]:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        values, axes = np.maximum(values[::-1], 0.0), vectors.T[::-1]
    else:
        _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
        values = sizes**2
    axes = axes[:most].copy()
    strongest = np.abs(axes).argmax(axis=1)
    axes *= np.where(axes[np.arange(len(axes)), strongest] < 0, -1.0, 1.0)[:, None]
    total = values.sum()
    return Principal(mean, axes, values[:most] / total if total > 0 else np.zeros(len(axes)))
