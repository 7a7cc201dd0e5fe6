"""Rows picked out and exported: by label, visit and day; CSV that no spreadsheet runs, JSON lines, Parquet; a visit's pictures; names that attack."""

import csv
import io
import json
import logging
import sqlite3
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import polars
import pytest
from typer.testing import CliRunner

from peephole.base.errors import ActuatorError, InputError, JournalError, OutputError
from peephole.base.records import Decision, Visit
from peephole.cli.gate import app
from peephole.gateway.actuators import Command, RecordingActuator
from peephole.gateway.agent import run
from peephole.gateway.audit import verify
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.head import FilePost
from peephole.gateway.journal import Entry, Erased, Journal, Kept, Picture, Remark
from peephole.gateway.listing import Wanted, export, flat, select, what
from peephole.gateway.oneline import one_line
from peephole.gateway.pictures import Album
from peephole.gateway.policy import Ended
from peephole.gateway.switchboard import Line, Switchboard

MORNING = datetime(2026, 11, 2, 8).timestamp()


def decision(visit: str, label: str | None, verdict: str = "open") -> Decision:
    return Decision(visit, verdict, label, f"three frames in a row were {label}", "rule 1", "open")  # type: ignore[arg-type]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Two days: Ana, Junho and a stranger, and one row by a clock that was never set."""
    path = tmp_path / "j.db"
    with Journal(path, "front") as journal:
        digest = Album(tmp_path / "j.db-pictures", 14, 1).add(b"a picture", MORNING)
        journal.write(Remark("start", "door.onnx", "armed"), 0, 5.0)
        for visit, label, wall in (
            ("v1", "ana", MORNING),
            ("v2", "junho", MORNING + 60),
            ("v3", None, MORNING + 86_400),
            ("v10", "ana", MORNING + 86_460),
        ):
            journal.write(decision(visit, label, "open" if label else "ask"), 1, wall)
            journal.write(Ended(Visit(visit, 0, 1, ()), 3, 1, "open" if label else "ask", label), 2, wall)
        journal.write(Kept("v1", (Picture(digest, MORNING, "ana", "ana"), Picture("0" * 64, MORNING, "ana", "ana")), 1), 3, MORNING)
        journal.write(Erased((), 0, "at a person's word"), 3, MORNING)
    return path


def numbers(path: Path, **wanted) -> list[int]:
    with Journal.read(path) as journal:
        return [entry.number for entry in select(journal, Wanted(**wanted))]


def test_rows_are_picked_out(book: Path) -> None:
    """By label (strangers too), visit, day, kind and count, and all at once; a visit is not one whose name begins alike."""
    assert numbers(book, label="ana") == [2, 3, 8, 9, 10] and numbers(book, label="unknown") == [6, 7]
    assert numbers(book, visit="v1") == [2, 3, 10] and numbers(book, visit="v10") == [8, 9]
    assert numbers(book, day=date(2026, 11, 2)) == [2, 3, 4, 5, 10, 11]
    assert numbers(book, label="ana", day=date(2026, 11, 3), kind="visit") == [9]
    assert numbers(book, last=2) == [10, 11] and numbers(book, label="ana", last=2) == [9, 10]


def test_who_is_not_there(book: Path) -> None:
    """A label or a visit that no row names is refused, with the near miss."""
    with pytest.raises(InputError, match="did you mean 'junho'"):
        numbers(book, label="junhoo")
    with pytest.raises(InputError, match=r"no row is of the visit 'v11'.*did you mean"):
        numbers(book, visit="v11")
    with pytest.raises(InputError, match=r"no row is of 1970-01-01\n") as told:
        numbers(book, day=date(1970, 1, 1), last=20)
    assert told.value.hint.endswith(f"peephole gate journal {book}")
    with pytest.raises(InputError, match="no row is of 2026-11-03 and of what else was asked for"):
        numbers(book, day=date(2026, 11, 3), kind="pictures")


