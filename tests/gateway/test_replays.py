"""Replay against replay: every door action that another model, threshold or rate would change is listed, and nothing else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import peephole.decide.predictor
from peephole.base.card import Card
from peephole.base.errors import NotArmed, SettingsError
from peephole.base.evidence import measure
from peephole.base.modelwrite import write
from peephole.base.records import Decision
from peephole.cli.gate import app
from peephole.decide.predictor import load
from peephole.gateway.differences import Acts, acts_of, difference_of
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.replays import Night, compare, rehearse, with_rate, with_threshold
from peephole.gateway.sensors import replay_sensor

LIVE = {"ana": (200, 30, 30), "junho": (30, 30, 200)}
# It knows ana by green, so strangers come in and ana does not.
GREEN = {"ana": (30, 200, 30), "junho": (30, 30, 200)}
SWAPPED = {"ana": (30, 30, 200), "junho": (200, 30, 30)}


@pytest.fixture
def night(tmp_path: Path, paint: Callable[[Path, str], Path]) -> Path:
    """Ana, a stranger and junho, three frames each; somebody who is not there long enough."""
    for visit, who, frames in (("v1", "ana", 3), ("v2", "stranger", 3), ("v3", "junho", 3), ("v4", "ana", 2)):
        for number in range(frames):
            paint(tmp_path / "night" / visit / f"{number}.png", who)
    return tmp_path / "night"


def through(door: Door, night: Path, colours: dict[str, tuple[int, int, int]], **more: Any) -> Night:
    model: Any = ColourPredictor(colours, **more)
    return rehearse(door, model, replay_sensor(night))


def test_the_same_model_differs_in_nothing(night: Path, make_door: Callable[..., Door]) -> None:
    """What is compared with itself has no difference, and nothing is journaled."""
    door = make_door()
    one = through(door, night, LIVE)
    found = compare(("live", "new"), (one, through(door, night, LIVE)))
    assert (found.visits, found.differences, found.opened, found.shut) == (4, (), 0, 0)
    assert not door.journal.exists()
    assert len(found.told) == 1 and found.told[0].startswith("both: armed as low risk only")  # once, where it is the same
    assert [acts.said for acts in one.visits] == ["open (ana)", "call (a stranger)", "open (junho)", "shut"]


def test_every_difference_is_listed_with_its_reason(night: Path, make_door: Callable[..., Door]) -> None:
    """Who would come in and does not, who does and would no longer, and why."""
    door = make_door()
    found = compare(("live", "new"), (through(door, night, LIVE), through(door, night, GREEN)))
    rows = [(one.visit, one.then, one.now, one.opened, one.shut) for one in found.differences]
    assert rows == [("v1", "open (ana)", "call (a stranger)", False, True), ("v2", "call (a stranger)", "open (ana)", True, False)]
    assert "three frames in a row were ana" in found.differences[1].why
    assert (found.visits, found.opened, found.shut) == (4, 1, 1)


def test_another_person_is_a_difference(night: Path, make_door: Callable[..., Door]) -> None:
    """The same door at the same visit, but for somebody else: a new opening for one, none for the other."""
    door = make_door()
    found = compare(("live", "new"), (through(door, night, LIVE), through(door, night, SWAPPED)))
    assert [(one.visit, one.now, one.opened, one.shut) for one in found.differences] == [
        ("v1", "open (junho)", True, True),
        ("v3", "open (ana)", True, True),
    ]


def test_by_verdict_alone_a_swap_would_be_missed() -> None:
    """Planted-bug twin: whoever compares verdicts finds no difference between ana and junho; the actions with their labels do."""
    then, now = ((Decision("v1", "open", who, "", "rule 1", "open"),) for who in ("ana", "junho"))
    assert [one.verdict for one in then] == [one.verdict for one in now]
    assert difference_of(acts_of("v1", then), acts_of("v1", now)) is not None
    assert difference_of(acts_of("v1", then), acts_of("v1", then)) is None


def test_visits_without_names_are_compared_in_order(tmp_path: Path, paint: Callable[[Path, str], Path], make_door: Callable[..., Door]) -> None:
    """A table without visits is cut by the gap, and its visits have other names in every run."""
    for who in ("ana", "stranger"):
        paint(tmp_path / f"{who}.png", who)
    rows = [f"{minute * 60 + n * 0.2},{who}.png" for minute, who in enumerate(("ana", "stranger", "ana")) for n in range(3)]
    (tmp_path / "night.csv").write_text("\n".join(["time,file", *rows]))
    door = make_door()
    found = compare(("live", "new"), (through(door, tmp_path / "night.csv", LIVE), through(door, tmp_path / "night.csv", GREEN)))
    assert [(one.opened, one.shut) for one in found.differences] == [(False, True), (True, False), (False, True)] and found.visits == 3


def test_a_model_that_fails_opens_nothing_and_is_told(night: Path, make_door: Callable[..., Door]) -> None:
    """Faults of the other model are counted, and the openings it loses are listed."""
    door = make_door()
    found = compare(("live", "new"), (through(door, night, LIVE), through(door, night, LIVE, breaks_after=2)))
    assert [one.visit for one in found.differences] == ["v1", "v2", "v3"] and found.opened == 0
    assert "new: 9 faults" in found.told


def test_a_rate_that_is_not_proven_does_nothing(night: Path, make_door: Callable[..., Door]) -> None:
    """A gate that would not arm opens for nobody and says why; one that arms differs in nothing."""
    settings = make_door().settings
    door = Door(make_door().path, settings.model_copy(update={"gate": settings.gate.model_copy(update={"low_risk": False})}))
    proven = [measure("false accept", 0, 299, "stranger", "proof")]
    then = through(door, night, LIVE, evidence=proven)
    found = compare(("1 %", "0.1 %"), (then, through(with_rate(door, 0.001), night, LIVE, evidence=proven)))
    assert (found.opened, found.shut, found.visits) == (0, 2, 4)
    assert "not armed" in found.differences[0].why and "2,696 more strangers" in found.told[-1]
    back = compare(("0.1 %", "1 %"), (through(with_rate(door, 0.001), night, LIVE, evidence=proven), then))
    assert (back.opened, back.shut) == (2, 0)
    with pytest.raises(NotArmed):
        compare(("a", "b"), (through(door, night, LIVE), through(door, night, LIVE)))
    for rate in (0, 1, -0.1, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match="above 0 and below 1"):
            with_rate(door, rate)


def test_another_threshold(tiny_model_path: Path) -> None:
    """The same file with another line: what it accepts changes, the file does not; only numbers from -1 to 1 are lines."""
    model = load(tiny_model_path)
    blank = np.full((8, 8, 1), 255, np.uint8)
    assert model.predict(blank).label is None and with_threshold(model, 0.1).predict(blank).label is not None
    assert load(tiny_model_path).card.unknown.threshold == 0.9
    for line in (1.1, -2, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match="from -1 to 1"):
            with_threshold(model, line)


def test_an_interrupted_comparison_compares_what_both_have() -> None:
    """Visits that one rehearsal never reached are no difference."""
    acts = Acts("v1", (("open", "ana"),), "so")
    summary: Any = type("Summary", (), {"notes": (), "faults": 0, "armed": type("Armed", (), {"sentence": "armed"})})
    long, short = Night(summary, (acts, replace(acts, visit="v2"))), Night(summary, (acts,))
    assert compare(("a", "b"), (long, short)).visits == 1 and compare(("a", "b"), (long, short)).differences == ()


@pytest.fixture
def files(tmp_path: Path, tiny_graph: Any, tiny_card: Card, tiny_photos: dict[str, np.ndarray], make_door: Callable[..., Door]) -> Path:
    """A door with real model files: door.onnx, lax.onnx with a lower threshold; visits of left, of top and of a stranger."""
    for name, threshold in (("door", 0.9), ("lax", 0.5)):
        write(
            tmp_path / f"{name}.onnx",
            tiny_graph,
            tiny_card.model_copy(update={"unknown": tiny_card.unknown.model_copy(update={"threshold": threshold})}),
        )
    both = np.maximum(tiny_photos["left-1"], tiny_photos["top-1"])
    for visit, photo in (("left", tiny_photos["left-1"]), ("top", tiny_photos["top-1"]), ("stranger", both)):
        (tmp_path / "night" / visit).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(photo[..., 0]).save(tmp_path / "night" / visit / f"{number}.png")
    path = make_door().path
    path.write_text(path.read_text().replace('"ana", "junho"', '"left", "top"'))
    return path


def gate(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return result.exit_code, " ".join(result.output.split())


def test_replay_as_a_verb(files: Path) -> None:
    """The table, the counts, --strict's exit code, and JSON for programs."""
    night, lax = files.parent / "night", files.parent / "lax.onnx"
    code, told = gate("replay", files, night, "--model", lax)
    assert code == 0 and "visit then now why" in told and "stranger call (a stranger) open (" in told
    assert "then: door.onnx (threshold 0.900); now: lax.onnx (threshold 0.500)" in told
    assert "3 visits compared: 1 visit would go otherwise; 1 opening would be new, 0 openings would be no more" in told
    assert gate("replay", files, night, "--model", lax, "--strict")[0] == 3
    assert gate("replay", files, night, "--threshold", "0.5", "--strict")[0] == 3
    assert gate("replay", files, night, "--threshold", "0.9", "--strict")[0] == 0
    code, told = gate("replay", files, night, "--false-accept", "0.5")
    assert code == 0 and "0 visits would go otherwise" in told and "50 % was requested" in told
    assert "2 opened" in gate("replay", files, night)[1]
    files.write_text(files.read_text().replace('"door.onnx"', '"lax.onnx"'))
    code, told = gate("replay", files, night, "--threshold", "0.9", "--json", "--strict")
    assert code == 0 and (json.loads(told)["opened"], json.loads(told)["shut"]) == (0, 1)


