"""Practice: learning to tell invented characters apart, each from a few drawings of it, so that later a few real drawings suffice.

Every step brings new characters, so there is nothing to learn by heart: prototypical networks (Snell et al. 2017) with cosines, each drawing
asked against the mean of the others of its own character and against the means of all other characters. No real drawing has a part in it.
"""

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize, one_hot

from peephole.nets.blocks import Network
from peephole.nets.strokes import PAPER, SIDE, SPREAD, unpractised
from peephole.train.augment import Augment, Key, augment
from peephole.train.chance import uniform
from peephole.train.glyphs import drawings
from peephole.train.loop import device, low_precision

__all__ = ["CHARACTERS", "EACH", "answered", "episode", "invented", "practise"]

CHARACTERS, EACH = 64, 4  # of an episode: characters, and drawings of each
SHARPNESS = 16.0  # what a cosine of 1 is worth in logits
RATE, DECAY, AVERAGE = 3e-3, 0.02, 0.995
# Light, lens and sensor, weakly: paper is never evenly lit, and no camera is without noise.
SEEN = Augment(shadow=0.25, brightness=10, contrast=0.15, defocus=0.012, dust=2, noise=6)
UNKNOWN_SEED = 2**31 - 1  # of characters that no practice has met


def episode(characters: int, each: int, seed: int, step: int) -> torch.Tensor:
    """Return drawings float32 (characters * each, 1, 32, 32) as a network takes them, those of a character one behind the other.

    Half of them are light ink on dark ground, half dark ink on light paper that is lit unevenly; both come as paper 0 and ink 1.
    """
    ink = torch.from_numpy(drawings(characters, each, SIDE, seed, step).reshape(-1, 1, SIDE, SIDE))
    key = Key(seed, step)
    chance = torch.from_numpy(uniform(key.images(len(ink)), "pen", 2)).view(-1, 2, 1, 1, 1)
    seen = 255 * ink * (0.6 + 0.4 * chance[:, 0])
    light = chance[:, 1] < 0.5
    seen = augment(torch.where(light, 255 - seen, seen), SEEN, key)
    return (torch.where(light, 255 - seen, seen) / 255 - PAPER) / SPREAD


def logits_of(embedding: torch.Tensor, characters: int) -> torch.Tensor:
    """Return (characters * each, characters): what each drawing's unit embedding says of each character, its own without itself."""
    own = embedding.view(characters, -1, embedding.shape[1])
    total = own.sum(1)
    others = embedding @ normalize(total, dim=1).T
    without = (own * normalize(total[:, None] - own, dim=2)).sum(2).reshape(-1, 1)
    mine = one_hot(torch.arange(characters, device=embedding.device).repeat_interleave(own.shape[1]), characters).bool()
    return SHARPNESS * torch.where(mine, without, others)


def _rate(step: int, steps: int) -> float:
    """One cycle: a tenth up, the rest down a cosine."""
    rise = max(1, steps // 10)
    return RATE * ((step + 1) / rise if step < rise else 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))))


@torch.no_grad()
def _follow(averaged: Network, network: Network, keep: float) -> None:
    """Move the running average of the weights on by a step; what batch norm keeps is an average already."""
    for average, weight in zip(averaged.parameters(), network.parameters(), strict=True):
        average.lerp_(weight, 1 - keep)
    for mine, theirs in zip(averaged.buffers(), network.buffers(), strict=True):
        mine.copy_(theirs)


def practise(steps: int, seed: int, watch: Callable[[int, float], None] | None = None) -> Network:
    """Return a network that has practised for so many steps of 256 drawings; `watch` hears of each step and its loss.

    A function of steps and seed on one machine. The network keeps its batch norms; `nets.strokes.packed` folds them.
    """
    torch.manual_seed(seed)
    network = unpractised(CHARACTERS, norm="batch")
    network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this pairing
    learned = [weight for name, weight in network.named_parameters() if not name.startswith("body.logits")]
    optimiser = torch.optim.AdamW(learned, lr=RATE, weight_decay=DECAY, betas=(0.9, 0.99), fused=True)
    averaged = copy.deepcopy(network)
    target = torch.arange(CHARACTERS).repeat_interleave(EACH).to(device())
    network.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, steps)
        images = episode(CHARACTERS, EACH, seed, step).to(device())
        with low_precision(images.device):
            _, embedding = network(images.contiguous(memory_format=torch.channels_last))
        loss = cross_entropy(logits_of(embedding.float(), CHARACTERS), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser.step()
        _follow(averaged, network, AVERAGE if step else 0.0)
        if watch:
            watch(step + 1, loss.item())
    return averaged.cpu().eval()


@torch.no_grad()
def answered(network: Network, rounds: int = 50, ways: int = 20) -> float:
    """Return the share of right answers (0..1) about new invented characters: `ways` of them, one drawing of each known, one asked."""
    network.eval()
    right = 0.0
    for number in range(rounds):
        _, embedding = network(episode(ways, 2, UNKNOWN_SEED, number))
        known, asked = normalize(embedding.view(ways, 2, -1), dim=2).unbind(1)
        right += float(((asked @ known.T).argmax(1) == torch.arange(ways)).float().mean())
    return right / rounds


@torch.no_grad()
def invented(network: Network, count: int) -> np.ndarray:
    """Return the embeddings (count, features) of drawings of so many new invented characters: strangers to whatever the network was taught."""
    network.eval()
    parts = [min(250, count - at) for at in range(0, count, 250)]
    return torch.cat([network(episode(part, 1, UNKNOWN_SEED, 1000 + number))[1] for number, part in enumerate(parts)]).numpy()
