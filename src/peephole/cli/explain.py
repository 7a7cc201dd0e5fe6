"""peephole explain: every layer, why, which examples; one page that opens from disk."""

from pathlib import Path
from typing import Annotated

import typer

from peephole.cli.show import console

__all__ = ["run"]


def run(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    image: Annotated[Path, typer.Argument(help="The photo to explain.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the page goes; with --json its numbers go beside it, as .json.")] = Path(
        "report.html"
    ),
    photos: Annotated[Path | None, typer.Option(help="The folder the model was trained on: shows pictures of the nearest known examples.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON and write them beside the page.")] = False,
    inside: Annotated[bool, typer.Option(help="Look inside too: heat maps with their control, rebuilt pictures, patches, dropout.")] = False,
    figures: Annotated[Path | None, typer.Option(help="A folder for the figures as PNG and SVG.")] = None,
) -> None:
    """Explain one answer: every layer, softmax term by term, the nearest known examples, what mattered, the evidence."""
    from peephole.base.errors import InputError
    from peephole.base.extras import load as part
    from peephole.decide.predictor import load
    from peephole.explain.report import explain, to_json, write_json, write_report

    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{output} is no name for a page", f"end it in .html: -o {output.with_suffix('.html')}")
    draw = part("explain.figures:write_figures") if figures else None  # before the work, should matplotlib be missing
    explanation = explain(load(model), image, photos=photos, inside=inside)
    page = write_report(explanation, output)
    drawn = draw(explanation, figures) if draw else ()
    if as_json:
        write_json(explanation, output.with_suffix(".json"))
        typer.echo(to_json(explanation), nl=False)
        return
    prediction = explanation.prediction
    who = "stranger" if prediction.label is None else prediction.label
    console.print(who, style="bold green" if prediction.accepted else "bold yellow", markup=False, end="")
    console.print(f": {prediction.reason}", markup=False, soft_wrap=True)
    console.print(f"wrote {page} ({page.stat().st_size / 1000:,.0f} kB); open it in any browser", markup=False, soft_wrap=True)
    if drawn:
        console.print(f"wrote {len(drawn)} figures to {figures}", markup=False, soft_wrap=True)
