"""The journal: what was acknowledged is there after kill -9, and comes back as the record it was."""

import math
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from typer.testing import CliRunner

from peephole.base.errors import DamagedJournal, JournalError, MissingInput
from peephole.base.records import Decision, Neighbour, Prediction, Visit
from peephole.cli.gate import app
from peephole.gateway.audit import verify
from peephole.gateway.journal import Journal, Remark
from peephole.gateway.listing import flat
from peephole.gateway.policy import Ended

DECISION = Decision("v1", "open", "한글 \"'; DROP TABLE entry; --\n\x00", "three frames\nin a row", "rule 1", "open")
SEEN = Prediction("ana", 0.9, math.nan, math.inf, (("ana", 0.9),), (Neighbour("ana/1", "ana", 0.1),), True, 0.67)
ENDED = Ended(Visit("v1", 1.5, 2.5, (SEEN, SEEN)), 4, 1, "open", "ana")
FAULT = Remark("fault", "open", "the broker is away")


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    """Decisions, visits and remarks, with NaN, quotes and other scripts in them."""
    with Journal(tmp_path / "j.db", "front") as journal:
        assert [journal.write(record, 1.0, 1.8e9) for record in (DECISION, ENDED, FAULT)] == [1, 2, 3]
    with Journal(tmp_path / "j.db", "front") as journal:
        rows = journal.entries()
    assert [row.kind for row in rows] == ["decision", "visit", "fault"]
    assert rows[0].record == DECISION and rows[2].record == FAULT
    back = rows[1].record
    assert isinstance(back, Ended) and (back.seen, back.refused, back.verdict, back.visit.id) == (4, 1, "open", "v1")
    assert math.isnan(back.visit.frames[1].familiarity) and back.visit.frames[1].margin == math.inf
    assert [(row.time, row.wall, row.trusted) for row in rows] == [(1.0, 1.8e9, True)] * 3


def test_a_clock_that_was_never_set_is_marked(tmp_path: Path) -> None:
    """Rows of a device that booted in 1970, or has no number for a clock, say so; the boot is told apart."""
    with Journal(tmp_path / "j.db", "front") as journal:
        journal.write(FAULT, 1.0, 12.0)
        journal.write(FAULT, math.nan, math.nan)
        first, second = journal.entries()
    assert not first.trusted and not second.trusted and math.isnan(second.wall) and first.boot


def test_the_last_ones_and_one_kind(tmp_path: Path) -> None:
    """Listing gives the latest rows, oldest first, of all kinds or one."""
    with Journal(tmp_path / "j.db", "front") as journal:
        for record in (DECISION, FAULT, DECISION, FAULT):
            journal.write(record, 0, 0)
        assert [row.number for row in journal.entries(last=2)] == [3, 4]
        assert [row.number for row in journal.entries("decision")] == [1, 3]
        assert [row.number for row in journal.entries("decision", last=1)] == [3]
        assert journal.entries(last=0) == ()


def test_it_is_written_through(tmp_path: Path) -> None:
    """Write-ahead log and a flush per row, as the promise needs."""
    with Journal(tmp_path / "j.db", "front") as journal:
        assert journal._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert journal._database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_another_gates_journal_is_refused(tmp_path: Path) -> None:
    """Two gates do not share a journal by mistake, and a newer format is not touched."""
    Journal(tmp_path / "j.db", "front").close()
    with pytest.raises(JournalError, match="'front', not of 'back'"):
        Journal(tmp_path / "j.db", "back")
    database = sqlite3.connect(tmp_path / "j.db")
    database.execute("UPDATE about SET value = '9' WHERE key = 'format'")
    database.commit()
    database.close()
    with pytest.raises(JournalError, match="format 9"):
        Journal(tmp_path / "j.db", "front")


def test_what_is_no_journal(tmp_path: Path) -> None:
    """A folder, a text file, an empty or missing file: one sentence each, and nothing is overwritten."""
    text = tmp_path / "text"
    text.write_text("not a database, but long enough to look at" * 100)
    for path in (tmp_path, text, text / "below"):
        with pytest.raises(JournalError, match="hint"):
            Journal(path, "front")
    for path in (text, tmp_path / "empty"):
        path.touch()
        with pytest.raises(JournalError, match="is not a journal"):
            Journal.read(path)
    with pytest.raises(JournalError, match="is a folder"):
        Journal.read(tmp_path)
    with pytest.raises(MissingInput, match="gate run"):
        Journal.read(tmp_path / "none.db")
    assert text.read_text().startswith("not a database")


