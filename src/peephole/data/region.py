"""Which part of the frame is judged; the same cut in training and at the door."""

from PIL import Image

from peephole.base.card import Region
from peephole.base.errors import InputError

__all__ = ["cut"]


def cut(image: Image.Image, region: Region) -> Image.Image:
    """Return the judged part of an upright picture, at least 1 x 1 pixel.

    `whole` is the picture itself. `rectangle` takes (left, top, width, height) as fractions 0..1 of the picture, rounded
    to whole pixels and kept inside it. Raises InputError when a rectangle has no box.
    """
    if region.how == "whole":
        return image
    if region.box is None:
        raise InputError("a rectangle needs its box", "set region.box = [left, top, width, height], each 0..1")
    wide, high = image.size
    left, top, width, height = region.box
    x0 = min(round(left * wide), wide - 1)
    y0 = min(round(top * high), high - 1)
    x1 = min(max(round((left + width) * wide), x0 + 1), wide)
    y1 = min(max(round((top + height) * high), y0 + 1), high)
    return image.crop((x0, y0, x1, y1))
