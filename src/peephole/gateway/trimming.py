"""Rows of the journal, kept for some days and some megabytes: a witness that removes the oldest from its own thread, a piece at a time.

What goes is told in the transaction in which it goes, so that the chain holds (see audit). Nothing goes that somebody still needs (a broker that
has not heard of it, a picture that it binds, a head elsewhere that does not allow it), and nothing that does not verify: it is the evidence.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from peephole.base.errors import JournalError, PeepholeError
from peephole.base.records import Prediction
from peephole.gateway.chain import follow
from peephole.gateway.journal import Journal, Kept, Record, Remark
from peephole.gateway.keys import Rows
from peephole.gateway.pictures import digest_of
from peephole.gateway.rows import is_date, read_record
from peephole.gateway.sensors import Capture

__all__ = ["RowKeeper"]

LOG = logging.getLogger("peephole.gate")
DAY = 86_400.0
SWEEP = 60.0  # seconds between two looks for rows that may go
PAUSE = 0.1  # seconds between two pieces, in which the door writes
PIECE = 100  # rows in one transaction, which the door may have to wait for
LETTERS = 250_000  # of the rows in one transaction
LATEST = 100  # rows that no bound of megabytes takes
FASTER = 60.0  # times as fast as the clock, at most, does the day move on before which rows are too old
PATIENCE = 5.0  # seconds that closing waits for the thread, and the thread for a head to be left
HELD = 10  # sweeps for which rows may be held up before it is told

Raw = tuple[Any, ...]  # number, kind, time, wall, boot, trusted, body, hash


class RowKeeper:
    """Removes rows that are too old, or the oldest when there are too many."""

    name = "keeper of rows"

    def __init__(
        self,
        journal: Journal,
        limits: Rows,
        pictures: Path,
        *,
        told: Callable[[], int] | None = None,
        let_go: Callable[[int, float], bool] | None = None,
        every: float | None = None,
    ) -> None:
        """`told`: up to which row a broker has heard; `let_go` asks whoever keeps a head elsewhere to allow rows to go, for so many seconds."""
        self._journal, self._limits, self._pictures, self._told, self._let_go = journal, limits, pictures, told, let_go
        self._every = SWEEP if every is None else every
        self._now = (0.0, 0.0)
        self._line: tuple[float, float] | None = None  # when (monotonic), and what was too old then (wall)
        self._dated: tuple[int, float] | None = None
        self._named: float | None = None  # when names were looked through (monotonic)
        self._held, self._failing = 0, ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="rows", daemon=True)

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Frames mean nothing here."""

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Begin, with the first row of a run."""
        self._now = (time, wall)
        if self._thread.ident is None:
            self._thread.start()

    def passed(self, time: float, wall: float) -> None:
        """Remember what time it is."""
        self._now = (time, wall)

    def close(self) -> None:
        """Stop between two pieces, and wait a little for that."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self.sweep()
                self._failing = ""
            except Exception as error:  # a full disk, a row that was edited: rows stay, the watch goes on
                self._complain(error.what if isinstance(error, PeepholeError) else f"{type(error).__name__}: {error}")
            self._stop.wait(self._every)

    def sweep(self) -> None:
        """Remove what is to go, a piece at a time; raises JournalError when it cannot, or when the rows do not follow from one another."""
        removed = False
        while not self._stop.is_set():
            reason, rows = self._due()
            if not rows:
                self._held = 0
                break
            self._require_whole(rows)
            rows, needed = self._free(rows)
            if not rows:
                self._hold(reason, needed)
                break
            self._journal.trim(rows[-1][0], reason, *self._now)
            removed, self._held = True, 0
            self._stop.wait(PAUSE)
        self._forget_names(removed)

    def _due(self) -> tuple[str, list[Raw]]:
        """Return why the oldest rows are to go, and which: at most a piece."""
        _, last, size = self._journal.extent()
        if size > self._limits.megabytes * 1e6:
            rows = [row for row in self._journal.oldest(PIECE, LETTERS) if row[0] <= last - LATEST]
            return f"the journal was larger than {self._limits.megabytes:g} MB", rows
        return f"they were older than {self._limits.days:g} days", self._too_old()

    def _too_old(self) -> list[Raw]:
        """Return the rows that are too old, once they are a whole piece or a day's; a row without a date is as old as the next that has one."""
        line = self._moved_on()
        if line is None or self._dated is None or self._dated[1] >= line:
            return []
        rows = self._journal.oldest(PIECE, LETTERS)
        number, wall = self._dated
        old, pending = list[Raw](), list[Raw]()
        for row in rows:
            pending.append(row)
            if row[0] < number or not row[5] or row[3] > self._now[1]:
                continue
            if row[3] >= line:
                break
            old += pending
            pending = []
        old = rows if rows and rows[-1][0] < number else old
        return old if wall < line - DAY or len(old) == len(rows) else []

    def _moved_on(self) -> float | None:
        """Return before which date rows are too old, None while the clock has none; a clock that jumps takes little with it."""
        time, wall = self._now
        if not is_date(wall):
            return None
        first = self._journal.extent()[0]
        if self._dated is None or self._dated[0] < first:
            self._dated = self._journal.first_dated(wall)
        if self._dated is None:
            return None
        since, line = self._line or (time, self._dated[1])
        line = min(wall - self._limits.days * DAY, line + FASTER * max(0.0, time - since))
        self._line = (time, line)
        return line

    def _require_whole(self, rows: list[Raw]) -> None:
        """Raise JournalError unless the rows follow from what went before them, and from one another: else their going would hide it."""
        number, before = self._journal.begins()
        hashed = bytes.fromhex(before)
        for row in rows:
            try:
                if row[0] != number + 1:
                    raise ValueError(f"row {number + 1:,} is missing")
                number, hashed = row[0], follow(hashed, row)
            except ValueError as error:
                raise JournalError(f"no row is removed, because {error}", f"peephole gate journal {self._journal.path} --verify") from error

    def _free(self, rows: list[Raw]) -> tuple[list[Raw], str]:
        """Return those of the oldest rows that nobody needs any more, and what the next one is needed for."""
        told = rows[-1][0] if self._told is None else self._told()
        kept = frozenset(map(digest_of, self._pictures.glob("*.jpg"))) if any(row[1] == "pictures" for row in rows) else frozenset[str]()
        needed = ""
        for at, row in enumerate(rows):
            if row[0] > told:
                needed = f"the broker has not heard of row {row[0]:,}"
            elif row[1] == "pictures" and not kept.isdisjoint(_bound(row)):
                needed = f"pictures that row {row[0]:,} tells of are still there"
            if needed:
                rows = rows[:at]
                break
        if rows and self._let_go is not None and not self._let_go(rows[-1][0], PATIENCE):
            return [], "no head could be left elsewhere that allows it"
        return rows, needed

    def _hold(self, reason: str, needed: str) -> None:
        """Tell, once, of rows that should have gone long ago."""
        self._held += 1
        if self._held == HELD:
            self._tell(f"rows stay although {reason}: {needed}")

    def _forget_names(self, removed: bool) -> None:
        """Once a day, delete the names that went with the rows: those that no row holds any more."""
        time, path = self._now[0], self._journal.path
        if path is None or (self._named is not None and time - self._named < DAY) or not (removed or self._journal.begins()[0]):
            return
        with Journal.read(path) as reading:  # it may read for long, and must hold up nobody
            names, number = reading.unmentioned()
        if names:
            self._journal.drop_names(names, number)
        self._named = time

    def _complain(self, what: str) -> None:
        """Write a fault into the journal, each outage once."""
        if what != self._failing:
            self._failing = what
            self._tell(what)

    def _tell(self, what: str) -> None:
        LOG.error("rows of the journal: %s", what)
        try:
            self._journal.write(Remark("fault", self.name, what[:2000]), *self._now)
        except JournalError as error:
            LOG.error("%s", error.what)


def _bound(row: Raw) -> Iterator[str]:
    """Yield the digests of the pictures that a row binds."""
    record = read_record("pictures", row[6])
    assert isinstance(record, Kept), "rows of the kind `pictures` are read as such"
    yield from (picture.digest for picture in record.pictures)
