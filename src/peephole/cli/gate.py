"""peephole gate: run a door, check its settings in plain words, replay recorded visits, read the journal."""

import json
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from peephole.base.card import Card
    from peephole.gateway.agent import Summary
    from peephole.gateway.journal import Entry, Record
    from peephole.gateway.sentences import Part

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The gate: sensors in, decisions, controllers out.")

Settings = Annotated[Path, typer.Argument(metavar="DOOR.toml", help="The settings of the gate.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a report.")]
STATES = {"ok": "green", "problem": "red", "not tried": "yellow"}
COLOURS = {"open": "green", "ask": "yellow", "refuse": "red"}
PROBLEM = 3


@app.command()
def run(settings: Settings, as_json: AsJson = False) -> None:
    """Watch the door until Ctrl-C, or until its recording ends and what it opened is shut again."""
    from peephole.decide.predictor import load
    from peephole.gateway.agent import run as watch
    from peephole.gateway.door import load_door

    door = load_door(settings)
    predictor = load(door.model)
    stop = _stop_on_signals()
    if not as_json:
        _say(f"[bold]{escape(door.settings.gate.name)}[/] looks at {escape(door.settings.sensor.source)}; Ctrl-C stops it")
    with _log_shown(faults=as_json):
        summary = watch(door, predictor.follow, predictor.card, stop=stop, tell=None if as_json else _tell)
    _report(summary, as_json)


