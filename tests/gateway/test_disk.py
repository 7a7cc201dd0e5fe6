"""The journal on a disk that is full, read-only, failing or without power: the door stays shut, no row is false, and it recovers."""

import resource
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peephole.base.errors import JournalError, OutputError
from peephole.base.records import Decision
from peephole.gateway.actuators import Command, RecordingActuator
from peephole.gateway.agent import run
from peephole.gateway.audit import verify
from peephole.gateway.door import Door
from peephole.gateway.erasure import erase
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.faultydisk import FaultyDisk, Trouble
from peephole.gateway.journal import Journal, Record, Remark
from peephole.gateway.sensors import Capture, Idle, replay_sensor
from peephole.gateway.switchboard import Line, Switchboard

COLOURS = {"ana": (200, 30, 30), "junho": (30, 30, 200)}
TROUBLES: tuple[Trouble, ...] = ("full", "failing", "read-only")
DECISION = Decision("v1", "open", "ana", "three frames in a row were ana", "rule 1", "open")


class Lock(RecordingActuator):
    """A lock that looks, whenever it is opened, whether that stands in the journal."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal
        self.unauthorised = self.opened = 0

    def send(self, command: Command) -> None:
        """Count openings, and those of which no row tells."""
        if command.state == "on":
            rows = [row.record for row in self._journal.entries("decision")]
            self.opened += 1
            self.unauthorised += not any(isinstance(row, Decision) and row.visit == command.visit and row.verdict == "open" for row in rows)
        super().send(command)


@pytest.fixture
def night(tmp_path: Path, paint: Callable[[Path, str], Path]) -> Path:
    """Ana comes three times."""
    for visit in ("v1", "v2", "v3"):
        for number in range(3):
            paint(tmp_path / "night" / visit / f"{number}.png", "ana")
    return tmp_path / "night"


def faulty() -> FaultyDisk:
    """Return a disk that can break, or skip where SQLite is built into Python and out of reach."""
    try:
        return FaultyDisk()
    except OutputError as error:
        pytest.skip(str(error))


def watched(door: Door, night: Path, journal: Journal, disk: FaultyDisk, breaks: tuple[Trouble, int]) -> tuple[Any, Lock]:
    """Run the night; the disk breaks, with that trouble and so many steps, after the second frame, and is well again before the third visit."""
    sensor, lock, model = replay_sensor(night), Lock(journal), ColourPredictor(COLOURS)

    class Breaking:
        recorded, dated, notes = True, True, ()

        def captures(self, stop: Any) -> Iterator[Capture | Idle]:
            for number, item in enumerate(sensor.captures(stop)):
                if number == 1:
                    disk.trouble, disk.spared = breaks
                if number == 6:
                    disk.trouble = None
                yield item

    board = Switchboard("front-door", {"open": Line(lock, 5.0), "call": Line(RecordingActuator())})
    return run(door, model.predict, model.card, switchboard=board, journal=journal, sensor=Breaking()), lock


def false_lines(journal: Journal, lock: Lock) -> int:
    """Count visits that the journal says ended open although nothing opened, and openings without a row."""
    ended = sum(row.record.verdict == "open" for row in journal.entries("visit"))  # type: ignore[union-attr]
    return lock.unauthorised + max(0, ended - lock.opened)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_broken_disk_at_every_step(night: Path, make_door: Callable[..., Door], tmp_path: Path, trouble: Trouble) -> None:
    """Wherever in writing the disk breaks, what opens is in the journal, no row is false, and the third visit opens again."""
    for spared in range(12):
        disk = faulty()
        with Journal(tmp_path / f"{trouble}-{spared}.db", "front-door", vfs=disk.name) as journal:
            summary, lock = watched(make_door(), night, journal, disk, (trouble, spared))
            assert false_lines(journal, lock) == 0 and lock.state == "off"
            assert summary.outcomes[-1].verdict == "open" and summary.outcomes[-1].acted, "it did not recover"
            assert summary.faults > 0
            found = verify(journal, journal.head())
            assert found.problems == (), found
        with Journal.read(tmp_path / f"{trouble}-{spared}.db") as journal:
            assert verify(journal).problems == ()


class Careless(Journal):
    """The planted bug: a journal that swallows what its disk says."""

    def write(self, record: Record, time: float, wall: float) -> int:
        """Write, or pretend to."""
        try:
            return super().write(record, time, wall)
        except JournalError:
            return 0


def test_the_check_finds_a_careless_journal(night: Path, make_door: Callable[..., Door], tmp_path: Path) -> None:
    """Planted-bug twin: with it the door opens and no row tells."""
    disk = faulty()
    with Careless(tmp_path / "j.db", "front-door", vfs=disk.name) as journal:
        _, lock = watched(make_door(), night, journal, disk, ("full", 0))
        assert false_lines(journal, lock) > 0


class Drowsy(Journal):
    """The planted bug: rows are acknowledged before the disk has them."""

    flush = "OFF"

    def _begin(self, gate: str) -> None:
        super()._begin(gate)
        self._database.execute(f"PRAGMA synchronous = {self.flush}")


class Dozing(Drowsy):
    """The same with SQLite's own middle way, which keeps the file whole but not the latest rows."""

    flush = "NORMAL"


