"""The relay's own rules, tried without a process: every pulse ends by itself, and whatever is odd makes the pin safe."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import broken_relay
import pytest
from gpiozero.pins.mock import MockFactory
from hypothesis import given
from hypothesis import strategies as st

from peephole.base.errors import ActuatorError
from peephole.gateway import relay as relay_module
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


@pytest.mark.parametrize(("sent", "done"), [(100.0, True), (101.0, True), (99.75, False), (101.25, False)])
def test_how_old_an_order_may_be(sent: float, done: bool) -> None:
    """Half a second to either side of half past, exactly."""
    one, pin = relay()
    assert one.hear(f"on 1 5.000 {sent:.3f}", 100.5).startswith("did 1" if done else "refused 1 it was ")
    assert pin.on is done


def test_the_longest_pulse_is_allowed() -> None:
    """Exactly as long as the settings say, and it ends when the shorter of pulse and silence does."""
    one, pin = relay()
    assert one.patience(100.0) == 5.0 and one.tick(1e6) == ""
    assert one.hear("on 1 5.000 100.000", 100.0) == "did 1" and pin.on and one.due == 105.0
    assert one.patience(104.9) == 0.0
    assert one.hear("on 2 0.250 100.000", 100.0) == "did 2" and one.patience(100.0) == 0.25


def test_safe_ends_it() -> None:
    """At once, with an answer; and again when it is safe already."""
    one, pin = relay()
    one.hear("on 1 5.000 100.000", 100.0)
    assert one.hear("safe 2", 100.1) == "did 2" and not pin.on and one.due is None
    assert one.hear("safe 3", 100.2) == "did 3" and not one.over
    assert one.hear("bye", 100.3) == "" and one.over


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


@pytest.mark.parametrize(("letters", "why"), [(80, "the gate is gone"), (81, "a line without an end")])
def test_how_long_a_line_may_be(letters: int, why: str) -> None:
    """As long as any order could be; a longer one is no gate's."""
    assert served(b"x" * letters)[0] == why


def test_what_it_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate hears that the pulse was over, while it goes on saying that it is there."""
    monkeypatch.setattr(relay_module, "SILENCE", 10.0)  # a busy computer is no silence
    reading, orders = os.pipe()
    answers, writing = os.pipe()
    pin = Pin()

    def gate() -> None:
        os.write(orders, f"on 1 0.100 {time.monotonic():.3f}\n".encode())
        for number in range(2, 6):
            time.sleep(0.1)
            os.write(orders, f"beat {number}\n".encode())
        os.write(orders, b"bye\n")

    thread = threading.Thread(target=gate)
    thread.start()
    assert serve(Relay(pin, False, LONGEST, time.monotonic()), reading, writing) == "it was told to"
    thread.join()
    said = os.read(answers, 1000).decode().splitlines()
    assert said[:2] == ["ready", "did 1"] and said.count("released pulse") == 1 and said[-1] == "beat 5 safe" and not pin.on
    for one in (reading, orders, answers, writing):
        os.close(one)


def test_a_kernel_that_says_too_much_does_not_hold_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something is said to be there and is not: the relay does not wait for it, and ends safe."""
    reading, orders = os.pipe()
    answers, writing = os.pipe()
    pin = Pin(on=True)
    monkeypatch.setattr(relay_module.select, "select", lambda *_: ([reading], [], []))
    threading.Timer(1.0, os.close, [orders]).start()
    with pytest.raises(BlockingIOError):
        serve(Relay(pin, False, LONGEST, time.monotonic()), reading, writing)
    assert not pin.on
    time.sleep(1.1)
    for one in (reading, answers, writing):
        os.close(one)