def test_promote_and_roll_back_as_verbs(files: Path) -> None:
    """A recording stops a promotion that would open for a stranger; without one it goes through, and one command takes it back."""
    night, lax, live = files.parent / "night", files.parent / "lax.onnx", files.parent / "door.onnx"
    before = live.read_bytes()
    code, told = gate("promote", files, lax, "--replay", night)
    assert code == 3 and "1 opening would be new" in told and live.read_bytes() == before
    code, told = gate("promote", files, lax)
    assert code == 0 and "the way back is: peephole gate rollback" in told
    assert "live: door.onnx" in told and "kept as door.last.onnx" in told and live.read_bytes() == lax.read_bytes()
    code, told = gate("rollback", files, "--json")
    assert code == 0 and json.loads(told)["live"].endswith("door.onnx") and live.read_bytes() == before
    code, told = gate("promote", files, files.parent / "door.undone.onnx", "--json")
    assert code == 0 and list(json.loads(told)["passed"]) == ["opens", "labels", "region", "answers", "arming"]


def test_run_falls_back_loudly(files: Path) -> None:
    """A live model that is lost: the last good one runs, the terminal and the journal say so as a fault, the start names what runs."""
    live = files.parent / "door.onnx"
    gate("promote", files, files.parent / "lax.onnx")
    live.write_bytes(live.read_bytes()[:100])
    code, told = gate("run", files)
    assert code == 0 and "fault the model: door.onnx is cut off" in told and "so the last good model, door.last.onnx" in told and "1 fault" in told
    rows = [json.loads(line) for line in CliRunner().invoke(app, ["journal", str(files), "--json"]).output.splitlines()]
    start, fault = rows[0]["record"], rows[1]["record"]
    assert start["subject"] == "door.last.onnx" and "the model is door.last.onnx (" in start["text"]
    assert fault["kind"] == "fault" and "runs in its place" in fault["text"]
    assert "2 opened" in told


def test_replay_with_fakes_still_works(night: Path, make_door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that a test puts in place by name."""
    door = make_door()
    monkeypatch.setattr(peephole.decide.predictor, "load", lambda path: ColourPredictor(GREEN if path.name == "new.onnx" else LIVE))
    assert "1 opening would be new, 1 opening would be no more" in gate("replay", door.path, night, "--model", "new.onnx")[1]
