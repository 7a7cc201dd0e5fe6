"""The keeper of rows: what is too old or too much goes a piece at a time, all or nothing, and nothing that somebody still needs."""

import json
import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tampering import WHY, audited, change, decision, fill, last_of, removed_behind_its_back, trimmed

from peephole.base.errors import JournalError, OutputError
from peephole.gateway import audit, trimming
from peephole.gateway.agent import run
from peephole.gateway.audit import verify
from peephole.gateway.chain import Head, origin
from peephole.gateway.clock import SystemClock
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.faultydisk import FaultyDisk, Trouble
from peephole.gateway.head import HeadKeeper
from peephole.gateway.inspection import inspect
from peephole.gateway.journal import Journal, Kept, Picture, Remark, Trimmed
from peephole.gateway.keys import Rows
from peephole.gateway.pictures import Album
from peephole.gateway.rows import Enrolled
from peephole.gateway.sentences import check
from peephole.gateway.trimming import RowKeeper

DAY = 86_400.0
NOW = 1.8e9
HOUR = 3600.0


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Rows 3 to 13 of a journal, the last of which says that two were removed."""
    return trimmed(tmp_path / "j.db")


# The keeper.


def keeper(journal: Journal, folder: Path, days: float = 365.0, megabytes: float = 1_000.0, **more: Any) -> RowKeeper:
    return RowKeeper(journal, Rows(days=days, megabytes=megabytes), folder, **more)


def written(journal: Journal, days: range, each: int = 1, since: float = NOW) -> None:
    """Write so many rows on each of these days."""
    for day in days:
        for at in range(each):
            journal.write(decision(day), 0.0, since + day * DAY + at)


def swept(keeping: RowKeeper, monotonic: float, wall: float) -> None:
    keeping.passed(monotonic, wall)
    keeping.sweep()


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """A journal, and keepers that do not rest between two pieces."""
    monkeypatch.setattr(trimming, "PAUSE", 0.0)
    with Journal(tmp_path / "j.db", "front") as opened:
        opened._database.execute("PRAGMA synchronous = OFF")  # no test with it cuts the power
        yield opened


def first_of(journal: Journal) -> int:
    return journal.extent()[0]


def test_days_are_a_bound(journal: Journal, tmp_path: Path) -> None:
    """A day's rows at a time, once they are a day over; the row that says so is the only one that comes."""
    written(journal, range(30))
    keeping = keeper(journal, tmp_path, 10)
    at = 0.0
    for day, first in ((9, 1), (10.5, 1), (11.1, 3), (12.9, 3), (13.1, 5), (20.5, 12), (29, 20)):
        at += DAY  # of the gate: the clock and the rows may be of any time
        swept(keeping, at, NOW + day * DAY)
        swept(keeping, at + DAY / 2, NOW + day * DAY)
        assert first_of(journal) == first, day
    assert journal.begins()[0] == 19 and len(journal.entries("trimmed")) == 4
    assert verify(journal, replace(journal.head(), trims=19)).problems == ()


def test_a_clock_that_was_never_set_removes_nothing(journal: Journal, tmp_path: Path) -> None:
    """1970, and no number at all; rows without a date go with the next that has one."""
    for wall in (5.0, float("nan"), 6.0):
        journal.write(decision(1), 0.0, wall)
    written(journal, range(3))
    keeping = keeper(journal, tmp_path, 10)
    for step, wall in enumerate((12.0, float("nan"), float("inf"), 1e300, -1.0)):
        swept(keeping, 10 * DAY * step, wall)
        assert first_of(journal) == 1
    for step in range(2):
        swept(keeping, DAY * (100 + step), NOW + 11.5 * DAY)
    assert first_of(journal) == 6  # the undated ones, and days 0 and 1


def test_rows_without_a_date_go_with_the_next_that_has_one(journal: Journal, tmp_path: Path) -> None:
    """In the middle too, those from the future among them; one that follows old rows and comes before a young one is young."""
    for wall in (NOW, 5.0, NOW + 1000 * DAY, NOW + DAY, 6.0, float("nan"), NOW + 1000 * DAY, NOW + 9 * DAY):
        journal.write(decision(1), 0.0, wall)
    keeping = keeper(journal, tmp_path, 10)
    for step in range(2):
        swept(keeping, DAY * step, NOW + 12.5 * DAY)
    assert first_of(journal) == 5


