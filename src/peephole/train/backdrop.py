"""The subject before other backgrounds: what a model has learned of a wall or a garden it will not find at the next door.

Where the subject stands is for others to say (train/scenery: what moved, a face, GrabCut); without that, an upright ellipse in the middle
will do.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, interpolate, pad

from peephole.base.errors import InputError
from peephole.train.chance import Key, uniform

__all__ = ["Behind", "before", "clouds", "laid", "middle"]

FILL = 0.8  # of each side: a person's head and shoulders, or a thing, photographed on purpose
SOFT = 0.01  # of the longer side: a mask's edge is a pixel or two off


class Behind(NamedTuple):
    """What may lie behind n images: masks (n, H, W), uint8 0..255 or 0..1, most on the subject; backdrops (M, C, H, W) in 0..255.

    `weights` float64 (M,), at least 0, say how often each backdrop is taken; where none is, clouds take its place.
    """

    masks: torch.Tensor
    backdrops: torch.Tensor
    weights: torch.Tensor


def middle(count: int, height: int, width: int) -> torch.Tensor:
    """Return masks (count, H, W) of 0 and 1: an upright ellipse over 80 % of each side, the guess for a photo taken of something."""
    y, x = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)[None]
    return ((x / FILL) ** 2 + (y / FILL) ** 2 <= 1).float().expand(count, height, width)


def clouds(count: int, channels: int, height: int, width: int, key: Key) -> torch.Tensor:
    """Return backgrounds float32 (count, C, H, W) in 0..255 for those who have none: soft fields of chance colours, 2 to 8 across."""
    return _clouds(key.images(count), channels, height, width)


def _clouds(keys: np.ndarray, channels: int, height: int, width: int) -> torch.Tensor:
    numbers = torch.from_numpy(uniform(keys, "clouds", channels * 64 + 1))
    found = [
        interpolate(own[1:].reshape(1, channels, 8, 8)[:, :, : 2 + int(7 * own[0]), : 2 + int(7 * own[0])], (height, width), mode="bilinear")
        for own in numbers
    ]
    return torch.cat(found) * 255


def _soft(masks: torch.Tensor, reach: int) -> torch.Tensor:
    """Widen the edge of masks (N, H, W) to about `reach` pixels on either side."""
    soft = masks[:, None]
    for _ in range(2):
        soft = avg_pool2d(pad(soft, (reach,) * 4, mode="replicate"), 2 * reach + 1, stride=1)
    return soft


def _chosen(chance: np.ndarray, behind: Behind, keys: np.ndarray, shape: torch.Size) -> torch.Tensor:
    """Return the backdrop float32 (n, C, H, W) of each image by `chance` (n,), even in 0..1."""
    reach = behind.weights.double().cumsum(0)
    if not len(reach) or reach[-1] <= 0:
        return _clouds(keys, *shape[1:])
    # The first whose reach lies above: one of weight 0 is never that.
    at = torch.searchsorted(reach, torch.from_numpy(chance).double() * reach[-1], right=True)
    return behind.backdrops[at.clamp(max=int(behind.weights.nonzero().max()))].cpu().float()


def laid(images: torch.Tensor, behind: Behind | None, key: Key, *, share: float, soft: float = SOFT) -> torch.Tensor:
    """Return float32 (N, C, H, W) on the images' device: a `share` of them, 0..1, before another background.

    Without `behind` it guesses: `middle` before `clouds`.
    """
    count, channels, height, width = images.shape
    if behind is None:
        behind = Behind(middle(count, height, width), torch.empty(0, channels, height, width), torch.empty(0))
    keys = key.images(count)
    chance = uniform(keys, "backdrop", 3)
    out = images.detach().cpu().to(torch.float32, copy=True)
    changed = chance[:, 0] < share
    if changed.any():
        at = torch.from_numpy(changed)
        mine = behind._replace(masks=behind.masks.cpu()[at])
        walls = _chosen(chance[changed, 1], mine, keys[changed], out[at].shape)
        walls = torch.where(torch.from_numpy(chance[changed, 2] < 0.5).view(-1, 1, 1, 1), walls.flip(3), walls)
        masks = mine.masks.float() / 255 if mine.masks.dtype == torch.uint8 else mine.masks.float()
        shown = _soft(masks, round(soft * max(height, width))).clamp(0, 1)
        out[at] = (walls + shown * (out[at] - walls)).clamp(0, 255)
    return out.to(images.device)


def before(images: torch.Tensor, masks: torch.Tensor, backdrops: torch.Tensor, key: Key, *, share: float = 0.5, soft: float = SOFT) -> torch.Tensor:
    """Return float32 (N, C, H, W): each image's subject before one of the backdrops, mirrored or not, or as it was.

    images and backdrops: uint8 or float in 0..255, (N, C, H, W) and (M, C, H, W); masks: (N, H, W), true, 1 or (uint8) 255 on the subject;
    share: how many of the images get another background, 0..1; soft: how wide the edge is blurred, as a fraction of the longer side. The
    draws are the key's, as in `augment`. Raises InputError when the shapes do not fit or a number is out of range.
    """
    count, _, height, width = images.shape
    if masks.shape != (count, height, width) or backdrops.ndim != 4 or not len(backdrops) or backdrops.shape[1:] != images.shape[1:]:
        raise InputError(
            f"images {tuple(images.shape)}, masks {tuple(masks.shape)} and backdrops {tuple(backdrops.shape)} do not fit",
            "give masks (N, H, W) and at least one backdrop (M, C, H, W) of the images' own size",
        )
    if not (0 <= share <= 1 and 0 <= soft <= 0.2):
        raise InputError(f"share is between 0 and 1 and soft between 0 and 0.2, not {share:g} and {soft:g}", "share=0.5, soft=0.01")
    return laid(images, Behind(masks, backdrops, torch.ones(len(backdrops))), key, share=share, soft=soft)
