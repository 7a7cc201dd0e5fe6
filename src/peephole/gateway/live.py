"""What all live cameras have in common: the newest picture counts, an old or frozen one never does, and silence is told.

A thread of the camera's own puts pictures into a slot; the watch takes the newest one and lets the others go.
"""

import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from peephole.base.records import Frame
from peephole.gateway.clock import Clock
from peephole.gateway.quality import measure
from peephole.gateway.sensors import Capture, Idle

__all__ = ["Frozen", "Live", "Picture", "Slot"]

POLL = 0.1  # seconds between two looks when nothing comes
STALE = 1.0  # seconds: an older picture shows who was there
SILENCE = 3.0  # seconds without a picture before it is told
FROZEN = 1.0  # seconds of the same picture to the last bit: no lens sees that


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture as it arrived: `time` monotonic and `wall` seconds of its taking; uint8 pixels (H, W, C), or the `problem` instead."""

    time: float
    wall: float
    pixels: np.ndarray | None
    problem: str = ""


class Slot:
    """Holds the newest picture until it is taken; a newer one replaces it."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._picture: Picture | None = None
        self.passed = 0

    def put(self, picture: Picture) -> None:
        """Leave a picture; one that nobody took is gone, and counted in `passed`."""
        with self._arrived:
            self.passed += self._picture is not None
            self._picture = picture
            self._arrived.notify()

    def take(self, seconds: float) -> Picture | None:
        """Take the newest picture, waiting at most so long."""
        with self._arrived:
            if self._picture is None:
                self._arrived.wait(seconds)
            picture, self._picture = self._picture, None
            return picture


class Frozen:
    """Notices pictures that repeat themselves to the last bit, by a checksum of every pixel."""

    def __init__(self) -> None:
        self._sum = -1
        self._since = 0.0

    def seconds(self, picture: Picture) -> float:
        """Return for how many seconds this very picture has been coming."""
        assert picture.pixels is not None, "only a picture can be frozen"
        found = zlib.crc32(np.ascontiguousarray(picture.pixels).data)
        if found != self._sum or not picture.time >= self._since:
            self._sum, self._since = found, picture.time
        return picture.time - self._since


class Live:
    """A sensor that takes the newest picture from a slot; subclasses fill the slot.

    `silence` is after how many seconds without a picture it is told (None: silence is no news, as where pictures are sent on an event);
    `still` whether the same picture again and again is a fault.
    """

    recorded = False
    dated = True

    def __init__(self, name: str, clock: Clock, *, silence: float | None = SILENCE, still: bool = True) -> None:
        self.name = name
        self.notes: tuple[str, ...] = ()
        self._clock, self._silence, self._still = clock, silence, still
        self._slot, self._frozen = Slot(), Frozen()
        self._trouble = ""

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield pictures as they come, Idle in between; what keeps a picture from coming is told once, and again when it changes."""
        self.begin()
        last = self._clock.monotonic()
        told = ""
        try:
            while not stop.is_set():
                picture = self._slot.take(POLL)
                now, wall = self._clock.monotonic(), self._clock.wall()
                if picture is None:
                    silent = self._silence is not None and now - last > self._silence
                    problem = self._trouble or (f"the camera has given no picture for {self._silence:g} s" if silent else "")
                    if silent and problem != told:
                        told = problem
                        yield Capture(now, wall, self.name, None, problem)
                    else:
                        yield Idle(now, wall)
                    continue
                last, told, self._trouble = now, "", ""
                yield self._capture(picture, now)
        finally:
            self.end()

    def _capture(self, picture: Picture, now: float) -> Capture:
        problem = picture.problem
        if picture.pixels is None:
            return Capture(picture.time, picture.wall, self.name, None, problem or "there is no picture")
        if not -STALE <= now - picture.time <= STALE:
            problem = f"it was {now - picture.time:.1f} s old when it arrived"
        elif self._still and (same := self._frozen.seconds(picture)) >= FROZEN:
            problem = f"the camera is frozen: the same picture to the last bit for {same:.1f} s"
        if problem:
            return Capture(picture.time, picture.wall, self.name, None, problem)
        frame = Frame(picture.time, picture.wall, self.name, picture.pixels, measure(picture.pixels))
        return Capture(picture.time, picture.wall, self.name, frame)

    def begin(self) -> None:
        """Start filling the slot."""

    def end(self) -> None:
        """Stop filling it; never raises."""
