"""Recorded visits through two models or two settings: which door actions would have been others, and why; nothing moves."""

import threading
from dataclasses import dataclass, field, replace
from typing import Any

from peephole.base.card import Card
from peephole.base.errors import NotArmed, SettingsError
from peephole.base.records import Decision
from peephole.decide.gallery import Acquainted
from peephole.decide.predictor import Predictor
from peephole.gateway.agent import Summary, run
from peephole.gateway.differences import Acts, Difference, acts_of, difference_of
from peephole.gateway.door import Door
from peephole.gateway.journal import Journal, Record
from peephole.gateway.policy import Ended
from peephole.gateway.reasons import plural
from peephole.gateway.sensors import Sensor
from peephole.gateway.switchboard import rehearsal

__all__ = ["Comparison", "Night", "compare", "rehearse", "with_low_risk", "with_rate", "with_threshold"]


@dataclass(frozen=True)
class Night:
    """One rehearsal: its summary, and what each visit made the door do, in order; or why the gate would `not_armed` do anything at all."""

    summary: Summary | None
    visits: tuple[Acts, ...]
    not_armed: str = ""

    @property
    def told(self) -> tuple[str, ...]:
        """What there is to say of it beside its visits."""
        if self.summary is None:
            return (self.not_armed,)
        faults = (plural(self.summary.faults, "fault"),) if self.summary.faults else ()
        return (*self.summary.notes, self.summary.armed.sentence, *faults)


@dataclass(frozen=True)
class Comparison:
    """Every difference between the door as it is (`then`) and as it would be (`now`); `visits` were compared, `told` are remarks on both."""

    then: str
    now: str
    visits: int
    differences: tuple[Difference, ...]
    told: tuple[str, ...] = ()

    @property
    def opened(self) -> int:
        """Visits with an opening that would be new."""
        return sum(difference.opened for difference in self.differences)

    @property
    def shut(self) -> int:
        """Visits with an opening that would be no more."""
        return sum(difference.shut for difference in self.differences)


@dataclass
class _Scribe:
    """Collects decisions by visit as they are told."""

    visits: list[Acts] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def hear(self, record: Record) -> None:
        """Take a record of the watch."""
        if isinstance(record, Decision):
            self.decisions.append(record)
        elif isinstance(record, Ended):
            self.visits.append(acts_of(record.visit.id, self.decisions))
            self.decisions = []


def with_threshold(predictor: Predictor, threshold: float) -> Predictor:
    """Return a model with another line on familiarity, -1..1 as its cosines are; raises SettingsError for any other number."""
    if not -1 <= threshold <= 1:
        raise SettingsError(
            f"a threshold on familiarity is a number from -1 to 1, not {threshold}", "the model's own is shown by: peephole gate check"
        )

    def moved(card: Card) -> Card:
        unknown = card.unknown.model_copy(update={"threshold": threshold, "how": "set by hand for a replay"})
        return card.model_copy(update={"unknown": unknown, "evidence": ()})  # what was proven was proven at the card's own line

    model = replace(predictor.model, card=moved(predictor.model.card))
    if isinstance(predictor, Acquainted):
        return Acquainted(model, predictor.engine, predictor.gallery, moved(predictor.card))
    return Predictor(model, engine=predictor.engine)


def with_low_risk(door: Door) -> Door:
    """Return a door that arms without proof, to rehearse a line for which nothing was proven."""
    gate = door.settings.gate.model_copy(update={"low_risk": True})
    return replace(door, settings=door.settings.model_copy(update={"gate": gate}))


def with_rate(door: Door, false_accept: float) -> Door:
    """Return a door that asks for another false-accept rate, above 0 and below 1; raises SettingsError for any other number."""
    if not 0 < false_accept < 1:
        raise SettingsError(f"a rate is a number above 0 and below 1, not {false_accept}", "for example --false-accept 0.01")
    decide = door.settings.decide.model_copy(update={"false_accept": false_accept})
    return replace(door, settings=door.settings.model_copy(update={"decide": decide}))


def rehearse(door: Door, predictor: Predictor, sensor: Sensor, stop: threading.Event | None = None) -> Night:
    """Run recorded visits through a door's rules with a model, as if everybody showed the second factor; nothing moves and nothing is kept.

    Raises as the agent's `run`, but for arming.
    """
    scribe = _Scribe()
    with Journal(None, door.settings.gate.name) as journal:
        parts: dict[str, Any] = {"sensor": sensor, "switchboard": rehearsal(door), "journal": journal}
        try:
            summary = run(door.as_if_backed(), predictor.follow, predictor.card, stop=stop, tell=scribe.hear, **parts)
        except NotArmed as error:
            return Night(None, (), error.what)
    return Night(summary, tuple(scribe.visits))


def compare(named: tuple[str, str], nights: tuple[Night, Night]) -> Comparison:
    """Compare two rehearsals of one recording visit by visit; `named` says in a few words what each was.

    A gate that would not arm does nothing at any visit; raises NotArmed when neither would.
    """
    then, now = nights
    if then.summary is None and now.summary is None:
        raise NotArmed(then.not_armed, "request a rate that is proven, or say low_risk = true")
    pairs = list(zip(then.visits or _idle(now, then), now.visits or _idle(then, now), strict=False))  # a stop in the middle leaves fewer
    found = tuple(found for one, other in pairs if (found := difference_of(one, other)) is not None)
    both = tuple(sentence for sentence in then.told if sentence in now.told)
    told = (f"{name}: {sentence}" for name, night in zip(named, nights, strict=True) for sentence in night.told if sentence not in both)
    return Comparison(*named, len(pairs), found, (*told, *(f"both: {sentence}" for sentence in both)))


def _idle(other: Night, idle: Night) -> tuple[Acts, ...]:
    """Return the visits of one rehearsal with nothing done."""
    return tuple(Acts(acts.visit, (), idle.not_armed) for acts in other.visits) if idle.summary is None else ()
