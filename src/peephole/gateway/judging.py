"""From a prediction to what counts: a label, a stranger, or nobody; pure.

Trusts nothing that is not a number, contradicts itself, or is too close to call.
"""

import math
from dataclasses import dataclass

from peephole.base.records import Prediction
from peephole.gateway.rules import UNKNOWN

__all__ = ["Glance", "Judged", "doubt", "judge"]


@dataclass(frozen=True)
class Glance:
    """One frame as the policy sees it: a prediction, or the `problem` that kept it from being judged.

    `time` is monotonic, `wall` seconds since 1970; `visit` names the visit where a recording knows it. `taken` False: there is no
    picture at all, so nobody is known to have come.
    """

    time: float
    wall: float
    prediction: Prediction | None
    problem: str = ""
    visit: str | None = None
    taken: bool = True


@dataclass(frozen=True)
class Judged:
    """A glance as it counts: `who` is a label, UNKNOWN for a stranger, or "" when it cannot be trusted for the `problem`."""

    who: str
    prediction: Prediction | None
    problem: str


def judge(glance: Glance, margin: float = 0.0) -> Judged:
    """Say whom a glance shows; somebody known by less than `margin` (see Prediction) before the next label is nobody."""
    seen = glance.prediction
    if seen is None:
        return Judged("", None, glance.problem or "it was not judged")
    problem = glance.problem or _doubt(seen, margin)
    if problem:
        return Judged("", seen, problem)
    return Judged(seen.label if seen.accepted and seen.label else UNKNOWN, seen, "")


def doubt(seen: Prediction) -> str:
    """Say why a model's answer cannot be one, whoever stands there, or nothing."""
    figures = (seen.probability, seen.familiarity, seen.threshold)
    # A model with one label has no second one, so its margin may be infinite; NaN is never in order.
    if not all(math.isfinite(figure) for figure in figures) or math.isnan(seen.margin):
        return "the model's answer is not a number"
    if seen.accepted and (seen.label in (None, "", UNKNOWN) or seen.familiarity < seen.threshold or seen.margin < 0):
        return "the model's answer contradicts itself"
    return ""


def _doubt(seen: Prediction, margin: float) -> str:
    problem = doubt(seen)
    if problem:
        return problem
    if seen.accepted and seen.margin < margin:
        return f"{seen.label} leads the next label by {seen.margin:.3f} only, at least {margin:.3f} is asked"
    return ""
