"""Charts as SVG: bars on a shared scale with the lines that decide; each has a table twin beside it.

No style attributes, only classes: the page's own style sheet colours them, in light and dark.
"""

import html
import math
from dataclasses import dataclass

import numpy as np

from peephole.explain.words import LANGUAGES, Raw, number, plain

__all__ = ["Curve", "Line", "Spread", "bar", "curve_chart", "familiarity_chart", "spread_chart"]

WIDTH, ROW = 360, 22


@dataclass(frozen=True)
class Line:
    """A vertical line at `value`, named by the words under `key`."""

    value: float
    key: str
    kind: str


def _short(name: str, most: int = 14) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def familiarity_chart(rows: list[tuple[str, float]], lines: list[Line], best: str) -> Raw:
    """Return horizontal bars (name, value) around zero, the `best` one set off, with vertical lines; values and lines share one scale."""
    values = [value for _, value in rows if math.isfinite(value)] + [line.value for line in lines]
    low, high = min(0.0, *values), max(1.0, *values)
    longest = max((len(_short(name)) for name, _ in rows), default=0)
    # Letters of 12 px are up to 8 wide, those of Korean more.
    labels = min(116, 20 + 8 * longest) if all(name.isascii() for name, _ in rows) else 116
    room = WIDTH - labels - 64

    def x(value: float) -> float:
        return labels + room * (value - low) / (high - low)

    head = 16 * len(lines) + 4
    height = head + ROW * len(rows) + 4
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" aria-hidden="true" focusable="false">']
    for index, (name, value) in enumerate(rows):
        top = head + ROW * index
        parts.append(f'<text x="{labels - 6}" y="{top + 15}" class="end">{html.escape(_short(name))}</text>')
        if math.isfinite(value):
            left, right = sorted((x(0), x(value)))
            kind = "best" if name == best else "other"
            parts.append(f'<rect x="{left:.1f}" y="{top + 4}" width="{max(0.5, right - left):.1f}" height="{ROW - 8}" class="{kind}"/>')
        parts.append(f'<text x="{WIDTH - 58}" y="{top + 15}">{number(value, 4)}</text>')
    parts.append(f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="{head}" y2="{height}" class="zero"/>')
    parts += [f'<line x1="{x(line.value):.1f}" x2="{x(line.value):.1f}" y1="{head}" y2="{height}" class="{line.kind}"/>' for line in lines]
    for index, line in enumerate(lines):
        at, top = x(line.value), 16 * index + 12
        side, anchor = (-4, "end") if at > WIDTH / 2 else (4, "start")
        for language in LANGUAGES:
            words = html.escape(plain(language, line.key, value=number(line.value, 4)))
            parts.append(f'<text x="{at + side:.1f}" y="{top}" class="{language} {anchor} {line.kind}" lang="{language}">{words}</text>')
    return Raw("".join([*parts, "</svg>"]))


def bar(share: float) -> Raw:
    """Return one small bar for a share 0..1, for a table cell whose number stands beside it."""
    wide = 0.0 if math.isnan(share) else 100 * min(1.0, max(0.0, share))
    return Raw(f'<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="{wide:.2f}" height="8"/></svg>')


def _ticks(most: float) -> list[float]:
    """Return round numbers from 0 to at least `most`, about four of them."""
    rough = most / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [step * at for at in range(math.ceil(most / step - 1e-9) + 1)]


def _round(value: float) -> str:
    return f"{value:.3g}"


@dataclass(frozen=True)
class Curve:
    """A learning curve to be drawn: errors 0..1 over photos of each label.

    `measured` are (photos, error); `line` (photos, low, middle, high) of the fit, empty where there is none; `now` and `then` are the photos there
    are and would be.
    """

    measured: tuple[tuple[float, float], ...]
    line: tuple[tuple[float, float, float, float], ...]
    now: float
    then: float


def _both(place: str, kind: str, key: str, *, alone: bool, **values: object) -> str:
    """Return words in both languages at a place; in a picture that stands `alone` the reader's own settings choose one."""
    shown = {language: html.escape(plain(language, key, **values)) for language in LANGUAGES}
    if alone:
        return (
            f'<switch><text {place} class="{kind}" systemLanguage="ko">{shown["ko"]}</text><text {place} class="{kind}">{shown["en"]}</text></switch>'
        )
    return "".join(f'<text {place} class="{language} {kind}" lang="{language}">{shown[language]}</text>' for language in LANGUAGES)


def curve_chart(curve: Curve, *, alone: bool = False) -> Raw:
    """Return the curve as SVG: measured points, the fit with its interval, dashed where it foretells; `alone` for a file of its own."""
    left, top, width, height = 46, 26, 300, 190
    highest = max([error for _, error in curve.measured] + [high for *_, high in curve.line])
    ups, acrosses = _ticks(max(highest, 0.01)), _ticks(curve.then if curve.line else curve.now)

    def x(photos: float) -> float:
        return left + width * photos / acrosses[-1]

    def y(error: float) -> float:
        return top + height * (1 - min(error, ups[-1]) / ups[-1])

    parts = [f'<line x1="{left}" x2="{left + width}" y1="{y(up):.1f}" y2="{y(up):.1f}" class="rule"/>' for up in ups]
    parts += [f'<text x="{left - 6}" y="{y(up) + 4:.1f}" class="end">{_round(100 * up)}</text>' for up in ups]
    parts += [f'<text x="{x(across):.1f}" y="{top + height + 16}" class="middle">{_round(across)}</text>' for across in acrosses]
    parts.append(_both(f'x="{left}" y="{top - 12}"', "", "curve.up", alone=alone))
    parts.append(_both(f'x="{left + width / 2}" y="{top + height + 34}"', "middle", "curve.across", alone=alone))
    if curve.line:
        edge = [f"{x(at):.1f},{y(high):.1f}" for at, _, _, high in curve.line] + [f"{x(at):.1f},{y(low):.1f}" for at, low, _, _ in curve.line[::-1]]
        parts.append(f'<polygon points="{" ".join(edge)}" class="band"/>')
        middle = [(at, f"{x(at):.1f},{y(mid):.1f}") for at, _, mid, _ in curve.line]
        behind = sum(at <= curve.now for at, _ in middle)
        parts += [
            f'<polyline points="{" ".join(point for _, point in some)}" class="{kind}"/>'
            for kind, some in (("fit", middle[:behind]), ("fit ahead", middle[max(0, behind - 1) :]))
        ]
        for at, key in ((curve.now, "curve.now"), (curve.then, "curve.then")):
            parts.append(f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{top}" y2="{top + height}" class="zero"/>')
            parts.append(_both(f'x="{x(at) - 4:.1f}" y="{top + 12}"', "end", key, alone=alone, photos=_round(at)))
    parts += [f'<circle cx="{x(at):.1f}" cy="{y(error):.1f}" r="4" class="best"/>' for at, error in curve.measured]
    size = f"0 0 {WIDTH} {top + height + 42}"
    return Raw(f'<svg class="chart" viewBox="{size}" aria-hidden="true" focusable="false">{"".join(parts)}</svg>')


@dataclass(frozen=True, eq=False)
class Spread:
    """A row of dots: `values` (T,) of a label, its `plain` value and the `mean` of the values."""

    name: str
    values: np.ndarray
    plain: float
    mean: float


def spread_chart(rows: list[Spread]) -> Raw:
    """Return rows of dots on one scale, with a line at the plain value and a shorter one at the mean."""
    every = np.concatenate([[row.plain, row.mean, *row.values] for row in rows])
    every = every[np.isfinite(every)]
    low, high = (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)
    low, high = (low, high) if high > low else (low - 0.5, low + 0.5)
    left, room, row_height = 116, WIDTH - 116 - 24, 30
    height = row_height * len(rows) + 26

    def x(value: float) -> float:
        return left + room * (value - low) / (high - low)

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" aria-hidden="true" focusable="false">']
    for index, row in enumerate(rows):
        middle = row_height * index + row_height / 2
        parts.append(f'<line x1="{left}" x2="{left + room}" y1="{middle:g}" y2="{middle:g}" class="rule"/>')
        parts.append(f'<text x="{left - 8}" y="{middle + 4:g}" class="end">{html.escape(_short(row.name))}</text>')
        parts += [f'<circle cx="{x(float(value)):.1f}" cy="{middle:g}" r="3" class="dot"/>' for value in row.values if math.isfinite(value)]
        for value, half, kind in ((row.mean, 6, "mean"), (row.plain, 12, "plain")):
            if math.isfinite(value):
                parts.append(f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{middle - half:g}" y2="{middle + half:g}" class="{kind}"/>')
    for value, place in ((low, "start"), ((low + high) / 2, "middle"), (high, "end")):
        parts.append(f'<text x="{x(value):.1f}" y="{height - 6}" class="{place}">{number(value, 2)}</text>')
    return Raw("".join([*parts, "</svg>"]))
