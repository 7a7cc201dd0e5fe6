"""What the computer did while a test ran: for how long it let nobody run, and which processes are there still."""

import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

STEP = 0.04  # seconds of rest
WORK = 0.001  # seconds of work after it


class Metronome:
    """Rests and works a little, again and again, and remembers when the work was late: a gate is late by as much then, and not by its own fault."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque(maxlen=100_000)  # from when on it wanted to run and could not, until when
        threading.Thread(target=self._run, daemon=True).start()

    def stood(self, since: float, until: float) -> float:
        """Return the seconds of a stretch (monotonic) in which it wanted to run and could not."""
        return sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in tuple(self._late))

    def _run(self) -> None:
        while True:
            due = time.monotonic() + STEP
            time.sleep(STEP)
            end = time.thread_time() + WORK
            while time.thread_time() < end:
                pass
            self._late.append((due, time.monotonic() - WORK))


def processes(folder: str) -> dict[int, str]:
    """Return the processes that were told of a folder, or of what is in it, as their ids and command lines."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            if any(word == folder or word.startswith(f"{folder}/") for word in words):
                found[int(path.parent.name)] = " ".join(words).strip()
    return found
