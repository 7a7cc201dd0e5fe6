"""The doors in examples/ work as they say, with a real camera process, a real relay process and a table that grows."""

import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from peephole.gateway.agent import run
from peephole.gateway.camera import CameraSensor
from peephole.gateway.clock import SystemClock
from peephole.gateway.door import Door, load_door
from peephole.gateway.fakes import ColourPredictor

EXAMPLES = Path(__file__).parents[2] / "examples"
RED, BLUE = (200, 30, 30), (30, 30, 200)


def copied(name: str, folder: Path, *changes: tuple[str, str]) -> Door:
    """Copy an example's DOOR.toml, change what a user without a Pi changes, and read it."""
    text = (EXAMPLES / name / "DOOR.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "DOOR.toml").write_text(text, encoding="utf-8")
    return load_door(folder / "DOOR.toml")


def until(holds: Callable[[], bool], seconds: float = 8.0) -> bool:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


@pytest.mark.parametrize("name", ["door", "cat-flap", "ventilation"])
def test_an_example_is_short(name: str) -> None:
    """At most 40 lines, and each door is tried below or with the documentation."""
    assert len((EXAMPLES / name / "DOOR.toml").read_text(encoding="utf-8").splitlines()) <= 40
    assert {path.parent.name for path in EXAMPLES.glob("*/DOOR.toml")} == {"door", "cat-flap", "ventilation"}


def test_the_cat_flap_opens_for_its_cats(tmp_path: Path) -> None:
    """A cat of the house before the camera: the relay's pin goes high, and low again when the gate stops; its pictures are kept."""
    door = copied("cat-flap", tmp_path, ("gpio://17?active=high", "gpio://17?fake=pin.txt"))
    model, stop = ColourPredictor({"mimi": RED, "nabi": BLUE}), threading.Event()
    sensor = CameraSensor("camera://0", SystemClock(), [sys.executable, "-m", "peephole.gateway.fakecamera", "show:30", "hang"])
    watch = threading.Thread(target=run, args=(door, model.predict, model.card), kwargs={"sensor": sensor, "stop": stop})
    watch.start()
    try:
        history = tmp_path / "pin.txt"
        assert until(lambda: history.exists() and " high " in history.read_text())
    finally:
        stop.set()
        watch.join(10)
    assert " low " in history.read_text().splitlines()[-1]
    assert any(path.suffix == ".jpg" for path in door.pictures.rglob("*"))


def test_the_workshop_is_aired(tmp_path: Path, paint: Callable[[Path, str], Path]) -> None:
    """Bad air starts the fan with nobody there; while it is very bad a resident stays outside, and comes in when it is good."""
    air = tmp_path / "air.csv"
    air.write_text("co2\n600\n")
    (tmp_path / "frames").mkdir()
    door = copied("ventilation", tmp_path)
    model, stop = ColourPredictor({"ana": RED, "junho": BLUE}), threading.Event()
    watch = threading.Thread(target=run, args=(door, model.predict, model.card), kwargs={"stop": stop})
    watch.start()

    def say(co2: int) -> None:
        with air.open("a") as file:
            file.write(f"{co2}\n")

    def told(name: str) -> list[str]:
        path = tmp_path / name
        return [line for line in path.read_text().splitlines() if '"on"' in line] if path.exists() else []

    def arrive(visit: str) -> None:
        for number in range(4):
            paint(tmp_path / f"{visit}{number}.png", "ana")
            shutil.move(tmp_path / f"{visit}{number}.png", tmp_path / "frames" / f"{visit}{number}.png")
            time.sleep(0.25)

    try:
        time.sleep(1.0)
        say(2500)
        assert until(lambda: len(told("fan.log")) == 1)
        arrive("a")
        assert not told("door.log")
        say(900)
        time.sleep(3.0)  # the visit ends, the reading arrives
        arrive("b")
        assert until(lambda: len(told("door.log")) == 1)
    finally:
        stop.set()
        watch.join(10)
