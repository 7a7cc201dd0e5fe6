"""What the verbs of the gate share: how they speak, and how they stop."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from peephole.gateway.summary import Summary

__all__ = ["COLOURS", "PROBLEM", "AsJson", "Settings", "answered", "report", "say", "stop_on_signals"]

Settings = Annotated[Path, typer.Argument(metavar="DOOR.toml", help="The settings of the gate.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a report.")]
COLOURS = {"open": "green", "ask": "yellow", "refuse": "red", "note": "cyan"}
PROBLEM = 3


def stop_on_signals() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set, so that the door is put into its safe state in good order."""
    stop = threading.Event()
    reading, writing = os.pipe()

    def halt(_number: int, _frame: FrameType | None) -> None:
        # Not stop.set() itself: the thread that the signal interrupts may be holding the event's lock, and would wait for itself for ever.
        os.write(writing, b"!")

    def heed() -> None:
        os.read(reading, 1)
        stop.set()

    threading.Thread(target=heed, name="signals", daemon=True).start()

    signal.signal(signal.SIGINT, halt)
    signal.signal(signal.SIGTERM, halt)
    return stop


@contextmanager
def answered(otherwise: str) -> Iterator[None]:
    """Turn a question that nobody answers (Ctrl-C, Ctrl-D, no terminal) into an error; `otherwise` is the hint how to do without it."""
    from peephole.base.errors import InputError

    try:
        yield
    except typer.Abort:
        typer.echo(err=True)  # the question's line
        raise InputError("nobody answered, so nothing was changed", otherwise) from None


def say(what: Any) -> None:
    """Print a line, or a table, in colours where there are any."""
    Console(highlight=False, soft_wrap=isinstance(what, str)).print(what)


def report(summary: "Summary", as_json: bool, rehearsed: bool = False) -> None:
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
        say(table)
    say(
        f"{plural(summary.visits, 'visit')}: [green]{summary.opened} opened[/], {summary.asked} asked, [red]{summary.shut} shut[/]; "
        f"{plural(summary.frames, 'frame')}, {summary.refused_frames} of them not judged; {plural(summary.faults, 'fault')}"
    )
    told = (*summary.notes, summary.armed.sentence) if rehearsed else ()
    for sentence in (*told, *([describe(summary.false_accepts)] if summary.false_accepts else [])):
        say(escape(sentence))
