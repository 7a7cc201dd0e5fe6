"""Glances -> decisions: visits, agreement, who may enter when, cool-down; pure, no clock, no I/O.

Knows nothing of cameras, locks or files. Time arrives as a number, so a whole night at the door can be
replayed in a moment. When in doubt the answer is `refuse`. The wall clock is asked for opening hours only.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from peephole.base.records import Decision, Prediction, Verdict, Visit
from peephole.gateway.hours import DAYS, Hours
from peephole.gateway.reasons import agreed, count, farewell, figures

__all__ = ["UNKNOWN", "Ended", "Glance", "Judged", "Policy", "Reaction", "Rule", "State", "finish", "step", "tick"]

UNKNOWN = "unknown"
KEPT = 30  # predictions remembered per visit: an empty doorway is one visit that lasts all night
CLOCK_IS_SET = 1_577_836_800.0  # 2020-01-01: a wall clock before that was never set


@dataclass(frozen=True)
class Rule:
    """`who` (labels, or UNKNOWN) may cause `action` while `hours` hold; `opens` marks what a stranger must never cause."""

    name: str
    who: frozenset[str]
    hours: Hours
    action: str
    opens: bool


@dataclass(frozen=True)
class Policy:
    """What the gate may do: times in seconds; `zone` None means the computer's own local time."""

    agree: int = 3
    within: float = 2.0
    gap: float = 2.0
    cool_down: float = 5.0
    rules: tuple[Rule, ...] = ()
    zone: tzinfo | None = None


@dataclass(frozen=True)
class Glance:
    """One frame as the policy sees it: a prediction, or the `problem` that kept it from being judged.

    `time` is monotonic, `wall` seconds since 1970; `visit` names the visit where a recording knows it.
    """

    time: float
    wall: float
    prediction: Prediction | None
    problem: str = ""
    visit: str | None = None


@dataclass(frozen=True)
class Judged:
    """A glance as it counts: `who` is a label, UNKNOWN for a stranger, or "" when it cannot be trusted for the `problem`."""

    who: str
    prediction: Prediction | None
    problem: str


@dataclass(frozen=True)
class Ended:
    """A visit that is over: `seen` frames, `refused` of them unjudged; `verdict` is the strongest one of its decisions."""

    visit: Visit
    seen: int
    refused: int
    verdict: Verdict
    label: str | None


@dataclass(frozen=True)
class Underway:
    """The visit that is going on; `run` holds the times of the latest frames in a row that say `who`."""

    id: str
    named: str | None
    start: float
    last: float
    seen: int = 0
    refused: int = 0
    frames: tuple[Prediction, ...] = ()
    latest: tuple[Judged, ...] = ()
    who: str = ""
    run: tuple[float, ...] = ()
    done: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    opened: bool = False
    verdict: Verdict | None = None
    label: str | None = None


@dataclass(frozen=True)
class State:
    """All that the policy remembers; `prefix` makes the names of visits unique across restarts."""

    prefix: str = "visit-"
    time: float = -math.inf
    shut_until: float = -math.inf
    count: int = 0
    visit: Underway | None = None


@dataclass(frozen=True)
class Reaction:
    """The next state, and what happened, in order."""

    state: State
    events: tuple[Decision | Ended, ...] = ()


def step(policy: Policy, state: State, glance: Glance) -> Reaction:
    """Take one glance; returns the next state with at most one decision that acts."""
    if not math.isfinite(glance.time):
        return _timeless(state)
    events: list[Decision | Ended] = []
    if state.visit is not None and _is_over(policy, state.visit, glance):
        closed = finish(policy, state)
        state, events = closed.state, list(closed.events)
    back = state.time - glance.time
    if back > 0:
        # A cool-down on a clock that jumped would end at any odd time, so it begins again.
        cooling = state.shut_until > -math.inf
        state = replace(state, shut_until=glance.time + policy.cool_down if cooling else state.shut_until)
        glance = replace(glance, problem=f"time went back by {back:.3g} s")
    if state.visit is None:
        state = replace(state, count=state.count + 1)
        state = replace(state, visit=Underway(glance.visit or f"{state.prefix}{state.count}", glance.visit, glance.time, glance.time))
    state, decision = _look(policy, state, glance)
    if back > 0 and state.visit is not None:
        state, decision = _once(state, state.visit, "time", f"{glance.problem}, so the frames before it no longer count")
    return Reaction(state, (*events, *([decision] if decision else [])))


