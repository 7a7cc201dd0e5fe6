"""The rule by which a claim holds, does not hold or cannot be told, fixed before anything was measured.

A statement says that one setting has more of something than another. Both were measured on the same draws, so what is judged is the
mean of the differences draw by draw, with its 95 % interval (Student's t). Smaller differences than the statement's margin are nobody's concern.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import t as student

from bench.notes.measured import Measured

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be told"
POINTS, NATS, DECADES, LEVELS = "points", "nats", "decades", "levels"
# The least difference that matters: half a per cent of the photos, 0.02 nats of cross-entropy, a factor of 2, 1 of 255 grey levels.
MARGINS: Mapping[str, float] = {POINTS: 0.5, NATS: 0.02, DECADES: math.log10(2), LEVELS: 1.0}


@dataclass(frozen=True)
class Statement:
    """That `more` has more of a measure than `less` (than nothing where `less` is empty), in the unit that the margin is chosen by."""

    claim: str
    more: str
    less: str
    measure: str = "right"
    unit: str = POINTS


@dataclass(frozen=True)
class Verdict:
    """The mean difference, its 95 % interval, the number of draws, and what follows."""

    mean: float
    low: float
    high: float
    draws: int
    word: str


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of at least two values and the ends of its 95 % interval (Student 1908)."""
    mean = statistics.mean(values)
    half = float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def verdict(values: Sequence[float], margin: float) -> Verdict:
    """Judge the differences, draw by draw, of what is said to be more from what is said to be less.

    Does not hold: the whole interval lies below the margin (no difference that matters, or the other way round). Holds: otherwise, the
    whole interval lies above nothing. Cannot be told: neither, so more draws would be needed.
    """
    mean, low, high = interval(values)
    return Verdict(mean, low, high, len(values), FAILS if high < margin else HOLDS if low > 0 else OPEN)


def differences(statement: Statement, measured: Measured) -> list[float]:
    """Return how much more one setting has than the other, draw by draw."""
    more = measured[statement.more].values[statement.measure]
    less = measured[statement.less].values[statement.measure] if statement.less else (0.0,) * len(more)
    return [a - b for a, b in zip(more, less, strict=True)]


def judged(statement: Statement, measured: Measured) -> Verdict:
    """Judge a statement by what was measured of its claim."""
    return verdict(differences(statement, measured), MARGINS[statement.unit])
