"""The quick way: the same numbers as the network as drawn, for every kind of stage."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from peephole.nets import blocks
from peephole.nets.blocks import Network, Shape
from peephole.nets.cnn import Plain, plain
from peephole.nets.quick import suits, through

PLANS = [
    (Plain(), Shape(1, 28, 28)),
    (Plain(filters=(8, 12), norm="batch"), Shape(3, 24, 24)),
    (Plain(filters=(8,), kernel=5, stride=2, padding="valid", pool=3), Shape(3, 31, 20)),
    (Plain(filters=(8, 8), kernel=4, pool=1, stride=2), Shape(1, 17, 23)),  # uneven padding: a Pad of our own stands in between
]

needs_onednn = pytest.mark.skipif(not suits(torch.zeros(1)), reason="this processor's PyTorch has no oneDNN for it")


def learned(network: Network, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Return logits, embedding and the gradient of every weight."""
    network.zero_grad()
    logits, embedding = network(images)
    cross_entropy(logits.float(), labels).backward()
    return logits.detach(), embedding.detach(), [p.grad.clone() for p in network.parameters() if p.grad is not None]


@needs_onednn
@pytest.mark.parametrize(("plan", "shape"), PLANS)
def test_the_quick_way_gives_the_numbers_and_gradients_of_the_network_as_drawn(plan: Plain, shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float32 the two ways agree to rounding, forward and backward."""
    torch.manual_seed(1)
    network = plain(Plain(**{**vars(plan), "keep_prob": 1.0, "hidden": 20}), shape, 4, (0.0,) * shape.channels, (1.0,) * shape.channels)
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]  # torch's stub lacks this pairing
    images, labels = torch.randn(16, shape.channels, shape.height, shape.width), torch.arange(16) % 4
    quick = learned(network, images, labels)
    monkeypatch.setattr(blocks, "suits", lambda x: False)
    drawn = learned(network, images, labels)
    assert len(quick[2]) == len(drawn[2]) == len(list(network.parameters()))
    torch.testing.assert_close(quick[0], drawn[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(quick[1], drawn[1], rtol=1e-4, atol=1e-4)
    for mine, theirs in zip(quick[2], drawn[2], strict=True):
        assert (mine - theirs).abs().max() <= 2e-3 * max(1.0, float(theirs.abs().max()))


@needs_onednn
def test_a_convolution_takes_the_quick_way_and_a_flatten_leaves_it() -> None:
    """The layout is oneDNN's between the two and PyTorch's again after, so that no later step sees it."""
    x = through(nn.Conv2d(1, 4, 3), torch.randn(2, 1, 8, 8))
    assert x.is_mkldnn
    assert through(nn.ReLU(), x).is_mkldnn
    assert not through(nn.Flatten(), x).is_mkldnn


@needs_onednn
def test_an_answering_network_is_walked_as_drawn() -> None:
    """Outside training nothing is reordered and nothing is dropped: two answers are the same to the bit."""
    network = plain(Plain(filters=(4,), hidden=8), Shape(1, 12, 12), 2, (0.0,), (1.0,)).eval()
    x = torch.randn(3, 1, 12, 12)
    assert torch.equal(network(x)[0], network.body(x))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(share: float) -> None:
    """Of 400,000 ones a share p becomes 0, the rest 1 / (1 - p); the seed repeats the draw."""
    torch.manual_seed(3)
    dropped = through(nn.Dropout(share), torch.ones(1_000, 400))
    assert abs(float((dropped == 0).float().mean()) - share) < 0.005
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / (1 - share)])
    torch.manual_seed(3)
    assert torch.equal(dropped, through(nn.Dropout(share), torch.ones(1_000, 400)))


def test_dropout_draws_each_value_by_itself() -> None:
    """Neighbours, which share one random number, fall together no more often than chance (0.25 +- 0.005)."""
    torch.manual_seed(4)
    zero = through(nn.Dropout(0.5), torch.ones(100_000, 4)) == 0
    for other in (1, 2, 3):
        assert abs(float((zero[:, 0] & zero[:, other]).float().mean()) - 0.25) < 0.005