def tick(policy: Policy, state: State, time: float) -> Reaction:
    """Let time pass without a frame: a visit without a name ends after the gap."""
    if math.isfinite(time) and state.visit is not None and state.visit.named is None and abs(time - state.visit.last) > policy.gap:
        return finish(policy, state)
    return Reaction(state)


def finish(policy: Policy, state: State) -> Reaction:
    """End the visit that is going on; every visit has at least one decision, in doubt `refuse`."""
    visit = state.visit
    if visit is None:
        return Reaction(state)
    events: list[Decision | Ended] = []
    if visit.verdict is None:
        state, decision = _told(state, "agreement", None, farewell(policy.agree, policy.within, visit.latest, visit.run))
        events.append(decision)
    record = Visit(visit.id, visit.start, visit.last, visit.frames)
    events.append(Ended(record, visit.seen, visit.refused, visit.verdict or "refuse", visit.label))
    return Reaction(replace(state, visit=None), tuple(events))


def _timeless(state: State) -> Reaction:
    """A frame without a time cannot agree with anything: forget the run, count it, refuse."""
    visit = state.visit
    if visit is None:
        return Reaction(state, (Decision("-", "refuse", None, "a frame came without a time that is a number", "time", None),))
    forgotten = replace(visit, who="", run=(), seen=visit.seen + 1, refused=visit.refused + 1)
    state, decision = _once(replace(state, visit=forgotten), forgotten, "no time", "a frame came without a time that is a number")
    return Reaction(state, (decision,) if decision else ())


def _is_over(policy: Policy, visit: Underway, glance: Glance) -> bool:
    if visit.named is not None or glance.visit is not None:
        return visit.named != glance.visit
    return abs(glance.time - visit.last) > policy.gap


def judge(glance: Glance) -> Judged:
    """Say whom a glance shows, trusting nothing that is not a number or contradicts itself."""
    seen = glance.prediction
    problem = glance.problem or ("it was not judged" if seen is None else _doubt(seen))
    if seen is None or problem:
        return Judged("", seen, problem or "it was not judged")
    return Judged(seen.label if seen.accepted and seen.label else UNKNOWN, seen, "")


def _doubt(seen: Prediction) -> str:
    figures = (seen.probability, seen.familiarity, seen.threshold)
    # A model with one label has no second one, so its margin may be infinite; NaN is never in order.
    if not all(math.isfinite(figure) for figure in figures) or math.isnan(seen.margin):
        return "the model's answer is not a number"
    if seen.accepted and (seen.label in (None, "", UNKNOWN) or seen.familiarity < seen.threshold or seen.margin < 0):
        return "the model's answer contradicts itself"
    return ""


def _look(policy: Policy, state: State, glance: Glance) -> tuple[State, Decision | None]:
    """Count a glance into the visit and settle what follows from it."""
    visit = state.visit
    assert visit is not None, "step opens a visit first"
    judged = judge(glance)
    run = (*visit.run, glance.time) if judged.who and judged.who == visit.who else (glance.time,)
    visit = replace(
        visit,
        last=glance.time,
        start=min(visit.start, glance.time),
        seen=visit.seen + 1,
        refused=visit.refused + (not judged.who),
        frames=(*visit.frames, judged.prediction)[-KEPT:] if judged.prediction is not None else visit.frames,
        latest=(*visit.latest, judged)[-policy.agree :],
        who=judged.who,
        run=run[-policy.agree :] if judged.who else (),
    )
    state = replace(state, time=glance.time, visit=visit)
    if len(visit.run) < policy.agree or visit.run[-1] - visit.run[0] > policy.within:
        return state, None
    return _settle(policy, state, glance, visit)


