"""The relay's own rules, tried without a process: every pulse ends by itself, and whatever is odd makes the pin safe."""

import os
import random
import threading
import time
from pathlib import Path

import broken_relay
import pytest
from gpiozero.pins.mock import MockFactory
from hypothesis import given
from hypothesis import strategies as st

from peephole.base.errors import ActuatorError
from peephole.gateway.address import Address
from peephole.gateway.gpio import GpioPin
from peephole.gateway.outputpin import FilePin, history, open_pin
from peephole.gateway.relay import SILENCE, Relay, Unreadable, serve

LONGEST = 5.0


class Pin:
    """Remembers its level."""

    def __init__(self, on: bool = False) -> None:
        self.on = on
        self.fails = False

    def write(self, on: bool) -> None:
        """Take a level, or fail as told."""
        if self.fails:
            raise OSError("the pin is gone")
        self.on = on


def relay(now: float = 100.0) -> tuple[Relay, Pin]:
    pin = Pin()
    return Relay(pin, False, LONGEST, now), pin


def test_a_pulse_has_its_end_from_its_beginning() -> None:
    """On at once; off when it is over and not before, with the gate alive all the while, and nobody told it to."""
    one, pin = relay()
    assert one.hear("on 1 2.000 100.000", 100.0) == "did 1" and pin.on
    for number in range(2, 21):
        assert one.hear(f"beat {number}", 100 + number / 10 - 0.1) == f"beat {number} on"
        assert one.tick(100 + number / 10 - 0.1) == ""
    assert one.tick(102.0) == "released pulse" and not pin.on
    assert one.hear("beat 21", 102.0) == "beat 21 safe"


def test_silence_ends_it() -> None:
    """Half a second without a word, long before the pulse is over."""
    one, pin = relay()
    one.hear("on 1 5.000 100.000", 100.0)
    assert one.tick(100.5) == "" and pin.on
    assert one.patience(100.2) == pytest.approx(0.301, abs=0.001)
    assert one.tick(100.51) == "released silence" and not pin.on


def test_an_old_order_opens_nothing() -> None:
    """An order that waited in the pipe while one of the two stood still was meant for somebody who is gone."""
    one, pin = relay()
    assert one.hear("on 1 5.000 100.000", 100.6).startswith("refused 1 it was 0.6 s old")
    assert one.hear("on 2 5.000 102.000", 100.6).startswith("refused 2")
    assert not pin.on


@pytest.mark.parametrize(
    "line",
    [
        "", "on", "on 1", "on 1 5", "on 1 5.000 100", "ON 1 5.000 100.000", "on 1 nan 100.000", "on 1 inf 100.000", "on 1 -1.000 100.000",
        "on 1 5.001 100.000", "on 1 600.000 100.000", "on 1 0.000 100.000", "on -1 5.000 100.000", "on 1 5.000 100.000 ", "beat", "beat 1 1",
        "beat 0", "safe", "off 1", "bye now", "\x00", "on 1 5.000 100.000\r", "on １ 5.000 100.000", "open", "x" * 1000, "on 1 1e0 100.000",
    ],
)  # fmt: skip
def test_garbage_is_not_obeyed(line: str) -> None:
    """Whatever no gate says ends the relay, and a pulse longer than the settings allow is such a thing."""
    one, pin = relay()
    with pytest.raises(Unreadable):
        one.hear(line, 100.0)
    assert not pin.on


def test_a_repetition_is_not_obeyed() -> None:
    """Numbers count up: an order that comes twice is no order of a gate."""
    one, pin = relay()
    one.hear("on 5 1.000 100.000", 100.0)
    one.tick(101.0)
    for line in ("on 5 1.000 100.900", "on 4 1.000 100.900", "beat 5"):
        with pytest.raises(Unreadable):
            one.hear(line, 101.0)
    assert not pin.on


def test_safe_may_be_on() -> None:
    """A lamp whose safe state is on is on after its pulse."""
    pin = Pin(on=True)
    one = Relay(pin, True, LONGEST, 0.0)
    one.hear("on 1 1.000 0.000", 0.0)
    one.tick(1.0)
    assert pin.on
    one.hear("safe 2", 1.1)
    assert pin.on


