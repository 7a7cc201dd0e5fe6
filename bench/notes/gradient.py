"""The gradient that reaches the first layer of 30: plain, residual, with batch norm, with dropout, and with the sigmoid of older networks.

Measured as the length of the loss's gradient at the output of each layer, in float32 on every second photo learned from, relative to the last
block's: 0 decades is a gradient that arrives whole, -3 one that arrives as a thousandth. At the start, after 20 steps and at the end.
"""

import copy
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from bench.notes.measured import Measured, Setting, tables
from bench.notes.sets import Drawn, draw, halved
from bench.notes.trained import USUAL, Effort, Trial, begun, judge, products, train, weights
from bench.notes.verdict import DECADES, Statement
from peephole.nets.blocks import Network, Shape
from peephole.nets.deep import Deep, settle
from peephole.nets.networks import draw as draw_network
from peephole.train.loop import Moment, normalise

SHAPE = Shape(1, 14, 14)
DEPTH = 7  # blocks of two convolutions in each of 2 stages: with the first and the last layer 30
KEEP = 0.7
BATCH = 32
EVERY = 2  # photos of which the gradient is taken
MIDDLE = 20  # steps after which the gradient is measured again
MOMENTS = ("start", "middle", "end")
FLAT = 1e-30  # stands for a gradient of exactly nothing

# Settings: shortcuts, batch norm, sigmoid instead of ReLU, dropout before the last layer or behind every block.
SETTINGS: dict[str, tuple[bool, str, bool, str]] = {
    "plain": (False, "none", False, ""),
    "residual": (True, "none", False, ""),
    "plain norm": (False, "batch", False, ""),
    "residual norm": (True, "batch", False, ""),
    "plain dropout": (False, "none", False, "last"),
    "plain dropouts": (False, "none", False, "all"),
    "sigmoid": (False, "none", True, ""),
    "sigmoid dropout": (False, "none", True, "last"),
    "sigmoid dropouts": (False, "none", True, "all"),
}
TWINS = (("residual", "plain"), ("residual norm", "plain norm"))
DROPPED = (("plain dropout", "plain"), ("plain dropouts", "plain"), ("sigmoid dropout", "sigmoid"), ("sigmoid dropouts", "sigmoid"))
STATEMENTS = (
    *(Statement("gradient", name, "", f"lost {moment}", DECADES) for name in ("plain", "sigmoid") for moment in ("start", "middle")),
    *(Statement("gradient", more, less, f"reaches {moment}", DECADES) for more, less in TWINS for moment in MOMENTS),
    *(Statement("gradient", more, less) for more, less in TWINS),
)
DROPOUT_STATEMENTS = (
    *(Statement("gradient", more, less, f"reaches {moment}", DECADES) for more, less in DROPPED for moment in ("start", "middle")),
    *(Statement("gradient", more, less) for more, less in DROPPED),
)


def _swap(holder: nn.Module) -> None:
    """Put a sigmoid in the place of every ReLU, and draw the weights as was usual for it (Glorot & Bengio 2010)."""
    for name, step in list(holder.named_children()):
        if isinstance(step, nn.ReLU):
            setattr(holder, name, nn.Sigmoid())
        elif isinstance(step, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(step.weight)
        else:
            _swap(step)


def network(name: str) -> Callable[[Drawn], Network]:
    """Return what draws the network of that setting."""
    shortcuts, norm, sigmoid, dropout = SETTINGS[name]
    plan = Deep(width=8, depth=DEPTH, stages=2, norm=norm, shortcuts=shortcuts, keep_prob=KEEP if dropout == "last" else 1.0)

    def drawn_network(drawn: Drawn) -> Network:
        found = draw_network("resnet", SHAPE, 10, drawn.mean, drawn.std, deep=settle(plan, "resnet", SHAPE))
        if sigmoid:
            _swap(found.body)
        if dropout == "all":
            steps = OrderedDict[str, nn.Module]()
            for step_name, step in found.body.named_children():
                steps[step_name] = step
                if step_name.endswith("_relu2"):
                    steps[f"{step_name}_dropout"] = nn.Dropout(1 - KEEP)
            found.body = nn.Sequential(steps)
        return found

    return drawn_network


def lengths(network: Network, drawn: Drawn, seed: int) -> list[float]:
    """Return the length of the gradient at the output of the first layer and of each block, in the order of the layers."""
    torch.manual_seed(seed)  # dropout draws from here
    chosen = slice(None, None, EVERY)
    x, kept = normalise(drawn.train.images[chosen].float(), network), []
    for name, step in copy.deepcopy(network).train().body.named_children():
        x = step(x)
        if name == "stem" or (name.startswith("block") and "_" not in name):
            x.retain_grad()
            kept.append(x)
    cross_entropy(x, drawn.train.labels[chosen]).backward()
    # Squares of the smallest would be nothing in float32.
    return [float(each.grad.double().norm()) if each.grad is not None else 0.0 for each in kept]


def _one(name: str, effort: Effort) -> Setting:
    """Train one setting on every draw, and measure its gradients on the way."""
    batch_norm = SETTINGS[name][1] == "batch"
    trial = Trial(name, network(name), recipe=replace(USUAL, network="resnet", batch=BATCH, learning_rate=1e-2 if batch_norm else 3e-3))
    runs, curves = list[dict[str, float]](), {f"length {moment}": list[tuple[float, ...]]() for moment in MOMENTS}
    for seed in effort.seeds:
        whole = draw("mnist", trial.each, seed, effort.judged)
        drawn = Drawn(halved(whole.train), halved(whole.test), halved(whole.others))
        learner, found = begun(trial, drawn, seed), dict[str, list[float]]()
        found["start"] = lengths(learner, drawn, seed)

        def look(moment: Moment, learner: Network = learner, found: dict[str, list[float]] = found, drawn: Drawn = drawn, seed: int = seed) -> None:
            if moment.step == min(MIDDLE, effort.steps):
                found["middle"] = lengths(learner, drawn, seed)

        learned = train(trial, drawn, seed, effort.steps, look, network=learner)
        found["end"] = lengths(learned, drawn, seed)
        reaches = {moment: math.log10(max(found[moment][0], FLAT) / max(found[moment][-1], FLAT)) for moment in MOMENTS}
        runs.append(judge(learned, drawn) | {f"reaches {m}": reaches[m] for m in MOMENTS} | {f"lost {m}": -reaches[m] for m in MOMENTS})
        for moment in MOMENTS:
            curves[f"length {moment}"].append(tuple(found[moment]))
    values = tables(runs)
    print(f"claims: {name}: {values['right']}, decades at the start {values['reaches start']}, {values['reaches middle']}", flush=True)
    facts = {"weights": weights(learned), "products": products(learned, SHAPE)}
    return Setting(name, facts, values, {moment: tuple(every) for moment, every in curves.items()})


def claim(effort: Effort) -> Measured:
    settings = tuple(_one(name, effort) for name in SETTINGS)
    setup = {"each": 50, "steps": effort.steps, "judged": effort.judged, "layers": 4 * DEPTH + 2, "middle": MIDDLE, "keep": KEEP, "batch": BATCH}
    return Measured("gradient", effort.seeds, setup, settings)
