"""Faults at the door: whatever breaks, nothing opens, everything becomes safe, and it is written down where that is possible."""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.base.errors import ActuatorError, JournalError, SensorError
from peephole.base.records import Decision, Frame, Prediction, Quality, to_json
from peephole.gateway.actuators import Command, RecordingActuator
from peephole.gateway.agent import Summary, run
from peephole.gateway.clock import SteppedClock
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal, Record, Remark
from peephole.gateway.sensors import Capture, Idle, replay_sensor
from peephole.gateway.switchboard import Line, Switchboard

MakeDoor = Callable[..., Door]
COLOURS = {"ana": (200, 30, 30), "junho": (30, 30, 200)}


@pytest.fixture
def arrival(tmp_path: Path, paint: Callable[[Path, str], Path]) -> Path:
    """Ana comes twice, a minute apart, five frames each: enough to open the door."""
    for visit in ("v1", "v2"):
        for number in range(5):
            paint(tmp_path / "night" / visit / f"{number}.png", "ana")
    return tmp_path / "night"


class Lock(RecordingActuator):
    """A lock that knows whether its opening was in the journal at that moment."""

    def __init__(self, journal: Journal | None = None, fails: bool = False) -> None:
        super().__init__(fails)
        self._journal = journal
        self.unauthorised = 0

    def send(self, command: Command) -> None:
        """Look into the journal before remembering."""
        if command.state == "on" and self._journal is not None:
            written = [
                row.record.visit for row in self._journal.entries("decision") if isinstance(row.record, Decision) and row.record.verdict == "open"
            ]
            self.unauthorised += command.visit not in written
        super().send(command)


def watch(door: Door, lock: RecordingActuator, model: ColourPredictor | None = None, **more: Any) -> Summary:
    model = model or ColourPredictor(COLOURS)
    board = Switchboard("front-door", {"open": Line(lock, 5.0), "call": Line(RecordingActuator())})
    return run(door, model.predict, model.card, switchboard=board, **more)


def openings(lock: RecordingActuator) -> int:
    return sum(command.state == "on" for command in lock.commands)


def test_a_model_that_fails_opens_nothing(arrival: Path, make_door: MakeDoor) -> None:
    """The second frame's answer is an exception: safe at once, the frame is refused, the watch goes on, faults are counted."""
    lock = Lock()
    summary = watch(make_door(), lock, ColourPredictor(COLOURS, breaks_after=2))
    assert openings(lock) == 0 and lock.state == "off"
    assert (summary.opened, summary.faults, summary.frames, summary.refused_frames) == (0, 8, 10, 8)
    assert "the model failed: the colour model was told to break" in summary.outcomes[-1].reason


def test_a_model_that_fails_while_the_door_is_open(arrival: Path, make_door: MakeDoor) -> None:
    """The door had opened; the fault shuts it before its pulse is over."""
    lock = Lock()
    summary = watch(make_door(), lock, ColourPredictor(COLOURS, breaks_after=3))
    assert [command.state for command in lock.commands][:3] == ["off", "on", "off"]
    assert lock.commands[2].wall - lock.commands[1].wall < 1.0
    assert summary.opened == 1
    with Journal.read(make_door().journal) as journal:
        told = [row.record.text for row in journal.entries("fault") if isinstance(row.record, Remark)]
    assert told[1] == "'open' was ended 4.8 s before its pulse was over, because of the fault before this row"
    assert summary.faults == len(told)


class Live:
    """A live camera before which ana stands, ten pictures a second on a clock that it moves."""

    recorded, dated, notes = False, True, ()

    def __init__(self, clock: SteppedClock, count: int) -> None:
        self._clock, self._count = clock, count

    def captures(self, stop: Any) -> Iterator[Capture | Idle]:
        """Yield them."""
        pixels = np.full((8, 8, 3), COLOURS["ana"], np.uint8)
        for _ in range(self._count):
            self._clock.step(0.1)
            now = self._clock.monotonic(), self._clock.wall()
            yield Capture(*now, "live", Frame(*now, "live", pixels, Quality(0.5, 1.0)))


