"""The figures of the claims page, one for each section, drawn from what was measured.

Colours that the colour-blind tell apart (Okabe & Ito 2008), a marker or line style of its own for each; bars are 95 % intervals of the mean.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from bench.notes import few, filters, overfitting, pooling
from bench.notes.curves import gradients, losses, pictures
from bench.notes.ink import bars, panels, titled
from bench.notes.measured import Measured
from bench.notes.sets import ARCHIVES

SETS = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}
UNSEEN = "right, unseen photos (%)"


def _apart(measured: Measured, name: str, beside: str) -> list[float]:
    """Return how much more of unseen photos a setting names right than another, draw by draw, in points."""
    return [a - b for a, b in zip(measured[name].values["right"], measured[beside].values["right"], strict=True)]


def _pooling(measured: Measured) -> Figure:
    figure, axes = panels(2)
    ways = {"stride": "stride = window", "weights": "stride = window, equal weights", "overlap": "stride 2"}
    for ax, name in zip(axes, ARCHIVES, strict=True):
        for number, (way, words) in enumerate(ways.items()):
            runs = [[0.0, 0.0], *(_apart(measured, f"{name} {way} {w}", f"{name} stride 2") for w in pooling.WINDOWS[1:])]
            bars(ax, np.array(pooling.WINDOWS) + 0.08 * (number - 1), runs, number, words)
        titled(ax, SETS[name], "pooling window (cells)", "accuracy beside 2x2 (points)", ticks=pooling.WINDOWS)
    axes[0].legend(loc="lower left")
    return figure


def _gaps(measured: Measured, names: list[str], words: list[str], label: str) -> Figure:
    """Draw the gap in points of settings in a row for both sets, and beside it the gap of the loss."""
    figure, axes = panels(2, shared=False)
    for ax, (kind, unit) in zip(axes, {"gap": "gap, learned - unseen (points)", "loss gap": "gap, unseen - learned (nats)"}.items(), strict=True):
        for number, name in enumerate(overfitting.SETS):
            runs = [measured[f"{name} {each}"].values[kind] for each in names]
            bars(ax, np.arange(len(names)) + 0.1 * number - 0.05, runs, number, SETS[name], line="")
        titled(ax, "", label, unit)
        ax.set_xticks(range(len(words)), words)
        ax.set_ylim(bottom=0)
    if len(overfitting.SETS) > 1:
        axes[0].legend(loc="lower right")
    return figure


def _overfitting(measured: Measured) -> Figure:
    return _gaps(measured, ["none", "max", "average", "stride"], ["none", "max", "average", "stride 2\nconvolution"], "pooling")


def _dropout(measured: Measured) -> Figure:
    return _gaps(measured, [f"keep {keep:g}" for keep in overfitting.KEEPS], [f"{keep:g}" for keep in overfitting.KEEPS], "neurons kept (share)")


def _vanishing(measured: Measured) -> Figure:
    columns = {"ReLU": ("plain", "plain dropout", "plain dropouts"), "sigmoid": ("sigmoid", "sigmoid dropout", "sigmoid dropouts")}
    words = ("without dropout", "dropout before the last layer", "dropout behind every block")
    return gradients(measured, {f"{name}, at the start": (names, "start") for name, names in columns.items()}, words)


def _gradient(measured: Measured) -> Figure:
    names = ("plain", "residual", "plain norm", "residual norm")
    words = ("plain", "residual", "plain, batch norm", "residual, batch norm")
    times = {"at the start": "start", f"after {measured.setup['middle']} steps": "middle", "at the end": "end"}
    return gradients(measured, {title: (names, moment) for title, moment in times.items()}, words)


def _branches(measured: Measured) -> Figure:
    """Show the seven networks one below the other, those of equal cost together, with what each costs."""
    figure, axes = panels(1, wide=True)
    words = {
        "inception": "Inception modules",
        "3x3 products": "3x3, equal multiplications",
        "5x5 products": "5x5, equal multiplications",
        "3x3 weights": "3x3, equal weights",
        "5x5 weights": "5x5, equal weights",
        "1x1 first": "1x1, then 5x5",
        "direct 5x5": "5x5 directly",
    }
    ax, labels = axes[0], []
    for place, (name, shown) in enumerate(words.items()):
        one, number = measured[name], 0 if name == "inception" else 1 if place < 5 else 2
        bars(ax, [-place], [one.values["right"]], number, "", line="", across=True)
        labels.append(f"{shown}\n{one.facts['products'] / 1e6:.2f} million mult., {one.facts['weights']:,.0f} weights")
    ax.set_yticks([-place for place in range(len(words))], labels, fontsize=7)
    ax.set_xlabel(UNSEEN)
    ax.grid(visible=True, axis="x", linewidth=0.3)
    return figure


def _row(measured: Measured, names: list[str], places: list[float], label: str, *, doubling: bool) -> Figure:
    figure, axes = panels(1)
    bars(axes[0], places, [measured[name].values["right"] for name in names], 0, "")
    if doubling:
        axes[0].set_xscale("log", base=2)
    titled(axes[0], "", label, UNSEEN, ticks=places)
    return figure


def _filters(measured: Measured) -> Figure:
    counts = list(filters.COUNTS)
    return _row(measured, [f"filters {count}" for count in counts], [float(c) for c in counts], "filters in each of two stages", doubling=True)


def _depth(measured: Measured) -> Figure:
    return _row(measured, [f"stages {n}" for n in (1, 2, 3)], [1.0, 2.0, 3.0], "stages", doubling=False)


def _few(measured: Measured) -> Figure:
    figure, axes = panels(len(few.SETS))
    ways = {"without": "not varied", "four": "noise, scratches, colour, shift", "recipe": "the recipe's"}
    for ax, name in zip(axes, few.SETS, strict=True):
        for number, (way, words) in enumerate(ways.items()):
            bars(ax, list(few.EACH), [measured[f"{name} {way} {each}"].values["right"] for each in few.EACH], number, words)
        ax.set_xscale("log")
        titled(ax, SETS[name], "photos of each label", UNSEEN, ticks=few.EACH)
    axes[-1].legend(loc="lower right")
    return figure


DRAWN: Mapping[str, Callable[[Measured], Figure]] = {
    "pooling": _pooling,
    "overfitting": _overfitting,
    "dropout": _dropout,
    "vanishing": _vanishing,
    "gradient": _gradient,
    "branches": _branches,
    "filters": _filters,
    "depth": _depth,
    "rebuilt": pictures,
    "rate": losses,
    "few": _few,
}


def save(section: str, measured: Measured, path: Path) -> None:
    """Draw a section's figure and write it as PNG."""
    with matplotlib.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "legend.fontsize": 7}):
        DRAWN[section](measured).savefig(path, dpi=160, metadata={"Software": None})
