"""`peephole train`: the one verb that learns."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from peephole.base.card import Card, Region
from peephole.base.errors import SettingsError, did_you_mean
from peephole.base.extras import load as part
from peephole.base.files import output_for
from peephole.base.watch import Several
from peephole.cli.events import EventsWatcher
from peephole.cli.show import ProgressWatcher, card_lines, console, print_json
from peephole.cli.tables import receipts

__all__ = ["region_of", "train"]

# Share of known photos refused from which on it is said what helps.
MANY_REFUSED = 0.25
AUGMENTATIONS = ("shift", "scale", "rotate", "colour", "noise")


def _numbers(text: str, what: str) -> tuple[int, ...]:
    """Read 32,64,128 or 224x244."""
    try:
        return tuple(int(word) for word in text.replace("x", ",").split(","))
    except ValueError:
        raise SettingsError(
            f"--{what} takes whole numbers, not '{text}'", f"--{what} 32,64,128" if what == "filters" else f"--{what} 28 or 224x244"
        ) from None


def region_of(text: str) -> Region | Literal["auto"]:
    """Read `whole`, `motion`, `face`, `auto`, or a rectangle: left,top,width,height as fractions of the frame, `rectangle:` before it or not."""
    if text == "auto":
        return "auto"
    if text in ("whole", "motion", "face"):
        return Region(how=text)  # type: ignore[arg-type]  # one of the three
    try:
        left, top, width, height = (float(word) for word in text.removeprefix("rectangle:").split(","))
        if not (left >= 0 and top >= 0 and width > 0 and height > 0 and left + width <= 1 + 1e-9 and top + height <= 1 + 1e-9):
            raise ValueError
    except ValueError:
        raise SettingsError(
            "--region takes whole, motion, face, auto, or left,top,width,height as fractions of the frame inside 0..1, "
            f"not '{text}'{did_you_mean(text, ('whole', 'motion', 'face', 'auto'))}",
            "--region 0.25,0.1,0.5,0.8",
        ) from None
    return Region(how="rectangle", box=(left, top, width, height))


def _strengths(words: list[str] | None) -> dict[str, float]:
    """Read scratch=3, dust=10."""
    found = {}
    for word in words or ():
        name, _, value = word.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise SettingsError(f"--vary takes a name and a number, not '{word}'", "--vary scratch=3") from None
    return found


def _options(given: dict[str, Any]) -> Any:
    """Turn what was typed into the recipe's options."""
    strengths = {name: given.pop(name) for name in (*AUGMENTATIONS, "flip")}
    both = {name: value for name in ("keep_prob", "norm") if (value := given.pop(name)) is not None}
    plain = {name: given.pop(name) for name in ("filters", "kernel", "stride", "padding", "pool", "hidden")} | both
    plain["filters"] = _numbers(plain["filters"], "filters")
    deep = {name: given.pop(name) for name in ("width", "depth", "shortcuts")} | both
    given["vary"] = _strengths(given["vary"]) | {name: value for name, value in strengths.items() if value is not None}
    if given["size"] is not None:
        size = _numbers(given["size"], "size")
        given["size"] = size * 2 if len(size) == 1 else size
    return part("train.recipe:Options")(plain=part("nets.cnn:Plain")(**plain), deep=part("nets.deep:Deep")(**deep), **given)


