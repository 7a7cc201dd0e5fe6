"""The relay's process and its gate: kill, stop or silence either of them while the door is open, and it is shut in time.

All with the fake pin, whose history outlives both processes; with a real one the kernel has a word too (docs/reference/targets.md).
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from peephole.base.errors import ActuatorError
from peephole.gateway import relay as relay_module
from peephole.gateway import relaylink
from peephole.gateway.actuators import Command
from peephole.gateway.outputpin import history
from peephole.gateway.relay import SILENCE
from peephole.gateway.relaylink import RelayActuator, relay_program

TARGET = "gpio://17?fake=pin.txt"
BROKEN = Path(__file__).parent / "broken_relay.py"
LATE = 0.5  # seconds after its pulse at which a relay must be off, whatever happened (SAFETY 2)

# A gate as far as its relay is concerned: it opens, says so, and goes on saying that it is alive.
GATE = """
import sys, time
from peephole.gateway import relay as relay_module
from peephole.gateway.actuators import Command
from peephole.gateway.relaylink import RelayActuator
relay = RelayActuator(sys.argv[2:])
relay.send(Command("front", "open", "on", 0.0, pulse=float(sys.argv[1])))
print(relay.process, flush=True)
time.sleep(60)
"""


def on(pulse: float) -> Command:
    return Command("front", "open", "on", time.time(), pulse=pulse)


OFF = Command("front", "open", "off", 0.0)


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    """The history of the fake pin."""
    return tmp_path / "pin.txt"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RelayActuator]]:
    """Return a function that starts a relay with its process."""
    relays = []

    def run(longest: float = 5.0, target: str = TARGET) -> RelayActuator:
        relays.append(RelayActuator(relay_program(target, "off", longest, tmp_path)))
        return relays[-1]

    yield run
    for relay in relays:
        relay.close()


def opened(pin: Path) -> bool:
    """Say whether the pin is on now."""
    return bool(history(pin)) and history(pin)[-1].on


def soon(what: Callable[[], object], within: float = 3.0) -> bool:
    """Wait until something is true; returns whether it became so."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.005)
    return bool(what())


def is_there(relay: RelayActuator) -> bool:
    """Say whether the process that is there now, which may be another than before, is ready."""
    return relay._child.ready.is_set()


def late(pin: Path, pulse: float) -> float:
    """Return by how many seconds the pin was on for longer than its pulse at worst; infinite when it is on still."""
    worst, since = -pulse, None
    for row in history(pin):
        if since is not None and not row.on:
            worst, since = max(worst, row.time - since - pulse), None
        elif row.on:
            since = row.time
    return worst if since is None else float("inf")


def test_it_starts_and_ends_safe(start: Callable[..., RelayActuator], pin: Path) -> None:
    """Off before anything is asked, on for its pulse, off by itself, off at the goodbye; all of it by the other process."""
    relay = start()
    assert [row.on for row in history(pin)] == [False]
    relay.send(on(0.2))
    assert opened(pin) and soon(lambda: not opened(pin))
    rows = history(pin)
    assert 0.2 <= rows[2].time - rows[1].time < 0.2 + LATE and {row.process for row in rows} == {relay.process}
    relay.send(on(5.0))
    relay.send(OFF)
    assert not opened(pin)
    relay.send(on(5.0))
    relay.close()
    assert not opened(pin) and relay.faults() == ()


def test_a_relay_that_is_active_low(start: Callable[..., RelayActuator], pin: Path) -> None:
    """Off is high, on is low."""
    start(target=TARGET + "&active=low").send(on(5.0))
    assert [(row.level, row.on) for row in history(pin)] == [("high", False), ("low", True)]


def test_only_pulses_are_driven(start: Callable[..., RelayActuator], pin: Path) -> None:
    """An `on` without an end, or one longer than the settings say, moves nothing."""
    relay = start(longest=1.0)
    with pytest.raises(ActuatorError, match="only ever driven for a pulse"):
        relay.send(Command("front", "open", "on", 0.0))
    with pytest.raises(ActuatorError, match=r"^the relay did not answer within"):
        relay.send(on(1.1))
    assert not any(row.on for row in history(pin))
    assert soon(relay.faults)


