"""The charts of an evaluation as SVG: labels with their intervals, the reliability diagram, the DET curve; each has a table twin on its page.

No style attributes, only classes. What an interval spans is drawn, never the point alone.
"""

import html
import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

from peephole.decide.curves import Calibration, Det, LabelScore, Operating
from peephole.explain.words import LANGUAGES, Raw, plain

__all__ = ["calibration_chart", "det_chart", "label_chart", "probit", "rates"]

SIDE, LEFT, TOP, FOOT = 300, 52, 14, 44  # the plot, and the room for axes
RATES = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
ROW, NAME = 22, 116


def probit(rate: float) -> float:
    """Return the normal deviate of a rate, 0 < rate < 1: the scale on which the DET curve of two normal scores is a straight line."""
    return NormalDist().inv_cdf(rate)


def _both(place: str, kind: str, key: str, **values: object) -> str:
    words = ((language, html.escape(plain(language, key, **values))) for language in LANGUAGES)
    return "".join(f'<text {place} class="{language} {kind}" lang="{language}">{each}</text>' for language, each in words)


def _svg(parts: Sequence[str], wide: float, tall: float, kind: str = "") -> Raw:
    return Raw(f'<svg class="chart {kind}" viewBox="0 0 {wide:g} {tall:g}" aria-hidden="true" focusable="false">{"".join(parts)}</svg>')


def label_chart(labels: Sequence[LabelScore]) -> Raw:
    """Return a dot and its 95 % interval for each label, on one scale from 0 to 100 %."""
    wide, head = 460, 20
    room = wide - NAME - 70

    def x(value: float) -> float:
        return NAME + room * value

    tall = head + ROW * len(labels) + 6
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{head}" y2="{tall}" class="rule"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{head - 6}" class="middle quiet">{100 * tick:g} %</text>')
    for at, each in enumerate(labels):
        y = head + ROW * at + ROW / 2
        name = each.label if len(each.label) <= 13 else f"{each.label[:12]}…"
        parts.append(f'<text x="{NAME - 8}" y="{y + 4:g}" class="end">{html.escape(name)}</text>')
        parts.append(f'<line x1="{x(each.interval[0]):.1f}" x2="{x(each.interval[1]):.1f}" y1="{y:g}" y2="{y:g}" class="span"/>')
        parts.append(f'<circle cx="{x(each.share):.1f}" cy="{y:g}" r="4" class="best"/>')
        parts.append(f'<text x="{wide - 58}" y="{y + 4:g}">{each.right:,} / {each.n:,}</text>')
    return _svg(parts, wide, tall, "wide")


def _axes(ticks: Sequence[tuple[float, float, str]], across: str, up: str) -> list[str]:
    """Return the rules and words of a square plot; `ticks` are (x, y, words), the same on both axes."""
    parts = []
    for x, y, words in ticks:
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + SIDE}" class="rule"/>')
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + SIDE}" y1="{y:.1f}" y2="{y:.1f}" class="rule"/>')
        parts.append(f'<text x="{x:.1f}" y="{TOP + SIDE + 15}" class="middle quiet">{words}</text>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="end quiet">{words}</text>')
    parts.append(_both(f'x="{LEFT + SIDE / 2}" y="{TOP + SIDE + 36}"', "middle", across))
    parts.append(_both(f'x="12" y="{TOP + SIDE / 2}" transform="rotate(-90 12 {TOP + SIDE / 2})"', "middle", up))
    return parts


