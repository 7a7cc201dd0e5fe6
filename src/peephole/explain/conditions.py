"""The conditions that an answer must meet to count as recognised, each with its numbers; the same as `decide.judge.accepts`, one by one."""

import math
from dataclasses import dataclass

from peephole.explain.explanation import Explanation

__all__ = ["Condition", "Difference", "conditions"]


@dataclass(frozen=True)
class Difference:
    """value - against = difference, with so many decimals that it closes as printed and does not look like nothing when it is something."""

    value: float
    against: float
    places: int

    @property
    def difference(self) -> float:
        """The difference of the two as printed."""
        return round(self.value, self.places) - round(self.against, self.places)


@dataclass(frozen=True)
class Condition:
    """One condition: `key` names its sentence, `other` the label compared with; `sum` are its numbers, None where there are none to show."""

    key: str
    met: bool
    other: str = ""
    sum: Difference | None = None


def _difference(value: float, against: float) -> Difference:
    exact = value - against
    # A sign or a zero that rounding has made is no answer to "is it enough?".
    honest = (each for each in range(3, 9) if _sign(round(value, each) - round(against, each)) == _sign(exact) and round(exact, each))
    return Difference(value, against, next(honest, 3 if not exact else 9))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def conditions(explanation: Explanation) -> tuple[Condition, ...]:
    """Return the conditions in the order in which they are checked; all of them are met exactly when the answer is accepted."""
    prediction, card = explanation.prediction, explanation.card
    numbers = math.isfinite(prediction.familiarity) and all(math.isfinite(term.logit) for term in explanation.softmax.terms)
    if not numbers:
        return (Condition("number", met=False),)
    found = [
        Condition("number", met=True),
        Condition("familiar", prediction.familiarity >= prediction.threshold, sum=_difference(prediction.familiarity, prediction.threshold)),
    ]
    others = [each for each in explanation.familiarity if card.labels[each.label] != prediction.best]
    if others:
        needed = card.unknown.margin
        lead = _difference(prediction.familiarity, others[0].value)
        found.append(Condition("lead" if needed > 0 else "nearest", prediction.margin >= needed, card.labels[others[0].label], lead))
    return tuple(found)
