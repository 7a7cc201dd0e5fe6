"""From a drawing on paper to a picture of a few white and black pixels, as the X of the example is."""

from pathlib import Path

import numpy as np
from PIL import Image

from peephole.base.errors import DataError, InputError, MissingInput
from peephole.data.photos import open_photo
from peephole.lab.exact import SIDE_LEAST, SIDE_MOST
from peephole.lab.hand import Drawings

__all__ = ["from_drawing", "from_folder"]

MOST = 200  # drawings of a label that are read
LOOK = 8  # pixels of the drawing looked at for each of the picture
FAINT = 12  # grey levels of 255 that paper differs from itself
COVERED = 0.5  # of the ink of the darkest pixels: from there on a pixel is white


def from_drawing(image: Image.Image, side: int = 9) -> np.ndarray:
    """Return float64 (side, side): 1 where there is ink, -1 where there is none, inside a border of -1; ink of any colour, paper light or dark.

    The drawing is cut to its ink, so that a small X in a corner becomes an X as well; a sheet without ink becomes -1 everywhere.
    """
    if not SIDE_LEAST <= side <= SIDE_MOST:
        raise InputError(f"a picture has {SIDE_LEAST} to {SIDE_MOST} rows and columns, not {side}", "the X of the example is 9 x 9")
    flat = Image.new("RGBA", image.size, "white")
    flat.alpha_composite(image.convert("RGBA"))
    colours = np.asarray(flat.convert("RGB"), np.float64)
    edge = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    ink = np.abs(colours - np.median(edge, axis=0)).max(-1)
    margin = 1 if side >= 5 else 0
    inner, picture = side - 2 * margin, np.full((side, side), -1.0)
    if ink.max() < FAINT:
        return picture
    box = _square(ink > 0.5 * ink.max())
    cut = Image.fromarray(ink.astype(np.float32)).crop(box)
    fine = np.asarray(cut.resize((inner * LOOK, inner * LOOK), Image.Resampling.BOX if min(cut.size) >= inner * LOOK else Image.Resampling.BILINEAR))
    cells = fine.reshape(inner, LOOK, inner, LOOK).mean((1, 3))
    on = cells >= COVERED * np.quantile(cells, 0.9)
    picture[margin : side - margin, margin : side - margin] = np.where(on & (cells > 0), 1.0, -1.0)
    return picture


def _square(inked: np.ndarray) -> tuple[int, int, int, int]:
    """Return the square (left, top, right, bottom) around the ink; it may reach over the paper's edge, where there is no ink."""
    rows, columns = (np.flatnonzero(inked.any(axis)) for axis in (1, 0))
    long = int(max(np.ptp(rows), np.ptp(columns))) + 1
    left, top = (int(along[0] + along[-1] + 1 - long) // 2 for along in (columns, rows))
    return left, top, left + long, top + long


def from_folder(folder: Path, side: int = 16) -> Drawings:
    """Read drawings from folder/X and folder/O; raises MissingInput or DataError without both, PhotoError for a file that is no picture."""
    if not folder.is_dir():
        raise MissingInput(f"there is no folder {folder}", "give a folder with X/ and O/ in it")
    pictures, labels = list[np.ndarray](), list[int]()
    for label, name in enumerate("XO"):
        paths = sorted(path for path in (folder / name).glob("*") if path.is_file() and not path.name.startswith("."))
        if not paths:
            raise DataError(f"{folder / name} has no drawings", f"put some into {folder / 'X'} and {folder / 'O'}")
        pictures += [from_drawing(open_photo(path), side) for path in paths[:MOST]]
        labels += [label] * len(paths[:MOST])
    return Drawings(np.array(pictures), np.array(labels))