def test_undated_rows_by_the_hundred(journal: Journal, tmp_path: Path) -> None:
    """A clock that was not set for longer than a piece holds up nothing; where no row has a date, all stay."""
    for _ in range(250):
        journal.write(decision(1), 0.0, 5.0)
    keeping = keeper(journal, tmp_path, 10)
    for step in range(2):
        swept(keeping, DAY * step, NOW + 99 * DAY)
    assert first_of(journal) == 1
    written(journal, range(2))
    for step in range(2, 4):
        swept(keeping, DAY * step, NOW + 99 * DAY)
    assert first_of(journal) == 253


def removed_by_a_jump(keeping: RowKeeper, journal: Journal, hours: int) -> int:
    """Let the clock be a year ahead for some hours; return how many rows that cost."""
    for minute in range(60 * hours):
        swept(keeping, 60.0 * minute, NOW + 20 * DAY + 365 * DAY + 60.0 * minute)
    for minute in range(60 * hours, 60 * hours + 60):
        swept(keeping, 60.0 * minute, NOW + 20 * DAY + 60.0 * minute)
    return first_of(journal) - 1


class Trusting(RowKeeper):
    """The planted bug: a keeper that believes its clock at once."""

    def _moved_on(self) -> float | None:
        """Whatever the clock says."""
        super()._moved_on()
        return self._now[1] - self._limits.days * DAY


@pytest.mark.parametrize(("kind", "most"), [(RowKeeper, 5), (Trusting, 480)])
def test_a_clock_that_jumps_costs_little(journal: Journal, tmp_path: Path, kind: type[RowKeeper], most: int) -> None:
    """A year ahead for an hour, as a forged time signal would: at most two days and a half of rows go. Planted-bug twin: all of them."""
    written(journal, range(20), each=24)
    keeping = kind(journal, Rows(days=365.0, megabytes=1000.0), tmp_path)
    cost = removed_by_a_jump(keeping, journal, 1)
    assert cost <= 24 * 2.5 if kind is RowKeeper else cost >= 24 * 18


def test_a_clock_that_goes_back_removes_nothing_early(journal: Journal, tmp_path: Path) -> None:
    """Rows that a wrong clock dated back, in the middle of young ones, take no others with them; rows from the future wait for no year."""
    written(journal, range(3), since=NOW + 1000 * DAY)  # the clock was ahead
    written(journal, range(3))
    written(journal, range(3), since=NOW - 700 * DAY)  # and behind
    written(journal, range(5, 8))
    keeping = keeper(journal, tmp_path, 10)
    for step in range(3):
        swept(keeping, DAY * step, NOW + 9 * DAY)
    assert first_of(journal) == 1
    for step in range(3, 6):
        swept(keeping, DAY * step, NOW + 14.5 * DAY)
    assert first_of(journal) == 10  # all that are older than four and a half, whatever the clock said in between


def test_megabytes_are_a_bound(journal: Journal, tmp_path: Path) -> None:
    """The oldest go first, the latest hundred never; pages are used again, so the file stops growing, and what is gone is gone from its bytes."""
    keeping = keeper(journal, tmp_path, megabytes=1.0)
    sizes = []
    for turn in range(12):
        for number in range(300):
            journal.write(Remark("fault", f"turn-{turn:03d}", f"{number} " + "y" * 1000), 0.0, 5.0)
        swept(keeping, 60.0 * turn, 5.0)  # the clock was never set: no matter
        journal._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert journal.extent()[2] <= 1.05e6
        sizes.append((tmp_path / "j.db").stat().st_size)
    assert sizes[-1] == sizes[4] < 2e6, sizes
    assert b"turn-001" not in (tmp_path / "j.db").read_bytes()
    assert b"turn-011" in (tmp_path / "j.db").read_bytes()
    assert verify(journal).problems == () and "larger than 1 MB" in verify(journal).notes[1]
    journal.write(Remark("fault", "huge", "z" * 3_000_000), 0.0, NOW)
    swept(keeping, 5000.0, NOW)
    first, last, _ = journal.extent()
    assert last - first >= trimming.LATEST


