"""What stands in a row of the journal: decisions, visits, remarks, and what became of pictures, people and older rows; JSON both ways."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from peephole.base.records import Decision, from_json, to_json
from peephole.gateway.policy import CLOCK_IS_SET, Ended

__all__ = [
    "KINDS",
    "Enrolled",
    "Entry",
    "Erased",
    "Kept",
    "Picture",
    "Record",
    "Remark",
    "Trimmed",
    "as_number",
    "is_date",
    "kind_of",
    "read_record",
    "write_record",
]

LAST = 253_402_128_000.0  # 9999-12-30: the year 10000 is no date, and begins a day sooner in the east
KINDS = ("start", "decision", "visit", "frame", "fault", "shadow", "stop", "pictures", "enrolled", "erased", "trimmed")


@dataclass(frozen=True)
class Remark:
    """What is told beside decisions and visits: a start, a stop, a frame that was refused, a fault, what a shadow would have done."""

    kind: Literal["start", "frame", "fault", "shadow", "stop"]
    subject: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A kept picture by the SHA-256 of its file: when (wall, seconds since 1970), whom it was taken for, and whom it was most `like`."""

    digest: str
    wall: float
    label: str | None
    like: str | None


@dataclass(frozen=True)
class Kept:
    """The pictures kept of a visit, and how many were `dropped` because the disk could not follow or take them."""

    visit: str
    pictures: tuple[Picture, ...]
    dropped: int = 0


@dataclass(frozen=True)
class Enrolled:
    """So many photos of `label` were taken into the gallery, some although they were `flagged`, on the word of `confirmed_by`."""

    label: str
    photos: int
    flagged: int
    confirmed_by: str


@dataclass(frozen=True)
class Erased:
    """The names behind these pseudonyms are gone on purpose, with so many pictures, and photos of the gallery; `reason` says at whose word."""

    pseudonyms: tuple[str, ...]
    pictures: int
    reason: str
    photos: int = 0


@dataclass(frozen=True)
class Trimmed:
    """All rows up to number `through` are gone on purpose, `rows` of them at this time; `hash` (hex) is that of the last one, `reason` says why.

    `origin` (hex) binds what is left to the journal and the gate, as it bound the first row of all (see chain).
    """

    through: int
    hash: str
    rows: int
    reason: str
    origin: str


Record = Decision | Ended | Remark | Kept | Enrolled | Erased | Trimmed
TYPES: Mapping[str, type] = {"decision": Decision, "visit": Ended, "pictures": Kept, "enrolled": Enrolled, "erased": Erased, "trimmed": Trimmed}


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


def kind_of(record: Record) -> str:
    """Return the word for a record's kind, one of KINDS."""
    if isinstance(record, Remark):
        return record.kind
    return next(kind for kind, what in TYPES.items() if isinstance(record, what))


def write_record(record: Record) -> Any:
    """Return a record as JSON values; what no file can hold (half a letter from a file's odd name) is spelt out."""
    given: Any = record
    try:
        return json.loads(to_json(given))
    except ValueError:
        return _printable(asdict(given))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _printable(inner) for key, inner in value.items()}
    return [_printable(inner) for inner in value] if isinstance(value, list | tuple) else value


def read_record(kind: str, body: str) -> Record:
    """Read a record back; raises ValueError for anything else."""
    kinds: Any = TYPES  # the journal's own records are read by the same reader as those of base
    record: Record = from_json(kinds.get(kind, Remark), body)
    return record


def is_date(wall: float) -> bool:
    """Say whether seconds since 1970 are a date that a clock may show: after 2020, before the year 10000, and a number."""
    return CLOCK_IS_SET <= wall < LAST


def as_number(value: float | None) -> float:
    """SQLite keeps NaN as NULL."""
    return math.nan if value is None else value