def calibration_chart(found: Calibration) -> Raw:
    """Return the reliability diagram: each bin's share of right answers with its interval over its mean probability; the diagonal is honesty."""
    lowest = min(min(each.interval[0], each.confidence) for each in found.bins)
    step = 0.2 if lowest < 0.4 else 0.1 if lowest < 0.8 else 0.05 if lowest < 0.9 else 0.02
    least = 1 - step * max(2, math.ceil((1 - lowest) / step - 1e-9))

    def at(value: float) -> float:
        return SIDE * (value - least) / (1 - least)

    values = [least + step * n for n in range(round((1 - least) / step) + 1)]
    parts = _axes([(LEFT + at(v), TOP + SIDE - at(v), f"{100 * v:.0f}") for v in values], "eval.calibration.across", "eval.calibration.up")
    parts.append(f'<line x1="{LEFT}" y1="{TOP + SIDE}" x2="{LEFT + SIDE}" y2="{TOP}" class="honest"/>')
    for each in found.bins:
        x = LEFT + at(each.confidence)
        low, high = (TOP + SIDE - at(value) for value in each.interval)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" class="span"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{TOP + SIDE - at(each.share):.1f}" r="4" class="best"/>')
    return _svg(parts, LEFT + SIDE + 22, TOP + SIDE + FOOT)


def rates(found: Det) -> list[float]:
    """Return the rates of the axes: from below what one error of all would be, to above 50 %."""
    least = 0.5 / max(found.strangers, found.known)
    low = max((rate for rate in RATES if rate <= least), default=RATES[0])
    return [rate for rate in RATES if low <= rate <= 0.9]


def _line(points: Sequence[Operating], x: Callable[[float], float], y: Callable[[float], float]) -> str:
    """The curve in steps; between two lines that are drawn by the worse corner, for there nothing was counted."""
    places: list[str] = []
    for before, after in zip([*points[:1], *points], points, strict=False):
        places.append(f"{x(before.false_accept):.1f},{y(after.false_reject):.1f}")
        places.append(f"{x(after.false_accept):.1f},{y(after.false_reject):.1f}")
    return " ".join(places)


def det_chart(found: Det) -> Raw:
    """Return false rejects over false accepts on normal-deviate axes, with the upper bounds and the card's line; what is 0 lies on the edge."""
    ticks = rates(found)
    low, high = probit(ticks[0]), probit(ticks[-1])

    def at(rate: float) -> float:
        inside = min(max(rate, ticks[0]), ticks[-1])
        return SIDE * (probit(inside) - low) / (high - low)

    def x(rate: float) -> float:
        return LEFT + at(rate)

    def y(rate: float) -> float:
        return TOP + SIDE - at(rate)

    shown = [tick for n, tick in enumerate(ticks) if len(ticks) <= 10 or (len(ticks) - 1 - n) % 2 == 0]
    parts = _axes([(x(tick), y(tick), f"{100 * tick:g}") for tick in shown], "eval.det.across", "eval.det.up")
    bounds = [f"{x(each.accept_interval[1]):.1f},{y(each.reject_interval[1]):.1f}" for each in found.points]
    parts.append(f'<polyline points="{" ".join(bounds)}" class="fit ahead bound"/>')
    parts.append(f'<polyline points="{_line(found.points, x, y)}" class="fit"/>')
    card = found.card
    parts.append(
        f'<line x1="{x(card.accept_interval[0]):.1f}" x2="{x(card.accept_interval[1]):.1f}" y1="{y(card.false_reject):.1f}" '
        f'y2="{y(card.false_reject):.1f}" class="threshold span"/>'
    )
    parts.append(
        f'<line x1="{x(card.false_accept):.1f}" x2="{x(card.false_accept):.1f}" y1="{y(card.reject_interval[0]):.1f}" '
        f'y2="{y(card.reject_interval[1]):.1f}" class="threshold span"/>'
    )
    parts.append(f'<circle cx="{x(card.false_accept):.1f}" cy="{y(card.false_reject):.1f}" r="5" class="card"/>')
    side, anchor = (8, "start") if at(card.false_accept) < SIDE / 2 else (-8, "end")
    words = {"accepted": f"{card.accepted:,}", "strangers": f"{found.strangers:,}", "rejected": f"{card.rejected:,}", "known": f"{found.known:,}"}
    above = -8 if at(card.false_reject) < SIDE - 20 else 18
    parts.append(
        _both(f'x="{x(card.false_accept) + side:.1f}" y="{y(card.false_reject) + above:.1f}"', f"{anchor} threshold", "eval.det.card", **words)
    )
    return _svg(parts, LEFT + SIDE + 22, TOP + SIDE + FOOT)
