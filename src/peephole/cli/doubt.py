"""`peephole doubt`: which photos may carry the wrong label."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from peephole.base.evidence import counted
from peephole.base.extras import load as part
from peephole.cli.learn import region_of
from peephole.cli.show import ProgressWatcher, console, print_json

if TYPE_CHECKING:  # needs PyTorch, which the command line does without until a verb asks for it
    from peephole.export.doubts import Doubt, Doubts

__all__ = ["doubt"]

MARK = "!"  # what may carry the wrong label: where there is no colour too


def doubt(
    photos: Annotated[Path, typer.Argument(help="A folder with one sub-folder of photos per label.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A page to look at them on, NAME.html.")] = None,
    seconds: Annotated[float, typer.Option(help="How long comparing may take, where there is a choice.")] = 60.0,
    region: Annotated[str, typer.Option(help="What is judged, as for train.")] = "whole",
    skip: Annotated[list[str] | None, typer.Option(help="A label to leave out; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of every draw.")] = 7,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Name the photos that may carry the wrong label: those that all the others would label otherwise. Nothing is deleted."""
    if output is not None:
        part("explain.webpage:require_page")(output)
    with ProgressWatcher() as watch:
        found = part("export.doubts:doubts")(photos, seconds=seconds, skip=tuple(skip or ()), region=region_of(region), seed=seed, watch=watch)
    if output is not None:
        part("cli.doubtpage:write")(found, output)
    if json:
        print_json(found)
        return
    _show(found)
    if output is not None:
        console.print(f"look at them: {output}", markup=False, soft_wrap=True)
    elif found.doubtful:
        console.print("to look at them on a page: -o doubt.html", style="dim", markup=False, soft_wrap=True)


def _show(found: "Doubts") -> None:
    """Print the doubtful photos, marked, then the least sure of the others, dim."""
    console.print(_table(found.ranked))
    for first, second in found.copies:
        console.print(f"one photo under two labels: {first} and {second}", markup=False, soft_wrap=True)
    console.print(found.sentence, markup=False, soft_wrap=True)
    if len(found.ranked) > len(found.doubtful):
        console.print(
            f"without {MARK}: {counted(len(found.ranked) - len(found.doubtful), 'photo')} least sure of the others, not in doubt", style="dim"
        )


def _share(share: float) -> str:
    return f"{100 * share:.0f} %"


def _table(ranked: "tuple[Doubt, ...]") -> Table:
    table = Table("", "photo", "its label", "looks like", box=None, header_style="bold", pad_edge=False)
    table.add_column("lead", justify="right")
    table.add_column("nearest examples")
    for one in ranked:
        mark, style = (MARK, "") if one.doubtful else ("", "dim")
        near = ", ".join(f"{near.label} ({near.distance:.2f})" for near in one.nearest)
        cells = (mark, one.id, f"{one.label} {_share(one.own_share)}", f"{one.looks_like} {_share(one.share)}", f"{one.lead:+.2f}", near)
        table.add_row(*(Text(cell, style, overflow="fold") for cell in cells))
    return table
