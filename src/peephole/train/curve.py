"""The learning curve: what the error was on fewer photos, and what it should be on more, with its uncertainty.

A power law, err(n) = a n^-b + c (Hestness et al. 2017, "Deep Learning Scaling is Predictable, Empirically"), is fitted to the
errors of models that learned from sub-draws. The uncertainty is a Bayesian bootstrap (Rubin 1981) over the photos that were asked,
by source, with Jeffreys' half a right and half a wrong photo added, so that no error among few photos is not taken for none at all.
Knows nothing of networks.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["LEAST_SIZES", "Asked", "Forecast", "Range", "Reach", "forecast", "powers", "reach"]

LEAST_SIZES = 3  # fewer sizes than the law has numbers say nothing
POWERS = np.linspace(0.2, 1.4, 13)
DRAWS = 600
REACHES = 33  # sizes at which the curve is told, to be drawn
LEAST_SPREAD = 0.005
CONFIDENCE = 0.9
# So many photos' worth of all labels together steady the curve of one label.
SHARED = 2.0
USUAL = 0.5
# The photos that are asked also teach the others, so their errors spread more than those of as many strangers to each other would
# (Bengio & Grandvalet 2004, "No Unbiased Estimator of the Variance of K-Fold Cross-Validation"): by so much, on tuning draws (docs/log.md).
TWICE = 2.0
# How far the error of one model lies from the mean of all that might have been drawn, as a share of it times the root of its photos.
LUCK = 1.0


@dataclass(frozen=True, eq=False)
class Asked:
    """What held-out photos were answered on sub-draws.

    `sizes` (K,) photos of a label that were learned from, on average; `wrong` and `asked` (N, K) count for each photo and size the models that
    had not learned from it; `labels` and `sources` (N,).
    """

    sizes: np.ndarray
    wrong: np.ndarray
    asked: np.ndarray
    labels: np.ndarray
    sources: np.ndarray


@dataclass(frozen=True)
class Range:
    """A figure, 0..1, and the interval that holds it with 90 % confidence."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Range":
        """Take the median and the middle 90 % of drawn values."""
        edge = (1 - CONFIDENCE) / 2
        low, middle, high = np.quantile(values, [edge, 0.5, 1 - edge])
        return cls(float(middle), float(low), float(high))


@dataclass(frozen=True)
class Forecast:
    """The error now, with more photos of every label, and what that gains; for all labels together or for one."""

    now: Range
    then: Range
    gain: Range


@dataclass(frozen=True)
class Reach:
    """The error that the curve tells of models that learned from so many photos of each label."""

    photos: float
    error: Range


def powers(sizes: np.ndarray, errors: np.ndarray, spread: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fit a n^-b + c with a, c >= 0 to each row of `errors` (R, K), known to within `spread` (K,); return a, b, c (R, 3).

    For each row b is drawn from its posterior under an even prior over 0.2..1.4; a and c are the best for it.
    """
    weight = 1 / spread**2
    fits, costs = [], []
    for power in POWERS:
        x = sizes**-power
        sw, sx, sxx = weight.sum(), (weight * x).sum(), (weight * x * x).sum()
        sy, sxy = errors @ weight, errors @ (weight * x)
        slope = (sw * sxy - sx * sy) / max(sw * sxx - sx * sx, 1e-12)
        level = (sy - slope * sx) / sw
        below = level < 0
        slope, level = np.where(below, sxy / sxx, slope), np.where(below, 0.0, level)
        level, slope = np.where(slope < 0, sy / sw, level), np.maximum(slope, 0.0)
        costs.append(((errors - slope[:, None] * x - level[:, None]) ** 2 * weight).sum(1))
        fits.append(np.stack([slope, np.full(len(errors), power), level], 1))
    cost, found = np.stack(costs, 1), np.stack(fits, 1)
    chance = np.exp(-0.5 * (cost - cost.min(1, keepdims=True)))
    edges = np.cumsum(chance / chance.sum(1, keepdims=True), axis=1)
    chosen = (rng.random(len(errors))[:, None] < edges).argmax(1)
    return np.asarray(found[np.arange(len(errors)), chosen])


def _weights(labels: np.ndarray, sources: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw weights (DRAWS, N) of photos: one number for each source, so that copies of a photo count together; a weight of 1 / TWICE on average."""
    _, number = np.unique(sources, return_inverse=True)
    drawn = rng.gamma(1 / TWICE, size=(DRAWS, int(number.max()) + 1))[:, number] / np.bincount(number)[number]
    return np.asarray(drawn * (labels >= 0))


def _errors(found: Asked, weights: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted error (DRAWS, K) at each size and the weight (DRAWS, K) behind it."""
    seen = found.asked > 0
    share = np.divide(found.wrong, found.asked, out=np.zeros(found.wrong.shape), where=seen)
    behind = weights @ seen.astype(float)
    right, wrong = rng.gamma(0.5, size=(2, len(weights), 1))
    like = np.minimum(2.0, (found.sizes / found.sizes.max()) ** -USUAL)  # the half a wrong photo must not pass for an error that never falls
    return (weights @ (share * seen) + wrong * like) / (behind + right + wrong), behind


def _shape_spread(errors: np.ndarray) -> np.ndarray:
    """Return (K,) how uncertain the error at each size is beside the others: what they share, the same photos, says nothing of the shape."""
    return np.asarray(np.maximum((errors - errors.mean(1, keepdims=True)).std(0), LEAST_SPREAD))


def _told(fits: np.ndarray, now: float, more: float, labels: int, rng: np.random.Generator) -> Forecast:
    slope, power, level = fits.T

    def at(size: float) -> np.ndarray:
        luck = rng.normal(0, LUCK / np.sqrt(size * labels), len(fits))
        return np.asarray(np.minimum(1.0, (slope * size**-power + level) * np.exp(luck)))

    first, last = at(now), at(now + more)
    return Forecast(Range.of(first), Range.of(last), Range.of(first - last))


def _fitted(found: Asked, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the drawn weights (DRAWS, N) of the photos, the errors (DRAWS, K) of all labels under them, and the laws (DRAWS, 3) through these."""
    weights = _weights(found.labels, found.sources, rng)
    errors, _ = _errors(found, weights, rng)
    return weights, errors, powers(found.sizes, errors, _shape_spread(errors), rng)


def reach(found: Asked, most: float, labels: int, seed: int) -> tuple[Reach, ...]:
    """Return the curve of all labels from the least that was learned from up to `most` photos of each, by the very laws of `forecast`."""
    slope, power, level = _fitted(found, np.random.default_rng([seed, 8]))[2].T
    luck = np.random.default_rng([seed, 9]).normal(0, LUCK, len(slope))
    told = []
    for size in np.geomspace(float(found.sizes.min()), most, REACHES):
        errors = (slope * size**-power + level) * np.exp(luck / np.sqrt(size * labels))
        told.append(Reach(float(size), Range.of(np.minimum(1.0, errors))))
    return tuple(told)


def forecast(found: Asked, now: float, more: float, labels: int, seed: int) -> tuple[Forecast, tuple[Forecast, ...]]:
    """Return what is to be expected of `more` photos of every label beside the `now` there are: of all labels, and of each of them."""
    rng = np.random.default_rng([seed, 8])
    weights, errors, whole = _fitted(found, rng)
    each = []
    for label in range(labels):
        mine = weights * (found.labels == label)
        own, behind = _errors(found, mine, rng)
        own = (own * behind + SHARED * errors) / (behind + SHARED)
        each.append(_told(powers(found.sizes, own, _shape_spread(own), rng), now, more, labels, rng))
    return _told(whole, now, more, labels, rng), tuple(each)