def lost_in_a_power_cut(kind: type[Journal], folder: Path, seeds: range) -> int:
    """Cut the power after each of ten rows, and count acknowledged rows that are gone, or a journal that does not verify."""
    folder.mkdir()
    disk, lost = faulty(), 0
    with kind(folder / "j.db", "front", vfs=disk.name) as journal:
        for _ in range(10):
            told = journal.write(DECISION, 0, 0)
            for seed in (None, *seeds):
                left = folder / "left"
                left.mkdir()
                disk.after_power_cut(left, seed)
                try:
                    with Journal(left / "j.db", "front") as after:
                        lost += told - len(after.entries())
                        lost += len(verify(after, journal.head()).problems) if len(after.entries()) == told else 0
                except JournalError:
                    lost += 1
                shutil.rmtree(left)
    return lost


def test_a_power_cut_loses_no_acknowledged_row(tmp_path: Path) -> None:
    """Whatever of the writes after the last flush reached the disk."""
    assert lost_in_a_power_cut(Journal, tmp_path / "honest", range(5)) == 0


@pytest.mark.parametrize("kind", [Drowsy, Dozing])
def test_the_power_cut_finds_a_drowsy_journal(tmp_path: Path, kind: type[Journal]) -> None:
    """Planted-bug twin: without a flush for each row, rows are lost and the test sees it."""
    assert lost_in_a_power_cut(kind, tmp_path / "drowsy", range(0)) > 0


def test_a_power_cut_in_the_middle_of_an_erasure(tmp_path: Path) -> None:
    """Before, or after: the chain verifies, and a second erasure finishes what was begun."""
    stages = set()
    for spared in range(0, 60, 7):
        folder, disk = tmp_path / str(spared), faulty()
        folder.mkdir()
        with Journal(folder / "j.db", "front", vfs=disk.name) as journal:
            for _ in range(5):
                journal.write(DECISION, 0, 0)
            disk.trouble, disk.spared = "failing", spared
            try:
                erase(journal, "ana", 1.0, 1.8e9)
                disk.trouble = None
            except JournalError:
                disk.trouble = None
            (folder / "left").mkdir()
            disk.after_power_cut(folder / "left")
        with Journal(folder / "left" / "j.db", "front") as after:
            assert verify(after).problems == ()
            stages.add(len(after.names()))
            assert erase(after, "ana", 1.0, 1.8e9).remnants == () and b"ana" not in (folder / "left" / "j.db").read_bytes()
            assert verify(after, after.head()).problems == ()
    assert stages == {0, 1}


