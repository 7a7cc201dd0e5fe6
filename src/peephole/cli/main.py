"""The command line: one short function per verb; errors become one sentence and a hint."""

import signal
import sys
from typing import Annotated

import typer

from peephole.base.errors import PeepholeError
from peephole.cli import gate, learn, look
from peephole.cli.show import print_error

__all__ = ["app", "main"]

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
app.command("train")(learn.train)
app.command("predict")(look.predict)
app.command("evaluate")(look.evaluate)
app.command("explain")(look.explain)
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


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; exit 0 done, 1 the input was wrong, 2 usage, 3 a check found a problem."""
    signal.signal(signal.SIGTERM, _interrupt)  # a service manager's stop keeps the checkpoint too
    try:
        app()
    except PeepholeError as error:
        print_error(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away: not our error
        sys.exit(0)
