"""How the figures of the claims page look: panels on one scale, points with their 95 % interval, axes with their units."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.notes.verdict import interval

# Okabe & Ito 2008; each with a marker and a line of its own, so that print in black and white tells them apart as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))


def panels(count: int, *, shared: bool = True, wide: bool = False, height: float = 2.6) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels side by side, on one scale where `shared`."""
    figure = Figure(figsize=(3.6 if count == 1 and not wide else 6.8, height), layout="constrained")
    axes = figure.subplots(1, count, sharey=shared, squeeze=False)[0]
    return figure, list(axes)


def bars(
    ax: Axes,
    places: Sequence[float] | np.ndarray,
    runs: Sequence[Sequence[float]],
    number: int,
    words: str,
    *,
    line: str | None = None,
    across: bool = False,
) -> None:
    """Draw the means of runs, one sequence of draws per place, with their 95 % intervals; `across` puts the places on the y axis."""
    found = np.array([interval(run) for run in runs])
    spread = [found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]]
    ax.errorbar(
        *((found[:, 0], places) if across else (places, found[:, 0])),
        **({"xerr": spread} if across else {"yerr": spread}),
        color=COLOURS[number],
        marker=MARKS[number],
        linestyle=LINES[number] if line is None else line,
        label=words,
        capsize=2.5,
        markersize=4,
        linewidth=1.2,
    )


def titled(ax: Axes, title: str, across: str, up: str, ticks: Sequence[float] = ()) -> None:
    """Name a panel and its axes; the left of panels on one scale alone names what goes up."""
    ax.set_title(title, fontsize=8)
    ax.set_xlabel(across)
    if ax.get_subplotspec().is_first_col() or not ax.get_shared_y_axes().get_siblings(ax)[1:]:
        ax.set_ylabel(up)
    if len(ticks):
        ax.set_xticks(list(ticks), [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    ax.grid(visible=True, axis="y", linewidth=0.3)
