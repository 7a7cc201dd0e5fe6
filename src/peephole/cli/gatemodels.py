"""peephole gate replay: recorded visits through the gate's rules, also with another model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from peephole.cli.gateshow import AsJson, Settings, report, stop_on_signals

__all__ = ["replay"]


def replay(
    settings: Settings,
    recording: Annotated[str, typer.Argument(help="A folder with one sub-folder per visit, or a table time,file[,visit[,truth]].")],
    model: Annotated[Path | None, typer.Option(help="Another model file than the one in DOOR.toml.")] = None,
    start: Annotated[str | None, typer.Option(help="When a folder's recording began, for rules with hours: 2026-11-02T08:00.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run recorded visits through the gate's rules, as if everybody showed the second factor; nothing moves and nothing is journaled."""
    from peephole.decide.predictor import load
    from peephole.gateway.agent import run as watch
    from peephole.gateway.door import load_door
    from peephole.gateway.journal import Journal
    from peephole.gateway.sensors import replay_sensor
    from peephole.gateway.switchboard import rehearsal

    door = load_door(settings).as_if_backed()
    predictor = load(model or door.model)
    with Journal(None, door.settings.gate.name) as journal:
        parts: dict[str, Any] = {"sensor": replay_sensor(Path(recording), start), "switchboard": rehearsal(door), "journal": journal}
        summary = watch(door, predictor.follow, predictor.card, stop=stop_on_signals(), **parts)
    report(summary, as_json, rehearsed=True)
