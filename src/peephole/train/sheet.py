"""A contact sheet of augmentation: photos as they are trained on, and what the recipe and each effect make of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from peephole.base.card import Input, Region, Resize
from peephole.base.errors import DataError, MissingInput, OutputError, PhotoError, SettingsError
from peephole.data.photos import Listing, Photo, open_photo, scan
from peephole.data.prepare import prepare
from peephole.data.settle import borders
from peephole.data.subject import masks
from peephole.train.augment import EFFECTS, Augment, Key, augment
from peephole.train.facts import survey
from peephole.train.recipe import Options, Recipe, derive
from peephole.train.scenery import Scenery, exchanging

__all__ = ["Row", "Sheet", "sheet", "write"]

CELL = 72  # pixels at least: smaller pictures are enlarged by a whole number
GAP, WORDS = 4, 190
PHOTOS = 3  # of the recipe
LENDERS = 24  # photos whose backgrounds are shown behind others
COLOURED = ("temperature", "channels")  # change nothing on a grey picture


@dataclass(frozen=True, eq=False)
class Row:
    """A line of the sheet: what was done, the photo as it is, uint8 (C, H, W), and its variants, float32 (K, C, H, W)."""

    words: str
    original: torch.Tensor
    variants: torch.Tensor


@dataclass(frozen=True, eq=False)
class Sheet:
    """The recipe that training would derive, and the rows."""

    recipe: Recipe
    rows: tuple[Row, ...]


def _listing(path: Path) -> Listing:
    """List a folder of labels, or one photo."""
    if path.is_dir():
        return scan(path)
    if not path.is_file():
        raise MissingInput(f"{path} does not exist", "name a photo, or a folder with one sub-folder of photos per label")
    image = open_photo(path)
    photo = Photo(path, path.name, "photo", "", "", image.width, image.height, image.mode, path.stat().st_size, None)
    return Listing(path.parent, (photo,), (), ())


def _spec(recipe: Recipe) -> Input:
    return Input(
        shape=("N", recipe.height, recipe.width, recipe.channels),
        resize=Resize(to=(recipe.height, recipe.width), fit="cover"),
        colour="rgb" if recipe.channels == 3 else "grey",
    )


def _pictures(listing: Listing, spec: Input, count: int) -> tuple[list[Photo], np.ndarray]:
    """Prepare some of the labelled photos as training does: uint8 (count or fewer, H, W, C), spread over the labels."""
    photos = [photo for photo in listing.photos if photo.label != "unknown"]
    found: list[np.ndarray] = []
    read: list[Photo] = []
    for at in np.argsort([(number * 7919) % max(1, len(photos)) for number in range(len(photos))], kind="stable"):
        try:
            found.append(prepare(open_photo(photos[int(at)].path), spec))
        except PhotoError:
            continue  # `peephole check` says why
        read.append(photos[int(at)])
        if len(found) == count:
            break
    if not found:
        raise DataError(f"{listing.root} holds no photo that can be read", f"peephole check {listing.root}")
    return read, np.stack(found)


def _scenery(listing: Listing, photos: list[Photo], images: np.ndarray, spec: Input) -> Scenery:
    """Look for the subjects and backgrounds of some photos as training does."""
    labels, everyone = np.unique([photo.label for photo in photos], return_inverse=True)[1], np.arange(len(photos))
    return Scenery.of(images, masks(listing, [photo.id for photo in photos], spec), labels, everyone, everyone[:0])


@dataclass(frozen=True, eq=False)
class _Shown:
    """The photos that the sheet shows, uint8 (N, C, H, W), and what stands behind their subjects, where an effect asks for it."""

    pictures: torch.Tensor
    scenery: Scenery | None
    columns: int

    def row(self, words: str, at: int, how: Augment, key: Key) -> Row:
        behind = self.scenery.behind(torch.full((self.columns,), at)) if self.scenery and how.background else None
        return Row(words, self.pictures[at], augment(self.pictures[at][None].expand(self.columns, -1, -1, -1), how, key, behind))


def sheet(path: Path, *, only: Sequence[str] = (), strength: float = 0.5, seed: int = 7, columns: int = 6, options: Options | None = None) -> Sheet:
    """Vary photos of `path` (a folder of labels, or one photo) by the very code of training.

    First the recipe that `options` and the photos give, on up to 3 photos, then each effect alone at `strength` of 0..1; with `only`, these effects
    alone and nothing else. Raises InputError for photos or options that cannot be used.
    """
    if not 1 <= columns <= 50:
        raise SettingsError(f"columns is between 1 and 50, not {columns}", "--columns 6")
    for name in only:
        Augment.of([name], strength)  # refuses a name that it does not know, before anything is read
    listing = _listing(path)
    recipe = derive(survey(listing, seed), options or Options(seed=seed))
    names = tuple(only) or tuple(name for name in (*EFFECTS, "flip") if recipe.channels == 3 or name not in COLOURED)
    photos, images = _pictures(listing, _spec(recipe), LENDERS)
    if not only and path.is_dir():
        recipe = exchanging(recipe, options or Options(), Region(), borders(listing), images)
    exchanged = "background" in names or recipe.augment.background > 0
    scenery = _scenery(listing, photos, images, _spec(recipe)) if exchanged else None
    shown = _Shown(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), scenery, columns)
    recipes = range(0 if only else min(PHOTOS, len(photos)))
    rows = [shown.row("the recipe", at, recipe.augment, Key(seed, 0, at * columns)) for at in recipes]
    rows += [shown.row(how.sentence(), 0, how, Key(seed, 1)) for how in (Augment.of([name], strength) for name in names)]
    return Sheet(recipe, tuple(rows))


def _cell(picture: torch.Tensor, times: int) -> Image.Image:
    pixels = picture.float().add(0.5).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def write(found: Sheet, path: Path) -> None:
    """Draw the rows, each with its words, the photo and its variants, to a picture file; raises OutputError."""
    _, height, width = found.rows[0].original.shape
    times = max(1, -(-CELL // max(height, width)))
    wide, high = width * times + GAP, height * times + GAP
    columns = 1 + len(found.rows[0].variants)
    canvas = Image.new("RGB", (WORDS + wide * columns + GAP, high * len(found.rows) + GAP), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for at, row in enumerate(found.rows):
        top = GAP + at * high
        pen.multiline_text((GAP, top + GAP), _folded(row.words, font), fill="black", font=font, spacing=2)
        for column, picture in enumerate([row.original, *row.variants]):
            canvas.paste(_cell(picture, times), (WORDS + column * wide + GAP * (column > 0), top))
    try:
        canvas.save(path, optimize=True)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be written: {error}", "give -o a file name that ends in .png, in a folder that exists") from error


def _folded(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Break words into lines that fit beside the pictures."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], longer] if font.getlength(longer) < WORDS - 3 * GAP else [*lines, word]
    return "\n".join(lines)
