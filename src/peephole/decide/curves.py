"""How a model does as a whole: each label with its bounds, how honest its probabilities are, what another line would cost; numpy only.

Every rate carries its n and an exact binomial interval (base/evidence). Strangers count once each, however many photos there are of one.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from peephole.base import evidence
from peephole.decide.evaluate import Examination
from peephole.decide.judge import accepts, softmax

__all__ = ["Bin", "Calibration", "Curves", "Det", "LabelScore", "Operating", "Wrong", "calibration", "curves", "det"]

BINS, LEAST = 10, 10  # of the reliability diagram; photos in one of them
LINES = 60  # of the DET curve
DRAWS = 2_000  # of a model that is calibrated by making, for comparison
Kind = Literal["stranger_in", "wrong_label", "turned_away"]


@dataclass(frozen=True)
class LabelScore:
    """One label: of `n` sources `right` have it as their best label, a `share` 0..1 with its two-sided 95 % `interval`.

    Of the same n, `recognised` were let in under it, `confused` under another one, `refused` were taken for strangers. A label without a photo is
    not listed.
    """

    label: str
    n: int
    right: int
    share: float
    interval: tuple[float, float]
    recognised: int
    confused: int
    refused: int


@dataclass(frozen=True)
class Bin:
    """About as many photos as in every other bin: `n` with a probability from `low` to `high`, on average `confidence`; `right` of them were.

    `share` is right / n with its two-sided 95 % `interval`.
    """

    low: float
    high: float
    n: int
    confidence: float
    right: int
    share: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """Does 80 % mean right four times of five? On `n` sources of known labels, in bins of equal mass.

    `ece` is the mean distance between confidence and share over the bins, 0..1. With so few photos it is never 0: a model whose probabilities were
    exactly true would show `honest` on average and `honest_most` at most in 95 of 100 cases.
    """

    n: int
    bins: tuple[Bin, ...]
    ece: float
    honest: float
    honest_most: float


@dataclass(frozen=True)
class Operating:
    """What a line on familiarity would do: `accepted` of the strangers let in, `rejected` of the known turned away or taken for another.

    `threshold` is the line, the rates are 0..1 with two-sided 95 % intervals.
    """

    threshold: float
    accepted: int
    false_accept: float
    accept_interval: tuple[float, float]
    rejected: int
    false_reject: float
    reject_interval: tuple[float, float]


@dataclass(frozen=True)
class Det:
    """False accepts against false rejects, line by line from lenient to strict, counted on so many `strangers` and `known` sources.

    `card` is the point at the model's own line; the lead over the next label that the card asks for is asked for at every line.
    """

    strangers: int
    known: int
    points: tuple[Operating, ...]
    card: Operating


@dataclass(frozen=True)
class Wrong:
    """A photo that was judged wrongly, by its `row` in the examination, and what `kind` of mistake it is."""

    row: int
    kind: Kind


@dataclass(frozen=True)
class Curves:
    """All of it; `calibration` is None without photos of known labels, `det` also without strangers. `wrong`: the worst first."""

    labels: tuple[LabelScore, ...]
    calibration: Calibration | None
    det: Det | None
    wrong: tuple[Wrong, ...]


def _labels(found: Examination) -> tuple[LabelScore, ...]:
    ones, best, scores = found.ones, found.best, []
    for number, label in enumerate(found.card.labels):
        own = ones[found.truth[ones] == number]
        if not len(own):
            continue
        right, given = int((best[own] == number).sum()), found.given[own]
        known, none = int((given == number).sum()), int((given < 0).sum())
        scores.append(
            LabelScore(
                label=label,
                n=len(own),
                right=right,
                share=right / len(own),
                interval=evidence.interval(right, len(own)),
                recognised=known,
                confused=len(own) - known - none,
                refused=none,
            )
        )
    return tuple(scores)


def _distance(parts: list[np.ndarray], confidence: np.ndarray, right: np.ndarray) -> float:
    return float(sum(abs(right[part].mean() - confidence[part].mean()) * len(part) for part in parts) / len(right))


def calibration(confidence: np.ndarray, right: np.ndarray, *, seed: int = 7) -> Calibration:
    """Return how well probabilities (n,), 0..1, of the best label say how often it is `right`, bool (n,); n >= 1."""
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, max(1, min(BINS, len(order) // LEAST)))
    bins = tuple(
        Bin(
            low=float(confidence[part[0]]),
            high=float(confidence[part[-1]]),
            n=len(part),
            confidence=float(confidence[part].mean()),
            right=int(right[part].sum()),
            share=float(right[part].mean()),
            interval=evidence.interval(int(right[part].sum()), len(part)),
        )
        for part in parts
    )
    draw = np.random.default_rng(seed)
    honest = [_distance(parts, confidence, draw.random(len(confidence)) < confidence) for _ in range(DRAWS)]
    return Calibration(len(order), bins, _distance(parts, confidence, right), float(np.mean(honest)), float(np.quantile(honest, 0.95)))


def _operating(line: float, strange: np.ndarray, known: np.ndarray) -> Operating:
    taken, missed = int((strange >= line).sum()), int((known < line).sum())
    return Operating(
        threshold=line,
        accepted=taken,
        false_accept=taken / len(strange),
        accept_interval=evidence.interval(taken, len(strange)),
        rejected=missed,
        false_reject=missed / len(known),
        reject_interval=evidence.interval(missed, len(known)),
    )


def det(strange: np.ndarray, known: np.ndarray, threshold: float) -> Det:
    """Return the curve for the score of every stranger (n,) and of every known source (m,), both >= 1; -inf is who is let in at no line.

    At most 60 lines are drawn, at every so many of the scores, and the model's own `threshold` always.
    """
    scores = np.unique(np.concatenate([strange, known]))
    scores = scores[np.isfinite(scores)]
    lines = np.append(scores, np.nextafter(scores[-1], np.inf)) if len(scores) else np.array([threshold])
    chosen = lines[np.unique(np.linspace(0, len(lines) - 1, min(LINES, len(lines))).round().astype(int))]
    points = tuple(_operating(float(line), strange, known) for line in chosen)
    return Det(len(strange), len(known), points, _operating(threshold, strange, known))


def _scores(found: Examination) -> np.ndarray:
    """Return the familiarity (n,) of each photo with its best label, -inf where no line would let it in."""
    outputs = found.outputs
    may = accepts(outputs.logits, outputs.familiarity, -np.inf, found.card.unknown.margin)
    own = np.take_along_axis(outputs.familiarity, outputs.logits.argmax(1)[:, None], 1)[:, 0]
    return np.where(may, own.astype(np.float64), -np.inf)


def _wrong(found: Examination, scores: np.ndarray) -> tuple[Wrong, ...]:
    """Return every photo that was judged wrongly, strangers let in first.

    They and the known under another's name stand with the most familiar first, the known turned away with the least familiar first.
    """
    kinds: tuple[tuple[Kind, np.ndarray, int], ...] = (
        ("stranger_in", (found.truth < 0) & (found.given >= 0), -1),
        ("wrong_label", (found.truth >= 0) & (found.given >= 0) & (found.given != found.truth), -1),
        ("turned_away", (found.truth >= 0) & (found.given < 0), 1),
    )
    rows: list[Wrong] = []
    for kind, here, way in kinds:
        own = np.flatnonzero(here)
        rows += [Wrong(int(row), kind) for row in own[np.argsort(way * scores[own], kind="stable")]]
    return tuple(rows)


def curves(found: Examination) -> Curves:
    """Return everything that can be counted on an examination."""
    ones, outputs, scores = found.ones, found.outputs, _scores(found)
    measured, drawn = None, None
    right = found.best == found.truth
    if len(ones):
        shares = np.nan_to_num(softmax(outputs.logits, found.card.temperature).max(1))
        measured = calibration(shares[ones], right[ones])
    if len(ones) and (found.truth < 0).any():
        # One accepted photo of a stranger is a stranger let in: the best of theirs counts.
        strange = np.array([scores[found.strangers == who].max() for who in np.unique(found.strangers[found.strangers >= 0])])
        known = np.where(right[ones], scores[ones], -np.inf)
        drawn = det(strange, known, found.card.unknown.threshold)
    return Curves(_labels(found), measured, drawn, _wrong(found, scores))
