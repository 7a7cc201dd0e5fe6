"""`peephole train`: the one verb that learns."""

from pathlib import Path
from typing import Annotated, Any

import typer

from peephole.base.card import Region
from peephole.base.errors import SettingsError
from peephole.base.extras import load as part
from peephole.cli.show import ProgressWatcher, card_lines, console, print_json

__all__ = ["train"]

AUGMENTATIONS = ("shift", "scale", "rotate", "colour", "noise")


def _numbers(text: str, what: str) -> tuple[int, ...]:
    """Read 32,64,128 or 224x244."""
    try:
        return tuple(int(word) for word in text.replace("x", ",").split(","))
    except ValueError:
        raise SettingsError(
            f"--{what} takes whole numbers, not '{text}'", f"--{what} 32,64,128" if what == "filters" else f"--{what} 28 or 224x244"
        ) from None


def _region(text: str) -> Region:
    """Read `whole`, or left,top,width,height as fractions of the frame."""
    if text == "whole":
        return Region()
    try:
        left, top, width, height = (float(word) for word in text.split(","))
        if not (left >= 0 and top >= 0 and width > 0 and height > 0 and left + width <= 1 + 1e-9 and top + height <= 1 + 1e-9):
            raise ValueError
    except ValueError:
        raise SettingsError(
            f"--region takes `whole` or left,top,width,height as fractions of the frame inside 0..1, not '{text}'", "--region 0.25,0.1,0.5,0.8"
        ) from None
    return Region(how="rectangle", box=(left, top, width, height))


def _options(given: dict[str, Any]) -> Any:
    """Turn what was typed into the recipe's options."""
    plain = part("nets.cnn:Plain")
    strengths = {name: given.pop(name) for name in (*AUGMENTATIONS, "flip")}
    network = {name: given.pop(name) for name in ("filters", "kernel", "stride", "padding", "pool", "hidden", "keep_prob", "norm")}
    network["filters"] = _numbers(network["filters"], "filters")
    given["vary"] = {name: value for name, value in strengths.items() if value is not None}
    if given["size"] is not None:
        size = _numbers(given["size"], "size")
        given["size"] = size * 2 if len(size) == 1 else size
    return part("train.recipe:Options")(plain=plain(**network), **given)


def train(
    data: Annotated[Path, typer.Argument(help="A folder with one sub-folder of photos per label; unknown/ holds strangers.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The model file to write (named after the folder).")] = None,
    seconds: Annotated[float, typer.Option(help="How long training may take; everything else follows from it.")] = 30.0,
    network: Annotated[str, typer.Option(help="auto, plain or lite0.")] = "auto",
    fit: Annotated[str, typer.Option(help="What to do with lite0: auto, frozen or finetune.")] = "auto",
    size: Annotated[str | None, typer.Option(help="The network's input: 32, or 224x244 (height x width).")] = None,
    region: Annotated[str, typer.Option(help="What is judged: whole, or left,top,width,height as fractions.")] = "whole",
    filters: Annotated[str, typer.Option(help="Filters per stage of plain.")] = "32,64,128",
    kernel: Annotated[int, typer.Option(help="Side of plain's kernels.")] = 3,
    stride: Annotated[int, typer.Option(help="Step of plain's kernels.")] = 1,
    padding: Annotated[str, typer.Option(help="same or valid.")] = "same",
    pool: Annotated[int, typer.Option(help="Window of plain's max pooling (1: none).")] = 2,
    hidden: Annotated[int, typer.Option(help="Width of plain's fully connected layer.")] = 625,
    keep_prob: Annotated[float, typer.Option(help="Share of neurons that dropout keeps.")] = 0.7,
    norm: Annotated[str, typer.Option(help="none or batch (folded away on export).")] = "none",
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the learning rate.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Share of each label given to all others, 0..1.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="AdamW's weight decay.")] = None,
    batch: Annotated[int | None, typer.Option(help="Examples per step.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps instead of seconds: the same steps and seed give the same weights.")] = None,
    shift: Annotated[float | None, typer.Option(help="Augmentation: largest shift, as a fraction of the side.")] = None,
    scale: Annotated[float | None, typer.Option(help="Augmentation: largest change of size, as a fraction.")] = None,
    rotate: Annotated[float | None, typer.Option(help="Augmentation: largest rotation, in degrees.")] = None,
    colour: Annotated[float | None, typer.Option(help="Augmentation: largest change of brightness, contrast and channels, as a fraction.")] = None,
    noise: Annotated[float | None, typer.Option(help="Augmentation: sensor noise, standard deviation in 0..255 units.")] = None,
    flip: Annotated[bool | None, typer.Option("--flip/--no-flip", help="Augmentation: mirror left and right.")] = None,
    false_accept: Annotated[float, typer.Option(help="The share of strangers' photos that the threshold is chosen for, 0..1.")] = 0.01,
    stranger_unit: Annotated[str, typer.Option(help="What a sub-folder of unknown/ is: a stranger, or a kind of thing.")] = "stranger",
    each_file_a_stranger: Annotated[bool, typer.Option(help="Loose files in unknown/ are one stranger each.")] = False,
    skip: Annotated[list[str] | None, typer.Option(help="A label to leave out; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of every draw.")] = 7,
    threads: Annotated[int, typer.Option(help="Threads to train with (0: all).")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint of a stopped training.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Train a small network on DATA and write one model file."""
    _run(**locals())


def _run(
    data: Path,
    output: Path | None,
    region: str,
    false_accept: float,
    stranger_unit: str,
    each_file_a_stranger: bool,
    skip: list[str] | None,
    resume: bool,
    json: bool,
    **given: Any,
) -> None:
    """Check what was typed, train, and say what came out; `given` are the recipe's options."""
    if not 0 < false_accept < 1:
        raise SettingsError(f"false-accept is between 0 and 1, not {false_accept:g}", "--false-accept 0.01")
    if stranger_unit not in ("stranger", "kind"):
        raise SettingsError(f"stranger-unit is stranger or kind, not '{stranger_unit}'", "--stranger-unit stranger")
    options = _options(given)
    path = output or part("export.train:output_for")(data)
    with ProgressWatcher() as watch:
        built = part("export.build:build")(
            data,
            path,
            options,
            strangers=part("export.build:Strangers")(false_accept, stranger_unit, each_file_a_stranger),
            skip=tuple(skip or ()),
            region=_region(region),
            resume=resume,
            watch=watch,
        )
    if json:
        print_json(built.model.card)
        return
    size_kb = built.path.stat().st_size / 1000
    console.print(f"\n{built.path}", style="bold", end="", markup=False, soft_wrap=True)
    console.print(
        f"  {size_kb:,.0f} kB, {len(built.model.card.labels)} labels, trained in {built.training_seconds:.1f} s", markup=False, soft_wrap=True
    )
    for line in card_lines(built.model.card):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    todo = f"\nnext:  peephole predict {built.path} PHOTO\n       peephole explain {built.path} PHOTO -o report.html"
    console.print(todo, markup=False, soft_wrap=True)
