"""Charts as SVG: bars on a shared scale with the lines that decide; each has a table twin beside it.

No style attributes, only classes: the page's own style sheet colours them, in light and dark.
"""

import html
import math
from dataclasses import dataclass

from peephole.explain.words import LANGUAGES, Raw, number, plain

__all__ = ["Line", "bar", "familiarity_chart"]

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
