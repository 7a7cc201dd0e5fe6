"""How far a map can be believed: what it keeps of neighbours and distances, whether it agrees with a geography beyond chance; numpy only.

Trustworthiness and continuity after Venna & Kaski 2001, the Mantel test after Mantel 1967, Procrustes after Gower 1975 with the permutations of
Jackson 1995. Every p is (1 + those at least as good) / (1 + permutations): never zero.
"""

from dataclasses import dataclass

import numpy as np

from peephole.base.errors import InputError

__all__ = ["PERMUTATIONS", "Agreement", "Faithfulness", "distances", "faithfulness", "mantel", "procrustes", "ranks", "spearman"]

PERMUTATIONS = 9_999
SAMPLE = 2_000  # points; distances between more of them would take more memory than they tell
LARGEST = 1_000  # places of a permutation test
TOGETHER = 64 * 2**20  # bytes of one batch of permutations


@dataclass(frozen=True)
class Faithfulness:
    """What a map keeps, counted on `n` of its points.

    `trustworthiness` 0..1: are neighbours on the map neighbours in truth (1: all of the `k` nearest)? `continuity` 0..1: are neighbours in truth
    neighbours on the map? `agreement` 0..1: the share of the k nearest that both have; `chance` is what a map by lot would have. `spearman` -1..1:
    rank correlation of all distances. `sampled` when the map has more points than `n`.
    """

    n: int
    k: int
    trustworthiness: float
    continuity: float
    agreement: float
    chance: float
    spearman: float
    sampled: bool


@dataclass(frozen=True)
class Agreement:
    """A measure of agreement with a reference, its `p` of chance and how many permutations it was counted over."""

    value: float
    p: float
    permutations: int


def distances(points: np.ndarray) -> np.ndarray:
    """Return Euclidean distances (n, n) of points (n, d), symmetric, with a diagonal of exact zeros."""
    x = np.asarray(points, np.float64)
    x = x - x.mean(axis=0)  # near the origin the products below lose fewer digits
    squares = (x * x).sum(axis=1)
    found = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * x @ x.T, 0.0))
    found = (found + found.T) / 2
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks (n,) from 1, equal values sharing the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place])


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    """Pearson's r; NaN where one of them does not vary."""
    a, b = one - one.mean(), two - two.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else float("nan")


def spearman(one: np.ndarray, two: np.ndarray) -> float:
    """Return the rank correlation, -1..1, of values (n,) and (n,); NaN where one of them does not vary."""
    return _correlation(ranks(one), ranks(two))


def _orders(far: np.ndarray) -> np.ndarray:
    """Return for each point (row) all others from the nearest to the farthest, int (n, n - 1)."""
    own = far.copy()
    np.fill_diagonal(own, -1.0)
    return np.asarray(np.argsort(own, axis=1, kind="stable")[:, 1:])


def _intruders(truth: np.ndarray, shown: np.ndarray, k: int) -> float:
    """1 - how far down the list of `truth` the k nearest of `shown` stand: trustworthiness; with the two exchanged continuity."""
    n = len(truth)
    place = np.empty((n, n), np.int64)
    np.put_along_axis(place, truth, np.arange(1, n)[None, :], axis=1)
    beyond = np.take_along_axis(place, shown[:, :k], axis=1) - k
    return float(1 - 2 * np.maximum(beyond, 0).sum() / (n * k * (2 * n - 3 * k - 1)))


