"""Controllers: on for their pulse, safe at start, stop and any fault, each outage told once."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from peephole.base.errors import ActuatorError, InputError, SettingsError
from peephole.base.records import Decision
from peephole.gateway.actuators import Command, LogActuator, RecordingActuator
from peephole.gateway.clock import SteppedClock
from peephole.gateway.door import Door
from peephole.gateway.keys import Action
from peephole.gateway.outputpin import history
from peephole.gateway.outputs import Outputs
from peephole.gateway.switchboard import Line, Switchboard, broker_place, open_switchboard, rehearsal

OPEN = Decision("v1", "open", "ana", "three frames in a row were ana", "rule 1", "open")


def board(fails: bool = False, pulse: float | None = 5.0) -> tuple[Switchboard, RecordingActuator]:
    lock = RecordingActuator(fails)
    return Switchboard("front", {"open": Line(lock, pulse)}), lock


def test_a_pulse_ends() -> None:
    """On at once with all facts, off when the pulse is over and not before, once."""
    switch, lock = board()
    switch.act(OPEN, 100.0, 1.8e9)
    assert lock.commands == [Command("front", "open", "on", 1.8e9, "v1", "ana", OPEN.reason, 5.0)]
    assert switch.tick(104.9, 0) == () and lock.state == "on"
    assert switch.tick(105.0, 0) == () and lock.state == "off"
    switch.tick(200.0, 0)
    assert len(lock.commands) == 2


def test_a_second_visit_makes_the_pulse_longer() -> None:
    """The pulse counts from the last opening."""
    switch, lock = board()
    switch.act(OPEN, 100.0, 0)
    switch.act(OPEN, 103.0, 0)
    switch.tick(106.0, 0)
    assert lock.state == "on"
    switch.tick(108.0, 0)
    assert lock.state == "off"


def test_a_clock_that_goes_back_ends_the_pulse() -> None:
    """A door does not stay open because the recording's time jumped."""
    switch, lock = board()
    switch.act(OPEN, 100.0, 0)
    switch.tick(3.0, 0)
    assert lock.state == "off"


def test_a_message_has_no_end() -> None:
    """Without a pulse nothing is sent afterwards."""
    switch, lock = board(pulse=None)
    switch.act(OPEN, 100.0, 0)
    switch.tick(1e9, 0)
    assert [command.state for command in lock.commands] == ["on"]


def test_make_safe_reaches_every_controller() -> None:
    """One controller that breaks in an unheard-of way does not keep the others from their safe state."""

    class Odd(RecordingActuator):
        def send(self, command: Command) -> None:
            raise ZeroDivisionError("odd")

    lamp, lock = RecordingActuator(), RecordingActuator()
    switch = Switchboard("front", {"odd": Line(Odd()), "lamp": Line(lamp, None, "on"), "open": Line(lock, 5.0)})
    switch.act(OPEN, 0, 0)
    (problem,) = switch.make_safe(1.0, 0)
    assert "ZeroDivisionError" in problem
    assert (lamp.state, lock.state) == ("on", "off")


