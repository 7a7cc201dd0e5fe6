"""peephole gate unit: the service that keeps a gate running."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from peephole.cli.gateshow import Settings

__all__ = ["unit"]


def unit(
    settings: Settings,
    user: Annotated[str | None, typer.Option(help="Whom the gate runs as; left out, systemd takes root.")] = None,
) -> None:
    """Print the systemd unit that starts a gate at boot, restarts it for ever and ends it when one of its loops hangs."""
    from peephole.base.errors import InputError
    from peephole.gateway.door import load_door
    from peephole.gateway.unit import unit as text

    if user is not None and not (user.isascii() and user.replace("-", "").replace("_", "").isalnum() and len(user) <= 32):
        raise InputError(f"'{user[:40]}' is not a user's name", "letters, digits, - and _")
    program = shutil.which("peephole") or Path(sys.executable).with_name("peephole")
    typer.echo(text(load_door(settings), Path(program).resolve(), user), nl=False)
