"""Batch norm and dropout over the whole batch where each process holds a share of it.

Both are swapped in while a network trains in several processes, and out again after: the file knows nothing of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from peephole.nets.blocks import Network
from peephole.nets.quick import suits, through
from peephole.train.distributed import size, summed

__all__ = ["Place", "whole_batch"]


@dataclass
class Place:
    """Where the share at hand begins in the batch, and how many examples the batch has."""

    first: int = 0
    total: int = 0


class _Sum(torch.autograd.Function):
    """Add up over the processes; so is the gradient, since each process's loss depends on every share."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return summed(x.clone())

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return summed(gradient.clone())


class _Norm(nn.BatchNorm2d):
    """Batch norm (Ioffe & Szegedy 2015) by the mean and variance of the whole batch, on any device and in any layout."""

    any_layout = True

    def __init__(self, drawn: nn.BatchNorm2d, place: Place) -> None:
        super().__init__(drawn.num_features, drawn.eps, drawn.momentum)
        self.weight, self.bias, self.place = drawn.weight, drawn.bias, place
        self.running_mean, self.running_var, self.num_batches_tracked = drawn.running_mean, drawn.running_var, drawn.num_batches_tracked

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (b, C, H, W), a share of the batch, to the same shape."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        dense = x.to_dense() if x.is_mkldnn else x
        # Seen from about the mean, the squares lose no digits: one sum over the processes is enough.
        shift = self.running_mean.detach().clone()
        moved = dense.float() - shift.view(1, -1, 1, 1)
        count = self.place.total * dense.shape[2] * dense.shape[3]
        sums: torch.Tensor = _Sum.apply(torch.stack([moved.sum((0, 2, 3)), moved.square().sum((0, 2, 3))]))  # type: ignore[no-untyped-call]
        mean = sums[0] / count
        variance = (sums[1] / count - mean.square()).clamp(min=0)
        with torch.no_grad():
            assert self.momentum is not None
            self.running_mean.lerp_(mean + shift, self.momentum)
            self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
            self.num_batches_tracked.add_(1)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        done = ((moved - mean.view(1, -1, 1, 1)) * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(dense.dtype)
        return done.contiguous().to_mkldnn() if x.is_mkldnn else done


class _Dropout(nn.Dropout):
    """Dropout that draws for the whole batch, as one process would, and keeps the rows of its share."""

    def __init__(self, drawn: nn.Dropout, place: Place) -> None:
        super().__init__(drawn.p)
        self.drawn, self.place = drawn, place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (b, ...), a share of the batch, to the same shape."""
        if not self.training:
            return x
        ones = torch.ones((self.place.total, *x.shape[1:]), dtype=x.dtype, device=x.device)
        kept = through(self.drawn, ones) if suits(x) else self.drawn(ones)
        return x * kept[self.place.first : self.place.first + len(x)]


def _swap(network: Network, place: Place) -> list[tuple[nn.Module, str, nn.Module]]:
    """Put the two in the places of their namesakes and return what stood there."""
    found: list[tuple[nn.Module, str, nn.Module]] = []
    for holder in list(network.modules()):
        for name, step in list(holder.named_children()):
            if type(step) is nn.BatchNorm2d or type(step) is nn.Dropout:
                found.append((holder, name, step))
                new = _Norm(step, place) if isinstance(step, nn.BatchNorm2d) else _Dropout(step, place)
                setattr(holder, name, new.train(step.training))
    return found


@contextmanager
def whole_batch(network: Network) -> Iterator[Place]:
    """Let batch norm and dropout of a network see the whole batch; the Place it yields must say which share comes next."""
    place = Place()
    swapped = _swap(network, place) if size() > 1 else []
    try:
        yield place
    finally:
        for holder, name, step in swapped:
            setattr(holder, name, step.train(holder.training))
