"""Rates per visit: only from visits that were really recorded, and only where it is known who came."""

from collections.abc import Callable
from pathlib import Path

import pytest

from peephole.gateway.agent import run
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal
from peephole.gateway.recording import read_recording
from peephole.gateway.sensors import replay_sensor
from peephole.gateway.switchboard import rehearsal
from peephole.gateway.visits import Tally, is_journal, rates, role_of

DAY = 1_793_600_000


def table(tmp_path: Path, paint: Callable[[Path, str], Path], visits: list[tuple[str, str, int]], dated: bool = True) -> Path:
    """Write a recording: each visit with who it looks like, who it was, and its number of frames."""
    lines = ["time,file,visit,truth"]
    for number, (looks, truth, frames) in enumerate(visits):
        for frame in range(frames):
            file = paint(tmp_path / "shots" / f"{number}-{frame}.png", looks)
            lines.append(f"{(DAY if dated else 0) + 60 * number + 0.2 * frame},{file.relative_to(tmp_path)},v{number},{truth}")
    path = tmp_path / "night.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def tallied(door: Door, model: ColourPredictor, path: Path) -> Tally:
    tally = Tally()
    with Journal(None, door.settings.gate.name) as journal:
        run(door, model.follow, model.card, sensor=replay_sensor(path), switchboard=rehearsal(door), journal=journal, witnesses=(tally,))
    return tally


def test_visits_are_counted(tmp_path: Path, paint: Callable[[Path, str], Path], make_door: Callable[..., Door], model: ColourPredictor) -> None:
    """A stranger who looks like ana is let in, a resident in the dark is refused, one who is taken for another is told apart from both."""
    visits = [
        *[("ana", "ana", 3)] * 3,
        ("dark", "junho", 3),
        ("ana", "junho", 3),
        ("stranger", "kim", 3),
        ("ana", "kim", 3),
        ("stranger", "lee", 4),
        ("ana", "", 3),
    ]
    tally = tallied(make_door(), model, table(tmp_path, paint, visits))
    found = {(item.claim, item.unit): (item.errors, item.trials, item.role) for item in rates(tally, model.labels, "proof")}
    assert found == {
        ("false accept", "visit"): (1, 3, "proof"),
        ("false accept", "stranger"): (1, 2, "proof"),
        ("false reject", "visit"): (2, 5, "proof"),
        ("taken for somebody else", "visit"): (1, 5, "proof"),
    }


def test_a_stranger_without_a_name(
    tmp_path: Path, paint: Callable[[Path, str], Path], make_door: Callable[..., Door], model: ColourPredictor
) -> None:
    """Truth `unknown` counts visits, and no strangers: nobody knows whether it was the same one."""
    tally = tallied(make_door(), model, table(tmp_path, paint, [("stranger", "unknown", 3)] * 4))
    assert [(item.unit, item.errors, item.trials) for item in rates(tally, model.labels, "proof")] == [("visit", 0, 4)]


def test_a_refusal_by_the_clock_recognised_somebody(
    tmp_path: Path, paint: Callable[[Path, str], Path], make_door: Callable[..., Door], model: ColourPredictor
) -> None:
    """Who comes during the cool-down is shut out and yet known: that is no false reject."""
    tally = tallied(make_door(decide='cool_down = "1 h"'), model, table(tmp_path, paint, [("ana", "ana", 3)] * 3))
    assert tally.visits["v1"].taken_for == {"ana"}
    first = rates(tally, model.labels, "proof")[0]
    assert (first.claim, first.errors, first.trials) == ("false reject", 0, 3)


def test_one_frame_is_enough_where_the_door_says_so(
    tmp_path: Path, paint: Callable[[Path, str], Path], make_door: Callable[..., Door], model: ColourPredictor
) -> None:
    """The decision falls before the frame's truth is told: it counts all the same."""
    tally = tallied(make_door(decide="agree = 1"), model, table(tmp_path, paint, [("ana", "ana", 1), ("ana", "kim", 1)]))
    found = {(item.claim, item.unit): (item.errors, item.trials) for item in rates(tally, model.labels, "simulated")}
    assert found[("false accept", "stranger")] == (1, 1) and found[("false reject", "visit")] == (0, 1)


def test_more_visits_than_a_summary_keeps(
    tmp_path: Path, paint: Callable[[Path, str], Path], make_door: Callable[..., Door], model: ColourPredictor
) -> None:
    """All of 1,100 visits are counted, not the latest thousand alone."""
    photo = paint(tmp_path / "one.png", "stranger")
    rows = [f"{DAY + 60 * at},{photo.name},v{at},unknown" for at in range(1100)]
    path = tmp_path / "long.csv"
    path.write_text("\n".join(["time,file,visit,truth", *rows]), encoding="utf-8")
    tally = tallied(make_door(), model, path)
    assert rates(tally, model.labels, "simulated")[0].trials == 1100


@pytest.mark.parametrize(
    ("change", "role", "says"),
    [
        ("", "proof", "recorded visits"),
        ("undated", "simulated", "no dates"),
        ("one frame", "simulated", "single frame"),
        ("twice", "simulated", "names a picture twice"),
        ("folder", "simulated", "made-up times"),
    ],
)
def test_what_a_recording_can_show(tmp_path: Path, paint: Callable[[Path, str], Path], change: str, role: str, says: str) -> None:
    """Photos that pose as frames are simulated, and the reason is given."""
    path = table(tmp_path, paint, [("ana", "ana", 1 if change == "one frame" else 3)] * 2, dated=change != "undated")
    if change == "twice":
        path.write_text(path.read_text().replace("0-1.png", "0-0.png"))
    if change == "folder":
        path = tmp_path / "shots"
    found = role_of(read_recording(path), path)
    assert found[0] == role and says in found[1]


def test_a_journal_is_told_from_a_table(tmp_path: Path) -> None:
    """By its first bytes."""
    (tmp_path / "j.db").write_bytes(b"SQLite format 3\x00 and so on")
    (tmp_path / "t.csv").write_text("time,file\n")
    assert is_journal(tmp_path / "j.db") and not is_journal(tmp_path / "t.csv") and not is_journal(tmp_path) and not is_journal(tmp_path / "none")
