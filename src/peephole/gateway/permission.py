"""Enough frames agree on somebody: what may happen now? Rules, weighing, lockout, cool-down, second factor, in this order; pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from peephole.base.records import Decision, Verdict
from peephole.gateway.factor import backing, taken
from peephole.gateway.judging import Judged
from peephole.gateway.lockout import cleared, held
from peephole.gateway.reasons import agreed, figures
from peephole.gateway.rules import UNKNOWN, Moment, Rule, holds, objection
from peephole.gateway.state import Agreement, Policy, State, Underway, also_source, decided, moment, once
from peephole.gateway.weighing import weigh

__all__ = ["agreement", "settle"]


def agreement(visit: Underway) -> Agreement:
    """Put into words and figures that the latest frames of a visit agree."""
    label = None if visit.who == UNKNOWN else visit.who
    said = agreed(visit.run, label)
    seen = visit.latest[-1].prediction
    why = said if seen is None else f"{said}; {'the last one: ' if len(visit.run) > 1 else ''}{figures(seen)}"
    return Agreement(visit.who, visit.run[-1], agreed(visit.run[-1:] * len(visit.run), label), said, why, _odds(visit.latest))


def _odds(latest: Sequence[Judged]) -> tuple[tuple[str, float], ...]:
    """Return each label's mean probability over the frames that agree."""
    sums: defaultdict[str, float] = defaultdict(float)
    for judged in latest:
        for label, probability in judged.prediction.ranking if judged.prediction else ():
            sums[label] += probability / len(latest)
    return tuple(sums.items())


def settle(policy: Policy, state: State, visit: Underway, time: float, wall: float) -> tuple[State, Decision | None]:
    """Decide whether the one on whom frames agreed may come in at `time`, when the last frame or the second factor came."""
    seen = visit.agreed
    assert seen is not None, "without an agreement there is nobody to decide about"
    label = None if seen.who == UNKNOWN else seen.who
    now = moment(policy, state, time, wall)
    mine = tuple(rule for rule in policy.rules if seen.who in rule.who and not (label is None and rule.opens))
    rule, why = next((rule for rule in mine if holds(rule, now)), None), seen.why
    if rule is None:
        return _say_no(state, visit, mine, now)
    if policy.weights is not None:
        rule, why = _weighed(policy, seen, mine, rule, now)
        if rule is None:
            return once(state, visit, seen.who, "weighing", why)
    if rule.action in visit.done or (rule.opens and visit.opened):
        return replace(state, visit=visit), None
    if rule.opens:
        return _open(policy, state, replace(visit, agreed=replace(seen, why=why)), rule, time)
    return _do(state, visit, rule, "ask", why)


def _open(policy: Policy, state: State, visit: Underway, rule: Rule, time: float) -> tuple[State, Decision | None]:
    """Open, unless the lockout, the cool-down or a missing second factor forbids it."""
    seen, factor = visit.agreed, policy.factor
    assert seen is not None, "without an agreement there is nobody to decide about"
    if bar := held(policy.patience, state.lockout, time):
        return once(state, visit, seen.who, "lockout", f"{seen.told}, but {bar}")
    if time < state.shut_until:
        wait = state.shut_until - time
        return once(state, visit, seen.who, "cool-down", f"{seen.told}, but the door opened a moment ago: shut for another {wait:.1f} s")
    for name in policy.also:
        if not _agrees(state, name, seen.who, time, policy.within):
            return once(state, visit, seen.who, "another model", f"{seen.told}; {name} must see the same within {policy.within:g} s")
    why = f"{seen.why}{''.join(f'; {name} sees the same' for name in policy.also)}"
    if factor is not None:
        backed = backing(factor, state.heard, seen.who, time)
        if not backed:
            lacks = "PIN or tag" if factor.kind == "secret" else "phone is not here; it"
            why = f"{seen.told}; {seen.who}'s {lacks} is awaited for {factor.within:g} s"
            return once(state, replace(visit, awaits=True), seen.who, "second factor", why)
        why = f"{why}; {backed}"
        heard = taken(factor, state.heard, seen.who, time)
        state = replace(state, heard=heard, lockout=cleared(state.lockout) if factor.kind == "secret" else state.lockout)
    state = replace(state, shut_until=time + policy.cool_down)
    return _do(state, replace(visit, opened=True, awaits=False), rule, "open", why)


def _agrees(state: State, name: str, who: str, time: float, within: float) -> bool:
    """Say whether another model's latest word was this label, not longer ago than the window."""
    row = state.rows.get(also_source(name))
    return row is not None and row.values.get("who") == who and abs(time - row.time) <= within


def _do(state: State, visit: Underway, rule: Rule, verdict: Verdict, why: str) -> tuple[State, Decision]:
    seen = visit.agreed
    label = None if seen is None or seen.who == UNKNOWN else seen.who
    state = replace(state, visit=replace(visit, done=visit.done | {rule.action}))
    return decided(state, Decision(visit.id, verdict, label, why, rule.name, rule.action))


def _weighed(policy: Policy, seen: Agreement, mine: Sequence[Rule], first: Rule, now: Moment) -> tuple[Rule | None, str]:
    """Return the rule whose action costs least, None for doing nothing; only the first rule may bring an opening into it."""
    assert policy.weights is not None, "there is something to weigh"
    others = tuple(rule for rule in mine if not rule.opens and holds(rule, now))
    choices = (first, *others) if first.opens else others
    choice = weigh(policy.weights, dict(seen.odds), first.who, [rule.action for rule in choices], first.action if first.opens else None)
    return next((rule for rule in choices if rule.action == choice.action), None), f"{seen.why}; {choice.told}"


def _say_no(state: State, visit: Underway, mine: tuple[Rule, ...], now: Moment) -> tuple[State, Decision | None]:
    """Known, but not allowed: say so once; strangers hear it when the visit ends."""
    seen = visit.agreed
    if seen is None or seen.who == UNKNOWN:
        return replace(state, visit=visit), None
    kind, why = objection(mine, now)
    return once(state, visit, seen.who, kind, f"{seen.brief}, who {why}")