def _settle(policy: Policy, state: State, glance: Glance, visit: Underway) -> tuple[State, Decision | None]:
    """Decide whether somebody on whom enough frames agree may come in now."""
    who, label = visit.who, None if visit.who == UNKNOWN else visit.who
    mine = [rule for rule in policy.rules if who in rule.who and not (label is None and rule.opens)]
    rule = next((rule for rule in mine if _holds(rule, glance.wall, policy.zone)), None)
    if rule is None:
        return _say_no(state, visit, mine, _local(glance.wall, policy.zone))
    if rule.action in visit.done or (rule.opens and visit.opened):
        return state, None
    if rule.opens and glance.time < state.shut_until:
        wait = state.shut_until - glance.time
        return _once(state, visit, "cool-down", f"{agreed(visit.run, label)}, but the door opened a moment ago: shut for another {wait:.1f} s")
    visit = replace(visit, done=visit.done | {rule.action}, opened=visit.opened or rule.opens)
    shut_until = glance.time + policy.cool_down if rule.opens else state.shut_until
    verdict: Verdict = "open" if rule.opens else "ask"
    return _decided(
        replace(state, visit=visit, shut_until=shut_until),
        Decision(visit.id, verdict, label, _because(visit, label), rule.name, rule.action),
    )


def _because(visit: Underway, label: str | None) -> str:
    seen = visit.latest[-1].prediction
    if seen is None:
        return agreed(visit.run, label)
    return f"{agreed(visit.run, label)}; {'the last one: ' if len(visit.run) > 1 else ''}{figures(seen)}"


def _say_no(state: State, visit: Underway, mine: Iterable[Rule], now: datetime | None) -> tuple[State, Decision | None]:
    """Known, but not allowed: say so once; strangers hear it when the visit ends."""
    if visit.who == UNKNOWN:
        return state, None
    hours = "; ".join(rule.hours.text for rule in mine)
    clock = "the date and time are not known" if now is None else f"it is {DAYS[now.weekday()]} {now:%H:%M}"
    why = f"may only enter {hours}, and {clock}" if hours else "is named by no rule"
    return _once(state, visit, "hours" if hours else "no rule", f"{count(len(visit.run))} frames in a row were {visit.who}, who {why}")


def _once(state: State, visit: Underway, rule: str, reason: str) -> tuple[State, Decision | None]:
    key = f"{rule} {visit.who}"
    if key in visit.told:
        return state, None
    return _told(replace(state, visit=replace(visit, told=visit.told | {key})), rule, visit.who or None, reason)


def _told(state: State, rule: str, label: str | None, reason: str) -> tuple[State, Decision]:
    visit = state.visit
    assert visit is not None, "a refusal belongs to a visit"
    return _decided(state, Decision(visit.id, "refuse", label, reason, rule, None))


def _decided(state: State, decision: Decision) -> tuple[State, Decision]:
    """Remember the strongest verdict of the visit: open, then ask, then refuse."""
    visit = state.visit
    assert visit is not None, "a decision belongs to a visit"
    rank = ("refuse", "ask", "open")
    if visit.verdict is None or rank.index(decision.verdict) > rank.index(visit.verdict):
        visit = replace(visit, verdict=decision.verdict, label=decision.label)
    return replace(state, visit=visit), decision


def _holds(rule: Rule, wall: float, zone: tzinfo | None) -> bool:
    """Say whether a rule's hours hold; a wall clock that was never set, or is no number, holds for none."""
    if not rule.hours.spans:
        return True
    now = _local(wall, zone)
    return now is not None and rule.hours.hold(now)


def _local(wall: float, zone: tzinfo | None) -> datetime | None:
    """Return the local time of a wall clock, None when it was never set or is no number."""
    if not wall >= CLOCK_IS_SET:
        return None
    try:
        return datetime.fromtimestamp(wall, zone)
    except (OverflowError, OSError, ValueError):
        return None
