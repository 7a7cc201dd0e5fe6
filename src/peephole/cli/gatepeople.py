"""peephole gate enrol, forget, people: who is known at the gate beside those its model was trained on."""

import getpass
import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from peephole.cli.gateshow import PROBLEM, AsJson, Settings, answered, say

if TYPE_CHECKING:
    from peephole.base.card import Card
    from peephole.gateway.door import Door
    from peephole.gateway.enrol import Proposal

__all__ = ["enrol", "forget", "people"]

LATER = "A gate that is running goes on without the change; it counts from its next start."


def enrol(
    settings: Settings,
    name: Annotated[str, typer.Argument(help="Who is on the photos; a new name, or somebody who is known already.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos, of that person alone.")],
    confirmed_by: Annotated[str | None, typer.Option(help="Who confirms that these photos show NAME (the user who is logged in).")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: whoever gives the command confirms.")] = False,
    flagged: Annotated[bool, typer.Option("--flagged", help="Take flagged photos too; without it they are left out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take somebody in without training: photos are checked as at the door, copies count once, poison is flagged, a person confirms.

    The model file and its threshold stay as they are. Exit code 3 when a photo was flagged and nothing was taken in.
    """
    from peephole.base.errors import DataError
    from peephole.data.layout import printable
    from peephole.decide.predictor import load
    from peephole.gateway.acquaintance import take_in
    from peephole.gateway.clock import SystemClock
    from peephole.gateway.door import load_door
    from peephole.gateway.enrol import begun, propose
    from peephole.gateway.people import Place, read_people
    from peephole.gateway.standing import card_here

    door = load_door(settings)
    _require_not_here(photos, door.folder)
    predictor = load(door.model)
    found = read_people(door.gallery, predictor.model)
    known, place = found if found is not None else (begun(predictor), Place(door.gallery))
    proposal = propose(predictor, known, name, photos, door.settings.sensor.quality)
    taken = proposal.candidates if flagged else proposal.clean
    if not as_json:
        _show(proposal)
    try:
        proposal.require_enough(taken)
    except DataError:
        if as_json:
            _tell_json(proposal, (), None)
        if len(taken) == len(proposal.candidates):
            raise
        if not as_json:
            say(f"[red]nothing was taken in[/]: {len(proposal.candidates) - len(taken)} of {len(proposal.candidates)} photos are flagged")
            say(f"hint:  look at them; give others, or take them all the same: --flagged ({proposal.least} different photos are the least)")
        raise typer.Exit(PROBLEM) from None
    by = confirmed_by or _user()
    question = f"Do all {len(taken)} photos show {proposal.name}, and is {proposal.name} to be known here? ({printable(by)})"
    with answered(f"without a terminal: peephole gate enrol {settings} {printable(name[:60])} PHOTOS --yes"):
        sure = yes or typer.confirm(question, err=as_json)
    if not sure:
        if as_json:
            _tell_json(proposal, (), None)
        else:
            say("nothing was taken in")
        raise typer.Exit(1)
    grown = take_in(door, (known, place), proposal.name, taken, confirmed_by=by, clock=SystemClock())
    card = card_here(predictor.model.card, grown)
    if as_json:
        _tell_json(proposal, tuple(one.file for one in taken), card)
        return
    say(f"[green]{escape(proposal.name)} is known[/] by {len(taken)} more photos, confirmed by {escape(by)}, in {escape(str(door.gallery))}.")
    _tell_grounds(door, card, proposal.name)


def _user() -> str:
    """Return who is logged in; raises InputError where nobody is."""
    from peephole.base.errors import InputError

    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise InputError("nobody is logged in, so it is not known who confirms", "say who does: --confirmed-by NAME") from error


def _show(proposal: "Proposal") -> None:
    """Print what would be taken in, photo by photo."""
    for one in proposal.candidates:
        how = f"[yellow]flagged[/]: {escape('; '.join(one.flags))}" if one.flags else "[green]in order[/]"
        near = f"nearest of anybody else: {escape(one.nearest.label)}, {one.nearest.distance:.2f} away" if one.nearest else "nobody else is known"
        say(f"{escape(one.file)}: {how} ({near})")
    for left in proposal.left_out:
        say(f"left out: {escape(left.file)}: {escape(left.why)}")


def _tell_json(proposal: "Proposal", taken: tuple[str, ...], card: "Card | None") -> None:
    rows: list[dict[str, Any]] = [
        {"file": one.file, "nearest": one.nearest and asdict(one.nearest), "flags": one.flags, "taken": one.file in taken}
        for one in proposal.candidates
    ]
    left = [asdict(one) for one in proposal.left_out]
    evidence = [asdict(one) for one in card.evidence] if card else []
    typer.echo(json.dumps({"name": proposal.name, "photos": rows, "left_out": left, "taken": len(taken), "evidence": evidence}, ensure_ascii=False))


def _tell_grounds(door: "Door", card: "Card", name: str = "") -> None:
    """Say what the evidence is worth now, whether the gate would arm, and when the change counts."""
    from peephole.base.errors import NotArmed, SettingsError
    from peephole.base.evidence import describe
    from peephole.gateway.arming import arm

    for item in card.evidence:
        say(escape(describe(item)))
    try:
        door.require_labels(card.labels)
        say(escape(arm(card.evidence, door.settings.decide.false_accept, door.settings.gate.low_risk, door.opening).sentence))
    except (NotArmed, SettingsError) as error:
        say(f"[red]the gate would not start[/]: {escape(error.what)}")
        say(f"hint:  {escape(error.hint)}")
    if name and not any(name in rule.who for rule in door.settings.rule):
        say(f"No rule of {escape(str(door.path))} names {escape(name)}: for them the door stays shut until one does.")
    say(LATER)


def forget(
    settings: Settings,
    name: Annotated[str, typer.Argument(help="Who is to be forgotten; unknown: the strangers who were measured here.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase somebody from the gallery, and name and pictures from the journal; says when the model itself must be trained again.

    Exit code 3 when something that knows or names them is left.
    """
    from peephole.data.layout import printable
    from peephole.decide.predictor import load
    from peephole.gateway.acquaintance import forget as erase
    from peephole.gateway.acquaintance import met
    from peephole.gateway.clock import SystemClock
    from peephole.gateway.door import load_door
    from peephole.gateway.reasons import plural

    door = load_door(settings)
    predictor = load(door.model)
    who = printable(name[:60])
    with answered(f"without a terminal: peephole gate forget {settings} {who} --yes"):
        sure = yes or typer.confirm(f"Forget {who}? It cannot be undone.", err=as_json)
    if not sure:
        typer.echo("nothing was forgotten", err=as_json)
        raise typer.Exit(1)
    gone = erase(door, predictor.model, name, SystemClock())
    if as_json:
        typer.echo(json.dumps(asdict(gone), ensure_ascii=False))
    else:
        erased = f"{plural(gone.photos, 'photo')} of the gallery, {plural(gone.names, 'name')} and {plural(gone.pictures, 'picture')} of the journal"
        say(f"[green]forgotten[/]: {escape(gone.name)}; erased: {erased}")
        for sentence in gone.left:
            say(f"[red]left[/]: {escape(sentence)}")
        _tell_grounds(door, met(predictor, door.gallery).card)
    if gone.left:
        raise typer.Exit(PROBLEM)


def people(settings: Settings, as_json: AsJson = False) -> None:
    """List who is known at the gate, from where, and who confirmed it."""
    from peephole.decide.predictor import load
    from peephole.gateway.door import load_door
    from peephole.gateway.people import read_people

    door = load_door(settings)
    model = load(door.model).model
    found = read_people(door.gallery, model)
    rows: list[tuple[str, int, str, str, float | None]] = [
        (name, count, door.settings.gate.model, "", None) for name, count in sorted(model.card.training.examples.items())
    ]
    for name in sorted({example.who for example in (found[0].persons if found else ())}):
        mine = [example for example in found[0].persons if example.who == name] if found else []
        rows.append(
            (name, len(mine), door.gallery.name, ", ".join(sorted({example.confirmed_by for example in mine})), max(one.wall for one in mine))
        )
    strangers = {example.who for example in (found[0].strangers if found else ())}
    if as_json:
        keys = ("name", "photos", "where", "confirmed_by", "wall")
        typer.echo(json.dumps({"people": [dict(zip(keys, row, strict=True)) for row in rows], "strangers": len(strangers)}, ensure_ascii=False))
        return
    table = Table("who", "photos", "where", "confirmed by", "when", box=None)
    for name, count, where, by, wall in rows:
        when = f"{datetime.fromtimestamp(wall):%Y-%m-%d %H:%M}" if wall else ""
        table.add_row(escape(name), str(count), escape(where), escape(by), when)
    say(table)
    if strangers:
        say(f"{len(strangers)} strangers are kept to measure with; nobody is compared with them")


def _require_not_here(photos: list[Path], door: Path) -> None:
    """Refuse the folder in which everything lies: an empty $FOLDER names it too, and with it every kept picture of everybody."""
    from peephole.base.errors import InputError

    for path in photos:
        if any(place.resolve().is_relative_to(path.resolve()) for place in (door, Path())):
            raise InputError(
                f"{path.resolve()} holds more than photos of one person", "name the photos, or a folder that holds that person's photos alone"
            )
