"""`peephole budget`: what more photos would buy, for whom, and which frames to look at."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from peephole.base.evidence import counted, percent
from peephole.base.extras import load as part
from peephole.cli.learn import region_of
from peephole.cli.show import ProgressWatcher, console, print_json

if TYPE_CHECKING:  # both need PyTorch, which the command line does without until a verb asks for it
    from peephole.export.budget import Budget
    from peephole.train.curve import Forecast, Range

__all__ = ["budget"]

LABELS = 20
OWN = (
    "each figure is the middle of many estimates of its own: now less gained need not be exactly what is left, and the labels need not average to "
    "the whole; gains in percentage points"
)


def budget(
    photos: Annotated[Path, typer.Argument(help="A folder with one sub-folder of photos per label, as for train.")],
    unlabelled: Annotated[Path | None, typer.Option(help="A folder of frames without labels: which of them would help most.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A page with the curve and the frames, NAME.html, or the curve alone, NAME.svg.")
    ] = None,
    more: Annotated[int, typer.Option(help="How many more photos of every label.")] = 10,
    frames: Annotated[int, typer.Option(help="How many frames to name.")] = 10,
    seconds: Annotated[float, typer.Option(help="How long it may take: more seconds, more draws, narrower intervals.")] = 60.0,
    network: Annotated[str, typer.Option(help="auto, plain, vgg, inception, resnet, strokes, lite0 or lite2, as for train.")] = "auto",
    region: Annotated[str, typer.Option(help="What is judged, as for train.")] = "whole",
    skip: Annotated[list[str] | None, typer.Option(help="A label to leave out; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of every draw.")] = 7,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what ten more photos of every label would buy, by how the error fell up to now, and how sure that is."""
    if output is not None:
        part("explain.webpage:require_page")(output, ".svg")
    options = part("train.recipe:Options")(seconds=seconds, network=network, seed=seed)
    with ProgressWatcher() as watch:
        found = part("export.budget:budget")(
            photos, options, unlabelled=unlabelled, more=more, frames=frames, skip=tuple(skip or ()), region=region_of(region), watch=watch
        )
    if output is not None:
        part("cli.budgetpage:write")(found, unlabelled, output)
    print_json(found) if json else _show(found)
    if not json:
        words = f"look at it: {output}" if output is not None else "to look at the curve and the frames on a page: -o budget.html"
        console.print(words, style=None if output is not None else "dim", markup=False, soft_wrap=True)


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _brief(value: float) -> str:
    return f"{100 * value:.{int(value < 0.1)}f}"


def _range(found: "Range") -> str:
    return f"{_brief(found.middle)} % ({_brief(found.low)} to {_brief(found.high)})"


def _gain(found: "Forecast") -> str:
    return f"{_points(found.gain.middle)} ({_points(found.gain.low)} to {_points(found.gain.high)})"


def _sentences(found: "Budget") -> list[str]:
    """Say in two sentences what more photos would buy, and for whom."""
    if found.forecast is None:
        return [f"What {found.more} more of each label would buy cannot be said: {found.why}."]
    now, then, gain = found.forecast.now, found.forecast.then, found.forecast.gain
    first = (
        f"Of the photos that it has not seen {_range(now)} are named wrong now, and {_range(then)} with {found.more} more of each label; "
        "the intervals hold the truth 9 times in 10."
    )
    best = next((label for label in found.labels if label.forecast), None)
    if gain.middle < 0.002:
        return [first, "More photos of this kind would buy little."]
    sure = "" if gain.low > 0 else " That they help at all is likely, not certain."
    whom = f"They buy most for {best.label}: {_gain(best.forecast)} points.{sure}" if best and best.forecast else sure
    return [first, whom]


def _strangers(found: "Budget") -> str:
    have = found.strangers
    proves = f"prove at most {percent(have.bound)} if none is accepted" if have.strangers else "prove nothing"
    left = have.needed - have.strangers
    more = f"{left} more would prove {percent(have.rate)}" if left > 0 else f"{have.needed} are enough for {percent(have.rate)}"
    return f"strangers: {have.strangers} to prove with, which {proves}; {more}"


def _show(found: "Budget") -> None:
    """Print the curve, the labels, the frames, and two sentences."""
    curve = Table("photos of each label", title="error on photos held out", title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in ("named wrong", "answers"):
        curve.add_column(column, justify="right")
    for point in found.curve:
        curve.add_row(f"{point.photos:.3g}", f"{_brief(point.error)} %", str(point.asked))
    if found.forecast:
        curve.add_row(f"{found.photos:.3g} (now)", _range(found.forecast.now), "by the curve")
        curve.add_row(f"{found.photos + found.more:.3g}", _range(found.forecast.then), "by the curve")
    console.print(curve)
    if found.forecast:
        console.print(_labels(found))
        console.print(OWN, style="dim", markup=False, soft_wrap=True)
    for sentence in _sentences(found):
        console.print(sentence, markup=False, soft_wrap=True)
    console.print(_strangers(found), markup=False, soft_wrap=True)
    if found.looked_at:
        console.print(_frames(found))


def _labels(found: "Budget") -> Table:
    table = Table("label", box=None, header_style="bold", pad_edge=False)
    for column in ("photos", "named wrong now", f"with {found.more} more", "points gained"):
        table.add_column(column, justify="right")
    for label in found.labels[:LABELS]:
        if label.forecast:
            table.add_row(Text(label.label), str(label.photos), _range(label.forecast.now), _range(label.forecast.then), _gain(label.forecast))
    if len(found.labels) > LABELS:
        table.add_row(Text(f"and {len(found.labels) - LABELS} more", "dim"), "", "", "", Text("--json lists all", "dim"))
    return table


def _frames(found: "Budget") -> Table:
    title = f"the {counted(len(found.frames), 'frame')} of {found.looked_at} whose label would help most"
    table = Table("frame", "looks like", "or", title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    table.add_column("distance to what is known", justify="right")
    for frame in found.frames:
        first, second = f"{frame.label} {percent(frame.share)}", f"{frame.next_label} {percent(frame.next_share)}"
        table.add_row(Text(frame.id, overflow="fold"), Text(first), Text(second), f"{frame.distance:.2f}")
    return table
