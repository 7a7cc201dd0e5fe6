"""`peephole augment`: see what training sees."""

from pathlib import Path
from typing import Annotated

import typer

from peephole.base.extras import load as part
from peephole.cli.show import console

__all__ = ["augment"]


def augment(
    photos: Annotated[Path, typer.Argument(help="A folder with one sub-folder of photos per label, or one photo.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture to write.")] = Path("sheet.png"),
    strength: Annotated[float, typer.Option(help="How strong each effect is shown: 0 leaves it out, 1 is as strong as is sensible.")] = 0.5,
    only: Annotated[str | None, typer.Option(help="The effects to show, as in scratch,dust; without it the recipe and all of them.")] = None,
    columns: Annotated[int, typer.Option(help="Variants beside each photo.")] = 6,
    size: Annotated[int | None, typer.Option(help="The network's input, in pixels on each side; without it the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of every draw.")] = 7,
) -> None:
    """Draw a contact sheet of PHOTOS as they are trained on: the recipe's augmentation, then each effect alone."""
    options = part("train.recipe:Options")(seed=seed, size=None if size is None else (size, size))
    names = tuple(name.strip() for name in only.split(",")) if only else ()
    found = part("train.sheet:sheet")(photos, only=names, strength=strength, seed=seed, columns=columns, options=options)
    part("train.sheet:write")(found, output)
    recipe = found.recipe
    console.print(f"{output}: {len(found.rows)} rows at {recipe.height}x{recipe.width}x{recipe.channels}", markup=False, soft_wrap=True)
    console.print(f"the recipe varies by {recipe.augment.sentence()}", markup=False, soft_wrap=True)