class Standard:
    """A process's standard input or output: one end of a pipe."""

    def __init__(self, end: int) -> None:
        self.fileno = lambda: end


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[int, str]]]:
    """Return a function that runs a relay's whole program here, on some input, and returns its exit code and what it said."""
    handlers = {number: signal.getsignal(number) for number in relay_module.SIGNALS}
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none")  # so that it is taken back afterwards
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY")

    def run(orders: str, *options: str, deaf: bool = False) -> tuple[int, str]:
        reading, given = os.pipe()
        answers, writing = os.pipe()
        os.write(given, orders.encode())
        os.close(given)
        if deaf:
            os.close(answers)
        monkeypatch.setattr(relay_module.sys, "stdin", Standard(reading))
        monkeypatch.setattr(relay_module.sys, "stdout", Standard(writing))
        try:
            code = relay_module.main(["gpio://17?fake=pin.txt", "--folder", str(tmp_path), *options])
        finally:
            os.close(reading)
            os.close(writing)
        said = "" if deaf else os.read(answers, 10_000).decode()
        if not deaf:
            os.close(answers)
        return code, said

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_how_the_program_ends(process: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """0 when it was told to or the gate is gone, 3 on anything else, and its last words say which; the pin is safe each time."""
    on = f"on 1 0.500 {time.monotonic():.3f}\n"
    assert process("bye\n") == (0, "ready\nend it was told to\n")
    assert process("") == (0, "ready\nend the gate is gone\n")
    assert process(f"{on}bye\n", "--longest", "1") == (0, "ready\ndid 1\nend it was told to\n")
    assert process("sesame\n") == (3, "ready\nend an order that is none\n")
    assert process(on) == (3, "ready\nend a pulse longer than the settings allow\n")
    assert process("bye\n", deaf=True) == (0, "")
    assert os.environ["GPIOZERO_PIN_FACTORY"] == "lgpio" and not history(tmp_path / "pin.txt")[-1].on


def test_a_program_whose_safe_state_is_on(process: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """From its first moment to its last."""
    assert process("bye\n", "--safe", "on")[0] == 0
    assert {row.on for row in history(tmp_path / "pin.txt")} == {True}


def test_a_program_that_cannot_have_its_pin(process: Callable[..., tuple[int, str]]) -> None:
    """It says what was wrong and what helps, on one line, and ends."""
    code, said = process("bye\n", "--folder", "/nowhere")
    assert code == 3 and said.startswith("end cannot start: gpio://17?fake=pin.txt: No such file or directory | choose another file")
    assert said.count("\n") == 1


class Broken(Pin):
    """A pin whose next writings do not come to their end."""

    def __init__(self, *errors: BaseException) -> None:
        super().__init__(on=True)
        self.errors = list(errors)

    def write(self, on: bool) -> None:
        """Be broken off, or take a level."""
        if self.errors:
            raise self.errors.pop(0)
        super().write(on)


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (relay_module._Told("signal 15"), (0, "ready\nend signal 15\n")),
        (OSError("the pin\nis gone"), (3, "ready\nend OSError: the pin is gone\n")),
    ],
    ids=["signal", "pin"],
)
def test_what_breaks_off_the_last_writing_is_made_good(
    process: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, error: BaseException, ends: tuple[int, str]
) -> None:
    """A signal in the middle of it, or a pin that failed once: it is written again, with no ear for further signals."""
    pin, heard = Broken(error), list[tuple[int, object]]()
    monkeypatch.setattr(relay_module, "open_pin", lambda *_: pin)
    monkeypatch.setattr(relay_module.signal, "signal", lambda number, handler: heard.append((number, handler)))
    assert process("bye\n") == ends and not pin.on
    once = len(relay_module.SIGNALS)
    first, last = heard[:once], heard[once:]
    assert first == [(number, relay_module._end) for number in relay_module.SIGNALS]
    assert last == [(number, signal.SIG_IGN) for number in relay_module.SIGNALS]


def test_the_program_ends_without_pythons_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens: with the code of main, or with 4 when even that failed."""
    ended: list[int] = []
    monkeypatch.setattr(relay_module.os, "_exit", ended.append)
    monkeypatch.setattr(relay_module, "main", lambda: 3)
    relay_module._run()
    monkeypatch.setattr(relay_module, "main", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        relay_module._run()
    assert ended == [3, 4]


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
