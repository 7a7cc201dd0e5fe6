"""A look inside a network while it learns: its first filters, one weight's update with its numbers, its embedding on two axes.

Looks are few and draw no random number, so the weights that come out are the same bits with and without them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from peephole.base.watch import Inside, Update
from peephole.nets.blocks import Network
from peephole.train.checkpoint import State
from peephole.train.loop import Examples, Onlooker, answers

__all__ = ["Insight", "axes_of", "beside"]

LOOKS = 12  # looks in a training, beside those at its first steps
FIRST = (1, 2, 5)  # where the most changes
FILTERS, CHANNELS, WEIGHTS = 32, 3, 4096  # at most so many filters, channels of each, and numbers in all are shown
FEWEST, MOST = (
    64,
    200,
)  # examples whose embedding is shown: one for every second step, within these, so that looks take no large part of a short training
PIXELS = 64 * 64 * MOST  # fewer of large pictures: a look may not cost more than a few steps


def axes_of(embedding: np.ndarray) -> tuple[np.ndarray, float]:
    """Return positions (N, 2) of embeddings (N, D) on their two principal axes, and the share (0..1) of the variance that lies in them.

    An axis points to where its largest weight is positive. What is missing (one example, one feature) is zero.
    """
    centred = embedding.astype(np.float64) - embedding.mean(0, dtype=np.float64)
    _, strengths, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(axes[np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(1)])[:, None]
    positions = np.zeros((len(embedding), 2))
    positions[:, : len(axes)] = centred @ axes.T
    whole = float(np.square(strengths).sum())
    return positions, float(np.square(strengths[:2]).sum()) / whole if whole > 0 else 0.0


def beside(positions: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Turn or mirror positions (N, 2) to lie as near as can be to those before (orthogonal Procrustes, Schönemann 1966): points move, none flips."""
    left, _, right = np.linalg.svd(positions.T @ before)
    turned: np.ndarray = positions @ (left @ right)
    return turned


def _shown(examples: Examples, steps: int) -> torch.Tensor:
    """Return the indices of the examples whose embedding is shown: of each label the same number, as far as it has them."""
    labels = examples.labels.numpy()
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        of = np.flatnonzero(labels == label)
        turn[of] = np.arange(len(of))
    most = MOST if not steps else min(MOST, max(FEWEST, steps // 2))
    most = min(most, max(16, PIXELS // (examples.images.shape[2] * examples.images.shape[3])))
    return torch.from_numpy(np.sort(np.lexsort((labels, turn))[:most]))


def _first_filters(network: Network) -> tuple[str, nn.Conv2d] | None:
    """Return the first convolution and its name; None where there is none."""
    return next(((name.replace("body.", ""), step) for name, step in network.named_modules() if isinstance(step, nn.Conv2d)), None)


class Insight(Onlooker):
    """Looks at one training; `names` are its labels, `tell` hears what was seen.

    Every look shows the same examples and follows the same weight: that of the shown filters whose gradient was the largest at the first look.
    """

    def __init__(self, names: Sequence[str], tell: Callable[[Inside], None]) -> None:
        self.names, self.tell = names, tell
        self._before: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None  # weights and both moments of the shown filters
        self._at: tuple[int, ...] | None = None
        self._positions: np.ndarray | None = None

    def before(self, state: State) -> None:
        """Keep what the coming step will change, if it is one that is looked at."""
        step, self._before = state.step + 1, None
        if not (step in FIRST or step % max(1, state.steps // LOOKS) == 0 or step == state.steps):
            return
        if found := _first_filters(state.network):
            moments = state.optimiser.state[found[1].weight]
            weights = _cut(found[1].weight)
            still = np.zeros_like(weights)
            self._before = (weights, _cut(moments["exp_avg"]) if moments else still, _cut(moments["exp_avg_sq"]) if moments else still)

    def after(self, state: State, examples: Examples) -> None:
        """Tell what the step did, if it is one that is looked at."""
        found = _first_filters(state.network)
        if self._before is None or found is None:
            return
        gradient = found[1].weight.grad
        assert gradient is not None  # the step has just used it
        slopes = _cut(gradient)
        if self._at is None:
            self._at = tuple(int(at) for at in np.unravel_index(np.abs(slopes).argmax(), slopes.shape))
        before, mean, square = (float(kept[self._at]) for kept in self._before)
        after = float(found[1].weight[self._at].item())
        group, count = state.optimiser.param_groups[0], int(state.optimiser.state[found[1].weight]["step"])
        numbers = _moved(group, count, before=before, gradient=float(slopes[self._at]), mean=mean, square=square)
        update = Update(weight=f"{found[0]}.weight", index=self._at, after=after, **numbers)
        self.look(state.network, examples, state.step, state.steps, update)

    def look(self, network: Network, examples: Examples, step: int, steps: int, update: Update | None = None) -> None:
        """Tell what the network looks like now."""
        found = _first_filters(network)
        learning, chosen = network.training, _shown(examples, steps)
        try:
            logits, embedding = answers(network, examples.pixels(chosen), 64)
        finally:
            network.train(learning)
        positions, share = self._placed(embedding.numpy())
        labels = tuple(self.names[int(label)] for label in examples.labels[chosen])
        right = float((logits.argmax(1) == examples.labels[chosen]).float().mean())
        layer, shape, filters = (found[0], tuple(found[1].weight.shape), _cut(found[1].weight)) if found else ("", (), np.empty((0, 0, 0, 0)))
        self.tell(Inside(step, steps, layer, shape, filters, update, positions.astype(np.float32), share, labels, right))

    def _placed(self, embedding: np.ndarray) -> tuple[np.ndarray, float]:
        """Return where the examples lie (N, 2), near to where they lay before; nowhere (NaN) where an embedding is no number."""
        if not np.isfinite(embedding).all():
            return np.full((len(embedding), 2), np.nan), 0.0
        positions, share = axes_of(embedding)
        self._positions = positions if self._positions is None else beside(positions, self._positions)
        return self._positions, share


def _cut(weights: torch.Tensor) -> np.ndarray:
    """Return a copy of the first filters (F, C, H, W), as many as are shown."""
    channels = min(CHANNELS, weights.shape[1])
    count = min(FILTERS, max(1, WEIGHTS // (channels * weights.shape[2] * weights.shape[3])))
    return weights.detach()[:count, :channels].float().cpu().contiguous().numpy().copy()


def _moved(group: Mapping[str, Any], count: int, *, before: float, gradient: float, mean: float, square: float) -> dict[str, Any]:
    """Work a step of AdamW out, in double precision: the terms of an Update by name; `mean` and `square` are the moments before the step."""
    rate, weight_decay, epsilon, (beta1, beta2) = group["lr"], group["weight_decay"], group["eps"], group["betas"]
    new_mean, new_square = beta1 * mean + (1 - beta1) * gradient, beta2 * square + (1 - beta2) * gradient**2
    mean_fair, square_fair = new_mean / (1 - beta1**count), new_square / (1 - beta2**count)
    return {
        "count": count,
        "before": before,
        "gradient": gradient,
        "learning_rate": rate,
        "weight_decay": weight_decay,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "mean_before": mean,
        "square_before": square,
        "mean": new_mean,
        "square": new_square,
        "mean_fair": mean_fair,
        "square_fair": square_fair,
        "decay": rate * weight_decay * before,
        "move": rate * mean_fair / (math.sqrt(square_fair) + epsilon),
    }
