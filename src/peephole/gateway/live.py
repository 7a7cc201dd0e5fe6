"""What all live cameras have in common: the newest picture counts, an old or repeated one never does, and silence is told.

A thread of the camera's own puts pictures into a slot; the watch takes the newest one, decodes that alone, and lets the others go.
"""

import math
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from peephole.base.errors import InputError
from peephole.base.records import Frame
from peephole.data.photos import open_bytes
from peephole.gateway.clock import Clock
from peephole.gateway.quality import measure
from peephole.gateway.sensors import Capture, Idle

__all__ = ["Live", "Picture", "Repeats", "Slot", "pixels_of"]

POLL = 0.1  # seconds between two looks when nothing comes
STALE = 1.0  # seconds: an older picture shows who was there
SILENCE = 3.0  # seconds without a picture before it is told
FROZEN = 1.0  # seconds of nothing but repeated pictures: no lens sees the same thing twice to the last bit
REMEMBERED = 64  # pictures that are known again: a frozen buffer may go round in a circle
LATE = 2.0  # a picture that takes so many times as long as the one before it is missing
MINUTE = 60.0
TOLD = 10  # different problems at most that are told in a minute: a camera that sends rubbish must not fill the journal


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture as it arrived: `time` monotonic and `wall` seconds of its taking; uint8 pixels (H, W, C) or a file's bytes, or the `problem`."""

    time: float
    wall: float
    pixels: np.ndarray | bytes | None
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


class Repeats:
    """Notices pictures that were there before to the last bit, by a checksum of the latest ones."""

    def __init__(self) -> None:
        self._sums: deque[int] = deque(maxlen=REMEMBERED)
        self._news = 0.0

    def seconds(self, picture: Picture) -> float | None:
        """Return for how many seconds nothing new has come, None for a new picture."""
        found = zlib.crc32(picture.pixels if isinstance(picture.pixels, bytes) else np.ascontiguousarray(picture.pixels).data)
        if found not in self._sums:
            self._sums.append(found)
            self._news = picture.time
            return None
        return picture.time - self._news


def pixels_of(data: bytes) -> np.ndarray:
    """Return a picture's bytes as uint8 (H, W, C); raises InputError with the reason, before decoding where its header says too much."""
    image = open_bytes(data)
    pixels = np.asarray(image.convert("RGBA") if image.mode == "LA" else image, np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


class Live:
    """A sensor that takes the newest picture from a slot; subclasses fill the slot.

    `silence` is after how many seconds without a picture it is told (None: silence is no news, as where pictures are sent on an event);
    `pace` how many seconds lie between two pictures; `still` whether the same picture again and again is a fault. It never counts as another one.
    """

    recorded = False
    dated = True

    def __init__(self, name: str, clock: Clock, *, silence: float | None = SILENCE, pace: float = 0.1, still: bool = True) -> None:
        self.name = name
        self.notes: tuple[str, ...] = ()
        self._clock, self._still = clock, still
        self._silence = None if silence is None else max(silence, LATE * pace)
        self._pause = max(0.0, LATE * pace - STALE)  # seconds between two pictures in which nothing is amiss, beside a second
        self._slot, self._repeats = Slot(), Repeats()
        self._trouble = ""
        self._lost: deque[str] = deque(maxlen=10)
        self._sight = -math.inf
        self._told: dict[str, float] = {}

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
                        yield self._idle(now, wall)
                    continue
                last, told, self._trouble = now, "", ""
                item = self._capture(picture, now)
                self._sight = item.time if isinstance(item, Capture) and item.frame is not None else self._sight
                yield item
        finally:
            self.end()

    def _idle(self, time: float, wall: float) -> Idle:
        """Return that nothing is new, and whether that is as it should be."""
        lost = self._lost.popleft() if self._lost else ""
        if lost:
            self._sight = -math.inf
        return Idle(time, wall, self._silence is None or time - self._sight <= self._pause, lost)

    def _capture(self, picture: Picture, now: float) -> Capture | Idle:
        """Return what a picture is worth: a frame, a refusal, or Idle for one that was there before, which says nothing about now."""
        given = picture.pixels
        if given is None:
            return self._refused(picture, picture.problem or "there is no picture")
        if not -STALE <= now - picture.time <= STALE:
            return self._refused(picture, f"it was {now - picture.time:.1f} s old when it arrived")
        same = self._repeats.seconds(picture)
        if same is not None:
            frozen = self._still and same >= FROZEN
            return (
                self._refused(picture, "the camera is frozen: it repeats pictures to the last bit")
                if frozen
                else self._idle(picture.time, picture.wall)
            )
        try:
            pixels = pixels_of(given) if isinstance(given, bytes) else given
        except (InputError, OSError, MemoryError) as error:
            return self._refused(picture, error.what if isinstance(error, InputError) else f"it cannot be read: {type(error).__name__}")
        return Capture(picture.time, picture.wall, self.name, Frame(picture.time, picture.wall, self.name, pixels, measure(pixels)))

    def _refused(self, picture: Picture, problem: str) -> Capture:
        """Refuse a picture; the same reason is told once a minute, and after that the refusal is silent."""
        self._told = {text: time for text, time in self._told.items() if 0 <= picture.time - time < MINUTE}
        silent = problem in self._told or len(self._told) >= TOLD
        if not silent:
            self._told[problem] = picture.time
        return Capture(picture.time, picture.wall, self.name, None, "" if silent else problem)

    def begin(self) -> None:
        """Start filling the slot."""

    def end(self) -> None:
        """Stop filling it; never raises."""
