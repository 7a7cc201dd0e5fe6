"""peephole gate: run a door, check its settings in plain words; its other verbs are in the files beside this one."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from peephole.cli import gateevidence, gatejournal, gatelabel, gatemodels, gatepeople, gatepin, gatesend, gateswap, gateunit
from peephole.cli.gateshow import COLOURS, PROBLEM, AsJson, Settings, report, say, stop_on_signals

if TYPE_CHECKING:
    from peephole.base.card import Card
    from peephole.gateway.door import Door
    from peephole.gateway.journal import Record
    from peephole.gateway.sentences import Part

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The gate: sensors in, decisions, controllers out.")

STATES = {"ok": "green", "note": "yellow", "problem": "red", "not tried": "yellow"}


@app.command()
def run(settings: Settings, as_json: AsJson = False) -> None:
    """Watch the door until Ctrl-C, or until its recording ends and what it opened is shut again."""
    from peephole.base.heap import opening
    from peephole.gateway.agent import run as watch
    from peephole.gateway.door import load_door
    from peephole.gateway.swap import choose

    with opening():
        chosen = choose(load_door(settings))
    door, predictor = chosen.door, chosen.fit.predictor
    stop = stop_on_signals()
    looks = f"[bold]{escape(door.settings.gate.name)}[/] looks at {escape(door.settings.sensor.source)}; Ctrl-C stops it"
    with _log_shown(faults=as_json):
        summary = watch(
            door,
            predictor.follow,
            predictor.card,
            stop=stop,
            witnesses=chosen.complaints,
            notes=chosen.notes,
            tell=None if as_json else _teller(looks),
        )
    report(summary, as_json)


@app.command()
def check(
    settings: Settings,
    broker: Annotated[bool, typer.Option("--broker", help="Connect to the MQTT broker too, without saying anything there.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Explain alone: the plain words, and nothing that was looked at.")] = False,
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
    models, card = _model(door)
    found = look(door, card)
    parts = () if explain else (*models, *found.parts, *inspect(door, broker))
    problems = [part for part in parts if part.state == "problem"]
    if as_json:
        told = [f"{part.text}\nhint:  {part.hint}" if part.hint else part.text for part in problems]
        typer.echo(json.dumps({"sentences": found.sentences, "parts": [asdict(part) for part in parts], "problems": told}, ensure_ascii=False))
    else:
        for sentence in found.sentences:
            say(escape(sentence))
        if explain:
            return
        say("")
        for part in parts:
            say(f"[{STATES[part.state]}]{part.state:9}[/]  {escape(part.name):12}  {escape(part.text)}")
            if part.state in ("note", "problem") and part.hint:
                say(f"{'':9}  {'':12}  hint: {escape(part.hint)}")
        say("")
        if problems:
            say(f"[red]{plural(len(problems), 'problem')}[/]: nothing was changed; correct, then check again")
        else:
            say(f"[green]in order[/]: peephole gate run {escape(str(settings))}")
    if problems:
        raise typer.Exit(PROBLEM)


def _model(door: "Door") -> "tuple[tuple[Part, ...], Card | None]":
    """Open the model file and its gallery, ask about built-in pictures, and return what became of that and the card as it stands here."""
    from peephole.base.errors import PeepholeError
    from peephole.decide.predictor import load
    from peephole.gateway.acquaintance import met
    from peephole.gateway.selftest import answers
    from peephole.gateway.sentences import Part, problem

    try:
        predictor = load(door.model)
        answered = answers(door.model, predictor, door)
    except PeepholeError as error:
        return (problem("model", error),), None
    card = predictor.card
    line = f"threshold {card.unknown.threshold:.3f}"
    told = Part("model", "ok", f"{door.model} opens; it knows {', '.join(card.labels)}; {line}; {answered}")
    try:
        here = met(predictor, door.gallery).card
    except PeepholeError as error:
        return (told, problem("gallery", error)), card
    if not door.gallery.exists():
        return (told,), card
    new = [label for label in here.labels if label not in card.labels]
    also = f"adds {', '.join(new)}" if new else "adds nobody new"
    return (told, Part("gallery", "ok", f"{door.gallery} belongs to this model and {also}; read at the start alone")), here


@contextmanager
def _log_shown(faults: bool) -> Iterator[None]:
    """Print what log:// writes to the program's log, and what goes wrong; `faults` that stand in the journal too, where nobody reads that out."""
    shown = logging.StreamHandler()
    shown.setFormatter(logging.Formatter("%(message)s"))
    shown.addFilter(lambda record: faults or not getattr(record, "told", False))
    log = logging.getLogger("peephole.gate")
    log.addHandler(shown)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(shown)


def _teller(first: str) -> "Callable[[Record], None]":
    """Return what prints records; `first` comes before the start, which is told once the gate is the only one and its sensor is open."""
    from peephole.gateway.journal import Remark

    def tell(record: "Record") -> None:
        if isinstance(record, Remark) and record.kind == "start":
            say(first)
        _tell(record)

    return tell


def _tell(record: "Record") -> None:
    """Print decisions and remarks as they come; visits only repeat them."""
    from peephole.base.records import Decision
    from peephole.gateway.journal import Remark
    from peephole.gateway.oneline import one_line

    now = f"{datetime.now():%H:%M:%S}"
    if isinstance(record, Decision):
        verdict = f"[{COLOURS[record.verdict]}]{record.verdict:6}[/]"
        say(f"{now}  {verdict} {escape(one_line(record.visit))}  {escape(one_line(record.reason))} ({escape(record.rule)})")
    elif isinstance(record, Remark):
        say(f"{now}  [dim]{record.kind:6}[/] {escape(one_line(record.subject))}: {escape(one_line(record.text))}")


# In the order in which somebody with a new door meets them.
app.command("replay")(gatemodels.replay)
app.command("journal")(gatejournal.journal)
app.command("evidence")(gateevidence.evidence)
app.command("people")(gatepeople.people)
app.command("enrol")(gatepeople.enrol)
app.command("forget")(gatepeople.forget)
app.command("label")(gatelabel.label)
app.command("pin")(gatepin.pin)
app.command("unlock")(gatepin.unlock)
app.command("secret")(gatesend.secret)
app.command("send")(gatesend.send)
app.command("promote")(gateswap.promote)
app.command("rollback")(gateswap.rollback)
app.command("unit")(gateunit.unit)
