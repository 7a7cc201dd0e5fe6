"""SAFETY 2 with the whole gate, as DOOR.toml wires it: the gate is killed while the door is open, or its relay is."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peephole.gateway.door import Door
from peephole.gateway.journal import Journal, Remark
from peephole.gateway.outputpin import history

PULSE = 1.0
LATE = 0.5

CHILD = """
import sys
from pathlib import Path
from peephole.cli.gateshow import stop_on_signals
from peephole.gateway.agent import run
from peephole.gateway.door import load_door
from peephole.gateway.fakes import ColourPredictor
model = ColourPredictor({"ana": (200, 30, 30), "junho": (30, 30, 200)})
run(load_door(Path(sys.argv[1])), model.predict, model.card, stop=stop_on_signals(), tell=lambda record: print(type(record).__name__, flush=True))
"""


class Gate:
    """A gate in a process of its own, at whose door ana stands."""

    def __init__(self, door: Door, paint: Callable[[Path, str], Path]) -> None:
        (door.folder / "frames").mkdir(exist_ok=True)
        self.door, self.pin, self._paint = door, door.folder / "pin.txt", paint
        self.process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(CHILD), str(door.path)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "Remark\n"

    def open(self) -> int:
        """Let ana come and wait until the door is open; returns the relay's process id."""
        assert self.process.stdout is not None
        for number in range(3):
            self._paint(self.door.folder / "frames" / f"{time.monotonic_ns()}-{number}.png", "ana")
        assert self.process.stdout.readline() == "Decision\n"
        assert soon(lambda: history(self.pin)[-1].on)
        return history(self.pin)[-1].process

    @property
    def late(self) -> float:
        """By how many seconds the pin was on for longer than its pulse; infinite when it is on still."""
        rows = history(self.pin)
        since = next(row.time for row in rows if row.on)
        return next((row.time - since - PULSE for row in rows if row.time > since and not row.on), float("inf"))

    def close(self) -> None:
        """End it, if it is there still."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def soon(what: Callable[[], object], within: float = 3.0) -> bool:
    end = time.monotonic() + within
    while not what() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(what())


@pytest.fixture
def gate(make_door: Callable[..., Door], paint: Callable[[Path, str], Path]) -> Iterator[Gate]:
    """A running gate with a relay on the fake pin."""
    more = '[action.light]\ntarget = "gpio://27?fake=light.txt&active=low"\npulse = "1 s"'
    text = make_door("folder://frames?poll=0.02", target="record://", more=more).path.read_text(encoding="utf-8")
    door = make_door("folder://frames?poll=0.02", more=more)
    door.path.write_text(text.replace('target = "record://"\npulse = "5 s"', f'target = "gpio://17?fake=pin.txt"\npulse = "{PULSE:g} s"'), "utf-8")
    one = Gate(door, paint)
    yield one
    one.close()


def test_the_gate_is_killed(gate: Gate) -> None:
    """The relay is off within its pulse and half a second, and nobody is left behind."""
    relay = gate.open()
    gate.process.kill()
    assert soon(lambda: not history(gate.pin)[-1].on, PULSE + LATE) and gate.late <= LATE
    for process in (relay, history(gate.door.folder / "light.txt")[-1].process):
        assert soon(lambda process=process: not Path(f"/proc/{process}/cmdline").exists() or not Path(f"/proc/{process}/cmdline").read_bytes())


@pytest.mark.parametrize(("how", "says"), [(signal.SIGKILL, "killed by signal 9"), (signal.SIGSTOP, "did not answer")])
def test_the_relay_is_killed_or_stopped(gate: Gate, how: signal.Signals, says: str) -> None:
    """The gate starts another, whose first act is to be safe, and the journal has the fault; the door opens again afterwards."""
    relay = gate.open()
    os.kill(relay, how)
    assert soon(lambda: not history(gate.pin)[-1].on, 1.0 + LATE)
    assert history(gate.pin)[-1].process != relay
    found: list[Any] = []

    def faults() -> list[Any]:
        with Journal.read(gate.door.journal) as journal:
            found[:] = [row.record for row in journal.entries("fault")]
        return found

    assert soon(faults)
    (fault,) = found
    assert isinstance(fault, Remark) and fault.subject == "open" and says in fault.text and "safe state" in fault.text
    assert gate.process.poll() is None


HELD = """
import signal
from peephole.cli.gateshow import stop_on_signals
stop = stop_on_signals()
with stop._cond:
    signal.raise_signal(signal.SIGTERM)
stop.wait()
"""


def test_a_signal_at_the_worst_moment() -> None:
    """SIGTERM while the gate looks at the very event that it sets: the gate stops, where it once waited for itself for ever."""
    assert subprocess.run([sys.executable, "-c", HELD], timeout=10, check=False).returncode == 0


def test_a_gate_that_is_told_to_stop_ends_the_pulse(gate: Gate) -> None:
    """SIGTERM: safe at once, exit code 0, no fault, and both relays are gone."""
    gate.open()
    gate.process.send_signal(signal.SIGTERM)
    assert gate.process.wait(5) == 0
    assert not history(gate.pin)[-1].on and gate.late < 0
    with Journal.read(gate.door.journal) as journal:
        assert [row.kind for row in journal.entries()] == ["start", "decision", "visit", "stop"]
