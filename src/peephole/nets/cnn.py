"""`plain`, the course's convolutional network: convolution, ReLU, max pooling, flatten, fully connected, dropout, softmax.

filters (32, 64) is the notes' drawing (input - conv - max pool - conv - max pool - fully connected - output);
(32, 64, 128) with 28x28x1 is the lab-11 network to the last shape: 28 -> 14 -> 7 -> 4 with partial windows kept,
flatten 2048, fully connected 625. Softmax itself is not part of the network: training and the gate read logits.
"""

from dataclasses import dataclass

from torch import nn

from peephole.base.errors import SettingsError
from peephole.nets.blocks import Network, Pad, Shape, conv_out, pool_out, same_pads

__all__ = ["Plain", "plain"]

# Beyond this the first dense layer would outweigh all else (224 px: 251 MB); an average pool goes before it.
MOST_DENSE_WEIGHTS = 5_000_000


@dataclass(frozen=True)
class Plain:
    """The numbers of a plain network, each an option of `peephole train`.

    filters: output channels per stage; kernel, stride: cells; padding: "same" or "valid"; pool: window of the max pooling (1: none);
    hidden: width of the fully connected layer; keep_prob: share of its neurons kept while training, 0 < p <= 1; norm: "none" or "batch".
    """

    filters: tuple[int, ...] = (32, 64, 128)
    kernel: int = 3
    stride: int = 1
    padding: str = "same"
    pool: int = 2
    hidden: int = 625
    keep_prob: float = 0.7
    norm: str = "none"

    def __post_init__(self) -> None:
        """Raise SettingsError for numbers no network can have."""
        rules = [
            (0 < len(self.filters) <= 8 and all(1 <= f <= 1024 for f in self.filters), "filters", "takes 1 to 8 stages of 1 to 1024 filters"),
            (1 <= self.kernel <= 31, "kernel", "is between 1 and 31"),
            (1 <= self.stride <= 8, "stride", "is between 1 and 8"),
            (self.padding in ("same", "valid"), "padding", "is same or valid"),
            (1 <= self.pool <= 8, "pool", "is between 1 and 8"),
            (1 <= self.hidden <= 8192, "hidden", "is between 1 and 8192"),
            (0 < self.keep_prob <= 1, "keep_prob", "is above 0 and at most 1"),
            (self.norm in ("none", "batch"), "norm", "is none or batch"),
        ]
        for holds, name, rule in rules:
            if not holds:
                value = getattr(self, name)
                shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
                option = name.replace("_", "-")
                raise SettingsError(
                    f"{option} {rule}, not {shown}", f"the default is a good start: leave --{option} out (peephole train --help lists all)"
                )


def _stage(number: int, shape: Shape, filters: int, plan: Plain) -> tuple[list[tuple[str, nn.Module]], Shape]:
    """Return the steps of one stage and the shape after it: conv -> (batch norm) -> ReLU -> max pool."""
    top, bottom = same_pads(shape.height, plan.kernel, plan.stride)
    left, right = same_pads(shape.width, plan.kernel, plan.stride)
    same = plan.padding == "same"
    even = (top, left) == (bottom, right)
    height, width = (conv_out(size, plan.kernel, plan.stride, plan.padding) for size in (shape.height, shape.width))
    if min(height, width) < 1:
        raise SettingsError(
            f"stage {number} has nothing left to look at: {shape.height}x{shape.width} is smaller than its {plan.kernel}x{plan.kernel} kernel",
            "use fewer stages (--filters 32,64), --padding same, or a larger --size",
        )
    steps: list[tuple[str, nn.Module]] = []
    if same and not even:
        steps.append((f"pad{number}", Pad(left, right, top, bottom)))
    padding = (top, left) if same and even else (0, 0)
    steps.append((f"conv{number}", nn.Conv2d(shape.channels, filters, plan.kernel, plan.stride, padding)))
    if plan.norm == "batch":
        steps.append((f"norm{number}", nn.BatchNorm2d(filters)))
    steps.append((f"relu{number}", nn.ReLU()))
    if plan.pool > 1:
        # ceil_mode keeps the partial windows at the right and bottom edge, as SAME does for a 2x2 window.
        steps.append((f"pool{number}", nn.MaxPool2d(plan.pool, ceil_mode=True)))
        height, width = pool_out(height, plan.pool), pool_out(width, plan.pool)
    return steps, Shape(filters, height, width)


def _reduce(shape: Shape, hidden: int) -> int:
    """Return the side of the average pooling that brings the first dense layer under its cap (1: none needed)."""
    side = 1
    while shape.channels * pool_out(shape.height, side) * pool_out(shape.width, side) * hidden > MOST_DENSE_WEIGHTS and side < 64:
        side += 1
    return side


def plain(plan: Plain, shape: Shape, labels: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Network:
    """Build the network for inputs of `shape` and so many `labels`; mean and std in 0..255 units, one per channel.

    Large inputs are average-pooled before the first dense layer (a step named `shrink`), so that 224x244x3 stays small.
    """
    steps: list[tuple[str, nn.Module]] = []
    for number, filters in enumerate(plan.filters, 1):
        stage, shape = _stage(number, shape, filters, plan)
        steps += stage
    side = _reduce(shape, plan.hidden)
    if side > 1:
        steps.append(("shrink", nn.AvgPool2d(side, ceil_mode=True)))
        shape = Shape(shape.channels, pool_out(shape.height, side), pool_out(shape.width, side))
    steps += [
        ("flatten", nn.Flatten()),
        ("dense1", nn.Linear(shape.values, plan.hidden)),
        ("relu_dense1", nn.ReLU()),
        ("dropout", nn.Dropout(1 - plan.keep_prob)),
        ("logits", nn.Linear(plan.hidden, labels)),
    ]
    body = nn.Sequential()
    for name, step in steps:
        body.add_module(name, step)
        if isinstance(step, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(step.weight, nonlinearity="relu" if name != "logits" else "linear")
            assert step.bias is not None
            nn.init.zeros_(step.bias)
    return Network(body, "relu_dense1", mean, std)
