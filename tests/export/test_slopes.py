"""The slopes that a device works out in numpy are those of PyTorch's autograd, for every network that can be exported."""

import numpy as np
import pytest
import torch
from plans import case, pictures, stir
from torch import nn

from peephole.explain.gradient import Tape
from peephole.export.onnx import to_onnx
from peephole.nets.blocks import Shape
from peephole.nets.cnn import Plain
from peephole.nets.deep import Deep, settle
from peephole.nets.networks import DEEP, draw
from peephole.train.loop import normalise

SIZES = {"plain": (20, 14, 3), "vgg": (20, 17, 1), "inception": (21, 20, 3), "resnet": (20, 20, 3), "strokes": (32, 32, 1), "lite0": (64, 64, 3)}


def drawn(name: str) -> nn.Module:
    """Return a network in which every weight matters, those of the last layer and of last convolutions that begin at zero too."""
    height, width, channels = SIZES[name]
    shape = Shape(channels, height, width)
    deep = settle(Deep(), name, shape) if name in DEEP else None
    plan = Plain(filters=(4, 8), hidden=16, norm="batch")
    network = draw(name, shape, 3, (120.0,) * channels, (60.0,) * channels, plan=plan, deep=deep)
    torch.manual_seed(0)
    for step in network.modules():
        if isinstance(step, nn.Conv2d | nn.Linear) and not step.weight.any():
            nn.init.normal_(step.weight, std=0.1)
    return stir(network)


@pytest.mark.parametrize("name", SIZES)
def test_slopes_are_those_of_autograd(name):
    """The slope of a logit at every pixel of two pictures, from the file, is autograd's from the network before export."""
    network, shape = drawn(name), SIZES[name]
    images = pictures(2, shape, 5)
    tape = Tape(to_onnx(network, case(network, shape).known, shape).SerializeToString())
    found = tape.slope(tape.run(images), 1)
    given = torch.from_numpy(images).float().permute(0, 3, 1, 2).requires_grad_()
    network(normalise(given, network))[0][:, 1].sum().backward()
    wanted = given.grad.permute(0, 2, 3, 1).numpy()
    assert np.abs(wanted).max() > 1e-6
    np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max())