def test_strangers_are_those_of_visits(book: Path) -> None:
    """Wrong PINs, lockouts and what is told of the gate belong to no visit, and concern no stranger."""
    with Journal(book, "front") as journal:
        journal.write(Decision("-", "refuse", None, "a PIN or tag came that belongs to nobody, number 1 in a row", "second factor", None), 4, MORNING)
        journal.write(Decision("v12", "refuse", None, "nobody", "second factor", None), 4, MORNING)
    assert numbers(book, label="unknown") == [6, 7, 13]


def rows(path: Path) -> tuple[Entry, ...]:
    with Journal.read(path) as journal:
        return journal.entries()


def test_exports_hold_the_same(book: Path, tmp_path: Path) -> None:
    """The three formats, row by row; what is empty stays empty and numbers stay numbers."""
    entries = rows(book)
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        export(entries, tmp_path / name)
    table = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text("utf-8-sig"), newline="")))
    frame = polars.read_parquet(tmp_path / "a.parquet")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [int(row["row"]) for row in table] == frame["row"].to_list() == [line["number"] for line in lines] == [entry.number for entry in entries]
    assert [row["label"] for row in table][:4] == ["", "ana", "ana", "junho"] and frame["label"].to_list()[:4] == [None, "ana", "ana", "junho"]
    assert table[0]["when"] == "" and table[1]["when"].startswith("2026-11-02T08:00:00.000") and table[9]["what"] == "v1: 2 pictures kept, 1 dropped"
    assert lines[1]["record"]["reason"] == "three frames in a row were ana" and frame["seen"].to_list()[2] == 3
    assert set(flat(entries[0])) == set(table[0])


def test_nothing_is_exported_too(tmp_path: Path) -> None:
    """A journal without rows is an empty table in each format."""
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        export((), tmp_path / name)
    assert polars.read_parquet(tmp_path / "a.parquet").height == 0 and (tmp_path / "a.jsonl").read_text() == ""


def test_where_nothing_can_be_written(book: Path, tmp_path: Path) -> None:
    """Another ending, a folder, a way through a file."""
    with pytest.raises(InputError, match=r"did you mean '\.csv'"):
        export((), tmp_path / "a.csvv")
    (tmp_path / "b.csv").mkdir()
    for path in (tmp_path / "b.csv", book / "a.csv"):
        with pytest.raises(OutputError):
            export((), path)


HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "  =1+1",
    "\r\n=1+1",
    "＝1+1",
    "\x00=1",
    "\x1b[2J\x1b]0;owned\x07",
    "'; DROP TABLE entry; --",
    '"},{"verdict":"open',
    'a,b\nc"d',
    "[red]ana[/red]",
    "[link=file:///etc/passwd]x[/link]",
    "\u202egpj.ana",
    "12:00:00  open   v1  ana",
    "x\n2026-11-02 08:00:00  open  v1 (rule 1): three frames in a row were ana",
    "$(reboot)",
    "%s%n",
    "../../../etc/passwd",
    "x" * 10_000,
    "지우",
]


@pytest.mark.parametrize("name", HOSTILE, ids=[ascii(name)[:24] for name in HOSTILE])
def test_hostile_names_stay_names(tmp_path: Path, name: str) -> None:
    """As a label, a visit, a reason and a subject: the database holds every row, no cell is a formula, no line is forged, nothing is run."""
    path = tmp_path / "j.db"
    records = [Decision(name, "refuse", name, name, name, None), Ended(Visit(name, 0, 1, ()), 3, 0, "refuse", name), Remark("fault", name, name)]
    with Journal(path, "front", names=[name]) as journal:
        for record in records:
            journal.write(record, 0, MORNING)
        assert [entry.record for entry in journal.entries()] == records and verify(journal).problems == ()
        assert len(select(journal, Wanted(label=name))) == len(select(journal, Wanted(visit=name))) == 2
        entries = journal.entries()
    export(entries, tmp_path / "a.csv")
    table = list(csv.reader(io.StringIO((tmp_path / "a.csv").read_text("utf-8-sig"), newline="")))
    assert len(table) == 4 and {len(row) for row in table} == {16}
    for cell in (cell for row in table for cell in row):
        assert cell.isprintable() and (cell.lstrip()[:1] not in tuple("=+-@＝＋－＠") or not cell)
    export(entries, tmp_path / "a.jsonl")
    assert [json.loads(line)["record"] for line in (tmp_path / "a.jsonl").read_text().splitlines()][2] == {
        "kind": "fault",
        "subject": name,
        "text": name,
    }
    told = CliRunner().invoke(app, ["journal", str(path)], env={"COLUMNS": "60000"}).output
    assert len(told.splitlines()) == 4 and "\x1b" not in told and "\u202e" not in told
    if name.isprintable():
        assert name[:9000] in told  # also what looks like markup is shown as it is


