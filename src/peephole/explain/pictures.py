"""Numbers -> pictures: PNG as data URIs, zero neutral, one symmetric scale; numpy and Pillow only."""

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = ["Sheet", "bars", "blend", "blocks", "encode", "heat", "legend", "sheet", "symmetric"]

# Blue is negative, red positive, zero nearly white: told apart also by people who do not see red and green apart.
STOPS = ((-1.0, (11, 60, 111)), (-0.5, (74, 144, 196)), (0.0, (246, 246, 244)), (0.5, (224, 128, 80)), (1.0, (140, 28, 19)))
BLOCK, FEW = 328, 4  # pixels that a phone of 390 has for a picture within a layer; so many maps are drawn large, each by itself
HALF = 126
NOT_A_NUMBER, GAP = 253, 255


def _palette() -> list[int]:
    """Return 256 RGB triples: 0..252 for -1..1 with zero at 126, 253 for NaN, 255 the (transparent) gap."""
    at = np.linspace(-1, 1, 2 * HALF + 1)
    columns = [np.interp(at, [stop for stop, _ in STOPS], [colour[part] for _, colour in STOPS]) for part in range(3)]
    colours = np.zeros((256, 3), np.uint8)
    colours[: 2 * HALF + 1] = np.stack(columns, axis=1).round()
    colours[NOT_A_NUMBER] = (128, 128, 128)
    return [int(value) for value in colours.ravel()]


PALETTE = _palette()


@dataclass(frozen=True)
class Sheet:
    """A picture ready for a page: data URI, its size in pixels on the page, how many maps it shows and at what size each was drawn."""

    uri: str
    width: int
    height: int
    shown: int
    drawn: tuple[int, int]


def encode(image: Image.Image, kind: str = "PNG") -> str:
    """Return an image as a data URI (PNG, or JPEG for photos); the same pixels give the same bytes."""
    buffer = io.BytesIO()
    if kind == "JPEG":
        image.save(buffer, "JPEG", quality=85)
    elif image.mode == "P":
        image.save(buffer, "PNG", compress_level=6, transparency=GAP)
    else:
        image.save(buffer, "PNG", compress_level=6)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def symmetric(values: np.ndarray) -> float:
    """Return the largest finite absolute value: the one scale of a layer runs from minus to plus this."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0


def _indices(values: np.ndarray, limit: float) -> np.ndarray:
    """Return palette indices of values on the scale -limit..limit."""
    scale = HALF / limit if limit > 0 else 0.0
    with np.errstate(invalid="ignore"):
        found = np.clip(np.round(np.nan_to_num(values, posinf=limit, neginf=-limit) * scale), -HALF, HALF) + HALF
    return np.where(np.isnan(values), NOT_A_NUMBER, found).astype(np.uint8)


def _paletted(pixels: np.ndarray) -> Image.Image:
    """Return an uint8 array of palette indices as a palette image."""
    image = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())
    image.putpalette(PALETTE)
    return image


def _shrink(maps: np.ndarray, side: int) -> np.ndarray:
    """Return maps (C, H, W) averaged down by a whole factor until the longer side is at most about `side`."""
    step = math.ceil(max(maps.shape[1:]) / side)
    if step <= 1:
        return maps
    tall, wide = (math.ceil(size / step) * step for size in maps.shape[1:])
    padded = np.pad(maps, ((0, 0), (0, tall - maps.shape[1]), (0, wide - maps.shape[2])), mode="edge")
    return np.asarray(padded.reshape(len(maps), tall // step, step, wide // step, step).mean(axis=(2, 4)))


def sheet(maps: np.ndarray, limit: float, *, side: int = 64, grown: int = 56, gap: int = 3) -> Sheet:
    """Return a contact sheet of maps (C, H, W) on the scale -limit..limit, its rows as even as they can be and at most BLOCK pixels wide.

    Small maps are enlarged by a whole factor to about `grown` pixels; maps larger than `side` are averaged down.
    """
    small = _shrink(maps, side)
    count, tall, wide = small.shape
    grow = max(1, round(grown / max(tall, wide)))
    tiles = _indices(small, limit).repeat(grow, axis=1).repeat(grow, axis=2)
    tall, wide = tiles.shape[1:]
    rows = math.ceil(count / max(1, (BLOCK + gap) // (wide + gap)))
    columns = math.ceil(count / rows)
    canvas = np.full((rows * (tall + gap) - gap, columns * (wide + gap) - gap), GAP, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = (index // columns) * (tall + gap), (index % columns) * (wide + gap)
        canvas[top : top + tall, left : left + wide] = tile
    return Sheet(encode(_paletted(canvas)), canvas.shape[1], canvas.shape[0], count, small.shape[1:])


def blocks(maps: np.ndarray, limit: float, *, most: int = 64, side: int = 64, grown: int = 56, gap: int = 3) -> tuple[Sheet, ...]:
    """Return the first `most` of maps (C, H, W) as two sheets that stand side by side on a desk and one below the other on a phone.

    Four maps or fewer are each a picture of their own, and larger, so that two of them still fit beside each other on a phone.
    """
    maps = maps[:most]
    if len(maps) <= FEW:
        parts, grown = list(maps[:, None]), max(grown, BLOCK // 2 - 2 * gap)
        grown -= grown % max(1, min(side, *maps.shape[1:]))
    else:
        half = math.ceil(len(maps) / 2)
        parts = [maps[:half], maps[half:]]
    return tuple(sheet(part, limit, side=side, grown=grown, gap=gap) for part in parts)


def bars(values: np.ndarray, limit: float, *, most: int = 672, height: int = 72) -> Sheet:
    """Return units (n,) as a strip of bars around a zero line: the first `most` of them on the scale -limit..limit."""
    shown = values[:most]
    wide = max(1, 672 // max(1, len(shown)))
    colours = _indices(shown, limit)
    middle = height // 2
    canvas = np.full((height, wide * len(shown)), GAP, np.uint8)
    reach = np.round(np.nan_to_num(shown / limit if limit else shown * 0, posinf=1, neginf=-1) * (middle - 1)).astype(int)
    gap = 1 if wide > 3 else 0
    for index, (length, colour) in enumerate(zip(reach, colours, strict=True)):
        left, right = index * wide, (index + 1) * wide - gap
        top, bottom = (middle - length, middle) if length >= 0 else (middle, middle - length)
        canvas[top:bottom, left:right] = colour
    canvas[middle] = NOT_A_NUMBER
    return Sheet(encode(_paletted(canvas)), canvas.shape[1], canvas.shape[0], len(shown), (height, wide))


def legend(width: int = 252) -> Sheet:
    """Return the colour scale from minus the limit to plus the limit."""
    row = _indices(np.linspace(-1, 1, width), 1.0)
    return Sheet(encode(_paletted(np.repeat(row[None], 10, axis=0))), width, 10, 1, (10, width))


def _colours(values: np.ndarray, limit: float) -> np.ndarray:
    return np.asarray(np.array(PALETTE, np.uint8).reshape(256, 3)[_indices(values, limit)])


def _spread(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return cell values (h, w) spread over `size` (height, width) pixels."""
    rows = (np.arange(size[0]) * values.shape[0]) // size[0]
    columns = (np.arange(size[1]) * values.shape[1]) // size[1]
    return np.asarray(values[rows][:, columns])


