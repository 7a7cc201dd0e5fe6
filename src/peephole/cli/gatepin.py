"""peephole gate pin, unlock: the second factor's secrets, and the end of a lockout."""

import sys
from typing import Annotated

import typer
from rich.markup import escape

from peephole.cli.gateshow import Settings, answered, say

__all__ = ["pin", "unlock"]

MOST = 1000


def pin(
    settings: Settings,
    name: Annotated[str, typer.Argument(help="Whose PIN or tag: a label that a rule names.")],
    tag: Annotated[bool, typer.Option("--tag", help="A tag's number, as the reader sends it, instead of a PIN.")] = False,
    beside: Annotated[bool, typer.Option("--beside", help="Keep what they have, such as a tag beside a PIN.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take away all PINs and tags of NAME.")] = False,
) -> None:
    """Give somebody a PIN or tag, asked for without showing it, or read from standard input when that is no terminal. It counts at once."""
    from peephole.base.errors import InputError, MissingInput, did_you_mean
    from peephole.gateway.door import load_door
    from peephole.gateway.pins import Pins, read_pins, require_good, write_pins

    door = load_door(settings)
    known = sorted({who for rule in door.settings.rule for who in rule.who if door.settings.opens(rule.do)})
    try:
        pins = read_pins(door.factors)
    except MissingInput:
        pins = Pins()
    if remove:
        if name not in pins.people:
            raise InputError(
                f"'{name[:60]}' has no PIN or tag{did_you_mean(name, pins.people)}", f"those who do: {', '.join(pins.people) or 'nobody'}"
            )
        write_pins(door.factors, pins.without(name))
        say(f"{escape(name)} has no PIN or tag any more")
        return
    if name not in known:
        raise InputError(f"no rule lets '{name[:60]}' open anything{did_you_mean(name, known)}", f"the rules name {', '.join(known) or 'nobody'}")
    what = "tag" if tag else "PIN"
    secret = _asked(what, f"type it, or: echo {'04A2B1C8' if tag else '2468'} | peephole gate pin {settings} {name}{' --tag' if tag else ''}")
    if not tag:
        require_good(secret)
    write_pins(door.factors, pins.given(name, "tag" if tag else "pin", secret, beside))
    say(f"{escape(name)} has a {what}; {escape(str(door.factors))} holds its hash, for you alone to read")
    if door.factor is None or door.factor.kind != "secret":
        say(f'[yellow]this door asks for none[/]: \\[decide] second_factor = "{escape(door.settings.decide.second_factor)}"')


def _asked(what: str, otherwise: str) -> str:
    """Ask twice on a terminal; else read one line."""
    from peephole.base.errors import InputError

    typed = sys.stdin.isatty()
    with answered(otherwise):
        secret = str(typer.prompt(what, hide_input=True, confirmation_prompt=True) if typed else sys.stdin.readline(MOST)).rstrip("\r\n")
    if not secret or not secret.isprintable():
        raise InputError(f"the {what} is empty, or holds what nobody can type", otherwise)
    return secret


def unlock(settings: Settings) -> None:
    """End the lockout after too many wrong PINs; the door itself is not opened. A running gate notices within a second or two."""
    from peephole.base.errors import JournalError
    from peephole.gateway.door import load_door
    from peephole.gateway.kept import KeptFile
    from peephole.gateway.reasons import plural

    door = load_door(settings)
    file = KeptFile(door.lockout, door.settings.gate.name)
    try:
        kept = file.read()
        told = f"{plural(kept.failures, 'failure')} in a row{f'; {kept.standing.locked}' if kept.standing.locked else ''}"
    except JournalError as error:
        told = error.what
    file.give_order()
    say(f"{escape(told)}; a gate that runs forgets them in a moment, another one when it starts")
