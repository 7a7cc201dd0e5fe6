"""A whole gate killed at odd moments, with pictures and a head: the next start goes on, and everything kept still fits together."""

import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from peephole.base.records import Decision
from peephole.gateway.audit import verify
from peephole.gateway.door import Door
from peephole.gateway.head import open_post
from peephole.gateway.journal import Journal

CHILD = """
import sys
from pathlib import Path
from peephole.gateway.agent import run
from peephole.gateway.door import load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.head import HeadKeeper
HeadKeeper.__init__.__defaults__ = (0.005,)
model = ColourPredictor({"ana": (200, 30, 30), "junho": (30, 30, 200)})
run(load_door(Path(sys.argv[1])), model.predict, model.card, tell=lambda record: print(getattr(record, "visit", ""), flush=True))
"""


def killed(door: Door, kills: int, seed: int) -> tuple[int, int]:
    """Kill the gate so many times after a few of its rows; returns how many rows stand, and how many decisions it had told of are missing."""
    chance, post, lost, before = random.Random(seed), open_post(door), 0, 0
    assert post is not None
    for _ in range(kills):
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(CHILD), str(door.path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(chance.randrange(1, 60))]
        child.kill()
        told += child.stdout.readlines()
        child.stdout.close()
        child.wait()
        with Journal(door.journal, "front-door") as journal:
            audit = verify(journal, post.find(), door.pictures)
            assert audit.problems == (), audit
            decided = sum(isinstance(row.record, Decision) for row in journal.entries("decision"))
            lost += max(0, sum(line.startswith("v") for line in told) - (decided - before))
            before = decided
            faults = [row.record for row in journal.entries("fault")]
            assert faults == [], faults
    head = post.find()
    assert head is not None and head.number > 0
    return audit.rows, lost


@pytest.fixture
def door(tmp_path: Path, paint: Callable[[Path, str], Path], make_door: Callable[..., Door]) -> Door:
    """A door with a night of thirty visits, which keeps pictures and its head."""
    for number in range(90):
        paint(tmp_path / "night" / f"v{number // 3:02d}" / f"{number}.png", ("ana", "stranger", "junho")[number // 3 % 3])
    (tmp_path / "stick").mkdir()
    return make_door(more='[journal]\npictures = {days = 14, megabytes = 5}\nhead = "file://stick/front.head"')


def test_a_killed_gate_goes_on(door: Door) -> None:
    """Four kills."""
    rows, lost = killed(door, 4, 1)
    assert rows > 20 and lost == 0


@pytest.mark.long
def test_a_gate_killed_a_hundred_times_goes_on(door: Door) -> None:
    """A hundred."""
    rows, lost = killed(door, 100, 2)
    assert rows > 1000 and lost == 0
