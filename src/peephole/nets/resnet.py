"""`resnet`: blocks of two convolutions with their input added to their output (He et al. 2016, "Deep residual learning").

A block need learn only what to change, and the gradient reaches the first layer without passing through every weight between. Where
a stage halves the sides and doubles the filters, a 1x1 convolution fits the input to the output (their option B). Small pictures
get their network for CIFAR-10 (one 3x3 convolution first, 6 x depth + 2 layers with 3 stages), large ones that for ImageNet.
"""

from torch import nn

from peephole.nets.blocks import Network, Residual, Shape, Steps, convolution
from peephole.nets.deep import Settled, averaged, is_large, network

__all__ = ["resnet"]


def _still(steps: Steps) -> None:
    """Let the last convolution begin at zero: without batch norm, sums of many blocks would grow beyond measure (Zhang et al. 2019)."""
    last = steps[-1][1]
    assert isinstance(last, nn.Conv2d)
    nn.init.zeros_(last.weight)


def _block(channels: int, filters: int, stride: int, norm: str, *, shortcuts: bool) -> Residual:
    """Return one block; the ReLU after the sum is a step of its own behind it."""
    steps = [*convolution("conv1", channels, filters, 3, stride, norm=norm), ("relu1", nn.ReLU()), *convolution("conv2", filters, filters, norm=norm)]
    # With batch norm a start at zero (Goyal et al. 2017) costs short trainings half a point (docs/log.md).
    if shortcuts and norm == "none":
        _still(steps)
    if shortcuts and (stride > 1 or channels != filters):
        steps += convolution("shortcut", channels, filters, 1, stride, norm=norm)
    return Residual(steps, add=shortcuts)


def resnet(plan: Settled, shape: Shape, labels: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Network:
    """Build the network for inputs of `shape`; its layers are called stem, block1_conv1, ... block1_add, block1_relu2, logits.

    With plan.shortcuts False the same layers stand in a row and nothing is added: its plain twin. Depth 7 with 2 stages has 30 layers
    with weights (shortcuts not counted). The means of the last maps are the embedding.
    """
    large = is_large(shape)
    steps = [*convolution("stem", shape.channels, plan.width, 7 if large else 3, 2 if large else 1, norm=plan.norm), ("relu_stem", nn.ReLU())]
    if large:
        steps.append(("pool_stem", nn.MaxPool2d(3, 2, 1)))
    channels = plan.width
    for number in range(1, plan.stages * plan.depth + 1):
        stage, place = divmod(number - 1, plan.depth)
        filters, stride = plan.filters[stage], 2 if stage and not place else 1
        steps += [
            (f"block{number}", _block(channels, filters, stride, plan.norm, shortcuts=plan.shortcuts)),
            (f"block{number}_relu2", nn.ReLU()),
        ]
        channels = filters
    return network([*steps, *averaged(channels, labels, plan.keep_prob)], "flatten", mean, std)
