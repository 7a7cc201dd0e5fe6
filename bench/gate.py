"""From a picture's file to the controller's command, through the whole gate, against ONNX Runtime on the same pixels in the same run.

Every picture is a visit of its own and opens (agree = 1): read and decoded as folder:// does it, its quality measured, prepared, judged, decided,
written to the journal and synced to disk, and sent to a controller that notes the time; then the visit ends, as it does between two looks of
folder://. Bare calls of a default ONNX Runtime session on one thread take turns with the visits. A gate process is also started anew and asked
for its memory and the seconds until it watches.

What would make the figure unfair: a journal in memory or without fsync; a picture that is decoded beforehand; slow visits left out.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime

import peephole
from bench.gate_start import starts
from bench.models import lite0_model, plain_model
from bench.report import Row
from peephole.gateway.actuators import Command
from peephole.gateway.agent import run as watch
from peephole.gateway.door import load_door
from peephole.gateway.journal import Journal
from peephole.gateway.sensors import Capture, Idle, take
from peephole.gateway.switchboard import Line, Switchboard

ROUNDS, VISITS = 5, 400
GAP = 0.001  # seconds after which a visit is over
STARTS = 7
DOOR = """
[gate]
name = "bench"
model = "{model}"
low_risk = true
[sensor]
source = "folder://frames"
[decide]
false_accept = 0.01
agree = 1
gap = "{gap} s"
cool_down = "0 s"
[[rule]]
who = {who}
do = "open"
[[rule]]
who = ["unknown"]
do = "call"
[action.open]
target = "record://"
[action.call]
target = "record://"
[journal]
path = "journal.db"
"""


class Bell:
    """A controller that notes when it was told."""

    def __init__(self) -> None:
        self.at = 0.0

    def send(self, command: Command) -> None:
        """Note the time of an `on`."""
        if command.state == "on":
            self.at = time.perf_counter()

    def close(self) -> None:
        """Nothing."""


class Visitors:
    """Gives one picture again and again, each as a visit of its own, and times how long until the bell rings; bare calls between them."""

    recorded, dated = False, True
    notes: tuple[str, ...] = ()

    def __init__(self, photo: Path, bells: list[Bell], bare: Any, visits: int) -> None:
        self._photo, self._bells, self._bare, self._visits = photo, bells, bare, visits
        self.took: list[float] = []
        self.alone: list[float] = []

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield the visits."""
        for number in range(self._visits):
            begun = time.perf_counter()
            self._bare()
            self.alone.append(1000 * (time.perf_counter() - begun))
            begun = time.perf_counter()
            yield take(self._photo, f"{number}", time.monotonic(), time.time())
            self.took.append(1000 * (max(bell.at for bell in self._bells) - begun))
            time.sleep(2 * GAP)
            yield Idle(time.monotonic(), time.time())  # as folder:// does after each look: the visit ends here


def door_of(folder: Path, model: Path) -> Path:
    """Write a DOOR.toml for a model."""
    path = folder / f"{model.stem}.toml"
    who = "[" + ", ".join(f'"{label}"' for label in peephole.load(model).labels) + "]"
    path.write_text(DOOR.format(model=model.name, who=who, gap=GAP), encoding="utf-8")
    (folder / "frames").mkdir(exist_ok=True)
    return path


def latency(name: str, settings: Path, photo: Path, rounds: int, visits: int) -> list[Row]:
    """Time visits through the whole gate and bare calls, in turn."""
    door = load_door(settings)
    predictor = peephole.load(door.model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(door.model, options, providers=["CPUExecutionProvider"])
    pixels = {"image": predictor.prepare(photo)[None]}
    ours, bare = [], []
    for number in range(rounds + 1):
        bells = [Bell(), Bell()]
        sensor = Visitors(photo, bells, lambda: session.run(None, pixels), visits)
        board = Switchboard("bench", {"open": Line(bells[0], 0.001), "call": Line(bells[1], None)})
        with Journal(settings.parent / f"{name}-{number}.db", "bench") as journal:
            watch(door, predictor.follow, predictor.card, sensor=sensor, switchboard=board, journal=journal)
        if number:  # the first round warms up
            ours.append(float(np.percentile(sensor.took, 99)))
            bare.append(float(np.percentile(sensor.alone, 99)))
    ratio = tuple(one / other for one, other in zip(ours, bare, strict=True))
    more = tuple(one - other for one, other in zip(ours, bare, strict=True))
    lite = name == "lite0"
    return [
        Row(f"Frame to relay, {name}: p99 of a visit, file to command, journal synced", tuple(ours), "ms", "rounds"),
        Row(f"Frame to relay, {name}: p99 / that of the bare ONNX Runtime call", ratio, "x", "rounds", most=1.5 if lite else None),
        Row(f"Frame to relay, {name}: p99 above that of the bare ONNX Runtime call", more, "ms", "rounds", most=None if lite else 2),
    ]


def run(quick: bool) -> list[Row]:
    rounds, visits, count = (1, 40, 1) if quick else (ROUNDS, VISITS, STARTS)
    rows: list[Row] = []
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, (model, photo) in (("lab-11", plain_model(folder)), ("lite0", lite0_model(folder))):
            settings = door_of(folder, model)
            rows += latency(name, settings, photo, rounds, visits) + starts(name, settings, count)
    return rows
