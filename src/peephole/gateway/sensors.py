"""Sensors by address: folder:// takes pictures as they appear, replay:// gives recorded visits as fast as they are asked for.

A picture that cannot be read is delivered as a refusal with its reason; it never ends the stream.
"""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from peephole.base.errors import InputError, SensorError
from peephole.base.records import Frame
from peephole.data.photos import open_photo
from peephole.gateway.address import SOURCE_OPTIONS, Address
from peephole.gateway.clock import Clock
from peephole.gateway.quality import measure
from peephole.gateway.reasons import plural
from peephole.gateway.recording import Recording, read_recording

__all__ = ["Capture", "FolderSensor", "Idle", "ReplaySensor", "Sensor", "number", "open_sensor", "replay_sensor", "take"]

POLL = 0.1
TURN = 0.5  # seconds: whoever looks more rarely says in between that time passes
LOOKS = 50  # at once=1: how often a file may still be growing before it is refused
UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart", ".swp")


@dataclass(frozen=True, eq=False)
class Capture:
    """One picture, or the `problem` that kept it from being one; `visit` and `truth` where a recording names them.

    `time` is monotonic seconds, `wall` seconds since 1970. `truth` is a label, or "unknown" for a stranger.
    """

    time: float
    wall: float
    source: str
    frame: Frame | None
    problem: str = ""
    visit: str | None = None
    truth: str | None = None


@dataclass(frozen=True)
class Idle:
    """Nothing new; time passed.

    `sees` False: the sensor sends without pause and has sent nothing new, so nobody can say how it looks at the door. `lost` says what
    took its sight away for good, until its next picture.
    """

    time: float
    wall: float
    sees: bool = True
    lost: str = ""


class Sensor(Protocol):
    """What the gate asks of a sensor; `recorded` sensors bring their own time, which is a date when they are `dated`."""

    recorded: bool
    dated: bool
    notes: tuple[str, ...]

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield what is seen until there is no more or `stop` is set; raises SensorError when nothing can come any more."""
        ...


def take(path: Path, name: str, time: float, wall: float, *, visit: str | None = None, truth: str | None = None) -> Capture:
    """Read one picture into a capture; its pixels are uint8 (H, W, C), C = 1, 3, or 4 with alpha, which the card's input settles."""
    try:
        image = open_photo(path)
        pixels = np.asarray(image.convert("RGBA") if image.mode == "LA" else image, np.uint8)
    except InputError as error:
        return Capture(time, wall, name, None, error.what, visit, truth)
    except (OSError, MemoryError) as error:
        return Capture(time, wall, name, None, f"it cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}", visit, truth)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return Capture(time, wall, name, Frame(time, wall, name, pixels, measure(pixels)), "", visit, truth)


