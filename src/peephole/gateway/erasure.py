"""Erases a person from a journal: names and pictures go, to the last byte of the database; the chain still holds.

Rows keep what happened; where a name stood they read "erased-1a2b3c". Logs, brokers and model files are not its business.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peephole.gateway.journal import Erased, Journal
from peephole.gateway.names import CLOSE, OPEN, same
from peephole.gateway.pictures import Album, digest_of

__all__ = ["Erasure", "erase", "erased_pictures"]


@dataclass(frozen=True)
class Erasure:
    """What went: `names` (spellings) and `pictures`; `row` is the row that says so; `remnants` are rows that held the name before it was known."""

    names: int
    pictures: int
    row: int
    remnants: tuple[int, ...]


@dataclass
class Trace:
    """Where a person was found: visits that named them, pictures that may show them, and every picture with its visit."""

    visits: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    pictures: dict[str, str] = field(default_factory=dict)
    clear: list[int] = field(default_factory=list)

    @property
    def gone(self) -> set[str]:
        """The pictures that go with them."""
        return self.shown | {digest for digest, visit in self.pictures.items() if visit in self.visits}


def erase(journal: Journal, label: str, time: float, wall: float, pictures: Path | None = None, *, photos: int = 0) -> Erasure:
    """Erase all spellings of `label`, with every picture of a visit that named it and every single picture most like it.

    Pictures that no row knows go too; `photos` went from the gallery before. Can be repeated until it succeeds; raises JournalError (somebody
    reads on, a full disk), OSError.
    """
    tokens = {token for token, name in journal.names().items() if same(name) == same(label)}
    trace = _trace(journal, {f"{OPEN}{token}{CLOSE}" for token in tokens}, label)
    gone = trace.gone
    count = 0
    if pictures is not None and pictures.is_dir():
        unknown = {digest_of(path) for path in pictures.glob("*.jpg")} - trace.pictures.keys()
        count = Album(pictures, 0, 0).remove(gone | unknown)
    # Pictures first: once the names are gone, nobody could tell any more whose they were.
    row = journal.erase(tokens, Erased(tuple(sorted(tokens)), count, "at a person's word", photos), time, wall)
    journal.scour()
    return Erasure(len(tokens), count, row, tuple(trace.clear))


def erased_pictures(journal: Journal) -> frozenset[str]:
    """Return the digests of all pictures that went with somebody whose name was erased, wherever copies lie; raises JournalError."""
    tokens = {f"{OPEN}{token}{CLOSE}" for token in journal.pseudonyms_in_rows() - journal.names().keys()}
    return frozenset(_trace(journal, tokens, "").gone) if tokens else frozenset()


def _trace(journal: Journal, tokens: set[str], label: str) -> Trace:
    trace = Trace()
    for number, kind, *_, body, _hash in journal.chained():
        if kind == "pictures" or (OPEN in body and any(token in body for token in tokens)):
            _follow(trace, kind, json.loads(body), tokens)
        if len(label.encode()) > 2 and label in body:
            trace.clear.append(number)
    return trace


def _follow(trace: Trace, kind: str, value: dict[str, Any], tokens: set[str]) -> None:
    if kind == "pictures":
        trace.pictures |= {picture["digest"]: value["visit"] for picture in value["pictures"]}
        trace.shown |= {picture["digest"] for picture in value["pictures"] if {picture["label"], picture["like"]} & tokens}
    if kind in ("decision", "visit", "pictures") and set(_named(value)) & tokens:
        trace.visits.add(value["visit"]["id"] if kind == "visit" else value["visit"])


def _named(value: dict[str, Any]) -> Iterator[str]:
    """Yield whom a row says was there: its own label, and those of its frames and pictures."""
    yield value.get("label") or ""
    frames: Iterable[dict[str, Any]] = value["visit"]["frames"] if isinstance(value.get("visit"), dict) else value.get("pictures", ())
    for frame in frames:
        yield frame.get("label") or ""
