"""The journal: SQLite, one row per decision and per visit, on disk before the gate acts; read back as records.

Write-ahead log and synchronous=FULL: a row whose number was returned survives kill -9 and power cuts.
"""

import math
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from peephole.base.errors import JournalError, MissingInput
from peephole.base.records import Decision, from_json, to_json
from peephole.gateway.policy import CLOCK_IS_SET, Ended

__all__ = ["KINDS", "Entry", "Journal", "Record", "Remark"]

KINDS = ("start", "decision", "visit", "frame", "fault", "shadow", "stop")
FORMAT = "1"
BOOT = Path("/proc/sys/kernel/random/boot_id")
SCHEMA = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    time REAL,
    wall REAL,
    boot TEXT NOT NULL,
    trusted INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entry_kind ON entry (kind, number);
"""


@dataclass(frozen=True)
class Remark:
    """What is told beside decisions and visits: a start, a stop, a frame that was refused, a fault, what a shadow would have done."""

    kind: Literal["start", "frame", "fault", "shadow", "stop"]
    subject: str
    text: str


Record = Decision | Ended | Remark
TYPES: dict[str, type] = {"decision": Decision, "visit": Ended}


@dataclass(frozen=True)
class Entry:
    """One row: its number, when (monotonic seconds of a boot; wall seconds since 1970, and whether that clock was set), and what."""

    number: int
    kind: str
    time: float
    wall: float
    boot: str
    trusted: bool
    record: Record


class Journal:
    """A gate's journal; safe to write from several threads."""

    def __init__(self, path: Path | None, gate: str) -> None:
        """Open or begin the journal of `gate`; None keeps it in memory. Raises JournalError, also for another gate's journal."""
        self._settle(path)
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(str(path or ":memory:"), timeout=2, isolation_level=None, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise self._trouble("opened", error) from error
        try:
            self._begin(gate)
        except (sqlite3.Error, JournalError) as error:
            self._database.close()
            if isinstance(error, JournalError):
                raise
            raise self._trouble("opened", error) from error

    def _settle(self, path: Path | None) -> None:
        self._name = str(path or "the journal in memory")
        self._lock = threading.Lock()
        self._boot = _boot()
        self.gate = ""

    def _begin(self, gate: str) -> None:
        tables = {name for (name,) in self._database.execute("SELECT name FROM sqlite_master")}
        if tables and not {"about", "entry"} <= tables:
            raise JournalError(f"{self._name} is another program's database, not a journal", "choose another [journal] path")
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(SCHEMA)
        self._database.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", [("format", FORMAT), ("gate", gate)])
        self._learn()
        if self.gate != gate:
            raise JournalError(f"{self._name} is the journal of the gate '{self.gate[:64]}', not of '{gate}'", "choose another [journal] path")

    def _learn(self) -> None:
        """Read whose journal it is."""
        about = dict(self._database.execute("SELECT key, value FROM about"))
        if about["format"] != FORMAT:
            raise JournalError(
                f"{self._name} has format {about['format'][:20]}; this version reads {FORMAT}", "update peephole, or choose another path"
            )
        self.gate = str(about["gate"])

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open an existing journal for reading alone: nothing is written or made. Raises MissingInput or JournalError."""
        if path.is_dir():
            raise JournalError(f"{path} is a folder, not a journal", "name the file in it: peephole gate journal journal.db")
        if not path.is_file():
            raise MissingInput(f"there is no journal {path} yet", "run the gate first: peephole gate run DOOR.toml")
        found = cls.__new__(cls)
        found._settle(path)
        # Without its log nobody is writing, and only an immutable database is read without making one.
        alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
        try:
            found._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{alone}", uri=True, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise JournalError(f"{path} is not a journal: {error}", "correct [journal] path") from error
        try:
            found._learn()
        except (sqlite3.Error, KeyError, ValueError) as error:
            found.close()
            raise JournalError(f"{path} is not a journal: {error}", "correct [journal] path") from error
        except JournalError:
            found.close()
            raise
        return found

    def write(self, record: Record, time: float, wall: float) -> int:
        """Put a record on disk and return its number; raises JournalError, and then nothing was written."""
        kind = record.kind if isinstance(record, Remark) else "decision" if isinstance(record, Decision) else "visit"
        row = (kind, time, wall, self._boot, wall >= CLOCK_IS_SET, _to_json(record))
        try:
            with self._lock:
                done = self._database.execute("INSERT INTO entry (kind, time, wall, boot, trusted, body) VALUES (?, ?, ?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise self._trouble("written", error) from error
        return int(done.lastrowid or 0)

    def entries(self, kind: str | None = None, last: int | None = None) -> tuple[Entry, ...]:
        """Return all rows, or those of one kind, or the `last` ones, oldest first; raises JournalError when one cannot be read."""
        where = ("WHERE kind = ?", (kind,)) if kind else ("", ())
        ask = f"SELECT number, kind, time, wall, boot, trusted, body FROM entry {where[0]} ORDER BY number DESC LIMIT ?"
        try:
            with self._lock:
                rows = self._database.execute(ask, (*where[1], -1 if last is None else max(0, last))).fetchall()
        except sqlite3.Error as error:
            raise self._trouble("read", error) from error
        return tuple(reversed(list(self._read(rows))))

    def _read(self, rows: list[tuple[Any, ...]]) -> Iterator[Entry]:
        for number, kind, time, wall, boot, trusted, body in rows:
            try:
                record = _from_json(kind, body)
            except ValueError as error:
                raise JournalError(f"{self._name}: row {number} cannot be read: {str(error).splitlines()[0]}", "was it edited?") from error
            yield Entry(number, kind, _number(time), _number(wall), boot, bool(trusted), record)

    def _trouble(self, what: str, error: Exception) -> JournalError:
        hint = "make room on the disk" if "full" in str(error) else "correct [journal] path and its permissions"
        return JournalError(f"{self._name} cannot be {what}: {error}", hint)

    def close(self) -> None:
        """Close the database; closing twice is fine."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        """Close at the end of `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _to_json(record: Any) -> str:
    return to_json(record)


def _from_json(kind: str, body: str) -> Record:
    kinds: Any = TYPES  # the journal's own records are read by the same reader as those of base
    record: Record = from_json(kinds.get(kind, Remark), body)
    return record


def _number(value: float | None) -> float:
    """SQLite keeps NaN as NULL."""
    return math.nan if value is None else value


def _boot() -> str:
    """Return what tells one boot from the next, which the monotonic clock needs to mean anything."""
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return f"process-{uuid.uuid4()}"
