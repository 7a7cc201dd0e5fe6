"""How near an embedding is to the known examples; the numpy twin of what the model file computes in its graph.

k nearest neighbours in a centred embedding under the cosine (cf. Sun et al. 2022, "Out-of-Distribution Detection with Deep Nearest
Neighbors"): the familiarity of a label is the mean cosine with its k nearest known examples.
"""

import numpy as np

__all__ = ["K", "centre_of", "choose_known", "familiarity", "margin", "similarity"]


K = 3  # nearest known examples that count (CONTRACTS section 2)


def centre_of(known: np.ndarray, known_labels: np.ndarray) -> np.ndarray:
    """Return the middle (D,) of the labels' means, so that a label with many examples does not pull it; zero for a single label."""
    found = np.unique(known_labels)
    if len(found) < 2:
        return np.zeros(known.shape[1], np.float32)
    return np.asarray(np.mean([known[known_labels == label].mean(0) for label in found], axis=0, dtype=np.float32))


def similarity(embedding: np.ndarray, known: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return cosines (N, M), -1..1, between embeddings (N, D) and known ones (M, D) after `centre` (D,) was taken from both."""

    def unit(vectors: np.ndarray) -> np.ndarray:
        centred = np.asarray(vectors, np.float32) - centre
        return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))

    return np.asarray(unit(embedding) @ unit(known).T)


def familiarity(similar: np.ndarray, known_labels: np.ndarray, labels: int, k: int = K) -> np.ndarray:
    """Return (N, labels): the mean of the k largest similarities to each label's known examples (all of them where there are fewer)."""
    columns = []
    for label in range(labels):
        own = similar[:, known_labels == label]
        nearest = min(k, own.shape[1])
        columns.append(-np.partition(-own, nearest - 1, axis=1)[:, :nearest].mean(1) if nearest else np.full(len(similar), -2.0))
    return np.stack(columns, 1)


def margin(familiar: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Return how far the label `best` (N,) leads the next one in `familiar` (N, labels); negative when another is nearer, 2 with one label."""
    own = np.take_along_axis(familiar, best[:, None], 1)[:, 0]
    others = familiar.copy()
    np.put_along_axis(others, best[:, None], -np.inf, 1)
    return np.where(familiar.shape[1] > 1, own - others.max(1, initial=-np.inf), 2.0)


def choose_known(labels: np.ndarray, sources: np.ndarray, per_label: int, most: int, seed: int) -> np.ndarray:
    """Return indices of at most `per_label` known examples of each label and `most` in all, one of each source before a second of any."""
    rng = np.random.default_rng(seed)
    count = len(np.unique(labels))
    each = max(1, min(per_label, most // max(1, count)))
    chosen: list[np.ndarray] = []
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        _, first = np.unique(sources[own], return_index=True)
        later = np.setdiff1d(np.arange(len(own)), first)
        chosen.append(own[np.concatenate([np.sort(first), later])][:each])
    return np.sort(np.concatenate(chosen))
