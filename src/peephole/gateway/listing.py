"""Rows of the journal picked out by label, visit and day, and written as CSV, JSON lines or Parquet."""

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from peephole.base.errors import InputError, did_you_mean
from peephole.base.extras import load
from peephole.base.files import write_atomic
from peephole.base.records import Decision
from peephole.gateway.journal import Enrolled, Entry, Erased, Journal, Kept, Picture, Record, Trimmed
from peephole.gateway.oneline import one_line
from peephole.gateway.pictures import Album
from peephole.gateway.policy import UNKNOWN, Ended
from peephole.gateway.reasons import plural

__all__ = ["ENDINGS", "Shown", "Wanted", "export", "flat", "pictures_of_visit", "select", "what"]

ENDINGS = (".csv", ".jsonl", ".parquet")
# What a spreadsheet would take for a formula; the last four are the wide forms of the first.
FORMULA = "=+-@＝＋－＠"


@dataclass(frozen=True)
class Wanted:
    """Which rows: of a kind, of a label ("unknown": strangers), of a visit, of a day (local time), and the `last` so many of them."""

    kind: str | None = None
    label: str | None = None
    visit: str | None = None
    day: date | None = None
    last: int | None = None


@dataclass(frozen=True)
class Shown:
    """A picture of a visit, the row that tells of it, and whether it is kept, gone (by age, size or erasure) or changed."""

    row: int
    picture: Picture
    state: Literal["kept", "gone", "changed"]
    data: bytes


def select(journal: Journal, wanted: Wanted) -> tuple[Entry, ...]:
    """Return the rows that are wanted, oldest first; raises JournalError, or InputError for a label or visit that no row names, or a day of none."""
    label = None if wanted.label == UNKNOWN else wanted.label
    if label is not None:
        _require_label(journal, label)
    # A visit's name that holds an erased one reads otherwise than it is written.
    mention = None if wanted.visit is not None and "erased-" in wanted.visit else wanted.visit if wanted.visit is not None else label
    picky = wanted.label is not None or wanted.visit is not None or wanted.day is not None
    entries = journal.entries(wanted.kind, None if picky else wanted.last, mention=mention)
    if wanted.visit is not None and not any(_visit(entry.record) == wanted.visit for entry in entries):
        visits = (_visit(entry.record) for entry in journal.entries("visit", 1000))
        near = did_you_mean(wanted.visit, [visit for visit in visits if visit])
        gone = " (older rows were removed: --kind trimmed)" if journal.begins()[0] else ""
        raise InputError(
            f"no row is of the visit '{one_line(wanted.visit)[:60]}'{near}",
            f"see the visits: peephole gate journal {journal.path} --kind visit{gone}",
        )
    found = tuple(entry for entry in entries if _fits(entry, wanted))
    if wanted.day is not None and not found:
        more = "" if wanted == Wanted(day=wanted.day, last=wanted.last) else " and of what else was asked for"
        raise InputError(f"no row is of {wanted.day}{more}", f"see the latest: peephole gate journal {journal.path}")
    return found if wanted.last is None else found[-wanted.last :]


def _require_label(journal: Journal, label: str) -> None:
    names = set(journal.names().values())
    if label not in names:
        raise InputError(f"no row names '{one_line(label)[:60]}'{did_you_mean(label, names)}", "strangers are --label unknown; erased names are gone")


def _fits(entry: Entry, wanted: Wanted) -> bool:
    record = entry.record
    if wanted.visit is not None and _visit(record) != wanted.visit:
        return False
    if wanted.day is not None and not (entry.trusted and datetime.fromtimestamp(entry.wall).date() == wanted.day):
        return False
    if wanted.label is None:
        return True
    if isinstance(record, Kept):
        return any((picture.label or UNKNOWN) == wanted.label for picture in record.pictures)
    if isinstance(record, Decision) and record.visit == "-" and wanted.label == UNKNOWN:
        return False  # what is told of the gate itself, and wrong PINs: nobody was at the door
    return isinstance(record, Decision | Ended | Enrolled) and (record.label or UNKNOWN) == wanted.label


