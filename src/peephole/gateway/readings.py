"""Readings that drive rules by themselves, such as ventilation, and a door that is held open; pure."""

import math
from collections.abc import Iterator
from dataclasses import replace

from peephole.base.records import Decision
from peephole.gateway.conditions import Row, why_not
from peephole.gateway.inbox import Signal
from peephole.gateway.rules import Rule, holds
from peephole.gateway.state import Policy, Reaction, State, moment, note

__all__ = ["passed", "read"]

EVER = math.inf


def read(policy: Policy, state: State, signal: Signal) -> Reaction:
    """Take a reading: it may make rules act that nobody's face is needed for; none of those can open."""
    if signal.source not in policy.fresh:
        return Reaction(state)
    state = replace(state, rows={**state.rows, signal.source: Row(signal.time, dict(signal.values))})
    now = moment(policy, state, signal.time, signal.wall)
    due = tuple(rule for rule in policy.rules if _driven(rule) and _rested(state, rule, signal.time) and holds(rule, now))
    state = replace(state, fired={**state.fired, **{rule.name: signal.time for rule in due}})
    # How the door stands is told when it changes, so its word holds until the next one, however old.
    if any(condition.name == signal.source for condition in policy.ajar):
        stands = not any(why_not(condition, state.rows, dict.fromkeys(state.rows, EVER), signal.time) for condition in policy.ajar)
        state = replace(state, ajar_since=(state.ajar_since if state.ajar_since is not None else signal.time) if stands else None)
        state = replace(state, ajar_told=state.ajar_told and stands)
    return Reaction(state, tuple(_acts(state, due)))


def _driven(rule: Rule) -> bool:
    return not rule.who and bool(rule.conditions) and not rule.opens


def _rested(state: State, rule: Rule, time: float) -> bool:
    last = state.fired.get(rule.name)
    return last is None or not 0 <= time - last < rule.rest


def _acts(state: State, due: tuple[Rule, ...]) -> Iterator[Decision]:
    for rule in due:
        values = ((condition, state.rows[condition.name].values[condition.key]) for condition in rule.conditions)
        said = "; ".join(f"{one.name}.{one.key} is {f'{value:g}' if isinstance(value, float | int) else value}" for one, value in values)
        yield Decision("-", "ask", None, f"{said}: {' and '.join(condition.text for condition in rule.conditions)}", rule.name, rule.action)


def passed(policy: Policy, state: State, time: float) -> Reaction:
    """Let time pass: a door that stands open for longer than it may is told of, once each time."""
    since = state.ajar_since
    if since is None or state.ajar_told or not time - since > policy.held:
        return Reaction(state)
    told = note("held open", f"held open: the door has stood open for {time - since:.0f} s")
    return Reaction(replace(state, ajar_told=True), (told,))