@app.command()
def check(
    settings: Settings,
    broker: Annotated[bool, typer.Option("--broker", help="Connect to the MQTT broker too, without saying anything there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Explain the settings in plain words and look at all they name: may the gate arm, is everything there? Nothing is made, nothing moves.

    Exit code 3 when there is a problem.
    """
    from peephole.gateway.door import load_door
    from peephole.gateway.inspection import inspect
    from peephole.gateway.reasons import plural
    from peephole.gateway.sentences import check as look

    door = load_door(settings)
    model, card = _model(door.model)
    found = look(door, card)
    parts = (model, *found.parts, *inspect(door, broker))
    problems = [part for part in parts if part.state == "problem"]
    if as_json:
        told = [f"{part.text}\nhint:  {part.hint}" if part.hint else part.text for part in problems]
        typer.echo(json.dumps({"sentences": found.sentences, "parts": [asdict(part) for part in parts], "problems": told}, ensure_ascii=False))
    else:
        for sentence in found.sentences:
            _say(escape(sentence))
        _say("")
        for part in parts:
            _say(f"[{STATES[part.state]}]{part.state:9}[/]  {escape(part.name):12}  {escape(part.text)}")
            if part.state == "problem" and part.hint:
                _say(f"{'':9}  {'':12}  hint: {escape(part.hint)}")
        _say("")
        if problems:
            _say(f"[red]{plural(len(problems), 'problem')}[/]: nothing was changed; correct, then check again")
        else:
            _say(f"[green]in order[/]: peephole gate run {escape(str(settings))}")
    if problems:
        raise typer.Exit(PROBLEM)


@app.command()
def replay(
    settings: Settings,
    recording: Annotated[str, typer.Argument(help="A folder with one sub-folder per visit, or a table time,file[,visit[,truth]].")],
    model: Annotated[Path | None, typer.Option(help="Another model file than the one in DOOR.toml.")] = None,
    start: Annotated[str | None, typer.Option(help="When a folder's recording began, for rules with hours: 2026-11-02T08:00.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run recorded visits through the gate's rules; nothing moves and nothing is journaled."""
    from peephole.decide.predictor import load
    from peephole.gateway.agent import run as watch
    from peephole.gateway.door import load_door
    from peephole.gateway.journal import Journal
    from peephole.gateway.sensors import replay_sensor
    from peephole.gateway.switchboard import rehearsal

    door = load_door(settings)
    predictor = load(model or door.model)
    with Journal(None, door.settings.gate.name) as journal:
        parts: dict[str, Any] = {"sensor": replay_sensor(Path(recording), start), "switchboard": rehearsal(door), "journal": journal}
        summary = watch(door, predictor.follow, predictor.card, stop=_stop_on_signals(), **parts)
    _report(summary, as_json, rehearsed=True)


@app.command()
def journal(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A journal such as journal.db, or the DOOR.toml that names it.")],
    last: Annotated[int, typer.Option(min=1, help="How many of the latest rows.")] = 20,
    kind: Annotated[str | None, typer.Option(help="start, decision, visit, frame, fault or stop.")] = None,
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
    _say(_rows(entries))


def _model(path: Path) -> "tuple[Part, Card | None]":
    """Open the model file, ask it about an empty picture, and return what became of that and its card."""
    import numpy as np

    from peephole.base.errors import PeepholeError, PhotoError
    from peephole.decide.predictor import load
    from peephole.gateway.sentences import Part, problem

    try:
        predictor = load(path)
        try:
            predictor.predict(np.full((32, 32, 3), 127, np.uint8))
        except PhotoError:  # a region that looks for a subject finds none in an empty picture
            predictor.engine.run(np.full(predictor.engine.shape, 127, np.uint8))
    except PeepholeError as error:
        return problem("model", error), None
    card = predictor.card
    return Part("model", "ok", f"{path} opens and answers; it knows {', '.join(card.labels)}; threshold {card.unknown.threshold:.3f}"), card


@contextmanager
def _log_shown(faults: bool) -> Iterator[None]:
    """Print what log:// writes to the program's log; and `faults`, unless they are told anyway."""
    shown = logging.StreamHandler()
    shown.setFormatter(logging.Formatter("%(message)s"))
    shown.addFilter(lambda record: faults or record.levelno < logging.ERROR)
    log = logging.getLogger("peephole.gate")
    log.addHandler(shown)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(shown)


def _stop_on_signals() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set, so that the door is put into its safe state in good order."""
    stop = threading.Event()

    def halt(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, halt)
    signal.signal(signal.SIGTERM, halt)
    return stop


def _say(what: Any) -> None:
    Console(highlight=False, soft_wrap=isinstance(what, str)).print(what)


def _tell(record: "Record") -> None:
    """Print decisions and remarks as they come; visits only repeat them."""
    from peephole.base.records import Decision
    from peephole.gateway.journal import Remark

    now = f"{datetime.now():%H:%M:%S}"
    if isinstance(record, Decision):
        _say(f"{now}  [{COLOURS[record.verdict]}]{record.verdict:6}[/] {escape(record.visit)}  {escape(record.reason)} ({escape(record.rule)})")
    elif isinstance(record, Remark):
        _say(f"{now}  [dim]{record.kind:6}[/] {escape(record.subject)}: {escape(record.text)}")


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


def _report(summary: "Summary", as_json: bool, rehearsed: bool = False) -> None:
    """Print what a gate did; a rehearsal told nothing on the way, so its visits, notes and grounds for arming come here."""
    if as_json:
        assert is_dataclass(summary)
        typer.echo(json.dumps(asdict(summary), ensure_ascii=False))
        return
    from peephole.base.evidence import describe
    from peephole.gateway.reasons import plural

    if rehearsed:
        table = Table("visit", "verdict", "who", "truth", "why", box=None)
        for outcome in summary.outcomes:
            verdict = f"[{COLOURS[outcome.verdict]}]{outcome.verdict}[/]{'' if outcome.acted else ' (not done)'}"
            table.add_row(*map(escape, (outcome.visit,)), verdict, escape(outcome.label or ""), escape(outcome.truth or ""), escape(outcome.reason))
        _say(table)
    _say(
        f"{plural(summary.visits, 'visit')}: [green]{summary.opened} opened[/], {summary.asked} asked, [red]{summary.shut} shut[/]; "
        f"{plural(summary.frames, 'frame')}, {summary.refused_frames} of them not judged; {plural(summary.faults, 'fault')}"
    )
    told = (*summary.notes, summary.armed.sentence) if rehearsed else ()
    for sentence in (*told, *([describe(summary.false_accepts)] if summary.false_accepts else [])):
        _say(escape(sentence))