def _visit(record: Record) -> str | None:
    if isinstance(record, Decision | Kept):
        return record.visit
    return record.visit.id if isinstance(record, Ended) else None


def what(record: Record) -> str:
    """Say what a row says, on one line."""
    if isinstance(record, Decision):
        told = f"{record.verdict} ({record.visit}, {record.rule}): {record.reason}"
    elif isinstance(record, Ended):
        told = f"{record.visit.id}: {plural(record.seen, 'frame')}, {record.refused} of them not judged; ended in {record.verdict}"
    elif isinstance(record, Kept):
        lost = f", {record.dropped} dropped" if record.dropped else ""
        told = f"{record.visit}: {plural(len(record.pictures), 'picture')} kept{lost}"
    elif isinstance(record, Erased):
        photos = f", {plural(record.photos, 'photo')} of the gallery" if record.photos else ""
        told = f"{plural(len(record.pseudonyms), 'name')} and {plural(record.pictures, 'picture')} erased{photos}, {record.reason}"
    elif isinstance(record, Enrolled):
        flagged = f", {record.flagged} of them flagged" if record.flagged else ""
        told = f"{record.label}: {plural(record.photos, 'photo')} taken in{flagged}, confirmed by {record.confirmed_by}"
    elif isinstance(record, Trimmed):
        told = f"{plural(record.rows, 'row')} up to row {record.through:,} removed, because {record.reason}"
    else:
        told = f"{record.subject}: {record.text}"
    return one_line(told)


def flat(entry: Entry) -> dict[str, Any]:
    """Return a row as one line of a table, the same columns for every kind; `when` is local time, empty while the clock was not set."""
    record = entry.record
    table: dict[str, Any] = {
        "row": entry.number,
        "kind": entry.kind,
        "when": datetime.fromtimestamp(entry.wall).astimezone().isoformat(timespec="milliseconds") if entry.trusted else "",
        "time": entry.time,
        "wall": entry.wall,
        "trusted": entry.trusted,
        "boot": entry.boot,
        "visit": _visit(record) or "",
    }
    for name in ("verdict", "label", "rule", "action", "seen", "refused"):
        table[name] = getattr(record, name, None)
    table["pictures"] = len(record.pictures) if isinstance(record, Kept) else record.pictures if isinstance(record, Erased) else None
    return table | {"what": record.reason if isinstance(record, Decision) else what(record)}


def export(entries: Sequence[Entry], path: Path) -> None:
    """Write rows as .csv, .jsonl or .parquet; raises InputError for another ending, MissingExtra without polars, OutputError."""
    ending = path.suffix.lower()
    if ending == ".csv":
        write_atomic(path, _csv(entries))
    elif ending == ".jsonl":
        write_atomic(path, "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries))
    elif ending == ".parquet":
        write_atomic(path, load("gateway.parquet:parquet")([flat(entry) for entry in entries]))
    else:
        raise InputError(f"'{path.name[:60]}' ends in none of {', '.join(ENDINGS)}{did_you_mean(ending, ENDINGS)}", "write --export rows.csv")


def _csv(entries: Sequence[Entry]) -> str:
    """Write a table that a spreadsheet opens as text: no cell of it is taken for a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for place, entry in enumerate(entries):
        table = flat(entry)
        if place == 0:
            writer.writerow(table)
        writer.writerow([_cell(value) for value in table.values()])
    return "\ufeff" + out.getvalue()  # without the mark, Excel takes UTF-8 for something else


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.lstrip()[:1] and text.lstrip()[0] in FORMULA else text


def pictures_of_visit(journal: Journal, visit: str, folder: Path) -> Iterator[Shown]:
    """Yield every picture that was kept of a visit, with its bytes where its file is still what was written."""
    album = Album(folder, 0, 0)
    for entry in select(journal, Wanted(kind="pictures", visit=visit)):
        assert isinstance(entry.record, Kept), "rows of the kind `pictures` are read as such"
        for picture in entry.record.pictures:
            path = album.find(picture.digest)
            data = b"" if path is None else path.read_bytes()
            same = hashlib.sha256(data).hexdigest() == picture.digest
            yield Shown(entry.number, picture, "gone" if path is None else "kept" if same else "changed", data if same else b"")
