"""The ball's two drops as one SVG file: f, g, and f * g with one place split into its ways; English or Korean, light or dark, no library."""

import html
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from peephole.base.errors import InputError, did_you_mean
from peephole.base.files import write_atomic
from peephole.lab.ball import Chances, Drop, Landing
from peephole.lab.density import DensityDrop, Spot

__all__ = ["LANGUAGES", "figure", "require_svg", "write"]

WIDTH, PANEL, HEAD, FOOT, LEFT = 640, 110, 26, 24, 52
MOST_BARS = 200
# Neighbouring ways differ in light, so that they can be told apart without colour too.
SHADES = ("a", "b")
STYLE = (
    "svg{--ink:#16191d;--quiet:#525b66;--rule:#d5dae0;--paper:#fff;--bar:#8fa3b8;--one:#1f5fa8;--two:#84b9f2;background:var(--paper);"
    'font:13px system-ui,"Noto Sans KR","Apple SD Gothic Neo","Malgun Gothic",sans-serif}'
    "@media(prefers-color-scheme:dark){svg{--ink:#e9ecef;--quiet:#a7b0ba;--rule:#363d45;--paper:#14171a;--bar:#5b6c7d;--one:#84b9f2;--two:#1f5fa8}}"
    "text{fill:var(--ink)}.q{fill:var(--quiet);font-size:11px}.m{text-anchor:middle}.e{text-anchor:end}line{stroke:var(--rule)}"
    ".bar{fill:var(--bar)}.a{fill:var(--one)}.b{fill:var(--two)}.line{fill:none;stroke:var(--one);stroke-width:2}"
    ".at{stroke:var(--ink);stroke-dasharray:3 3}"
)
WORDS = {
    "en": {
        "title": "A ball dropped twice",
        "first": "first drop: f(a)",
        "second": "second drop: g(b)",
        "total": "both together: (f * g)(c), with the {ways} ways to c = {c} stacked",
        "curve": "both together: (f * g)(c)",
        "back": "where it came from, if it lies at c = {c}: p(a | c)",
        "about": "After both drops the ball lies at {c} with the chance {chance}, the sum over {ways} ways: {list}.",
        "smooth": "After both drops the ball lies near {c} with the density {chance}, off by at most about {error}.",
        "more": "and {count} more",
    },
    "ko": {
        "title": "두 번 떨어뜨린 공",
        "first": "첫 번째: f(a)",
        "second": "두 번째: g(b)",
        "total": "둘을 합치면: (f * g)(c), c = {c}에 이르는 {ways}가지 길을 쌓아서",
        "curve": "둘을 합치면: (f * g)(c)",
        "back": "c = {c}에 있다면 어디에서 왔을까: p(a | c)",
        "about": "두 번 떨어뜨린 공이 {c}에 있을 확률은 {chance}, {ways}가지 길의 합입니다: {list}.",
        "smooth": "두 번 떨어뜨린 공은 {c} 근처에 밀도 {chance}로 있습니다. 오차는 많아야 {error} 정도입니다.",
        "more": "외 {count}가지",
    },
}
LANGUAGES = tuple(WORDS)


def require_svg(path: Path | str, language: str) -> None:
    """Raise InputError for another ending than .svg or a language that is not spoken here."""
    if Path(path).suffix.lower() != ".svg":
        raise InputError(f"{path} does not end in .svg", f"-o {Path(path).with_suffix('.svg')}")
    if language not in LANGUAGES:
        raise InputError(f"'{language}' is not spoken here{did_you_mean(language, LANGUAGES)}", f"--language {' or '.join(LANGUAGES)}")


def write(found: Drop | DensityDrop, one: Landing | Spot, path: Path | str, language: str = "en") -> Path:
    """Write the figure of a drop, with the place `one` split or traced back; raises InputError, OutputError."""
    require_svg(path, language)
    return write_atomic(path, figure(found, one, language))


def figure(found: Drop | DensityDrop, one: Landing | Spot, language: str = "en") -> str:
    """Return the figure as SVG: three panels for chances, four for densities; a screen reader reads its title and description."""
    words = WORDS[language]
    if isinstance(found, Drop):
        assert isinstance(one, Landing)
        panels, about = _bars(found, one, words)
    else:
        assert isinstance(one, Spot)
        panels, about = _curves(found, one, words)
    height = len(panels) * (PANEL + HEAD + FOOT) + 8
    moved = [f'<g transform="translate(0 {at * (PANEL + HEAD + FOOT)})">{panel}</g>' for at, panel in enumerate(panels)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d" lang="{language}">'
        f'<title id="t">{html.escape(words["title"])}</title><desc id="d">{html.escape(about)}</desc><style>{STYLE}</style>{"".join(moved)}</svg>\n'
    )


