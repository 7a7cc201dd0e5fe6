"""A map as SVG: every point with the sign and colour of its label, the label's name beside its points, new points ringed.

Signs differ in shape and colour, so that nobody needs the colours; up to 2,000 points carry their names, more are drawn as dots. Only classes: the
page's own style sheet colours them. Both axes have one scale.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peephole.explain.words import Raw, attribute, plain, text

__all__ = ["COLOURS", "NAMED", "SHAPES", "SIZE", "Frame", "Sign", "frame", "legend", "scatter", "signs", "symbols"]

SIZE, EDGE = 480, 22  # of the picture; what is left free on each side
COLOURS, SHAPES = 8, 6
MOST = COLOURS * SHAPES  # labels that can be told apart; the others share one sign
NAMED = 2_000  # points with a sign and a name of their own
WRITTEN = 12  # labels that are written beside their points
LETTER = 7.5  # pixels of a letter, about
# In a box of -5 to 5.
OUTLINES = (
    '<circle r="4"/>',
    '<path d="M-3.6-3.6h7.2v7.2h-7.2z"/>',
    '<path d="M0-4.8 4.6 3.4h-9.2z"/>',
    '<path d="M0-5 5 0 0 5-5 0z"/>',
    '<path d="M-1.4-4.6h2.8v3.2h3.2v2.8h-3.2v3.2h-2.8v-3.2h-3.2v-2.8h3.2z"/>',
    '<path d="M0 4.8 4.6-3.4h-9.2z"/>',
)


@dataclass(frozen=True)
class Sign:
    """How points of a label are drawn: numbers of its `shape` and `colour`; None for strangers and for labels beyond the 48th."""

    shape: int | None
    colour: int | None

    @property
    def classes(self) -> str:
        """The classes of the style sheet."""
        return "c-rest" if self.colour is None else f"c{self.colour}"

    @property
    def use(self) -> str:
        """The id of its symbol."""
        return "s-rest" if self.shape is None else f"s{self.shape}"


STRANGER = Sign(None, None)


def signs(labels: Sequence[str | None]) -> dict[str | None, Sign]:
    """Return a sign for each label, in the order of the labels' names; strangers last."""
    named = sorted({label for label in labels if label})
    found: dict[str | None, Sign] = {
        label: Sign((at % COLOURS + at // COLOURS) % SHAPES, at % COLOURS) if at < MOST else STRANGER for at, label in enumerate(named)
    }
    found |= {"": Sign(0, 0) if not named else STRANGER} if "" in labels else {}
    return found | ({None: STRANGER} if None in labels else {})


def symbols() -> Raw:
    """Return the symbols that all scatters of a page use; one hidden picture."""
    shapes = "".join(f'<symbol id="s{at}" viewBox="-6 -6 12 12" overflow="visible">{shape}</symbol>' for at, shape in enumerate(OUTLINES))
    rest = '<symbol id="s-rest" viewBox="-6 -6 12 12" overflow="visible"><path d="M-3.2-3.2 3.2 3.2M-3.2 3.2 3.2-3.2"/></symbol>'
    return Raw(f'<svg class="symbols" width="0" height="0" aria-hidden="true" focusable="false">{shapes}{rest}</svg>')


@dataclass(frozen=True)
class Frame:
    """How places become pixels: the same `scale` on both axes, around a `middle`."""

    scale: float
    middle: tuple[float, float]

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Return places (n, 2) as pixels (n, 2), rounded to a tenth; what lies outside is moved to the edge."""
        flipped = (np.asarray(points) - self.middle) * [self.scale, -self.scale] + SIZE / 2
        return np.asarray(np.clip(flipped, 6, SIZE - 6).round(1))


def frame(points: np.ndarray) -> Frame:
    """Return the frame in which all points (n, 2) lie."""
    low, high = points.min(axis=0), points.max(axis=0)
    wide = float((high - low).max())
    return Frame((SIZE - 2 * EDGE) / wide if wide > 0 else 1.0, (float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2))


def _told(language: str, label: str | None) -> str:
    """A label in words of a language, escaped."""
    return html.escape(label) if label else plain(language, "map.stranger" if label is None else "map.nolabel")


def _title(name: str, label: str | None) -> str:
    words = f"{html.escape(name)}" + (f" · {_told('en', label)}" if label != "" else "")
    return f"<title>{words}</title>"


def _dots(at: np.ndarray, labels: Sequence[str | None], given: dict[str | None, Sign]) -> list[str]:
    """Many points as one path of dots for each label."""
    own = np.array([list(given).index(label) for label in labels])
    return [
        f'<path class="dots {sign.classes}" d="{"".join(f"M{x:g} {y:g}h0" for x, y in at[own == number])}"/>'
        for number, sign in enumerate(given.values())
        if (own == number).any()
    ]


def _place(sign: Sign, at: np.ndarray, size: float, extra: str = "") -> str:
    x, y = (f"{value - size / 2:g}" for value in at)
    return f'<use href="#{sign.use}" x="{x}" y="{y}" width="{size:g}" height="{size:g}" class="{sign.classes}{extra}"'


def _written(at: np.ndarray, labels: Sequence[str | None], given: dict[str | None, Sign]) -> list[str]:
    """The names of a few labels, each in the middle of its points, where no other name stands."""
    named = [label for label in given if label]
    if len(named) > WRITTEN:
        return []
    parts: list[str] = []
    taken: list[tuple[float, float, float]] = []
    for label in named:
        own = at[[each == label for each in labels]]
        if not len(own):
            continue
        middle = np.median(own, axis=0)
        shown = label if len(label) <= 16 else f"{label[:15]}…"
        half = LETTER * len(shown) * (1 if shown.isascii() else 1.7) / 2 + 4
        x = float(min(max(middle[0], half), SIZE - half))
        y = next(
            (up for up in middle[1] + np.array([0, -15, 15, -30, 30]) if all(abs(up - b) >= 15 or abs(x - a) >= half + c for a, b, c in taken)), None
        )
        if y is not None:
            taken.append((x, float(y), half))
            parts.append(f'<text x="{x:.1f}" y="{float(y) + 5:.1f}" class="name">{html.escape(shown)}</text>')
    return parts


def scatter(
    points: np.ndarray,
    names: Sequence[str],
    labels: Sequence[str | None],
    given: dict[str | None, Sign],
    *,
    number: int,
    key: str,
    new: tuple[np.ndarray, Sequence[str], Sequence[str | None]] | None = None,
) -> Raw:
    """Return points (n, 2) as SVG, described by the words under `key`; `number` tells the views of a page apart.

    `given` are the signs of all labels, also of the `new` points (places, names, labels), which are larger and ringed.
    """
    around = frame(points if new is None else np.concatenate([points, new[0]]))
    at = around.pixels(points)
    if len(points) > NAMED:
        parts = _dots(at, labels, given)
    else:
        size = 10 if len(points) <= 300 else 8
        parts = [f"{_place(given[label], here, size)}>{_title(name, label)}</use>" for here, name, label in zip(at, names, labels, strict=True)]
    if new is not None:
        for here, name, label in zip(around.pixels(new[0]), new[1], new[2], strict=True):
            parts.append(
                f'<circle class="ring" cx="{here[0]:g}" cy="{here[1]:g}" r="9"/>{_place(given[label], here, 11, " new")}>{_title(name, label)}</use>'
            )
    parts += _written(at, labels, given)
    words = attribute("aria-label", key, n=f"{len(points):,}")
    return Raw(
        f'<svg class="scatter" viewBox="0 0 {SIZE} {SIZE}" role="img" {words} data-view="{number}">'
        f'<rect class="paper" width="{SIZE}" height="{SIZE}"/>'
        f'{"".join(parts)}<g class="marks"></g></svg>'
    )


def legend(given: dict[str | None, Sign], counts: dict[str | None, int], *, new: bool, dots: bool = False) -> Raw:
    """Return the labels with their signs, or `dots` of their colours, and how many points each has."""
    box = '<svg viewBox="-6 -6 12 12" aria-hidden="true" focusable="false">'
    rows = []
    for label, sign in given.items():
        words = text("map.stranger" if label is None else "map.nolabel") if not label else Raw(f"<b>{html.escape(label)}</b>")
        mark = f'<use href="#{"s0" if dots and sign.colour is not None else sign.use}" x="-6" y="-6" width="12" height="12" class="{sign.classes}"/>'
        rows.append(f"<li>{box}{mark}</svg>{words} <span>({counts.get(label, 0):,})</span></li>")
    if new:
        rows.append(f"<li>{box}<circle class='ring' r='4.5'/></svg>{text('map.ringed')}</li>")
    return Raw(f'<ul class="legend-list">{"".join(rows)}</ul>')
