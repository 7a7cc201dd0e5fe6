"""The journal's file: whose it is, opened to write or to read alone, transactions, and SQLite's errors as ours."""

import secrets
import shlex
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from peephole.base.errors import DamagedJournal, JournalError, MissingInput

__all__ = ["JournalFile"]

FORMAT = "2"
BOOT = Path("/proc/sys/kernel/random/boot_id")
SCHEMA = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    time REAL,
    wall REAL,
    boot TEXT NOT NULL,
    trusted INTEGER NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS entry_kind ON entry (kind, number);
CREATE TABLE IF NOT EXISTS name (pseudonym TEXT PRIMARY KEY, salt BLOB NOT NULL, name TEXT NOT NULL) WITHOUT ROWID;
"""
# secure_delete: what is deleted is overwritten with zeros. The log is cut back when a long reader had made it grow.
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "journal_size_limit = 8388608")


class JournalFile:
    """An open journal without its rows (see Journal)."""

    def __init__(self, path: Path | None, gate: str, *, names: Iterable[str] = (), vfs: str | None = None) -> None:
        """Open or begin the journal of `gate`; None keeps it in memory. Raises JournalError, also for another gate's journal.

        `names` are those of people that a sentence may hold before a row has named them. `vfs` is one of SQLite's file systems.
        """
        self._settle(path, names)
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            place = f"{path.absolute().as_uri()}{f'?vfs={vfs}' if vfs else ''}" if path else ":memory:"
            self._database = sqlite3.connect(place, timeout=2, isolation_level=None, check_same_thread=False, uri=True)
        except (sqlite3.Error, OSError) as error:
            raise self._trouble("opened", error) from error
        try:
            self._begin(gate)
            self._file = _identity(path)  # now, when there surely is one
        except (sqlite3.Error, JournalError) as error:
            self._database.close()
            if isinstance(error, JournalError):
                raise
            raise self._trouble("opened", error) from error

    def _settle(self, path: Path | None, names: Iterable[str] = ()) -> None:
        self.path = path
        self._name = str(path or "the journal in memory")
        self._lock = threading.Lock()
        self._boot = _boot()
        self.gate = self.id = ""
        self._names = frozenset(names)
        self._pseudonyms: dict[str, str] = {}  # of names, as the database had them at `_version`
        self._version = -1
        self._file = _identity(None)
        self._reads = False
        self.faults = 0  # rows of that kind that were written since this was opened, by whoever shares it

    def _begin(self, gate: str) -> None:
        tables = {name for (name,) in self._database.execute("SELECT name FROM sqlite_master")}
        if tables and not {"about", "entry"} <= tables:
            raise JournalError(f"{self._name} is another program's database, not a journal", "choose another [journal] path")
        if tables:
            self._learn()  # before anything is changed
        for pragma in PRAGMAS:
            self._database.execute(f"PRAGMA {pragma}")
        with self._transaction():
            for statement in SCHEMA.split(";"):
                self._database.execute(statement)
            about = [("format", FORMAT), ("gate", gate), ("id", secrets.token_hex(16))]
            self._database.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", about)
        self._learn()
        if self.gate != gate:
            raise JournalError(f"{self._name} is the journal of the gate '{self.gate[:64]}', not of '{gate}'", "choose another [journal] path")

    def _learn(self) -> None:
        """Read whose journal it is."""
        about = {key: str(value) for key, value in self._database.execute("SELECT key, value FROM about")}
        if not {"format", "gate"} <= about.keys():
            raise JournalError(f"{self._name} is another program's database, not a journal", "choose another [journal] path")
        if about["format"] == "1":
            raise JournalError(
                f"{self._name} was begun before journals were chained (format 1), so nothing can be proven of it",
                f"keep it and begin a new one: mv {self._name} {self._name}.1",
            )
        if about["format"] != FORMAT:
            raise JournalError(
                f"{self._name} has format {about['format'][:20]}; this version reads {FORMAT}", "update peephole, or choose another path"
            )
        self.gate, self.id = about["gate"], about.get("id", "")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open an existing journal for reading alone: nothing is written or made. Raises MissingInput or JournalError."""
        if path.is_dir():
            raise JournalError(f"{path} is a folder, not a journal", "name the file in it: peephole gate journal journal.db")
        if not path.is_file():
            raise MissingInput(f"there is no journal {path} yet", "run the gate first: peephole gate run DOOR.toml")
        found = cls.__new__(cls)
        found._settle(path)
        found._reads = True
        # Without its log nobody is writing, and only an immutable database is read without making one.
        alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
        try:
            found._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{alone}", uri=True, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise JournalError(f"{path} is not a journal: {error}", "name the journal that [journal] path names, or its DOOR.toml") from error
        try:
            found._learn()
        except (sqlite3.Error, KeyError, ValueError) as error:
            found.close()
            if _is_damage(error):
                raise found._trouble("read", error) from error
            raise JournalError(f"{path} is not a journal: {error}", "name the journal that [journal] path names, or its DOOR.toml") from error
        except JournalError:
            found.close()
            raise
        return found

    @contextmanager
    def still(self) -> Iterator[None]:
        """See one state of a journal that is open for reading alone, whoever writes meanwhile; raises JournalError."""
        with self._troubled("read"):
            if self._reads:
                self._database.execute("BEGIN")
        try:
            yield
        finally:
            with suppress(sqlite3.Error):
                if self._reads:
                    self._database.execute("ROLLBACK")

    def _require_file(self) -> None:
        """Raise when the file is no longer where it was: rows would go into a file that nobody can open again."""
        if self._file is not None and _identity(self.path) != self._file:
            raise sqlite3.OperationalError("its file was moved, deleted or replaced since it was opened")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit all of it or nothing."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._commit()
        except BaseException:
            self._version = -1
            with suppress(sqlite3.Error):  # SQLite rolls back by itself on most errors of the disk
                self._database.execute("ROLLBACK")
            raise

    def _commit(self) -> None:
        self._database.execute("COMMIT")

    @contextmanager
    def _troubled(self, what: str) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._trouble(what, error) from error

    def _trouble(self, what: str, error: Exception) -> JournalError:
        if self.path is not None and _is_damage(error):
            return DamagedJournal(
                f"{self._name} is a damaged journal, and cannot be {what}: {error}", f"keep it and begin a new one: {_aside(self.path)}"
            )
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


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from another one at the same path."""
    if path is None:
        return None
    try:
        facts = path.stat()
    except OSError:
        return (0, 0)
    return (facts.st_dev, facts.st_ino)


def _is_damage(error: Exception) -> bool:
    """Say whether SQLite found a database that is one no more; extended codes have the plain one in their last byte."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


def _aside(path: Path) -> str:
    """Return the command that puts a journal aside with its log and index, which a new journal of that name must not find."""
    there = [end for end in ("", "-wal", "-shm") if end == "" or path.with_name(f"{path.name}{end}").exists()]
    return " && ".join(f"mv {shlex.quote(f'{path}{end}')} {shlex.quote(f'{path}.damaged{end}')}" for end in there)


def _boot() -> str:
    """Return what tells one boot from the next, which the monotonic clock needs to mean anything."""
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return f"process-{uuid.uuid4()}"
