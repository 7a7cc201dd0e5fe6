"""Who may cause what, when and on which conditions; pure.

The wall clock is asked for opening hours only. A clock that was never set, or is no number, holds for none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from peephole.gateway.conditions import Condition, Row, why_not
from peephole.gateway.hours import DAYS, Hours

__all__ = ["CLOCK_IS_SET", "UNKNOWN", "Moment", "Rule", "holds", "objection"]

UNKNOWN = "unknown"
CLOCK_IS_SET = 1_577_836_800.0  # 2020-01-01: a wall clock before that was never set


@dataclass(frozen=True)
class Rule:
    """`who` (labels, or UNKNOWN) may cause `action` while `hours` and all `conditions` hold; `opens` marks what a stranger must never cause.

    Without anybody the conditions alone drive it, once every `rest` seconds at most.
    """

    name: str
    who: frozenset[str]
    hours: Hours
    action: str
    opens: bool
    conditions: tuple[Condition, ...] = ()
    rest: float = 0.0


@dataclass(frozen=True)
class Moment:
    """What rules are asked about: monotonic `time` and `wall` seconds, the latest readings, and how long each name's count."""

    time: float
    wall: float
    rows: Mapping[str, Row]
    fresh: Mapping[str, float]
    zone: tzinfo | None = None

    @property
    def local(self) -> datetime | None:
        """The local time, None when the clock was never set or is no number."""
        if not self.wall >= CLOCK_IS_SET:
            return None
        try:
            return datetime.fromtimestamp(self.wall, self.zone)
        except (OverflowError, OSError, ValueError):
            return None


def holds(rule: Rule, moment: Moment) -> bool:
    """Say whether a rule's hours and conditions hold."""
    if rule.hours.spans and ((now := moment.local) is None or not rule.hours.hold(now)):
        return False
    return not any(why_not(condition, moment.rows, moment.fresh, moment.time) for condition in rule.conditions)


def objection(rules: tuple[Rule, ...], moment: Moment) -> tuple[str, str]:
    """Say why none of somebody's rules holds: the kind of reason, and the rest of a sentence that began with their name."""
    if not rules:
        return "no rule", "is named by no rule"
    early = tuple(rule for rule in rules if not holds(Rule(rule.name, rule.who, rule.hours, rule.action, rule.opens), moment))
    if len(early) == len(rules):
        now = moment.local
        clock = "the date and time are not known" if now is None else f"it is {DAYS[now.weekday()]} {now:%H:%M}"
        return "hours", f"may only enter {'; '.join(rule.hours.text for rule in rules)}, and {clock}"
    unmet = (
        f"{condition.text}, but {why}"
        for rule in rules
        if rule not in early
        for condition in rule.conditions
        if (why := why_not(condition, moment.rows, moment.fresh, moment.time))
    )
    return "condition", f"may only enter while {'; '.join(unmet)}"
