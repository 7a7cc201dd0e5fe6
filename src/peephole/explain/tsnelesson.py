"""t-SNE worked out for three points, every number on the page (MATH section 6): from distances to shares, to the map's shares, to what is lost."""

from dataclasses import dataclass

import numpy as np

from peephole.explain.tsne_exact import conditional, divergence, gradient, joint, perplexities, squared_distances, student
from peephole.explain.words import Raw, number, table, text

__all__ = ["Lesson", "lesson", "lesson_section"]

LINE = (0.0, 1.0, 3.0)
PLACES = ((0.0, 0.0), (1.0, 0.0), (0.0, 2.0))
NAMES = "ABC"


@dataclass(frozen=True, eq=False)
class Lesson:
    """A few `points` (n,) on a line, all of one `width` sigma, and `places` (n, 2) on a map, with everything that t-SNE makes of them.

    `shares` (n, n) are p_{j|i}, `perplexity` (n,) between how many each is undecided, `wanted` P and `shown` Q (n, n), `lost` KL(P || Q) in nats,
    `slope` (n, 2) its gradient: each point is moved against it.
    """

    points: np.ndarray
    width: float
    places: np.ndarray
    shares: np.ndarray
    perplexity: np.ndarray
    wanted: np.ndarray
    shown: np.ndarray
    lost: float
    slope: np.ndarray


def lesson(points: tuple[float, ...] = LINE, places: tuple[tuple[float, float], ...] = PLACES, width: float = 1.0) -> Lesson:
    """Return the numbers for points on a line (two or more), their places on a map, as many, and a width > 0."""
    line, flat = np.array(points), np.array(places)
    shares = conditional(squared_distances(line), width)
    wanted, shown = joint(shares), student(flat)
    return Lesson(line, width, flat, shares, perplexities(shares), wanted, shown, divergence(wanted, shown), gradient(wanted, flat))


def _matrix(key: str, values: np.ndarray, last: tuple[str, np.ndarray] | None = None) -> Raw:
    """A table of pairs, A to C both ways, and maybe one more column."""
    heads = ["lesson.from", *(f"lesson.{name}" for name in NAMES), *([last[0]] if last else [])]
    rows: list[list[str | Raw]] = [
        [NAMES[at], *(number(float(value), 6) for value in row), *([number(float(last[1][at]), 4)] if last else [])] for at, row in enumerate(values)
    ]
    return table(key, heads, rows)


def lesson_section() -> Raw:
    """Return the lesson: each step a sentence and the table of its numbers."""
    found = lesson()
    slope = table(
        "lesson.slope",
        ["lesson.from", "lesson.x", "lesson.y"],
        [[NAMES[at], *(number(float(each), 6) for each in row)] for at, row in enumerate(found.slope)],
    )
    steps = (
        f"<p>{text('lesson.near')}</p>{_matrix('lesson.shares', found.shares, ('lesson.perplexity', found.perplexity))}",
        f"<p>{text('lesson.both')}</p>{_matrix('lesson.wanted', found.wanted)}",
        f"<p>{text('lesson.flat')}</p>{_matrix('lesson.shown', found.shown)}",
        f"<p>{text('lesson.lost', lost=number(found.lost, 6))}</p>{slope}<p>{text('lesson.sum')}</p>",
    )
    return Raw(f"<p>{text('lesson.lead')}</p><details><summary>{text('lesson.open')}</summary>{''.join(steps)}</details>")
