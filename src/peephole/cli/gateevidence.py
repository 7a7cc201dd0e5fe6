"""peephole gate evidence: error rates at the size that the gate's gallery really has, and what would prove the rate that is asked for."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from peephole.cli.gateshow import AsJson, Settings, say, stop_on_signals

if TYPE_CHECKING:
    from peephole.base.records import Evidence
    from peephole.decide.predictor import Predictor
    from peephole.gateway.door import Door

__all__ = ["evidence"]

SHOWN = 5  # files that were left out


def evidence(
    settings: Settings,
    visits: Annotated[Path | None, typer.Option(help="A recording with a column truth: rates per visit.")] = None,
    strangers: Annotated[Path | None, typer.Option(help="A folder laid out as unknown/: measure with these strangers from now on.")] = None,
    false_reject: Annotated[float, typer.Option(min=0.0001, max=0.9999, help="The rate of residents refused that is asked for.")] = 0.05,
    as_json: AsJson = False,
) -> None:
    """Print how often strangers are let in (FPIR) and residents refused (FNIR), with everybody known here: count, unit, bound, method, what lacks.

    Strangers given with --strangers are kept in the gallery as numbers, without names or pictures, and asked again after every enrolment.
    """
    from peephole.base.errors import NotArmed, SettingsError
    from peephole.decide.predictor import load
    from peephole.gateway.acquaintance import met
    from peephole.gateway.arming import arm
    from peephole.gateway.door import load_door
    from peephole.gateway.standing import told

    door = load_door(settings)
    model = load(door.model)
    if strangers is not None:
        _measure(door, model, strangers, as_json)
    predictor = met(model, door.gallery)
    decide = door.settings.decide
    try:
        door.require_labels(predictor.card.labels)
        grounds = arm(predictor.card.evidence, decide.false_accept, door.settings.gate.low_risk, door.opening).sentence
    except (NotArmed, SettingsError) as error:
        grounds = f"{error.what}; {error.hint}"
    per_visit, why = _per_visit(door, predictor, visits) if visits is not None else ((), "")
    missing = _missing((*predictor.card.evidence, *per_visit), decide.false_accept, false_reject)
    size = told(predictor.model.card, door.gallery, predictor.model)
    if as_json:
        found = {"known": size, "arming": grounds, "evidence": [asdict(item) for item in predictor.card.evidence]}
        found |= {"visits": [asdict(item) for item in per_visit], "visits_are": why, "missing": missing}
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    _print(size, predictor.card.evidence, per_visit, why)
    # What would prove the rate is said once, where the grounds for arming say it too.
    for sentence in (*(one for one in missing if one.partition(": ")[2] not in grounds), grounds):
        say(escape(sentence))


def _print(size: str, held: "tuple[Evidence, ...]", per_visit: "tuple[Evidence, ...]", why: str) -> None:
    from peephole.base.evidence import describe

    say(escape(size))
    for item in held:
        say(escape(describe(item)))
    if not held:
        say("nothing was measured: the model's card holds no evidence")
    if why:
        say(f"[bold]per visit[/] ({escape(why)}):")
        for item in per_visit:
            say(escape(describe(item)))


def _measure(door: "Door", predictor: "Predictor", folder: Path, quiet: bool) -> None:
    """Keep the answers for a folder of strangers in the gallery."""
    from peephole.gateway.enrol import begun
    from peephole.gateway.measuring import meet
    from peephole.gateway.people import Place, read_people, write_people

    read = read_people(door.gallery, predictor.model)
    known, place = read if read is not None else (begun(predictor), Place(door.gallery))
    added = meet(predictor, known, folder, door.settings.sensor.quality, time.time())
    write_people(added.people, place)
    if not quiet:
        say(f"measured: {added.strangers} strangers, {added.photos} photos; {len(added.left_out)} left out")
        for one in added.left_out[:SHOWN]:
            say(f"left out: {escape(one.file)}: {escape(one.why)}")
        if len(added.left_out) > SHOWN:
            say(f"and {len(added.left_out) - SHOWN} more")


def _per_visit(door: "Door", predictor: "Predictor", path: Path) -> "tuple[tuple[Evidence, ...], str]":
    """Replay recorded visits with everybody known here; nothing moves and nothing is journaled. Raises InputError without truth."""
    from peephole.base.errors import InputError
    from peephole.gateway.agent import run as watch
    from peephole.gateway.journal import Journal
    from peephole.gateway.reasons import plural
    from peephole.gateway.recording import read_recording
    from peephole.gateway.sensors import ReplaySensor
    from peephole.gateway.switchboard import rehearsal
    from peephole.gateway.visits import Tally, is_journal, rates, role_of

    again = f"peephole gate evidence {door.path} --visits night.csv"
    if is_journal(path):
        with Journal.read(path) as book:
            count = len(book.entries("visit"))
        what = f"the journal holds {plural(count, 'visit')} and what was decided, but not who it was"
        raise InputError(what, f"give a table with a column truth: {again}")
    recording = read_recording(path)
    role, why = role_of(recording, path)
    tally = Tally()
    with Journal(None, door.settings.gate.name) as journal:
        # What is asked is how the camera and the rules decide, whatever the evidence of the card allows.
        low = door.settings.model_copy(update={"gate": door.settings.gate.model_copy(update={"low_risk": True})})
        rehearsed = type(door)(door.path, low)
        parts = {"sensor": ReplaySensor(recording), "switchboard": rehearsal(door), "journal": journal}
        watch(rehearsed, predictor.follow, predictor.card, stop=stop_on_signals(), witnesses=(tally,), **parts)  # type: ignore[arg-type]
    found = rates(tally, predictor.card.labels, role)
    if not found:
        raise InputError(f"no visit of {path} says who it was", f"write it into a table's column truth: {again}")
    return found, why


def _missing(held: "tuple[Evidence, ...]", false_accept: float, false_reject: float) -> list[str]:
    """Say how many more strangers or residents would prove the rates that are asked for."""
    from peephole.base.evidence import percent
    from peephole.gateway.arming import more, proof

    best = proof(held)
    told = []
    if best is None or best.bound > false_accept:
        told.append(f"for at most {percent(false_accept)} of strangers let in: {more(best, false_accept)}")
    reject = [item for item in held if item.claim == "false reject" and item.role == "proof"]
    worst = max(reject, key=lambda item: item.bound, default=None)
    if worst is None or worst.bound > false_reject:
        asked = more(worst, false_reject).replace("strangers", "photos or visits of residents").replace("accepted", "refused")
        told.append(f"for at most {percent(false_reject)} of residents refused: {asked}")
    return told
