"""What moved before a fixed camera: each pixel's usual colour and spread, learned from pictures of the same scene; numpy alone.

Works on pictures of at most 96 pixels a side: where something is matters here, not what it is.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from peephole.base.card import Motion
from peephole.base.errors import DataError, InputError

__all__ = ["CHANGED", "ENOUGH", "NOTHING", "SHAPE", "Background", "Moved", "as_card", "background_of", "behind", "follow", "learn", "moved", "small"]

SIDE = 96
ENOUGH = 5  # pictures: fewer cannot outvote a subject
LEAST, TIMES, SMALLEST, LARGEST = 28, 4.0, 0.01, 0.8
# A pixel whose colour spreads more than this over the pictures (0..255) was not the same wall in most of them.
UNSURE = 20
COMMON, HIDDEN = 0.5, 0.1  # shares of the picture that must be sure, and that may be unsure
SAME_SHAPE = 0.03  # how far two shapes (width by height) may differ by rounding
SLOW = 50  # frames: where something stands, the background follows so much more slowly
NOTHING, CHANGED, SHAPE = "nothing moved", "nearly all of the picture changed", "the picture has another shape"
CUT_OFF = 250  # of 255


@dataclass(frozen=True, eq=False)
class Background:
    """A scene: `middle` uint8 (h, w, 3), each pixel's usual colour, and `spread` uint8 (h, w), how far it strays; `turn` counts frames followed."""

    middle: np.ndarray
    spread: np.ndarray
    turn: int = 0


@dataclass(frozen=True, eq=False)
class Moved:
    """Where something is that is not the scene: `mask` bool (h, w) of its pixels; `box` (left, top, width, height) 0..1; `others` more such things.

    Where nothing can be judged `problem` says why and `box` is None.
    """

    mask: np.ndarray
    box: tuple[float, float, float, float] | None
    others: int = 0
    problem: str = ""


def small(image: Image.Image, like: Background | None = None) -> np.ndarray:
    """Return a picture as uint8 (h, w, 3), its longest side 96 pixels or its own if that is less; of a scene's size if that has its shape."""
    scale = min(1.0, SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if like is not None:
        high, wide = like.spread.shape
        size = (wide, high) if abs(image.width * high / (image.height * wide) - 1) < SAME_SHAPE else size
    return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX), np.uint8)


