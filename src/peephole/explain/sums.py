"""Sums on the page: worked cells and the softmax, every operand with the digits that its sum needs, the residue stated."""

import html

import numpy as np

from peephole.explain.charts import bar
from peephole.explain.drawing import picture, scale
from peephole.explain.pictures import sheet, symmetric
from peephole.explain.softmax import Softmax
from peephole.explain.ways import way_name
from peephole.explain.words import Raw, attribute, number, text
from peephole.explain.worked import AddCell, Cell, ConcatCell, ConvCell, PoolCell, ReluCell, Vote

__all__ = ["show_cell", "show_softmax"]

MOST_LABELS = 20
PHONE = 4  # columns of numbers that fit a phone
COLOURS = ("red", "green", "blue")


def _grid(values: np.ndarray, places: int, part: str, caption: Raw, *, inside: np.ndarray | None = None, best: np.ndarray | None = None) -> Raw:
    """Return numbers (rows, columns) as a small table; cells in the padding are marked."""
    rows = []
    for row in range(values.shape[0]):
        cells = []
        for column in range(values.shape[1]):
            outside = inside is not None and not inside[row, column]
            kind = ' class="pad"' if outside else (' class="win"' if best is not None and best[row, column] else "")
            shown = "" if np.isnan(values[row, column]) else number(float(values[row, column]), places)
            cells.append(f"<td{kind}>{shown}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    shown = f'<table class="grid" data-part="{part}"><caption>{caption}</caption><tbody>{"".join(rows)}</tbody></table>'
    if values.shape[1] <= PHONE:
        return Raw(shown)
    return Raw(f'<div class="scroll" tabindex="0" role="region" {attribute("aria-label", "cell.grid")}>{shown}</div>')


def _named(part: str, value: float, places: int) -> Raw:
    return Raw(f'<b data-part="{part}">{number(value, places)}</b>')


def _counted(part: str, value: int) -> Raw:
    return Raw(f'<b data-part="{part}">{value}</b>')


def _place(at: tuple[int, int, int]) -> dict[str, object]:
    return {"channel": at[0], "row": at[1], "column": at[2]}


def _conv(cell: ConvCell) -> Raw:
    """A convolution's output pixel: patch times kernel, channel by channel, plus the bias."""
    places, channels = cell.places, len(cell.patch)
    lines = []
    for channel in range(channels):
        name = text(f"colour.{COLOURS[channel]}") if channels == 3 else (text("colour.channel", channel=channel) if channels > 1 else Raw(""))
        products = cell.patch[channel].astype(np.float64) * cell.kernel[channel]
        grids = (
            _grid(cell.patch[channel], places, "patch", text("cell.patch", name=name), inside=cell.inside),
            _grid(cell.kernel[channel], places, "kernel", text("cell.kernel", name=name)),
            _grid(products, places, "product", text("cell.product", name=name), inside=cell.inside),
        )
        lines.append(f'<div class="grids">{grids[0]}<span class="sign">×</span>{grids[1]}<span class="sign">=</span>{grids[2]}</div>')
    padded = text("cell.padding") if not cell.inside.all() else ""
    products_sum = float((cell.patch.astype(np.float64) * cell.kernel).round(places).sum())
    total = text(
        "cell.sum",
        terms=cell.patch.size,
        products=_named("products", products_sum, places),
        bias=_named("bias", cell.bias, places),
        total=_named("total", cell.total, places),
        value=_named("value", cell.value, places),
        residue=_named("residue", cell.residue, places),
    )
    return Raw(f"<p>{text('cell.conv', **_place(cell.at))} {padded}</p>{''.join(lines)}<p>{total}</p>")


def _relu(cell: ReluCell) -> Raw:
    before, value = _named("before", cell.before, cell.places), _named("value", cell.value, cell.places)
    return Raw(f"<p>{text('cell.relu' if cell.op == 'Relu' else 'cell.clip', **_place(cell.at), before=before, value=value)}</p>")


def _pool(cell: PoolCell) -> Raw:
    """A pooled pixel: the winner of its window, or the mean."""
    best = cell.window == np.nanmax(cell.window) if cell.largest else None
    kind = "cell.maxpool" if cell.largest else "cell.avgpool"
    value, residue = _named("value", cell.value, cell.places), _named("residue", cell.residue, cell.places)
    grid = _grid(cell.window, cell.places, "window", text("cell.window"), inside=~np.isnan(cell.window), best=best)
    partial = text("cell.partial") if np.isnan(cell.window).any() else ""
    words = text(kind, **_place(cell.at), value=value, count=cell.counted, residue=residue)
    return Raw(f'<p>{words} {partial}</p><div class="grids">{grid}</div>')


def _map(values: np.ndarray, limit: float, name: str, notes: Raw) -> str:
    """One map as a picture with its layer's name."""
    drawn = sheet(values[None], limit, grown=96)
    shown = picture(drawn, attribute("alt", "cell.map.alt", name=name), "pixels")
    return f"<figure>{shown}<figcaption><b>{html.escape(name)}</b><br>{notes}</figcaption></figure>"


def _add(cell: AddCell) -> Raw:
    """A cell of a sum: a + b = c, and the maps that are added."""
    places, limit = cell.places, symmetric(cell.maps)
    notes = [*(way_name(way) for way in cell.ways), text("cell.add.sum")]
    maps = [_map(values, limit, name, note) for values, name, note in zip(cell.maps, (*cell.names, cell.layer), notes, strict=True)]
    signs = [*['<span class="sign">+</span>'] * (len(cell.names) - 1), '<span class="sign">=</span>']
    shown = "".join(f"{each}{sign}" for each, sign in zip(maps, [*signs, ""], strict=True))
    terms = Raw(" + ".join(_named("term", term, places) if term >= 0 else f"({_named('term', term, places)})" for term in cell.terms))
    value, residue = _named("value", cell.value, places), _named("residue", cell.residue, places)
    words = text("cell.add", **_place(cell.at), terms=terms, value=value, residue=residue)
    return Raw(f'<p>{words}</p><div class="maps">{shown}</div><p class="note">{scale(limit)} {text("cell.add.maps", channel=cell.at[0])}</p>')


def _concat(cell: ConcatCell) -> Raw:
    """A cell of a concatenation: the maps that every branch brings, and the branch from which this one comes."""
    limit, start, maps = max(symmetric(values) for values in cell.maps), 0, []
    for at, (values, name, way, some) in enumerate(zip(cell.maps, cell.names, cell.ways, cell.counts, strict=True)):
        span = text("cell.concat.span", first=_counted("first", start), last=_counted("last", start + some - 1))
        shown = _map(values, limit, name, Raw(f"{way_name(way)}<br>{span}"))
        maps.append(f'<div class="branch{" win" if at == cell.branch else ""}" data-part="branch">{shown}</div>')
        start += some
    facts = {"origin": cell.names[cell.branch], "own": _counted("own", cell.own), "first": _counted("skip", sum(cell.counts[: cell.branch]))}
    value, before = _named("value", cell.value, cell.places), _named("before", cell.before, cell.places)
    words = text("cell.concat", **_place(cell.at) | {"channel": _counted("channel", cell.at[0])}, **facts, value=value, before=before)
    return Raw(f'<p>{words}</p><div class="maps">{"".join(maps)}</div><p class="note">{scale(limit)} {text("cell.concat.maps")}</p>')


def _vote(cell: Vote, labels: tuple[str, ...]) -> Raw:
    """A logit as the sum of what the strongest units say, the rest and the bias."""
    places = cell.places
    heads = "".join(f'<th scope="col">{text(f"vote.{key}")}</th>' for key in ("unit", "activation", "weight", "product"))
    rows = "".join(
        f'<tr data-part="term"><th scope="row">{unit}</th><td class="n">{number(activation, places)}</td><td class="n">{number(weight, places)}</td>'
        f'<td class="n">{number(product, places)}</td></tr>'
        for unit, activation, weight, product in zip(cell.units, cell.activations, cell.weights, cell.products, strict=True)
    )
    ends = [
        ("rest", text("vote.rest", count=cell.others), cell.rest),
        ("bias", text("vote.bias"), cell.bias),
        ("value", text("vote.value"), cell.value),
    ]
    ends = [each for each in ends if each[0] != "rest" or cell.others]
    foot = "".join(
        f'<tr><th scope="row" colspan="3">{words}</th><td class="n" data-part="{part}">{number(value, places)}</td></tr>'
        for part, words, value in ends
    )
    residue = text("vote.residue", residue=_named("residue", cell.residue, places))
    region = attribute("aria-label", "vote.table", label=labels[cell.label])
    return Raw(
        f'<div class="scroll" tabindex="0" role="region" {region}><table><caption>{text("vote.table", label=labels[cell.label])}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody><tfoot>{foot}</tfoot></table></div><p>{residue}</p>"
    )


def show_cell(cell: Cell, labels: tuple[str, ...]) -> Raw:
    """Return one worked cell; `labels` are the names of the logits."""
    if isinstance(cell, Vote):
        shown = _vote(cell, labels)
    elif isinstance(cell, ConvCell):
        shown = _conv(cell)
    elif isinstance(cell, ReluCell):
        shown = _relu(cell)
    elif isinstance(cell, PoolCell):
        shown = _pool(cell)
    else:
        shown = _add(cell) if isinstance(cell, AddCell) else _concat(cell)
    kind = type(cell).__name__.lower()
    return Raw(f'<div class="worked" data-cell="{kind}"><h4>{text("cell.title")}</h4>{shown}</div>')


def show_softmax(softmax: Softmax, labels: tuple[str, ...]) -> Raw:
    """Return the softmax as a table, most probable first; beyond 20 labels the rest is one row."""
    places = softmax.places
    heads = "".join(f'<th scope="col">{text(f"softmax.{key}")}</th>' for key in ("label", "logit", "tempered", "shifted", "power", "share"))
    rows = []
    for term in softmax.terms[:MOST_LABELS]:
        numbers = (term.logit, term.tempered, term.shifted, term.power, term.share)
        cells = "".join(f'<td class="n">{number(value, places)}</td>' for value in numbers)
        name = html.escape(labels[term.label])
        rows.append(f'<tr data-part="term"><th scope="row">{name}</th>{cells}<td class="barcell">{bar(term.share)}</td></tr>')
    rest = softmax.terms[MOST_LABELS:]
    if rest:
        power, share = sum(term.power for term in rest), sum(term.share for term in rest)
        cells = f'<td></td><td></td><td></td><td class="n">{number(power, places)}</td><td class="n">{number(share, places)}</td>'
        rows.append(
            f'<tr data-part="rest"><th scope="row">{text("softmax.rest", count=len(rest))}</th>{cells}<td class="barcell">{bar(share)}</td></tr>'
        )
    foot = (
        f'<tr data-part="sum"><th scope="row">{text("softmax.sum")}</th><td></td><td></td><td></td>'
        f'<td class="n">{number(softmax.sum, places)}</td><td class="n">{number(1.0, places)}</td><td></td></tr>'
    )
    residue = text(
        "softmax.residue",
        powers=_named("power-residue", softmax.power_residue, places),
        shares=_named("share-residue", softmax.share_residue, places),
    )
    return Raw(
        f"<p>{text('softmax.lead', temperature=number(softmax.temperature, 4))}</p>"
        f'<div class="scroll" tabindex="0" role="region" {attribute("aria-label", "softmax.table")}><table class="softmax">'
        f"<caption>{text('softmax.table')}</caption><thead><tr>{heads}<td></td></tr></thead><tbody>{''.join(rows)}</tbody><tfoot>{foot}</tfoot></table></div>"
        f"<p>{residue}</p>"
    )
