"""`peephole lab x-or-o`: the X worked exactly, from the picture to the vote, and its filters trained."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peephole.base.errors import MissingInput, SettingsError
from peephole.base.extras import load as part
from peephole.cli.show import console, print_json

if TYPE_CHECKING:
    import numpy as np

    from peephole.lab.learn import Step

__all__ = ["x_or_o"]

SIGNS = {"#": 1.0, "X": 1.0, "x": 1.0, "1": 1.0, ".": -1.0, "-": -1.0, "0": -1.0, " ": -1.0}


def x_or_o(
    picture: Annotated[str, typer.Argument(help="X, O, a drawing (any image), or a text file of # and . in rows.")] = "X",
    side: Annotated[int, typer.Option(help="Rows and columns of X, O, or what a drawing becomes, 3 to 32.")] = 9,
    shift: Annotated[str, typer.Option(help="Move the picture: rows down, columns to the right.")] = "0,0",
    rotate: Annotated[float, typer.Option(help="Turn it, degrees against the clock.")] = 0.0,
    thicken: Annotated[bool, typer.Option("--thicken", help="Make its strokes thicker.")] = False,
    edit: Annotated[list[str] | None, typer.Option(help="Change a weight: filter,row,column=value, as in 1,0,0=-1; may be repeated.")] = None,
    cell: Annotated[str, typer.Option(help="Whose sum is worked out: filter,row,column of a feature map, the filter from 1.")] = "1,0,0",
    train: Annotated[bool, typer.Option("--train", help="Train filters on drawings instead, step by step.")] = False,
    drawings: Annotated[Path | None, typer.Option(help="To train on: a folder with X/ and O/ (a program's drawings without it).")] = None,
    steps: Annotated[int, typer.Option(help="Steps of the training.")] = 100,
    learning_rate: Annotated[float, typer.Option(help="Its learning rate.")] = 0.05,
    seed: Annotated[int, typer.Option(help="The seed of its first weights and of the drawings.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Work an X or an O by hand: matches in ninths, ReLU, pooling, the vote; or train filters on drawings with --train."""
    if train:
        _train(drawings, steps, learning_rate, seed, json)
        return
    values = _moved(_read(picture, side), _whole_numbers(shift, "shift", 2), rotate, thicken)
    worked = part("lab.x_or_o:work")(values, _filters(edit or []))
    number, row, column = _whole_numbers(cell, "cell", 3)
    one = part("lab.x_or_o:work_cell")(worked, number - 1, row, column)
    cross, ring = (part(f"lab.drawn:{name}")(max(values.shape)) for name in ("cross", "ring"))
    compared = [part("lab.parts:compare")(template, values, worked.filters) for template in (cross, ring)] if cross.shape == values.shape else []
    if json:
        print_json(
            {"worked": worked, "cell": one, "compared": dict(zip("XO", compared, strict=False)), "as_printed": part("lab.x_or_o:as_printed")()}
        )
        return
    part("cli.labxoshow:show")(worked, one, compared, console)


def _whole_numbers(text: str, option: str, count: int) -> tuple[int, ...]:
    """Read 1,0 or 1,0,0."""
    try:
        found = tuple(int(word) for word in text.split(","))
        if len(found) != count:
            raise ValueError
    except ValueError:
        example = {2: "--shift 1,0 (a row down)", 3: "--cell 1,0,0 (the first filter, top left)"}[count]
        raise SettingsError(f"--{option} takes {count} whole numbers with commas, not '{text}'", example) from None
    return found


def _read(picture: str, side: int) -> "np.ndarray":
    """Return the X, the O, or what a file holds, numbers -1..1."""
    if picture in ("X", "x", "O", "o"):
        return part("lab.drawn:cross" if picture in "Xx" else "lab.drawn:ring")(side)  # type: ignore[no-any-return]
    path = Path(picture)
    if path.suffix.lower() == ".txt" and path.is_file():
        rows = [line for line in path.read_text("utf-8", errors="replace").splitlines() if line.strip()]
        if wrong := sorted({sign for row in rows for sign in row} - set(SIGNS)):
            raise SettingsError(f"{path} holds '{wrong[0]}', which is neither white nor black", "# is white, . is black")
        return part("lab.exact:picture_of")([[SIGNS[sign] for sign in row] for row in rows]).values  # type: ignore[no-any-return]
    if not path.exists():
        raise MissingInput(f"there is no file {picture}", "peephole lab x-or-o X, or O, or the path of a drawing")
    return part("lab.paper:from_drawing")(part("data.photos:open_photo")(path), side)  # type: ignore[no-any-return]


def _moved(values: "np.ndarray", shift: tuple[int, ...], rotate: float, thicken: bool) -> "np.ndarray":
    if shift != (0, 0):
        values = part("lab.drawn:shift")(values, *shift)
    if rotate:
        values = part("lab.drawn:rotate")(values, rotate)
    return part("lab.drawn:thicken")(values) if thicken else values


def _filters(edits: Iterable[str]) -> "np.ndarray":
    """Return the three filters with the weights that were changed."""
    filters = part("lab.x_or_o:FILTERS").copy()
    for text in edits:
        place, _, value = text.partition("=")
        number, row, column = _whole_numbers(place, "edit", 3)
        try:
            if number < 1 or row < 0 or column < 0:
                raise IndexError
            filters[number - 1, row, column] = float(value)
        except (IndexError, ValueError):
            raise SettingsError(
                f"--edit takes filter,row,column=value, not '{text}'", "--edit 1,0,0=-1; filters 1 to 3, rows and columns 0 to 2"
            ) from None
    return filters  # type: ignore[no-any-return]


def _train(folder: Path | None, steps: int, learning_rate: float, seed: int, json: bool) -> None:
    """Train, showing some steps as they come."""
    made = part("lab.hand:drawings")
    given: Any = part("lab.paper:from_folder")(folder, 16) if folder else made(30, seed)
    held_out = made(100, seed + 1)
    running = part("lab.learn:train")(given, steps=steps, learning_rate=learning_rate, seed=seed, held_out=held_out)
    begun = part("lab.learn:begin")(given.pictures.shape[1], seed=seed)
    show = part("cli.labxoshow:Training")(console, given, len(held_out.labels), begun) if not json else None
    told, every = list["Step"](), max(1, steps // 10)
    for step in running:
        if step.number in (1, steps) or step.number % every == 0:
            told.append(step)
            if show:
                show.step(step)
    if json:
        print_json({"steps": told, "smallest": part("lab.learn:scalar_step")()})
    elif show:
        show.end(told)