def test_without_threads_it_becomes_safe_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer that has no thread left: each controller is put into its safe state, one after the other."""

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    locks = [RecordingActuator(), RecordingActuator(), RecordingActuator(fails=True)]
    switch = Switchboard("front", {str(number): Line(lock, 5.0) for number, lock in enumerate(locks)})
    monkeypatch.setattr(threading.Thread, "start", none_left)
    assert switch.make_safe(1.0, 0) == ("2: the recording lock was told to fail",)
    assert [lock.state for lock in locks] == ["off", "off", ""]


def test_a_failed_release_is_tried_again_and_told_once() -> None:
    """The controller is away when the pulse ends: tried every second, told once, done when it is back."""
    switch, lock = board()
    switch.act(OPEN, 0.0, 0)
    lock.fails = True
    assert len(switch.tick(5.0, 0)) == 1
    assert [switch.tick(now, 0) for now in (5.5, 6.0, 7.5)] == [(), (), ()]
    lock.fails = False
    assert switch.tick(8.0, 0) == () and lock.state == "on"
    assert switch.tick(8.5, 0) == () and lock.state == "off"
    switch.act(OPEN, 10.0, 0)
    lock.fails = True
    assert len(switch.tick(15.0, 0)) == 1


def test_an_opening_that_may_have_happened_is_taken_back() -> None:
    """When the acknowledgement was lost the door may be open: the next tick shuts it."""
    switch, lock = board(fails=True)
    with pytest.raises(ActuatorError):
        switch.act(OPEN, 10.0, 0)
    lock.fails = False
    switch.tick(10.0, 0)
    assert lock.state == "off"


def test_the_release_does_not_need_the_deciding_loop() -> None:
    """With the loop busy elsewhere, the pulse ends from its own thread, and problems are reported."""
    switch, lock = board()
    clock, told = SteppedClock(), []
    switch.act(OPEN, clock.monotonic(), 0)
    switch.watch(clock, told.append)
    clock.step(5.0)
    for _ in range(100):
        if lock.state == "off":
            break
        time.sleep(0.02)
    assert lock.state == "off"
    lock.fails = True
    with pytest.raises(ActuatorError):
        switch.act(OPEN, clock.monotonic(), 0)
    for _ in range(100):
        if told:
            break
        time.sleep(0.02)
    switch.close()
    assert told == ["open: the recording lock was told to fail"]


def test_a_log_is_one_line_of_json_each(tmp_path: Path) -> None:
    """Labels with line breaks stay inside their line."""
    log = LogActuator(tmp_path / "door.log")
    log.send(Command("front", "open", "on", 1.0, "v1", "a\nb\u2028", 'x"'))
    log.send(Command("front", "open", "off", 2.0))
    lines = (tmp_path / "door.log").read_text().splitlines()
    assert [json.loads(line)["state"] for line in (tmp_path / "door.log").read_text().split("\n") if line] == ["on", "off"]
    assert len(lines) >= 2
    log.send(Command("front", "open", "on", 1.8e9))
    walls = [json.loads(line)["wall"] for line in (tmp_path / "door.log").read_text().split("\n") if line]
    assert walls == [None, None, 1.8e9], "seconds since 1970, or nothing"
    with pytest.raises(ActuatorError, match="cannot be written"):
        LogActuator(tmp_path / "none" / "door.log").send(Command("front", "open", "off", 2.0))


def test_the_programs_log(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """log:// alone goes to the logging of the program."""
    caplog.set_level("INFO", "peephole.gate")
    Outputs("front", tmp_path).open("open", Action(target="log://"), 5.0).send(Command("front", "open", "on", 1.0))
    assert '"state": "on"' in caplog.text


def test_controllers_come_from_the_settings(make_door: Callable[..., Door], tmp_path: Path) -> None:
    """Targets, pulses and safe states are those of DOOR.toml; a rehearsal moves nothing."""
    door = make_door(target="log://door.log")
    switch = open_switchboard(door)
    assert {name: (line.pulse, line.safe) for name, line in switch.lines.items()} == {"open": (5.0, "off"), "call": (None, "off")}
    switch.make_safe(0, 0)
    assert len((tmp_path / "door.log").read_text().splitlines()) == 2
    again = rehearsal(door)
    again.make_safe(0, 0)
    assert len((tmp_path / "door.log").read_text().splitlines()) == 2 and again.lines["open"].pulse == 5.0


def test_the_password_comes_from_its_file(make_door: Callable[..., Door], tmp_path: Path) -> None:
    """The password is read from the file beside DOOR.toml; a missing or empty one is said, without its content."""
    door = make_door(more='[broker]\nurl = "mqtt://127.0.0.1"\nusername = "front"\npassword = {file = "secret"}')
    with pytest.raises(InputError, match="secret"):
        broker_place(door)
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(InputError, match="nothing else"):
        broker_place(door)
    (tmp_path / "secret").write_text("hunter2\n")
    place = broker_place(door)
    assert (place.host, place.port, place.username, place.password) == ("127.0.0.1", 1883, "front", "hunter2")
    assert "hunter2" not in repr(place)
    with pytest.raises(SettingsError, match="no \\[broker\\]"):
        broker_place(make_door())


