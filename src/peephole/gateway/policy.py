"""Glances -> decisions: visits and agreement; pure, no clock, no I/O. What an agreement may cause is decided in permission.

Knows nothing of cameras, locks or files. Time arrives as a number, so a whole night at the door can be
replayed in a moment. When in doubt the answer is `refuse`. What is heard rather than seen comes in by hearing.
"""

import math
from dataclasses import replace

from peephole.base.records import Decision, Visit
from peephole.gateway.factor import Heard
from peephole.gateway.judging import Glance, Judged, judge
from peephole.gateway.lockout import turned
from peephole.gateway.permission import agreement, settle
from peephole.gateway.reasons import farewell
from peephole.gateway.rules import CLOCK_IS_SET, UNKNOWN, Rule
from peephole.gateway.state import Ended, Policy, Reaction, State, Underway, awaits, once, told

__all__ = ["CLOCK_IS_SET", "UNKNOWN", "Ended", "Glance", "Judged", "Policy", "Reaction", "Rule", "State", "finish", "judge", "step", "tick"]

KEPT = 30  # predictions remembered per visit: an empty doorway is one visit that lasts all night


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
        state = _turned(policy, state, glance.time)
        glance = replace(glance, problem=f"time went back by {back:.3g} s")
    if state.visit is None and not glance.taken and glance.visit is None:  # a camera that is down is nobody's visit
        return Reaction(replace(state, time=glance.time), tuple(events))
    if state.visit is None:
        state = replace(state, count=state.count + 1)
        state = replace(state, visit=Underway(glance.visit or f"{state.prefix}{state.count}", glance.visit, glance.time, glance.time))
    state, decision = _look(policy, state, glance)
    if back > 0 and state.visit is not None:
        state, decision = once(state, state.visit, "", "time", f"{glance.problem}, so the frames before it no longer count")
    return Reaction(state, (*events, *([decision] if decision else [])))


def tick(policy: Policy, state: State, time: float) -> Reaction:
    """Let time pass without a frame: a visit without a name ends after the gap, or when its second factor is no longer awaited."""
    if math.isfinite(time) and state.visit is not None and state.visit.named is None and _is_quiet(policy, state.visit, time):
        return finish(policy, state)
    return Reaction(state)


def finish(policy: Policy, state: State) -> Reaction:
    """End the visit that is going on; every visit has at least one decision, in doubt `refuse`."""
    visit = state.visit
    if visit is None:
        return Reaction(state)
    events: list[Decision | Ended] = []
    if visit.verdict is None:
        state, decision = told(state, "agreement", None, farewell(policy.agree, policy.within, visit.latest, visit.run))
        events.append(decision)
    record = Visit(visit.id, visit.start, visit.last, visit.frames)
    events.append(Ended(record, visit.seen, visit.refused, visit.verdict or "refuse", visit.label))
    return Reaction(replace(state, visit=None), tuple(events))


def _turned(policy: Policy, state: State, time: float) -> State:
    """Follow a clock that went back: whatever was waited for begins again, and nothing that was heard before counts."""
    # A cool-down on a clock that jumped would end at any odd time, so it begins again; so does a lockout.
    cooling = state.shut_until > -math.inf
    lockout = turned(policy.factor.patience, state.lockout, state.time, time) if policy.factor is not None else state.lockout
    return replace(
        state,
        shut_until=time + policy.cool_down if cooling else state.shut_until,
        lockout=lockout,
        heard=Heard(nonces=state.heard.nonces),
        rows={},
        fired={},
        ajar_since=None,
    )


def _timeless(state: State) -> Reaction:
    """A frame without a time cannot agree with anything: forget the run, count it, refuse."""
    visit = state.visit
    if visit is None:
        return Reaction(state, (Decision("-", "refuse", None, "a frame came without a time that is a number", "time", None),))
    forgotten = replace(visit, who="", run=(), agreed=None, seen=visit.seen + 1, refused=visit.refused + 1)
    state, decision = once(state, forgotten, "", "no time", "a frame came without a time that is a number")
    return Reaction(state, (decision,) if decision else ())


def _is_over(policy: Policy, visit: Underway, glance: Glance) -> bool:
    if visit.named is not None or glance.visit is not None:
        return visit.named != glance.visit
    return _is_quiet(policy, visit, glance.time)


def _is_quiet(policy: Policy, visit: Underway, time: float) -> bool:
    return abs(time - visit.last) > policy.gap and not awaits(policy, visit, time)


def _look(policy: Policy, state: State, glance: Glance) -> tuple[State, Decision | None]:
    """Count a glance into the visit and settle what follows from it."""
    visit = state.visit
    assert visit is not None, "step opens a visit first"
    judged = judge(glance, policy.margin)
    run = (*visit.run, glance.time) if judged.who and judged.who == visit.who else (glance.time,)
    back = glance.time < state.time
    visit = replace(
        visit,
        last=glance.time if glance.taken or back or glance.visit is not None else visit.last,
        start=min(visit.start, glance.time),
        seen=visit.seen + 1,
        refused=visit.refused + (not judged.who),
        frames=(*visit.frames, judged.prediction)[-KEPT:] if judged.prediction is not None else visit.frames,
        latest=(*visit.latest, judged)[-policy.agree :],
        who=judged.who,
        run=run[-policy.agree :] if judged.who else (),
        agreed=None if back else visit.agreed,
    )
    state = replace(state, time=glance.time, visit=visit)
    if len(visit.run) < policy.agree or visit.run[-1] - visit.run[0] > policy.within:
        return state, None
    visit = replace(visit, agreed=agreement(visit), awaits=visit.awaits and visit.agreed is not None and visit.agreed.who == visit.who)
    return settle(policy, state, visit, glance.time, glance.wall)