def gate(tmp_path: Path, pulse: float, program: tuple[str, ...] = ()) -> tuple["subprocess.Popen[str]", int]:
    """Start a gate of its own that has just opened; returns it with the relay's process id."""
    program = program or relay_program(TARGET, "off", pulse, tmp_path)
    process = subprocess.Popen([sys.executable, "-c", GATE, str(pulse), *program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def put_away(process: "subprocess.Popen[str]", relay: int = 0) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    if relay:
        with suppress(ProcessLookupError):
            os.kill(relay, signal.SIGKILL)


def kills(tmp_path: Path, pin: Path, count: int) -> list[float]:
    """Kill -9 as many gates, each at a random moment of its pulse; returns how late each relay was off."""
    dice, found = random.Random(11), []
    for _ in range(count):
        pin.unlink(missing_ok=True)
        process, relay = gate(tmp_path, 0.4)
        time.sleep(dice.uniform(0, 0.5))
        process.kill()
        soon(lambda: not opened(pin), 2.0)
        found.append(late(pin, 0.4))
        put_away(process, relay)
    return found


def test_kill_while_unlocked(tmp_path: Path, pin: Path) -> None:
    """SAFETY 2, a tenth of its count: the gate is killed while the door is open, the relay is off within its pulse and half a second."""
    assert max(kills(tmp_path, pin, 10)) <= LATE


@pytest.mark.long
def test_kill_while_unlocked_a_hundred_times(tmp_path: Path, pin: Path) -> None:
    """SAFETY 2 in full: 100 of 100."""
    found = kills(tmp_path, pin, 100)
    assert len(found) == 100 and max(found) <= LATE


def test_a_relay_that_trusts_its_gate_is_found(tmp_path: Path, pin: Path) -> None:
    """The planted bug: this relay waits to be told, and the same check sees that it stays on."""
    program = (sys.executable, str(BROKEN), "stays", *relay_program(TARGET, "off", 0.4, tmp_path)[4:])
    process, relay = gate(tmp_path, 0.4, program)
    process.kill()
    assert not soon(lambda: not opened(pin), 0.4 + LATE + 0.5)
    assert late(pin, 0.4) > LATE
    put_away(process, relay)


def test_a_gate_that_stands_still(tmp_path: Path, pin: Path) -> None:
    """SIGSTOP: nothing is closed and nothing is said, so the silence tells; when the gate goes on it goes on with the same relay."""
    process, relay = gate(tmp_path, 5.0)
    process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    assert soon(lambda: not opened(pin))
    assert history(pin)[-1].time - stopped <= SILENCE + LATE
    time.sleep(0.7)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.5)
    os.kill(relay, 0)
    assert {row.process for row in history(pin)} == {relay}
    put_away(process)


def test_ignored_silence_is_found(tmp_path: Path, pin: Path) -> None:
    """The planted bug: a relay that takes silence for consent is still on when the same check has given up."""
    program = (sys.executable, str(BROKEN), "NeverWorries", *relay_program(TARGET, "off", 5.0, tmp_path)[4:])
    process, relay = gate(tmp_path, 5.0, program)
    process.send_signal(signal.SIGSTOP)
    assert not soon(lambda: not opened(pin), SILENCE + LATE)
    put_away(process, relay)


def test_a_pipe_that_somebody_else_holds_open(tmp_path: Path, pin: Path) -> None:
    """A child that the gate forked keeps the pipe open after the gate was killed; the silence tells."""
    program = relay_program(TARGET, "off", 5.0, tmp_path)
    holds = GATE.replace("time.sleep(60)", "import os\nif os.fork() == 0:\n    print(os.getpid(), flush=True)\ntime.sleep(60)")
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", holds, "5.0", *program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    child = int(process.stdout.readline())
    process.kill()
    killed = time.monotonic()
    assert soon(lambda: not opened(pin))
    assert 0 <= history(pin)[-1].time - killed <= SILENCE + LATE
    os.kill(child, signal.SIGKILL)
    put_away(process)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT, signal.SIGQUIT])
def test_a_relay_that_is_told_to_end(start: Callable[..., RelayActuator], pin: Path, how: signal.Signals) -> None:
    """It makes the pin safe before it ends, and the gate starts another within a second and says so."""
    relay = start()
    relay.send(on(5.0))
    first = relay.process
    os.kill(first, how)
    assert soon(lambda: not opened(pin), 1.0) and history(pin)[-1].process == first
    assert soon(lambda: relay.process != first, 1.0)
    (fault,) = relay.faults()
    assert f"signal {int(how)}" in fault and "started again" in fault


@pytest.mark.parametrize(("how", "says"), [(signal.SIGKILL, "killed by signal 9"), (signal.SIGSTOP, "did not answer for 0.5 s")])
def test_a_relay_that_is_killed_or_stands_still(start: Callable[..., RelayActuator], pin: Path, how: signal.Signals, says: str) -> None:
    """The gate notices within a second, and the new process begins by making the pin safe; a fake pin keeps its level until then."""
    relay = start()
    relay.send(on(5.0))
    first, since = relay.process, time.monotonic()
    os.kill(first, how)
    assert soon(lambda: relay.process != first, 1.0 + LATE)
    noticed = time.monotonic() - since
    (fault,) = relay.faults()
    assert noticed <= 1.0 and says in fault and "started again, in its safe state" in fault
    assert soon(lambda: not opened(pin)) and history(pin)[-1].process == relay.process
    assert soon(lambda: is_there(relay))
    relay.send(on(0.2))
    assert soon(lambda: not opened(pin)) and relay.faults() == ()


