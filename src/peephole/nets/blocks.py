"""The blocks networks are drawn from: convolution, activation, pooling, branches; each knows the shape it leaves behind."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from peephole.nets.quick import suits, through

__all__ = [
    "Branches",
    "Length",
    "Network",
    "Pad",
    "Residual",
    "Shape",
    "Steps",
    "conv_out",
    "convolution",
    "fold_batch_norm",
    "pool_out",
    "same_pads",
]

# Named steps in the order in which they are taken; the names are those of the file's layers.
Steps = list[tuple[str, nn.Module]]


@dataclass(frozen=True)
class Shape:
    """Channels, height and width of a feature map."""

    channels: int
    height: int
    width: int

    @property
    def values(self) -> int:
        """How many numbers the map holds."""
        return self.channels * self.height * self.width


def same_pads(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after one axis under TensorFlow's SAME rule: the output has ceil(size / stride) cells."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def conv_out(size: int, kernel: int, stride: int, padding: str) -> int:
    """Return how many cells a convolution leaves of `size`: ceil(size / stride) for same, floor((size - kernel) / stride) + 1 for valid."""
    return -(-size // stride) if padding == "same" else (size - kernel) // stride + 1


def pool_out(size: int, pool: int) -> int:
    """Return how many cells max pooling leaves, partial windows kept (SAME): ceil(size / pool)."""
    return -(-size // pool)


class _ZeroPad(torch.autograd.Function):
    """Zero padding that exports as one Pad node (the exporter would spell it out in a dozen)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, pads: tuple[int, int, int, int]) -> torch.Tensor:
        ctx.pads = pads
        return torch.nn.functional.pad(x, pads)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return torch.nn.functional.pad(gradient, [-side for side in ctx.pads]), None

    @staticmethod
    def symbolic(graph: Any, x: Any, pads: tuple[int, int, int, int]) -> Any:
        left, right, top, bottom = pads
        return graph.op("Pad", x, graph.op("Constant", value_t=torch.tensor([0, 0, top, left, 0, 0, bottom, right])))


class Pad(nn.Module):
    """Zeros around a feature map where the two sides differ, which a convolution cannot add by itself."""

    def __init__(self, left: int, right: int, top: int, bottom: int) -> None:
        super().__init__()
        self.pads = (left, right, top, bottom)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, C, H + top + bottom, W + left + right)."""
        padded: torch.Tensor = _ZeroPad.apply(x, self.pads)  # type: ignore[no-untyped-call]  # torch leaves apply untyped
        return padded


def convolution(name: str, channels: int, filters: int, kernel: int = 3, stride: int = 1, *, norm: str) -> Steps:
    """Return a convolution of odd `kernel` that leaves ceil(side / stride) cells, and its batch norm where `norm` is "batch".

    Weights as He et al. 2015 draw them: variance 2 / (channels x kernel x kernel), which keeps the signal's size through a ReLU.
    """
    conv = nn.Conv2d(channels, filters, kernel, stride, kernel // 2, bias=norm == "none")
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return [(name, conv), *([(f"norm_{name}", nn.BatchNorm2d(filters))] if norm == "batch" else [])]


def _take(steps: Iterable[nn.Module], x: torch.Tensor) -> torch.Tensor:
    """Take a batch through steps in the layout in which it lies."""
    for step in steps:
        x = through(step, x) if x.is_mkldnn else step(x)
    return x


class _Block(nn.Module):
    """A step made of named steps, which takes a batch in oneDNN's layout as well."""

    any_layout = True

    def __init__(self, steps: Iterable[tuple[str, nn.Module]]) -> None:
        super().__init__()
        for name, step in steps:
            self.add_module(name, step)


class Residual(_Block):
    """Steps whose result is added to their input, so that they need learn only the difference (He et al. 2016).

    Steps whose name ends in `shortcut` fit the input to the result where the shapes differ; with `add` False nothing is added.
    """

    def __init__(self, steps: Iterable[tuple[str, nn.Module]], *, add: bool = True) -> None:
        super().__init__(steps)
        self.add = add

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in, H, W) to (B, out, H / stride, W / stride)."""
        steps = list(self.named_children())
        found = _take((step for name, step in steps if not name.endswith("shortcut")), x)
        return found + _take((step for name, step in steps if name.endswith("shortcut")), x) if self.add else found


class Branches(_Block):
    """Ways side by side, each an nn.Sequential over the same input, their maps put one behind the other (Szegedy et al. 2015)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in, H, W) to (B, sum of out, H, W)."""
        # A way is called as a whole where that may be: the exporter takes its layers' names from the calls.
        found = [_take(way.children(), x) if x.is_mkldnn else way(x) for way in self.children()]
        # oneDNN's layout has no concatenation.
        return torch.cat([way.to_dense().contiguous(memory_format=torch.channels_last) if way.is_mkldnn else way for way in found], 1)


class Length(nn.Module):
    """Divides each vector by its length, so that angles alone count."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, features) to unit vectors; the small number keeps a vector of zeros finite."""
        unit: torch.Tensor = x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-6)
        return unit


class Network(nn.Module):
    """What training and export expect of every network.

    `body` is a sequence of named steps; the output of the step named `embedding_of` is the embedding, the last step gives
    the logits. Input: float (B, C, H, W), normalised as `mean` and `std` (in 0..255 units, per channel) say.
    """

    def __init__(self, body: nn.Sequential, embedding_of: str, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.body = body
        self.embedding_of = embedding_of
        self.mean = mean
        self.std = std

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (B, labels) and embedding (B, features)."""
        embedding = x
        quick = self.training and suits(x)
        for name, step in self._quickest() if self.training else self.body.named_children():
            x = through(step, x) if quick else step(x)
            if name == self.embedding_of:
                embedding = x
        return x, embedding

    def _quickest(self) -> list[tuple[str, nn.Module]]:
        """Return the steps with each max pooling before its ReLU.

        Both are monotone, so they commute, and the ReLU and its gradient have a quarter of the work. Only for training: the file
        keeps the order in which the network is drawn.
        """
        steps = list(self.body.named_children())
        for at in range(len(steps) - 1):
            if isinstance(steps[at][1], nn.ReLU) and isinstance(steps[at + 1][1], nn.MaxPool2d):
                steps[at], steps[at + 1] = steps[at + 1], steps[at]
        return steps

    def head(self) -> nn.Linear:
        """The last fully connected layer."""
        last = list(self.body.children())[-1]
        assert isinstance(last, nn.Linear)
        return last


def fold_batch_norm(network: Network) -> Network:
    """Return the network with every batch norm folded into the convolution before it (Ioffe & Szegedy 2015, inference form).

    w' = w * gamma / sqrt(var + eps); b' = (b - mean) * gamma / sqrt(var + eps) + beta. The steps' names stay, in blocks as well.
    """
    folded = copy.deepcopy(network).eval()
    for holder in list(folded.modules()):
        before = ""
        for name, step in list(holder.named_children()):
            if isinstance(step, nn.BatchNorm2d):
                conv = getattr(holder, before)
                assert isinstance(conv, nn.Conv2d)
                setattr(holder, before, torch.nn.utils.fuse_conv_bn_eval(conv, step))
                delattr(holder, name)
            before = name
    return folded
