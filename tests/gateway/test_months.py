"""A gate that runs for months: its memory stays flat over a simulated day (SAFETY: running for months)."""

import gc
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from peephole.base.records import Frame, Prediction
from peephole.gateway.actuators import LogActuator
from peephole.gateway.agent import run
from peephole.gateway.clock import SteppedClock
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal, Record
from peephole.gateway.quality import measure
from peephole.gateway.sensors import Capture, Idle
from peephole.gateway.switchboard import Line, Switchboard

HOURS = 24.0 if os.environ.get("PEEPHOLE_LONG") else 2.0
COLOURS = ((200, 30, 30), (30, 30, 200), (30, 200, 30))
GROWTH = 100_000  # bytes


class Day:
    """A sensor that shows a visit of six frames every minute, and nothing in between, on a stepped clock."""

    recorded = False
    dated = True
    notes = ()

    def __init__(self, clock: SteppedClock, hours: float, halfway: Callable[[str], None]) -> None:
        self._clock, self._minutes, self._mark = clock, round(60 * hours), halfway

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield the day, marking three quarters of it, when a thousand visits are remembered, and its end."""
        for minute in range(self._minutes):
            if minute == self._minutes * 3 // 4:
                self._mark("begun")
            pixels = np.full((24, 32, 3), COLOURS[minute % 3], np.uint8)
            for _ in range(6):
                time, wall = self._clock.monotonic(), self._clock.wall()
                yield Capture(time, wall, "day", Frame(time, wall, "day", pixels, measure(pixels)))
                self._clock.step(0.1)
            for _ in range(20):
                self._clock.step(2.97)
                yield Idle(self._clock.monotonic(), self._clock.wall())
        self._mark("over")


class Hoarder:
    """The planted bug: a witness that keeps what it has seen."""

    name = "hoarder"

    def __init__(self) -> None:
        self.kept: list[object] = []

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Keep a frame."""
        assert capture.frame is not None
        self.kept.append(capture.frame.pixels.copy())

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Keep a record."""
        self.kept.append(record)

    def passed(self, time: float, wall: float) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def growth(door: Door, model: ColourPredictor, hours: float, *witnesses: Hoarder) -> int:
    """Return by how many bytes the gate's memory grew in the last quarter of the day."""
    clock, marks = SteppedClock(), dict[str, int]()

    def mark(name: str) -> None:
        gc.collect()
        marks[name] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        with Journal(door.journal, "front-door") as journal:
            lines = {name: Line(LogActuator(Path(os.devnull)), door.pulse(name)) for name in door.settings.action}  # a recording one would remember
            parts = {"sensor": Day(clock, hours, mark), "switchboard": Switchboard("front-door", lines), "journal": journal, "clock": clock}
            summary = run(door, model.predict, model.card, witnesses=witnesses, **parts)  # type: ignore[arg-type]  # a day is a sensor
    finally:
        tracemalloc.stop()
    assert summary.visits == round(60 * hours) and summary.opened > hours and summary.faults == 0
    return marks["over"] - marks["begun"]


def test_memory_is_flat_over_a_day(make_door: Callable[..., Door], model: ColourPredictor) -> None:
    """A visit a minute: its last quarter adds nothing; a hoarder is caught."""
    door = make_door()
    flat = growth(door, model, HOURS)
    assert flat < GROWTH, f"{flat:,} bytes"
    door.journal.unlink()
    assert growth(door, model, HOURS, Hoarder()) > GROWTH
