"""The watchdog tells the truth: it is petted while every loop moves, and by nothing else (SAFETY test 27)."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peephole.gateway.agent import run
from peephole.gateway.beats import Beats
from peephole.gateway.clock import SteppedClock
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.heart import Heart, Notifier
from peephole.gateway.switchboard import rehearsal

DEADLINE = 5.0


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[socket.socket, dict[str, str]]]:
    """A service manager's end of the notify protocol, and the environment it gives a service."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.setblocking(False)
        yield line, {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4000000"}


def said(line: socket.socket) -> list[str]:
    """Return what has arrived since the last time."""
    found = []
    while True:
        try:
            found.append(line.recv(4096).decode())
        except BlockingIOError:
            return found


class TimedHeart(Heart):
    """The planted bug: it is petted by a timer, whatever the loops do."""

    def passed(self, time: float, wall: float) -> None:
        """Pet without asking."""
        self._notifier.say("WATCHDOG=1")


def pets_while_stalled(kind: type[Heart], line: socket.socket, environment: dict[str, str]) -> dict[str, int]:
    """Stall each loop in turn and return how often the watchdog was petted after its deadline."""
    loops, after = ("the watch", "the release of pulses", "the outbox"), dict[str, int]()
    for stalled in loops:
        clock = SteppedClock()
        beats = Beats(clock)
        heart = kind(beats, Notifier(environment), clock)
        moves = {name: beats.of(name, DEADLINE) for name in loops[1:]}
        for second in range(30):
            for name, moved in moves.items():
                if name != stalled or second < 3:
                    moved()
            if stalled != "the watch" or second < 3 or kind is TimedHeart:
                heart.passed(clock.monotonic(), clock.wall())
            clock.step(1.0)
            petted = sum("WATCHDOG=1" in text for text in said(line))  # read at once: the socket holds ten messages
            after[stalled] = after.get(stalled, 0) + petted * (second > 3 + DEADLINE)
    return after


def test_no_petting_after_a_loop_has_stalled(manager: tuple[socket.socket, dict[str, str]]) -> None:
    """Each loop stalled in turn: silence once its deadline is over; a heart that beats by a timer is caught."""
    assert set(pets_while_stalled(Heart, *manager).values()) == {0}
    assert all(pets_while_stalled(TimedHeart, *manager).values())


def test_a_loop_that_moves_again_is_forgiven(manager: tuple[socket.socket, dict[str, str]], caplog: pytest.LogCaptureFixture) -> None:
    """The petting goes on, and the stall was logged once."""
    line, environment = manager
    clock = SteppedClock()
    beats = Beats(clock)
    heart, moved = Heart(beats, Notifier(environment), clock), beats.of("the outbox")
    clock.step(9.0)
    for _ in range(3):
        heart.passed(clock.monotonic(), clock.wall())
    assert said(line) == [] and sum("not moving: the outbox for 9.0 s" in text for text in caplog.messages) == 1
    moved()
    heart.passed(clock.monotonic(), clock.wall())
    assert said(line) == ["WATCHDOG=1\nREADY=1\nSTATUS=watching the door"]


def test_it_is_petted_four_times_in_its_time(manager: tuple[socket.socket, dict[str, str]]) -> None:
    """Not at every frame: a thousand turns in ten seconds pet a watchdog of 4 s ten times."""
    line, environment = manager
    clock = SteppedClock()
    heart = Heart(Beats(clock), Notifier(environment), clock)
    for _ in range(1000):
        heart.passed(clock.monotonic(), clock.wall())
        clock.step(0.01)
    assert 9 <= len(said(line)) <= 11


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "nowhere"},
        {"NOTIFY_SOCKET": "/nobody/listens"},
        {"NOTIFY_SOCKET": "/x" * 200, "WATCHDOG_USEC": "-1"},
        {"WATCHDOG_USEC": "9" * 30},
    ],
)
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    """No socket, a wrong one, one that nobody reads: the gate goes on."""
    clock = SteppedClock()
    notifier = Notifier(environment)
    assert notifier.watchdog is None
    heart = Heart(Beats(clock), notifier, clock)
    heart.passed(0.0, 0.0)
    heart.close()


@pytest.mark.parametrize(("asked", "seconds"), [("4000000", 4.0), ("1", 1e-6), ("0", None), ("", None), ("4e6", None), ("４", None), ("-1", None)])
def test_how_often_the_manager_asks(asked: str, seconds: float | None) -> None:
    """Whole microseconds, or nothing."""
    assert Notifier({"WATCHDOG_USEC": asked}).watchdog == seconds


def test_a_whole_gate_says_ready_pets_and_stops(
    make_door: Callable[..., Door],
    tmp_path: Path,
    paint: Callable[[Path, str], Path],
    manager: tuple[socket.socket, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """READY with the first finished turn, WATCHDOG while it watches, silence while the model hangs, STOPPING at the end."""
    line, environment = manager
    model = ColourPredictor({"ana": (200, 30, 30), "junho": (30, 30, 200)})
    environment["WATCHDOG_USEC"] = "200000"
    monkeypatch.setattr("peephole.gateway.heart.Notifier.__init__.__defaults__", (environment,))
    (tmp_path / "frames").mkdir()
    door, stop, hang = make_door("folder://frames?poll=0.02"), threading.Event(), threading.Event()

    def predict(pixels: object) -> object:
        hang.set()
        time.sleep(0.6)
        return model.predict(pixels)  # type: ignore[arg-type]  # the sensor's pixels

    watch = threading.Thread(target=run, args=(door, predict, model.card), kwargs={"switchboard": rehearsal(door), "stop": stop})
    watch.start()
    time.sleep(0.5)
    before = said(line)
    assert "READY=1" in before[0] and sum("WATCHDOG=1" in text for text in before) >= 3
    paint(tmp_path / "frames" / "a.png", "ana")
    assert hang.wait(2)
    time.sleep(0.1)
    said(line)
    time.sleep(0.3)
    assert said(line) == []
    stop.set()
    watch.join(5)
    assert said(line)[-1] == "STOPPING=1"
