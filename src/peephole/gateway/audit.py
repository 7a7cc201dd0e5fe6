"""Verifies a journal: every row against the chain, the chain against a head kept elsewhere, names against pseudonyms, pictures against rows.

What it cannot know: rows newer than the head have only the chain to speak for them, and whoever can write the file can write a chain.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from peephole.base.errors import JournalError
from peephole.gateway.chain import Head, link, origin
from peephole.gateway.journal import Journal
from peephole.gateway.names import OPEN, mentioned
from peephole.gateway.pictures import digest_of
from peephole.gateway.reasons import plural
from peephole.gateway.rows import as_number

__all__ = ["Audit", "verify"]

SHOWN = 5


@dataclass(frozen=True)
class Audit:
    """How many rows were looked at, the first row that is wrong (None: none), every problem in words, and what else there is to say."""

    rows: int
    bad: int | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass
class Walk:
    """What is gathered on the way along the rows: their count, the hash at the head's row, pseudonyms and pictures with their rows."""

    rows: int = 0
    at_head: bytes = b""
    held: dict[str, int] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)


def verify(journal: Journal, head: Head | None = None, pictures: Path | None = None) -> Audit:
    """Look at the whole journal, at `head` and at the files of the folder `pictures`; raises JournalError when it cannot be read."""
    walk = Walk(at_head=origin(journal.id, journal.gate))
    bad, what = _walk(journal, walk, None if head is None else head.number)
    problems = [what] if what else []
    if bad is None:
        problems += _against(journal, walk, head)
        problems += _names(journal, walk)
        problems += _files(walk, pictures)
    notes = []
    if head is None:
        notes.append("no head was kept elsewhere, so nobody would notice if the latest rows were cut off or all of them written anew")
    elif not problems:
        after = walk.rows - head.number
        notes.append(f"the head kept elsewhere is row {head.number:,}, and fits" + (f"; {plural(after, 'row')} came after it" if after else ""))
    if walk.erased and not problems:
        notes.append(f"{plural(len(walk.erased), 'name')} erased on purpose")
    return Audit(walk.rows, bad, tuple(problems), tuple(notes))


def _walk(journal: Journal, walk: Walk, stop: int | None) -> tuple[int | None, str]:
    """Go along the chain to its first bad row, and keep the hash of row `stop`; returns the bad one with what is wrong there."""
    before = origin(journal.id, journal.gate)
    for number, kind, at, wall, boot, trusted, body, hashed in journal.chained():
        expected = walk.rows + 1
        if number != expected:
            return expected, f"row {expected:,} is missing: row {walk.rows:,} is followed by row {number:,}"
        try:
            mine = link(before, (number, kind, as_number(at), as_number(wall), boot, trusted == 1, body))
        except (AttributeError, ValueError, TypeError, struct.error) as error:  # numbers where text should be, and the like
            return number, f"row {number:,} is no row of a journal: {error}"
        if mine != hashed or trusted not in (0, 1):
            return number, f"row {number:,} is not what was written: its hash does not follow from it and the row before"
        walk.rows, before = number, mine
        if number == stop:
            walk.at_head = mine
        if OPEN in body:
            for token in mentioned(body):
                if token not in walk.held:
                    walk.held[token] = number
        if kind in ("erased", "pictures") and not _gathered(walk, kind, body):
            return number, f"row {number:,} is no row of a journal: it does not say what a row of the kind '{kind}' says"
    return None, ""


def _gathered(walk: Walk, kind: str, body: str) -> bool:
    """Note what a row says is kept or erased; False when it does not say it: whoever can write a chain can write rubbish into it."""
    try:
        if kind == "erased":
            walk.erased |= set(json.loads(body)["pseudonyms"])
        else:
            walk.pictures |= {picture["digest"] for picture in json.loads(body)["pictures"]}
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return True


def _against(journal: Journal, walk: Walk, head: Head | None) -> Iterator[str]:
    if head is None:
        return
    if head.journal != journal.id:
        yield f"the head kept elsewhere is of another journal, of the gate '{head.gate[:64]}': this one was replaced, or begun anew"
    elif head.number > walk.rows:
        yield f"row {walk.rows + 1:,} is missing: the head kept elsewhere is row {head.number:,}, so the end was cut off"
    elif walk.at_head.hex() != head.hash:
        yield f"row {head.number:,} is another one than the head kept elsewhere: rows up to it were written anew"


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
