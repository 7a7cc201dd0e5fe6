"""Readings drive rules by themselves, take part in others, and tell of a door that is held open; none of them ever opens."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC

import pytest
from doorworld import FACES

from peephole.base.records import Decision
from peephole.gateway.conditions import parse_condition
from peephole.gateway.hearing import hear
from peephole.gateway.hours import ALWAYS
from peephole.gateway.inbox import Signal
from peephole.gateway.policy import Glance, Policy, Reaction, Rule, State, step
from peephole.gateway.readings import passed

HIGH, LOW = parse_condition("air.co2 > 1200"), parse_condition("air.co2 < 1000")
RULES = (
    Rule("rule 1", frozenset({"ana"}), ALWAYS, "open", True, (LOW,)),
    Rule("rule 2", frozenset(), ALWAYS, "ventilate", False, (HIGH,), 60.0),
)
POLICY = Policy(rules=RULES, zone=UTC, fresh={"air": 60.0, "entry": 5.0}, ajar=(parse_condition("entry.contact == open"),), held=30.0)
Hear = Callable[[Policy, State, Signal], Reaction]


def reading(time: float, name: str = "air", **values: float | str) -> Signal:
    return Signal(time, 1.8e9, name, "reading", values)


def play(*signals: Signal, policy: Policy = POLICY, ear: Hear = hear) -> tuple[State, list[Decision]]:
    state, found = State(), []
    for signal in signals:
        reaction = ear(policy, state, signal)
        state = reaction.state
        found += [event for event in reaction.events if isinstance(event, Decision)]
    return state, found


def test_readings_drive_a_rule() -> None:
    """Bad air ventilates at once, again only after its rest, and not while the air is good."""
    _, found = play(reading(0, co2=900.0), reading(1, co2=1300.0), reading(2, co2=1400.0), reading(60, co2=1400.0), reading(61, co2=1350.0))
    assert [(one.verdict, one.action, one.rule, one.label) for one in found] == [("ask", "ventilate", "rule 2", None)] * 2
    assert found[0].reason == "air.co2 is 1300: air.co2 > 1200"


def test_readings_never_open() -> None:
    """A rule without anybody that opens is never followed, even if one got past the settings."""
    careless = replace(POLICY, rules=(Rule("rule 1", frozenset(), ALWAYS, "open", True, (HIGH,)),))
    assert play(reading(0, co2=1300.0), policy=careless)[1] == []


def test_names_from_nowhere_are_forgotten() -> None:
    """A reading that DOOR.toml does not declare leaves no trace."""
    assert play(reading(0, "elsewhere", co2=1300.0))[0] == State()


def enter(state: State, time: float, policy: Policy = POLICY) -> list[Decision]:
    found: list[Decision] = []
    for number in range(3):
        reaction = step(policy, state, Glance(time + number * 0.2, 1.8e9, FACES["ana"]))
        state = reaction.state
        found += [event for event in reaction.events if isinstance(event, Decision)]
    return found


@pytest.mark.parametrize(
    ("signals", "verdict", "why"),
    [
        ([reading(0, co2=900.0)], "open", ""),
        ([], "refuse", "air.co2 < 1000, but air has said nothing"),
        ([reading(0, co2=1100.0)], "refuse", "air.co2 < 1000, but air.co2 is 1100"),
        ([reading(-100, co2=900.0)], "refuse", "air.co2 < 1000, but air has said nothing for 101 s"),
        ([reading(0, co2=float("nan"))], "refuse", "which cannot be compared"),
        ([reading(0, co2=900.0), reading(0.5, temperature=20.0)], "refuse", "air does not say co2"),
    ],
)
def test_a_rule_with_a_condition(signals: list[Signal], verdict: str, why: str) -> None:
    """The door opens while the reading says so, and else refuses with the condition and what the reading said."""
    (decision,) = enter(play(*signals)[0], 0.6)
    assert decision.verdict == verdict and why in decision.reason
    assert verdict == "open" or (
        decision.rule == "condition" and decision.reason.startswith("three frames in a row were ana, who may only enter while")
    )


def test_stale_readings_would_be_found() -> None:
    """Planted-bug twin: a policy whose readings never age opens on the one of a hundred seconds ago."""
    state = play(reading(-100, co2=900.0))[0]
    assert enter(state, 0.6, replace(POLICY, fresh={"air": 1e9}))[0].verdict == "open"


def test_held_open_is_told_once() -> None:
    """Half a minute after the contact said open, once; again only after it was shut in between."""
    state = play(reading(0, "entry", contact="open"))[0]
    assert passed(POLICY, state, 30.0).events == ()
    told = passed(POLICY, state, 30.5)
    (decision,) = told.events
    assert isinstance(decision, Decision) and (decision.verdict, decision.rule, decision.action) == ("note", "held open", None)
    assert decision.visit == "-", "whoever stands at the door did not leave it open"
    assert decision.reason == "held open: the door has stood open for 30 s"
    assert passed(POLICY, told.state, 300.0).events == ()
    again = hear(POLICY, told.state, reading(310, "entry", contact="open")).state
    assert passed(POLICY, again, 400.0).events == ()
    shut = hear(POLICY, again, reading(410, "entry", contact="closed")).state
    assert passed(POLICY, shut, 500.0).events == ()
    reopened = hear(POLICY, shut, reading(510, "entry", contact="open")).state
    assert len(passed(POLICY, reopened, 541.0).events) == 1


def test_other_readings_do_not_shut_the_door() -> None:
    """The contact's word holds until its next one, whatever the air says, and however fresh it is."""
    state = play(reading(0, "entry", contact="open"), reading(20, co2=500.0))[0]
    assert len(passed(POLICY, state, 31.0).events) == 1
