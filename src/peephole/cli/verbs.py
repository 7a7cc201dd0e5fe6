"""The verbs of the command line: one short function each; errors become one sentence and a hint."""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from peephole.base.errors import OutputError, PeepholeError
from peephole.cli import augment, budget, doubt, gate, learn, look, map, sign
from peephole.cli import studio as page
from peephole.cli.lab import lab_app
from peephole.cli.show import print_error

__all__ = ["app", "run"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)

app = typer.Typer(
    name="peephole",
    help="Small neural networks you can see through: from a handful of examples to a device that decides and acts.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.command("demo")(look.demo)
app.command("check")(look.check)
app.command("augment")(augment.augment)
app.command("train")(learn.train)
app.command("budget")(budget.budget)
app.command("doubt")(doubt.doubt)
app.command("predict")(look.predict)
app.command("evaluate")(look.evaluate)
app.command("explain")(look.explain)
app.command("map")(map.draw)
app.command("trace")(look.trace)
app.command("keygen")(sign.keygen)
app.command("sign")(sign.sign)
app.command("verify")(sign.verify)
app.command("studio")(page.studio)
app.add_typer(lab_app, name="lab")
app.add_typer(gate.app, name="gate")


def _version(wanted: bool) -> None:
    if wanted:
        look.versions()
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the versions and stop.")] = False,
) -> None:
    """Small neural networks you can see through: from a handful of examples to a device that decides and acts."""


def _write_no_more() -> None:
    """Let what is still buffered for a lost output go, or Python would stumble over it once more at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _hush() -> None:
    """Of the processes that torchrun starts, the first speaks; another finds its voice again only for an error of its own."""
    if "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0":
        sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # until the process ends


def run() -> None:
    """Run the command line; exit 0 done, 1 the input was wrong, 2 usage, 3 a check found a problem, 130 it was interrupted."""
    _hush()
    try:
        app()
    except PeepholeError as error:
        print_error(error)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output went away: not our error
        _write_no_more()
        sys.exit(0)
    except OSError as error:
        if error.errno not in FULL:
            raise
        _write_no_more()
        print_error(OutputError(f"the answer cannot be written: {error.strerror}", "make room, or send it elsewhere"))
        sys.exit(1)
