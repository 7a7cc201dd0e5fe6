"""From a picture to the network's input: the very code of training and of the door.

The order is fixed: region, alpha, colour, resize. No decoder short cut (JPEG draft) is taken, so that a camera's
frame and the JPEG of that frame are prepared alike.
"""

import numpy as np
from PIL import Image

from peephole.base.card import Input
from peephole.base.errors import InputError
from peephole.data.motion import Background
from peephole.data.region import Place, place

__all__ = ["frame_of", "placed", "prepare", "prepare_array", "prepare_part"]

INK = {"white": 255, "black": 0}


def prepare(image: Image.Image, spec: Input, background: Background | None = None) -> np.ndarray:
    """Return a picture as uint8 (H, W, C), as the card's input says; raises PhotoError when its region finds nothing to judge.

    `image` is upright, in mode RGB, L, RGBA or LA, as `open_photo` gives it; other 8-bit modes are converted. `background` takes the
    place of the card's in a motion region.
    """
    return placed(image, spec, background)[0]


def placed(image: Image.Image, spec: Input, background: Background | None = None) -> tuple[np.ndarray, Place]:
    """Return what `prepare` returns, and where in the picture it was."""
    found = place(image, spec.region, background)
    return prepare_part(image, found.box, spec), found


def prepare_part(image: Image.Image, box: tuple[int, int, int, int], spec: Input) -> np.ndarray:
    """Return the part `box` (left, top, right, bottom) of a picture as uint8 (H, W, C)."""
    mode = "RGB" if spec.colour == "rgb" else "L"
    ink = INK[spec.alpha]
    judged = _opaque(image if box == (0, 0, *image.size) else image.crop(box), ink)
    if judged.mode != mode:
        judged = judged.convert(mode)
    high, wide = spec.resize.to
    pixels = np.array(_resize(judged, wide, high, spec.resize.fit, ink), np.uint8)
    return pixels.reshape(high, wide, -1)


def frame_of(pixels: np.ndarray) -> Image.Image:
    """Return a frame, uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), as a picture; raises InputError for anything else."""
    frame = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    right = frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] in (3, 4))
    if frame.dtype != np.uint8 or not right or frame.size == 0:
        raise InputError(
            f"a frame is uint8 of shape (height, width, 1, 3 or 4), not {pixels.dtype} {pixels.shape}",
            "give 8-bit pixels; multiply values of 0..1 by 255 first",
        )
    return Image.fromarray(np.ascontiguousarray(frame))


def prepare_array(pixels: np.ndarray, spec: Input, background: Background | None = None) -> np.ndarray:
    """Return a frame prepared as `prepare` does; raises InputError for what is no frame (see `frame_of`)."""
    return prepare(frame_of(pixels), spec, background)


def _opaque(image: Image.Image, ink: int) -> Image.Image:
    """Lay a picture with alpha onto a white (255) or black (0) sheet."""
    if image.mode not in ("RGBA", "LA", "PA", "La", "RGBa"):
        return image
    if image.mode != "RGBA":
        image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, (ink, ink, ink, 255)), image).convert("RGB")


def _resize(image: Image.Image, wide: int, high: int, fit: str, ink: int) -> Image.Image:
    """Resize with Pillow's bilinear filter, which averages when it shrinks."""
    width, height = image.size
    if (width, height) == (wide, high):
        return image
    if fit == "stretch":
        return image.resize((wide, high), Image.Resampling.BILINEAR)
    if fit == "cover":
        scale = min(width / wide, height / high)
        x, y = (width - wide * scale) / 2, (height - high * scale) / 2
        # Rounding may put the box a hair outside the picture, which Pillow refuses.
        box = (max(x, 0.0), max(y, 0.0), min(x + wide * scale, width), min(y + high * scale, height))
        return image.resize((wide, high), Image.Resampling.BILINEAR, box=box)
    scale = min(wide / width, high / height)
    inner = (min(wide, max(1, round(width * scale))), min(high, max(1, round(height * scale))))
    sheet = Image.new(image.mode, (wide, high), ink if image.mode == "L" else (ink, ink, ink))
    sheet.paste(image.resize(inner, Image.Resampling.BILINEAR), ((wide - inner[0]) // 2, (high - inner[1]) // 2))
    return sheet
