"""`vgg`: stacks of 3x3 convolutions, each stack followed by a 2x2 max pooling (Simonyan & Zisserman 2015).

Two 3x3 convolutions see as far as one 5x5 with 18/25 of its weights and a ReLU more. At 224x224x3 the first stage is theirs to the
letter: conv3x3-64, conv3x3-64, max pool. Later stages stop at 4 times the first one's filters (theirs: 8), and one fully connected
layer of 256 stands for their two of 4096: 138 million weights would be a file of 550 MB.
"""

from torch import nn

from peephole.nets.blocks import Network, Shape, Steps, convolution, pool_out
from peephole.nets.deep import Settled, classifier, network

__all__ = ["vgg"]

HIDDEN = 256
MOST_DENSE_WEIGHTS = 1_000_000  # beyond, the maps are average-pooled before the fully connected layer


def _shrunk(shape: Shape) -> tuple[Steps, Shape]:
    """Return the average pooling that brings the fully connected layer under its cap, and the shape after it."""
    side = 1
    while shape.channels * pool_out(shape.height, side) * pool_out(shape.width, side) * HIDDEN > MOST_DENSE_WEIGHTS and side < 256:
        side += 1
    if side == 1:
        return [], shape
    return [("shrink", nn.AvgPool2d(side, ceil_mode=True))], Shape(shape.channels, pool_out(shape.height, side), pool_out(shape.width, side))


def vgg(plan: Settled, shape: Shape, labels: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Network:
    """Build the network for inputs of `shape`; its layers are called block1_conv1, block1_relu1, ... block1_pool, dense1, logits."""
    steps: Steps = []
    for stage, filters in enumerate(plan.filters):
        for number in range(1, plan.depth + 1):
            conv, *norm = convolution(f"block{stage + 1}_conv{number}", shape.channels, filters, norm=plan.norm)
            steps += [conv, *norm, (f"block{stage + 1}_relu{number}", nn.ReLU())]
            shape = Shape(filters, shape.height, shape.width)
        steps.append((f"block{stage + 1}_pool", nn.MaxPool2d(2, ceil_mode=True)))
        shape = Shape(filters, pool_out(shape.height, 2), pool_out(shape.width, 2))
    shrink, shape = _shrunk(shape)
    dense = nn.Linear(shape.values, HIDDEN)
    nn.init.kaiming_normal_(dense.weight, nonlinearity="relu")
    nn.init.zeros_(dense.bias)
    steps += [*shrink, ("flatten", nn.Flatten()), ("dense1", dense), ("relu_dense1", nn.ReLU()), *classifier(HIDDEN, labels, plan.keep_prob)]
    return network(steps, "relu_dense1", mean, std)
