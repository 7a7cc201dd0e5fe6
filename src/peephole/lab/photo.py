"""Photos as arrays for the lab, and arrays as PNG files."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from peephole.base.errors import InputError, MissingInput, PhotoError
from peephole.base.files import write_atomic
from peephole.data.decode import open_photo

__all__ = ["read", "require_png", "write"]


def read(path: Path | str, *, grey: bool = False) -> np.ndarray:
    """Return a photo upright as uint8, (H, W) for grey ones or with `grey`, else (H, W, 3); what is clear becomes white. Raises InputError."""
    try:
        image = open_photo(path)
    except MissingInput:
        raise
    except PhotoError as error:
        raise InputError(f"{path}: {error.what}", error.hint) from error
    if image.mode in ("LA", "RGBA"):
        under = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(under, image.convert("RGBA")).convert("L" if image.mode == "LA" else "RGB")
    return np.asarray(image.convert("L") if grey else image)


def require_png(path: Path | str) -> None:
    """Raise InputError where a picture is not to be written as PNG: other kinds would change its numbers or are not written here."""
    if Path(path).suffix.lower() != ".png":
        raise InputError(f"{path} does not end in .png", f"-o {Path(path).with_suffix('.png')}: a PNG keeps every number as it is")


def write(path: Path | str, pixels: np.ndarray) -> Path:
    """Write uint8 (H, W) or (H, W, 3) as a PNG file; raises InputError for another ending, OutputError."""
    require_png(path)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return write_atomic(path, data.getvalue())
