"""A camera that does what it is told, in a process of its own like the real one: for tests, examples and trying an alarm.

`python -m peephole.gateway.fakecamera show:20 freeze:30 black:5 hang` shows 20 pictures of a person with a sensor's noise, the same
picture 30 times, 5 black ones, and then nothing for ever; `garbage`, `die`, `wait:2.5` (seconds) and `empty:20` (nobody there) too.
"""

import os
import sys
import time

import numpy as np

from peephole.gateway.eye import end_with, pack

__all__ = ["main"]

STEP = 0.05  # seconds between two pictures
SHAPE = (48, 64, 3)
PERSON = (200, 30, 30)


def _picture(random: np.random.Generator, what: str) -> np.ndarray:
    """Return one picture: a wall, with a person in the middle for `show`, all with noise; `black` is the noise alone."""
    pixels = np.full(SHAPE, 0.0 if what == "black" else 120.0)
    if what in ("show", "freeze"):
        pixels[:, 16:48] = PERSON
    return np.clip(pixels + random.normal(0, 2, SHAPE), 0, 255).astype(np.uint8)


def _send(line: int, pixels: np.ndarray) -> None:
    view = memoryview(pack(time.monotonic(), pixels) + pixels.tobytes())
    while view:
        view = view[os.write(line, view) :]


def main(words: list[str]) -> int:
    """Follow the script; returns the exit code."""
    end_with(1)
    random = np.random.default_rng()  # no two pictures alike, also after a new start: alike ones do not count
    for word in words:
        what, _, count = word.partition(":")
        if what == "hang":
            time.sleep(3600)
        elif what == "die":
            print("the camera fell off the wall", file=sys.stderr)  # noqa: T201  # the parent reads it
            return 1
        elif what == "garbage":
            os.write(1, b"<html>not a picture</html>" * 10)
        elif what == "wait":
            time.sleep(float(count))
        else:
            frozen = _picture(random, "show")
            for _ in range(int(count or 1)):
                _send(1, frozen if what == "freeze" else _picture(random, what))
                time.sleep(STEP)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
