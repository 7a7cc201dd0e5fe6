"""Augmentation on batches of tensors, as a camera would do it: every image takes its own draw and is resampled at most once.

The order is that of the light: background, strokes, geometry, light, what lies on the lens, optics, sensor, JPEG. The background comes before
geometry because a camera turns, lights and blurs a subject and what stands behind it as one; moved apart, the mask would have to be
resampled too, and the repeated border would still show the old wall. Each effect stands in a file of its own; this one cuts a batch into
pieces that fit into fast memory, and shares them among the threads that PyTorch may use.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch

from peephole.train import blur, jpeg, lens, light, strokes, warp
from peephole.train.backdrop import Behind, laid
from peephole.train.chance import Key, salt, sensor, uniform
from peephole.train.compiled import compiled
from peephole.train.strengths import EFFECTS, Augment

__all__ = ["EFFECTS", "Augment", "Key", "augment"]

PIECE = 100_000  # numbers of a piece: 400 kB, which most second-level caches hold
THREADED = 200_000  # numbers from which on a second thread is worth starting
LENS = {"patch": lens.patch, "smear": lens.smear, "rain": lens.rain, "scratch": lens.scratch, "dust": lens.dust}

# What was drawn for all images (an array or a record that can be sliced alike), and what changes a piece float32 (n, C, H, W) in place by it.
Stage = tuple[Any, Callable[[np.ndarray, Any], None]]


@compiled
def _load(out: np.ndarray, images: np.ndarray) -> None:
    for j in range(out.size):
        out[j] = np.float32(images[j])


def _stages(how: Augment, keys: np.ndarray, channels: int, height: int, width: int) -> list[Stage]:
    """Draw for every image what is on, in the order in which it happens."""
    found: list[Stage] = [
        (strokes.draw(how, keys, height, width), strokes.strokes),
        (warp.draw(how, keys, height, width), warp.warp),
        (light.draw(how, keys, channels), light.light),
        *((lens.numbers(how, keys, name), partial(laid, most=getattr(how, name))) for name, laid in LENS.items()),
        (blur.draw_defocus(how, keys, height, width), blur.blur),
        (blur.draw_motion(how, keys, height, width), blur.blur),
        (keys, partial(sensor, shot=how.shot, read=how.noise)),
        (jpeg.draw(how, keys), jpeg.jpeg),
    ]
    if how.salt:  # a sensor's dead and hot pixels are there before the picture is compressed
        shares = uniform(keys, "salt share", 1)[:, 0] * np.float32(how.salt)
        found.insert(-1, ((keys, shares), lambda pixels, drawn: salt(pixels, *drawn)))
    return [stage for stage in found if stage[0] is not None]


def _sliced(drawn: Any, at: slice) -> Any:
    return tuple(each[at] for each in drawn) if isinstance(drawn, tuple) else drawn[at]


def _work(images: np.ndarray, out: np.ndarray, stages: list[Stage], at: slice) -> None:
    """Vary one piece of the batch."""
    pixels = out[at]
    if images.dtype in (np.uint8, np.float32):
        _load(pixels.reshape(-1), np.ascontiguousarray(images[at]).reshape(-1))
    else:
        pixels[:] = images[at]
    for drawn, apply in stages:
        apply(pixels, _sliced(drawn, at))


def augment(images: torch.Tensor, how: Augment, key: Key, behind: Behind | None = None) -> torch.Tensor:
    """Return a varied copy, float32 in 0..255, of images uint8 or float (N, C, H, W) in 0..255 with 1 or 3 channels, on their device.

    Image i takes the draws (key.seed, key.step, key.first + i): the same on any number of threads and however a batch is split. The work is
    done on the CPU. With nothing on, the images come back as they are, as floats. `behind` says where the subjects are and what may stand
    behind them, for `background`; without it that guesses: an ellipse in the middle, before clouds.
    """
    if not how.on() or not images.numel():
        return images.float()
    given = (laid(images, behind, key, share=how.background) if how.background else images.detach()).cpu().numpy()
    count, channels, height, width = given.shape
    out = np.empty(given.shape, np.float32)
    stages = _stages(how, key.images(count), channels, height, width)
    each = max(1, PIECE // (channels * height * width))
    pieces = [slice(at, min(at + each, count)) for at in range(0, count, each)]
    threads = min(torch.get_num_threads(), len(pieces)) if out.size >= THREADED else 1
    work = partial(_work, given, out, stages)
    if threads == 1:
        for piece in pieces:
            work(piece)
    else:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(work, pieces):  # asking for each result raises what went wrong
                pass
    return torch.from_numpy(out).to(images.device)
