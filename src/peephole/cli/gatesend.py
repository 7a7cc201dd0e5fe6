"""peephole gate send, secret: a signed command to a gate from afar, and the secret that it is signed with."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from peephole.cli.gateshow import PROBLEM, Settings, say

if TYPE_CHECKING:
    from peephole.gateway.door import Door
    from peephole.gateway.remotekeys import Remote

__all__ = ["secret", "send"]


def send(
    settings: Settings,
    command: Annotated[str, typer.Argument(help="lock, unlock, status or open.")],
    gate: Annotated[str, typer.Option("--gate", help="Another gate on the same broker with the same secret; left out, the one in DOOR.toml.")] = "",
    why: Annotated[str, typer.Option("--why", help="For the gate's journal.")] = "",
    action: Annotated[str, typer.Option("--action", help="What to open, where it is not called open.")] = "",
    wait: Annotated[float, typer.Option("--wait", min=1, max=60, help="Seconds to wait for the answer; the command is good for as long.")] = 10.0,
) -> None:
    """Send a gate a command, signed, and wait for its answer. DOOR.toml needs [broker] and [remote] here; the gate's own has them too.

    Exit code 3 when the gate refused, or did not answer: then it may have followed the command all the same.
    """
    from peephole.base.errors import MissingInput
    from peephole.gateway.door import load_door
    from peephole.gateway.remotekeys import LEAST
    from peephole.gateway.remotesend import exchange, ordered
    from peephole.gateway.secret import read_secret
    from peephole.gateway.switchboard import broker_place

    door = load_door(settings)
    path = door.folder / _remote(door).secret.file
    if not path.exists():
        what = f"the secret that commands are signed with is not there: {path}"
        raise MissingInput(what, f"copy the gate's own there; it is made once, by: peephole gate secret {settings}")
    key = read_secret(path, "the secret of remote commands", LEAST)
    args = {name: value for name, value in (("why", why), ("action", action)) if value}
    answer = exchange(broker_place(door), key, ordered(gate or door.settings.gate.name, command, args, wait), wait)
    if answer is None:
        say(f"[yellow]no answer[/] within {wait:g} s: the gate is away, does not know the secret, or its clock differs; see its status and journal")
        raise typer.Exit(PROBLEM)
    say(f"[green]done[/]: {escape(answer.text)}" if answer.done else f"[red]refused[/]: {escape(answer.text)}")
    if not answer.done:
        raise typer.Exit(PROBLEM)


def _remote(door: "Door") -> "Remote":
    from peephole.base.errors import SettingsError

    if door.settings.remote is None:
        raise SettingsError(f"{door.path} has no [remote]", 'add [remote] with secret = {file = "remote.secret"}')
    return door.settings.remote


def secret(settings: Settings) -> None:
    """Make the secret that commands from afar are signed with: 32 random bytes, for its owner alone to read. One that is there is kept."""
    import secrets as random

    from peephole.base.errors import OutputError
    from peephole.base.files import write_atomic
    from peephole.gateway.door import load_door

    door = load_door(settings)
    path = door.folder / _remote(door).secret.file
    if path.exists():
        raise OutputError(
            f"{path} is there already", f"to change it, remove it first (rm {path}), and take the new one to everybody who sends commands"
        )
    write_atomic(path, random.token_hex(32) + "\n", mode=0o600)
    say(f"{escape(str(path))} holds a new secret; copy it, by hand or over ssh, to whoever may send commands: peephole gate send")
