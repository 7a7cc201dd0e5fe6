"""Verifies a journal: every row against the chain, the chain against a head kept elsewhere, names against pseudonyms, pictures against rows.

A journal whose oldest rows were removed on purpose begins after them: its newest `trimmed` row holds the hash that the first row follows from.
What it cannot know: rows newer than the head have only the chain to speak for them, and whoever can write the file can write a chain.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from peephole.base.errors import JournalError
from peephole.gateway.chain import Head, follow, origin
from peephole.gateway.journal import Erased, Journal, Kept, Record, Trimmed
from peephole.gateway.names import OPEN, mentioned
from peephole.gateway.pictures import digest_of
from peephole.gateway.reasons import plural
from peephole.gateway.rows import as_number, is_date, read_record

__all__ = ["Audit", "verify"]

SHOWN = 5


@dataclass(frozen=True)
class Audit:
    """How many rows were looked at, the first row that is wrong (None: none), every problem in words, and what else there is to say.

    `removed` rows before them are gone on purpose.
    """

    rows: int
    bad: int | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    removed: int = 0


@dataclass
class Walk:
    """What is gathered on the way along the rows: the last one's number, the hash at the head's row, pseudonyms and pictures with their rows.

    `first` is the first row as it stands; `trims` are rows that say that others are gone, each with its number and date.
    """

    first: tuple[Any, ...] = ()
    last: int = 0
    at_head: bytes = b""
    held: dict[str, int] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)
    trims: list[tuple[int, float, Trimmed]] = field(default_factory=list)

    @property
    def removed(self) -> int:
        """How many rows are missing before the first one."""
        return int(self.first[0]) - 1 if self.first else 0


def verify(journal: Journal, head: Head | None = None, pictures: Path | None = None) -> Audit:
    """Look at the whole journal, at `head` and at the files of the folder `pictures`; raises JournalError when it cannot be read."""
    walk = Walk()
    with journal.still():
        bad, what = _walk(journal, walk, 0 if head is None else head.number)
        if bad is None:
            bad, what = _beginning(journal, walk, 0 if head is None else head.number)
        problems = [what] if what else []
        if bad is None:
            problems += _against(journal, walk, head)
            problems += _names(journal, walk)
            problems += _files(walk, pictures)
    return Audit(walk.last - walk.removed, bad, tuple(problems), tuple(_notes(walk, head, not problems)), walk.removed)


def _notes(walk: Walk, head: Head | None, well: bool) -> Iterator[str]:
    if head is None:
        yield "no head was kept elsewhere, so nobody would notice if the latest rows were cut off or all of them written anew"
    elif well:
        after = walk.last - head.number
        yield f"the head kept elsewhere is row {head.number:,}, and fits" + (f"; {plural(after, 'row')} came after it" if after else "")
    if well and walk.removed:
        _, wall, newest = walk.trims[-1]
        when = f" on {datetime.fromtimestamp(wall):%Y-%m-%d %H:%M}" if is_date(wall) else ""
        yield f"{plural(walk.removed, 'row')} before row {walk.first[0]:,} removed on purpose, the latest {newest.rows:,}{when}: {newest.reason}"
    if well and walk.erased:
        yield f"{plural(len(walk.erased), 'name')} erased on purpose"


def _walk(journal: Journal, walk: Walk, stop: int) -> tuple[int | None, str]:
    """Go along the chain to its first bad row; returns it with what is wrong there. Where rows are gone, the first one is looked at afterwards."""
    before = origin(journal.id, journal.gate)
    for row in journal.chained():
        number, kind, _, wall, _, _, body, hashed = row
        if walk.first and number != walk.last + 1:
            return walk.last + 1, f"row {walk.last + 1:,} is missing: row {walk.last:,} is followed by row {number:,}"
        try:
            # What the first row follows from, a row that is still to come must tell.
            before = hashed if not walk.first and number != 1 and isinstance(hashed, bytes) else follow(before, row)
            _gather(walk, number, wall, kind, body)
        except (ValueError, TypeError) as error:
            return number, str(error).splitlines()[0]
        walk.first, walk.last = walk.first or row, number
        if number == stop:
            walk.at_head = before
    return None, ""


def _gather(walk: Walk, number: int, wall: float | None, kind: str, body: str) -> None:
    """Take from a row what must fit something else; raises ValueError when it cannot be read."""
    if OPEN in body:
        for token in mentioned(body):
            walk.held.setdefault(token, number)
    if kind not in ("erased", "pictures", "trimmed"):
        return
    try:
        record: Record = read_record(kind, body)
    except ValueError as error:
        raise ValueError(f"row {number:,} is no row of a journal: {str(error).splitlines()[0]}") from error
    if isinstance(record, Erased):
        walk.erased |= set(record.pseudonyms)
    elif isinstance(record, Kept):
        walk.pictures |= {picture.digest for picture in record.pictures}
    elif isinstance(record, Trimmed):
        before = walk.trims[-1][2].through if walk.trims else None
        if not 0 < record.rows <= record.through < number or (before is not None and record.through != before + record.rows):
            raise ValueError(f"row {number:,} says that {plural(record.rows, 'row')} up to row {record.through:,} were removed, which cannot be")
        walk.trims.append((number, as_number(wall), record))


def _beginning(journal: Journal, walk: Walk, stop: int) -> tuple[int | None, str]:
    """Look whether the first row is the one that must be first; returns the bad row with what is wrong there."""
    walk.at_head = origin(journal.id, journal.gate) if stop == 0 else walk.at_head
    if not walk.trims:
        told = "and no row says that those before it were removed on purpose"
        return (1, f"row 1 is missing: the journal begins with row {walk.first[0]:,}, {told}") if walk.removed else (None, "")
    number, _, newest = walk.trims[-1]
    if newest.origin != origin(journal.id, journal.gate).hex():
        return number, f"row {number:,} was written in another journal, or in that of another gate"
    if newest.through != walk.removed:
        missing, first = newest.through + 1, walk.first[0]
        told = f"row {number:,} says that rows up to {newest.through:,} were removed on purpose, but"
        if newest.through > walk.removed:
            return number, f"{told} row {first:,} is still there"
        return missing, f"row {missing:,} is missing: {told} row {first:,} is the first"
    try:
        before = bytes.fromhex(newest.hash)
        follow(before, walk.first)
    except ValueError:
        return int(walk.first[0]), f"row {walk.first[0]:,} does not follow from the row before it, as row {number:,} tells of that"
    walk.at_head = before if stop == newest.through else walk.at_head
    return None, ""


def _against(journal: Journal, walk: Walk, head: Head | None) -> Iterator[str]:
    if head is None:
        return
    if (head.journal, head.gate) != (journal.id, journal.gate):
        yield f"the head kept elsewhere is of another journal, of the gate '{head.gate[:64]}': this one was replaced, or begun anew"
    elif head.number > walk.last:
        yield f"row {walk.last + 1:,} is missing: the head kept elsewhere is row {head.number:,}, so the end was cut off"
    elif head.number < walk.removed:
        yield f"the head kept elsewhere is row {head.number:,}, and rows up to {walk.removed:,} were removed: it is too old to prove anything"
    elif walk.at_head.hex() != head.hash:
        yield f"row {head.number:,} is another one than the head kept elsewhere: rows up to it were written anew"
    elif head.trims < walk.removed:
        let = f"only those up to {head.trims:,}" if head.trims else "none"
        yield f"rows up to {walk.removed:,} were removed, but the head kept elsewhere let {let} go: it is not the newest one, or they were not to go"


def _names(journal: Journal, walk: Walk) -> Iterator[str]:
    try:
        names = journal.names()
    except JournalError as error:
        yield error.what
        return
    gone = sorted(walk.held[token] for token in walk.held if token not in names and token not in walk.erased)
    if gone:
        yield f"row {gone[0]:,} names somebody whose name was taken out without an erasure"


def _files(walk: Walk, pictures: Path | None) -> Iterator[str]:
    """A picture may be gone, by age, size or erasure; one that is there must be what the rows say."""
    if pictures is None or not pictures.is_dir():
        return
    changed, unread = list[str](), list[str]()
    for path in sorted(pictures.glob("*.jpg")):
        digest = digest_of(path)
        try:
            if digest in walk.pictures and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                changed.append(path.name)
        except FileNotFoundError:  # the gate that runs meanwhile let it go
            continue
        except OSError:
            unread.append(path.name)
    if changed:
        yield f"{plural(len(changed), 'picture')} changed since they were kept: {_some(changed)}"
    if unread:
        yield f"{plural(len(unread), 'picture')} cannot be read: {_some(unread)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f", and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
