"""The journal: SQLite, one row per decision and per visit, chained, on disk before the gate acts; read back as records.

Write-ahead log and synchronous=FULL: a row whose number was returned survives kill -9 and power cuts. Names of people stand
in a table of their own (see names), so that they can be erased and the chain still holds.
"""

import json
import secrets
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from peephole.base.errors import JournalError, MissingInput
from peephole.gateway.chain import Head, link, origin
from peephole.gateway.names import OPEN, Hider, labels_in, mentioned, pseudonym, show
from peephole.gateway.rows import KINDS, Entry, Erased, Kept, Picture, Record, Remark, as_number, is_date, kind_of, read_record, write_record

__all__ = ["KINDS", "Entry", "Erased", "Journal", "Kept", "Picture", "Record", "Remark"]

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
# secure_delete: what is deleted is overwritten with zeros.
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON")
COLUMNS = "number, kind, time, wall, boot, trusted, body"


class Journal:
    """A gate's journal; safe to write from several threads and processes."""

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
        about = dict(self._database.execute("SELECT key, value FROM about"))
        if about["format"] == "1":
            raise JournalError(
                f"{self._name} was begun before journals were chained (format 1), so nothing can be proven of it",
                f"keep it and begin a new one: mv {self._name} {self._name}.1",
            )
        if about["format"] != FORMAT:
            raise JournalError(
                f"{self._name} has format {about['format'][:20]}; this version reads {FORMAT}", "update peephole, or choose another path"
            )
        self.gate, self.id = str(about["gate"]), str(about["id"])

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
            raise JournalError(f"{path} is not a journal: {error}", "name the journal that [journal] path names, or its DOOR.toml") from error
        try:
            found._learn()
        except (sqlite3.Error, KeyError, ValueError) as error:
            found.close()
            raise JournalError(f"{path} is not a journal: {error}", "name the journal that [journal] path names, or its DOOR.toml") from error
        except JournalError:
            found.close()
            raise
        return found

    def write(self, record: Record, time: float, wall: float) -> int:
        """Put a record on disk and return its number; raises JournalError, and then it is not in the journal."""
        with self._lock, self._troubled("written"):
            self._require_file()
            with self._transaction():
                number, fresh = self._append(record, time + 0.0, wall + 0.0)  # SQLite forgets the sign of a zero
            self._pseudonyms |= {name: token for token, (_, name) in fresh.items()}
        return number

    def _append(self, record: Record, time: float, wall: float) -> tuple[int, dict[str, tuple[bytes, str]]]:
        """Insert a row inside a transaction; returns its number, and the names it was the first to hold."""
        self._know_names()
        value = write_record(record)
        hider = Hider(self._pseudonyms, self._names | labels_in(value))
        body = json.dumps(hider.hide(value), ensure_ascii=False, separators=(",", ":"))
        head = self._head()
        row = (head.number + 1, kind_of(record), time, wall, self._boot, is_date(wall), body)
        self._database.executemany("INSERT INTO name VALUES (?, ?, ?)", [(token, *found) for token, found in hider.fresh.items()])
        self._database.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, link(bytes.fromhex(head.hash), row)))
        return head.number + 1, hider.fresh

    def erase(self, pseudonyms: Iterable[str], row: Erased, time: float, wall: float) -> int:
        """Forget the names behind these pseudonyms and write `row`, both or neither; the bytes are gone after `scour`."""
        with self._lock, self._troubled("written"):
            self._require_file()
            with self._transaction():
                self._database.executemany("DELETE FROM name WHERE pseudonym = ?", [(token,) for token in pseudonyms])
                self._version = -1
                number, _ = self._append(row, time + 0.0, wall + 0.0)
        return number

    def scour(self) -> None:
        """Write the database anew without what was deleted, and empty its log; raises JournalError while somebody reads on."""
        with self._lock, self._troubled("scoured"):
            for step in ("wal_checkpoint(TRUNCATE)", "", "wal_checkpoint(TRUNCATE)"):
                done = self._database.execute(f"PRAGMA {step}" if step else "VACUUM").fetchone()
                if step and done[0]:
                    raise sqlite3.OperationalError("somebody is reading it")

    def head(self, wall: float = 0.0) -> Head:
        """Return the newest row as number and hash, as of `wall`; raises JournalError."""
        with self._lock, self._troubled("read"):
            return self._head(wall)

    def _head(self, wall: float = 0.0) -> Head:
        row = self._database.execute("SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1").fetchone()
        number, last = row or (0, origin(self.id, self.gate))
        return Head(self.id, self.gate, number, bytes(last).hex(), wall)

    def holds(self, head: Head) -> bool:
        """Say whether a head that was kept elsewhere is one of this journal's own rows; raises JournalError."""
        with self._lock, self._troubled("read"):
            row = self._database.execute("SELECT hash FROM entry WHERE number = ?", (head.number,)).fetchone()
        mine = row[0] if row else origin(self.id, self.gate) if head.number == 0 else b""
        return head.journal == self.id and bytes(mine).hex() == head.hash

    def names(self) -> dict[str, str]:
        """Return {pseudonym: name} of all names that are known; raises JournalError when one was exchanged."""
        with self._lock, self._troubled("read"):
            rows = self._database.execute("SELECT pseudonym, salt, name FROM name").fetchall()
        for token, salt, name in rows:
            if not (isinstance(salt, bytes) and isinstance(name, str) and pseudonym(salt, name) == token):
                raise JournalError(f"{self._name}: the name behind {str(token)[:24]} was exchanged", "see: peephole gate journal DOOR.toml --verify")
        return {token: name for token, _, name in rows}

    def entries(self, kind: str | None = None, last: int | None = None, *, mention: str | None = None) -> tuple[Entry, ...]:
        """Return all rows, or those of one kind, or the `last` ones, oldest first; raises JournalError when one cannot be read.

        `mention`: only rows that hold this name or this piece of their text.
        """
        names = self.names()
        wanted, values = ["kind = ?"] * bool(kind), [kind] * bool(kind)
        pieces = [] if mention is None else self._pieces(mention, names)
        if mention is not None:
            wanted.append(f"({' OR '.join(['instr(body, ?)'] * len(pieces))})")
        where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
        ask = f"SELECT {COLUMNS} FROM entry {where} ORDER BY number DESC LIMIT ?"
        with self._lock, self._troubled("read"):
            rows = self._database.execute(ask, (*values, *pieces, -1 if last is None else max(0, last))).fetchall()
        return tuple(reversed(list(self._read(rows, names))))

    def after(self, number: int, most: int) -> tuple[Entry, ...]:
        """Return at most `most` rows that follow row `number`, oldest first; raises JournalError as `entries` does."""
        names = self.names()
        with self._lock, self._troubled("read"):
            rows = self._database.execute(f"SELECT {COLUMNS} FROM entry WHERE number > ? ORDER BY number LIMIT ?", (number, most)).fetchall()
        return tuple(self._read(rows, names))

    def _pieces(self, text: str, names: dict[str, str]) -> list[str]:
        """Return what a row's JSON holds when it mentions `text`."""
        tokens = [f"{OPEN}{token}" for token, name in names.items() if name == text]
        hidden = Hider({name: token for token, name in names.items()}, self._names).hide(text)
        return [*tokens, json.dumps(hidden, ensure_ascii=False)[1:-1]]

    def _read(self, rows: list[tuple[Any, ...]], names: dict[str, str]) -> Iterator[Entry]:
        for number, kind, time, wall, boot, trusted, body in rows:
            try:
                record = read_record(kind, show(body, names))
            except (ValueError, TypeError) as error:
                raise JournalError(f"{self._name}: row {number} cannot be read: {str(error).splitlines()[0]}", "was it edited?") from error
            yield Entry(number, kind, as_number(time), as_number(wall), boot, bool(trusted), record)

    def chained(self) -> Iterator[tuple[Any, ...]]:
        """Yield every row as it stands, with its hash, in order; for whoever verifies."""
        with self._troubled("read"):
            yield from self._database.cursor().execute(f"SELECT {COLUMNS}, hash FROM entry ORDER BY number")

    def pseudonyms_in_rows(self) -> set[str]:
        """Return the pseudonyms that any row holds."""
        return {token for row in self.chained() for token in mentioned(str(row[6]))}

    def _know_names(self) -> None:
        """Read the names anew when another process has written: it may have erased one."""
        version = self._database.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._pseudonyms = {name: token for token, name in self._database.execute("SELECT pseudonym, name FROM name")}
            self._version = version

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


def _boot() -> str:
    """Return what tells one boot from the next, which the monotonic clock needs to mean anything."""
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return f"process-{uuid.uuid4()}"