@pytest.mark.parametrize(("seconds", "opened"), [(0.8, 1), (1.1, 0), (float("nan"), 0)])
def test_a_disk_that_is_slow_opens_for_nobody_who_is_gone(make_door: MakeDoor, seconds: float, opened: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decision is in the journal, after so long: it is not done any more, the next row says so, and so does the visit; a hasty twin opens."""
    for hasty in (False, True):
        clock = SteppedClock()

        class Slow(Journal):
            def write(self, record: Record, time: float, wall: float, clock: SteppedClock = clock) -> int:
                """Let time go by."""
                clock.step(seconds if isinstance(record, Decision) and record.verdict == "open" else 0.0)
                return super().write(record, time, wall)

        if hasty:
            monkeypatch.setattr("peephole.gateway.watch.require_fresh", lambda *_: None)
        sensor: Any = Live(clock, 4)
        with Slow(None, "front-door") as journal:
            lock = Lock(journal)
            summary = watch(make_door("folder://frames"), lock, journal=journal, sensor=sensor, clock=clock)
            faults = [row.record.text for row in journal.entries("fault") if isinstance(row.record, Remark)]
        assert openings(lock) == summary.opened == (1 if hasty else opened) and lock.state == "off"
        assert hasty or opened or "went by before it was in the journal" in faults[0]


def test_a_model_that_always_fails_fills_no_journal(make_door: MakeDoor) -> None:
    """Ten frames a second for two minutes: each is refused and counted as a fault, and the journal has three rows of them; another error is told."""
    clock = SteppedClock()

    class Broken(ColourPredictor):
        def predict(self, pixels: np.ndarray) -> Prediction:
            raise ValueError("nothing works" if clock.monotonic() < 120.5 else "nothing works, otherwise")

    sensor: Any = Live(clock, 1210)
    with Journal(None, "front-door") as journal:
        summary = watch(make_door("folder://frames"), Lock(), Broken(COLOURS), journal=journal, sensor=sensor, clock=clock)
        told = [row.record.text for row in journal.entries("fault") if isinstance(row.record, Remark)]
    assert summary.faults == summary.refused_frames == 1210
    assert told == [*["ValueError: nothing works"] * 3, "ValueError: nothing works, otherwise"]


class Full(Journal):
    """A journal whose disk is full while `full` says so, for the rows that it names."""

    def __init__(self, path: Path | None, *kinds: type) -> None:
        super().__init__(path, "front-door")
        self.kinds = kinds

    def write(self, record: Record, time: float, wall: float) -> int:
        """Refuse the kinds that it was told to."""
        if isinstance(record, self.kinds):
            raise JournalError("the journal cannot be written: database or disk is full", "make room on the disk")
        return super().write(record, time, wall)


def test_a_full_disk_keeps_the_door_shut(arrival: Path, make_door: MakeDoor) -> None:
    """What cannot be written down does not happen, and no row claims that it did."""
    with Full(None, Decision) as journal:
        lock = Lock(journal)
        summary = watch(make_door(), lock, journal=journal)
        assert openings(lock) == 0 and lock.state == "off"
        assert (summary.opened, summary.shut) == (0, 2) and summary.faults >= 2
        assert [outcome.acted for outcome in summary.outcomes] == [False, False]
        assert not any('"verdict":"open"' in to_json(row.record) for row in journal.entries() if not isinstance(row.record, Remark))  # type: ignore[type-var]


def test_a_really_full_disk_recovers(arrival: Path, make_door: MakeDoor) -> None:
    """SQLite itself runs out of pages during the first visit and has room again in the second, which opens."""
    door = make_door()
    with Journal(door.journal, "front-door") as journal:
        pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
        journal.write(Remark("fault", "filler", "x" * 2000), 0, 0)
        lock = Lock(journal)
        sensor = replay_sensor(arrival)

        class Filling:
            recorded, dated, notes = True, True, ()

            def captures(self, stop: Any) -> Iterator[Capture | Idle]:
                for number, item in enumerate(sensor.captures(stop)):
                    if number == 2:
                        for size in (2000, 500, 100, 1):  # fill the last page to the brim
                            journal._database.execute(f"PRAGMA max_page_count = {pages}")
                            with pytest.raises(JournalError):
                                while True:
                                    journal.write(Remark("fault", "filler", "x" * size), 0, 0)
                    if number == 5:
                        journal._database.execute("PRAGMA max_page_count = 1000000")
                    yield item

        summary = watch(door, lock, journal=journal, sensor=Filling())
    assert [(outcome.visit, outcome.acted) for outcome in summary.outcomes] == [("v1", False), ("v2", True)]
    assert openings(lock) == 1 and lock.unauthorised == 0 and summary.opened == 1


def test_a_journal_that_cannot_begin_stops_the_gate(arrival: Path, make_door: MakeDoor) -> None:
    """Not even the start can be written: an error, with the controllers safe."""
    with Full(None, Remark) as journal:
        lock = Lock()
        with pytest.raises(JournalError, match="full"):
            watch(make_door(), lock, journal=journal)
        assert openings(lock) == 0 and lock.state == "off"


def test_the_journal_check_finds_a_hasty_gate(arrival: Path, make_door: MakeDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted-bug twin: a gate that acts first and writes afterwards is caught by the lock of this file; the right one is not."""
    with Journal(None, "front-door") as journal:
        lock = Lock(journal)
        watch(make_door(), lock, journal=journal)
        assert openings(lock) == 2 and lock.unauthorised == 0
    with Journal(None, "front-door") as journal:
        lock, late = Lock(journal), []
        write = journal.write
        monkeypatch.setattr(journal, "write", lambda record, time, wall: late.append((record, time, wall)) or len(late))
        watch(make_door(), lock, journal=journal)
        for row in late:
            write(*row)
        assert lock.unauthorised == 2


def test_a_controller_that_is_away_is_written_down(arrival: Path, make_door: MakeDoor) -> None:
    """The lock does not answer: faults in the journal, the visit counts as shut, the gate goes on."""
    with Journal(None, "front-door") as journal:
        summary = watch(make_door(), Lock(fails=True), journal=journal)
        faults = [row.record for row in journal.entries("fault")]
    assert (summary.opened, summary.shut, summary.visits) == (0, 2, 2)
    assert [outcome.verdict for outcome in summary.outcomes] == ["open", "open"] and not any(outcome.acted for outcome in summary.outcomes)
    assert (
        all(isinstance(fault, Remark) and fault.subject == "open" and "told to fail" in fault.text for fault in faults)
        and len(faults) == summary.faults
    )


def test_a_broker_that_is_away_is_no_crash(arrival: Path, make_door: MakeDoor, free_port: int) -> None:
    """Nobody listens on the broker's port: recorded, shut, and fast enough for a door."""
    door = make_door(target="mqtt://home/lock", more=f'[broker]\nurl = "mqtt://127.0.0.1:{free_port}"')
    model = ColourPredictor(COLOURS)
    began = time.monotonic()
    summary = run(door, model.predict, model.card)
    assert time.monotonic() - began < 10
    assert summary.opened == 0 and summary.faults > 0
    with Journal(door.journal, "front-door") as journal:
        assert any(isinstance(row.record, Remark) and "is away" in row.record.text for row in journal.entries("fault"))


def test_a_broker_that_dies_in_between(arrival: Path, make_door: MakeDoor, mosquitto: Any) -> None:
    """The broker dies between two visits: the first opens, the second is recorded as not done."""
    door = make_door(target="mqtt://home/lock", more=f'[broker]\nurl = "{mosquitto.url}"')
    model = ColourPredictor(COLOURS)

    def tell(record: Record) -> None:
        if isinstance(record, Decision) and record.visit == "v2":
            mosquitto.kill()

    summary = run(door, model.predict, model.card, tell=tell)
    assert [outcome.acted for outcome in summary.outcomes] == [True, False]


@pytest.mark.parametrize(
    "error", [SensorError("the camera is gone", "plug it in"), OSError("boom"), MemoryError(), KeyboardInterrupt(), SystemExit(1)]
)
def test_a_sensor_that_breaks_leaves_the_door_shut(arrival: Path, make_door: MakeDoor, error: BaseException) -> None:
    """In the middle of an opening the sensor raises: safe first, then a row, then the error."""
    sensor = replay_sensor(arrival)

    class Breaking:
        recorded, dated, notes = True, True, ()

        def captures(self, stop: Any) -> Iterator[Capture | Idle]:
            for number, item in enumerate(sensor.captures(stop)):
                if number == 4:
                    raise error
                yield item

    lock = Lock()
    with Journal(None, "front-door") as journal:
        with pytest.raises(type(error)):
            watch(make_door(), lock, journal=journal, sensor=Breaking())
        assert openings(lock) == 1 and lock.state == "off"
        assert [row.kind for row in journal.entries()][-2:] == ["fault", "stop"]


def test_a_listener_that_breaks_leaves_the_door_shut(arrival: Path, make_door: MakeDoor) -> None:
    """Even an error in whoever listens ends with the door shut."""

    def tell(record: Record) -> None:
        if isinstance(record, Decision):
            raise ZeroDivisionError

    lock = Lock()
    with pytest.raises(ZeroDivisionError):
        watch(make_door(), lock, tell=tell)
    assert openings(lock) == 0 and lock.state == "off"


def test_a_lock_that_fails_oddly_ends_shut(arrival: Path, make_door: MakeDoor) -> None:
    """An error that is none of ours ends the watch, safe first."""

    class Odd(Lock):
        def send(self, command: Command) -> None:
            super().send(command)
            if command.state == "on":
                raise ZeroDivisionError

    lock = Odd()
    with pytest.raises(ZeroDivisionError):
        watch(make_door(), lock)
    assert lock.state == "off"


CHILD = """
import sys
from pathlib import Path
from peephole.gateway.agent import run
from peephole.gateway.door import load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.cli.gateshow import stop_on_signals
model = ColourPredictor({"ana": (200, 30, 30), "junho": (30, 30, 200)})
run(load_door(Path(sys.argv[1])), model.predict, model.card, stop=stop_on_signals(), tell=lambda record: print(type(record).__name__, flush=True))
"""


def test_sigterm_puts_the_door_into_its_safe_state(make_door: MakeDoor, tmp_path: Path, paint: Callable[[Path, str], Path]) -> None:
    """A gate that is told to end while the door is open shuts it and says stop; exit code 0, within two seconds."""
    (tmp_path / "frames").mkdir()
    door = make_door("folder://frames?poll=0.02", target="log://door.log")
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(CHILD), str(door.path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "Remark\n"
    for number in range(3):
        paint(tmp_path / "frames" / f"{number}.png", "ana")
    assert child.stdout.readline() == "Decision\n"
    began = time.monotonic()
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0
    assert time.monotonic() - began < 2
    child.stdout.close()
    states = [line.split('"state": "')[1].split('"')[0] for line in (tmp_path / "door.log").read_text().splitlines() if '"action": "open"' in line]
    assert states == ["off", "on", "off"]
    with Journal.read(door.journal) as journal:
        assert [row.kind for row in journal.entries()] == ["start", "decision", "visit", "stop"]


def test_actuator_errors_are_os_errors() -> None:
    """Whoever has never heard of Peephole catches an OSError."""
    assert issubclass(ActuatorError, OSError)