def _matched(picture: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Return the picture (h, w, 3) float32 in the light of `middle`: one gain for each channel, the median over the pixels, a half to two."""
    own, usual = picture.astype(np.float32), middle.astype(np.float32)
    gain = np.clip(np.median((usual + 1) / (own + 1), (0, 1)), 0.5, 2.0)
    found = np.minimum(own * gain, 255.0)
    # A channel that the sensor cut off at white was brighter, nobody knows by how much: no evidence against a brighter wall.
    return np.asarray(np.where((picture >= CUT_OFF) & (usual > found), usual, found))


def behind(picture: np.ndarray, background: Background) -> np.ndarray:
    """Return the scene as uint8 (H, W, 3) in the size and the light of `picture` (H, W, 3): what stands behind its subject."""
    little = small(Image.fromarray(picture), background).astype(np.float32)
    scene = background.middle
    if little.shape == scene.shape:
        gain = np.clip(np.median((little + 1) / (scene.astype(np.float32) + 1), (0, 1)), 0.5, 2.0)
        scene = np.rint(np.clip(scene * gain, 0, 255)).astype(np.uint8)
    return np.asarray(Image.fromarray(scene).resize((picture.shape[1], picture.shape[0]), Image.Resampling.BICUBIC))


def learn(pictures: Sequence[np.ndarray]) -> Background:
    """Learn a scene from at least 5 pictures (see `small`) of it, whatever stands before it now and then.

    Raises DataError, saying why, where they are too few, of several sizes, or show no common scene.
    """
    hint = "--region face, --region LEFT,TOP,WIDTH,HEIGHT or --region whole; photos of the empty scene go to unknown/empty/"
    if len(pictures) < ENOUGH:
        raise DataError(f"motion needs at least {ENOUGH} pictures of the scene to learn its background, not {len(pictures)}", hint)
    if len({picture.shape for picture in pictures}) > 1:
        raise DataError("motion needs pictures of one fixed camera, and these are of several sizes or shapes", hint)
    stack = np.stack(pictures)
    middle = np.median(stack, 0)
    level = np.stack([_matched(picture, middle) for picture in stack])
    middle = np.median(level, 0)
    spread = np.minimum(1.4826 * np.median(np.abs(level - middle), 0).max(2), 255)
    unsure = float((spread > UNSURE).mean())
    if unsure > 1 - COMMON:
        raise DataError(f"motion finds no common background: only {1 - unsure:.0%} of the picture stays the same from photo to photo", hint)
    if unsure > HIDDEN:
        raise DataError(
            f"motion cannot see the background: in {unsure:.0%} of the picture something stands in most photos",
            f"put {ENOUGH} or more photos of the empty scene into unknown/empty/, or take another region: --region face",
        )
    return Background(np.rint(middle).astype(np.uint8), np.rint(spread).astype(np.uint8))


def as_card(background: Background, frames: int) -> Motion:
    """Return a learned scene as the card keeps it."""
    picture = Image.fromarray(np.dstack([background.middle, background.spread]), "RGBA")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    return Motion(background=text, frames=frames, least=LEAST, times=TIMES, smallest=SMALLEST, largest=LARGEST)


@lru_cache(maxsize=4)
def background_of(how: Motion) -> Background:
    """Return the scene that a card keeps; raises InputError for a picture that is none."""
    try:
        image = Image.open(io.BytesIO(base64.b64decode(how.background, validate=True)), formats=["PNG"])
        if image.mode != "RGBA" or max(image.size) > 160:
            raise ValueError
        pixels = np.asarray(image, np.uint8)
    except Exception as error:  # Pillow's decoders raise whatever they meet
        raise InputError("the card's background is no picture of the kind it should be", "train the model again") from error
    return Background(pixels[:, :, :3].copy(), pixels[:, :, 3].copy())


def moved(picture: np.ndarray, background: Background, how: Motion) -> Moved:
    """Return what is in `picture` (see `small`) and not in the scene: the largest thing, its pixels and its box."""
    high, wide = background.spread.shape
    nothing = np.zeros((high, wide), bool)
    if picture.shape != background.middle.shape:
        shape = f"{picture.shape[1]}x{picture.shape[0]}"
        return Moved(nothing, None, problem=f"{SHAPE} ({shape}) than the scene learned in training ({wide}x{high})")
    apart = np.abs(_matched(picture, background.middle) - background.middle).max(2)
    away = _most(apart > np.maximum(how.least, how.times * background.spread))
    share = float(away.mean())
    if share > how.largest:
        return Moved(nothing, None, problem=f"{CHANGED} ({share:.0%}): the light or the camera, no subject")
    parts = _parts(away)
    if not parts or parts[0].sum() < how.smallest * away.size:
        return Moved(nothing, None, problem=f"{NOTHING}: the picture shows the empty scene")
    rows, columns = np.flatnonzero(parts[0].any(1)), np.flatnonzero(parts[0].any(0))
    box = (columns[0] / wide, rows[0] / high, (columns[-1] + 1 - columns[0]) / wide, (rows[-1] + 1 - rows[0]) / high)
    others = sum(bool(part.sum() > max(how.smallest * away.size, parts[0].sum() / 4)) for part in parts[1:])
    return Moved(parts[0], tuple(float(part) for part in box), others)  # type: ignore[arg-type]  # four parts


def follow(background: Background, picture: np.ndarray, how: Motion) -> Background:
    """Return the scene one frame later: each channel one grey level nearer to the frame (Manzanera & Richefeu 2007), slowly where something stands.

    The light may change over a day and a chair be moved; who stands still at 10 frames a second is not part of the wall for minutes.
    """
    if picture.shape != background.middle.shape:
        return background
    turn = background.turn + 1
    found = moved(picture, background, how)
    if found.box is None and found.problem and not found.problem.startswith(NOTHING):
        held = np.ones(background.spread.shape, bool)
    else:
        held = _grown(found.mask, 2)
    step = np.sign(picture.astype(np.int16) - background.middle)
    if turn % SLOW:
        step[held] = 0
    return Background((background.middle + step).astype(np.uint8), background.spread, turn)


def _sums(mask: np.ndarray) -> np.ndarray:
    """Return how many of each pixel's 3 x 3 neighbourhood are set, int (h, w)."""
    wide = np.pad(mask.astype(np.int16), 1)
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])


def _most(mask: np.ndarray) -> np.ndarray:
    """Keep what most of its neighbourhood agrees with: single pixels are noise."""
    return np.asarray(_sums(mask) >= 5)


def _grown(mask: np.ndarray, times: int) -> np.ndarray:
    for _ in range(times):
        mask = np.asarray(_sums(mask) > 0)
    return mask


def _parts(mask: np.ndarray) -> list[np.ndarray]:
    """Return the separate things in a mask, the largest first; gaps of up to four pixels do not separate."""
    joined = _grown(mask, 2)
    number = np.where(joined, np.arange(1, joined.size + 1).reshape(joined.shape), 0)
    while True:  # every pixel takes the largest number beside it until nothing changes
        wide = np.pad(number, 1)
        best = np.maximum.reduce([number, wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]]) * joined
        # A pointer jump: the pixel that a number names knows a larger one already.
        best = np.where(joined, np.concatenate([[0], best.ravel()])[best], 0)
        if (best == number).all():
            break
        number = best
    names, counts = np.unique(number[mask], return_counts=True)
    return [mask & (number == name) for name in names[np.argsort(-counts, kind="stable")]]