class FolderSensor:
    """Watches a folder: new or rewritten pictures, oldest first, once they have stopped growing; moves and deletes nothing.

    Pictures that are already there at the start are old news and open no door; with `?once=1` they, and only they, are taken.
    """

    recorded = False
    dated = True

    def __init__(self, address: Address, folder: Path, clock: Clock) -> None:
        once, poll = address.take(*SOURCE_OPTIONS["folder"])
        if once not in (None, "0", "1"):
            raise SensorError(f"once is 0 or 1, not '{once[:20]}'", "write ?once=1 to stop after the pictures that are there")
        self._once = once == "1"
        self._poll = number("poll", poll, POLL, 0.01, 10)
        self._folder = address.path(folder)
        self._clock = clock
        self._taken: dict[str, tuple[int, int]] = {}
        self._seen = self._look()
        self.notes: tuple[str, ...] = ()
        if not self._once:
            self._taken = dict(self._seen)
            if self._taken:
                self.notes = (f"{plural(len(self._taken), 'file')} already in {self._folder} will not be judged; with ?once=1 they are",)

    def _look(self) -> dict[str, tuple[int, int]]:
        """Return (time of change in ns, size) of every file; raises SensorError when the folder is gone."""
        found = {}
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    facts = _facts(entry)
                    if facts is not None:
                        found[entry.name] = facts
        except OSError as error:
            raise SensorError(
                f"the folder {self._folder} cannot be read: {error.strerror or error}", "create it, or correct [sensor] source"
            ) from error
        return found

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield pictures as they appear; between looks, Idle."""
        left = LOOKS
        while not stop.is_set():
            yield from self._pause(stop)
            now = self._look()
            fresh = {name: facts for name, facts in now.items() if self._taken.get(name) != facts}
            ready = [name for name, facts in fresh.items() if self._seen.get(name) == facts and facts[1] > 0]
            self._seen = now
            self._taken = {name: facts for name, facts in self._taken.items() if name in now}
            for name in sorted(ready, key=lambda name: (fresh[name][0], name)):
                if stop.is_set():
                    return
                self._taken[name] = fresh[name]
                yield take(self._folder / name, name, self._clock.monotonic(), self._clock.wall())
            left -= 1
            if self._once and (len(ready) == len(fresh) or left <= 0):
                yield from self._unfinished(sorted(fresh.keys() - set(ready)))
                return
            yield Idle(self._clock.monotonic(), self._clock.wall())

    def _pause(self, stop: threading.Event) -> Iterator[Idle]:
        """Wait for the next look, and yield that time passes."""
        left = self._poll
        while left > TURN and not stop.is_set():
            self._clock.wait(TURN, stop)
            left -= TURN
            yield Idle(self._clock.monotonic(), self._clock.wall())
        self._clock.wait(min(left, TURN), stop)

    def _unfinished(self, names: list[str]) -> Iterator[Capture]:
        for name in names:
            yield Capture(self._clock.monotonic(), self._clock.wall(), name, None, "it is empty or was still being written")


def _facts(entry: "os.DirEntry[str]") -> tuple[int, int] | None:
    """Return a file's time of change and size, or None for folders, pipes and what is being written under another name."""
    if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED) or entry.name.endswith("~"):
        return None
    try:
        facts = entry.stat()
    except OSError:
        return None  # renamed or deleted since the folder was listed
    return (facts.st_mtime_ns, facts.st_size) if stat.S_ISREG(facts.st_mode) else None


class ReplaySensor:
    """Gives a recording (see recording) as fast as it is asked for; time comes from the recording."""

    recorded = True

    def __init__(self, recording: Recording) -> None:
        self.shots = recording.shots
        self.dated = recording.dated
        self.notes: tuple[str, ...] = ()

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield every picture of the recording in order."""
        for shot in self.shots:
            if stop.is_set():
                return
            yield take(shot.path, shot.name, shot.time, shot.wall, visit=shot.visit, truth=shot.truth)


def number(name: str, text: str | None, default: float, low: float, high: float, unit: str = "seconds") -> float:  # noqa: PLR0917  # an option is all of these
    """Read an option that is a number; raises SensorError outside its range."""
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        what = f"{name} is a number of {unit} from {low:g} to {high:g}, not '{text[:20]}'"
        raise SensorError(what, f"write for example ?{name}={default or high:g}")
    return value


def replay_sensor(path: Path, start: str | None = None) -> ReplaySensor:
    """Return a sensor that gives the recording at `path`, a folder's from the date and time `start`; raises MissingInput or SensorError."""
    return ReplaySensor(read_recording(path, start=start))


def _replay(address: Address, folder: Path, _: Clock) -> ReplaySensor:
    step, apart, start = address.take(*SOURCE_OPTIONS["replay"])
    recording = read_recording(
        address.path(folder),
        step=None if step is None else number("step", step, 0.2, 0.001, 60),
        apart=None if apart is None else number("apart", apart, 60.0, 0, 86_400),
        start=start,
    )
    return ReplaySensor(recording)


SENSORS: dict[str, Callable[[Address, Path, Clock], Sensor]] = {"folder": FolderSensor, "replay": _replay}


def open_sensor(source: str, folder: Path, clock: Clock) -> Sensor:
    """Return the sensor that an address picks; relative paths start at `folder`. Raises SettingsError, SensorError or MissingInput."""
    address = Address.parse(source, SENSORS)
    return SENSORS[address.scheme](address, folder, clock)
