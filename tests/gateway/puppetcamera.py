"""A camera on strings, in a process of its own like the real one: `puppetcamera.py FOLDER` shows what FOLDER/scene.txt says at the moment.

`ana` and `stranger` stand there; `one ana 7` shows a single picture, once for each number; everything else is a way of lying or failing.
"""

import math
import os
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np

from peephole.gateway.eye import HEADER, MAGIC, end_with, pack

STEP = 0.06  # seconds between two pictures
PAINT = {"ana": (200, 30, 30), "stranger": (30, 200, 30), "black": (2, 2, 2), "white": (254, 254, 254)}
SHAPE = (24, 32, 3)
AGES = {"late": 5.0, "future": -5.0, "timeless": math.nan, "before time": math.inf}


def picture(random: np.random.Generator, who: str, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Return somebody, with a sensor's noise."""
    return np.clip(np.array(PAINT[who]) + random.integers(-2, 3, shape), 0, 255).astype(np.uint8)


def send(data: bytes) -> None:
    """Write all of it to standard output."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


class Puppet:
    """What was shown last, and which single pictures were shown already."""

    def __init__(self) -> None:
        self.random = np.random.default_rng()  # no two pictures alike, also after a new start
        self.shown: deque[np.ndarray] = deque(maxlen=2)
        self.once = ""
        self.turn = 0

    def act(self, scene: str) -> None:
        """Do once what the scene asks for."""
        self.turn += 1
        if scene.startswith("one "):
            if scene != self.once:
                self.once = scene
                self.show(picture(self.random, scene.split()[1]))
        elif scene in PAINT:
            self.show(picture(self.random, scene))
        elif scene in AGES:
            taken = picture(self.random, "ana")
            send(pack(time.monotonic() - AGES[scene], taken) + taken.tobytes())
        else:
            self.fail(scene)

    def fail(self, scene: str) -> None:
        """Break in the way that the scene names."""
        if scene == "hang":
            time.sleep(3600)
        elif scene == "die":
            sys.exit(1)
        elif scene == "garbage":
            send(self.random.bytes(500))
        elif scene == "half":
            send(pack(time.monotonic(), np.zeros(SHAPE)) + bytes(100))
            time.sleep(3600)
        elif scene == "huge":
            send(HEADER.pack(MAGIC, time.monotonic(), 2**31, 2**31, 3))
        elif scene == "sizes":  # another shape each time, a stranger in each
            taken = picture(self.random, "stranger", ((1, 1, 3), (1, 900, 3), (700, 2, 3))[self.turn % 3])
            send(pack(time.monotonic(), taken) + taken.tobytes())
        elif scene in ("frozen", "circle") and self.shown:
            taken = self.shown[-1 if scene == "frozen" else self.turn % len(self.shown)]
            send(pack(time.monotonic(), taken) + taken.tobytes())

    def show(self, taken: np.ndarray) -> None:
        """Send a picture of this moment."""
        self.shown.append(taken)
        send(pack(time.monotonic(), taken) + taken.tobytes())


def main(folder: Path) -> None:
    """Follow the strings until nobody looks."""
    end_with(1)
    (folder / "camera.pid").write_text(str(os.getpid()))
    puppet = Puppet()
    while True:
        puppet.act((folder / "scene.txt").read_text())
        time.sleep(STEP)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except BrokenPipeError:
        sys.exit(0)
