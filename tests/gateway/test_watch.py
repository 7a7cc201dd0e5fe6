"""Witnesses of the watch: they hear everything, and cannot hold up the door."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.base.records import Decision, Prediction
from peephole.gateway.agent import run
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal, Record, Remark
from peephole.gateway.sensors import Capture
from peephole.gateway.switchboard import rehearsal


class Onlooker:
    """Remembers what it was told; fails from frame `until` on."""

    name = "onlooker"

    def __init__(self, until: int = 1000) -> None:
        self.until = until
        self.frames: list[tuple[str, str | None, str, str]] = []
        self.records: list[tuple[int, Record]] = []
        self.turns = 0
        self.closed = False

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Remember a frame, or fail."""
        if len(self.frames) >= self.until:
            raise RuntimeError("looked too long")
        self.frames.append((capture.source, prediction.label if prediction else None, problem, visit))

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Remember a row."""
        self.records.append((number, record))

    def passed(self, time: float, wall: float) -> None:
        """Count a turn."""
        self.turns += 1

    def close(self) -> None:
        """Remember the end."""
        self.closed = True


@pytest.fixture
def night(tmp_path: Path, paint: Callable[[Path, str], Path]) -> Path:
    """Two visits: ana, three frames; a stranger, three frames, the last one dark."""
    for visit, who in (("v1", "ana ana ana"), ("v2", "stranger stranger dark")):
        for number, name in enumerate(who.split()):
            paint(tmp_path / "night" / visit / f"{number}.png", name)
    return tmp_path / "night"


def watched(door: Door, model: ColourPredictor, *witnesses: Any) -> tuple[Any, list[Any]]:
    """Run the night and return the summary and the journal's rows."""
    summary = run(door, model.predict, model.card, switchboard=rehearsal(door), witnesses=witnesses)
    with Journal(door.journal, "front-door") as journal:
        return summary, list(journal.entries())


def test_a_witness_hears_all(night: Path, make_door: Callable[..., Door], model: ColourPredictor) -> None:
    """Every frame with its visit, every row of the journal under its number, every turn, and the end."""
    onlooker = Onlooker()
    _, rows = watched(make_door(more="[sensor.quality]\nmin_light = 0.05"), model, onlooker)
    assert [(label, visit) for _, label, _, visit in onlooker.frames] == [("ana", "v1")] * 3 + [(None, "v2")] * 3
    assert [bool(problem) for _, _, problem, _ in onlooker.frames] == [False] * 5 + [True]
    assert onlooker.records == [(row.number, row.record) for row in rows]
    assert onlooker.turns == 6 and onlooker.closed


def test_a_witness_that_fails_is_let_go(night: Path, make_door: Callable[..., Door], model: ColourPredictor) -> None:
    """Its failure is a fault in the journal, the others hear on, and the door opens as it would have."""
    failing, steady = Onlooker(until=1), Onlooker()
    summary, rows = watched(make_door(), model, failing, steady)
    assert [outcome.verdict for outcome in summary.outcomes] == ["open", "ask"]
    faults = [row.record for row in rows if isinstance(row.record, Remark) and row.record.kind == "fault"]
    assert [fault.subject for fault in faults] == ["the onlooker"] and "looked too long" in faults[0].text
    assert len(failing.frames) == 1 and failing.closed and len(steady.frames) == 6
    assert any(isinstance(record, Decision) and record.verdict == "open" for _, record in steady.records)
