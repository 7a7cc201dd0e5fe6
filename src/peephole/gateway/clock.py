"""The clock as a part that can be exchanged: the computer's own, or one that tests and replays move by hand."""

import threading
import time
from typing import Protocol

__all__ = ["Clock", "SteppedClock", "SystemClock"]


class Clock(Protocol):
    """What the gate asks of time: seconds; only differences of `monotonic` mean anything, `wall` counts from 1970."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    def wall(self) -> float:
        """Seconds since 1970, as wrong as the computer's clock."""
        ...

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let `seconds` pass, or return early when `stop` is set."""
        ...


class SystemClock:
    """The computer's own clocks."""

    def monotonic(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Sleep, or return early when `stop` is set."""
        stop.wait(seconds)


class SteppedClock:
    """A clock that stands still until it is moved; waiting moves it, so that a test of a night takes no time."""

    def __init__(self, monotonic: float = 0.0, wall: float = 1_800_000_000.0) -> None:
        self._monotonic = monotonic
        self._wall = wall

    def monotonic(self) -> float:
        """Where the hand of the monotonic clock stands."""
        return self._monotonic

    def wall(self) -> float:
        """Where the hand of the wall clock stands."""
        return self._wall

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Move both hands on at once."""
        self.step(seconds)

    def step(self, seconds: float) -> None:
        """Move both hands on by `seconds`."""
        self._monotonic += seconds
        self._wall += seconds

    def set_wall(self, wall: float) -> None:
        """Set the wall clock alone, as a time server or a person would."""
        self._wall = wall
