"""Groups among embeddings: k-means and HDBSCAN, each with how stable it is and whether points without any groups would give as much; needs `explore`.

Groups are looked for among the embeddings, never on the map: a map tears and squeezes. k-means always finds groups, also in noise, so its
silhouette stands beside those of the same columns shuffled one by one, which keep every spread and lose every group.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

__all__ = ["MOST", "Clusters", "groups"]

MOST = 5_000  # points for HDBSCAN, which compares all with all
SAMPLE = 500  # points that a silhouette is counted on
WIDEST = 12  # groups that k-means is asked for
RUNS, SHUFFLES = 20, 19
PART = 0.8  # of the points in a run of HDBSCAN: a point drawn twice would look like a dense place


@dataclass(frozen=True, eq=False)
class Clusters:
    """Groups found by a `method` ("k-means" or "hdbscan") among n points.

    `groups` int (n,) numbers them from 0, the largest first, -1 is none (noise); `count` of them, `noise` points in none. `silhouette` -1..1
    of the points in groups (None below 2 groups); `chance` is the largest that the same method has among 19 shuffles (-1 where it finds no groups
    there): groups that do not beat it may be noise.
    `stability` is the mean adjusted Rand index 0..1 over `runs` draws of the points (k-means: with replacement; HDBSCAN: 80 % of them),
    `least` and `most` the smallest and the largest; None without runs. `labels_agree` is the index with the points' labels, None without labels.
    """

    method: str
    groups: np.ndarray
    count: int
    noise: int
    silhouette: float | None
    chance: float
    stability: float | None
    least: float | None
    most: float | None
    runs: int
    labels_agree: float | None

    @property
    def beyond_chance(self) -> bool:
        """Whether there are groups, clearer than those in each of 19 shuffles of the same columns (p = 0.05)."""
        return self.silhouette is not None and self.silhouette > self.chance


def _ordered(found: np.ndarray) -> np.ndarray:
    """Number groups by size, the largest 0, then by their first point; -1 stays."""
    names, first, sizes = np.unique(found[found >= 0], return_index=True, return_counts=True)
    number = {names[at]: rank for rank, at in enumerate(np.lexsort((first, -sizes)))}
    return np.array([number.get(each, -1) for each in found], np.int64)


def _silhouette(vectors: np.ndarray, found: np.ndarray) -> float | None:
    inside = np.flatnonzero(found >= 0)
    if len(inside) > SAMPLE:
        inside = inside[np.linspace(0, len(inside) - 1, SAMPLE).astype(int)]
    many = len(np.unique(found[inside]))
    return float(silhouette_score(vectors[inside], found[inside])) if 2 <= many < len(inside) else None


def _means(vectors: np.ndarray, count: int, seed: int) -> KMeans:
    return KMeans(count, n_init=3, random_state=seed).fit(vectors)


def _best(vectors: np.ndarray, seed: int) -> tuple[int, float | None]:
    """Return for how many groups, 2 to 12, the silhouette of k-means is largest, and how large it is; 0 and None where it cannot be run."""
    different = len(np.unique(vectors, axis=0))
    tried = range(2, min(WIDEST, different, len(vectors) - 1) + 1)
    scores = [(_silhouette(vectors, _means(vectors, count, seed).labels_), -count) for count in tried]
    score, count = max(((score, count) for score, count in scores if score is not None), default=(None, 0))
    return -count, score


def _chance(vectors: np.ndarray, seed: int, how: Callable[[np.ndarray], float | None]) -> float:
    """Return the largest silhouette that a method has among shuffles of the columns; -1 where it finds no groups in any."""
    draw = np.random.default_rng(seed)
    some = vectors if len(vectors) <= SAMPLE else vectors[draw.choice(len(vectors), SAMPLE, replace=False)]
    found = [how(draw.permuted(some, axis=0)) for _ in range(SHUFFLES)]
    return max((each for each in found if each is not None), default=-1.0)


def _summary(method: str, found: np.ndarray, *, vectors: np.ndarray, labels: np.ndarray | None, chance: float, agreed: list[float]) -> Clusters:
    return Clusters(
        method=method,
        groups=_ordered(found),
        count=len(np.unique(found[found >= 0])),
        noise=int((found < 0).sum()),
        silhouette=_silhouette(vectors, found),
        chance=chance,
        stability=float(np.mean(agreed)) if agreed else None,
        least=min(agreed, default=None),
        most=max(agreed, default=None),
        runs=len(agreed),
        labels_agree=None if labels is None else float(adjusted_rand_score(labels, found)),
    )


def _by_means(vectors: np.ndarray, labels: np.ndarray | None, seed: int) -> Clusters | None:
    some = vectors if len(vectors) <= MOST else vectors[np.linspace(0, len(vectors) - 1, MOST).astype(int)]
    count, _ = _best(some, seed)
    if count < 2:
        return None
    found = _means(vectors, count, seed).labels_
    draw, agreed = np.random.default_rng(seed), []
    for run in range(RUNS):
        rows = draw.integers(0, len(vectors), len(vectors))
        if len(np.unique(vectors[rows], axis=0)) >= count:
            agreed.append(float(adjusted_rand_score(found, _means(vectors[rows], count, seed + run).predict(vectors))))
    chance = _chance(vectors, seed, lambda some: _best(some, seed)[1])
    return _summary("k-means", found, vectors=vectors, labels=labels, chance=chance, agreed=agreed)


def _dense(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(HDBSCAN(min_cluster_size=max(4, len(vectors) // 40), copy=True).fit(vectors).labels_)


def _by_density(vectors: np.ndarray, labels: np.ndarray | None, seed: int) -> Clusters | None:
    if not 10 <= len(vectors) <= MOST:
        return None
    found = _dense(vectors)
    draw, agreed = np.random.default_rng(seed), []
    for _ in range(RUNS):
        rows = np.sort(draw.choice(len(vectors), int(PART * len(vectors)), replace=False))
        agreed.append(float(adjusted_rand_score(found[rows], _dense(vectors[rows]))))
    chance = _chance(vectors, seed, lambda some: _silhouette(some, _dense(some)))
    return _summary("hdbscan", found, vectors=vectors, labels=labels, chance=chance, agreed=agreed)


def groups(vectors: np.ndarray, labels: np.ndarray | None = None, *, seed: int = 7) -> tuple[Clusters, ...]:
    """Return the groups of k-means (as many as have the largest silhouette) and of HDBSCAN among float vectors (n, d).

    `labels` int (n,) are only compared with. A method is left out where it cannot be run: k-means with fewer than 3 different points, HDBSCAN with
    fewer than 10 or more than 5,000.
    """
    return tuple(found for found in (_by_means(vectors, labels, seed), _by_density(vectors, labels, seed)) if found is not None)
