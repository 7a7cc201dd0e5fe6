"""The hash chain: each row's SHA-256 covers the row and the hash before it, so that no row changes, goes or comes unseen; pure.

A chain alone cannot tell that its end was cut off, or that all of it was written anew: for that somebody else keeps its head.
"""

import hashlib
import json
import math
import struct
from dataclasses import asdict, dataclass
from typing import Any

from peephole.base.errors import InputError

__all__ = ["Head", "Row", "follow", "link", "origin", "read_head", "write_head"]

FACTS = struct.Struct(">qdd?HH")  # number, time, wall, trusted, length of the kind, length of the boot
LONGEST = 4096


@dataclass(frozen=True)
class Head:
    """The newest row as its number and hash (hex), of the journal `journal` of a gate, and when that was (seconds since 1970).

    Rows up to number `trims` may have been removed on purpose since: it is said here before they go.
    """

    journal: str
    gate: str
    number: int
    hash: str
    wall: float
    trims: int = 0


def origin(journal: str, gate: str) -> bytes:
    """Return what stands before the first row, 32 bytes: it binds the rows to this journal (32 hex digits) and this gate."""
    return hashlib.sha256(b"peephole journal 2\0" + journal.encode() + b"\0" + gate.encode()).digest()


Row = tuple[int, str, float, float, str, bool, str]  # number, kind, time, wall, boot, trusted, body


def link(before: bytes, row: Row) -> bytes:
    """Return a row's hash, 32 bytes; the lengths of kind and boot keep them apart, and the body is the rest."""
    number, kind, time, wall, boot, trusted, body = row
    first, second = kind.encode(), boot.encode()
    facts = FACTS.pack(number, time, wall, trusted, len(first), len(second))
    return hashlib.sha256(b"".join((before, facts, first, second, body.encode()))).digest()


def follow(before: bytes, row: tuple[Any, ...]) -> bytes:
    """Return the hash of a row as the database has it, its own hash last; raises ValueError when it is none, or not what was written."""
    number, kind, time, wall, boot, trusted, body, hashed = row
    try:
        time, wall = math.nan if time is None else time, math.nan if wall is None else wall  # as SQLite keeps NaN
        mine = link(before, (number, kind, time, wall, boot, trusted == 1, body))
    except (AttributeError, ValueError, TypeError, struct.error) as error:  # numbers where text should be, and the like
        raise ValueError(f"row {number:,} is no row of a journal: {error}") from error
    if mine != hashed or trusted not in (0, 1):
        raise ValueError(f"row {number:,} is not what was written: its hash does not follow from it and the row before")
    return mine


def write_head(head: Head) -> str:
    """Return a head as one line of JSON."""
    return json.dumps(asdict(head), ensure_ascii=False)


def read_head(text: str | bytes, where: str) -> Head:
    """Read a head back; raises InputError when it is none."""
    try:
        if len(text) > LONGEST:
            raise ValueError("it is too long")
        values = json.loads(text)
        head = Head(**values)
        whole = all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in (head.number, head.trims))
        if not (whole and isinstance(head.wall, int | float) and all(isinstance(word, str) for word in (head.journal, head.gate, head.hash))):
            raise ValueError("its values have other types")
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{where} is not the head of a journal: {str(error)[:80]}", "name the file or topic that [journal] head names") from error
    return head
