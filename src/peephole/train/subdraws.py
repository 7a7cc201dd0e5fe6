"""Models of parts of the photos, asked about the rest: where a learning curve comes from."""

import time
from collections.abc import Callable

import numpy as np

from peephole.data.photoset import PhotoSet
from peephole.train.curve import Asked
from peephole.train.learner import Learner

__all__ = ["sizes_of", "sub_draws"]

# Shares of each label's sources that are learned from; a network trained from nothing affords fewer.
SHARES = {"frozen": (0.2, 0.35, 0.5, 0.7, 0.9), "train": (0.25, 0.5, 0.8), "finetune": (0.25, 0.5, 0.8)}
TURNS = {"frozen": 24, "train": 6, "finetune": 6}  # draws of each size, time permitting


def _sources(photos: PhotoSet) -> list[np.ndarray]:
    return [np.unique(photos.sources[photos.labels == label]) for label in range(len(photos.names))]


def sizes_of(photos: PhotoSet, fit: str) -> list[np.ndarray]:
    """Return for each size how many sources of each label (labels,) are learned from: at least one, and one at least is held out."""
    counts = np.array([len(own) for own in _sources(photos)])
    found: dict[float, np.ndarray] = {}
    for share in SHARES[fit]:
        size = np.clip(np.round(share * counts), 1, counts - 1).astype(int)
        found[float(size.mean())] = size
    return [found[mean] for mean in sorted(found)]


def sub_draws(learner: Learner, photos: PhotoSet, *, end: float, seed: int, note: Callable[[int, int], None]) -> tuple[Asked, int]:
    """Learn from draws of each size and ask about the photos left over; also return how many draws of each size there were.

    One draw of each size is always made; no further turn begins after `end` (seconds of time.perf_counter). `photos` holds no stranger, and the
    learner knows them by the same indices.
    """
    fit = learner.recipe.fit
    owners, sizes, turns = _sources(photos), sizes_of(photos, fit), TURNS[fit]
    wrong, asked = np.zeros((len(photos), len(sizes))), np.zeros((len(photos), len(sizes)))
    done = 0
    for turn in range(turns):
        begun = time.perf_counter()
        for number, size in enumerate(sizes):
            rng = np.random.default_rng([seed, turn, number])
            chosen = np.concatenate([rng.permutation(own)[:count] for own, count in zip(owners, size, strict=True)])
            taught = np.isin(photos.sources, chosen)
            rest = np.flatnonzero(~taught)
            logits, _ = learner.learn(np.flatnonzero(taught), photos.labels, 1.0).answers(rest)
            asked[rest, number] += 1
            wrong[rest, number] += logits.argmax(1) != photos.labels[rest]
            note(turn * len(sizes) + number + 1, turns * len(sizes))
        done += 1
        if time.perf_counter() + (time.perf_counter() - begun) > end:
            break
    means = np.array([size.mean() for size in sizes])
    return Asked(means, wrong, asked, photos.labels, photos.sources), done
