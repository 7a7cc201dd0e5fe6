"""Scores of examples by models that did not learn from them, and of labels by models that have never seen them.

This is where few examples are made to do two jobs honestly: each is held out once, so what comes out is an estimate and
is called one (EVIDENCE).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from peephole.data.dataset import PhotoSet
from peephole.decide.familiarity import centre_of, familiarity, similarity
from peephole.train.learner import Frozen, Learner, Model

__all__ = ["HeldOut", "Strange", "fewer", "groups_of", "held_out", "labels_in_turn", "score"]

GROUPS = 4  # of labels, each held out once where every one costs a training
LEAST_PARTS = 2  # what is held out in turn needs two parts at least


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out examples: logits (n, L), labels (n,), familiarity (n, L), their indices in the set (n,)."""

    logits: np.ndarray
    labels: np.ndarray
    familiarity: np.ndarray
    indices: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Bool (n,): the best label is the true one."""
        return np.asarray(self.logits.argmax(1) == self.labels)

    @property
    def genuine(self) -> np.ndarray:
        """The familiarity (n,) of the label that each example is taken for."""
        return np.asarray(np.take_along_axis(self.familiarity, self.logits.argmax(1)[:, None], 1)[:, 0])


@dataclass(frozen=True, eq=False)
class Strange:
    """Labels held out in turn: the best familiarity of examples that are known (genuine) and of those that are not (impostors)."""

    genuine: np.ndarray
    impostors: np.ndarray
    labels: int


def score(model: Model, known: np.ndarray, known_labels: np.ndarray, asked: np.ndarray, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and familiarity (n, labels) of the `asked` photos against `known` ones, by index."""
    _, inside = model.answers(known)
    logits, embedding = model.answers(asked)
    return logits, familiarity(similarity(embedding, inside, centre_of(inside, known_labels)), known_labels, labels)


def held_out(learner: Learner, photos: PhotoSet, folds: tuple[np.ndarray, ...], *, share: float, note: Callable[[], None]) -> HeldOut:
    """Learn from all folds but one for `share` of the final training's steps, score that one, for each in turn; `note` is called after each."""
    everything = np.concatenate(folds)
    logits, familiar = [], []
    for fold in folds:
        rest = np.setdiff1d(everything, fold)
        model = learner.learn(rest, photos.labels, share)
        found = score(model, rest, photos.labels[rest], fold, len(photos.names))
        logits.append(found[0])
        familiar.append(found[1])
        note()
    return HeldOut(np.concatenate(logits), photos.labels[everything], np.concatenate(familiar), everything)


def fewer(folds: tuple[np.ndarray, ...], count: int = LEAST_PARTS) -> tuple[np.ndarray, ...]:
    """Join folds into at most `count`, where the time is short; each still holds a source of every label."""
    return folds if len(folds) <= count else tuple(np.sort(np.concatenate(folds[at::count])) for at in range(count))


def groups_of(labels: int, hurried: bool) -> int:
    """Return how many groups of labels are held out in turn: 0 with fewer than 3 labels, since one label alone can be told from nothing."""
    if labels < 3:
        return 0
    return min(labels, 3 if labels == 3 and hurried else LEAST_PARTS if hurried else GROUPS)


def _groups(labels: int, most: int, seed: int) -> list[np.ndarray]:
    """Deal the labels into at most `most` groups to be held out in turn."""
    return [np.sort(group) for group in np.array_split(np.random.default_rng(seed).permutation(labels), min(labels, most))]


def labels_in_turn(
    learner: Learner, photos: PhotoSet, among: np.ndarray, fold: np.ndarray, *, share: float, note: Callable[[], None], hurried: bool = False
) -> Strange | None:
    """Learn without a group of labels, then meet them as strangers; `fold` is held out too and gives the genuine scores.

    Fewer groups where the training is `hurried`. None with fewer than 3 labels: what tells one label from nothing says little about
    what tells two from a stranger.
    """
    count = len(photos.names)
    if not groups_of(count, hurried):
        return None
    groups = _groups(count, count if isinstance(learner, Frozen) else groups_of(count, hurried), learner.recipe.seed)
    genuine, impostors = [], []
    for group in groups:
        away = np.isin(photos.labels, group)
        rest = among[~away[among] & ~np.isin(among, fold)]
        renumbered = np.full(len(photos), -1)
        for new, old in enumerate(np.setdiff1d(np.arange(count), group)):
            renumbered[photos.labels == old] = new
        left = count - len(group)
        model = learner.learn(rest, renumbered, share / len(groups))
        strangers, known_held = among[away[among]], fold[~away[fold]]
        _, inside = score(model, rest, renumbered[rest], np.concatenate([known_held, strangers]), left)
        best = inside.max(1)
        genuine.append(best[: len(known_held)])
        impostors.append(best[len(known_held) :])
        note()
    return Strange(np.concatenate(genuine), np.concatenate(impostors), count)
