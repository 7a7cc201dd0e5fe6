"""peephole lab: convolution in one's hands; each verb is one short function."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from peephole.base.extras import load as part
from peephole.cli.show import console, print_json

if TYPE_CHECKING:
    from peephole.lab.ball import Drop, Landing

__all__ = ["lab_app"]

lab_app = typer.Typer(no_args_is_help=True, help="Convolution in one's hands: a ball dropped twice, an echo, an image kernel.")

BAR = 24  # characters
DISTRIBUTION = "die, die:20, 1/2,1/3,1/6 (at 0, 1, 2), or -1:1/4,0:1/2,3:1/4 (place:chance)."


@lab_app.command()
def ball(
    first: Annotated[str, typer.Option(help=f"Where the first drop may land: {DISTRIBUTION}")] = "die",
    second: Annotated[str, typer.Option(help="Where the second may land, counted from the first; the same forms.")] = "die",
    at: Annotated[str | None, typer.Option(help="The place to split into all its ways; without it the likeliest.")] = None,
    normalise: Annotated[bool, typer.Option("--normalise", help="Divide chances by their sum, where that is not 1.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Drop a ball twice: every place, all ways to get there, and the way back. Exact fractions."""
    read = part("lab.ball:read_chances")
    found = part("lab.ball:drop")(read(first, normalise=normalise), read(second, normalise=normalise))
    one = found.at(at) if at is not None else max(found.landings, key=lambda landing: landing.chance)
    if json:
        print_json({"drop": found, "at": one})
        return
    console.print(_places(found, one))
    console.print(_ways(one))


def _bar(share: float) -> str:
    return "█" * round(BAR * share)


def _places(found: "Drop", one: "Landing") -> Table:
    most = max(float(landing.chance) for landing in found.landings) or 1.0
    table = Table("c", title="where the ball lies after two drops", title_justify="left", box=None, header_style="bold", pad_edge=False)
    table.add_column("(f * g)(c)", justify="right")
    table.add_column("")
    table.add_column("ways", justify="right")
    for landing in found.landings:
        style = "bold cyan" if landing is one else ""
        table.add_row(str(landing.c), str(landing.chance), Text(_bar(float(landing.chance) / most), "cyan"), str(len(landing.ways)), style=style)
    return table


def _ways(one: "Landing") -> Table:
    title = f"all ways to {one.c}, and where it came from"
    table = Table("a + b", title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in ("f(a)", "g(b)", "f(a) g(b)", f"P(a | {one.c})"):
        table.add_column(column, justify="right")
    table.add_column("")
    for way in one.ways:
        table.add_row(
            f"{way.a} + {way.b}", str(way.first), str(way.second), str(way.product), str(way.share), Text(_bar(float(way.share)), "magenta")
        )
    table.add_row("sum", "", "", str(one.chance), str(sum(way.share for way in one.ways)), style="bold")
    return table
