"""One process of the fifty gates that many_gates measures: whole agents in threads, whose camera and model alone are fakes."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from peephole.base.records import Frame, Quality
from peephole.gateway.agent import run as live
from peephole.gateway.door import load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal
from peephole.gateway.mqtt import Messenger
from peephole.gateway.outbox import Mark, Outbox
from peephole.gateway.sensors import Capture, Idle
from peephole.gateway.switchboard import broker_place, rehearsal

RED = {"ana": (200, 30, 30)}


class Visitors:
    """A camera in front of which somebody comes every second, from `first` seconds after the start; three frames each time."""

    recorded, dated, notes = False, True, ()

    def __init__(self, visits: int, first: float) -> None:
        self._visits, self._first = visits, first

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield visits until there were enough, and a little longer."""
        pixels = np.full((32, 32, 3), RED["ana"], np.uint8)
        began, frame = time.monotonic() + self._first, 0
        while not stop.wait(0.02) and time.monotonic() < began + self._visits + 1:
            now, wall = time.monotonic(), time.time()
            visit, number = divmod(frame, 3)
            if visit < self._visits and now >= began + visit + 0.05 * number:
                frame += 1
                yield Capture(now, wall, "camera", Frame(now, wall, "camera", pixels, Quality(0.5, 0.5)))
            else:
                yield Idle(now, wall)


def gate(folder: Path, visits: int, first: float, rows: dict[str, tuple[int, str]]) -> None:
    """Run one gate from start to stop and note how many rows its journal has, and whose they are."""
    door = load_door(folder / "DOOR.toml")
    name, topic = folder.name, f"peephole/{folder.name}/events"
    model = ColourPredictor(RED)
    with Journal(door.journal, name) as journal:
        outbox = Outbox(journal, Messenger(broker_place(door), f"{name}-events"), topic, Mark(folder / "told", journal, topic))
        live(door, model.predict, model.card, sensor=Visitors(visits, first), switchboard=rehearsal(door), journal=journal, witnesses=[outbox])
        rows[name] = (journal.entries(last=1)[-1].number, journal.id[:12])


def member(folders: list[Path], visits: int) -> None:
    """Run some gates in threads of this process, staggered over a second; print the rows of each journal, and its id."""
    rows: dict[str, tuple[int, str]] = {}
    threads = [threading.Thread(target=gate, args=(folder, visits, 2 + number / len(folders), rows)) for number, folder in enumerate(folders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(rows))


if __name__ == "__main__":
    member([Path(name) for name in sys.argv[2:]], int(sys.argv[1]))
