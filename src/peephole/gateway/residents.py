"""How often residents are refused, against the rate that [decide] false_reject hopes for; pure. It never keeps a gate from arming."""

import math
from collections.abc import Iterable
from dataclasses import replace

from peephole.base.evidence import describe, needed, percent, upper_bound
from peephole.base.records import Evidence
from peephole.gateway.arming import Armed
from peephole.gateway.reasons import plural

__all__ = ["residents", "with_residents"]

CLAIM = "false reject"
MOST = 1_000_000


def with_residents(armed: Armed, evidence: Iterable[Evidence], hoped: float | None) -> Armed:
    """Return the grounds for arming with a word on residents, where a rate for them is hoped for."""
    return armed if hoped is None else replace(armed, sentence=f"{armed.sentence}; {residents(evidence, hoped)}")


def residents(evidence: Iterable[Evidence], hoped: float) -> str:
    """Say whether the evidence shows that at most a share `hoped` (0..1) of residents is refused, and how many more visits would."""
    asked = f"residents: at most {percent(hoped)} refused is hoped for"
    found = [
        item for item in evidence if item.claim == CLAIM and item.role == "proof" and 0 < item.trials <= MOST and 0 <= item.errors <= item.trials
    ]
    worst = max(found, key=_bound, default=None)
    if worst is None:
        return f"{asked} and nothing shows it; {plural(needed(hoped), 'visit')} of residents, none of them refused, would"
    told = describe(replace(worst, bound=_bound(worst)))
    if _bound(worst) <= hoped:
        return f"{asked} and shown; {told}"
    if worst.errors / worst.trials >= hoped:
        return f"{asked} and not so; {told}; the model, or its photos of residents, must become better first"
    return f"{asked} and not shown; {told}; {plural(_enough(worst.errors, hoped) - worst.trials, 'more ' + worst.unit)}, none refused, would"


def _bound(item: Evidence) -> float:
    """Return the 95 % bound that the counts carry, never less than the printed one."""
    bound = upper_bound(item.errors, item.trials)
    return bound if math.isnan(item.bound) else max(item.bound, bound)


def _enough(errors: int, hoped: float) -> int:
    """Return how many trials with so many errors have a bound at or below the rate."""
    low, high = errors, max(1, 2 * errors)
    while upper_bound(errors, high) > hoped and high < MOST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if upper_bound(errors, middle) > hoped else (low, middle)
    return high