def faithfulness(truth: np.ndarray, shown: np.ndarray, k: int = 10, *, seed: int = 7) -> Faithfulness:
    """Compare points (n, d) with their map (n, 2).

    `k` is lowered to (n - 1) // 2 at most, where the measures end; over 2,000 points a sample of 2,000 speaks for all. Raises InputError for fewer
    than 3 points or another number of them on the map.
    """
    n = len(truth)
    if n < 3 or len(shown) != n:
        raise InputError(f"{n} points and {len(shown)} on the map cannot be compared", "give 3 points or more, and each its place on the map")
    sampled = n > SAMPLE
    if sampled:
        rows = np.sort(np.random.default_rng(seed).choice(n, SAMPLE, replace=False))
        truth, shown, n = truth[rows], shown[rows], SAMPLE
    k = max(1, min(k, (n - 1) // 2))
    far, seen = distances(truth), distances(shown)
    orders = _orders(far), _orders(seen)
    same = np.mean([len(np.intersect1d(a[:k], b[:k], assume_unique=True)) for a, b in zip(*orders, strict=True)]) / k
    above = np.triu_indices(n, 1)
    return Faithfulness(
        n=n,
        k=k,
        trustworthiness=_intruders(orders[0], orders[1], k),
        continuity=_intruders(orders[1], orders[0], k),
        agreement=float(same),
        chance=k / (n - 1),
        spearman=spearman(far[above], seen[above]),
        sampled=sampled,
    )


def _require_places(n: int, other: int, permutations: int) -> None:
    if n != other or not 4 <= n <= LARGEST:
        raise InputError(f"{n} and {other} places cannot be compared", f"give the same 4 to {LARGEST:,} places to both, in the same order")
    if permutations < PERMUTATIONS:
        raise InputError(f"{permutations} permutations are too few for a p that can be told", f"give {PERMUTATIONS:,} or more")


def _orderings(n: int, permutations: int, seed: int) -> np.ndarray:
    """Return int (permutations, n): each row an order of the places by lot."""
    draw = np.random.default_rng(seed)
    return draw.permuted(np.tile(np.arange(n, dtype=np.int32), (permutations, 1)), axis=1)


def _p(found: float, by_lot: np.ndarray) -> float:
    # Another order of the same sum differs in the last digits and is still the same.
    return float((1 + (by_lot >= found - 1e-12).sum()) / (1 + len(by_lot)))


def mantel(one: np.ndarray, two: np.ndarray, *, permutations: int = PERMUTATIONS, seed: int = 7) -> Agreement:
    """Return Pearson's r of two matrices of distances (n, n) over all pairs, and its one-sided p by permuting the places of one of them.

    Raises InputError for matrices of different sizes, fewer than 4 or more than 1,000 places, fewer than 9,999 permutations, and for distances that
    are all the same or not numbers: there is nothing to agree with, and chance could not be told.
    """
    n = len(one)
    _require_places(n, len(two), permutations)
    above = np.triu_indices(n, 1)
    a, b = np.asarray(one, np.float64)[above], np.asarray(two, np.float64)
    found = _correlation(a, b[above])
    if not np.isfinite(found):
        raise InputError("distances that are all the same, or not numbers, agree with nothing", "give places that differ")
    a = (a - a.mean()) / np.linalg.norm(a - a.mean())
    b = (b - b[above].mean()) / np.linalg.norm(b[above] - b[above].mean())
    orders = _orderings(n, permutations, seed)
    step = max(1, TOGETHER // (8 * len(a)))
    by_lot = [b[orders[at : at + step, above[0]], orders[at : at + step, above[1]]] @ a for at in range(0, permutations, step)]
    return Agreement(found, _p(found, np.concatenate(by_lot)), permutations)


def _unit(points: np.ndarray) -> np.ndarray:
    """Centre points (n, d) and scale them to a sum of squares of 1."""
    x = np.asarray(points, np.float64)
    x = x - x.mean(axis=0)
    size = np.linalg.norm(x)
    if not 0 < size < float("inf"):  # NaN is neither
        raise InputError("all places are one and the same, or not numbers, so there is no shape to compare", "give places that differ")
    return np.asarray(x / size)


def procrustes(shown: np.ndarray, reference: np.ndarray, *, permutations: int = PERMUTATIONS, seed: int = 7) -> Agreement:
    """Return R² 0..1 of a map (n, 2) turned, mirrored, scaled and shifted onto reference places (n, 2), with its p by permuting the places.

    R² = (sum of singular values)² of X'Y, both centred and of size 1: the share of the reference's variance that the map explains.
    Raises InputError as `mantel`, and for places that are all the same.
    """
    _require_places(len(shown), len(reference), permutations)
    x, y = _unit(shown), _unit(reference)

    def explained(others: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.svd(np.einsum("ni,bnj->bij", x, others), compute_uv=False).sum(axis=1) ** 2)

    found = float(explained(y[None])[0])
    orders = _orderings(len(x), permutations, seed)
    step = max(1, TOGETHER // (8 * y.size))
    by_lot = np.concatenate([explained(y[orders[at : at + step]]) for at in range(0, permutations, step)])
    return Agreement(found, _p(found, by_lot), permutations)