def test_pieces_are_small_and_let_the_door_write(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction removes more than a hundred rows or a quarter of a megabyte; between two of them anybody may write."""
    for number in range(900):
        journal.write(Remark("fault", "x", "y" * (100 if number % 2 else 10_000)), 0.0, 5.0)
    keeping, wrote = keeper(journal, tmp_path, megabytes=1.0), []

    def rest(_: float) -> bool:
        door = threading.Thread(target=lambda: wrote.append(journal.write(decision(1), 0.0, 5.0)), daemon=True)
        door.start()
        door.join(5.0)
        assert not door.is_alive(), "the door waits although nothing is removed at this moment"
        return False

    monkeypatch.setattr(keeping._stop, "wait", rest)
    keeping.sweep()
    pieces = [row.record.rows for row in journal.entries("trimmed") if isinstance(row.record, Trimmed)]
    assert len(pieces) == len(wrote) > 8 and max(pieces) <= 60


def test_what_the_broker_has_not_heard_stays(journal: Journal, tmp_path: Path) -> None:
    """Rows go as far as they were told; when that lasts, one fault says why they stay."""
    written(journal, range(12))
    told = [0]
    keeping = keeper(journal, tmp_path, 10, told=lambda: told[0])
    swept(keeping, 0.0, NOW + 50 * DAY)
    for turn, (heard, first) in enumerate(((0, 1), (4, 5), (4, 5), (99, 13)), 1):
        told[0] = heard
        swept(keeping, DAY * turn, NOW + 50 * DAY)
        assert first_of(journal) == first
    told[0] = 0
    written(journal, range(12, 20))
    for turn in range(5, 40):
        swept(keeping, DAY * turn, NOW + 90 * DAY)
    faults = [row.record.text for row in journal.entries("fault") if isinstance(row.record, Remark)]
    assert faults == ["rows stay although they were older than 10 days: the broker has not heard of row 13"]


def test_rows_whose_pictures_are_there_stay(journal: Journal, tmp_path: Path) -> None:
    """A row goes when the last of its pictures is gone."""
    album = Album(tmp_path / "pictures", 5, 10)
    written(journal, range(2))
    digest = album.add(b"a picture", NOW)
    journal.write(Kept("v1", (Picture(digest, NOW, "ana", "ana"), Picture("0" * 64, NOW, None, None))), 0.0, NOW + 2 * DAY)
    written(journal, range(3, 6))
    keeping = keeper(journal, album.folder, 10)
    for turn in range(3):
        swept(keeping, DAY * turn, NOW + 50 * DAY)
    assert first_of(journal) == 3
    album.sweep(NOW + 50 * DAY)
    swept(keeping, DAY * 4, NOW + 50 * DAY)
    assert first_of(journal) > 3


class MemoryPost:
    """A place for one head; it can be away."""

    where = "a post in memory"

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.away = False

    def leave(self, head: Head) -> None:
        """Keep it, or be away."""
        if self.away:
            raise OutputError("the post is away", "wait")
        self.heads.append(head)

    def find(self) -> Head | None:
        """Return the newest."""
        return self.heads[-1] if self.heads else None


def with_head(journal: Journal, folder: Path, post: MemoryPost) -> tuple[RowKeeper, HeadKeeper]:
    """Return a keeper of rows that asks a keeper of the head, which has begun."""
    heads = HeadKeeper(journal, post, SystemClock(), 0.01)
    heads.heard(Remark("start", "x", "y"), 0, 0.0, NOW)
    return keeper(journal, folder, 10, let_go=heads.let_go), heads


def test_nothing_goes_before_the_head_says_so(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the post is away all rows stay; at every moment the head that is there allows whatever is gone; also after a new start."""
    monkeypatch.setattr(trimming, "PATIENCE", 0.3)
    written(journal, range(12), each=20)
    post = MemoryPost()
    post.away = True
    keeping, heads = with_head(journal, tmp_path, post)
    for turn in range(2):
        swept(keeping, DAY * turn, NOW + 50 * DAY)
    assert first_of(journal) == 1 and not post.heads
    post.away = False
    monkeypatch.setattr(trimming, "PATIENCE", 5.0)
    trim, gone = journal.trim, []

    def trimmed(through: int, *words: Any) -> int:
        assert post.heads[-1].trims >= through and post.heads[-1].number >= through
        gone.append(through)
        return trim(through, *words)

    monkeypatch.setattr(journal, "trim", trimmed)
    swept(keeping, DAY * 3, NOW + 50 * DAY)
    assert len(gone) >= 2 and first_of(journal) == gone[-1] + 1
    heads.close()
    assert verify(journal, post.heads[-1]).problems == ()
    left = post.heads[-1]
    _, heads = with_head(journal, tmp_path, post)
    heads.close()
    assert post.heads[-1].trims == left.trims and verify(journal, post.heads[-1]).problems == ()


class Blind(HeadKeeper):
    """The planted bug: a keeper of the head that allows whatever is gone."""

    def _require_kept(self, trims: int) -> None:
        self._trims = max(trims, self._journal.begins()[0])


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(("kind", "found"), [(HeadKeeper, True), (Blind, False)])
def test_rows_that_somebody_removed_are_missed_after_the_gate_went_on(tmp_path: Path, kind: type[HeadKeeper], found: bool, running: bool) -> None:
    """Somebody removes rows as this program would, while the gate runs or stands still: the head stays as it was. Planted-bug twin: it is let go."""
    path, post = tmp_path / "j.db", MemoryPost()
    fill(path, 12)
    for turn in range(2):
        with Journal(path, "front") as journal:
            heads = kind(journal, post, SystemClock(), 0.01)
            heads.heard(decision(1), journal.write(decision(1), 1.0, NOW), 1.0, NOW)
            if running and turn == 0:
                while not post.heads:
                    time.sleep(0.01)
                removed_behind_its_back(path, 6)
                heads.heard(decision(1), journal.write(decision(1), 1.0, NOW), 1.0, NOW)
            heads.close()
            told = [row.record.text for row in journal.entries("fault") if isinstance(row.record, Remark)]
        if not running and turn == 0:
            removed_behind_its_back(path, 6)
    assert any("let only those up to 0 go" in text for text in told) is found
    with Journal.read(path) as journal:
        assert bool(verify(journal, post.heads[-1]).problems) is found


@pytest.mark.parametrize(
    "harm", ["UPDATE entry SET wall = wall + 1 WHERE number", "DELETE FROM entry WHERE number", "DELETE FROM entry WHERE 3 - number"]
)
def test_what_does_not_verify_is_evidence_and_stays(journal: Journal, tmp_path: Path, harm: str) -> None:
    """Rows that were edited, taken out or cut off at the beginning are not removed with the others, which would hide it: one fault says so."""
    written(journal, range(12))
    change(tmp_path / "j.db", f"{harm} = 2")
    keeping = keeper(journal, tmp_path, 10, every=0.01)
    keeping.passed(0.0, NOW + 50 * DAY)
    with suppress(JournalError):
        keeping.sweep()
    keeping.heard(Remark("start", "x", "y"), 1, DAY, NOW + 50 * DAY)
    time.sleep(0.3)
    keeping.close()
    faults = [row.record.text for row in journal.entries("fault") if isinstance(row.record, Remark)]
    assert len(faults) == 1 and faults[0].startswith("no row is removed, because row ")
    assert not journal.entries("trimmed") and audited(tmp_path / "j.db").bad is not None


def test_names_go_with_the_last_row_that_holds_them(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who has not come for so long is named nowhere any more, to the last byte; one who comes in that moment keeps the name."""
    journal.write(decision(1, "Wilhelmina"), 0.0, NOW)
    journal.write(Enrolled("Gustav", 5, 0, "Wilhelmina"), 0.0, NOW)
    written(journal, range(3))
    keeping = keeper(journal, tmp_path, 10)
    read = Journal.read

    def and_gustav_comes(path: Path) -> Journal:
        opened = read(path)
        opened.begins()
        found, last = opened.unmentioned()
        journal.write(decision(9, "Gustav"), 0.0, NOW + 50 * DAY)
        opened.unmentioned = lambda: (found, last)  # type: ignore[method-assign]
        return opened

    monkeypatch.setattr(trimming.Journal, "read", and_gustav_comes)
    for turn in range(3):
        swept(keeping, DAY * turn, NOW + 50 * DAY)
    monkeypatch.undo()
    assert set(journal.names().values()) == {"Gustav"}
    assert journal.entries("decision")[0].record == decision(9, "Gustav") and verify(journal).problems == ()
    journal._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Wilhelmina" not in (tmp_path / "j.db").read_bytes()
    journal.write(decision(10, "Wilhelmina"), 0.0, NOW + 50 * DAY)  # and may come again
    assert verify(journal).problems == () and "Wilhelmina" in journal.names().values()


def test_verifying_sees_one_state(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and names that go while somebody verifies are no problem: it is the journal of one moment that is looked at."""
    names = audit._names
    with Journal(book, "front") as gate:
        gate.write(decision(14), 19.0, NOW)

        def meanwhile(*words: Any) -> Iterator[str]:
            gate.trim(14, WHY, 20.0, NOW)
            gate.drop_names(gate.names(), 14)
            assert not gate.names()
            return names(*words)

        monkeypatch.setattr(audit, "_names", meanwhile)
        assert audited(book).problems == ()
        monkeypatch.undo()
        assert audited(book).problems == () and audited(book).removed == 14


# Kills and broken disks.


class Torn(Journal):
    """The planted bug: the rows go in one transaction, and the row that says so comes in another."""

    def trim(self, through: int, reason: str, time: float, wall: float) -> int:
        """Delete, then tell."""
        first, hashed = self.extent()[0], self._database.execute("SELECT hash FROM entry WHERE number = ?", (through,)).fetchone()[0]
        self._database.execute("DELETE FROM entry WHERE number <= ?", (through,))
        return self.write(Trimmed(through, hashed.hex(), through - first + 1, reason, origin(self.id, self.gate).hex()), time, wall)


def killed_at(kind: type[Journal], path: Path, statement: int) -> bool:
    """Remove rows in a process that is killed as that statement begins; return whether it came so far."""
    child = os.fork()
    if child == 0:
        left = [statement]

        def count(_: str) -> None:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        journal = kind(path, "front")
        journal._database.set_trace_callback(count)
        journal.trim(journal.extent()[0] + 3, WHY, 0.0, NOW)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def broken_by_kills(kind: type[Journal], path: Path) -> int:
    """Kill at every statement of removing rows, one journal after the other; return how often it did not verify then, or rows were lost."""
    broken = 0
    for statement in range(1, 100):
        if not path.exists() or last_of(path) < 12:
            fill(path, 12)
        before = last_of(path)
        killed = killed_at(kind, path, statement)
        found = audited(path)
        broken += bool(found.problems) or last_of(path) < before or (not killed and not found.removed)
        if found.problems or found.removed:
            path.unlink()
        if not killed:
            return broken
    raise AssertionError("it never ends")


def test_a_kill_leaves_all_or_nothing(tmp_path: Path) -> None:
    """Kill -9 at every statement of removing rows: it verifies, and no acknowledged row is lost."""
    assert broken_by_kills(Journal, tmp_path / "j.db") == 0


def trimming_for_ever(path: Path, acknowledge: Any) -> None:
    """Write and remove rows by turns until somebody ends it."""
    with Journal(path, "front") as journal:
        while True:
            for _ in range(3):
                last = journal.write(decision(1), 0.0, NOW)
            first = journal.extent()[0]
            if last - first > 10:
                journal.trim(first + 2, WHY, 0.0, NOW)
            acknowledge.send(last)


@pytest.mark.long
def test_a_thousand_kills_leave_all_or_nothing(tmp_path: Path) -> None:
    """Kill -9 of a process that writes and removes, at any moment, in one journal: it verifies after each, and no acknowledged row is lost."""
    for number in range(1000):
        here, there = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=trimming_for_ever, args=(tmp_path / "j.db", there))
        process.start()
        there.close()
        told = 0
        try:
            for _ in range(4 + number % 4):
                told = here.recv()
            time.sleep(0.0007 * (number % 9))
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            while True:
                told = here.recv()
        except EOFError:
            process.join()
        assert audited(tmp_path / "j.db").problems == () and last_of(tmp_path / "j.db") >= told


def torn_by_a_broken_disk(kind: type[Journal], folder: Path, trouble: Trouble) -> int:
    """Break the disk at every step of removing rows, then cut the power; count journals that do not verify, before and after."""
    torn = 0
    for spared in range(10):
        place = folder / f"{trouble}-{spared}"
        (place / "left").mkdir(parents=True)
        disk = faulty()
        with kind(place / "j.db", "front", vfs=disk.name) as journal:
            for number in range(12):
                journal.write(decision(number), 0.0, NOW)
            disk.trouble, disk.spared = trouble, spared
            with suppress(JournalError, sqlite3.Error):
                journal.trim(4, WHY, 0.0, NOW)
            disk.trouble = None
            disk.after_power_cut(place / "left", spared)
            torn += problems(place / "left" / "j.db", {(1, 12), (5, 13)})
            with suppress(JournalError):
                torn += bool(verify(journal).problems)
                journal.write(decision(99), 0.0, NOW)  # with a disk that is well again it goes on
                torn += bool(verify(journal).problems)
    return torn


def faulty() -> FaultyDisk:
    """Return a disk that can break, or skip where SQLite is out of reach."""
    try:
        return FaultyDisk()
    except OutputError as error:
        pytest.skip(str(error))


def problems(path: Path, wanted: set[tuple[int, int]]) -> bool:
    """Say whether what a power cut left does not verify, or is neither all nor nothing."""
    with Journal(path, "front") as journal:
        return bool(verify(journal).problems) or journal.extent()[:2] not in wanted


@pytest.mark.parametrize("trouble", ["full", "failing", "read-only"])
def test_a_broken_disk_leaves_all_or_nothing(tmp_path: Path, trouble: Trouble) -> None:
    """At every step, with the power cut at once: the rows are there, or they are gone and a row says so."""
    assert torn_by_a_broken_disk(Journal, tmp_path, trouble) == 0


def test_the_checks_find_a_torn_journal(tmp_path: Path) -> None:
    """Planted-bug twin: rows that go in a transaction of their own are found, by kills and by a broken disk."""
    assert torn_by_a_broken_disk(Torn, tmp_path, "failing") > 0
    assert broken_by_kills(Torn, tmp_path / "j.db") > 0


# The whole gate.


def test_a_gate_lets_rows_go_and_all_who_read_know(
    tmp_path: Path, make_door: Callable[..., Door], paint: Callable[[Path, str], Path], model: ColourPredictor
) -> None:
    """A journal that is too large: while the gate runs old rows go as the head allows, and a killed run is noticed although its start went too."""
    for number in range(3):
        paint(tmp_path / "night" / "v1" / f"{number}.png", "ana")
    (tmp_path / "elsewhere").mkdir()
    door = make_door(more='[journal]\nrows = {days = 100, megabytes = 1}\nhead = "file://elsewhere/front.head"')
    with Journal(door.journal, "front-door") as journal:
        journal.write(Remark("start", "x", "y"), 0.0, NOW)
        for _ in range(140):
            journal.write(Remark("fault", "x", "y" * 10_000), 0.0, NOW)
        journal.trim(30, WHY, 0.0, NOW)
    for _ in range(3):  # a piece each, at least
        run(door, model.predict, model.card)
    head = Head(**json.loads((tmp_path / "elsewhere" / "front.head").read_text()))
    with Journal.read(door.journal) as journal:
        assert journal.extent()[0] == head.trims + 1 > 45 and journal.extent()[2] < 1.1e6
        assert verify(journal, head).problems == ()
        assert [row.kind for row in journal.entries(last=1)] == ["stop"]
        starts = [row.record.text for row in journal.entries("start") if isinstance(row.record, Remark)]
        assert ["wrote no stop" in text for text in starts] == [True, False, False]
    assert any("those before row" in part.text and " MB and can be written" in part.text for part in inspect(door) if part.name == "journal")
    assert any("kept for 100 days" in sentence and "more than 1 MB" in sentence for sentence in check(door, model.card).sentences)
