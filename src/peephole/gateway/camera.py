"""camera:// and video://: pictures from the child process that reads them (see eye), which may hang, die or lie without the gate doing so."""

import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np

from peephole.base.errors import SensorError
from peephole.base.records import Frame
from peephole.gateway.clock import Clock
from peephole.gateway.eye import HEADER, MAGIC, MOST
from peephole.gateway.live import LATE, Live, Picture
from peephole.gateway.quality import measure
from peephole.gateway.sensors import Capture, Idle

__all__ = ["CameraSensor", "Eye", "VideoSensor"]

HANGS = 3.0  # seconds without a whole picture before the child is taken for hanging
# Seconds that a camera may take to give its first picture: with the longest rest it is back within 10. One that starts more slowly than
# that, on a small computer under load, gets its chance at every second try.
STARTS = (6.0, 20.0)
RESTS = (0.5, 1.0, 2.0)  # seconds between two starts of the child, growing
FIRST = 30.0  # seconds in which a video's child must give something


class Eye:
    """The child process and the pictures that come through its pipe."""

    def __init__(self, command: Sequence[str]) -> None:
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the child
        self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._words)
        assert self._child.stdout is not None, "the pipe was asked for"
        self._line: IO[bytes] = self._child.stdout

    def picture(self, seconds: float) -> tuple[float, np.ndarray] | None:
        """Return the next picture with its time, None at the end; raises SensorError for garbage, or when it does not come in `seconds`."""
        end = time.monotonic() + seconds
        head = self._read(HEADER.size, end)
        if not head:
            return None
        magic, taken, high, wide, channels = HEADER.unpack(head)
        if magic != MAGIC or channels not in (1, 3) or not 0 < high * wide <= MOST:
            raise SensorError("the camera's process sent something that is no picture", "it is started anew")
        pixels = self._read(high * wide * channels, end)
        return None if not pixels else (taken, np.frombuffer(pixels, np.uint8).reshape(high, wide, channels))

    def _read(self, count: int, end: float) -> bytes:
        """Read exactly so many bytes before the clock says `end`; nothing where the stream ends."""
        parts, left = [], count
        while left:
            ready, _, _ = select.select([self._line], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise SensorError("the camera hangs: its process sends no picture", "it is started anew; see its cable and power")
            part = os.read(self._line.fileno(), min(left, 1 << 20))
            if not part:
                return b""
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def kill(self) -> None:
        """End the child at once, from any thread; the pictures end with it."""
        with suppress(OSError):
            self._child.kill()  # SIGKILL: a driver that hangs does not hear anything else

    def ended(self) -> str:
        """End the child and return the last line that it wrote on standard error."""
        self.kill()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(2)
        self._line.close()
        self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - 2000))
        said = self._words.read().decode(errors="replace").strip().splitlines()
        self._words.close()
        return "".join(letter for letter in said[-1] if letter.isprintable())[:300] if said else ""


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "peephole.gateway.eye", *words]


class CameraSensor(Live):
    """Starts the eye, takes its newest picture, and starts it anew when it hangs, dies or sends garbage; never gives up."""

    def __init__(self, name: str, clock: Clock, command: Sequence[str], pace: float = 0.1) -> None:
        super().__init__(name, clock, pace=pace)
        self._command, self._hangs = command, max(HANGS, LATE * pace)
        self._eye: Eye | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    @classmethod
    def of(cls, place: str, clock: Clock, *, width: int, height: int, fps: float) -> "CameraSensor":
        """Return the sensor of a camera: a number or a device's path; width and height in pixels, 0 as the camera likes; `fps` pictures a second."""
        return cls(f"camera://{place}", clock, _command("camera", place, str(width), str(height), str(fps)), 1 / fps)

    def begin(self) -> None:
        """Start the thread that reads."""
        self._thread.start()

    def end(self) -> None:
        """End the thread and its child."""
        self._stop.set()
        if self._eye is not None:
            self._eye.kill()
        self._thread.join(5)

    def _run(self) -> None:
        tries = 0
        while not self._stop.is_set():
            seen, self._trouble = self._once(STARTS[tries % len(STARTS)])
            self._lost.append(self._trouble)
            tries = 0 if seen else tries + 1
            self._stop.wait(RESTS[min(tries, len(RESTS) - 1)])

    def _once(self, starts: float) -> tuple[bool, str]:
        """Start the child and pass on its pictures until there are no more; returns whether there was one, and why they ended.

        The first one must come within `starts` seconds.
        """
        try:
            eye = self._eye = Eye(self._command)
        except OSError as error:
            return False, f"the camera's process cannot be started: {error.strerror or error}"
        seen, said = False, ""
        try:
            while not self._stop.is_set() and (found := eye.picture(self._hangs if seen else starts)) is not None:
                taken, pixels = found
                # Both processes read the same monotonic clock; the wall clock is this one's, moved back by the picture's age.
                age = time.monotonic() - taken
                self._slot.put(Picture(self._clock.monotonic() - age, self._clock.wall() - age, pixels))
                seen = True
        except SensorError as error:
            said = error.what
        finally:
            last = eye.ended()
        return seen, said or last or "the camera's process ended"


class VideoSensor:
    """Gives a video file as fast as it is asked for, as one visit after the other; time comes from the film."""

    recorded = True

    def __init__(self, path: Path, fps: float, start: float | None) -> None:
        self._path, self._fps, self._start = path, fps, start
        self.dated = start is not None
        self.notes: tuple[str, ...] = ()

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield its pictures in order; raises SensorError when it cannot be read to its end."""
        eye = Eye(_command("video", str(self._path), str(self._fps)))
        count, said = 0, ""
        try:
            while not stop.is_set() and (found := eye.picture(FIRST)) is not None:
                time_, pixels = found
                wall = (self._start or 0.0) + time_
                count += 1
                yield Capture(time_, wall, self._path.name, Frame(time_, wall, self._path.name, pixels, measure(pixels)))
        finally:
            said = eye.ended()
        if not stop.is_set() and (said or not count):
            raise SensorError(said or f"{self._path} holds no picture", "see that it plays elsewhere")
