"""Augmentation on batches of tensors: every image of a batch gets its own draw, and is resampled at most once.

First set: shift, scale and rotation (one composed warp), colour, noise. The strengths are physical; 0 is the identity.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import affine_grid, grid_sample

from peephole.base.errors import SettingsError

__all__ = ["Augment", "augment"]


@dataclass(frozen=True)
class Augment:
    """How strongly to vary the examples.

    shift: largest move as a fraction of the side, 0..0.5; scale: largest relative change of size, 0..0.5; rotate: largest turn in
    degrees, 0..180; colour: largest relative change of brightness, contrast and each channel's gain, 0..1;
    noise: standard deviation of Gaussian sensor noise in 0..255 units, 0..64; flip: mirror left and right at random.
    """

    shift: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    colour: float = 0.0
    noise: float = 0.0
    flip: bool = False

    def __post_init__(self) -> None:
        """Raise SettingsError for a strength out of range."""
        for name, most in (("shift", 0.5), ("scale", 0.5), ("rotate", 180.0), ("colour", 1.0), ("noise", 64.0)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise SettingsError(f"augmentation {name} is between 0 and {most:g}, not {value:g}", f"--{name} {most / 4:g}")

    def sentence(self) -> str:
        """Return the recipe in words, for people and for the card."""
        words = [
            (self.shift, f"shift up to {100 * self.shift:.0f} %"),
            (self.scale, f"scale up to {100 * self.scale:.0f} %"),
            (self.rotate, f"rotation up to {self.rotate:.0f} degrees"),
            (self.colour, f"colour up to {100 * self.colour:.0f} %"),
            (self.noise, f"noise of {self.noise:.0f}/255"),
            (self.flip, "left-right flips"),
        ]
        return ", ".join(text for on, text in words if on) or "nothing"


def _spread(count: int, most: float, generator: torch.Generator) -> torch.Tensor:
    """Draw `count` numbers evenly from -most..most."""
    return (torch.rand(count, generator=generator) * 2 - 1) * most


def _warp(images: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """Shift, scale, rotate and flip in one resampling; what comes in at the border repeats the border."""
    count, _, height, width = images.shape
    angle = _spread(count, math.radians(how.rotate), generator)
    size = torch.exp(-_spread(count, math.log1p(how.scale), generator))
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0) if how.flip else torch.ones(count)
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    aspect = height / width  # affine_grid works in -1..1 on both axes: undo that, or a rotation shears
    rows = torch.stack(
        [
            torch.stack([cos * mirror, -sin * aspect, _spread(count, 2 * how.shift, generator)], 1),
            torch.stack([sin * mirror / aspect, cos, _spread(count, 2 * how.shift, generator)], 1),
        ],
        1,
    )  # (B, 2, 3)
    grid = affine_grid(rows.to(images.device), list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="border", align_corners=False)


def _tint(images: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """Change contrast around each image's mean, brightness, and (in colour) the gain of each channel."""
    count, channels = images.shape[:2]
    contrast = 1 + _spread(count, how.colour, generator).view(-1, 1, 1, 1)
    brightness = _spread(count, 255 * how.colour / 2, generator).view(-1, 1, 1, 1)
    gain = 1 + _spread(count * channels, how.colour / 2 if channels > 1 else 0.0, generator).view(count, channels, 1, 1)
    mean = images.mean((1, 2, 3), keepdim=True)
    return ((images - mean) * contrast.to(images.device) + mean + brightness.to(images.device)) * gain.to(images.device)


def augment(images: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """Return a varied copy of float images (B, C, H, W) in 0..255.

    The draws come from `generator` on the CPU, so any number of threads gives the same.
    """
    if how.shift or how.scale or how.rotate or how.flip:
        images = _warp(images, how, generator)
    if how.colour:
        images = _tint(images, how, generator)
    if how.noise:
        images = images + torch.randn(images.shape, generator=generator).to(images.device) * how.noise
    return images.clamp(0, 255) if how.colour or how.noise else images
