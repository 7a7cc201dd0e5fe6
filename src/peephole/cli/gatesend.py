"""peephole gate send, secret: a signed command to a gate from afar, and the secret that it is signed with."""

from typing import Annotated

import typer
from rich.markup import escape

from peephole.cli.gateshow import PROBLEM, Settings, say

__all__ = ["secret", "send"]


def send(
    settings: Settings,
    command: Annotated[str, typer.Argument(help="lock, unlock, status or open.")],
    gate: Annotated[str, typer.Option("--gate", help="Another gate on the same broker with the same secret; left out, the one in DOOR.toml.")] = "",
    why: Annotated[str, typer.Option("--why", help="For the gate's journal.")] = "",
    action: Annotated[str, typer.Option("--action", help="What to open, where it is not called open.")] = "",
    wait: Annotated[float, typer.Option("--wait", min=1, max=60, help="Seconds to wait for the answer; the command is good for as long.")] = 10.0,
) -> None:
    """Send a gate a command, signed, and wait for its answer. DOOR.toml needs [gate] name, [broker] and [remote] here; the gate's own has more.

    Exit code 3 when the gate refused, or did not answer: then it may have followed the command all the same.
    """
    from peephole.base.errors import MissingInput
    from peephole.gateway.remotekeys import LEAST
    from peephole.gateway.remotesend import exchange, load_far_end, ordered
    from peephole.gateway.secret import read_secret

    here = load_far_end(settings)
    path = here.secret
    if not path.exists():
        what = f"the secret that commands are signed with is not there: {path}"
        raise MissingInput(what, f"copy the gate's own there; it is made once, by: peephole gate secret {settings}")
    key = read_secret(path, "the secret of remote commands", LEAST)
    args = {name: value for name, value in (("why", why), ("action", action)) if value}
    answer = exchange(here.broker, key, ordered(gate or here.gate, command, args, wait), wait)
    if answer is None:
        name = f"'{here.broker.username}'" if here.broker.username else "somebody without a name"
        say(
            f"[yellow]no answer[/] within {wait:g} s: the gate is away, does not know the secret, or its clock differs (see its status and journal); "
            f"or the broker does not let {escape(name)} send commands, and says nothing: the shipped access list lets 'operator' alone"
        )
        raise typer.Exit(PROBLEM)
    say(f"[green]done[/]: {escape(answer.text)}" if answer.done else f"[red]refused[/]: {escape(answer.text)}")
    if not answer.done:
        raise typer.Exit(PROBLEM)


def secret(settings: Settings) -> None:
    """Make the secret that commands from afar are signed with: 32 random bytes, for its owner alone to read. One that is there is kept."""
    import secrets as random

    from peephole.base.errors import OutputError
    from peephole.base.files import write_atomic
    from peephole.gateway.remotesend import load_far_end

    path = load_far_end(settings).secret
    if path.exists():
        raise OutputError(
            f"{path} is there already", f"to change it, remove it first (rm {path}), and take the new one to everybody who sends commands"
        )
    write_atomic(path, random.token_hex(32) + "\n", mode=0o600)
    say(f"{escape(str(path))} holds a new secret; copy it, by hand or over ssh, to whoever may send commands: peephole gate send")
