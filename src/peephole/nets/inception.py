"""`inception`: a sparse network built of dense parts (Szegedy et al. 2015, "Going deeper with convolutions").

Each module looks at its input through 1x1, 3x3 and 5x5 windows and a pooling side by side and puts the maps one behind the other;
1x1 convolutions before the larger windows keep them affordable. The shares of the branches are those of their module 3a: a
quarter 1x1, a half 3x3 (reduced to 3/8 before), an eighth 5x5 (reduced to 1/16), an eighth behind the pooling.
"""

from collections import OrderedDict

from torch import nn

from peephole.nets.blocks import Branches, Network, Shape, Steps, convolution
from peephole.nets.deep import Settled, averaged, is_large, network

__all__ = ["inception"]


def _halve(name: str) -> tuple[str, nn.Module]:
    """Return their 3x3 max pooling with stride 2: ceil(side / 2) cells."""
    return name, nn.MaxPool2d(3, 2, 1)


def _module(channels: int, filters: int, norm: str) -> Branches:
    """Return a module that leaves `filters` maps (a multiple of 8); the ReLU behind its branches is taken once, after they are joined."""
    reduce3, reduce5 = 3 * filters // 8, max(1, filters // 16)
    ways = {
        "branch1x1": convolution("conv", channels, filters // 4, 1, norm=norm),
        "branch3x3": [
            *convolution("reduce", channels, reduce3, 1, norm=norm),
            ("relu", nn.ReLU()),
            *convolution("conv", reduce3, filters // 2, norm=norm),
        ],
        "branch5x5": [
            *convolution("reduce", channels, reduce5, 1, norm=norm),
            ("relu", nn.ReLU()),
            *convolution("conv", reduce5, filters // 8, 5, norm=norm),
        ],
        "branch_pool": [("max", nn.MaxPool2d(3, 1, 1)), *convolution("conv", channels, filters // 8, 1, norm=norm)],
    }
    return Branches((name, nn.Sequential(OrderedDict(way))) for name, way in ways.items())


def _stem(channels: int, width: int, norm: str, *, large: bool) -> tuple[Steps, int]:
    """Return the first layers and how many maps they leave: the published ones for large pictures, one 3x3 convolution for small."""
    steps = [*convolution("stem", channels, width, 7 if large else 3, 2 if large else 1, norm=norm), ("relu_stem", nn.ReLU()), _halve("pool_stem")]
    if not large:
        return steps, width
    steps += [*convolution("stem_reduce", width, width, 1, norm=norm), ("relu_stem_reduce", nn.ReLU())]
    steps += [*convolution("stem_conv", width, 3 * width, norm=norm), ("relu_stem_conv", nn.ReLU()), _halve("pool_stem_conv")]
    return steps, 3 * width


def inception(plan: Settled, shape: Shape, labels: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Network:
    """Build the network for inputs of `shape`; its layers are called stem, block1_branch3x3_reduce, ... block1_concat, block1_relu, logits.

    Modules of the first stage leave 4 x width maps, as module 3a does; the means of the last maps are the embedding.
    """
    steps, channels = _stem(shape.channels, plan.width, plan.norm, large=is_large(shape))
    for number in range(1, plan.stages * plan.depth + 1):
        stage = (number - 1) // plan.depth
        filters = plan.filters[stage]
        steps += [(f"block{number}", _module(channels, filters, plan.norm)), (f"block{number}_relu", nn.ReLU())]
        channels = filters
        if number % plan.depth == 0 and stage + 1 < plan.stages:
            steps.append(_halve(f"block{number}_pool"))
    return network([*steps, *averaged(channels, labels, plan.keep_prob)], "flatten", mean, std)
