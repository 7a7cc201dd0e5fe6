"""A larger pooling window loses accuracy: windows of 2, 3, 4 and 7, two stages, three ways of keeping the rest the same.

Window = stride shrinks the maps and with them the fully connected layer. So the same is measured with that layer widened to as many
weights as with windows of 2, and with a stride of 2 for all windows (the notes' code gives ksize and strides apart): same maps, same weights.
"""

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from bench.notes.measured import Measured
from bench.notes.sets import ARCHIVES, Drawn
from bench.notes.trained import SHAPE, Effort, Trial, measure, plain, weights
from bench.notes.verdict import Statement
from peephole.nets.blocks import Network
from peephole.nets.cnn import Plain
from peephole.nets.networks import draw as draw_network

CLAIM = "pooling"
WINDOWS = (2, 3, 4, 7)
WAYS = ("stride", "weights", "overlap")
NOTES = Plain(filters=(16, 32), hidden=64, keep_prob=1.0)
STATEMENTS = tuple(Statement(CLAIM, f"{name} stride 2", f"{name} {way} {window}") for name in ARCHIVES for way in WAYS for window in WINDOWS[1:])


def _count(plan: Plain) -> int:
    return weights(draw_network("plain", SHAPE, 10, (0.0,), (1.0,), plan=plan))


def as_heavy(plan: Plain, wanted: int) -> Plain:
    """Return the plan with the fully connected layer that brings its weights nearest to `wanted`."""
    one, two = (_count(replace(plan, hidden=hidden)) for hidden in (1, 2))
    return replace(plan, hidden=max(1, round(1 + (wanted - one) / (two - one))))


def with_pools(network: Network, pool: Callable[[], nn.Module]) -> Network:
    """Put another layer in the place of every max pooling."""
    for name, step in list(network.body.named_children()):
        if isinstance(step, nn.MaxPool2d):
            setattr(network.body, name, pool())
    return network


def _overlapping(window: int) -> Callable[[Drawn], Network]:
    """The notes' network with ksize `window` and strides 2; ceil(side / 2) cells for all windows."""
    return lambda drawn: with_pools(plain(NOTES)(drawn), lambda: nn.MaxPool2d(window, 2, (window - 1) // 2, ceil_mode=window % 2 == 0))


def trials(name: str) -> list[Trial]:
    found = [Trial(f"{name} stride {window}", plain(replace(NOTES, pool=window)), name) for window in WINDOWS]
    heavy = _count(NOTES)
    found += [Trial(f"{name} weights {window}", plain(as_heavy(replace(NOTES, pool=window), heavy)), name) for window in WINDOWS[1:]]
    return found + [Trial(f"{name} overlap {window}", _overlapping(window), name) for window in WINDOWS[1:]]


def claim(effort: Effort) -> Measured:
    settings = [setting for name in ARCHIVES for setting in measure(trials(name), effort)]
    return Measured(CLAIM, effort.seeds, {"each": 50, "steps": effort.steps, "judged": effort.judged}, tuple(settings))
