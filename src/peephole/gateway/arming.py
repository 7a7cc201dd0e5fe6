"""May the gate arm? The requested false-accept rate against the card's proof; pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from peephole.base.errors import EvidenceError, NotArmed
from peephole.base.evidence import describe, needed, percent, upper_bound
from peephole.base.records import Evidence

__all__ = ["Armed", "arm", "more", "proof"]

CLAIM = "false accept"
CONFIDENCE = 0.95
MAX_TRIALS = 1_000_000


@dataclass(frozen=True)
class Armed:
    """On what grounds a gate is armed: `how`, the `requested` rate (0..1), the proof if there is one.

    `sentence` says it whole, for the start and for reports; `short` reminds of it where that was said before.
    """

    how: Literal["proof", "low risk", "no opening"]
    requested: float
    evidence: Evidence | None
    sentence: str
    short: str


def proof(evidence: Iterable[Evidence]) -> Evidence | None:
    """Return the weakest proof of the false-accept rate over strangers or kinds, or None.

    The bound is worked out again from the counts: one that was typed into a card proves nothing.
    """
    proven = [
        Evidence(item.claim, item.unit, item.trials, item.errors, bound, item.confidence, item.method, item.role)
        for item in evidence
        if item.role == "proof" and item.claim == CLAIM and item.unit in ("stranger", "kind") and math.isfinite(bound := _bound(item))
    ]
    return max(proven, key=lambda item: item.bound, default=None)


def _bound(item: Evidence) -> float:
    """Return the bound that the counts carry with 95 % confidence or more, never less than the printed one; NaN when they carry none."""
    if not CONFIDENCE <= item.confidence < 1 or item.trials > MAX_TRIALS or math.isnan(item.bound):
        return math.nan
    try:
        return max(item.bound, upper_bound(item.errors, item.trials, item.confidence))
    except EvidenceError:
        return math.nan


def arm(evidence: Iterable[Evidence], requested: float, low_risk: bool, opening: bool = True, factor: bool = False) -> Armed:
    """Return the grounds for arming at a requested rate (0..1, exclusive); raises NotArmed saying how many more strangers are needed.

    A gate without an `opening` rule has nothing to prove. A second `factor` is asked beside the camera; it proves nothing about the camera.
    """
    evidence = tuple(evidence)
    beside = "a second factor is asked beside the camera" if factor else "the door opens on the camera alone"
    best = proof(evidence)
    if not opening:
        return Armed("no opening", requested, best, "no rule opens anything, so no false-accept rate needs a proof", "no rule opens anything")
    asked = f"{percent(requested)} was requested"
    if best is not None and best.bound <= requested:
        alone = f"; low_risk = true: {beside}" if low_risk else ""
        sentence = f"armed by proof: {asked}; {describe(best)}{alone}"
        return Armed("proof", requested, best, sentence, f"armed by proof of {percent(requested)} false accepts{alone}")
    found = describe(best) if best is not None else _unproven(evidence)
    short = f"{asked} and is not proven; {found}; {more(best, requested)}"
    if low_risk:
        sentence = f"armed as low risk only (low_risk = true: {beside}): {short}"
        return Armed("low risk", requested, best, sentence, f"armed as low risk only: {percent(requested)} false accepts are not proven")
    raise NotArmed(
        f"the gate is not armed: {short}",
        "add strangers to unknown/ and train again, or measure others here (peephole gate evidence DOOR.toml --strangers FOLDER), "
        "or request a rate that is proven, or say low_risk = true",
    )


def _unproven(evidence: tuple[Evidence, ...]) -> str:
    """Say what there is instead of a proof: what was proven before somebody was enrolled is an estimate now."""
    other = next((item for item in evidence if item.claim == CLAIM and item.role == "estimate"), None)
    return f"no proof, an estimate only: {describe(other)}" if other else "the model's card holds no proof about strangers"


def more(best: Evidence | None, requested: float) -> str:
    """Say what would prove the requested rate (0..1) where `best` does not."""
    if best is None:
        return f"a proof needs {needed(requested):,} strangers, none of them accepted"
    unit = f"{best.unit}s"
    if best.errors == 0:
        return f"a proof needs {max(1, needed(requested, best.confidence) - best.trials):,} more {unit}, none of them accepted"
    if best.errors / best.trials >= requested:
        return f"{best.errors} accepted of {best.trials} is itself no less than {percent(requested)}: the model must become better first"
    return f"a proof needs about {max(1, _trials(best, requested) - best.trials):,} more {unit}, none of them accepted"


def _trials(best: Evidence, requested: float) -> int:
    """Return about how many trials prove the rate with the errors that already happened: for rare errors only their number counts."""
    many = max(10_000, 10 * best.errors)
    return math.ceil(many * upper_bound(best.errors, many, best.confidence) / requested)
