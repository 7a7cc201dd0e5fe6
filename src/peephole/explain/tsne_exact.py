"""t-SNE as it is written down, every number in the open (van der Maaten & Hinton 2008; MATH section 6): for lessons and for checking the fast one.

Everything is exact and of the order of n squared: fit for some hundred points. Maps are drawn by openTSNE (`tsne`).
"""

import numpy as np

from peephole.base.errors import InputError

__all__ = ["bandwidths", "conditional", "divergence", "gradient", "joint", "perplexities", "squared_distances", "student"]

TRIES, CLOSE = 200, 1e-10  # of the bisection; bits of entropy
LEAST = 1e-300  # keeps the logarithm of a share that is zero away from the sum


def squared_distances(points: np.ndarray) -> np.ndarray:
    """Return squared Euclidean distances (n, n) of points (n, d) or (n,)."""
    x = np.asarray(points, np.float64).reshape(len(points), -1)
    found = np.zeros((len(x), len(x)))
    for column in x.T:  # difference by difference: the shorter |a|² + |b|² - 2ab loses digits where points are near
        found += (column[:, None] - column[None, :]) ** 2
    return found


def conditional(squared: np.ndarray, sigma: np.ndarray | float) -> np.ndarray:
    """Return p_{j|i} (n, n) of squared distances (n, n): exp(-d² / 2 sigma_i²) over its sum, rows sum to 1, the diagonal is 0.

    `sigma` (n,) or one number > 0, in the units of the distances.
    """
    widths = np.broadcast_to(np.asarray(sigma, np.float64), (len(squared),))
    powers = -squared / (2 * widths[:, None] ** 2)
    np.fill_diagonal(powers, -np.inf)
    powers = np.exp(powers - powers.max(axis=1, keepdims=True))  # the nearest gets 1, so that no row is all zero
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def perplexities(shares: np.ndarray) -> np.ndarray:
    """Return 2^H (n,) of rows of shares (n, n), H in bits: between how many points each row is about undecided, 1..n - 1."""
    bits = -(shares * np.log2(np.maximum(shares, LEAST))).sum(axis=1)
    return np.asarray(2.0**bits)


def bandwidths(squared: np.ndarray, perplexity: float) -> np.ndarray:
    """Return sigma_i (n,) at which each row of p_{j|i} has this perplexity, found by bisection; raises InputError unless 1 < perplexity < n - 1."""
    n = len(squared)
    if not 1 < perplexity < n - 1:
        raise InputError(f"a perplexity of {perplexity:g} is not between 1 and {n - 1} for {n} points", "give one that is, or more points")
    scale = np.sqrt(squared.max(axis=1))
    low, high = np.zeros(n), np.maximum(scale, 1e-12) * 1e3
    for _ in range(TRIES):
        middle = (low + high) / 2
        found = perplexities(conditional(squared, np.maximum(middle, 1e-150)))
        low, high = np.where(found < perplexity, middle, low), np.where(found < perplexity, high, middle)
        if np.abs(np.log2(found) - np.log2(perplexity)).max() < CLOSE:
            break
    return np.asarray((low + high) / 2)


def joint(shares: np.ndarray) -> np.ndarray:
    """Return P (n, n): p_ij = (p_{j|i} + p_{i|j}) / 2n, symmetric, all of it sums to 1."""
    return np.asarray((shares + shares.T) / (2 * len(shares)))


def _nearness(points: np.ndarray) -> np.ndarray:
    """(1 + |y_i - y_j|²)^-1 with a diagonal of 0."""
    near = 1 / (1 + squared_distances(points))
    np.fill_diagonal(near, 0.0)
    return np.asarray(near)


def student(points: np.ndarray) -> np.ndarray:
    """Return Q (n, n) of a map (n, 2): q_ij = (1 + |y_i - y_j|²)^-1 over the sum of all of them."""
    near = _nearness(points)
    return np.asarray(near / near.sum())


def divergence(wanted: np.ndarray, shown: np.ndarray) -> float:
    """Return KL(P || Q) in nats, >= 0: what a map loses; 0 only where Q is P."""
    there = wanted > 0
    return float((wanted[there] * np.log(wanted[there] / np.maximum(shown[there], LEAST))).sum())


def gradient(wanted: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return dKL/dy (n, 2) of a map (n, 2): 4 sum_j (p_ij - q_ij)(y_i - y_j)(1 + |y_i - y_j|²)^-1; its columns sum to 0."""
    y = np.asarray(points, np.float64)
    pull = (wanted - student(y)) * _nearness(y)
    return np.asarray(4 * (pull.sum(axis=1)[:, None] * y - pull @ y))
