"""Hostile pictures at the door: each is a capture with its reason, none opens, and the watch goes on to the next frame."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hostile import HOSTILE
from peephole.gateway.agent import run
from peephole.gateway.clock import SteppedClock
from peephole.gateway.sensors import Capture, open_sensor

Paint = Callable[[Path, str], Path]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("how", ["replay", "folder"])
def test_each_is_a_refusal_and_the_next_picture_is_seen(how: str, tmp_path: Path, paint: Paint) -> None:
    """As they appear in a folder and from a recording: as many refusals as hostile pictures, and the good one between them is given."""
    for number, make in enumerate(HOSTILE.values()):
        (tmp_path / "night" / f"{number:02}.jpg").parent.mkdir(exist_ok=True)
        (tmp_path / "night" / f"{number:02}.jpg").write_bytes(make())
    paint(tmp_path / "night" / "99.png", "ana")
    source = "replay://night" if how == "replay" else "folder://night?once=1"
    items = [item for item in open_sensor(source, tmp_path, SteppedClock()).captures(threading.Event()) if isinstance(item, Capture)]
    good = [item for item in items if item.frame is not None]
    assert len(items) == len(HOSTILE) + 1 and [Path(item.source).name for item in good] == ["99.png"]
    assert all(item.problem and item.problem.isprintable() for item in items if item.frame is None)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_they_neither_open_nor_help_to_open(tmp_path: Path, paint: Paint, model: Any, make_door: Callable[..., Any]) -> None:
    """A hostile picture between two frames of ana starts the count again: two of her in a row never come, and nothing opens; without them it does."""
    for number, make in enumerate(HOSTILE.values()):
        (tmp_path / f"bomb{number}.jpg").write_bytes(make())
        paint(tmp_path / f"ana{number}.png", "ana")
    for bombs in (True, False):
        rows = ["time,file,visit,truth"]
        for number in range(len(HOSTILE)):
            rows += [f"{number}.1,ana{number}.png,v1,ana"] + [f"{number}.2,bomb{number}.jpg,v1,ana"] * bombs
        (tmp_path / "night.csv").write_text("\n".join(rows) + "\n")
        summary = run(make_door("replay://night.csv", decide="agree = 2"), model.predict, model.card)
        assert (summary.opened, summary.refused_frames, summary.faults) == ((0, len(HOSTILE), 0) if bombs else (1, 0, 0))
