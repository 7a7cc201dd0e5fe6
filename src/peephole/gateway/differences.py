"""What a visit made the door do, and how that would have been otherwise; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from peephole.base.records import Decision
from peephole.gateway.keys import opens

__all__ = ["Acts", "Difference", "acts_of", "difference_of"]


@dataclass(frozen=True)
class Acts:
    """What a visit made the door do: `done` are (action, label) in order, label None for a stranger; `reason` is that of its last decision."""

    visit: str
    done: tuple[tuple[str, str | None], ...]
    reason: str

    @property
    def said(self) -> str:
        """The actions in words; nothing is: shut."""
        return ", ".join(f"{action} ({label or 'a stranger'})" for action, label in self.done) or "shut"


@dataclass(frozen=True)
class Difference:
    """A visit that would go otherwise; `opened` for whom it would open and does not now, `shut` for whom it would no longer."""

    visit: str
    then: str
    now: str
    why: str
    opened: bool
    shut: bool


def acts_of(visit: str, decisions: Iterable[Decision]) -> Acts:
    """Return what the decisions of a visit made the door do."""
    decisions = list(decisions)
    done = tuple((decision.action, decision.label) for decision in decisions if decision.action is not None)
    return Acts(visit, done, decisions[-1].reason if decisions else "")


def difference_of(then: Acts, now: Acts) -> Difference | None:
    """Return how a visit would go otherwise, or None when it would go the same way."""
    was, would = set(then.done), set(now.done)
    if was == would:
        return None
    return Difference(
        then.visit,
        then.said,
        now.said,
        now.reason,
        any(opens(action) for action, _ in would - was),
        any(opens(action) for action, _ in was - would),
    )
