"""The figures of one explanation as PNG and SVG: the picture with what mattered, feature maps layer by layer, softmax; needs the `explore` extra.

The same numbers and the same colours as on the page: zero neutral, one symmetric scale for each layer, limits printed. The same bytes every time.
"""

import math
import re
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from peephole.explain.drawing import shape_text
from peephole.explain.drawn import figure, save, style
from peephole.explain.explanation import Explanation
from peephole.explain.glance import stops
from peephole.explain.layers import Layer
from peephole.explain.pictures import STOPS, symmetric
from peephole.explain.words import number, plain, share

__all__ = ["figures", "write_figures"]

MAPS, LAYERS = 32, 24  # maps of a layer; layers, beyond which only the main stops are drawn
LABELS = 20
BLUE, OTHER = "#1f5fa8", "#8fa3b8"
PLACES = [((at + 1) / 2, tuple(part / 255 for part in colour)) for at, colour in STOPS]
COLOURS = LinearSegmentedColormap.from_list("peephole", PLACES, 253).with_extremes(bad="#808080")


def _scale(sheet: Figure, axes: list[Axes], limit: float, words: str) -> None:
    """Draw the colour scale from minus to plus the limit."""
    bar = sheet.colorbar(ScalarMappable(Normalize(-limit, limit), COLOURS), ax=axes, shrink=0.8, aspect=25, pad=0.02)
    bar.set_ticks([-limit, 0, limit], labels=[number(-limit), "0", number(limit)])
    bar.set_label(words, fontsize=8)
    bar.outline.set_visible(False)


def _mosaic(maps: np.ndarray, limit: float, columns: int) -> np.ndarray:
    """Return maps (n, H, W) as colours (rows, columns, 4), row by row with a transparent gap around each; what is not a number is grey."""
    gap = max(1, round(0.06 * max(maps.shape[1:])))
    rows, tall, wide = -(-len(maps) // columns), maps.shape[1] + gap, maps.shape[2] + gap
    found = np.zeros((rows * tall - gap, columns * wide - gap, 4))
    finite = np.ma.masked_invalid(maps)
    for at in range(len(maps)):
        top, left = (at // columns) * tall, (at % columns) * wide
        found[top : top + maps.shape[1], left : left + maps.shape[2]] = COLOURS(Normalize(-limit, limit, clip=True)(finite[at]))
    return found


def feature_maps(layer: Layer, language: str) -> Figure:
    """Draw the first 32 maps of a layer (C, H, W) on one scale, row by row."""
    count = min(MAPS, layer.shape[0])
    columns = min(8, count)
    limit = symmetric(layer.values) or 1.0
    picture = _mosaic(layer.values[:count], limit, columns)
    wide = 0.95 * columns + 1.4
    sheet = figure(max(wide, 3.6), 0.75 + 0.95 * columns * picture.shape[0] / picture.shape[1])
    axes = sheet.add_subplot()
    axes.imshow(picture, interpolation="nearest" if max(layer.shape[1:]) <= 64 else "antialiased")
    axes.set_axis_off()
    key = "maps.maps.one" if layer.shape[0] == 1 else "maps.maps.all" if count == layer.shape[0] else "maps.maps.some"
    said = plain(language, key, total=layer.shape[0], shown=count, left=layer.shape[0] - count)
    sheet.suptitle(f"{layer.name} ({layer.op}, {shape_text(layer.shape)})\n{said}", fontsize=8, x=0.01, ha="left")
    _scale(sheet, [axes], limit, "")
    return sheet


def occlusion(explanation: Explanation, language: str) -> Figure:
    """Draw the picture as the network sees it and beside it by how much the logit falls where it is covered, in logits."""
    found, pixels = explanation.occlusion, explanation.prepared
    label = explanation.card.labels[found.label]
    limit = symmetric(found.deltas) or 1.0
    sheet = figure(7.4, 3.9)
    given, heat = sheet.subplots(1, 2)
    height, width = pixels.shape[:2]
    near = "nearest" if max(pixels.shape[:2]) <= 96 else "antialiased"
    given.imshow(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels, cmap="gray", vmin=0, vmax=255, interpolation=near)
    given.set_title(plain(language, "figure.seen"), fontsize=9)
    heat.imshow(pixels.mean(axis=2), cmap="gray", vmin=0, vmax=255, interpolation=near)
    heat.imshow(
        found.deltas, cmap=COLOURS, vmin=-limit, vmax=limit, alpha=0.72, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="nearest"
    )
    heat.set_title(plain(language, "figure.occlusion", label=label, logit=number(found.logit)), fontsize=9)
    for axes in (given, heat):
        axes.set_axis_off()
    _scale(sheet, [given, heat], limit, plain(language, "figure.logits"))
    return sheet


def softmax(explanation: Explanation, language: str) -> Figure:
    """Draw the shares of softmax, the most probable first, each with its logit; the sum is 100 %."""
    found, labels = explanation.softmax, explanation.card.labels
    terms = found.terms[:LABELS]
    sheet = figure(5.6, 0.3 * len(terms) + 1.2)
    axes = sheet.add_subplot()
    shares = [0.0 if math.isnan(each.share) else 100 * each.share for each in terms]
    axes.barh(range(len(terms)), shares, color=[BLUE, *[OTHER] * (len(terms) - 1)], height=0.7)
    for at, (each, wide) in enumerate(zip(terms, shares, strict=True)):
        axes.text(wide + 1, at, f"{share(each.share)}  ({number(each.logit, 2)})", va="center", fontsize=8)
    names = [labels[each.label] for each in terms]
    axes.set_yticks(range(len(terms)), [name if len(name) <= 20 else f"{name[:19]}…" for name in names])
    axes.set_ylim(len(terms) - 0.5, -0.5)
    axes.set_xlim(0, 128)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel(plain(language, "figure.softmax.across", temperature=number(found.temperature, 2)))
    left = len(found.terms) - len(terms)
    axes.set_title(plain(language, "figure.softmax") + (f" (+ {left})" if left else ""))
    return sheet


def _drawn(layers: tuple[Layer, ...]) -> list[int]:
    """Return the places of the layers whose maps are drawn: all of them, or the main stops where there are more than 24."""
    maps = [at for at, each in enumerate(layers) if len(each.shape) == 3 and max(each.shape[1:]) > 1 and not each.name.startswith("normalise")]
    return maps if len(maps) <= LAYERS else [at for at in stops(layers) if at in maps]


def figures(explanation: Explanation, language: str = "en") -> dict[str, Figure]:
    """Return every figure by the name of its file: occlusion, softmax, and layer-NN-NAME for each layer with maps."""
    layers = explanation.look.layers
    with style():
        found = {"occlusion": occlusion(explanation, language), "softmax": softmax(explanation, language)}
        for at in _drawn(layers):
            # A layer of a foreign file may be called anything; a file may not.
            name = re.sub(r"[^A-Za-z0-9]+", "-", layers[at].name).strip("-")[:40] or "layer"
            found[f"layer-{at + 1:02}-{name}"] = feature_maps(layers[at], language)
    return found


def write_figures(explanation: Explanation, folder: Path, language: str = "en") -> tuple[Path, ...]:
    """Write each figure into a folder as NAME.png and NAME.svg; raises OutputError."""
    found = figures(explanation, language)
    return tuple(path for name, each in found.items() for path in save(each, folder / f"{name}.png", folder / f"{name}.svg"))
