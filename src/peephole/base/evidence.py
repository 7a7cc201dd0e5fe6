"""Error rates that carry their n, unit, method and role; exact binomial bounds (Clopper & Pearson 1934).

Never "0 %", never a rate without its count. 0 errors among 40 strangers still allow 7.2 %.
"""

import math
from functools import lru_cache

import numpy as np

from peephole.base.errors import EvidenceError
from peephole.base.records import Evidence, Role, Unit

__all__ = ["counted", "describe", "holds", "interval", "measure", "needed", "percent", "upper_bound"]

ONE_SIDED = "clopper-pearson one-sided"


@lru_cache(maxsize=256)
def _log_choose(trials: int) -> np.ndarray:
    """Return log C(trials, k) for k = 0..trials."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])
    return np.asarray(logs[trials] - logs - logs[::-1])


def _at_most(errors: int, trials: int, rate: float) -> float:
    """P(X <= errors) for X ~ Binomial(trials, rate)."""
    if rate <= 0:
        return 1.0
    if rate >= 1:
        return float(errors >= trials)
    k = np.arange(errors + 1)
    logs = _log_choose(trials)[: errors + 1] + k * math.log(rate) + (trials - k) * math.log1p(-rate)
    return float(min(1.0, np.exp(logs).sum()))


def _check(errors: int, trials: int, confidence: float) -> None:
    if trials < 1:
        raise EvidenceError("a rate of nothing: 0 trials carry no evidence", "add examples, or strangers in a folder unknown/")
    if not 0 <= errors <= trials:
        raise EvidenceError(f"{errors} errors among {trials} trials is impossible")
    if not 0 < confidence < 1:
        raise EvidenceError(f"a confidence of {confidence} is not between 0 and 1")


def upper_bound(errors: int, trials: int, confidence: float = 0.95) -> float:
    """Return the one-sided upper Clopper-Pearson bound of a rate, 0..1: the rate at which so few errors have probability 1 - confidence."""
    _check(errors, trials, confidence)
    if errors == trials:
        return 1.0
    low, high = errors / trials, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(errors, trials, middle) > 1 - confidence else (low, middle)
    return high


def interval(right: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided Clopper-Pearson interval of a share of right answers."""
    _check(right, trials, confidence)
    each = (1 + confidence) / 2
    high = upper_bound(right, trials, each)
    low = 1 - upper_bound(trials - right, trials, each)
    return low, high


def needed(rate: float, confidence: float = 0.95) -> int:
    """Return how many strangers, none of them accepted, would prove a rate (0..1): 299 for 1 %."""
    if not 0 < rate < 1:
        raise EvidenceError(f"a rate of {rate} is not between 0 and 1")
    return math.ceil(math.log(1 - confidence) / math.log1p(-rate) - 1e-9)


def measure(claim: str, errors: int, trials: int, unit: Unit, role: Role, *, confidence: float = 0.95) -> Evidence:
    """Count errors among trials into evidence; raises EvidenceError when there is nothing to count or nothing to count in."""
    if unit not in ("stranger", "visit", "photo", "kind") or role not in ("proof", "estimate", "simulated"):
        raise EvidenceError(f"a rate needs its unit and role, not {unit!r} and {role!r}")
    bound = upper_bound(errors, trials, confidence)
    return Evidence(claim, unit, trials, errors, bound, confidence, ONE_SIDED, role)


def holds(evidence: Evidence) -> bool:
    """Tell whether a bound that someone else wrote is not below what its counts allow (one per cent of slack for rounding)."""
    n, wrong, bound = evidence.trials, evidence.errors, evidence.bound
    # A million trials take a moment; more than that nobody at a door has seen, and counting them would take our memory.
    if not (1 <= n <= 1_000_000 and 0 <= wrong <= n and 0 < bound <= 1 and 0.5 <= evidence.confidence < 1):
        return False
    return wrong == n or _at_most(wrong, n, min(1.0, bound * 1.01)) <= 1 - evidence.confidence


def percent(rate: float) -> str:
    """Write a rate for people: 45.1 %, 1 %, 0.03 %; never 0 % for something that is not zero."""
    value = 100 * rate
    if value == 0:
        return "0 %"
    digits = 1 if value >= 1 else max(1, 1 - math.floor(math.log10(value)))
    return f"{f'{value:.{digits}f}'.rstrip('0').rstrip('.')} %"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: 1 stranger, 2 strangers."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def describe(evidence: Evidence) -> str:
    """Return the evidence as one sentence with n, unit, bound, confidence, method and role."""
    return (
        f"{evidence.claim}: {evidence.errors} of {counted(evidence.trials, evidence.unit)}; "
        f"the true rate is at most {percent(evidence.bound)} ({100 * evidence.confidence:g} % confidence, {evidence.method}; {evidence.role})"
    )
