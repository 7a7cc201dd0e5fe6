"""The journal: SQLite, one row per decision and per visit, chained, on disk before the gate acts; read back as records.

Write-ahead log and synchronous=FULL: a row whose number was returned survives kill -9 and power cuts. Names of people stand
in a table of their own (see names), so that they can be erased and the chain still holds.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from peephole.base.errors import JournalError
from peephole.gateway.chain import Head, link, origin
from peephole.gateway.journalfile import JournalFile
from peephole.gateway.names import OPEN, Hider, labels_in, mentioned, pseudonym, show
from peephole.gateway.rows import (
    KINDS,
    Enrolled,
    Entry,
    Erased,
    Kept,
    Picture,
    Record,
    Remark,
    Trimmed,
    as_number,
    is_date,
    kind_of,
    read_record,
    write_record,
)

__all__ = ["KINDS", "Enrolled", "Entry", "Erased", "Journal", "Kept", "Picture", "Record", "Remark", "Trimmed"]

COLUMNS = "number, kind, time, wall, boot, trusted, body"


class Journal(JournalFile):
    """A gate's journal; safe to write from several threads and processes."""

    def write(self, record: Record, time: float, wall: float) -> int:
        """Put a record on disk and return its number; raises JournalError, and then it is not in the journal. Faults are counted in `faults`."""
        with self._lock, self._troubled("written"):
            self._require_file()
            with self._transaction():
                number, fresh = self._append(record, time + 0.0, wall + 0.0)  # SQLite forgets the sign of a zero
            self._pseudonyms |= {name: token for token, (_, name) in fresh.items()}
            self.faults += kind_of(record) == "fault"
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

    def trim(self, through: int, reason: str, time: float, wall: float) -> int:
        """Delete the rows up to number `through` and write a row that says so, both or neither; returns its number; raises JournalError."""
        with self._lock, self._troubled("trimmed"):
            self._require_file()
            with self._transaction():
                first = self._database.execute("SELECT min(number) FROM entry").fetchone()[0]
                last = self._database.execute("SELECT hash FROM entry WHERE number = ?", (through,)).fetchone()
                if last is None:
                    raise JournalError(f"{self._name} has no row {through:,}", f"see: peephole gate journal {self._name} --verify")
                row = Trimmed(through, bytes(last[0]).hex(), through - first + 1, reason, origin(self.id, self.gate).hex())
                number, _ = self._append(row, time + 0.0, wall + 0.0)  # before the rows go: it may follow the last of them
                self._database.execute("DELETE FROM entry WHERE number <= ?", (through,))
        return number

    def begins(self) -> tuple[int, str]:
        """Return what stands before the first row: the number of the last row that went on purpose (0: none) and its hash, hex."""
        with self._lock, self._troubled("read"):
            return self._begins()

    def _begins(self) -> tuple[int, str]:
        row = self._database.execute("SELECT number, body FROM entry WHERE kind = 'trimmed' ORDER BY number DESC LIMIT 1").fetchone()
        if row is None:
            return 0, origin(self.id, self.gate).hex()
        try:
            record = read_record("trimmed", row[1])
        except (ValueError, TypeError) as error:
            raise self._unreadable(row[0], error) from error
        assert isinstance(record, Trimmed), "rows of the kind `trimmed` are read as such"
        return record.through, record.hash

    def oldest(self, most: int, letters: int) -> list[tuple[Any, ...]]:
        """Return the first rows as they stand, with their hashes: at most `most`, of at most so many `letters` but for a single row; JournalError."""
        found: list[tuple[Any, ...]] = []
        with self._lock, self._troubled("read"):
            for row in self._database.execute(f"SELECT {COLUMNS}, hash FROM entry ORDER BY number LIMIT ?", (most,)):
                letters -= len(row[6])
                if found and letters < 0:
                    break
                found.append(row)
        return found

    def first_dated(self, wall: float) -> tuple[int, float] | None:
        """Return number and date of the first row whose clock was set, and not ahead of `wall`; None where no row has a date."""
        with self._lock, self._troubled("read"):
            ask = "SELECT number, wall FROM entry WHERE trusted = 1 AND wall <= ? ORDER BY number LIMIT 1"
            row = self._database.execute(ask, (wall,)).fetchone()
        return None if row is None else (int(row[0]), float(row[1]))

    def extent(self) -> tuple[int, int, int]:
        """Return the numbers of the first row and of the last one (1 and 0: no row), and how many bytes of the file they fill; JournalError."""
        with self._lock, self._troubled("read"):
            first, last = self._database.execute("SELECT min(number), max(number) FROM entry").fetchone()
            pages, free, size = (self._database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size"))
        return first or 1, last or 0, (pages - free) * size

    def unmentioned(self) -> tuple[frozenset[str], int]:
        """Return pseudonyms that no row holds, and up to which row that is known; reads until every one was met, so ask it of a reader."""
        left = set(self.names())
        with self._troubled("read"):
            number = int(self._database.execute("SELECT max(number) FROM entry").fetchone()[0] or 0)
            for (body,) in self._database.cursor().execute("SELECT body FROM entry WHERE instr(body, ?) ORDER BY number", (OPEN,)):
                left.difference_update(mentioned(body))
                if not left:
                    break
        return frozenset(left), number

    def drop_names(self, pseudonyms: Iterable[str], number: int) -> None:
        """Delete names that no row up to `number` holds, but those that a later row does; raises JournalError."""
        with self._lock, self._troubled("written"):
            self._require_file()
            with self._transaction():
                for token in pseudonyms:
                    if self._database.execute("SELECT 1 FROM entry WHERE number > ? AND instr(body, ?) LIMIT 1", (number, token)).fetchone() is None:
                        self._database.execute("DELETE FROM name WHERE pseudonym = ?", (token,))
                self._version = -1

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
        """Say whether a head that was kept elsewhere is one of this journal's own rows, or the last that went; raises JournalError."""
        with self._lock, self._troubled("read"):
            row = self._database.execute("SELECT hash FROM entry WHERE number = ?", (head.number,)).fetchone()
            gone, last = self._begins()
        mine = bytes(row[0]).hex() if row else last if head.number == gone else ""
        return head.journal == self.id and mine == head.hash

    def names(self) -> dict[str, str]:
        """Return {pseudonym: name} of all names that are known; raises JournalError when one was exchanged."""
        with self._lock, self._troubled("read"):
            rows = self._database.execute("SELECT pseudonym, salt, name FROM name").fetchall()
        for token, salt, name in rows:
            if not (isinstance(salt, bytes) and isinstance(name, str) and pseudonym(salt, name) == token):
                raise JournalError(
                    f"{self._name}: the name behind {str(token)[:24]} was exchanged", f"see: peephole gate journal {self._name} --verify"
                )
        return {token: name for token, _, name in rows}

    def entries(self, kind: str | None = None, last: int | None = None, *, mention: str | None = None) -> tuple[Entry, ...]:
        """Return all rows, or those of one kind, or the `last` ones, oldest first; raises JournalError when one cannot be read.

        `mention`: only rows that hold this name or this piece of their text.
        """
        wanted, values = ["kind = ?"] * bool(kind), [kind] * bool(kind)
        pieces = [] if mention is None else self._pieces(mention, self.names())
        if mention is not None:
            wanted.append(f"({' OR '.join(['instr(body, ?)'] * len(pieces))})")
        where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
        ask = f"SELECT {COLUMNS} FROM entry {where} ORDER BY number DESC LIMIT ?"
        with self._lock, self._troubled("read"):
            rows = self._database.execute(ask, (*values, *pieces, -1 if last is None else max(0, last))).fetchall()
        return tuple(reversed(list(self._read(rows))))

    def after(self, number: int, most: int) -> tuple[Entry, ...]:
        """Return at most `most` rows that follow row `number`, oldest first; raises JournalError as `entries` does."""
        with self._lock, self._troubled("read"):
            rows = self._database.execute(f"SELECT {COLUMNS} FROM entry WHERE number > ? ORDER BY number LIMIT ?", (number, most)).fetchall()
        return tuple(self._read(rows))

    def _pieces(self, text: str, names: dict[str, str]) -> list[str]:
        """Return what a row's JSON holds when it mentions `text`."""
        tokens = [f"{OPEN}{token}" for token, name in names.items() if name == text]
        hidden = Hider({name: token for token, name in names.items()}, self._names).hide(text)
        return [*tokens, json.dumps(hidden, ensure_ascii=False)[1:-1]]

    def _read(self, rows: list[tuple[Any, ...]]) -> Iterator[Entry]:
        names = self.names()  # after the rows: one of them may have been the first to hold a name
        for number, kind, time, wall, boot, trusted, body in rows:
            try:
                record = read_record(kind, show(body, names))
                dated = bool(trusted) and is_date(as_number(wall))  # whoever edits a row may give it any date
            except (ValueError, TypeError) as error:
                raise self._unreadable(number, error) from error
            yield Entry(number, kind, as_number(time), as_number(wall), boot, dated, record)

    def _unreadable(self, number: int, error: Exception) -> JournalError:
        return JournalError(
            f"{self._name}: row {number} cannot be read: {str(error).splitlines()[0]}", f"see: peephole gate journal {self._name} --verify"
        )

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
