"""What each layer costs: the numbers of CNN Explainer's Tiny-VGG, and of lab-11."""

from collections import OrderedDict

import pytest
from plans import case, stir
from torch import nn

from peephole.export.layers import layers
from peephole.export.onnx import to_onnx
from peephole.nets.blocks import Network, Shape
from peephole.nets.cnn import Plain, plain


def tiny_vgg():
    """CNN Explainer's network: 64x64x3, four 3x3 convolutions of 10 filters without padding, two max pools, 10 labels."""
    steps = OrderedDict()
    for number in (1, 2, 3, 4):
        steps[f"conv{number}"] = nn.Conv2d(3 if number == 1 else 10, 10, 3)
        steps[f"relu{number}"] = nn.ReLU()
        if number % 2 == 0:
            steps[f"pool{number // 2}"] = nn.MaxPool2d(2)
    steps["flatten"] = nn.Flatten()
    steps["logits"] = nn.Linear(10 * 13 * 13, 10)
    return stir(Network(nn.Sequential(steps), "flatten", (0.0,) * 3, (255.0,) * 3))


@pytest.fixture(scope="module")
def tiny():
    """Its layers by name."""
    asked = case(tiny_vgg(), (64, 64, 3), each=1, asked=1)
    return {layer.name: layer for layer in layers(to_onnx(asked.network, asked.known, (64, 64, 3)))}


def test_parameters(tiny):
    """280 + 910 + 910 + 910 + 16,910 = 19,920."""
    found = [tiny[name].parameters for name in ("conv1", "conv2", "conv3", "conv4", "logits")]
    assert found == [280, 910, 910, 910, 16_910]
    assert sum(layer.parameters for layer in tiny.values()) == 19_920


def test_multiply_accumulates(tiny):
    """1,037,880 + 3,240,000 + 705,600 + 608,400 + 16,900 = 5,608,780."""
    found = [tiny[name].macs for name in ("conv1", "conv2", "conv3", "conv4", "logits")]
    assert found == [1_037_880, 3_240_000, 705_600, 608_400, 16_900]
    assert sum(layer.macs for layer in tiny.values()) == 5_608_780


def test_shapes(tiny):
    """Channels, height, width after each step, without the batch; nothing of familiarity is in the list."""
    found = {name: layer.shape for name, layer in tiny.items() if name[:4] in ("conv", "pool", "flat", "logi")}
    assert found == {
        "conv1": (10, 62, 62),
        "conv2": (10, 60, 60),
        "pool1": (10, 30, 30),
        "conv3": (10, 28, 28),
        "conv4": (10, 26, 26),
        "pool2": (10, 13, 13),
        "flatten": (1690,),
        "logits": (10,),
    }
    assert not any(name.startswith("familiarity") for name in tiny)


def test_lab_11_and_its_folded_batch_norm():
    """1,379,557 parameters and the shapes 28-14-7-4; a folded batch norm costs nothing."""
    for norm in ("none", "batch"):
        asked = case(stir(plain(Plain(norm=norm), Shape(1, 28, 28), 10, (0.0,), (255.0,))), (28, 28, 1), each=1, asked=1)
        found = {layer.name: layer for layer in layers(to_onnx(asked.network, asked.known, (28, 28, 1)))}
        assert sum(layer.parameters for layer in found.values()) == 1_379_557
        assert [found[name].shape for name in ("pool1", "pool2", "pool3")] == [(32, 14, 14), (64, 7, 7), (128, 4, 4)]
        by_hand = 32 * 9 * 28 * 28 + 64 * 32 * 9 * 14 * 14 + 128 * 64 * 9 * 7 * 7 + 2048 * 625 + 625 * 10
        assert sum(layer.macs for layer in found.values()) == by_hand
