"""What stands between a sensor and the watch: the part of the frame that is looked at, and sleep while nothing moves."""

import threading
from collections.abc import Iterator

import numpy as np

from peephole.base.records import Frame
from peephole.data.region import within
from peephole.gateway.quality import measure
from peephole.gateway.sensors import Capture, Idle, Sensor

__all__ = ["Awake", "Cropped", "Movement"]

GRID = 24  # cells on the longer side
CHANGED = 10.0  # levels of 255 that a cell must change by in any colour, beyond what the light changes by
LIGHT = 15.0  # levels by which the whole picture may change from one to the next as mere light; more may be somebody who covers all of it
AWAKE = 10.0  # seconds that it stays awake after the last movement
STANDS = 60.0  # seconds without the least movement after which what is there belongs to the scene
SETTLES = 0.05  # share of each calm picture in what counts as the empty scene


class Cropped:
    """A sensor of which a part is looked at; quality is measured on that part."""

    def __init__(self, sensor: Sensor, box: tuple[float, float, float, float]) -> None:
        """`box` is left, top, width, height in fractions 0..1 of the frame."""
        self._sensor, self._box = sensor, box
        self.recorded, self.dated, self.notes = sensor.recorded, sensor.dated, sensor.notes

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield what the sensor does, cut."""
        for item in self._sensor.captures(stop):
            yield self._cut(item) if isinstance(item, Capture) and item.frame is not None else item

    def _cut(self, item: Capture) -> Capture:
        assert item.frame is not None, "only a picture can be cut"
        pixels = item.frame.pixels
        left, top, right, bottom = within(self._box, (pixels.shape[1], pixels.shape[0]))
        part = pixels[top:bottom, left:right]
        frame = Frame(item.frame.time, item.frame.wall, item.frame.source, part, measure(part))
        return Capture(item.time, item.wall, item.source, frame, item.problem, item.visit, item.truth)


class Movement:
    """Tells whether anything differs from the empty scene, by the mean colour of coarse cells; light that changes slowly is no movement.

    Whatever differs is somebody until nothing has moved from one picture to the next for `STANDS` seconds: then it is furniture.
    """

    def __init__(self) -> None:
        self._scene: np.ndarray | None = None
        self._last: np.ndarray | None = None
        self._stirred = -np.inf

    def seen(self, pixels: np.ndarray, time: float) -> bool:
        """Compare uint8 pixels (H, W, C), taken at `time` in seconds, with the scene and with the picture before."""
        cells = _cells(pixels)
        if self._scene is None or self._last is None or cells.shape != self._scene.shape:
            self._scene, self._last, self._stirred = cells, cells, time
            return True  # the first picture may show somebody
        stirs, differs = _differ(cells, self._last), _differ(cells, self._scene)
        self._last = cells
        if stirs:
            self._stirred = time
        elif differs and time - self._stirred > STANDS:
            self._scene, differs = cells, False
        if not stirs and not differs:
            self._scene = self._scene + _light(cells, self._scene)  # light is followed at once, all else slowly
            self._scene = self._scene + SETTLES * (cells - self._scene)
        return stirs or differs


def _light(cells: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return what the light alone changed, one figure per colour, held within LIGHT."""
    return np.asarray(np.clip(np.median(cells - others, axis=(0, 1)), -LIGHT, LIGHT))


def _differ(cells: np.ndarray, others: np.ndarray) -> bool:
    return bool((np.abs(cells - others - _light(cells, others)) > CHANGED).any())


def _cells(pixels: np.ndarray) -> np.ndarray:
    """Return the mean colours (h, w, C) of about GRID cells a side, from one pixel in sixteen."""
    high, wide, channels = pixels.shape
    side = max(1, max(high, wide) // GRID)
    thin = max(1, side // 4)
    few = pixels[::thin, ::thin].astype(np.float32)
    step = max(1, side // thin)
    rows, columns = max(1, few.shape[0] // step), max(1, few.shape[1] // step)
    cut = few[: rows * step, : columns * step]
    return np.asarray(cut.reshape(rows, min(step, cut.shape[0]), columns, min(step, cut.shape[1]), channels).mean(axis=(1, 3)))


class Awake:
    """A live sensor that lets only pictures through while something moves, and for some seconds after; the model sleeps meanwhile.

    What keeps a picture from being judged always comes through, and so does every picture that differs from the empty scene (see Movement).
    """

    def __init__(self, sensor: Sensor) -> None:
        self._sensor, self._movement = sensor, Movement()
        self.recorded, self.dated, self.notes = sensor.recorded, sensor.dated, sensor.notes
        self.asleep = 0

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield what the sensor does; pictures in which nothing moves become Idle, counted in `asleep`."""
        until = -np.inf
        for item in self._sensor.captures(stop):
            if isinstance(item, Idle) or item.frame is None:
                yield item
                continue
            if self._movement.seen(item.frame.pixels, item.time):
                until = item.time + AWAKE
            if item.time <= until:
                yield item
            else:
                self.asleep += 1
                yield Idle(item.time, item.wall)
