"""Presence, in the policy: a phone that was heard lately backs its owner, and nobody else."""

from dataclasses import replace

import pytest
from doorworld import FACES, POLICY, WALL

from peephole.base.records import Decision
from peephole.gateway.factor import Asked
from peephole.gateway.hearing import hear
from peephole.gateway.inbox import Signal
from peephole.gateway.policy import Glance, State, step

PRESENCE = replace(POLICY, factor=Asked("presence", 20.0, 60.0), cool_down=0.0)


def phone(time: float, label: str = "ana", here: str = "yes", **changes: float | str) -> Signal:
    values: dict[str, float | str] = {"nonce": f"nonce-{time}-{label}", "expires": WALL + time + 5, "whose": f'["{label}"]', "here": here}
    return Signal(time, WALL + time, f"{label}'s phone", "presence", {**values, **changes})


def enter(signals: list[Signal], at: float, face: str = "ana", later: list[Signal] | None = None) -> list[str]:
    """Hear signals, let somebody come, hear more; returns the reasons of the openings."""
    state, found = State(), []
    for signal in signals:
        state = hear(PRESENCE, state, signal).state
    events: list[object] = []
    for number in range(3):
        reaction = step(PRESENCE, state, Glance(at + number * 0.2, WALL + at, FACES[face]))
        state, events = reaction.state, [*events, *reaction.events]
    for signal in later or []:
        reaction = hear(PRESENCE, state, signal)
        state, events = reaction.state, [*events, *reaction.events]
    found = [event.reason for event in events if isinstance(event, Decision) and event.verdict == "open"]
    return found


def test_a_phone_that_is_here() -> None:
    """It backs its owner, for more than one opening, and the reason says how long ago it was heard."""
    (reason,) = enter([phone(0.0)], 30.0)
    assert reason.endswith("; ana's phone was here 30 s before")
    assert enter([phone(0.0, "junho")], 30.0) == [] and enter([phone(0.0)], 30.0, "junho") == []


@pytest.mark.parametrize(
    ("signals", "at"),
    [
        ([], 30.0),
        ([phone(0.0)], 60.1),
        ([phone(0.0), phone(1.0, here="no")], 30.0),
        ([phone(0.0, retained=1.0)], 30.0),
        ([phone(0.0, nonce="")], 30.0),
        ([phone(0.0, expires=WALL - 1)], 30.0),
        ([phone(0.0, expires=WALL + 61)], 30.0),
        ([phone(0.0, expires=float("nan"))], 30.0),
        ([phone(0.0, problem="it is no JSON")], 30.0),
        ([phone(0.0), phone(0.5, here="no"), replace(phone(0.0), time=1.0)], 30.0),
        ([replace(phone(0.0), kind="factor")], 30.0),
        ([replace(phone(0.0), time=float("nan"))], 30.0),
    ],
)
def test_a_phone_that_is_not(signals: list[Signal], at: float) -> None:
    """Never heard, long ago, taken back, not believed, replayed after it left, or of another kind."""
    assert enter(signals, at) == []


def test_a_phone_that_comes_later() -> None:
    """Whoever is waiting is let in when the phone arrives, within twenty seconds."""
    assert len(enter([], 30.0, later=[phone(49.0)])) == 1
    assert enter([], 30.0, later=[phone(51.0)]) == []
    assert enter([], 30.0, later=[phone(35.0, here="no")]) == []


def test_freshness_is_exact() -> None:
    """Sixty seconds count, a hair more does not."""
    assert len(enter([phone(0.0)], 59.6)) == 1 and enter([phone(0.0)], 59.7) == []


def test_phones_are_no_pins() -> None:
    """Where a PIN is asked for, a phone lets nobody in, and its message counts as no failure."""
    state = hear(POLICY, State(), phone(0.0)).state
    assert state == State()
