"""SAFETY test 23: 1970, an hour, a year, summer time: what the door does follows the monotonic clock, and the journal keeps its order."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from doorworld import FACES, POLICY, World
from hypothesis import given
from hypothesis import strategies as st

from peephole.base.records import Decision, Frame, Quality
from peephole.gateway.agent import run
from peephole.gateway.clock import SteppedClock
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.hours import parse_hours
from peephole.gateway.journal import Journal
from peephole.gateway.policy import Glance, Policy, Reaction, Rule, State, step
from peephole.gateway.rules import Moment, holds
from peephole.gateway.sensors import Capture, Idle
from peephole.gateway.switchboard import rehearsal

JUMPS = [-3600.0, 3600.0, -31_536_000.0, 31_536_000.0, -1.79e9]
Walk = Callable[[Policy, State, Glance], Reaction]


def verdicts(walls: list[float], walk: Walk = step) -> list[tuple[str, str | None]]:
    """Return what is decided about the same frames, three visits of ana five seconds apart, at these wall times."""
    policy, state, found = replace(POLICY, factor=None, cool_down=7.0), State(), []
    times = [visit * 5.0 + frame * 0.2 for visit in range(6) for frame in range(3)]
    for time, wall in zip(times, walls, strict=True):
        reaction = walk(policy, state, Glance(time, wall, FACES["ana"]))
        state = reaction.state
        found += [(event.verdict, event.rule) for event in reaction.events if isinstance(event, Decision)]
    return found


STEADY = [1.79e9 + number for number in range(18)]


@given(st.lists(st.one_of(st.sampled_from([0.0, *JUMPS]), st.floats(allow_nan=True, allow_infinity=True)), min_size=18, max_size=18))
def test_the_wall_clock_decides_nothing_but_hours(jumps: list[float]) -> None:
    """Where no rule has hours, any wall clock leads to the same decisions, cool-down included."""
    assert verdicts([wall + jump for wall, jump in zip(STEADY, jumps, strict=True)]) == verdicts(STEADY)


def test_a_cool_down_on_the_wall_clock_would_be_found() -> None:
    """Planted-bug twin: a policy that counts on the wall clock opens again too soon after a jump."""
    jumped = [wall + 3600.0 * (number // 3) for number, wall in enumerate(STEADY)]

    def on_the_wall(policy: Policy, state: State, glance: Glance) -> Reaction:
        return step(policy, state, replace(glance, time=glance.wall))

    assert verdicts(jumped, on_the_wall) != verdicts(jumped)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_lockout_does_not_know_the_wall_clock(jump: float) -> None:
    """Thirty seconds are thirty seconds, whatever the clock on the wall says; and a right PIN still opens afterwards."""
    world = World()
    for _ in range(5):
        world.pin("")
    world.set_clock(world.wall + jump)
    for wait, opened in ((29.0, 0), (31.0, 1)):
        world.wait(wait)
        for _ in range(3):
            world.frame("ana")
        world.pin("ana")
        assert (world.openings, world.violations) == (opened, [])


def test_a_device_that_boots_in_1970() -> None:
    """Whose keypad shares its clock works; a message from a clock that is right is refused, for its time cannot be told."""
    world = World(wall=12.0)
    for _ in range(3):
        world.frame("ana")
    world.pin("ana", 1.79e9)
    assert world.openings == 0
    world.pin("ana", 10.0)
    assert (world.openings, world.violations) == (1, [])


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("utc", "local", "true"),
    [
        ("2026-03-29T00:59", "01:59", False),  # the hour from two to three does not exist that night
        ("2026-03-29T01:00", "03:00", False),
        ("2026-10-25T00:30", "02:30", True),  # and comes twice that night
        ("2026-10-25T01:30", "02:30", True),
        ("2026-10-25T02:00", "03:00", False),
        ("2026-10-24T23:59", "01:59", False),
    ],
)
def test_summer_time(utc: str, local: str, true: bool) -> None:
    """Hours are the clock's on the wall: 02:00-03:00 holds never in the night of spring, twice in the one of autumn."""
    rule = Rule("rule 1", frozenset({"ana"}), parse_hours("02:00-03:00"), "open", True)
    moment = Moment(0.0, datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp(), {}, {}, BERLIN)
    assert moment.local is not None and f"{moment.local:%H:%M}" == local
    assert holds(rule, moment) is true


@pytest.mark.parametrize("jump", JUMPS)
def test_the_journal_keeps_its_order(tmp_path: Path, make_door: Callable[..., Door], model: ColourPredictor, jump: float) -> None:
    """The clock on the wall is set while the door is open: it shuts after its five seconds, and the rows stand in the order of what happened."""
    clock = SteppedClock()

    class Live:
        recorded, dated, notes = False, True, ()

        def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
            pixels = np.full((8, 8, 3), (200, 30, 30), np.uint8)
            for number in range(60):
                clock.step(0.2)
                if number == 5:
                    clock.set_wall(max(0.0, clock.wall() + jump))
                time, wall = clock.monotonic(), clock.wall()
                yield Capture(time, wall, "live", Frame(time, wall, "live", pixels, Quality(0.5, 1.0))) if number < 4 else Idle(time, wall)

    door = make_door("folder://frames")
    board = rehearsal(door)
    # The thread that ends pulses sleeps on the real clock; here the watch itself does it, turn by turn.
    board.watch = lambda *_: None  # type: ignore[method-assign]
    sensor: Any = Live()
    with Journal(door.journal, "front-door") as journal:
        summary = run(door, model.predict, model.card, sensor=sensor, switchboard=board, journal=journal, clock=clock)
        rows = journal.entries()
    assert summary.opened == 1
    commands: Any = board.lines["open"].actuator
    assert [command.state for command in commands.commands] == ["off", "on", "off", "off"]
    assert all(before.number < after.number and before.time <= after.time for before, after in pairwise(rows))
    assert [row.trusted for row in rows][-1] is (rows[-1].wall >= 1_577_836_800)
    opened = next(row.time for row in rows if isinstance(row.record, Decision) and row.record.verdict == "open")
    assert rows[-1].time - opened > 5.0
