"""Figures of the claims page that show more than one number for a setting: gradients layer by layer, losses, rebuilt pictures."""

import base64
import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from bench.notes.ink import COLOURS, LINES, MARKS, bars, panels, titled
from bench.notes.measured import Measured
from bench.notes.rate import EVERY
from bench.notes.rebuilt import LAYERS, SHOWN
from bench.notes.sets import LABELS
from bench.notes.trained import SIDE


def gradients(measured: Measured, columns: Mapping[str, tuple[tuple[str, ...], str]], words: tuple[str, ...]) -> Figure:
    """Draw, for each panel's settings at one moment, the gradient's length beside the last block's, layer by layer; bands are extremes."""
    figure, axes = panels(len(columns), height=2.9)
    for ax, (title, (names, moment)) in zip(axes, columns.items(), strict=True):
        for number, name in enumerate(names):
            lengths = np.maximum(np.array(measured[name].curves[f"length {moment}"]), 1e-30)
            decades = np.log10(lengths / lengths[:, -1:])
            layers = 1 + 2 * np.arange(decades.shape[1])
            ax.fill_between(layers, decades.min(0), decades.max(0), color=COLOURS[number], alpha=0.15, linewidth=0)
            ax.plot(layers, decades.mean(0), color=COLOURS[number], linestyle=LINES[number], marker=MARKS[number], markersize=3, label=words[number])
        titled(ax, title, "layer", "gradient, beside layer 29 (decades)")
        ax.axhline(0, color="grey", linewidth=0.5)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(words))
    return figure


def losses(measured: Measured) -> Figure:
    """Draw the loss of the batches learned from, step by step, for every rate: the geometric mean of the draws, as far as all have a loss."""
    figure, axes = panels(2, height=3.0)
    for ax, (way, title) in zip(axes, {"rate": "AdamW, highest rate", "update": "w - rate x gradient"}.items(), strict=True):
        chosen = [one for one in measured.settings if one.name.startswith(way)]
        for number, one in enumerate(chosen):
            length = min(len(curve) for curve in one.curves["loss"])
            middle = np.exp(np.log(np.maximum([curve[:length] for curve in one.curves["loss"]], 1e-6)).mean(0))
            words = f"{one.facts['rate']:g}" + ("" if length == len(chosen[0].curves["loss"][0]) else " (breaks off)")
            ax.plot(EVERY[way] * np.arange(1, length + 1), middle, color=COLOURS[number], linestyle=LINES[number], linewidth=1.2, label=words)
        ax.set_yscale("log")
        ax.axhline(math.log(LABELS), color="grey", linewidth=0.5)
        ax.annotate("guessing", (int(measured.setup["steps"]), math.log(LABELS)), ha="right", va="bottom", fontsize=6)
        titled(ax, title, "step", "loss of a batch (nats)")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3)
    return figure


def pictures(measured: Measured) -> Figure:
    """Show some unseen photos as they are and as rebuilt from each layer, beside the error of all."""
    figure = Figure(figsize=(6.8, 3.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.2))
    raw = np.frombuffer(base64.b64decode(measured.pictures), np.uint8).reshape(len(LAYERS) + 1, len(SHOWN), SIDE, SIDE)
    for row, (axes, words) in enumerate(zip(left.subplots(len(raw), len(SHOWN)), ("photo", *(f"L{n}" for n in LAYERS)), strict=True)):
        for ax, picture in zip(axes, raw[row], strict=True):
            ax.imshow(255 - picture, cmap="gray", vmin=0, vmax=255)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        axes[0].set_ylabel(words, rotation=0, ha="right", va="center")
    ax = right.subplots()
    for number, (kind, words) in enumerate({"trained": "trained", "untrained": "as drawn, before learning"}.items()):
        bars(ax, np.array(LAYERS) + 0.06 * number, [measured[f"{kind} {n}"].values["error"] for n in LAYERS], number, words)
    mean = float(np.mean(measured["mean"].values["error"]))
    ax.axhline(mean, color="grey", linewidth=0.8)
    ax.annotate("the mean picture", (1, mean), va="bottom", fontsize=7)
    titled(ax, "", "layer", "error per pixel (of 255)", ticks=LAYERS)
    ax.set_xticklabels([f"L{n}" for n in LAYERS])
    ax.set_ylim(0, 1.15 * mean)
    ax.legend(loc="lower right")
    return figure