def test_making_safe_does_not_wait_for_the_keeper(start: Callable[..., RelayActuator], pin: Path) -> None:
    """A relay that was killed is made safe by the very next command, not by the next look at it."""
    relay = start()
    relay.send(on(5.0))
    os.kill(relay.process, signal.SIGKILL)
    relay.send(OFF)
    assert not opened(pin) and relay.faults()


def test_a_slow_start_is_not_broken_off(tmp_path: Path, pin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small computer Python takes seconds to start: whoever asks again meanwhile waits for the same process."""
    monkeypatch.setattr("peephole.gateway.relaylink.SAFE", 0.3)
    program = " ".join(f"'{word}'" for word in relay_program(TARGET, "off", 5.0, tmp_path))
    relay = RelayActuator(("sh", "-c", f"test -e '{pin}' && sleep 1.5; exec {program}"))
    relay.send(on(5.0))
    os.kill(relay.process, signal.SIGKILL)
    for _ in range(3):
        with pytest.raises(ActuatorError, match="not safe within"):
            relay.send(OFF)
    second = relay.process
    assert soon(lambda: not opened(pin)) and relay.process == second and len(relay.faults()) == 1
    relay.send(OFF)
    relay.close()


def test_opening_without_a_relay_is_refused(start: Callable[..., RelayActuator], pin: Path) -> None:
    """While another relay is being started nothing opens, and the error says so."""
    relay = start()
    os.kill(relay.process, signal.SIGSTOP)
    with pytest.raises(ActuatorError, match="did not answer within"):
        relay.send(on(5.0))
    relay.send(OFF)
    time.sleep(0.2)
    assert not any(row.on for row in history(pin))


def test_no_petting_when_the_gate_hangs(start: Callable[..., RelayActuator], pin: Path) -> None:
    """SAFETY 27, the relay's part: when what says that the gate is alive stalls, the relay lets go, and the gate is told when it is back."""
    relay = start()
    relay.send(on(5.0))
    opened_at = time.monotonic()
    with relay._lock:  # what keeps the beat is kept waiting, as by a deadlock
        assert soon(lambda: not opened(pin))
    assert history(pin)[-1].time - opened_at <= SILENCE + LATE
    assert soon(lambda: any("heard nothing from the gate" in fault for fault in relay.faults()))


def test_a_deciding_loop_that_hangs_does_not_matter(start: Callable[..., RelayActuator], pin: Path) -> None:
    """SAFETY 27: nobody comes back to end the pulse, and it ends."""
    start().send(on(0.3))
    time.sleep(0.3 + LATE)
    assert not opened(pin) and late(pin, 0.3) <= LATE


def test_a_relay_that_cannot_start(start: Callable[..., RelayActuator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says why, at once, and there is no gate."""
    no_lgpio(monkeypatch, tmp_path)
    since = time.monotonic()
    with pytest.raises(ActuatorError, match=r"did not start: gpio://17.*No such file"):
        start(target="gpio://17?fake=none/pin.txt")
    with pytest.raises(ActuatorError, match="GPIO17 cannot be taken"):
        start(target="gpio://17")
    with pytest.raises(ActuatorError, match="cannot be started: No such file"):
        RelayActuator((str(tmp_path / "python"),))
    assert time.monotonic() - since < 8


def test_a_relay_that_nobody_could_listen_to_is_not_left_behind(
    start: Callable[..., RelayActuator], pin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread is left when a relay is started: its process is ended, the gate goes on trying, and another one comes when there is room."""
    relay, begin, left = start(), threading.Thread.start, list["subprocess.Popen[bytes]"]()

    class Kept(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            left.append(self)

    def none_left(thread: threading.Thread) -> None:
        if thread.name == "relay-answers":
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(subprocess, "Popen", Kept)
    monkeypatch.setattr(threading.Thread, "start", none_left)
    os.kill(relay.process, signal.SIGKILL)
    assert soon(lambda: any("no thread left" in fault for fault in relay._faults))
    with pytest.raises(ActuatorError, match="is being started again"):
        relay.send(on(1.0))
    monkeypatch.setattr(threading.Thread, "start", begin)
    assert soon(lambda: is_there(relay))
    relay.send(on(0.1))
    *nobodys, last = left
    assert last.pid == relay.process and nobodys and all(process.returncode is not None for process in nobodys)


def test_a_pin_of_gpiozero_is_driven(start: Callable[..., RelayActuator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way to gpiozero, whose own mock stands where the pins would be; without lgpio there is no relay, and no second choice."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    relay = start(target="gpio://17?active=low")
    relay.send(on(0.2))
    relay.send(OFF)
    assert relay.faults() == ()
    with pytest.raises(ActuatorError, match="GPIO53 cannot be taken"):
        start(target="gpio://53")
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
    no_lgpio(monkeypatch, tmp_path)
    with pytest.raises(ActuatorError, match="GPIO17 cannot be taken: ImportError: lgpio is not here"):
        start(target="gpio://17")


def no_lgpio(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have no pins, also where this runs on a Raspberry Pi with a door."""
    (folder / "lgpio.py").write_text('raise ImportError("lgpio is not here")')
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def test_a_relay_that_never_comes_back_is_told_of_once(start: Callable[..., RelayActuator], pin: Path) -> None:
    """Its pin is gone for good: one fault, not one a second, and opening and making safe are errors."""
    relay = start()
    pin.unlink()
    pin.mkdir()
    os.kill(relay.process, signal.SIGKILL)
    time.sleep(2.5)
    (fault,) = relay.faults()
    assert "killed" in fault
    for command in (on(1.0), OFF):
        with pytest.raises(ActuatorError):
            relay.send(command)
    pin.rmdir()
    assert soon(lambda: history(pin) and not opened(pin))
    assert soon(lambda: is_there(relay))
    relay.send(on(0.1))


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_a_relay_comes_back_once_there_is_room(
    start: Callable[..., RelayActuator], pin: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """No thread and no memory for another process: told once, tried again every second, and what looks after it goes on."""
    relay, child = start(), relaylink._Child
    monkeypatch.setattr(relaylink, "_Child", lambda *_: (_ for _ in ()).throw(error))
    os.kill(relay.process, signal.SIGKILL)
    time.sleep(1.5)
    faults = relay.faults()
    assert len(faults) == 2 and "cannot be started" in faults[1] and relay._keeper.is_alive()
    monkeypatch.setattr(relaylink, "_Child", child)
    assert soon(lambda: is_there(relay))
    relay.send(on(0.1))
    assert soon(lambda: not opened(pin)) and relay.faults() == ()


def test_a_safe_state_that_is_on(tmp_path: Path, pin: Path) -> None:
    """A lamp that is on when nobody looks after it: on at the start, on after its pulse, on when the gate is gone."""
    relay = RelayActuator(relay_program(TARGET, "on", 1.0, tmp_path), "on")
    relay.send(on(0.1))
    time.sleep(0.3)
    relay.send(Command("front", "light", "on", 0.0))
    with pytest.raises(ActuatorError, match="only ever driven"):
        relay.send(OFF)
    relay.close()
    assert {row.on for row in history(pin)} == {True} and len(history(pin)) > 3


@pytest.mark.parametrize("longest", ["nan", "inf", "five"])
def test_a_longest_pulse_without_an_end_is_refused(tmp_path: Path, pin: Path, longest: str) -> None:
    """A relay whose limit is none does not start."""
    program = [*relay_program(TARGET, "off", 1.0, tmp_path)]
    program[program.index("--longest") + 1] = longest
    done = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode != 0 and not pin.exists()


def test_signals_are_heard_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one ends the relay; a second one must not break off what the first one began."""
    heard = {}
    monkeypatch.setattr(signal, "signal", heard.setdefault)
    with pytest.raises(relay_module._Told, match="signal 15"):
        relay_module._end(signal.SIGTERM, None)
    assert heard == dict.fromkeys((signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGABRT, signal.SIGQUIT), signal.SIG_IGN)


def test_many_signals_at_once_leave_it_safe(start: Callable[..., RelayActuator], pin: Path) -> None:
    """Thirty signals in a row, and the pin is safe, by the process that heard them."""
    relay = start()
    relay.send(on(5.0))
    first = relay.process
    with suppress(ProcessLookupError):
        for _ in range(30):
            os.kill(first, signal.SIGTERM)
    assert soon(lambda: relay.process != first) and soon(lambda: not opened(pin))
    assert [row for row in history(pin) if row.process == first][-1].on is False


def test_run_without_a_gate_it_makes_the_pin_safe(tmp_path: Path, pin: Path) -> None:
    """As systemd runs it after a gate that was killed with its relay: safe, and over."""
    program = relay_program(TARGET, "off", 0.0, tmp_path)
    done = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 0 and done.stdout == "ready\nend the gate is gone\n"
    assert not any(row.on for row in history(pin)) and history(pin)
