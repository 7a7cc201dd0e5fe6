"""The head of the chain, kept off the box: the newest row's number and hash in a file elsewhere or retained by a broker, at most once a second.

It commands nothing, so a broker may retain it. A head that the journal does not hold is never overwritten: it is the proof that rows are gone.
It also says up to which row any may be removed on purpose, before they are: rows that went without that are missed.
"""

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from peephole.base.errors import InputError, JournalError, OutputError, PeepholeError
from peephole.base.files import write_atomic
from peephole.base.records import Prediction
from peephole.gateway.address import Address
from peephole.gateway.chain import LONGEST, Head, read_head, write_head
from peephole.gateway.clock import Clock
from peephole.gateway.door import Door
from peephole.gateway.journal import Journal, Record, Remark
from peephole.gateway.mqtt import BrokerPlace, leave, left
from peephole.gateway.sensors import Capture
from peephole.gateway.switchboard import broker_place

__all__ = ["BrokerPost", "FilePost", "HeadKeeper", "Post", "open_post"]

LOG = logging.getLogger("peephole.gate")
EVERY = 1.0  # seconds
SLOWEST = 32  # times as long between two tries, while they fail
PATIENCE = 5.0  # seconds that closing waits for the thread


class Post(Protocol):
    """A place elsewhere that holds one head."""

    where: str

    def leave(self, head: Head) -> None:
        """Put a head there in place of the one before; raises a PeepholeError."""
        ...

    def find(self) -> Head | None:
        """Return the head that is there, None where there is none; raises a PeepholeError."""
        ...


class FilePost:
    """A file, best on another computer's disk or on a stick."""

    def __init__(self, path: Path) -> None:
        self._path, self.where = path, str(path)

    def leave(self, head: Head) -> None:
        """Write it so that a power cut leaves the old one or the new one; a folder that is not there (not mounted) is not made."""
        if not self._path.parent.is_dir():
            raise OutputError(f"{self._path.parent}, where the journal's head belongs, is not there", "mount it, or correct [journal] head")
        write_atomic(self._path, write_head(head) + "\n")

    def find(self) -> Head | None:
        """Read the file."""
        try:
            with self._path.open("rb") as file:
                return read_head(file.read(LONGEST + 1), self.where)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{self.where} cannot be read: {error.strerror or error}", "correct [journal] head") from error


class BrokerPost:
    """A retained message on a topic."""

    def __init__(self, place: BrokerPlace, topic: str) -> None:
        self._place, self._topic, self.where = place, topic, f"mqtt://{topic}"

    def leave(self, head: Head) -> None:
        """Publish it, acknowledged and retained."""
        leave(self._place, self._topic, write_head(head))

    def find(self) -> Head | None:
        """Ask the broker what it retains there."""
        found = left(self._place, self._topic)
        return read_head(found, self.where) if found else None


def open_post(door: Door) -> Post | None:
    """Return the place that [journal] head names, None where it names none; raises SettingsError or InputError."""
    if door.settings.journal.head is None:
        return None
    address = Address.parse(door.settings.journal.head, ("mqtt", "file"))
    return BrokerPost(broker_place(door), address.place) if address.scheme == "mqtt" else FilePost(address.path(door.folder))


class HeadKeeper:
    """A witness that leaves the head at its post, from a thread of its own: a broker that is away delays nobody at the door."""

    name = "keeper of the head"

    def __init__(self, journal: Journal, post: Post, clock: Clock, every: float = EVERY) -> None:
        self._journal, self._post, self._clock, self._every = journal, post, clock, every
        self._now = (0.0, 0.0)
        self._new, self._stop = threading.Event(), threading.Event()
        self._said = ""
        self._alien: Head | None = None
        self._trusted = False  # that what stands at the post is a row of this journal
        self._trims = self._asked = 0  # up to which row any may go: as the post has it, and as it is to have it
        self._left = threading.Condition()
        self._failures = 0
        self._thread = threading.Thread(target=self._work, name="head", daemon=True)

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Frames mean nothing here."""

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Note that there is a newer row."""
        self._now = (time, wall)
        self._new.set()
        if self._thread.ident is None:
            self._thread.start()

    def passed(self, time: float, wall: float) -> None:
        """Remember what time it is."""
        self._now = (time, wall)

    def let_go(self, number: int, patience: float) -> bool:
        """Have the head say that rows up to `number` may be removed; returns whether such a one was left within so many seconds."""
        with self._left:
            self._asked = max(self._asked, number)
            self._new.set()
            return self._left.wait_for(lambda: self._trims >= number, patience)

    def close(self) -> None:
        """Leave the last head, waiting a little for it."""
        self._new.set()
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def _work(self) -> None:
        while not self._stop.is_set():
            if self._new.wait(self._every):
                self._new.clear()
                self._leave()
                self._stop.wait(self._every * min(2**self._failures, SLOWEST))
        self._leave()

    def _leave(self) -> None:
        try:
            if not self._trusted:
                found = self._post.find()
                self._compare(found)
                self._trims = self._journal.begins()[0] if found is None else found.trims
                self._trusted = True
            self._require_kept(self._trims)
            trims = max(self._trims, self._asked)
            self._post.leave(replace(self._journal.head(self._clock.wall()), trims=trims))
            with self._left:
                self._trims = trims
                self._left.notify_all()
            self._said, self._failures = "", 0
        except Exception as error:  # whatever a network or another computer's disk comes up with, this thread goes on
            self._new.set()
            self._failures = min(self._failures + 1, 8)
            self._complain(error.what if isinstance(error, PeepholeError) else f"{type(error).__name__}: {error}")

    def _compare(self, found: Head | None) -> None:
        """Raise JournalError when the head that is there is none of this journal's rows."""
        # Once it was none of them it stays so, even if rows that are written later should come to look the same.
        if found is not None and (found == self._alien or not self._journal.holds(found)):
            self._alien = found
            what = f"the journal does not hold row {found.number:,} of the head at {self._post.where}: it was cut, rewritten or replaced"
            raise JournalError(what, f"peephole gate journal {self._journal.path} --verify; if you began a new journal yourself, remove that head")

    def _require_kept(self, trims: int) -> None:
        """Raise JournalError when rows are gone that no head allowed to go: such a journal has no head to be proud of."""
        gone = self._journal.begins()[0]
        if gone > trims:
            what = f"rows up to {gone:,} of the journal were removed, and the head at {self._post.where} let only those up to {trims:,} go"
            raise JournalError(what, f"peephole gate journal {self._journal.path} --verify; if you removed them yourself, remove that head")

    def _complain(self, what: str) -> None:
        """Write a fault into the journal, each outage once."""
        if what == self._said:
            return
        self._said = what
        LOG.error("the head of the journal is not kept: %s", what)
        try:
            self._journal.write(Remark("fault", self.name, what[:2000]), *self._now)
        except JournalError as error:
            LOG.error("%s", error.what)