def test_mqtt_needs_a_broker(tmp_path: Path) -> None:
    """Without a messenger there is no controller."""
    with pytest.raises(ActuatorError, match="needs a broker"):
        Outputs("front", tmp_path).open("open", Action(target="mqtt://home/lock"), 5.0)


class Slow(RecordingActuator):
    """Takes its time to do anything."""

    def send(self, command: Command) -> None:
        """Remember it late."""
        time.sleep(0.5)
        super().send(command)


def test_a_slow_controller_delays_no_other() -> None:
    """One that hangs while it is made safe, or when its pulse ends, leaves the others to theirs."""
    slow, lock = Slow(), RecordingActuator()
    switch = Switchboard("front", {"call": Line(slow, 1.0), "open": Line(lock, 1.0)})
    switch.lines["call"].due = switch.lines["open"].due = 1.0
    clock = SteppedClock()
    switch.watch(clock, lambda problem: None)
    clock.step(10.0)
    began = time.monotonic()
    while not lock.commands and time.monotonic() - began < 2:
        time.sleep(0.01)
    assert not slow.commands and lock.state == "off"
    switch.close()
    slow.commands.clear()
    began = time.monotonic()
    Switchboard("front", {str(number): Line(Slow()) for number in range(5)}).make_safe(0.0, 0.0)
    assert time.monotonic() - began < 1.5


def test_a_listener_that_fails_does_not_end_the_release(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever is told of a fault may break (a closed terminal): the next pulse still ends."""
    switch, lock = board(fails=True)
    clock = SteppedClock()

    def broken(problem: str) -> None:
        raise BrokenPipeError("nobody listens")

    switch.lines["open"].due = 0.0
    switch.watch(clock, broken)
    for _ in range(100):
        if "could not be told" in caplog.text:
            break
        time.sleep(0.02)
    lock.fails = False
    clock.step(2.0)
    for _ in range(100):
        if lock.state == "off":
            break
        time.sleep(0.02)
    assert lock.state == "off"
    switch.close()


@pytest.mark.parametrize("nasty", ["a\nb", "\x1b[2J", "\x9b2J", "\u2028", "\u202e", "\x85", "\ud800", '", "state": "on'])
def test_a_line_stays_a_line(tmp_path: Path, nasty: str) -> None:
    """SAFETY 28: nothing in a label ends the line, moves a terminal's cursor, turns the writing round or cannot be written."""
    LogActuator(tmp_path / "door.log").send(Command("front", "open", "off", 1.0, nasty, nasty, f"지우 {nasty}"))
    (line,) = (tmp_path / "door.log").read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    assert (told["label"], told["state"]) == (nasty, "off") and line.isprintable() and "지우" in line


def test_what_a_controller_notices_by_itself_is_told() -> None:
    """A relay that died between two commands is a fault of its action, told once."""

    class Relay(RecordingActuator):
        noticed = ("it died",)

        def faults(self) -> tuple[str, ...]:
            told, self.noticed = self.noticed, ()
            return told

    switch = Switchboard("front", {"open": Line(Relay(), 5.0)})
    assert switch.tick(1.0, 0) == ("open: it died",) and switch.tick(2.0, 0) == ()


def test_what_was_opened_is_let_go_when_another_cannot_be(make_door: Callable[..., Door], tmp_path: Path) -> None:
    """The second controller has no secret: the first one's relay does not stay behind."""
    more = '[action.light]\ntarget = "gpio://17?fake=pin.txt"\npulse = "1 s"\n[action.bell]\ntarget = "https://127.0.0.1/x"\nsecret = {file = "none"}'
    with pytest.raises(InputError, match="the secret of 'bell' cannot be read"):
        open_switchboard(make_door(more=more))
    (relay,) = {row.process for row in history(tmp_path / "pin.txt")}
    with pytest.raises(ProcessLookupError):
        os.kill(relay, 0)
