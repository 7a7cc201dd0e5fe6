"""Which photos may carry the wrong label: each is judged by all others but its own source, and flagged when they say another label.

The judge is kernel ridge regression, whose leave-one-out answers need no second fit (Rifkin & Lippert 2007, "Notes on Regularized Least Squares"),
here leave-one-source-out: near copies never vouch for each other. Pictures are compared by gradient histograms, the pretrained features or both,
whichever foretells the labels best. The features keep their mean: centred over all photos, what is held out is minus the sum of the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peephole.base.evidence import counted

__all__ = ["LEAD", "PART", "Compared", "compare", "judge", "lead", "left_out", "shares", "told", "unsure"]

# From so much of a lead of another label a photo is called doubtful; the held-out answers of a training need more. Tuning draws, docs/log.md.
LEAD, LEAD_HELD_OUT = 0.25, 0.6
# Shares of fine gradients, coarse gradients and pretrained features; softness of the fit. What the data likes best is taken.
MIXES = ((1, 0, 0), (0.5, 0.5, 0), (0, 1, 0), (0.25, 0.25, 0.5), (0.1, 0.1, 0.8), (0.4, 0.4, 0.2), (0.5, 0, 0.5), (0, 0.5, 0.5), (0, 0, 1))
SOFTNESS = (0.01, 0.03, 0.1)
# For photos of things the pretrained features are kept unless others are this much better.
FAVOUR = 0.8
PART = 2000  # photos judged together
SOME = 3


@dataclass(frozen=True)
class Compared:
    """How pictures are compared: the shares of fine gradients, coarse gradients and pretrained features, and the softness of the fit."""

    mix: tuple[float, float, float]
    softness: float


def _cosines(features: np.ndarray) -> np.ndarray:
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)
    return np.asarray(unit @ unit.T, np.float64)


def left_out(alike: np.ndarray, labels: np.ndarray, sources: np.ndarray, count: int, softness: float) -> np.ndarray:
    """Return answers (N, count) for every photo by a ridge regression onto the labels that saw neither it nor its copies.

    Each answer is the share of its label minus 1 / count. `alike` (N, N) is a kernel, to which 1 is added for the offset.
    """
    targets = np.eye(count)[labels] - 1 / count
    inverse = np.linalg.inv(alike + 1 + softness * np.eye(len(labels)))
    pulled = inverse @ targets
    missed = pulled / np.diag(inverse)[:, None]
    numbers, members = np.unique(sources, return_counts=True)
    for source in numbers[members > 1]:
        own = np.flatnonzero(sources == source)
        missed[own] = np.linalg.solve(inverse[np.ix_(own, own)], pulled[own])
    return np.asarray(targets - missed)


def mixed(features: Sequence[np.ndarray | None], mix: Sequence[float]) -> np.ndarray:
    """Return the cosines (N, N) of features of several kinds, each (N, ...), in the shares of `mix`."""
    return np.asarray(sum(share * _cosines(found) for share, found in zip(mix, features, strict=True) if found is not None and share))


def compare(features: Sequence[np.ndarray | None], labels: np.ndarray, sources: np.ndarray, count: int, *, things: bool) -> Compared:
    """Choose how to compare by the squared error of the left-out answers; `features` are (N, ...) of the three kinds, None where there is none."""
    targets = np.eye(count)[labels] - 1 / count
    best, least = None, np.inf
    for mix in MIXES:
        if any(share and found is None for share, found in zip(mix, features, strict=True)):
            continue
        alike = mixed(features, mix)
        for softness in SOFTNESS:
            cost = float(((left_out(alike, labels, sources, count, softness) - targets) ** 2).sum(1).mean())
            cost *= FAVOUR if things and mix == MIXES[-1] else 1.0
            if cost < least:
                best, least = Compared((float(mix[0]), float(mix[1]), float(mix[2])), softness), cost
    assert best is not None  # gradients are always there
    return best


def judge(
    features: Sequence[np.ndarray | None], labels: np.ndarray, sources: np.ndarray, count: int, how: Compared
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return answers (N, count) by the other sources, the lead (N,) of another label, and the cosines (N, N) behind them.

    The lead is minus infinity where no other source has the photo's label: nothing could speak for it.
    """
    alike = mixed(features, how.mix)
    answers = left_out(alike, labels, sources, count, how.softness)
    several = np.array([len(np.unique(sources[labels == label])) > 1 for label in range(count)])
    return answers, np.where(several[labels], lead(answers, labels), -np.inf), alike


def shares(answers: np.ndarray) -> np.ndarray:
    """Turn answers (N, labels) into shares that are at least 0 and add up to 1."""
    positive = np.maximum(answers + 1 / answers.shape[1], 0) + 1e-9
    return np.asarray(positive / positive.sum(1, keepdims=True))


def lead(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return (N,) how far the best other label leads a photo's own."""
    own = np.take_along_axis(answers, labels[:, None], 1)[:, 0]
    others = answers.copy()
    np.put_along_axis(others, labels[:, None], -np.inf, 1)
    return np.asarray(others.max(1) - own)


def unsure(logits: np.ndarray, labels: np.ndarray, temperature: float) -> np.ndarray:
    """Return indices of held-out photos (logits (n, labels)) that a calibrated network would give another label, the surest first."""
    scaled = logits / temperature
    odds = np.exp(scaled - scaled.max(1, keepdims=True))
    ahead = lead(odds / odds.sum(1, keepdims=True), labels)
    found = np.argsort(-ahead, kind="stable")
    return found[ahead[found] > LEAD_HELD_OUT]


def told(ids: Sequence[str], logits: np.ndarray, labels: np.ndarray, temperature: float, root: str) -> str:
    """Return what to say after a training of the photos (ids and held-out logits, n of each) whose label is in doubt; "" for none."""
    found = unsure(logits, labels, temperature)
    if not len(found):
        return ""
    some = ", ".join(ids[at] for at in found[:SOME]) + (f", and {len(found) - SOME} more" if len(found) > SOME else "")
    return f"{counted(len(found), 'photo')} may carry the wrong label: {some}; look with: peephole doubt {root}"
