"""peephole gate promote, rollback: another model for a door, tested before it is live, and the way back."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from peephole.cli.gateshow import PROBLEM, AsJson, Settings, say

if TYPE_CHECKING:
    from peephole.gateway.swap import Swapped

__all__ = ["promote", "rollback"]


def promote(
    settings: Settings,
    model: Annotated[Path, typer.Argument(metavar="NEW.onnx", help="The model file that is to become live.")],
    replay: Annotated[Path | None, typer.Option(help="A recording; a model that would open for a visit it does not open for now is refused.")] = None,
    start: Annotated[str | None, typer.Option(help="When a folder's recording began, for rules with hours: 2026-11-02T08:00.")] = None,
    as_json: AsJson = False,
) -> None:
    """Test a model file for this door and, when it is fit, make it the live one; the old one is kept. A power cut leaves old or new.

    Exit code 3 when the recording shows an opening that would be new; then nothing was changed. A running gate takes it when it starts anew.
    """
    from peephole.cli.gatemodels import differences, show
    from peephole.gateway.door import load_door
    from peephole.gateway.swap import promote as swap

    door = load_door(settings)
    if replay is not None:
        found = differences(door, str(replay), model, start=start)
        if found.opened or not as_json:
            show(found, as_json)
        if found.opened:
            raise typer.Exit(PROBLEM)
    _told(swap(door, model), as_json, f"; the way back is: peephole gate rollback {settings}")


def rollback(settings: Settings, as_json: AsJson = False) -> None:
    """Make the last good model live again; the one that is rolled back is kept beside it. A running gate takes it when it starts anew."""
    from peephole.gateway.door import load_door
    from peephole.gateway.swap import rollback as swap

    _told(swap(load_door(settings)), as_json)


def _told(done: "Swapped", as_json: bool, back: str = "") -> None:
    if as_json:
        live = done.live
        told = {"live": str(live.path), "sha256": live.predictor.model.sha256, "passed": dict(live.passed), "kept": done.kept}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for name, what in done.live.passed:
        say(f"[green]ok[/]  {escape(name):9}  {escape(what)}")
    say(f"[green]live[/]: {escape(done.live.named)}; {escape(done.kept)}")
    say(escape(f"a gate that runs keeps the model it began with: start it again{back}"))
