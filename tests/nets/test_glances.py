"""Glances: one network asked at five places of a photo answers with the mean of what it says there."""

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from peephole.nets.blocks import Network, Shape
from peephole.nets.cnn import Plain, plain
from peephole.nets.glances import GLANCES, glancing, reach
from peephole.nets.team import Team, joined

SHAPE = Shape(1, 70, 30)
FAR = (1, 2)  # pixels to the side and down at that shape


def one(norm: str = "none", seed: int = 4) -> Network:
    """Return a network whose every answer counts: chance weights, and a last layer that also adds something."""
    torch.manual_seed(seed)
    network = plain(Plain(filters=(3, 4), hidden=6, norm=norm), SHAPE, 4, (90.0,), (50.0,)).eval()
    nn.init.uniform_(network.head().bias)
    return network


def moved(x: torch.Tensor, right: int, down: int) -> torch.Tensor:
    """Return photos moved by so many pixels, zeros behind them: cut and put together by hand."""
    height, width = x.shape[-2:]
    room = pad(x, (FAR[0], FAR[0], FAR[1], FAR[1]))
    return room[..., FAR[1] - down : FAR[1] - down + height, FAR[0] - right : FAR[0] - right + width]


@pytest.mark.parametrize("network", [one(), one("batch"), joined(Team([one(), one(seed=5)]))], ids=["plain", "norm", "team"])
def test_it_answers_with_the_mean_of_five_places(network):
    """The logits are the mean, the embedding the sum; what was trained is left as it was."""
    x = torch.randn(3, 1, 70, 30)
    before = network(x)[0]
    seen = [network(moved(x, right * FAR[0], down * FAR[1])) for right, down in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))]
    assert all((logits - before).abs().max() > 1e-4 for logits, _ in seen[1:]), "a place that answers as another would prove nothing"
    glances = glancing(network, SHAPE)
    logits, embedding = glances(x)
    torch.testing.assert_close(logits, torch.stack([logits for logits, _ in seen]).mean(0))
    torch.testing.assert_close(embedding, torch.stack([embedding for _, embedding in seen]).sum(0))
    torch.testing.assert_close(network(x)[0], before)
    assert (glances.mean, glances.std, glances.embedding_of) == ((90.0,), (50.0,), "glances") and not glances.training


def test_the_glances_share_their_weights():
    """Five looks, one set of weights, with batch norm as well."""
    network = one("batch")
    kernels = {id(step.weight) for step in glancing(network, SHAPE).modules() if isinstance(step, nn.Conv2d)}
    assert len(kernels) == 2 and len(GLANCES) == 5


def test_a_photo_is_moved_by_a_pixel_in_28():
    """At least by one, however small."""
    assert [reach(side) for side in (8, 28, 32, 41, 43, 64, 224)] == [1, 1, 1, 1, 2, 2, 8]