def _enlarged(picture: np.ndarray, longest: int) -> tuple[int, int]:
    """Return the (height, width) of a picture (H, W, C) when its longer side is about `longest` pixels."""
    tall, wide = picture.shape[:2]
    scale = longest / max(tall, wide)
    return max(1, round(tall * scale)), max(1, round(wide * scale))


def heat(picture: np.ndarray, values: np.ndarray, limit: float, *, longest: int = 280) -> Sheet:
    """Return cell values (h, w) as colours, as large as `blend` draws the picture (H, W, C)."""
    size = _enlarged(picture, longest)
    return Sheet(encode(_paletted(_indices(_spread(values, size), limit))), size[1], size[0], 1, values.shape)


def blend(picture: np.ndarray, values: np.ndarray, limit: float, *, longest: int = 280) -> Sheet:
    """Return cell values (h, w) laid over a greyed picture (H, W, C); the stronger the value, the more its colour covers."""
    size = _enlarged(picture, longest)
    way = Image.Resampling.NEAREST if size[0] >= picture.shape[0] else Image.Resampling.BOX
    grey = Image.fromarray(np.asarray(picture.mean(axis=2), np.uint8)).resize(size[::-1], way)
    spread = _spread(values, size)
    strength = np.abs(np.nan_to_num(spread)) / limit if limit else np.zeros_like(spread)
    cover = (0.15 + 0.7 * np.clip(strength, 0, 1))[..., None]
    base = np.asarray(grey, np.float64)[..., None] * np.ones(3)
    mixed = base * (1 - cover) + _colours(spread, limit) * cover
    image = Image.fromarray(mixed.round().astype(np.uint8))
    return Sheet(encode(image), image.width, image.height, 1, values.shape)
