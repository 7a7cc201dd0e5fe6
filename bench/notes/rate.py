"""The learning rate too small, right and too large: how the loss falls, or does not.

Twice: the library's own loop (AdamW, the rate rising for a fifth of the steps and falling to zero after; what is named is its highest
value), and the plain update of the notes, w - rate x gradient, with one rate throughout and the same batches.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch.nn.functional import cross_entropy

from bench.notes.measured import Measured, Setting, tables
from bench.notes.pooling import NOTES
from bench.notes.sets import Drawn, draw
from bench.notes.trained import USUAL, Effort, Trial, begun, judge, plain, train
from bench.notes.verdict import Statement
from peephole.nets.blocks import Network
from peephole.train.loop import Moment, Order, normalise

CLAIM = "rate"
# What the library takes by itself; the plain update's was chosen on other draws (seeds 0 and 1).
WAYS = {"rate": ((3e-6, 3e-5, 3e-4, 3e-3, 3e-2, 3e-1), 3e-3), "update": ((1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0), 1e-1)}
STATEMENTS = tuple(Statement(CLAIM, f"{way} {right:g}", f"{way} {rate:g}") for way, (rates, right) in WAYS.items() for rate in rates if rate != right)
EVERY = {"rate": 10, "update": 1}  # steps between two points of a curve

Learned = tuple[Network, tuple[float, ...]]


def _library(rate: float, drawn: Drawn, seed: int, steps: int) -> Learned:
    moments = list[Moment]()
    trial = Trial("", plain(NOTES), recipe=replace(USUAL, learning_rate=rate))
    return train(trial, drawn, seed, steps, moments.append), tuple(moment.loss for moment in moments)


def _update(rate: float, drawn: Drawn, seed: int, steps: int) -> Learned:
    """Take steps of w - rate x gradient; a loss that is no number any more ends it."""
    network, losses = begun(Trial("", plain(NOTES)), drawn, seed).train(), list[float]()
    order = Order(drawn.train.labels, USUAL.batch, seed)
    for step in range(steps):
        chosen = order(step)
        loss = cross_entropy(network(normalise(drawn.train.pixels(chosen).float(), network))[0], drawn.train.labels[chosen])
        if not math.isfinite(loss.item()):
            break
        losses.append(loss.item())
        network.zero_grad()
        loss.backward()
        with torch.no_grad():
            for weights in network.parameters():
                weights.sub_(rate * weights.grad)
    return network.eval(), tuple(losses)


def _one(way: str, learn: Callable[[float, Drawn, int, int], Learned], rate: float, effort: Effort) -> Setting:
    runs, curves = list[dict[str, float]](), list[tuple[float, ...]]()
    for seed in effort.seeds:
        drawn = draw("mnist", 50, seed, effort.judged)
        network, losses = learn(rate, drawn, seed, effort.steps)
        found = judge(network, drawn)
        runs.append({"right": found["right"], "learned": found["learned"]})
        curves.append(losses)
    values = tables(runs)
    print(f"claims: {way} {rate:g}: {sum(values['right']) / len(runs):.2f} % right, {[len(curve) for curve in curves]} points", flush=True)
    return Setting(f"{way} {rate:g}", {"rate": rate}, values, {"loss": tuple(curves)})


def claim(effort: Effort) -> Measured:
    learn = {"rate": _library, "update": _update}
    settings = tuple(_one(way, learn[way], rate, effort) for way, (rates, _) in WAYS.items() for rate in rates)
    return Measured(CLAIM, effort.seeds, {"each": 50, "steps": effort.steps, "judged": effort.judged}, settings)
