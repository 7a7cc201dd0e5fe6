"""The figures of an evaluation as PNG and SVG: confusion, labels, calibration, DET, the worst mistakes; needs the `explore` extra.

The same numbers as on the page; the same bytes every time.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from peephole.base.errors import PhotoError
from peephole.data.decode import open_photo
from peephole.decide.curves import Curves
from peephole.decide.evaluate import Examination
from peephole.explain.drawn import GRID, QUIET, figure, save, style
from peephole.explain.evaluationcharts import probit, rates
from peephole.explain.neighbours import small
from peephole.explain.words import number, plain

__all__ = ["figures", "write_figures"]

KNOWN, WRONG, BLUE = "#17693b", "#a3271c", "#1f5fa8"
WIDEST, LONGEST, PICTURED = 40, 60, 12  # labels of a matrix, of a chart; mistakes on one sheet
Drawn = Callable[[Examination, Curves, str], Figure | None]


def _short(name: str, most: int = 18) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def confusion(found: Examination, counted: Curves, language: str) -> Figure | None:
    """Draw the confusion matrix with each row's n; shades are shares of a row, green for right and red for wrong."""
    whole = found.evaluation
    if len(whole.labels) > WIDEST:
        return None
    stranger = plain(language, "map.stranger")
    names, counts = zip(*whole.rows, strict=True)
    matrix = np.array(counts)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    colours = np.ones((*matrix.shape, 3))
    for row, column in np.ndindex(matrix.shape):
        right = column == (row if row < len(whole.labels) else len(whole.labels))
        tint = np.array([0.09, 0.41, 0.23] if right else [0.64, 0.15, 0.11])
        colours[row, column] = 1 - (0.1 + 0.55 * shares[row, column]) * (1 - tint) if matrix[row, column] else 1
    size = 0.42 * matrix.shape[1] + 1.8
    sheet = figure(size, 0.36 * len(matrix) + 1.5)
    axes = sheet.add_subplot()
    axes.imshow(colours, aspect="auto", interpolation="nearest")
    for row, column in np.ndindex(matrix.shape):
        if matrix[row, column]:
            axes.text(column, row, f"{matrix[row, column]:,}", ha="center", va="center", fontsize=8)
    told = [_short(name) for name in whole.labels]
    rows = [*told, stranger][: len(names)]
    axes.set_xticks(range(matrix.shape[1]), [*told, stranger], rotation=90 if max(map(len, told)) > 3 else 0)
    axes.set_yticks(range(len(rows)), [f"{name} (n = {int(count.sum()):,})" for name, count in zip(rows, matrix, strict=True)])
    axes.set_xticks(np.arange(matrix.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(matrix) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=GRID, linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.set_title(plain(language, "eval.confusion.table"))
    return sheet


def _span(axes: Axes, at: float, interval: tuple[float, float], *, across: bool, colour: str = BLUE) -> None:
    """Draw a 95 % interval in percent at a place, lying or standing."""
    low, high = (100 * each for each in interval)
    axes.plot(*(([low, high], [at, at]) if across else ([at, at], [low, high])), color=colour, linewidth=2, alpha=0.55, solid_capstyle="butt")


def labels(found: Examination, counted: Curves, language: str) -> Figure | None:
    """Draw each label's share of right best labels with its exact interval."""
    if not 0 < len(counted.labels) <= LONGEST:
        return None
    sheet = figure(5.4, 0.27 * len(counted.labels) + 1.1)
    axes = sheet.add_subplot()
    for at, each in enumerate(counted.labels):
        _span(axes, at, each.interval, across=True)
        axes.plot(100 * each.share, at, "o", color=BLUE, markersize=5)
    axes.set_yticks(range(len(counted.labels)), [f"{_short(each.label)}  {each.right:,} / {each.n:,}" for each in counted.labels])
    axes.set_ylim(len(counted.labels) - 0.4, -0.6)
    axes.set_xlim(0, 102)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_xlabel(f"{plain(language, 'eval.head.right')}, %; {plain(language, 'eval.head.interval')}")
    axes.set_title(plain(language, "title.perlabel"))
    return sheet


def reliability(found: Examination, counted: Curves, language: str) -> Figure | None:
    """Draw the reliability diagram with exact intervals; the dashed line is honesty."""
    measured = counted.calibration
    if measured is None:
        return None
    sheet = figure(4.4, 4.5)
    axes = sheet.add_subplot()
    least = 100 * max(0.0, min(min(each.interval[0], each.confidence) for each in measured.bins) - 0.03)
    axes.plot([least, 100], [least, 100], color=QUIET, linestyle=(0, (4, 3)), linewidth=1)
    for each in measured.bins:
        _span(axes, 100 * each.confidence, each.interval, across=False)
        axes.plot(100 * each.confidence, 100 * each.share, "o", color=BLUE, markersize=5)
    axes.set_xlim(least, 101)
    axes.set_ylim(least, 101)
    axes.set_aspect("equal")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_xlabel(plain(language, "eval.calibration.across"))
    axes.set_ylabel(plain(language, "eval.calibration.up"))
    axes.set_title(f"ECE {100 * measured.ece:.1f} % (n = {measured.n:,})")
    return sheet


def det(found: Examination, counted: Curves, language: str) -> Figure | None:
    """Draw the DET curve on normal-deviate axes with the upper bounds and the card's own line."""
    curve = counted.det
    if curve is None:
        return None
    ticks = rates(curve)

    def at(rate: float) -> float:
        return probit(min(max(rate, ticks[0]), ticks[-1]))

    sheet = figure(4.6, 4.7)
    axes = sheet.add_subplot()
    across, up = ([at(getattr(each, name)) for each in curve.points] for name in ("false_accept", "false_reject"))
    axes.step(across, up, where="pre", color=BLUE, linewidth=1.6)
    bounds = [(at(each.accept_interval[1]), at(each.reject_interval[1])) for each in curve.points]
    axes.plot(*zip(*bounds, strict=True), color=BLUE, linewidth=1, linestyle=(0, (4, 3)))
    card = curve.card
    x, y = at(card.false_accept), at(card.false_reject)
    axes.plot([at(each) for each in card.accept_interval], [y, y], color=WRONG, linewidth=2, alpha=0.8)
    axes.plot([x, x], [at(each) for each in card.reject_interval], color=WRONG, linewidth=2, alpha=0.8)
    axes.plot(x, y, "o", color=WRONG, markersize=6, clip_on=False)
    words = {"accepted": f"{card.accepted:,}", "strangers": f"{curve.strangers:,}", "rejected": f"{card.rejected:,}", "known": f"{curve.known:,}"}
    middle = (probit(ticks[0]) + probit(ticks[-1])) / 2
    away, side = ((7, 7 if y < middle else -13), "left") if x < middle else ((-7, 7 if y < middle else -13), "right")
    told = axes.annotate(plain(language, "eval.det.card", **words), (x, y), away, textcoords="offset points", color=WRONG, fontsize=8, ha=side)
    told.set_path_effects([withStroke(linewidth=3, foreground="white")])
    shown = [tick for n, tick in enumerate(ticks) if len(ticks) <= 10 or (len(ticks) - 1 - n) % 2 == 0]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([probit(tick) for tick in shown], [f"{100 * tick:g}" for tick in shown])
    axes.set_xlim(probit(ticks[0]), probit(ticks[-1]))
    axes.set_ylim(probit(ticks[0]), probit(ticks[-1]))
    axes.set_aspect("equal")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_xlabel(plain(language, "eval.det.across"))
    axes.set_ylabel(plain(language, "eval.det.up"))
    axes.set_title(plain(language, "title.det"))
    return sheet


def mistakes(found: Examination, counted: Curves, language: str) -> Figure | None:
    """Draw the worst mistakes as a sheet of photos with what happened under each."""
    worst = counted.wrong[:PICTURED]
    if not worst:
        return None
    columns = min(4, len(worst))
    rows = -(-len(worst) // columns)
    sheet = figure(2.1 * columns, 2.45 * rows + 0.3)
    best = found.outputs.logits.argmax(1)
    for at, each in enumerate(worst):
        axes = sheet.add_subplot(rows, columns, at + 1)
        axes.set_axis_off()
        try:
            picture = np.asarray(small(open_photo(found.paths[each.row]), 200))
            axes.imshow(picture, interpolation="nearest" if max(picture.shape) <= 96 else "antialiased")
        except (PhotoError, OSError):
            axes.text(0.5, 0.5, "?", ha="center", va="center", transform=axes.transAxes)
        truth = found.card.labels[found.truth[each.row]] if found.truth[each.row] >= 0 else ""
        given = found.card.labels[best[each.row]]
        own = float(found.outputs.familiarity[each.row, best[each.row]])
        said = plain(language, f"eval.{each.kind}", truth=_short(truth, 12), given=_short(given, 12))
        facts = plain(language, "figure.familiar", own=number(own, 2), line=number(found.card.unknown.threshold, 2))
        axes.set_title(f"{said}\n{_short(found.ids[each.row], 28)}\n{facts}", fontsize=7, fontweight="normal")
    return sheet


FIGURES: dict[str, Drawn] = {"confusion": confusion, "labels": labels, "calibration": reliability, "det": det, "mistakes": mistakes}


def figures(found: Examination, counted: Curves, language: str = "en") -> dict[str, Figure]:
    """Return every figure that can be drawn, by the name of its file: confusion, labels, calibration, det, mistakes."""
    with style():
        drawn = {name: draw(found, counted, language) for name, draw in FIGURES.items()}
    return {name: each for name, each in drawn.items() if each is not None}


def write_figures(found: Examination, counted: Curves, folder: Path, language: str = "en") -> tuple[Path, ...]:
    """Write each figure into a folder as NAME.png and NAME.svg; raises OutputError."""
    drawn = figures(found, counted, language)
    return tuple(path for name, each in drawn.items() for path in save(each, folder / f"{name}.png", folder / f"{name}.svg"))