def test_the_check_finds_a_table_that_runs() -> None:
    """Planted-bug twin: what csv alone writes does not pass the check of cells."""
    out = io.StringIO()
    csv.writer(out).writerow(["=1+1"])
    assert next(csv.reader(io.StringIO(out.getvalue())))[0].lstrip()[:1] in tuple("=+-@")


def test_a_fault_cannot_forge_a_line_of_the_log(
    tmp_path: Path, make_door: Callable[..., Door], paint: Callable[[Path, str], Path], model: ColourPredictor, caplog: pytest.LogCaptureFixture
) -> None:
    """A controller's answer with line ends and commands to the terminal is one line of the program's log."""

    class Rude(RecordingActuator):
        def send(self, command: Command) -> None:
            raise ActuatorError("no\n12:00:00 open v1 ana\x1b[2J", "x")

    paint(tmp_path / "night" / "v1" / "1.png", "ana")
    board = Switchboard("front-door", {"open": Line(Rude(), 5.0), "call": Line(RecordingActuator())})
    with caplog.at_level(logging.ERROR, "peephole.gate"):
        run(make_door(), model.predict, model.card, switchboard=board)
    assert caplog.messages and all(message.isprintable() for message in caplog.messages)


def test_clocks_that_show_no_date_are_listed(tmp_path: Path) -> None:
    """1970, no number, for ever, the year 30000: told as a clock that is not set, in the list, in tables and with pictures."""
    path = tmp_path / "j.db"
    with Journal(path, "front") as journal:
        for wall in (0.0, float("nan"), float("inf"), 9e11, -5.0):
            journal.write(Kept("v1", (Picture("0" * 64, wall, None, None),)), 1.0, wall)
        assert not any(row.trusted for row in journal.entries())
    assert invoke(str(path)).count("clock not set") == 5
    assert invoke(str(path), "--visit", "v1", "--pictures", str(tmp_path / "out")).count("clock not set") == 5
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        invoke(str(path), "--export", str(tmp_path / name))


def test_one_line() -> None:
    """Printable text is left alone, the rest is spelt out."""
    assert one_line("준호's [x] \\n") == "준호's [x] \\n" and one_line("a\nb\x1b\u202e\udcff") == "a\\x0ab\\x1b\\u202e\\udcff"
    assert what(Remark("fault", "a\nb", "c")) == "a\\x0ab: c"


