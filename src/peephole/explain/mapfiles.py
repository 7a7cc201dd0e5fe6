"""A map as a table (.csv) and as a static figure (.png, .svg); needs the `explore` extra."""

import csv
import io
import json
import math
import unicodedata
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from peephole.base.files import write_atomic
from peephole.explain.drawn import GRID, INK, QUIET, figure, save, style
from peephole.explain.embedding import EmbeddingMap
from peephole.explain.scatter import Sign, signs
from peephole.explain.words import number, plain

__all__ = ["draw", "table", "to_json", "write_figure", "write_table"]

# The page's colours and shapes (page/map.css, scatter.OUTLINES).
COLOURS = ("#1f5fa8", "#a85400", "#17693b", "#8b3fa0", "#b3261e", "#006b80", "#666000", "#b82d6c")
SHAPES = ("o", "s", "^", "D", "P", "v")
FORMULA = "=+-@\t\r"
WIDEST = 24  # labels in the legend of a figure


def _cell(value: str) -> str:
    """Return a name that no spreadsheet takes for a formula, in one line."""
    line = "".join(each if unicodedata.category(each) != "Cc" else " " for each in value)
    return f"'{line}" if line.lstrip()[:1] and line.lstrip()[0] in FORMULA else line


def table(found: EmbeddingMap) -> str:
    """Return all points and new points as CSV: name, label, kind, both places, groups, the nearest and how far it is."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    axes = [f"{view.method.replace('-', '')}_{axis}" for view in found.views for axis in "xy"]
    groups = [each.method.replace("-", "") for each in found.clusters]
    writer.writerow(["name", "label", "kind", *axes, *(f"group_{name}" for name in groups), "nearest", "distance"])
    rows = [
        (found.names[at], found.labels[at], "known", [view.points[at] for view in found.views], int(found.neighbours[at][0]), found.distances[at][0])
        for at in range(len(found.names))
    ]
    inside = [[int(each.groups[at]) + 1 or "" for each in found.clusters] for at in range(len(found.names))]
    if (new := found.new) is not None:
        both = [each for each in (new.points, new.beside) if each is not None]
        rows += [
            (new.names[at], new.labels[at], "far" if new.far[at] else "new", [each[at] for each in both], int(new.nearest[at]), new.distances[at])
            for at in range(len(new.names))
        ]
        inside += [[""] * len(groups)] * len(new.names)
    for (name, label, kind, places, nearest, distance), own in zip(rows, inside, strict=True):
        flat = [f"{float(value):.6g}" for place in places for value in place]
        said = "stranger" if label is None else label
        writer.writerow([_cell(name), _cell(said), kind, *flat, *own, _cell(found.names[nearest]), f"{float(distance):.6g}"])
    return "\ufeff" + out.getvalue()  # without the mark, Excel takes UTF-8 for something else


def _finite(value: Any) -> Any:
    """Return JSON-able values; what is not a number becomes null, which JSON has."""
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(found: EmbeddingMap) -> str:
    """Return the whole map as JSON, its fields by their names, with the reasons in English."""
    values = asdict(found) | {"reasons": [reason.said() for reason in found.reasons]}
    return json.dumps(_finite(values), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def write_table(found: EmbeddingMap, path: Path) -> Path:
    """Write the table; raises OutputError."""
    return write_atomic(path, table(found))


def _scatter(axes: Axes, points: np.ndarray, labels: tuple[str | None, ...], given: dict[str | None, Sign], *, ringed: bool) -> None:
    many = len(points) > 2_000
    for label, sign in given.items():
        own = points[[each == label for each in labels]]
        if not len(own):
            continue
        rest = sign.colour is None
        colour = QUIET if sign.colour is None else COLOURS[sign.colour]
        shape = "x" if sign.shape is None else SHAPES[sign.shape]
        size, seen = (6, 0.6) if many else (26 if ringed else 16, 0.85)
        axes.scatter(own[:, 0], own[:, 1], color=colour, marker=shape, s=size, linewidths=0.9 if rest else 0, alpha=seen)
        if ringed:
            axes.scatter(own[:, 0], own[:, 1], s=80, facecolors="none", edgecolors=INK, linewidths=0.9)


def _keys(found: EmbeddingMap, given: dict[str | None, Sign], language: str) -> tuple[list[Line2D], list[str]]:
    """Return the signs of a legend and its words: every label with its number of points, then what a ring means."""
    keys: list[Line2D] = []
    words: list[str] = []
    for label, sign in list(given.items())[:WIDEST]:
        colour, shape = (QUIET, "x") if sign.colour is None or sign.shape is None else (COLOURS[sign.colour], SHAPES[sign.shape])
        keys.append(Line2D([], [], color=colour, marker=shape, linestyle="none", markersize=5))
        said = label or plain(language, "map.stranger" if label is None else "map.nolabel")
        words.append(f"{said if len(said) <= 24 else said[:23] + '…'} ({found.labels.count(label):,})")
    if len(given) > WIDEST:
        keys.append(Line2D([], [], linestyle="none"))
        words.append("…")
    if found.new is not None:
        keys.append(Line2D([], [], color=INK, marker="o", markerfacecolor="none", linestyle="none", markersize=8))
        words.append(plain(language, "map.ringed"))
    return keys, words


def draw(found: EmbeddingMap, language: str = "en") -> Figure:
    """Return both views side by side with their measures, and one legend below."""
    with style():
        views, new = found.views, found.new
        given = signs([*found.labels, *(new.labels if new else ())])
        keys, words = _keys(found, given, language)
        columns = max(1, min(6, len(words)))
        sheet = figure(4.6 * len(views), 4.9 + 0.22 * -(-len(words) // columns))
        for at, view in enumerate(views):
            axes = sheet.add_subplot(1, len(views), at + 1)
            _scatter(axes, view.points, found.labels, given, ringed=False)
            if new is not None:
                own = new.points if at == 0 else new.beside
                assert own is not None, "both views have new points"
                _scatter(axes, own, new.labels, given, ringed=True)
            axes.set_aspect("equal", adjustable="datalim")
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_visible(True)
                spine.set_color(GRID)
            axes.set_title(plain(language, f"map.{view.method}"))
            kept = view.faithfulness
            measures = ((f"map.head.{name}", value) for name, value in (("trust", kept.trustworthiness), ("continuity", kept.continuity)))
            axes.set_xlabel(", ".join(f"{plain(language, key)} {number(value, 3)}" for key, value in measures), fontsize=8)
        sheet.legend(keys, words, loc="outside lower center", ncols=columns, fontsize=8, handletextpad=0.3, columnspacing=1.2)
        return sheet


def write_figure(found: EmbeddingMap, path: Path, language: str = "en") -> Path:
    """Write the figure as .png or .svg, by the ending; raises OutputError."""
    return save(draw(found, language), path)[0]