def train(
    data: Annotated[Path, typer.Argument(help="A folder with one sub-folder of photos per label; unknown/ holds strangers.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The model file to write, NAME.onnx (named after the folder).")] = None,
    seconds: Annotated[float, typer.Option(help="How long training may take; everything else follows from it. Too few are told before.")] = 30.0,
    network: Annotated[str, typer.Option(help="auto, plain, vgg, inception, resnet, strokes, lite0 or lite2.")] = "auto",
    fit: Annotated[str, typer.Option(help="What to do with strokes, lite0 or lite2: auto, frozen or finetune.")] = "auto",
    features: Annotated[str, typer.Option(help="Of frozen features: whole, whitened, places, or auto (photos held out choose).")] = "auto",
    size: Annotated[str | None, typer.Option(help="The network's input: 32, or 224x244 (height x width).")] = None,
    region: Annotated[
        str, typer.Option(help="What is judged: whole; left,top,width,height as fractions; motion (fixed camera); face; or auto.")
    ] = "whole",
    filters: Annotated[str, typer.Option(help="Filters per stage of plain.")] = "32,64,128",
    kernel: Annotated[int, typer.Option(help="Side of plain's kernels.")] = 3,
    stride: Annotated[int, typer.Option(help="Step of plain's kernels.")] = 1,
    padding: Annotated[str, typer.Option(help="same or valid.")] = "same",
    pool: Annotated[int, typer.Option(help="Window of plain's max pooling (1: none).")] = 2,
    hidden: Annotated[int, typer.Option(help="Width of plain's fully connected layer.")] = 625,
    width: Annotated[int | None, typer.Option(help="Filters of the first convolution of vgg, inception and resnet.")] = None,
    depth: Annotated[int | None, typer.Option(help="Convolutions (vgg), modules (inception) or blocks (resnet) in each stage.")] = None,
    shortcuts: Annotated[bool, typer.Option(help="resnet: add the input of each block to its output.")] = True,
    keep_prob: Annotated[
        float | None, typer.Option(help="Share of neurons that dropout keeps (plain 0.7, vgg 0.5, inception 0.6, resnet 1).")
    ] = None,
    norm: Annotated[str | None, typer.Option(help="none or batch, folded away on export (plain none, the deep ones batch).")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the learning rate.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Share of each label given to all others, 0..1.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="AdamW's weight decay.")] = None,
    batch: Annotated[int | None, typer.Option(help="Examples per step.")] = None,
    members: Annotated[int | None, typer.Option(help="Networks trained from nothing side by side that answer together (1).")] = None,
    glances: Annotated[
        bool, typer.Option("--glances", help="Answer with the mean of five looks at a photo, four moved by a pixel in 28: five times the work.")
    ] = False,
    embedding: Annotated[
        str, typer.Option(help="What plain and vgg compare with the known examples: hidden (told from others of their kind), maps (of any), auto.")
    ] = "auto",
    steps: Annotated[int | None, typer.Option(help="Steps instead of seconds: the same steps and seed give the same weights.")] = None,
    shift: Annotated[float | None, typer.Option(help="Augmentation: largest shift, as a fraction of the side.")] = None,
    scale: Annotated[float | None, typer.Option(help="Augmentation: largest change of size, as a fraction.")] = None,
    rotate: Annotated[float | None, typer.Option(help="Augmentation: largest rotation, in degrees.")] = None,
    colour: Annotated[float | None, typer.Option(help="Augmentation: largest change of brightness, contrast and channels, as a fraction.")] = None,
    noise: Annotated[float | None, typer.Option(help="Augmentation: sensor noise, standard deviation in 0..255 units.")] = None,
    flip: Annotated[bool | None, typer.Option("--flip/--no-flip", help="Augmentation: mirror left and right.")] = None,
    vary: Annotated[list[str] | None, typer.Option(help="Augmentation: any other by name, as in scratch=3 or background=1; may be repeated.")] = None,
    false_accept: Annotated[float, typer.Option(help="The share of strangers' photos that the threshold is chosen for, 0..1.")] = 0.01,
    stranger_unit: Annotated[str, typer.Option(help="What a sub-folder of unknown/ is: a stranger, or a kind of thing.")] = "stranger",
    each_file_a_stranger: Annotated[bool, typer.Option(help="Loose files in unknown/ are one stranger each.")] = False,
    skip: Annotated[list[str] | None, typer.Option(help="A label to leave out; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of every draw.")] = 7,
    threads: Annotated[int, typer.Option(help="Threads to train with (0: all).")] = 0,
    memory: Annotated[float | None, typer.Option(help="Gigabytes of memory for decoded photos (half of what is free); more lie on disk.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint of a stopped training.")] = False,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Then tell which augmentations helped on these photos: up to ten times --seconds more.")
    ] = False,
    events: Annotated[Path | None, typer.Option(help="A file for what happens meanwhile: one JSON object a line, looks inside too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Train a small network on DATA and write one model file."""
    _run(**locals())


def _time(built: Any, options: Any, begun: float) -> str:
    """Say how long it took, beside what was asked for."""
    spent = f"{time.perf_counter() - begun:.0f} s in all"
    return f"trained in {built.training_seconds:.1f} s, {spent}" + (f" (asked: {options.seconds:g} s)" if not options.steps else "")


def _trained_on(card: Card) -> str:
    """Say how many photos taught it, and what was not counted twice or not used."""
    training = card.training
    copies, refused = training.duplicates_dropped, training.refused
    left = [f"{copies} exact duplicate{'s' * (copies > 1)} counted once"] * bool(copies) + [f"{refused} file{'s' * (refused > 1)} refused"] * bool(
        refused
    )
    return "; ".join([f"trained on: {sum(training.examples.values())} photos of {training.sources} originals", *left])


def _refuses_many(card: Card) -> str:
    """Say what helps where a model refuses many of those it knows; nothing where it does not."""
    for evidence in card.evidence:
        if evidence.claim == "false reject" and evidence.errors > MANY_REFUSED * evidence.trials:
            return (
                "many known photos are refused, so that strangers are: more photos of each label help most; 20 strangers in unknown/ would choose "
                "the threshold; --false-accept 0.05 lowers it and lets more strangers in"
            )
    return ""


def _run(
    data: Path,
    output: Path | None,
    region: str,
    false_accept: float,
    stranger_unit: str,
    each_file_a_stranger: bool,
    skip: list[str] | None,
    memory: float | None,
    resume: bool,
    ablate: bool,
    events: Path | None,
    json: bool,
    **given: Any,
) -> None:
    """Check what was typed, train, and say what came out; `given` are the recipe's options."""
    begun = time.perf_counter()
    path = output or output_for(data)
    with ProgressWatcher() as bars, EventsWatcher.of(events, path, bars.said) as written:
        options, strangers = _options(given), part("export.build:Strangers")(false_accept, stranger_unit, each_file_a_stranger)
        built = part("export.build:build")(
            data,
            path,
            options,
            strangers=strangers,
            skip=tuple(skip or ()),
            region=region_of(region),
            resume=resume,
            memory=memory,
            ablate=ablate,
            watch=Several(bars, written),
        )
        written.done(built.path, built.model.card, built.training_seconds)
    if json:
        print_json(built.model.card)
        return
    size_kb = built.path.stat().st_size / 1000
    console.print(f"\n{built.path}", style="bold", end="", markup=False, soft_wrap=True)
    console.print(f"  {size_kb:,.0f} kB, {len(built.model.card.labels)} labels, {_time(built, options, begun)}", markup=False, soft_wrap=True)
    console.print(f"  {_trained_on(built.model.card)}", markup=False, soft_wrap=True)
    for line in card_lines(built.model.card):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    if built.model.card.receipts:
        receipts(built.model.card.receipts, console)
    if refused := _refuses_many(built.model.card):
        console.print(f"  {refused}", style="yellow", markup=False, soft_wrap=True)
    if taken := part("decide.nothing:warning")(part("decide.predictor:Predictor")(built.model)):
        console.print(f"  {taken}", style="yellow", markup=False, soft_wrap=True)
    todo = f"\nnext:  peephole predict {built.path} PHOTO\n       peephole explain {built.path} PHOTO -o report.html"
    console.print(todo, markup=False, soft_wrap=True)
