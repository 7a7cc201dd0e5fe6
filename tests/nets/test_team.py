"""A team of networks: each learns as it would alone, and one network answers with their mean."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from peephole.nets.blocks import Network, Shape
from peephole.nets.cnn import Plain, plain
from peephole.nets.deep import Deep, settle
from peephole.nets.networks import draw
from peephole.nets.team import Team, joined

SHAPE = Shape(1, 12, 10)


def members(count: int = 3, *, name: str = "plain", norm: str = "none") -> list[Network]:
    """Return networks of one drawing with other weights each; nothing is dropped."""
    torch.manual_seed(4)
    if name != "plain":
        deep = settle(Deep(width=4, depth=1, keep_prob=1.0, norm=norm), name, SHAPE)
        return [draw(name, SHAPE, 4, (90.0,), (50.0,), deep=deep) for _ in range(count)]
    plan = Plain(filters=(3, 4), hidden=6, keep_prob=1.0, norm=norm)
    return [plain(plan, SHAPE, 4, (90.0,), (50.0,)) for _ in range(count)]


@pytest.mark.parametrize("name", ["plain", "vgg", "inception", "resnet"])
def test_one_network_answers_with_the_mean(name):
    """Joined, the logits are the mean of the members' and the embedding holds theirs in their order."""
    alone = [member.eval() for member in members(name=name, norm="batch")]
    for head in (member.head() for member in alone):
        nn.init.uniform_(head.bias)
    x = torch.randn(5, 1, 12, 10)
    one = joined(Team(alone)).eval()
    wanted = [member(x) for member in alone]
    for found in (one(x), Team(alone).eval()(x)):
        torch.testing.assert_close(found[0], torch.stack([logits for logits, _ in wanted]).mean(0))
        torch.testing.assert_close(found[1], torch.cat([embedding for _, embedding in wanted], 1))
    assert one.head() is one.body.logits and (one.mean, one.std) == ((90.0,), (50.0,))


def test_another_network_is_left_as_it_is():
    """There is nothing to join."""
    alone = members(1)[0]
    assert joined(alone) is alone


def test_each_member_learns_from_its_own_answers():
    """The gradient of a member is the one it would have alone, over the number of members: none makes up for another."""
    team, x, labels = Team(members()).train(), torch.randn(8, 1, 12, 10), torch.arange(8) % 4
    logits, _ = team(x)
    assert logits.shape == (8, 4, 3)
    cross_entropy(logits, labels[:, None].expand(-1, 3)).backward()
    for alone, learned in zip(members(), team.members(), strict=True):
        cross_entropy(alone.train()(x)[0], labels).backward()
        for own, its in zip(alone.parameters(), learned.parameters(), strict=True):
            torch.testing.assert_close(its.grad * 3, own.grad, rtol=1e-4, atol=1e-6)
