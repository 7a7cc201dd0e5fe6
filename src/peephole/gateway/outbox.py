"""Tells others what happened, also after the broker was away: the journal is the outbox, and a mark says how far it has been told.

Every row is published in order with QoS 1 and its number; the mark moves on when the broker has acknowledged. A row may arrive twice when
the gate is killed between the two; whoever acts on it counts by `id`. Commands to controllers never come this way: a command that waits
would open a door when nobody stands there.
"""

import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from peephole.base.errors import JournalError, PeepholeError
from peephole.base.files import write_atomic
from peephole.base.records import Prediction, to_json
from peephole.gateway.journal import Entry, Journal, Record
from peephole.gateway.mqtt import Messenger
from peephole.gateway.sensors import Capture

__all__ = ["Mark", "Outbox", "event"]

LOG = logging.getLogger("peephole.gate")
MANY = 100  # rows between two writings of the mark: a power cut repeats at most so many
WAIT = 1.0  # seconds between two looks at the journal, and between two tries at a broker that is away


def event(journal: Journal, entry: Entry) -> str:
    """Write a row of a journal as JSON: its `id` (gate/journal/number, the same however often it is sent), kind, times and record.

    The journal's part are the first 12 digits of its own id: a gate that begins a new journal counts from 1 again. `wall` is null
    where the clock was not set.
    """
    gate, record = journal.gate, cast(Any, entry.record)
    facts = {"id": f"{gate}/{journal.id[:12]}/{entry.number}", "gate": gate, "number": entry.number, "kind": entry.kind}
    facts |= {"time": entry.time, "wall": entry.wall if entry.trusted else None, "record": json.loads(to_json(record))}
    return json.dumps(facts, ensure_ascii=False)


class Mark:
    """How far a journal has been told: the number of the last row that the broker acknowledged, in a file beside the journal."""

    def __init__(self, path: Path, journal: Journal, topic: str) -> None:
        """Read the mark; one that is not there, is broken, or is of another journal or topic begins with the rows that are still to come."""
        self._path, self._whose = path, {"gate": journal.gate, "journal": journal.id, "topic": topic}
        self.number: int | None = None
        with suppress(OSError, ValueError):
            found = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size < 10_000 else None
            if isinstance(found, dict) and {key: found.get(key) for key in self._whose} == self._whose and isinstance(found.get("number"), int):
                self.number = max(0, found["number"])

    @classmethod
    def beside(cls, journal: Journal, path: Path, topic: str) -> "Mark":
        """Read the mark beside the journal's file `path`."""
        return cls(path.with_name(f"{path.name}.told"), journal, topic)

    def move(self, number: int) -> None:
        """Remember a number; raises OutputError."""
        write_atomic(self._path, json.dumps({**self._whose, "number": number}, ensure_ascii=False))
        self.number = number


class Outbox:
    """A witness that publishes every row of the journal to one topic, in order, in its own thread and over its own connection."""

    name = "outbox"

    def __init__(self, journal: Journal, messenger: Messenger, topic: str, mark: Mark, moved: Callable[[], None] = lambda: None) -> None:
        """`moved` is called at every turn of the thread, for a watchdog."""
        self._journal, self._messenger, self._topic, self._mark, self._moved = journal, messenger, topic, mark, moved
        self._news, self._stop = threading.Event(), threading.Event()
        self._trouble = ""
        # Without a mark the rows of earlier runs are old news: nobody asked for them when they happened.
        if mark.number is None:
            last = journal.entries(last=1)
            mark.move(last[-1].number if last else 0)
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Nothing: frames are not told."""

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Wake up."""
        self._news.set()

    def passed(self, time: float, wall: float) -> None:
        """Nothing."""

    def close(self, patience: float = 2.0) -> None:
        """Tell what is left if the broker takes it within `patience` seconds; the rest waits in the journal for the next run."""
        self._stop.set()
        self._news.set()
        self._thread.join(patience)
        self._messenger.close()

    def _run(self) -> None:
        while True:
            ending = self._stop.is_set()
            self._news.clear()
            try:
                while self._tell_some():
                    self._moved()
                self._trouble = ""
            except PeepholeError as error:
                self._complain(error)
            except Exception as error:  # whatever happens in here, the thread goes on: rows wait in the journal
                self._complain(JournalError(f"{type(error).__name__}: {error}", ""))
            self._moved()
            if ending:
                return
            self._news.wait(WAIT)
            if self._trouble and not self._stop.is_set():
                self._stop.wait(WAIT)

    def _tell_some(self) -> bool:
        """Publish at most a hundred rows and move the mark; returns whether there may be more."""
        assert self._mark.number is not None, "the mark was set at the start"
        told = self._mark.number
        try:
            rows = self._journal.after(told, MANY)
            for row in rows:
                self._messenger.publish(self._topic, event(self._journal, row))
                told = row.number
        finally:
            if told != self._mark.number:
                self._mark.move(told)
        return len(rows) == MANY

    def _complain(self, error: PeepholeError) -> None:
        """Log an outage once; not in the journal, which would have to tell of it through here."""
        if self._trouble != error.what:
            LOG.warning("events wait in the journal: %s", error.what)
        self._trouble = error.what
