"""The difference between two ways to train, by their answers for the same held-out examples, with an interval that says how sure it is.

Chance enters twice: which sources were held out, and how each training happened to go (its seed, its draws, the photos beside it). The variance
of the mean is estimated for each and added up; what both see counts twice, so the interval errs on the wide side (Owen 2007, "The Pigeonhole
Bootstrap", Annals of Applied Statistics 1). Degrees of freedom after Satterthwaite (1946). Knows nothing of networks.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from peephole.base.card import Paired

__all__ = ["LEAST_LOSS", "LEAST_SOURCES", "Turns", "by_source", "compared", "losses", "quantile", "verdict"]

# The temperature of each side is the best of these for its own held-out answers, as a model file has one; 1000 makes any answer "no idea".
TEMPERATURES = np.exp(np.linspace(math.log(0.05), math.log(1000), 199))
# Fewer held-out sources could not show anything: among 8 that all speak for an effect, chance does so once in 128.
LEAST_SOURCES = 8
LEAST_LOSS = 0.005  # nats; a smaller difference would change no answer


@dataclass(frozen=True, eq=False)
class Turns:
    """Who was asked, and by which trainings: `sources` (N,) of N examples, `trainings` (R, N) the number of the one that each was held out of."""

    sources: np.ndarray
    trainings: np.ndarray


def losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the log-loss in nats, (R, N), of logits (R, N, L) against labels (N,), divided by the temperature that suits them best.

    So a network that is only bolder than another is not taken for a worse or a better one. The temperature is fitted as if one label in N + 2 were
    another (Platt 1999, section 2.2): among few photos no mistake is not taken for "never wrong", whose loss would be 0 whatever the margin.
    """
    own = np.take_along_axis(logits, labels[None, :, None], 2)
    ahead = (logits - own).astype(np.float64)
    behind = -float(ahead.sum(2).mean()) / (logits.shape[2] - 1) / (len(labels) + 2)
    best, least = np.empty(0), np.inf
    for temperature in TEMPERATURES:
        scaled = ahead / temperature
        top = scaled.max(2)
        found = top + np.log(np.exp(scaled - top[..., None]).sum(2))
        cost = float(found.mean()) + behind / temperature
        if cost < least:
            best, least = found, cost
    return best


def by_source(values: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return the mean over the examples of each source, (R, S), of values (R, N): copies of a photo count once."""
    _, number = np.unique(sources, return_inverse=True)
    sums = np.zeros((len(values), int(number.max()) + 1))
    for row, into in zip(values, sums, strict=True):
        np.add.at(into, number, row)
    return np.asarray(sums / np.bincount(number))


def quantile(level: float, freedom: float) -> float:
    """Return the quantile of Student's t at a level above 0.5: t = sqrt(freedom) tan(angle), where the angle's density is cos^(freedom - 1)."""
    angles = np.linspace(0, math.pi / 2, 100_001)
    density = np.cos(angles) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return float(math.sqrt(freedom) * math.tan(float(np.interp(2 * level - 1, below / below[-1], angles))))


def compared(present: np.ndarray, absent: np.ndarray, turns: Turns, confidence: float, *, counts: bool = False) -> Paired:
    """Compare scores (R, N) of the same examples by the same turns with something and without it.

    R is 2 or more; needs 2 sources. Where the scores are `counts` (right or wrong), half a source is added for each of the four ways in which
    both may answer (Agresti & Min 2005), so that no difference among few is not taken for none at all.
    """
    with_it, without = by_source(present, turns.sources), by_source(absent, turns.sources)
    each = with_it - without
    own, n = each.mean(0), each.shape[1]
    if counts:
        middle = float(own.sum()) / (n + 2)
        spread = ((float((own**2).sum()) + 1) / (n + 2) - middle**2) / (n + 2)
    else:
        middle, spread = float(own.mean()), float(own.var(ddof=1)) / n
    luck, freedom = _luck(each - own, turns)
    total = spread + luck
    degrees = total**2 / (spread**2 / (n - 1) + luck**2 / freedom) if total > 0 else n - 1
    half = quantile((1 + confidence) / 2, max(1.0, degrees)) * math.sqrt(total)
    edges = (max(-1.0, middle - half), min(1.0, middle + half)) if counts else (middle - half, middle + half)
    return Paired(present=float(with_it.mean()), absent=float(without.mean()), difference=float(own.mean()), interval=edges)


def _luck(rest: np.ndarray, turns: Turns) -> tuple[float, int]:
    """Return the variance of the mean that the trainings bring, and its degrees of freedom; `rest` (R, S) is what the sources' means leave over."""
    first = np.unique(turns.sources, return_index=True)[1]
    _, number = np.unique(turns.trainings[:, first], return_inverse=True)
    number, repeats = number.reshape(-1), len(rest)
    sizes = np.bincount(number)
    sums = np.bincount(number, weights=rest.reshape(-1))
    # Each training's sum of what is left is its own luck; a repeat's part of the sources' means took 1 / R of it away.
    return float((sums**2).sum()) / rest.size**2 * repeats / (repeats - 1), max(1, len(sizes) * (repeats - 1) // repeats)


def verdict(loss: Paired, accuracy: Paired, sources: int) -> Literal["helped", "harmed", "unclear"]:
    """Return helped, harmed or unclear: by the loss's interval, and only where the accuracy does not point the other way."""
    if sources < LEAST_SOURCES or abs(loss.difference) < LEAST_LOSS:
        return "unclear"
    if loss.interval[1] < 0 and accuracy.difference >= 0:
        return "helped"
    return "harmed" if loss.interval[0] > 0 and accuracy.difference <= 0 else "unclear"
