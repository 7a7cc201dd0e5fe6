"""The blocks: batch norm folds away, and an uneven padding is one node."""

import pytest
import torch
from torch import nn

from peephole.nets.blocks import Network, Pad, Shape, fold_batch_norm
from peephole.nets.cnn import Plain, plain


def normed(seed: int, kernel: int = 3) -> Network:
    """Return a network whose batch norms have seen something: none of their numbers is 0 or 1."""
    torch.manual_seed(seed)
    network = plain(Plain(filters=(4, 6), kernel=kernel, hidden=8, norm="batch"), Shape(3, 12, 10), 3, (0.0,) * 3, (1.0,) * 3)
    for step in network.body:
        if isinstance(step, nn.BatchNorm2d):
            nn.init.uniform_(step.running_mean, -2, 2)
            nn.init.uniform_(step.running_var, 0.1, 4)
            nn.init.uniform_(step.weight, -2, 2)
            nn.init.uniform_(step.bias, -1, 1)
    return network.eval()


@pytest.mark.parametrize("kernel", [2, 3])
def test_folding_batch_norm_changes_no_answer(kernel):
    """Folded and unfolded agree to 1e-5, also where zeros are added by a step of their own; no batch norm is left."""
    network = normed(1, kernel)
    pictures = torch.randn(4, 3, 12, 10)
    before = network(pictures)
    folded = fold_batch_norm(network)
    after = folded(pictures)
    torch.testing.assert_close(after[0], before[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(after[1], before[1], atol=1e-5, rtol=1e-5)
    names = [name for name, _ in folded.body.named_children()]
    assert not any(isinstance(step, nn.BatchNorm2d) for step in folded.body)
    assert names == [name for name, _ in network.body.named_children() if not name.startswith("norm")]


def test_folding_leaves_the_network_itself_alone():
    """The network that was trained can go on: its convolutions are not the folded ones."""
    network = normed(2)
    pictures = torch.randn(2, 3, 12, 10)
    before = network(pictures)[0].clone()
    fold_batch_norm(network)
    assert torch.equal(network(pictures)[0], before)
    assert any(isinstance(step, nn.BatchNorm2d) for step in network.body)


def test_pad_adds_zeros_where_it_says():
    """Left, right, top, bottom; the gradient of the zeros is dropped."""
    picture = torch.ones(1, 1, 2, 2, requires_grad=True)
    padded = Pad(1, 2, 0, 1)(picture)
    assert padded.shape == (1, 1, 3, 5)
    assert padded.sum() == 4 and padded[0, 0, 0, 1] == 1 and padded[0, 0, 0, 0] == 0 and padded[0, 0, 2].sum() == 0
    (padded * torch.arange(15.0).view(1, 1, 3, 5)).sum().backward()
    assert picture.grad.flatten().tolist() == [1, 2, 6, 7]