def test_reading_writes_nothing(tmp_path: Path) -> None:
    """A journal at rest, one being written and one left by a kill are read without a file made or changed; writing is refused."""
    path = tmp_path / "j.db"
    with Journal(path, "front") as journal:
        journal.write(DECISION, 0, 0)
        before = sorted(tmp_path.iterdir())
        with Journal.read(path) as reader:
            assert reader.gate == "front" and [row.record for row in reader.entries()] == [DECISION]
            with pytest.raises(JournalError, match="cannot be written"):
                reader.write(FAULT, 0, 0)
        assert sorted(tmp_path.iterdir()) == before
    content = path.read_bytes()
    with Journal.read(path) as reader:
        assert len(reader.entries()) == 1
        assert sorted(tmp_path.iterdir()) == [path]
    assert sorted(tmp_path.iterdir()) == [path] and path.read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """A database that is no journal gets no tables of ours."""
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
    database.close()
    content = (tmp_path / "other.db").read_bytes()
    with pytest.raises(JournalError, match="another program's"):
        Journal(tmp_path / "other.db", "front")
    assert (tmp_path / "other.db").read_bytes() == content


def test_a_database_that_only_looks_like_a_journal(tmp_path: Path) -> None:
    """Tables of the same names, without what a journal says of itself: another program's, and left alone."""
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.executescript("CREATE TABLE about (key, value); CREATE TABLE entry (number); INSERT INTO about VALUES ('author', 'kim')")
    database.close()
    content = (tmp_path / "other.db").read_bytes()
    for opening in (lambda: Journal(tmp_path / "other.db", "front"), lambda: Journal.read(tmp_path / "other.db")):
        with pytest.raises(JournalError, match="another program's"):
            opening()
    assert (tmp_path / "other.db").read_bytes() == content


def test_a_name_that_comes_while_rows_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row written between two looks at the database, the first to hold its name, is read with that name or not at all."""
    with Journal(tmp_path / "j.db", "front") as journal:
        journal.write(DECISION, 0, 0)
        known, came = journal.names, iter(("min", "seo"))

        def names_and_somebody_comes() -> dict[str, str]:
            found = known()
            journal.write(replace(DECISION, label=next(came)), 0, 0)
            return found

        monkeypatch.setattr(journal, "names", names_and_somebody_comes)
        for rows in (journal.after(0, 10), journal.entries()):
            assert not [row for row in rows if isinstance(row.record, Decision) and (row.record.label or "").startswith("erased-")]


@pytest.mark.parametrize("wall", ["1e300", "'never'", "253402300799", "NULL", "-1e300"])
def test_an_edited_date_is_no_date(tmp_path: Path, wall: str) -> None:
    """Whatever somebody writes into that column, the row is listed, without a date, or named as one that cannot be read."""
    with Journal(tmp_path / "j.db", "front") as journal:
        journal.write(FAULT, 0, 1.8e9)
        journal._database.execute(f"UPDATE entry SET wall = {wall}")
        try:
            assert flat(journal.entries()[0])["when"] == ""
        except JournalError as error:
            assert "row 1 cannot be read" in error.what


def test_an_edited_row_is_noticed(tmp_path: Path) -> None:
    """A body that is no record any more is named by its row."""
    with Journal(tmp_path / "j.db", "front") as journal:
        journal.write(DECISION, 0, 0)
        journal._database.execute("UPDATE entry SET body = '{}'")
        with pytest.raises(JournalError, match="row 1"):
            journal.entries()


def test_a_full_disk_is_an_error_and_passes(tmp_path: Path) -> None:
    """When SQLite has no room the row is refused, what was there stays, and with room again it goes on."""
    with Journal(tmp_path / "j.db", "front") as journal:
        pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
        journal._database.execute(f"PRAGMA max_page_count = {pages + 2}")
        written = 0
        with pytest.raises(JournalError, match="make room"):
            for _ in range(1000):
                written = journal.write(Remark("fault", "x", "y" * 500), 0, 0)
        assert 0 < written == len(journal.entries())
        journal._database.execute("PRAGMA max_page_count = 100000")
        journal.write(FAULT, 0, 0)
        assert journal.entries(last=1)[0].record == FAULT


def test_many_threads_write(tmp_path: Path) -> None:
    """The releasing thread and the deciding one may write at once."""
    with Journal(tmp_path / "j.db", "front") as journal:
        threads = [threading.Thread(target=lambda: [journal.write(FAULT, 0, 0) for _ in range(20)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [row.number for row in journal.entries()] == list(range(1, 81))


def honest(path: Path, acknowledge: Connection) -> None:
    """Write rows and tell the number of each once it was returned."""
    with Journal(path, "front") as journal:
        while True:
            acknowledge.send(journal.write(DECISION, 0, 0))


class Hasty(Journal):
    """The planted bug: many rows in one transaction, acknowledged before it is committed."""

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if not self._database.in_transaction:
            self._database.execute("BEGIN IMMEDIATE")
        yield


def hasty(path: Path, acknowledge: Connection) -> None:
    """Write rows and tell their numbers before they are on disk."""
    Journal(path, "front").close()
    with Hasty(path, "front") as journal:
        while True:
            acknowledge.send(journal.write(DECISION, 0, 0))


def lost_after_kill(path: Path, writer: Callable[[Path, Connection], None], rows: int) -> int:
    """Kill a writing process after so many acknowledged rows; return how many acknowledged rows are not there."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=writer, args=(path, there))
    process.start()
    there.close()
    told = set()
    try:
        for _ in range(rows):
            told.add(here.recv())
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        while True:
            told.add(here.recv())
    except EOFError:
        process.join()
    with Journal(path, "front") as journal:
        return len(told - {number for (number,) in journal._database.execute("SELECT number FROM entry")})


