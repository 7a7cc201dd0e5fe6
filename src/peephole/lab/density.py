"""A ball dropped twice where it can land anywhere: (f * g)(c) = the integral over a of f(a) g(c - a), with an estimate of what it is off by.

The integral is cut where either density has a corner or a jump, so that between two cuts it is smooth, and done by Gauss and Legendre's rule with 20
points a piece. The estimate is how far the rule with 12 points is off, which is more than the first rule's own error, and what rounding and the parts
of endless tails that are not looked at can add.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from peephole.base.errors import InputError

__all__ = ["Density", "DensityDrop", "Spot", "drop", "exponential", "is_density", "normal", "read_density", "sampled", "triangle", "uniform"]

FEW, MANY = (np.polynomial.legendre.leggauss(count) for count in (12, 20))
POINTS = 201  # places c at which the result is worked out
SEEN = 1e-4
MOST_SAMPLES = 1000
REACH = 8.5  # standard deviations of a normal that are looked at: beyond lie 1.9e-17 of it
HALVES = 40.0  # of an exponential, in means: beyond lie 4.2e-18
LARGEST = 1e6


@dataclass(frozen=True)
class Density:
    """A density with its `knots`: rising places between which it is smooth; zero before the first and after the last.

    `missing` is what lies outside them and was cut off, and `top` its largest value. Call it with places, any shape.
    """

    name: str
    knots: tuple[float, ...]
    missing: float
    top: float
    mean: float
    law: Callable[[np.ndarray], np.ndarray] = field(repr=False, compare=False)

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """Return the density at places."""
        at = np.asarray(places, np.float64)
        return np.where((at >= self.knots[0]) & (at <= self.knots[-1]), self.law(at), 0.0)


@dataclass(frozen=True, eq=False)
class Spot:
    """One place c of the result: its `density`, off by about `error` at most, and the way back: p(a | c) as `came_from` over `places` a."""

    c: float
    density: float
    error: float
    places: np.ndarray
    came_from: np.ndarray


@dataclass(frozen=True, eq=False)
class DensityDrop:
    """Two densities and their convolution: `values` at `places` (POINTS,), where there is anything to see, with the estimated `errors` of each."""

    first: Density
    second: Density
    places: np.ndarray
    values: np.ndarray
    errors: np.ndarray

    def at(self, c: float | str | None = None) -> Spot:
        """Return how the ball got to `c`, without it the likeliest place; raises InputError where it cannot lie."""
        place = float(self.places[self.values.argmax()]) if c is None else _place(c)
        values, errors = _integrate(self.first, self.second, np.array([place]))
        if not values[0] > 0:
            low, high = _ends(self.first, self.second)
            raise InputError(f"the ball cannot lie at {place:g}", f"name a place between {low:g} and {high:g}")
        low = max(self.first.knots[0], place - self.second.knots[-1])
        high = min(self.first.knots[-1], place - self.second.knots[0])
        places = np.linspace(low, high, POINTS)
        return Spot(place, float(values[0]), float(errors[0]), places, self.first(places) * self.second(place - places) / values[0])


def _place(c: float | str) -> float:
    try:
        place = float(c)
    except ValueError:
        place = math.nan
    if not math.isfinite(place):
        raise InputError(f"'{c}' is no place", "write a number: --at 0.5")
    return place


def _require(name: str, *numbers: float) -> None:
    if not all(abs(number) <= LARGEST for number in numbers):
        raise InputError(f"{name} with {', '.join(f'{number:g}' for number in numbers)}", f"numbers are between -{LARGEST:g} and {LARGEST:g}")


def _require_width(name: str, width: float) -> None:
    if not 1e-6 <= width <= LARGEST:
        raise InputError(f"{name} is {width:g} wide", f"its width is between 1e-06 and {LARGEST:g}")


def uniform(low: float, high: float) -> Density:
    """Return the density that is even from `low` to `high`; raises InputError."""
    _require("uniform", low, high)
    _require_width("uniform", high - low)
    level = 1 / (high - low)
    return Density(f"uniform:{low:g},{high:g}", (low, high), 0.0, level, (low + high) / 2, lambda at: np.full_like(at, level))


def triangle(low: float, peak: float, high: float) -> Density:
    """Return the density that rises straight from `low` to `peak` and falls straight to `high`; raises InputError."""
    _require("triangle", low, peak, high)
    _require_width("triangle", high - low)
    if not low <= peak <= high:
        raise InputError(f"a triangle with its peak at {peak:g}, outside {low:g} to {high:g}", "write triangle:LOW,PEAK,HIGH")
    top = 2 / (high - low)
    knots = tuple(sorted({low, peak, high}))
    heights = [top if knot == peak else 0.0 for knot in knots]
    return Density(f"triangle:{low:g},{peak:g},{high:g}", knots, 0.0, top, (low + peak + high) / 3, lambda at: np.interp(at, knots, heights))


def normal(mean: float, deviation: float) -> Density:
    """Return the bell curve round `mean` with a standard `deviation`, looked at to 8.5 of them on each side; raises InputError."""
    _require("normal", mean, deviation)
    _require_width("normal", deviation)
    top = 1 / (deviation * math.sqrt(2 * math.pi))
    knots = tuple(mean + deviation * step for step in np.linspace(-REACH, REACH, 18))
    return Density(
        f"normal:{mean:g},{deviation:g}",
        knots,
        math.erfc(REACH / math.sqrt(2)),
        top,
        mean,
        lambda at: top * np.exp(-0.5 * ((at - mean) / deviation) ** 2),
    )


def exponential(rate: float) -> Density:
    """Return the density of waiting with `rate` events a unit, from 0 to 40 means; raises InputError."""
    _require("exponential", rate)
    _require_width("exponential", 1 / rate if rate else math.inf)
    knots = tuple(np.linspace(0, HALVES, 41) / rate)
    return Density(f"exponential:{rate:g}", knots, math.exp(-HALVES), rate, 1 / rate, lambda at: rate * np.exp(-rate * np.maximum(at, 0)))


def sampled(places: np.ndarray, values: np.ndarray) -> Density:
    """Return straight lines between samples (N,) at rising places (N,), scaled to hold 1; raises InputError."""
    at, heights = np.asarray(places, np.float64), np.asarray(values, np.float64)
    if at.ndim != 1 or at.shape != heights.shape or not 2 <= at.size <= MOST_SAMPLES:
        raise InputError(f"{at.size} places and {heights.size} values", f"give as many of both, between 2 and {MOST_SAMPLES}")
    if not (np.isfinite(at).all() and np.isfinite(heights).all() and (np.diff(at) > 0).all() and (heights >= 0).all()):
        raise InputError("the samples are no density", "places rise, values are 0 or more, and none is NaN")
    _require("samples", float(at[0]), float(at[-1]))
    area = float(np.trapezoid(heights, at))
    if area <= 0:
        raise InputError("the samples are 0 everywhere", "give at least one value above 0")
    heights = heights / area
    widths = np.diff(at)
    # The mean of a trapezium, piece by piece.
    mean = float(np.sum(widths * (at[:-1] * (2 * heights[:-1] + heights[1:]) + at[1:] * (heights[:-1] + 2 * heights[1:])) / 6))
    return Density("samples", tuple(at.tolist()), 0.0, float(heights.max()), mean, lambda where: np.interp(where, at, heights))


LAWS: dict[str, tuple[Callable[..., Density], int, str]] = {
    "uniform": (uniform, 2, "uniform:LOW,HIGH"),
    "normal": (normal, 2, "normal:MEAN,DEVIATION"),
    "exponential": (exponential, 1, "exponential:RATE"),
    "triangle": (triangle, 3, "triangle:LOW,PEAK,HIGH"),
}


def is_density(text: str) -> bool:
    """Tell whether words name a density rather than chances."""
    return text.partition(":")[0].strip().lower() in LAWS


def read_density(text: str) -> Density:
    """Read `uniform:0,1`, `normal:0,1`, `exponential:1` or `triangle:0,1,2`; raises InputError."""
    name, _, rest = text.strip().partition(":")
    if name.lower() not in LAWS:
        raise InputError(f"'{text[:40]}' is no density, and cannot be dropped with one", f"one of {', '.join(form for _, _, form in LAWS.values())}")
    law, count, form = LAWS[name.lower()]
    try:
        numbers = [float(word) for word in rest.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise InputError(f"'{text[:40]}' is not {form}", f"write {form}, as in {name.lower()}:{','.join(map(str, range(1, count + 1)))}")
    return law(*numbers)


def drop(first: Density, second: Density, points: int = POINTS) -> DensityDrop:
    """Drop by `first`, then by `second` from there; the result at `points` places, from the first to the last where it is SEEN of its largest."""
    places = np.linspace(*_ends(first, second), 4 * points)
    values, _ = _integrate(first, second, places)
    seen = np.flatnonzero(values > SEEN * values.max())
    low, high = places[max(seen[0] - 1, 0)], places[min(seen[-1] + 1, places.size - 1)]
    shown = np.linspace(low, high, points)
    return DensityDrop(first, second, shown, *_integrate(first, second, shown))


def _ends(first: Density, second: Density) -> tuple[float, float]:
    return first.knots[0] + second.knots[0], first.knots[-1] + second.knots[-1]


def _integrate(first: Density, second: Density, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (f * g)(c) for places c (N,), and for each an estimate of the error that is rather too large."""
    # The cuts for every c: the knots of f, and those of g seen from c; (N, K), kept inside where both are.
    own = np.broadcast_to(np.asarray(first.knots), (places.size, len(first.knots)))
    seen = places[:, None] - np.asarray(second.knots)[None, ::-1]
    low = np.maximum(own[:, :1], seen[:, :1])
    high = np.minimum(own[:, -1:], seen[:, -1:])
    cuts = np.sort(np.clip(np.concatenate([own, seen], axis=1), low, np.maximum(low, high)), axis=1)
    middle, half = (cuts[:, 1:] + cuts[:, :-1]) / 2, (cuts[:, 1:] - cuts[:, :-1]) / 2
    sums = []
    for points, weights in (FEW, MANY):
        at = middle[..., None] + half[..., None] * points  # (N, pieces, points)
        # Inside a piece both laws are smooth; rounding must not push a point over the edge to zero.
        product = first.law(at) * second.law(places[:, None, None] - at)
        sums.append((half * (product @ weights)).sum(axis=1))
    missing = first.missing * second.top + second.missing * first.top
    # A place a is off by one rounding, and a density then by that times its slope.
    rounding = 16 * np.finfo(np.float64).eps * (sums[1] + np.abs(cuts).max(axis=1) * first.top * second.top)
    return sums[1], np.abs(sums[1] - sums[0]) + missing + rounding
