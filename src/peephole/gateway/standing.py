"""What the evidence of a card is still worth at a gate that knows more people than the card does; pure.

A stranger is tried against everybody: with more people more strangers pass, at the same threshold. A card's proof was about its own
people. Strangers who were measured at the gate, with everybody it knows, prove again; else the card's bound is carried over, an estimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peephole.base.card import Card
from peephole.base.evidence import measure
from peephole.base.modelfile import ModelFile
from peephole.base.records import Evidence
from peephole.decide.gallery import stand
from peephole.gateway.people import Example, People, join, read_people
from peephole.gateway.reasons import plural
from peephole.gateway.suspicion import watching

__all__ = ["Crowd", "card_here", "carried", "crowd", "standing", "told"]

FALSE_ACCEPT, FALSE_REJECT, ENROLLED = "false accept", "false reject", "false reject of the enrolled"
HERE = "with everybody known here"


@dataclass(frozen=True)
class Crowd:
    """How many people a gate knows: `trained` by the model, `enrolled` beside it (`new` of them the model does not know), photos of each enrolled."""

    trained: int
    new: int
    enrolled: tuple[tuple[str, int], ...]

    @property
    def grown(self) -> int:
        """Against how many regions a stranger is tried: each enrolled person counts, also one whom the model knows and whose region grew."""
        return self.trained + len(self.enrolled)


def crowd(card: Card, people: People) -> Crowd:
    """Count who is known."""
    counts: dict[str, int] = {}
    for example in people.persons:
        counts[example.who] = counts.get(example.who, 0) + 1
    return Crowd(len(card.labels), len(set(counts) - set(card.labels)), tuple(sorted(counts.items())))


def carried(bound: float, before: int, now: int) -> float:
    """Return a bound on the rate for `now` people from one for `before`: 1 - (1 - p) ** (now / before).

    Exact where each person lets strangers in independently and with the same probability; an assumption, so what comes of it proves nothing.
    """
    return float(-np.expm1(now / before * np.log1p(-bound))) if bound < 1 else 1.0


def standing(card: Card, people: People) -> tuple[Evidence, ...]:
    """Return the evidence that holds at this gate: the card's own where nobody was enrolled, else what was measured here and what is carried over."""
    size = crowd(card, people)
    proving = [example for example, watches in zip(people.strangers, watching(people), strict=True) if not watches]
    measured = _strangers(card, people, proving)
    if not size.enrolled:
        return _pooled(card.evidence, measured)
    kept = tuple(_weakened(item, size) for item in card.evidence)
    return (*measured, *kept, *_enrolled(card, people))


def _weakened(item: Evidence, size: Crowd) -> Evidence:
    """Carry one of the card's figures over to everybody who is known here; no proof any more."""
    role = "estimate" if item.role == "proof" else item.role
    if item.claim != FALSE_ACCEPT:
        return Evidence(
            item.claim, item.unit, item.trials, item.errors, item.bound, item.confidence, f"{item.method}, before anybody was enrolled", role
        )
    bound = carried(item.bound, size.trained, size.grown)
    how = f"{item.method} for {size.trained} people, carried over to {size.grown} by 1 - (1 - p)^({size.grown}/{size.trained})"
    return Evidence(item.claim, item.unit, item.trials, item.errors, bound, item.confidence, how, role)


def _strangers(card: Card, people: People, proving: Sequence[Example]) -> tuple[Evidence, ...]:
    """Count the strangers of whom any photo is let in, with everybody who is known here."""
    if not proving:
        return ()
    accepted = stand(join(example.outputs for example in proving), card, people.gallery).accepted
    who = np.array([example.who for example in proving])
    found = measure(FALSE_ACCEPT, len(set(who[accepted])), len(set(who)), "stranger", "proof")
    return (Evidence(found.claim, found.unit, found.trials, found.errors, found.bound, found.confidence, f"{found.method}, {HERE}", found.role),)


def _pooled(evidence: tuple[Evidence, ...], measured: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """Add strangers measured here to those of the card: other strangers, the same people, the same threshold."""
    if not measured:
        return evidence
    (mine,) = measured
    same = [
        item for item in evidence if (item.claim, item.unit, item.role) == (FALSE_ACCEPT, "stranger", "proof") and item.confidence == mine.confidence
    ]
    if not same:
        return (*measured, *evidence)
    both = measure(FALSE_ACCEPT, same[0].errors + mine.errors, same[0].trials + mine.trials, "stranger", "proof", confidence=mine.confidence)
    return tuple(both if item is same[0] else item for item in evidence)


def _enrolled(card: Card, people: People) -> tuple[Evidence, ...]:
    """Hold each enrolled photo out once: is it still taken for its person by the others? An estimate, and on the hard side."""
    known = people.persons
    answers, gallery, missed = join(example.outputs for example in known), people.gallery, 0
    for at, example in enumerate(known):
        rest = gallery.take(np.arange(len(known)) != at)
        found = stand(answers.at(slice(at, at + 1)), card, rest)
        missed += not (found.accepted[0] and found.labels[int(found.best[0])] == example.who)
    found_rate = measure(ENROLLED, missed, len(known), "photo", "estimate")
    how = f"{found_rate.method}, each enrolled photo held out once"
    return (Evidence(ENROLLED, "photo", len(known), missed, found_rate.bound, found_rate.confidence, how, "estimate"),)


def card_here(card: Card, people: People) -> Card:
    """Return the card as it stands at this gate: everybody's label, and the evidence that holds with them."""
    return card.model_copy(update={"labels": people.gallery.labels(card.labels), "evidence": standing(card, people)})


def told(card: Card, path: Path, model: ModelFile) -> str:
    """Say in one sentence how many people the gate knows, from where, and what is asked of strangers."""
    read = read_people(path, model)
    if read is None:
        return f"The gate knows {plural(len(card.labels), 'person')}, all by the model's training; nobody was enrolled."
    size, strangers = crowd(card, read[0]), len({example.who for example in read[0].strangers})
    names = ", ".join(f"{name} ({plural(count, 'photo')})" for name, count in size.enrolled) or "nobody"
    watch = len({example.who for example, watches in zip(read[0].strangers, watching(read[0]), strict=True) if watches})
    aside = f" ({watch} of them watch over enrolments and prove nothing)" if watch else ""
    kept = f"; {plural(strangers, 'stranger')} kept to measure with{aside}" if strangers else ""
    return f"The gate knows {size.trained + size.new} people: {size.trained} by the model's training; enrolled here: {names}{kept}."
