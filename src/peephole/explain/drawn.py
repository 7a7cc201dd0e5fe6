"""Static figures by matplotlib that are the same bytes every time: PNG and SVG without dates, letters of any script, names never read as formulas.

Needs the `explore` extra. Figures are made without pyplot, so nothing is global and threads do not meet.
"""

import io
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from peephole.base.errors import OutputError
from peephole.base.files import write_atomic

__all__ = ["ENDINGS", "GRID", "INK", "QUIET", "figure", "fonts", "save", "style"]

ENDINGS = (".png", ".svg")
DOTS = 150  # an inch
INK, QUIET, GRID = "#16191d", "#525b66", "#d5dae0"
# Each draws Korean; the first that is there is used for what the default font has not.
KOREAN = ("Noto Sans CJK KR", "Noto Sans CJK JP", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")
DEFAULT = "DejaVu Sans"  # comes with matplotlib


def fonts() -> list[str]:
    """Return the fonts to draw with: matplotlib's own, then one that has Korean where there is one; letters in neither are drawn as boxes."""
    there = {each.name for each in font_manager.fontManager.ttflist}
    return [DEFAULT, *[name for name in KOREAN if name in there][:1]]


def style() -> AbstractContextManager[None]:
    """Return the settings that every figure is made and written under; whatever the user's own matplotlibrc says does not count."""
    own: Any = {
        "font.family": fonts(),
        "font.size": 9,
        "text.color": INK,
        "text.parse_math": False,  # a label such as $x_1$ is a name
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "legend.frameon": False,
        "svg.hashsalt": "peephole",  # else every id is drawn by lot
        "svg.fonttype": "path",  # reads the same where the font is not there
    }
    return mpl.rc_context(dict(mpl.rcParamsDefault) | own)


def figure(wide: float, tall: float) -> Figure:
    """Return an empty figure of so many inches; make and fill it inside `style()`."""
    return Figure(figsize=(wide, tall), layout="constrained")


def _bytes(drawn: Figure, ending: str) -> bytes:
    held = io.BytesIO()
    if ending == ".svg":
        FigureCanvasSVG(drawn).print_svg(held, metadata={"Date": None, "Creator": "Peephole"})  # type: ignore[no-untyped-call]  # matplotlib's own gap
    else:
        FigureCanvasAgg(drawn).print_png(held, metadata={"Software": None}, pil_kwargs={"compress_level": 6})  # type: ignore[no-untyped-call]  # as above
    return held.getvalue()


def save(drawn: Figure, *paths: Path) -> tuple[Path, ...]:
    """Write a figure to each path, .png or .svg, whole or not at all; raises OutputError for another ending or what cannot be written."""
    for path in paths:
        if path.suffix.lower() not in ENDINGS:
            raise OutputError(f"{path} is no name for a figure, which ends in {' or '.join(ENDINGS)}", f"-o {path.with_suffix('.png')}")
    with style(), warnings.catch_warnings():
        # A letter that no font has is drawn as a box; that is all that can be done, and no reason to fail.
        warnings.filterwarnings("ignore", message=r".*(Glyph \d+|[Ff]ont|glyph).*")
        drawn.set_dpi(DOTS)
        written = [(path, _bytes(drawn, path.suffix.lower())) for path in paths]
    return tuple(write_atomic(path, data) for path, data in written)