def killed(path: Path, kills: int) -> int:
    """Kill the writer of one journal so many times, after 1 to 20 rows; return how many acknowledged rows were lost. The chain must hold."""
    lost = sum(lost_after_kill(path, honest, 1 + number % 20) for number in range(kills))
    with Journal.read(path) as journal:
        assert verify(journal, journal.head()).problems == ()
    return lost


def test_kill_loses_no_acknowledged_row(tmp_path: Path) -> None:
    """Kill -9 at twenty different moments of one journal: every acknowledged row survives, and the chain holds."""
    assert killed(tmp_path / "j.db", 20) == 0


@pytest.mark.long
def test_two_thousand_kills_lose_no_acknowledged_row(tmp_path: Path) -> None:
    """The same, a hundred times as often."""
    assert sum(killed(tmp_path / f"{number}.db", 200) for number in range(10)) == 0


def test_the_kill_test_finds_a_hasty_journal(tmp_path: Path) -> None:
    """Planted-bug twin: rows acknowledged before they are committed are found missing."""
    assert lost_after_kill(tmp_path / "j.db", hasty, 10) >= 10


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    """The first 20,000 bytes of a good journal: no other program's file, nothing about permissions, and the way out works as it stands."""
    path = tmp_path / "my journal.db"
    with Journal(path, "front") as journal:
        for number in range(400):
            journal.write(Remark("fault", "the door", f"{number} " * 50), number, 0.0)
    whole = path.read_bytes()
    assert len(whole) > 40_000
    path.write_bytes(whole[:20_000])
    for attempt in (lambda: Journal(path, "front"), lambda: Journal.read(path).entries()):
        with pytest.raises(DamagedJournal, match="is a damaged journal") as told:
            attempt()
        assert "permissions" not in told.value.hint and "begin a new one: mv " in told.value.hint
    result = CliRunner().invoke(app, ["journal", str(path), "--verify"], catch_exceptions=False)
    assert result.exit_code == 3 and "is a damaged journal" in result.output and "follow from one another" not in result.output
    path.with_name("my journal.db-wal").touch()
    with pytest.raises(DamagedJournal) as told:
        Journal.read(path)
    subprocess.run(told.value.hint.partition(": ")[2], shell=True, check=True)
    assert sorted(one.name for one in tmp_path.glob("my*")) == [f"my journal.db.damaged{end}" for end in ("", "-shm", "-wal")]
    with Journal(path, "front") as journal:
        assert journal.write(Remark("fault", "the door", "new"), 0.0, 0.0) == 1