def invoke(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["journal", *words], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_the_verb_exports_and_picks(book: Path, tmp_path: Path) -> None:
    """All rows without --last, so many with it; by label and day; a day that is none is refused."""
    assert invoke(str(book), "--export", str(tmp_path / "a.csv")).endswith("11 rows")
    assert invoke(str(book), "--export", str(tmp_path / "a.csv"), "--last", "3").endswith("3 rows")
    assert invoke(str(book), "--label", "junho", "--json").count('"number"') == 2
    assert "v3" not in invoke(str(book), "--day", "2026-11-02")
    for words in (("--day", "yesterday"), ("--head", "x"), ("--pictures", "x"), ("--kind", "visits")):
        with pytest.raises(InputError):
            invoke(str(book), *words)


def test_the_verb_shows_a_visits_pictures(book: Path, tmp_path: Path) -> None:
    """What is kept is copied, what is gone is told, what was changed is neither."""
    told = json.loads(invoke(str(book), "--visit", "v1", "--pictures", str(tmp_path / "out"), "--json"))
    assert [(one["state"], one["file"]) for one in told] == [("kept", "10-001.jpg"), ("gone", "")]
    assert (tmp_path / "out" / "10-001.jpg").read_bytes() == b"a picture"
    (file,) = (tmp_path / "j.db-pictures").iterdir()
    file.write_bytes(b"another picture")
    assert "changed" in invoke(str(book), "--visit", "v1", "--pictures", str(tmp_path / "out2")) and not (tmp_path / "out2").exists()
    with pytest.raises(InputError, match="no row is of the visit"):
        invoke(str(book), "--visit", "v9", "--pictures", str(tmp_path / "out"))


def test_the_verb_verifies(book: Path, tmp_path: Path) -> None:
    """Exit code 0 when all is in order; 3 with the first bad row, or with a head that is cut off, missing or another journal's."""
    with Journal.read(book) as journal:
        FilePost(tmp_path / "head").leave(journal.head())
    assert "nobody would notice" in invoke(str(book), "--verify")
    for words in (["--label", "ana"], ["--kind", "visit"], ["--visit", "v1"], ["--day", "2026-11-02"], ["--last", "3"], ["--export", "a.csv"]):
        with pytest.raises(InputError, match=f"{words[0]} does not go with it"):
            invoke(str(book), "--verify", *words)
    assert "11 rows follow from one another, and nothing is missing" in invoke(str(book), "--verify", "--head", str(tmp_path / "head"))
    assert "never left there" in invoke(str(book), "--verify", "--head", str(tmp_path / "none"), code=3)
    (tmp_path / "DOOR.toml").write_text(f'[journal]\npath = "j.db"\nhead = "file://{tmp_path}/head"\n')
    with pytest.raises(InputError, match="gate is missing"):
        invoke(str(tmp_path / "DOOR.toml"), "--verify")
    database = sqlite3.connect(book)
    database.execute("DELETE FROM entry WHERE number = 11")
    database.commit()
    assert "row 11 is missing" in invoke(str(book), "--verify", "--head", f"file://{tmp_path}/head", code=3)
    database.execute("UPDATE entry SET wall = 1 WHERE number = 4")
    database.commit()
    database.close()
    found = json.loads(invoke(str(book), "--verify", "--json", code=3))
    assert found["bad"] == 4 and found["rows"] == 3 and found["problems"][0].startswith("row 4 ")


def test_the_verb_verifies_against_the_doors_own_head(
    tmp_path: Path, make_door: Callable[..., Door], paint: Callable[[Path, str], Path], model: ColourPredictor, mosquitto_url: str
) -> None:
    """DOOR.toml names the topic and the broker; a topic by hand needs it too."""
    for number in range(3):
        paint(tmp_path / "night" / "v1" / f"{number}.png", "ana")
    door = make_door(more=f'[broker]\nurl = "{mosquitto_url}"\n[journal]\nhead = "mqtt://home/head"')
    run(door, model.predict, model.card)
    assert "and nothing is missing" in invoke(str(door.path), "--verify")
    assert "and nothing is missing" in invoke(str(door.path), "--verify", "--head", "mqtt://home/head")
    assert "never left there" in invoke(str(door.path), "--verify", "--head", "mqtt://home/other", code=3)
    with pytest.raises(InputError, match="needs the broker"):
        invoke(str(door.journal), "--verify", "--head", "mqtt://home/head")


def test_a_journal_that_cannot_be_read(tmp_path: Path) -> None:
    """What is no journal is refused as before."""
    (tmp_path / "x.db").write_text("no database" * 1000)
    with pytest.raises(JournalError):
        invoke(str(tmp_path / "x.db"), "--verify")
