"""A team: networks of one drawing that begin from other weights, learn side by side, and answer with the mean of their logits.

Where photos are few, what one network gets wrong by its chance beginning the others often get right (Hansen & Salamon 1990). The file
holds one network: the members lie beside each other as branches, and their last layers become one.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from peephole.nets.blocks import Branches, Network

__all__ = ["Team", "joined"]


class Team(Network):
    """Members of one drawing, while they learn; every member learns from its own answers, so that none leans on another."""

    def __init__(self, members: Sequence[Network]) -> None:
        """`members`: at least one, alike in all but their weights."""
        named = ((f"member{number}", member) for number, member in enumerate(members, 1))
        super().__init__(nn.Sequential(OrderedDict(named)), members[0].embedding_of, members[0].mean, members[0].std)

    def members(self) -> list[Network]:
        """Return the members in their order."""
        return [member for member in self.body.children() if isinstance(member, Network)]

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (B, labels) and embedding (B, members * features); while learning, the logits are (B, labels, members)."""
        found = [member(x) for member in self.members()]
        logits = torch.stack([logits for logits, _ in found], 2)
        return logits if self.training else logits.mean(2), torch.cat([embedding for _, embedding in found], 1)

    def head(self) -> nn.Linear:
        """Return the members' last layers as one over all of their embeddings: its answer is the mean of theirs."""
        heads = [member.head() for member in self.members()]
        one = nn.Linear(sum(head.in_features for head in heads), heads[0].out_features)
        with torch.no_grad():
            one.weight.copy_(torch.cat([head.weight for head in heads], 1) / len(heads))
            one.bias.copy_(torch.stack([head.bias for head in heads]).mean(0))
        return one


def _way(member: Network) -> nn.Sequential:
    """Return a member's steps up to its embedding."""
    names = [name for name, _ in member.body.named_children()]
    steps = list(member.body.named_children())[: names.index(member.embedding_of) + 1]
    return nn.Sequential(OrderedDict(steps))


def joined(network: Network) -> Network:
    """Return a trained team as one network without anything that only training needs; any other network as it is."""
    if not isinstance(network, Team):
        return network
    ways = Branches((f"member{number}", _way(member)) for number, member in enumerate(network.members(), 1))
    body = nn.Sequential(OrderedDict([("team", ways), ("logits", network.head())]))
    return Network(body, "team", network.mean, network.std).eval()
