"""Glances: a network that looks at one photo several times, as it lies and moved a little to each side, and answers with the mean.

What a convolution and a pooling say depends on where between the pixels a thing lies, and a network that learned from few examples may say it
less surely at some places than at others (Krizhevsky et al. 2012 averaged five crops and their mirror images for the same reason). The
glances share their weights, and the file holds them once.
"""

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from peephole.nets.blocks import Branches, Network, Pad, Shape, fold_batch_norm

__all__ = ["GLANCES", "Glances", "glancing", "reach"]

# By how many times `reach` the photo is moved to the right and down.
GLANCES = {"still": (0, 0), "left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
SIDE = 28  # a photo is moved by a pixel for every so many of its side: what was tried on digits of 28 pixels (docs/log.md)


class _Sum(torch.autograd.Function):
    """Adding that exports as one Sum node (the exporter would write an Add for every two)."""

    @staticmethod
    def forward(ctx: Any, *found: torch.Tensor) -> torch.Tensor:
        return torch.stack(found).sum(0)

    @staticmethod
    def symbolic(graph: Any, *found: Any) -> Any:
        return graph.op("Sum", *found)


class Glances(Branches):
    """Ways side by side whose results are added up; only for answering, since no gradient comes back through the sum."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in, H, W) to (B, out)."""
        found: torch.Tensor = _Sum.apply(*(way(x) for way in self.children()))  # type: ignore[no-untyped-call]  # torch leaves apply untyped
        return found


def reach(side: int) -> int:
    """Return by how many pixels a photo of that height or width is moved: at least one."""
    return max(1, round(side / SIDE))


def _way(steps: list[tuple[str, nn.Module]], right: int, down: int) -> nn.Sequential:
    """Return the steps behind a move by so many pixels; what moves in is grey, as beyond the border of any convolution."""
    moved = [("move", Pad(right, -right, down, -down))] if right or down else []
    return nn.Sequential(OrderedDict([*moved, *steps]))


def glancing(network: Network, shape: Shape) -> Network:
    """Return a trained network for inputs of `shape` as one that glances five times and answers with the mean of the logits.

    Its embedding is the sum of the glances' embeddings, which must be what the last layer reads, so that the mean is one last layer over it.
    """
    folded = fold_batch_norm(network)
    steps = list(folded.body.named_children())
    places = [name for name, _ in steps].index(network.embedding_of) + 1
    far = reach(shape.width), reach(shape.height)
    ways = Glances((name, _way(steps[:places], right * far[0], down * far[1])) for name, (right, down) in GLANCES.items())
    head = copy.deepcopy(folded.head())
    with torch.no_grad():
        head.weight /= len(GLANCES)
    body = nn.Sequential(OrderedDict([("glances", ways), ("logits", head)]))
    return Network(body, "glances", network.mean, network.std).eval()
