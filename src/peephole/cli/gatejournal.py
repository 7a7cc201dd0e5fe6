"""peephole gate journal: what the gate did, read back, exported, verified."""

import json
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from peephole.cli.gateshow import PROBLEM, AsJson, say

if TYPE_CHECKING:
    from peephole.gateway.chain import Head
    from peephole.gateway.journal import Entry
    from peephole.gateway.journal import Journal as Book

__all__ = ["journal"]

LAST = 20


def journal(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A journal such as journal.db, or the DOOR.toml that names it.")],
    last: Annotated[int | None, typer.Option(min=1, help="How many of the latest rows: 20, or all with --export.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="start, decision, visit, frame, fault, shadow, stop, pictures, enrolled, erased or trimmed.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Only decisions, visits and pictures of this label; unknown: of strangers.")] = None,
    visit: Annotated[str | None, typer.Option(help="Only rows of this visit.")] = None,
    day: Annotated[str | None, typer.Option(help="Only rows of this day, such as 2026-11-02.")] = None,
    export: Annotated[Path | None, typer.Option(help="Write the rows to a .csv, .jsonl or .parquet file.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="With --visit: copy the visit's pictures into this folder.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check every row, name and picture; exit code 3 when one is not what was written.")
    ] = False,
    head: Annotated[str | None, typer.Option(help="With --verify: the head kept elsewhere, FILE or mqtt://TOPIC; else that of DOOR.toml.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the latest rows of the journal, oldest first; or export, verify, or show a visit's pictures."""
    from peephole.base.errors import InputError, did_you_mean
    from peephole.gateway.door import journal_of, pictures_of
    from peephole.gateway.journal import KINDS, Journal
    from peephole.gateway.listing import Wanted, select
    from peephole.gateway.listing import export as write

    if kind is not None and kind not in KINDS:
        raise InputError(f"'{kind[:20]}' is not a kind of row{did_you_mean(kind, KINDS)}", f"the kinds are {', '.join(KINDS)}")
    if head is not None and not verify:
        raise InputError("--head is what a journal is verified against", f"peephole gate journal {journal} --verify --head {head}")
    if pictures is not None and visit is None:
        raise InputError("--pictures copies those of one visit", f"peephole gate journal {journal} --visit ID --pictures {pictures}")
    if verify:
        _require_all({"--kind": kind, "--label": label, "--visit": visit, "--day": day, "--last": last, "--export": export}, journal)
    path = journal_of(journal)
    if verify:
        _verify(path, (journal, head), pictures_of(path), as_json)
        return
    wanted = Wanted(kind, label, visit, _day(day), last or (None if export else LAST))
    with Journal.read(path) as book:
        if pictures is not None and visit is not None:
            _copy(book, visit, pictures_of(path), pictures, as_json)
            return
        entries = select(book, wanted)
    if export is not None:
        write(entries, export)
        say(f"{escape(str(export))}: {len(entries):,} rows")
    elif as_json:
        for entry in entries:
            typer.echo(json.dumps(asdict(entry), ensure_ascii=False))
    else:
        say(_rows(entries))


def _day(text: str | None) -> date | None:
    from peephole.base.errors import InputError

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"'{text[:20] if text else ''}' is not a day", "write for example --day 2026-11-02") from error


def _rows(entries: "tuple[Entry, ...]") -> Table:
    from peephole.gateway.listing import what

    table = Table("row", "when", "kind", "what", box=None)
    for entry in entries:
        when = f"{datetime.fromtimestamp(entry.wall):%Y-%m-%d %H:%M:%S}" if entry.trusted else f"clock not set, {entry.time:.1f} s"
        table.add_row(str(entry.number), when, entry.kind, escape(what(entry.record)))
    return table


def _head(journal: Path, given: str | None) -> "tuple[str, Head | None] | None":
    """Return where the head is kept and the one that is there; None when nobody keeps one."""
    from peephole.base.errors import InputError
    from peephole.gateway.address import Address
    from peephole.gateway.door import load_door
    from peephole.gateway.head import BrokerPost, FilePost, open_post
    from peephole.gateway.switchboard import broker_place

    settings = journal.suffix == ".toml"
    if given is None:
        post = open_post(load_door(journal)) if settings else None
        return None if post is None else (post.where, post.find())
    if given.startswith("mqtt://"):
        if not settings:
            raise InputError(f"{given} needs the broker that DOOR.toml names", f"peephole gate journal DOOR.toml --verify --head {given}")
        broker = BrokerPost(broker_place(load_door(journal)), Address.parse(given, ("mqtt",)).place)
        return broker.where, broker.find()
    file = FilePost(Path(given.removeprefix("file://")))
    return file.where, file.find()


def _require_all(picked: dict[str, Any], journal: Path) -> None:
    """Refuse what picks rows out: a chain holds as a whole or not."""
    from peephole.base.errors import InputError

    for option, value in picked.items():
        if value is not None:
            raise InputError(f"--verify checks the whole journal, so {option} does not go with it", f"peephole gate journal {journal} --verify")


def _verify(path: Path, kept: tuple[Path, str | None], pictures: Path, as_json: bool) -> None:
    from peephole.base.errors import DamagedJournal
    from peephole.gateway.audit import Audit, verify
    from peephole.gateway.journal import Journal

    head = None
    try:
        with Journal.read(path) as book:
            head = _head(*kept)
            audit = verify(book, head[1] if head else None, pictures)
    except DamagedJournal as error:
        audit = Audit(0, None, (error.what,), (f"hint:  {error.hint}",))
    problems = audit.problems
    if head is not None and head[1] is None:
        problems = (*problems, f"there is no head at {head[0]}: it was never left there, or it was taken away")
    if as_json:
        told = {"rows": audit.rows, "removed": audit.removed, "bad": audit.bad, "problems": problems, "notes": audit.notes}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        for problem in problems:
            say(f"[red]problem[/]  {escape(problem)}")
        for note in audit.notes:
            say(escape(note))
        nothing = "nothing else is missing" if audit.removed else "nothing is missing"
        if audit.rows or not problems:
            say(f"{audit.rows:,} rows follow from one another" + ("" if problems else f", [green]and {nothing}[/]" if head else ""))
    if problems:
        raise typer.Exit(PROBLEM)


def _copy(book: "Book", visit: str, album: Path, folder: Path, as_json: bool) -> None:
    """Copy a visit's pictures and list all that were kept of it, also those that are gone."""
    from peephole.base.files import write_atomic
    from peephole.gateway.listing import pictures_of_visit
    from peephole.gateway.oneline import one_line
    from peephole.gateway.rows import is_date

    table = Table("picture", "when", "who", "state", box=None)
    told = []
    for place, shown in enumerate(pictures_of_visit(book, visit, album), 1):
        name = f"{shown.row}-{place:03d}.jpg" if shown.state == "kept" else ""
        if name:
            write_atomic(folder / name, shown.data)
        told.append({"file": name, "wall": shown.picture.wall, "label": shown.picture.label, "state": shown.state, "sha256": shown.picture.digest})
        when = f"{datetime.fromtimestamp(shown.picture.wall):%Y-%m-%d %H:%M:%S}" if is_date(shown.picture.wall) else "clock not set"
        table.add_row(name or shown.picture.digest[:12], when, escape(one_line(shown.picture.label or "stranger")), shown.state)
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        say(table)
