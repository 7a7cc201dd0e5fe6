"""A whole gate that runs in a thread, with a real broker and journal, a recording lock, and nobody in front of the camera."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from peephole.base.records import Decision
from peephole.gateway.actuators import RecordingActuator
from peephole.gateway.agent import Summary, run
from peephole.gateway.clock import Clock, SystemClock
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Record
from peephole.gateway.sensors import Capture, Idle
from peephole.gateway.switchboard import rehearsal

MODEL = ColourPredictor({"ana": (200, 30, 30), "junho": (30, 30, 200)})
SECRET = "0123456789abcdef" * 4


class Nobody:
    """A sensor in front of which nothing happens, until `hang` is set; then its watch does not move."""

    recorded, dated, notes = False, True, ()

    def __init__(self, clock: Clock, every: float = 0.02) -> None:
        self._clock, self._every = clock, every
        self.hang = threading.Event()
        self.shown: list[Capture] = []

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield that nothing is new, or what was put into `shown`."""
        while not stop.wait(self._every):
            while self.hang.is_set() and not stop.is_set():
                time.sleep(0.01)
            yield self.shown.pop(0) if self.shown else Idle(self._clock.monotonic(), self._clock.wall())


@dataclass
class LiveGate:
    """What can be seen of a running gate."""

    lock: RecordingActuator
    sensor: Nobody
    rows: list[Record] = field(default_factory=list)
    summary: Summary | None = None
    error: BaseException | None = None

    @property
    def openings(self) -> int:
        """How often the lock was told to open."""
        return sum(command.state == "on" for command in self.lock.commands)

    def rules(self) -> list[str]:
        """Return the rules of the decisions so far."""
        return [row.rule for row in self.rows if isinstance(row, Decision)]


def until(holds: Callable[[], Any], seconds: float = 10.0) -> bool:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(holds())


@contextmanager
def running(door: Door, clock: Clock | None = None, **parts: Any) -> Iterator[LiveGate]:
    """Run a gate until the end of `with`."""
    clock = clock or SystemClock()
    board, stop = rehearsal(door), threading.Event()
    actuator = board.lines["open"].actuator
    assert isinstance(actuator, RecordingActuator)
    gate = LiveGate(actuator, Nobody(clock))

    def live() -> None:
        try:
            gate.summary = run(
                door, MODEL.predict, MODEL.card, sensor=gate.sensor, switchboard=board, clock=clock, stop=stop, tell=gate.rows.append, **parts
            )
        except BaseException as error:  # told to whoever looks
            gate.error = error

    thread = threading.Thread(target=live)
    thread.start()
    try:
        assert until(lambda: gate.rows or gate.error) and gate.error is None, gate.error
        yield gate
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive() and gate.error is None, gate.error
