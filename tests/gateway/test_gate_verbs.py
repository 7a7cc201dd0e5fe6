"""peephole gate run, check, replay, journal: what they print and their exit codes, with a model that the test puts in place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import peephole.decide.predictor
from peephole.base.errors import GateError, InputError, JournalError, PeepholeError
from peephole.cli.gate import app
from peephole.gateway.alone import only_one
from peephole.gateway.door import Door, load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal, Remark

COLOURS = {"ana": (200, 30, 30), "junho": (30, 30, 200)}


@pytest.fixture
def door(tmp_path: Path, paint: Callable[[Path, str], Path], make_door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A door with a recording of ana and of a stranger, and the fake model in place of a file."""
    for number in range(3):
        paint(tmp_path / "night" / "ana" / f"{number}.png", "ana")
        paint(tmp_path / "night" / "other" / f"{number}.png", "stranger")
    monkeypatch.setattr(peephole.decide.predictor, "load", lambda path: ColourPredictor(COLOURS))
    return make_door(target="log://door.log").path


def invoke(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_run_tells_and_sums_up(door: Path) -> None:
    """Each decision with its reason, then the counts and the grounds for arming."""
    told = invoke("run", str(door))
    assert "three frames in a row were ana" in told
    assert "2 visits: 1 opened, 1 asked, 0 shut" in told
    assert told.count("armed as low risk only") == 2 and told.count("needs 299 strangers") == 1
    assert "2 frames" not in told and "6 frames, 0 of them not judged; 0 faults" in told


def test_run_says_that_it_looks_once_it_does(door: Path) -> None:
    """Not while another gate holds the lock, nor where its recording is not there; then an error is all there is."""
    told = invoke("run", str(door))
    assert told.index("looks at") < told.index("start")
    with only_one(load_door(door).journal):
        result = CliRunner().invoke(app, ["run", str(door)])
    assert isinstance(result.exception, GateError) and "looks at" not in result.output
    door.write_text(door.read_text().replace("replay://night", "replay://nowhere"))
    result = CliRunner().invoke(app, ["run", str(door)])
    assert isinstance(result.exception, PeepholeError) and "looks at" not in result.output


def test_the_programs_log_is_seen(door: Path) -> None:
    """What log:// alone writes reaches the terminal; a fault is told once."""
    door.write_text(door.read_text().replace("log://door.log", "log://", 1).replace("log://door.log", "log://none/door.log"))
    told = invoke("run", str(door))
    assert [json.loads(line)["state"] for line in told.splitlines() if line.startswith("{")] == ["off", "on", "off", "off"]
    assert told.count("none/door.log cannot be written") == 2  # at the start and when a stranger rang


def test_a_full_disk_is_told(door: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot stand in the journal is said on the terminal, every time it keeps somebody out; otherwise nobody would know why."""
    write = Journal.write

    def full(journal: Journal, record: Any, time: float, wall: float) -> int:
        if isinstance(record, Remark) and record.kind == "start":
            return write(journal, record, time, wall)
        raise JournalError("journal.db cannot be written: database or disk is full", "make room")

    monkeypatch.setattr(Journal, "write", full)
    told = invoke("run", str(door))
    assert "2 visits: 0 opened, 0 asked, 2 shut" in told and "4 faults" in told
    assert told.count("the journal: journal.db cannot be written: database or disk is full") == 4


def test_run_as_json(door: Path) -> None:
    """One object for a program."""
    summary = json.loads(invoke("run", str(door), "--json"))
    assert summary["opened"] == 1 and summary["armed"]["how"] == "low risk"


def test_check_explains(door: Path) -> None:
    """Plain words, and a word for going on; as JSON the sentences."""
    told = invoke("check", str(door))
    assert "ana or junho may cause 'open'" in told and "in order" in told
    assert "region" in told and "as the model file says: whole" in told
    found = json.loads(invoke("check", str(door), "--json"))
    assert found["problems"] == [] and {part["state"] for part in found["parts"]} == {"ok"}
    assert [part["name"] for part in found["parts"]] == ["model", "region", "rules", "arming", "source", "journal", "action open", "action call"]


def test_check_finds_a_problem(door: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model without junho: exit code 3 and the sentence that says so."""
    monkeypatch.setattr(peephole.decide.predictor, "load", lambda path: ColourPredictor({"ana": (200, 30, 30), "min": (0, 0, 0)}))
    result = CliRunner().invoke(app, ["check", str(door)])
    assert result.exit_code == 3 and "rule 1 names 'junho'" in result.output


def test_check_goes_on_without_a_model(door: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is not there is one problem among all that are found at once, and no file is made."""
    monkeypatch.undo()
    door.write_text(door.read_text().replace("replay://night", "replay://nihgt"))
    before = sorted(door.parent.rglob("*"))
    result = CliRunner().invoke(app, ["check", str(door)])
    assert result.exit_code == 3
    assert "there is no model file" in result.output and "there is no recording" in result.output and "2 problems" in result.output
    assert sorted(door.parent.rglob("*")) == before


def test_replay_can_be_given_a_date(door: Path, tmp_path: Path) -> None:
    """With hours in the rules, a folder's visits need a time of day: --start gives it."""
    door.write_text(door.read_text().replace('do = "open"', 'do = "open"\nwhen = "Mo 07:00-20:00"'))
    assert "0 opened" in (told := invoke("replay", str(door), str(tmp_path / "night"))) and "--start" in told
    assert "1 opened" in (told := invoke("replay", str(door), str(tmp_path / "night"), "--start", "2026-11-02T08:00")) and "--start" not in told


def test_replay_moves_nothing(door: Path, tmp_path: Path) -> None:
    """Visits and verdicts are listed; no journal, no log."""
    told = invoke("replay", str(door), str(tmp_path / "night"))
    assert "ana" in told and "ask" in told and "1 opened" in told
    assert not (tmp_path / "door.log").exists() and not (tmp_path / "journal.db").exists()


def test_journal_lists(door: Path) -> None:
    """The latest rows as a table or as JSON lines; another word for a kind is refused with the near miss."""
    invoke("run", str(door))
    assert "three frames in a row were ana" in " ".join(invoke("journal", str(door)).split())
    rows = [json.loads(line) for line in invoke("journal", str(door), "--json", "--last", "100").splitlines()]
    assert [row["kind"] for row in rows] == ["start", "decision", "visit", "decision", "visit", "stop"]
    assert len(invoke("journal", str(door), "--json", "--kind", "visit", "--last", "1").splitlines()) == 1
    assert invoke("journal", str(door.with_name("journal.db"))) == invoke("journal", str(door))
    door.write_text("[gate]\nmodle = 3\n")
    assert "three frames" in " ".join(invoke("journal", str(door)).split())
    with pytest.raises(InputError, match="did you mean 'visit'"):
        invoke("journal", str(door), "--kind", "visits")
    with pytest.raises(InputError, match="gate run"):
        door.with_name("journal.db").unlink()
        invoke("journal", str(door))


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("label", "DOOR", "-o", "out", "--answers", "none.json"), "gate label DOOR --json"),
        (("label", "DOOR", "-o", "out"), "add to DOOR: [journal] pictures = {days = 14, megabytes = 500}"),
        (("rollback", "DOOR"), "gate promote DOOR NEW.onnx"),
        (("journal", "BOOK", "--visit", "v9"), "gate journal BOOK --kind visit"),
    ],
)
def test_hints_name_the_file_that_was_given(door: Path, words: tuple[str, ...], hint: str) -> None:
    """Not DOOR.toml where the door is another: what is hinted can be typed as it stands."""
    invoke("run", str(door))
    mine = door.rename(door.with_name("gate.toml"))
    names = {"DOOR": str(mine), "BOOK": str(mine.with_name("journal.db")), "out": str(mine.with_name("out"))}
    result = CliRunner().invoke(app, [names.get(word, word) for word in words])
    for name, path in names.items():
        hint = hint.replace(name, path)
    assert isinstance(result.exception, PeepholeError) and hint in result.exception.hint


def test_the_check_names_the_file_that_was_given(door: Path) -> None:
    """A door that asks for a PIN where nobody has one says what to type."""
    mine = door.rename(door.with_name("gate.toml"))
    mine.write_text(mine.read_text().replace("[decide]", '[decide]\nsecond_factor = "http://127.0.0.1:1/pin"'))
    told = " ".join(CliRunner().invoke(app, ["check", str(mine)], env={"COLUMNS": "4000"}).output.split())
    assert f"peephole gate pin {mine} NAME" in told