def violations(kind: type[Relay], steps: list[tuple[str, float]]) -> list[str]:
    """Run a relay through steps (what happens, after how many seconds) and return which promises it broke.

    The pin may be on for at most the pulse that was asked for last, in an order that was fresh, and for half a second without a word.
    """
    now, pin, found = 100.0, Pin(), []
    one = kind(pin, False, LONGEST, now)
    heard, until = now, -1.0
    for number, (what, after) in enumerate(steps, 1):
        # It looks as often as it says it needs to, and then at the next step.
        end = now + after
        while pin.on and now < end:
            now = min(end, now + max(one.patience(now), 0.001))
            one.tick(now)
            if pin.on and now > until:
                found.append("longer than its pulse")
            if pin.on and now > heard + SILENCE + 0.01:
                found.append("without a word from the gate")
        now = end
        one.tick(now)
        line = {"open": f"on {number} 1.500 {now:.3f}", "old": f"on {number} 1.500 {now - 3:.3f}", "long": f"on {number} 600.000 {now:.3f}"}
        try:
            one.hear(line.get(what, f"{what} {number}"), now)
        except Unreadable:
            one.release()
        else:
            heard = now
            if what == "open":
                until = now + 1.5
        if pin.on and now > until:
            found.append(f"on after '{what}'")
    return found


WORDS = ["open", "old", "long", "safe", "nonsense", *["beat"] * 8]
STEP = st.tuples(st.sampled_from(WORDS), st.one_of(st.floats(0, 0.5), st.floats(0, 3)))


@given(st.lists(STEP, max_size=30))
def test_no_sequence_of_orders_keeps_it_on(steps: list[tuple[str, float]]) -> None:
    """Whatever comes whenever, the pin is on for no longer than its pulse and never without a gate."""
    assert violations(Relay, steps) == []


@pytest.mark.parametrize("kind", broken_relay.TWINS)
def test_each_planted_bug_is_found(kind: type[Relay]) -> None:
    """A relay that trusts its gate, ignores silence, obeys any order or lets itself be renewed breaks a promise within a few sequences."""
    dice = random.Random(7)
    for _ in range(200):
        steps = [(dice.choice(WORDS), dice.choice([0.1, 0.4, 0.4, 1.3])) for _ in range(30)]
        if violations(kind, steps):
            return
    raise AssertionError("the bug was not found")


def served(data: bytes) -> tuple[str, Pin, bytes]:
    """Let a relay read `data` to its end; returns why it ended, its pin and what it said."""
    reading, orders = os.pipe()
    answers, writing = os.pipe()
    pin = Pin()
    os.write(orders, data)
    os.close(orders)
    try:
        why = serve(Relay(pin, False, LONGEST, time.monotonic()), reading, writing)
    except Unreadable as error:
        why = str(error)
    os.close(writing)
    said = os.read(answers, 10_000)
    os.close(answers)
    os.close(reading)
    return why, pin, said


def test_the_end_of_the_input_is_the_end() -> None:
    """A gate that was killed leaves a closed pipe: safe at once."""
    why, pin, said = served(f"on 1 5.000 {time.monotonic():.3f}\n".encode())
    assert (why, pin.on) == ("the gate is gone", False) and said == b"ready\ndid 1\n"


@pytest.mark.parametrize("tail", [b"open sesame\n", b"\xff\xfe\n", b"x" * 200, b"beat 1\n", "on ２\n".encode()])
def test_garbage_ends_it_safe(tail: bytes) -> None:
    """A pulse is under way when garbage comes, with or without a line's end."""
    why, pin, _ = served(f"on 1 5.000 {time.monotonic():.3f}\n".encode() + tail)
    assert why != "the gate is gone" and not pin.on


