"""The subject before other backgrounds: what a model has learned of a wall or a garden it will not find at the next door.

Where the subject stands is for others to say (a region, a motion mask, GrabCut); without that, an upright ellipse in the middle will do.
"""

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, interpolate, pad

from peephole.base.errors import InputError
from peephole.train.augment import Key
from peephole.train.chance import uniform

__all__ = ["before", "clouds", "middle"]

FILL = 0.8  # of each side: a person's head and shoulders, or a thing, photographed on purpose


def middle(count: int, height: int, width: int) -> torch.Tensor:
    """Return masks (count, H, W) of 0 and 1: an upright ellipse over 80 % of each side, the guess for a photo taken of something."""
    y, x = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)[None]
    return ((x / FILL) ** 2 + (y / FILL) ** 2 <= 1).float().expand(count, height, width)


def clouds(count: int, channels: int, height: int, width: int, key: Key) -> torch.Tensor:
    """Return backgrounds float32 (count, C, H, W) in 0..255 for those who have none: soft fields of chance colours, 2 to 8 across."""
    numbers = torch.from_numpy(uniform(key.images(count), "clouds", channels * 64 + 1))
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


def before(images: torch.Tensor, masks: torch.Tensor, backdrops: torch.Tensor, key: Key, *, share: float = 0.5, soft: float = 0.01) -> torch.Tensor:
    """Return float32 (N, C, H, W): each image's subject before one of the backdrops, mirrored or not, or as it was.

    images and backdrops: uint8 or float in 0..255, (N, C, H, W) and (M, C, H, W); masks: (N, H, W), true or 1 on the subject; share: how many
    of the images get another background, 0..1; soft: how wide the edge is blurred, as a fraction of the longer side. The draws are the key's,
    as in `augment`. Raises InputError when the shapes do not fit or a number is out of range.
    """
    count, _, height, width = images.shape
    if masks.shape != (count, height, width) or backdrops.ndim != 4 or not len(backdrops) or backdrops.shape[1:] != images.shape[1:]:
        raise InputError(
            f"images {tuple(images.shape)}, masks {tuple(masks.shape)} and backdrops {tuple(backdrops.shape)} do not fit",
            "give masks (N, H, W) and at least one backdrop (M, C, H, W) of the images' own size",
        )
    if not (0 <= share <= 1 and 0 <= soft <= 0.2):
        raise InputError(f"share is between 0 and 1 and soft between 0 and 0.2, not {share:g} and {soft:g}", "share=0.5, soft=0.01")
    if not share or not count:
        return images.float()
    chance = uniform(key.images(count), "backdrop", 3)
    changed = torch.from_numpy(chance[:, 0] < share)
    chosen = torch.from_numpy((chance[:, 1] * np.float32(len(backdrops))).astype(np.int64))
    behind = backdrops.cpu().float()[chosen]
    behind = torch.where(torch.from_numpy(chance[:, 2] < 0.5).view(-1, 1, 1, 1), behind.flip(3), behind)
    shown = _soft(masks.cpu().float(), round(soft * max(height, width))).clamp(0, 1)
    given = images.cpu().float()
    composed = behind + shown * (given - behind)
    return torch.where(changed.view(-1, 1, 1, 1), composed, given).to(images.device)
