"""peephole gate journal: what the gate did, read back."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from peephole.cli.gateshow import AsJson, say

if TYPE_CHECKING:
    from peephole.gateway.journal import Entry, Record

__all__ = ["journal"]


def journal(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A journal such as journal.db, or the DOOR.toml that names it.")],
    last: Annotated[int, typer.Option(min=1, help="How many of the latest rows.")] = 20,
    kind: Annotated[str | None, typer.Option(help="start, decision, visit, frame, fault, shadow or stop.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the latest rows of the journal, oldest first."""
    from peephole.base.errors import InputError, did_you_mean
    from peephole.gateway.door import journal_of
    from peephole.gateway.journal import KINDS, Journal

    if kind is not None and kind not in KINDS:
        raise InputError(f"'{kind[:20]}' is not a kind of row{did_you_mean(kind, KINDS)}", f"the kinds are {', '.join(KINDS)}")
    with Journal.read(journal_of(journal)) as book:
        entries = book.entries(kind, last)
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(asdict(entry), ensure_ascii=False))
        return
    say(_rows(entries))


def _rows(entries: "tuple[Entry, ...]") -> Table:
    table = Table("row", "when", "kind", "what", box=None)
    for entry in entries:
        when = f"{datetime.fromtimestamp(entry.wall):%Y-%m-%d %H:%M:%S}" if entry.trusted else f"clock not set, {entry.time:.1f} s"
        table.add_row(str(entry.number), when, entry.kind, escape(_what(entry.record)))
    return table


def _what(record: "Record") -> str:
    from peephole.base.records import Decision
    from peephole.gateway.policy import Ended
    from peephole.gateway.reasons import plural

    if isinstance(record, Decision):
        return f"{record.verdict} ({record.visit}, {record.rule}): {record.reason}"
    if isinstance(record, Ended):
        return f"{record.visit.id}: {plural(record.seen, 'frame')}, {record.refused} of them not judged; ended in {record.verdict}"
    return f"{record.subject}: {record.text}"