def test_orders_may_come_in_pieces() -> None:
    """A pipe gives what it has: a letter at a time is as good as a line."""
    reading, orders = os.pipe()
    answers, writing = os.pipe()
    pin = Pin()

    def spell() -> None:
        for letter in f"on 1 5.000 {time.monotonic():.3f}\nbeat 2\nsafe 3\nbye\n".encode():
            os.write(orders, bytes([letter]))
            time.sleep(0.001)

    thread = threading.Thread(target=spell)
    thread.start()
    assert serve(Relay(pin, False, LONGEST, time.monotonic()), reading, writing) == "it was told to"
    thread.join()
    assert os.read(answers, 1000) == b"ready\ndid 1\nbeat 2 on\ndid 3\n" and not pin.on
    for one in (reading, orders, answers, writing):
        os.close(one)


def test_a_gate_that_does_not_listen_holds_nothing_up() -> None:
    """A hundred thousand beats whose answers nobody reads fill the pipe, and the relay goes on reading to the end."""
    reading, orders = os.pipe()
    answers, writing = os.pipe()
    pin = Pin()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.write(orders, f"on 1 5.000 {time.monotonic():.3f}\n".encode())
            for number in range(2, 20_000):
                os.write(orders, f"beat {number}\n".encode())
        finally:
            os._exit(0)
    os.close(orders)
    assert serve(Relay(pin, False, LONGEST, time.monotonic()), reading, writing) == "the gate is gone"
    os.waitpid(child, 0)
    assert not pin.on
    for one in (reading, answers, writing):
        os.close(one)


def test_a_pin_that_fails_is_an_error_and_keeps_its_deadline() -> None:
    """When the pin cannot be made safe the relay does not believe that it was."""
    one, pin = relay()
    one.hear("on 1 1.000 100.000", 100.0)
    pin.fails = True
    with pytest.raises(OSError, match="gone"):
        one.tick(101.0)
    assert one.due is not None


def test_a_fake_pin_keeps_its_history(tmp_path: Path) -> None:
    """Each level with its time and process, appended to what was there before."""
    assert history(tmp_path / "pin") == ()
    for active_high in (True, False):
        pin = FilePin(tmp_path / "pin", active_high)
        pin.write(True)
        pin.write(False)
    assert [(row.level, row.on, row.process) for row in history(tmp_path / "pin")] == [
        ("high", True, os.getpid()), ("low", False, os.getpid()), ("low", True, os.getpid()), ("high", False, os.getpid()),
    ]  # fmt: skip


@pytest.mark.parametrize(("active_high", "levels"), [(True, [0, 1, 0]), (False, [1, 0, 1])])
def test_a_real_pin_is_safe_from_its_first_moment(active_high: bool, levels: list[int]) -> None:
    """The pin has its safe level at once; a relay that is active when low does not click at the start."""
    factory = MockFactory()
    factory.pin("GPIO17").clear_states()
    pin = GpioPin(17, active_high, False, factory)
    mock = factory.pin("GPIO17")
    assert (mock.function, mock.state) == ("output", bool(levels[0]))
    pin.write(True)
    assert mock.state == bool(levels[1])
    pin.write(False)
    assert mock.state == bool(levels[2])
    assert [state.state for state in mock.states][-3:] == [bool(level) for level in levels][-len(mock.states) :]


def test_a_pin_that_is_not_to_be_had_is_said(tmp_path: Path) -> None:
    """No such pin, a pin that is taken, a fake that cannot be written: a sentence and a hint."""
    factory = MockFactory()
    taken = GpioPin(17, True, False, factory)
    for number, word in ((17, "GPIOPinInUse"), (99, "PinInvalidPin")):
        with pytest.raises(ActuatorError, match=rf"GPIO{number} cannot be taken: {word}(.|\n)*hint"):
            GpioPin(number, True, False, factory)
    taken._device.close()
    with pytest.raises(ActuatorError, match="cannot be driven"):
        taken.write(True)
    with pytest.raises(ActuatorError, match="gpio://17"):
        open_pin(Address.parse("gpio://17?fake=none/pin", ("gpio",)), tmp_path, False)
