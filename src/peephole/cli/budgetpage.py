"""What more photos would buy, on one page in English and Korean or as one picture: the curve, the labels, the frames to name next."""

import html
from pathlib import Path
from typing import TYPE_CHECKING

from peephole.base.evidence import percent
from peephole.base.files import write_atomic
from peephole.explain.charts import Curve, curve_chart
from peephole.explain.phrases import quoted
from peephole.explain.webpage import photo, webpage
from peephole.explain.words import Raw, count, number, page_file, share, table, text

if TYPE_CHECKING:  # both need PyTorch, which a page does not
    from peephole.export.budget import Budget, Helpful
    from peephole.train.curve import Forecast, Range

__all__ = ["picture", "render", "write"]

SIDE = 144  # pixels of a frame
LABELS = 50
TORN = 0.3  # a lead below which the network is said to be torn


def _places(*values: float) -> int:
    return int(min(values) < 0.1)


def _range(found: "Range") -> Raw:
    places = _places(found.middle, found.low)
    return text("budget.range", **{name: number(100 * getattr(found, name), places) for name in ("middle", "low", "high")})


def _signed(value: float) -> str:
    shown = number(100 * value, 1)
    return shown if shown.startswith("−") else f"+{shown}"


def _gain(found: "Forecast") -> Raw:
    gain = found.gain
    return text("budget.gain", middle=_signed(gain.middle), low=_signed(gain.low), high=_signed(gain.high))


def _says(found: "Budget") -> str:
    """Say what more photos would buy, and for whom."""
    if found.forecast is None:
        return f'<p class="answer">{text("budget.cannot", more=found.more)}</p><p>{quoted("why", found.why)}</p>'
    now, then, gain = found.forecast.now, found.forecast.then, found.forecast.gain
    said = [f'<p class="answer">{text("budget.says", now=_range(now), then=_range(then), more=found.more)}</p><p>{text("budget.interval")}</p>']
    best = next((label for label in found.labels if label.forecast), None)
    if gain.middle < 0.002:
        said.append(f"<p>{text('budget.little')}</p>")
    elif best and best.forecast:
        said.append(f"<p>{text('budget.whom', label=best.label, gain=_gain(best.forecast))} {text('budget.likely') if gain.low <= 0 else ''}</p>")
    return "".join(said)


def _drawn(found: "Budget") -> Curve:
    """The curve as it is drawn."""
    line = tuple((at.photos, at.error.low, at.error.middle, at.error.high) for at in found.line)
    return Curve(tuple((point.photos, point.error) for point in found.curve), line, found.photos, found.photos + found.more)


def _curve(found: "Budget") -> str:
    """The picture and its table twin."""
    rows: list[list[str | Raw]] = [
        [f"{point.photos:.3g}", f"{number(100 * point.error, _places(point.error))}\u00a0%", count(point.asked)] for point in found.curve
    ]
    if found.forecast:
        rows.append([text("budget.row.now", photos=f"{found.photos:.3g}"), _range(found.forecast.now), text("budget.told")])
        rows.append([text("budget.row.then", photos=f"{found.photos + found.more:.3g}"), _range(found.forecast.then), text("budget.told")])
    twin = table("budget.curve.table", ["budget.photos", "budget.wrong", "budget.asked"], rows)
    words = text("budget.curve.note" if found.line else "budget.curve.points")
    return f"<figure>{curve_chart(_drawn(found))}<figcaption>{words}</figcaption></figure>{twin}"


def _labels(found: "Budget") -> str:
    rows: list[list[str | Raw]] = [
        [html.escape(label.label), count(label.photos), _range(label.forecast.now), _range(label.forecast.then), _gain(label.forecast)]
        for label in found.labels[:LABELS]
        if label.forecast
    ]
    left = f"<p>{text('budget.left', count=len(found.labels) - LABELS)}</p>" if len(found.labels) > LABELS else ""
    heads = ["budget.label", "budget.have", "budget.wrong.now", "budget.wrong.then", "budget.gained"]
    return f"<p>{text('budget.labels', more=found.more)}</p>{table('budget.labels.table', heads, rows)}{left}"


def _frame(folder: Path, frame: "Helpful", rank: int) -> str:
    """One frame and why it would help."""
    torn = "torn" if frame.share - frame.next_share < TORN else "leans"
    facts = {"label": frame.label, "next": frame.next_label, "share": share(frame.share), "next_share": share(frame.next_share)}
    why = f"{text(f'budget.frame.{torn}', **facts)} {text('budget.frame.distance', distance=number(frame.distance, 2))}"
    name = f"<span>{rank}. <code>{html.escape(frame.id)}</code></span>"
    return f'<li>{photo(folder / frame.id, SIDE, frame.id, "frame")}{name}<span class="note">{why}</span></li>'


def _frames(found: "Budget", folder: Path) -> str:
    """The frames to name next, with the reason."""
    if not found.frames:
        return f"<p>{text('budget.frames.none', looked=count(found.looked_at))}</p>"
    shown = "".join(_frame(folder, frame, rank) for rank, frame in enumerate(found.frames, 1))
    lead = text("budget.frames", count=len(found.frames), looked=count(found.looked_at))
    return f'<p>{lead}</p><ul class="frames">{shown}</ul>'


def _strangers(found: "Budget") -> str:
    have = found.strangers
    left = have.needed - have.strangers
    proves = text("budget.proves", strangers=count(have.strangers), bound=percent(have.bound)) if have.strangers else text("budget.proves.nothing")
    more = text("budget.more", left=count(left), rate=percent(have.rate)) if left > 0 else text("budget.enough", rate=percent(have.rate))
    return f"<p>{proves} {more}</p>"


def render(found: "Budget", unlabelled: Path | None) -> str:
    """Return the page as HTML; every name is escaped, and nothing is asked of anywhere."""
    parts = {"buys": _says(found), "curve": _curve(found)}
    if found.forecast:
        parts["gains"] = _labels(found)
    if unlabelled is not None:
        parts["frames"] = _frames(found, unlabelled)
    parts["strangers"] = _strangers(found)
    notes = "".join(f"<li>{quoted('looked', note)}</li>" for note in found.notes)
    parts["how"] = f"<p>{text('budget.how')}</p><p>{quoted('recipe', found.recipe)}</p>" + (f"<ul>{notes}</ul>" if notes else "")
    return webpage("budget", parts, name=Path(found.root).resolve().name)


def picture(found: "Budget") -> str:
    """Return the curve alone as SVG, with the page's own colours; its words follow the language of who looks at it."""
    style = page_file("report.css")
    colours = style[style.index(":root") : style.index("* {")]
    rules = "\n".join(line for line in style.splitlines() if line.startswith(".chart "))
    chart = str(curve_chart(_drawn(found), alone=True))
    head = chart.replace('<svg class="chart"', '<svg xmlns="http://www.w3.org/2000/svg" class="chart"', 1)
    return head.replace(">", f"><style>{colours}{rules} svg {{ background: var(--paper); font: 12px var(--text); }}</style>", 1) + "\n"


def write(found: "Budget", unlabelled: Path | None, path: Path) -> None:
    """Write the page, or the curve alone where the name ends in .svg; raises OutputError."""
    write_atomic(path, picture(found) if path.suffix.lower() == ".svg" else render(found, unlabelled))