def _frame(title: str, body: str, low: float, high: float, most: float, *, ends: bool = True) -> str:
    """Return a panel: its title, what stands in it, the top of its scale and, with `ends`, where it begins and ends."""
    floor = HEAD + PANEL
    across = f'<text x="{LEFT}" y="{floor + 15}" class="q">{low:.4g}</text><text x="{WIDTH - 8}" y="{floor + 15}" class="q e">{high:.4g}</text>'
    return (
        f'<text x="{LEFT}" y="{HEAD - 9}">{html.escape(title)}</text><text x="{LEFT - 6}" y="{HEAD + 10}" class="q e">{most:.4g}</text>'
        f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{floor}" y2="{floor}"/>{body}{across if ends else ""}'
    )


def _bars(found: Drop, one: Landing, words: dict[str, str]) -> tuple[list[str], str]:
    total = _panel(found.total, words["total"].format(ways=len(one.ways), c=one.c), one)
    listed = [f"{way.a} + {way.b}: {way.product}" for way in one.ways[:12]]
    if len(one.ways) > 12:
        listed.append(words["more"].format(count=len(one.ways) - 12))
    about = words["about"].format(c=one.c, chance=one.chance, ways=len(one.ways), list="; ".join(listed))
    return [_panel(found.first, words["first"]), _panel(found.second, words["second"]), total], about


def _panel(chances: Chances, title: str, one: Landing | None = None) -> str:
    """Return bars at their places; the bar of `one` is stacked from its ways."""
    places = [float(place) for place in chances.places]
    values = [float(value) for value in chances.values]
    if len(places) > MOST_BARS:  # a curve of bars thinner than a pixel
        return _frame(title, _path(places, values, max(values)), places[0], places[-1], max(values))
    low, high = places[0], places[-1]
    nearest = min((b - a for a, b in pairwise(places)), default=1.0)
    room = WIDTH - 8 - LEFT
    scale = room / (high - low + nearest)
    wide = max(1.5, 0.8 * nearest * scale)
    most = max(values) or 1.0
    parts = []
    for place, value in zip(places, values, strict=True):
        middle = LEFT + (place - low + nearest / 2) * scale
        heights = [float(way.product) for way in one.ways] if one is not None and float(one.c) == place else []
        parts += _stack(middle - wide / 2, wide, heights or [value], most, plain=not heights)
        if len(places) <= 24:
            parts.append(f'<text x="{middle:.1f}" y="{HEAD + PANEL + 15}" class="q m">{place:.4g}</text>')
    return _frame(title, "".join(parts), low, high, most, ends=len(places) > 24)


def _stack(left: float, wide: float, heights: Sequence[float], most: float, *, plain: bool) -> list[str]:
    parts, floor = [], float(HEAD + PANEL)
    for number, height in enumerate(heights):
        tall = PANEL * height / most
        kind = "bar" if plain else SHADES[number % 2]
        parts.append(f'<rect x="{left:.1f}" y="{floor - tall:.2f}" width="{wide:.1f}" height="{tall:.2f}" class="{kind}"/>')
        floor -= tall
    return parts


def _curves(found: DensityDrop, one: Spot, words: dict[str, str]) -> tuple[list[str], str]:
    panels = []
    for density, key in ((found.first, "first"), (found.second, "second")):
        places = np.union1d(np.linspace(density.knots[0], density.knots[-1], 301), density.knots)
        values = density(places)
        seen = np.flatnonzero(values > 1e-4 * values.max())
        places = places[max(seen[0] - 1, 0) : seen[-1] + 2]
        panels.append(_drawn(f"{words[key]} = {density.name}", places, density(places)))
    panels.append(_drawn(words["curve"], found.places, found.values, at=one.c))
    panels.append(_drawn(words["back"].format(c=f"{one.c:.4g}"), one.places, one.came_from))
    return panels, words["smooth"].format(c=f"{one.c:.6g}", chance=f"{one.density:.6g}", error=f"{one.error:.0e}")


def _drawn(title: str, places: np.ndarray, values: np.ndarray, at: float | None = None) -> str:
    most = float(values.max()) or 1.0
    low, high = float(places[0]), float(places[-1])
    body = _path(places.tolist(), values.tolist(), most)
    if at is not None and high > low:
        x = LEFT + (WIDTH - 8 - LEFT) * (at - low) / (high - low)
        body += f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD}" y2="{HEAD + PANEL}" class="at"/>'
    return _frame(title, body, low, high, most)


def _path(places: Sequence[float], values: Sequence[float], most: float) -> str:
    """Return a curve that falls to zero at both ends, so that a jump is seen as one."""
    low, wide = places[0], (places[-1] - places[0]) or 1.0
    xs = [LEFT + (WIDTH - 8 - LEFT) * (place - low) / wide for place in places]
    ys = [HEAD + PANEL * (1 - value / most) for value in values]
    points = [(xs[0], float(HEAD + PANEL)), *zip(xs, ys, strict=True), (xs[-1], float(HEAD + PANEL))]
    return f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
