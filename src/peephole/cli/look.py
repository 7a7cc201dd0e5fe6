"""The verbs that look: check, predict, evaluate, explain, trace, demo."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from peephole.base.errors import InputError, SettingsError
from peephole.base.extras import load as part
from peephole.cli.show import ProgressWatcher, console, print_error, print_json

__all__ = ["check", "demo", "evaluate", "explain", "predict", "trace", "versions"]


def versions() -> None:
    """Print the versions of what computes."""
    for name in ("peephole", "onnxruntime", "numpy", "pillow", "torch"):
        try:
            console.print(f"{name} {version(name)}")
        except PackageNotFoundError:
            console.print(f"{name} not installed")
    console.print(f"python {platform.python_version()} on {platform.machine()}")


def predict(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    photos: Annotated[list[Path], typer.Argument(help="One or more photos.")],
    threads: Annotated[int, typer.Option(help="Threads to compute with.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say who or what is on each photo, or that it is a stranger. A photo that cannot be read is reported; the others are answered."""
    predictor = part("decide.predictor:load")(model, threads)
    found, failed = [], []
    for photo in photos:
        try:
            found.append((str(photo), predictor.predict(photo)))
        except InputError as error:
            failed.append(InputError(f"{photo}: {error.what}" if str(photo) not in error.what else error.what, error.hint))
            continue
        if not json:  # as they come: a stop in the middle of many keeps what was answered
            _tell(*found[-1])
    if json:
        print_json([{"photo": name, **answer.__dict__} for name, answer in found])
    for problem in failed:
        print_error(problem)
    if failed:
        raise typer.Exit(1)


def _tell(name: str, answer: Any) -> None:
    """Print one answer in one line."""
    who = answer.label if answer.label is not None else "stranger"
    console.print(f"{name}: ", end="", markup=False, soft_wrap=True)
    console.print(who, style="bold green" if answer.accepted else "bold yellow", markup=False, end="", soft_wrap=True)
    note = f"; {answer.note}" if answer.note else ""
    console.print(f"  (looks most like {answer.best}, {answer.probability:.1%}; {answer.reason}{note})", markup=False, soft_wrap=True)


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    data: Annotated[Path, typer.Argument(help="A folder laid out like a training folder; unknown/ holds strangers.")],
    stranger_unit: Annotated[str, typer.Option(help="What a sub-folder of unknown/ is: stranger or kind.")] = "stranger",
    each_file_a_stranger: Annotated[bool, typer.Option(help="Loose files in unknown/ are one stranger each.")] = False,
    wallpaper: Annotated[bool, typer.Option("--wallpaper", help="Ask again before other backgrounds, and without the subjects.")] = False,
    report: Annotated[Path | None, typer.Option(help="A page with charts and the worst mistakes; its numbers go beside it, as .json.")] = None,
    figures: Annotated[Path | None, typer.Option(help="A folder for the charts as PNG and SVG.")] = None,
    threads: Annotated[int, typer.Option(help="Threads to compute with.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a model on photos that it was not trained on."""
    if report:
        part("explain.webpage:require_page")(report)
    draw = part("explain.evaluationfigures:write_figures") if figures else None  # before the work, should matplotlib be missing
    if stranger_unit not in ("stranger", "kind"):
        raise SettingsError(f"stranger-unit is stranger or kind, not '{stranger_unit}'", "--stranger-unit stranger")
    predictor = part("decide.predictor:load")(model, threads)
    with ProgressWatcher() as watch:
        watch.stage(f"evaluating {model.name} on {data}")
        found = part("decide.evaluate:examine")(
            predictor, data, stranger_unit=stranger_unit, each_file_a_stranger=each_file_a_stranger, wallpaper=wallpaper, progress=watch.progress
        )
        counted = part("decide.curves:curves")(found) if report or figures else None
        written = [*part("explain.evaluationpage:write")(found, counted, report, model=model.name, folder=data.resolve().name)] if report else []
        written += draw(found, counted, figures) if draw else []
    print_json(found.evaluation) if json else part("cli.tables:evaluation")(found.evaluation, console)
    for path in written if not json else []:
        console.print(f"wrote {path} ({path.stat().st_size / 1000:,.0f} kB)", markup=False, soft_wrap=True)


def check(
    data: Annotated[Path, typer.Argument(help="A folder with one sub-folder of photos per label.")],
    each_file_a_stranger: Annotated[bool, typer.Option(help="Loose files in unknown/ are one stranger each.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for duplicates, leaks, broken or mislabelled files, and too few. Exit code 3 when a problem was found."""
    with ProgressWatcher() as watch:
        watch.stage(f"checking {data}")
        report = part("data.hygiene:check")(data, each_file_a_stranger=each_file_a_stranger, progress=watch.progress)
    if json:
        print(report.to_json())  # noqa: T201  # Rich would wrap and colour it
    else:
        part("cli.check:show")(report, console)
    if report.problems:
        raise typer.Exit(3)


def explain(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    photo: Annotated[Path, typer.Argument(help="A photo.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path("report.html"),
    photos: Annotated[Path | None, typer.Option(help="The training folder, to show the nearest known examples.")] = None,
    inside: Annotated[
        bool, typer.Option("--inside", help="Look inside too: heat maps with their control, rebuilt pictures, patches, dropout.")
    ] = False,
    figures: Annotated[Path | None, typer.Option(help="A folder for feature maps, occlusion and softmax as PNG and SVG.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Write report.json beside the page and print it.")] = False,
) -> None:
    """Write one self-contained page with every layer of the decision."""
    part("cli.explain:run")(model, photo, output, photos, json, inside, figures)


def trace(
    model: Annotated[Path, typer.Argument(help="A model file, or an ONNX image classifier from elsewhere.")],
    picture: Annotated[Path, typer.Argument(help="A picture.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder for trace.json and trace.bin.")] = Path("trace"),
    scale: Annotated[float, typer.Option(help="A file from elsewhere: what white becomes, 1 or 255.")] = 1.0,
    mean: Annotated[str, typer.Option(help="A file from elsewhere: what is then taken off, one number or one for each channel.")] = "0",
    std: Annotated[str, typer.Option(help="A file from elsewhere: by what is then divided, one number or one for each channel.")] = "1",
    edit: Annotated[list[str] | None, typer.Option(help="Set a weight first, as in conv1.weight[0,0,1,1]=2.5; again for more.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print trace.json instead of the table.")] = False,
) -> None:
    """Show every layer of a model file for one picture: shape, parameters, cost, what a unit sees; and write all values."""
    part("cli.trace:run")(model, picture, output, scale, mean, std, edit or [], json)


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder for what the demo makes.")] = Path("demo-out"),
    seconds: Annotated[float, typer.Option(help="How long the demo may train.")] = 30.0,
) -> None:
    """Draw your sign to enter: the whole story on built-in real handwriting, in under a minute."""
    part("cli.demo:run")(output, seconds)
