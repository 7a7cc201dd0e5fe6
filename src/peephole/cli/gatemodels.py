"""peephole gate replay: recorded visits through the gate's rules, also with another model or threshold than the live one."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from peephole.cli.gateshow import PROBLEM, AsJson, Settings, report, say, stop_on_signals

if TYPE_CHECKING:
    from peephole.decide.predictor import Predictor
    from peephole.gateway.door import Door
    from peephole.gateway.replays import Comparison

__all__ = ["differences", "replay", "show"]


def replay(
    settings: Settings,
    recording: Annotated[str, typer.Argument(help="A folder with one sub-folder per visit, or a table time,file[,visit[,truth]].")],
    model: Annotated[Path | None, typer.Option(help="Another model file: list every door action that would differ.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Another line on familiarity, -1 to 1: list every door action that would differ.")] = None,
    false_accept: Annotated[float | None, typer.Option(help="Another requested rate, 0 to 1: would the gate still arm, and act?")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 3 when any opening would be new.")] = False,
    start: Annotated[str | None, typer.Option(help="When a folder's recording began, for rules with hours: 2026-11-02T08:00.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run recorded visits through the gate's rules, or show what another model, threshold or rate would change; nothing moves."""
    from peephole.base.errors import NotArmed
    from peephole.decide.predictor import load
    from peephole.gateway.acquaintance import met
    from peephole.gateway.door import load_door
    from peephole.gateway.replays import rehearse
    from peephole.gateway.sensors import replay_sensor

    door = load_door(settings)
    if model is None and threshold is None and false_accept is None:
        night = rehearse(door, met(load(door.model), door.gallery), replay_sensor(Path(recording), start), stop_on_signals())
        if night.summary is None:
            raise NotArmed(night.not_armed, "request a rate that is proven, or say low_risk = true")
        report(night.summary, as_json, rehearsed=True)
        return
    found = differences(door, recording, model, threshold=threshold, false_accept=false_accept, start=start)
    show(found, as_json)
    if strict and found.opened:
        raise typer.Exit(PROBLEM)


def differences(
    door: "Door",
    recording: str,
    model: Path | None = None,
    *,
    threshold: float | None = None,
    false_accept: float | None = None,
    start: str | None = None,
) -> "Comparison":
    """Rehearse a recording with the door as it is and as it would be, and compare."""
    from peephole.decide.predictor import load
    from peephole.gateway.acquaintance import met
    from peephole.gateway.replays import compare, rehearse, with_low_risk, with_rate, with_threshold
    from peephole.gateway.sensors import replay_sensor

    stop, path = stop_on_signals(), model or door.model
    # Another model's people are those of the gallery beside it: embeddings of one mean nothing to the other.
    live, other = met(load(door.model), door.gallery), met(load(path), door.gallery_of(path))
    changed = door if false_accept is None else with_rate(door, false_accept)
    if threshold is not None:
        other, changed = with_threshold(other, threshold), with_low_risk(changed)
    rate = "" if false_accept is None else f", rate {false_accept:g}"
    named = f"{door.model.name} ({_line(live)})", f"{path.name} ({_line(other)}{rate})"
    then = rehearse(door, live, replay_sensor(Path(recording), start), stop)
    now = rehearse(changed, other, replay_sensor(Path(recording), start), stop)
    return compare(named, (then, now))


def _line(predictor: "Predictor") -> str:
    return f"threshold {predictor.card.unknown.threshold:.3f}"


def show(found: "Comparison", as_json: bool) -> None:
    """Print every visit that would go otherwise, then the counts and what else there is to know."""
    from peephole.gateway.reasons import plural

    if as_json:
        counts = {"opened": found.opened, "shut": found.shut}
        typer.echo(json.dumps(asdict(found) | counts, ensure_ascii=False))
        return
    if found.differences:
        table = Table("visit", "then", "now", "why", box=None)
        for one in found.differences:
            colour = "red" if one.opened else "yellow" if one.shut else "default"
            table.add_row(escape(one.visit), escape(one.then), f"[{colour}]{escape(one.now)}[/]", escape(one.why))
        say(table)
    say(f"then: {escape(found.then)}; now: {escape(found.now)}")
    say(
        f"{plural(found.visits, 'visit')} compared: {plural(len(found.differences), 'visit')} would go otherwise; "
        f"[red]{plural(found.opened, 'opening')} would be new[/], {plural(found.shut, 'opening')} would be no more"
    )
    for sentence in found.told:
        say(escape(sentence))
