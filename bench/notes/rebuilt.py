"""What each layer still knows of the picture: pixels rebuilt from L1, L2 and L3 by a linear map, with its error per pixel.

Each cell of a layer's maps, with its eight neighbours, rebuilds the square of pixels that belongs to it; one map for all cells, fitted by
ridge regression on photos that the network did not learn from. A better rebuilder may get more out: the error is what is lost at most.
"""

import base64
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad, unfold

from bench.notes.filters import STAGES
from bench.notes.measured import Measured, Setting, tables
from bench.notes.pooling import NOTES
from bench.notes.sets import draw
from bench.notes.trained import SIDE, Effort, Trial, begun, plain, train
from bench.notes.verdict import LEVELS, Statement
from peephole.nets.blocks import Network
from peephole.train.loop import normalise

LAYERS = (1, 2, 3)
FITTED = 100  # photos of each label that the map is fitted on
RIDGE = 1e-4  # of the mean variance of the features
SHOWN = (0, 2, 4, 8)  # digits in the figure
STATEMENTS = (
    *(Statement("rebuilt", f"trained {n}", f"trained {n + 1}", "error", LEVELS) for n in LAYERS[:-1]),
    *(Statement("rebuilt", f"untrained {n}", f"trained {n}", "error", LEVELS) for n in LAYERS),
)


@torch.no_grad()
def _cells(network: Network, images: torch.Tensor, layer: int) -> torch.Tensor:
    """Return (N, cells, 9 x filters + 1): each cell behind the layer's pooling, with its neighbours, and a one."""
    x = normalise(images.float(), network)
    for name, step in network.eval().body.named_children():
        x = step(x)
        if name == f"pool{layer}":
            break
    around = unfold(x, 3, padding=1).transpose(1, 2)
    return torch.cat([around, torch.ones(*around.shape[:2], 1)], 2)


def _squares(images: torch.Tensor, side: int) -> torch.Tensor:
    """Return (N, cells, side x side): the pixels that belong to each cell, zeros beyond the border."""
    more = -SIDE % side
    return unfold(pad(images.float(), (0, more, 0, more)), side, stride=side).transpose(1, 2)


def _fit(features: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Return the linear map with the least squared error and a little ridge."""
    a, b = features.flatten(0, 1).double(), pixels.flatten(0, 1).double()
    square = a.T @ a
    square += RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=torch.float64)
    return torch.linalg.solve(square, a.T @ b)


def rebuild(network: Network, known: torch.Tensor, asked: torch.Tensor, layer: int) -> torch.Tensor:
    """Return uint8-ranged floats (N, 1, 28, 28) rebuilt from the layer for the pictures asked; the map is fitted on the known ones."""
    side = 2**layer
    linear = _fit(_cells(network, known, layer), _squares(known, side))
    found = (_cells(network, asked, layer).double() @ linear).clamp(0, 255).float()
    whole = SIDE + -SIDE % side
    return nn.functional.fold(found.transpose(1, 2), whole, side, stride=side)[:, :, :SIDE, :SIDE]


def error(found: torch.Tensor, images: torch.Tensor) -> float:
    """Return the root of the mean squared error of a pixel, in grey levels of 255."""
    return float((found - images.float()).square().mean().sqrt())


def claim(effort: Effort) -> Measured:
    """Rebuild from the three-stage network, trained and as its weights were drawn."""
    trial = Trial("depth", plain(replace(NOTES, filters=STAGES[-1])))
    runs: dict[str, list[dict[str, float]]] = {f"{kind} {n}": [] for kind in ("trained", "untrained") for n in LAYERS} | {"mean": []}
    pictures = b""
    for seed in effort.seeds:
        drawn = draw("mnist", trial.each, seed, effort.judged)
        each = len(drawn.others) // 10
        known = drawn.others.images.view(10, each, 1, SIDE, SIDE)[:, :FITTED].flatten(0, 1)
        asked, shown = drawn.test.images, [digit * effort.judged for digit in SHOWN]
        networks = {"untrained": begun(trial, drawn, seed).eval(), "trained": train(trial, drawn, seed, effort.steps)}
        rows = [asked[shown].float()]
        for kind, network in networks.items():
            for n in LAYERS:
                found = rebuild(network, known, asked, n)
                runs[f"{kind} {n}"].append({"error": error(found, asked)})
                rows += [found[shown]] if kind == "trained" else []
        runs["mean"].append({"error": error(known.float().mean(0, keepdim=True), asked)})
        pictures = pictures or np.concatenate([row.round().to(torch.uint8).numpy() for row in rows]).tobytes()
        print(f"claims: rebuilt, seed {seed}: " + ", ".join(f"{name} {every[-1]['error']:.1f}" for name, every in runs.items()), flush=True)
    numbers = {1: 14 * 14 * 16, 2: 7 * 7 * 32, 3: 4 * 4 * 64}
    settings = tuple(
        Setting(name, {"numbers": numbers.get(int(name[-1]) if name[-1].isdigit() else 0, 0)}, tables(every)) for name, every in runs.items()
    )
    setup = {"each": 50, "steps": effort.steps, "judged": effort.judged, "fitted": FITTED}
    return Measured("rebuilt", effort.seeds, setup, settings, base64.b64encode(pictures).decode())