SMALL = """
import sys
from pathlib import Path
from peephole.base.errors import JournalError, OutputError
from peephole.gateway.audit import verify
from peephole.gateway.journal import Journal, Remark
path, room = Path(sys.argv[1]), Path(sys.argv[2])
told = 0
with Journal(path, "front") as journal:
    try:
        for _ in range(2000):
            told = journal.write(Remark("fault", "x", "y" * 500), 0, 0)
        print("never full")
    except JournalError as error:
        print(error.what)
    assert len(journal.entries()) == told > 0
    if room.exists():
        room.unlink()
        print("again", journal.write(Remark("fault", "x", "y"), 0, 0) - told)
with Journal.read(path) as journal:
    print(verify(journal).problems)
"""


def child(*words: str, before: Callable[[], None] | None = None) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(SMALL), *words], capture_output=True, text=True, preexec_fn=before, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A limit of the system's own on the size of files: refused, and every row before it stands."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    told = child(str(tmp_path / "j.db"), str(tmp_path / "none"), before=limit)
    assert "cannot be written" in told and "never full" not in told and told.endswith("()\n")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of half a megabyte; needs the right to mount one."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)], capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here (run as root)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    """The file system has no room: the row is refused; with room again it goes on, one number further."""
    (small_disk / "filler").write_bytes(bytes(100_000))
    told = child(str(small_disk / "j.db"), str(small_disk / "filler"))
    assert "full" in told and "again 1\n" in told and told.endswith("()\n")


def test_a_disk_that_is_really_read_only(small_disk: Path) -> None:
    """The gate cannot begin there, and says so; what was written before is read, and once it may be written again it goes on."""
    path = small_disk / "j.db"
    with Journal(path, "front") as journal:
        journal.write(DECISION, 0, 0)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(path, "front")
    with Journal.read(path) as journal:
        assert verify(journal).rows == 1
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    with Journal(path, "front") as journal:
        assert journal.write(DECISION, 0, 0) == 2


def test_a_journal_that_was_moved_away_is_noticed(tmp_path: Path) -> None:
    """Rows into a file that nobody can open again are not acknowledged: moved, deleted and replaced are errors."""
    for number, harm in enumerate((lambda path: path.rename(path.with_suffix(".old")), Path.unlink, swap)):
        path = tmp_path / str(number) / "j.db"
        with Journal(path, "front") as journal:
            journal.write(DECISION, 0, 0)
            harm(path)
            with pytest.raises(JournalError, match="moved, deleted or replaced"):
                journal.write(DECISION, 0, 0)


def swap(path: Path) -> None:
    """Put a copy in the place of a file."""
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)


def test_an_older_format_is_refused_untouched(tmp_path: Path) -> None:
    """A journal without a chain is neither continued nor converted, since nothing could be proven of it; the hint says how to keep it."""
    path = tmp_path / "j.db"
    with sqlite3.connect(path) as old:
        old.executescript("CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID; CREATE TABLE entry (number INTEGER)")
        old.execute("INSERT INTO about VALUES ('format', '1'), ('gate', 'front')")
    old.close()
    content = path.read_bytes()
    for opening in (lambda: Journal(path, "front"), lambda: Journal.read(path)):
        with pytest.raises(JournalError, match=r"mv .*j\.db .*j\.db\.1"):
            opening()
    assert path.read_bytes() == content


def test_other_file_systems_are_not_asked_for(tmp_path: Path) -> None:
    """A file system that SQLite does not know is an error, not another one."""
    with pytest.raises(JournalError, match="no such vfs"):
        Journal(tmp_path / "j.db", "front", vfs="none")


def test_a_name_that_no_file_can_hold(tmp_path: Path) -> None:
    """A file name that is no text (half a letter) does not end the watch: it is spelt out."""
    with Journal(tmp_path / "j.db", "front") as journal:
        journal.write(Remark("frame", "b\udcff.png", "x"), 0, 0)
        assert journal.entries()[0].record == Remark("frame", "b\\udcff.png", "x") and verify(journal).problems == ()
