"""The report's middle: every layer with its shape, cost, receptive field, feature maps and one cell worked out."""

import html

import numpy as np

from peephole.explain.explanation import Explanation
from peephole.explain.layers import Layer
from peephole.explain.pictures import Sheet, bars, legend, sheet, symmetric
from peephole.explain.sums import show_cell
from peephole.explain.words import Raw, attribute, count, number, share, text

__all__ = ["EXPLAINED", "PLANS", "groups", "kind", "layers_section", "picture", "scale", "shape_text"]

# (most maps of a layer, longest side of a map in pixels): the first plan whose pictures fit into BUDGET bytes is taken.
PLANS = ((64, 64), (64, 40), (32, 40), (24, 32), (16, 28), (8, 28), (4, 24))
BUDGET = 2_000_000

EXPLAINED = {
    **{"Conv": "conv", "Relu": "relu", "Clip": "clip", "MaxPool": "maxpool", "AveragePool": "avgpool", "GlobalAveragePool": "global"},
    **{"Flatten": "flatten", "Reshape": "flatten", "Squeeze": "flatten", "ReduceMean": "global", "Gemm": "dense", "MatMul": "dense", "Add": "add"},
    **{"Sum": "add", "BatchNormalization": "batchnorm", "Concat": "concat", "Pad": "pad", "Cast": "cast", "Transpose": "transpose", "Mul": "scale"},
    **{"Sub": "scale", "Div": "scale", "Identity": "same", "Dropout": "same", "Sigmoid": "sigmoid", "Softmax": "softmax"},
    **{"Sqrt": "sqrt", "ReduceL2": "length"},
}


def _draw(layer: Layer, plan: tuple[int, int]) -> Sheet:
    limit = symmetric(layer.values)
    if len(layer.shape) == 3:
        maps = layer.values
        # A picture before its channels come first, (H, W, C), is shown by channel too.
        if layer.shape[2] <= 4 < min(layer.shape[:2]):
            maps = np.moveaxis(maps, 2, 0)
        return sheet(maps, limit, most=plan[0], side=plan[1]) if max(maps.shape[1:]) > 1 else bars(maps.ravel(), limit)
    return bars(layer.values.ravel(), limit)


def draw(explanation: Explanation) -> tuple[list[Sheet], tuple[int, int]]:
    """Return a picture of every layer and the plan (most maps, longest side) by which all of them fit into the budget."""
    layers = explanation.look.layers
    sheets: list[Sheet] = []
    plan = PLANS[-1]
    for plan in PLANS:
        # Noise-like maps take about a byte for every two pixels: what is plainly too much is not drawn first.
        pixels = sum(min(plan[0], layer.shape[0]) * min(plan[1], *layer.shape[1:]) ** 2 for layer in layers if len(layer.shape) == 3)
        if plan != PLANS[-1] and pixels > 3 * BUDGET:
            continue
        sheets, left = [], BUDGET
        for layer in layers:
            sheets.append(_draw(layer, plan))
            left -= len(sheets[-1].uri)
            if left < 0 and plan != PLANS[-1]:
                break
        else:
            break
    return sheets, plan


def groups(layers: tuple[Layer, ...]) -> list[list[int]]:
    """Return the layers' places, each alone, but the steps of the normalisation together."""
    found: list[list[int]] = []
    for index, layer in enumerate(layers):
        step = layer.name.startswith("normalise") and index > 0 and layers[index - 1].name.startswith("normalise")
        if step:
            found[-1].append(index)
        else:
            found.append([index])
    return found


def _chain(explanation: Explanation, group: list[int]) -> Raw:
    """One pixel on its way through the steps of the normalisation: the brightest, through (H, W, C) and (C, H, W) alike."""
    place = np.unravel_index(int(explanation.prepared.argmax()), explanation.prepared.shape)
    steps = [f"{explanation.prepared[place]}"]
    for index in group:
        layer = explanation.look.layers[index]
        if layer.shape == explanation.prepared.shape:
            value = layer.values[place]
        elif layer.shape == (explanation.prepared.shape[2], *explanation.prepared.shape[:2]):
            value = layer.values[place[2], place[0], place[1]]
        else:
            return Raw("")
        steps.append(f"{html.escape(layer.op)} → {number(float(value), 4)}")
    return text("layers.chain", row=place[0], column=place[1], channel=place[2], steps=Raw(" → ".join(steps)))


def shape_text(shape: tuple[int, ...]) -> str:
    """Write a shape: 32 × 28 × 28."""
    return " × ".join(str(size) for size in shape) or "1"


def _pair(pair: tuple[int, int]) -> str:
    shown = [number(value, 0) for value in pair]
    return shown[0] if pair[0] == pair[1] else f"{shown[0]}/{shown[1]}"


def field_text(layer: Layer) -> Raw:
    """Write a receptive field: size, stride and offset in pixels."""
    if layer.field is None:
        return text("field.unknown")
    size = f"{layer.field.size[0]} × {layer.field.size[1]}"
    if layer.field.whole:
        return text("field.whole", size=size)
    return text("field.some", size=size, stride=_pair(layer.field.stride), offset=_pair(layer.field.offset))


def _count(products: str, value: int) -> Raw:
    """Write a count as its products and their value; just the value when there is nothing to multiply."""
    return Raw(count(value) if products.replace(",", "") == str(value) else f"{products} = <b>{count(value)}</b>")


def _overview(explanation: Explanation) -> Raw:
    """The table twin of all layers."""
    layers = explanation.look.layers
    rows, ends = [], [group[-1] for group in groups(layers) for _ in group]
    for index, layer in zip(ends, layers, strict=True):
        cells = (
            f'<th scope="row"><a href="#layer-{index}">{html.escape(layer.name)}</a></th><td>{html.escape(layer.op)}</td>'
            f'<td class="n">{shape_text(layer.shape)}</td><td class="n">{_count(layer.parameters.text, layer.parameters.value)}</td>'
            f'<td class="n">{_count(layer.macs.text, layer.macs.value)}</td><td class="field">{field_text(layer)}</td>'
        )
        rows.append(f"<tr>{cells}</tr>")
    heads = "".join(f'<th scope="col">{text(f"layers.{key}")}</th>' for key in ("name", "op", "shape", "parameters", "macs", "field"))
    parameters, macs = sum(layer.parameters.value for layer in layers), sum(layer.macs.value for layer in layers)
    totals = f'<td class="n"><b>{count(parameters)}</b></td><td class="n"><b>{count(macs)}</b></td>'
    foot = f'<tr><th scope="row">{text("layers.total")}</th><td></td><td></td>{totals}<td></td></tr>'
    region = attribute("aria-label", "layers.table")
    return Raw(
        f'<div class="scroll" tabindex="0" role="region" {region}><table class="overview"><caption>{text("layers.table")}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody><tfoot>{foot}</tfoot></table></div>"
    )


def picture(drawn: Sheet, alt: Raw, kind: str = "sheet") -> Raw:
    """Return an <img> with its size, so that the page does not jump."""
    return Raw(f'<img class="{kind}" src="{drawn.uri}" width="{drawn.width}" height="{drawn.height}" {alt}>')


def scale(limit: float, places: int = 3) -> Raw:
    """Return the colour scale with its limits."""
    colours = picture(legend(), attribute("alt", "scale.alt"), "legend")
    return Raw(f'<span class="scale"><span>{number(-limit, places)}</span>{colours}<span>{number(limit, places)}</span></span>')


def _maps(layer: Layer, drawn: Sheet) -> Raw:
    """The feature maps of a layer with their scale and what is left out."""
    values, limit = layer.values, symmetric(layer.values)
    missing = int((~np.isfinite(values)).sum())
    total = len(values.ravel()) if drawn.drawn[0] == 72 else (layer.shape[0] if layer.shape[2] > 4 or layer.shape[0] <= 4 else layer.shape[2])
    kind = "units" if drawn.drawn[0] == 72 else "maps"
    facts = {"total": count(total), "shown": count(drawn.shown), "left": count(total - drawn.shown)}
    kept = "some" if total > drawn.shown else ("all" if total > 1 else "one")
    notes = [text(f"maps.{kind}.{kept}", **facts)]
    size = layer.shape[-2:] if kind == "maps" else (0, 0)
    if kind == "maps" and max(drawn.drawn) < max(size):
        notes.append(text("maps.shrunk", size=f"{drawn.drawn[0]} × {drawn.drawn[1]}", true=shape_text(size)))
    if missing:
        notes.append(text("maps.nan", count=count(missing)))
    else:
        zero = share(float((values == 0).mean()))
        notes.append(
            text(
                "maps.range",
                low=number(float(values.min()), 3 if limit < 100 else 1),
                high=number(float(values.max()), 3 if limit < 100 else 1),
                zero=zero,
            )
        )
    alt = attribute("alt", f"maps.{kind}.alt", name=layer.name, **facts, size=shape_text(layer.shape[1:]), limit=number(limit))
    return Raw(f"<figure>{picture(drawn, alt)}<figcaption>{scale(limit, 3 if limit < 100 else 1)} {' '.join(notes)}</figcaption></figure>")


def _kernels(layer: Layer) -> Raw:
    """The kernels of a convolution, one picture per filter, its input channels side by side."""
    if layer.weight is None or layer.weight.ndim != 4 or layer.weight.shape[1] > 4:
        return Raw("")
    limit = symmetric(layer.weight)
    channels = layer.weight.shape[1]
    tiles = np.concatenate([layer.weight[:, channel] for channel in range(channels)], axis=2)
    drawn = sheet(tiles, limit, grown=56 if channels == 1 else 108, gap=8)
    alt = attribute("alt", "kernels.alt", name=layer.name, shown=drawn.shown, limit=number(limit))
    facts = {"total": len(tiles), "shown": drawn.shown, "size": shape_text(layer.weight.shape[2:]), "channels": channels}
    note = text("kernels.one" if channels == 1 else "kernels.many", **facts)
    return Raw(f"<figure>{picture(drawn, alt)}<figcaption>{scale(limit)} {note}</figcaption></figure>")


def kind(layer: Layer) -> str:
    """Return what a layer does, as the end of the keys of its term and its sentence."""
    found = EXPLAINED.get(layer.op, "unknown")
    if layer.name.startswith("normalise") and found != "unknown":
        return "normalise"
    if found == "conv" and layer.weight is not None and layer.group > 1 and layer.weight.shape[1] == 1:
        return "depthwise"
    if found == "add" and len(layer.inputs) < 2:
        return "shift"
    return "divide" if layer.op == "Div" and len(layer.inputs) > 1 else found


def _sentence(layer: Layer) -> Raw:
    """What the operation does, in a sentence."""
    window = layer.window
    facts = {"op": layer.op, "maps": layer.shape[0] if layer.shape else 1, "units": layer.values.size}
    kernel = f"{window.kernel[0]} × {window.kernel[1]}" if window else "?"
    stride = _pair(window.stride) if window else "?"
    return text(f"op.{kind(layer)}", kernel=kernel, stride=stride, inputs=len(layer.inputs), **facts)


def _layer(explanation: Explanation, group: list[int], drawn: Sheet, first: Layer | None, *, opened: bool) -> Raw:
    index = group[-1]
    layer = explanation.look.layers[index]
    before = explanation.look.layers[index - 1].name if index else ""
    chain = _chain(explanation, group) if layer.name.startswith("normalise") else ""
    reads = [html.escape(name) if name else str(text("layers.picture")) for name in layer.inputs]
    facts = [
        ("layers.parameters", _count(layer.parameters.text, layer.parameters.value)),
        ("layers.macs", _count(layer.macs.text, layer.macs.value)),
        ("layers.field", field_text(layer)),
    ]
    if layer.inputs != (before,):
        facts.insert(0, ("layers.reads", Raw(", ".join(reads))))
    listed = "".join(f"<div><dt>{text(key)}</dt><dd>{value}</dd></div>" for key, value in facts)
    cells = "".join(show_cell(cell, explanation.card.labels) for cell in explanation.cells if cell.layer == layer.name)
    kernels = _kernels(layer) if layer is first else ""
    name = "normalise" if len(group) > 1 else layer.name
    state = f'class="layer{"" if opened else " deep"}"{" open" if opened or cells else ""}'
    return Raw(
        f'<details {state} id="layer-{index}"><summary><h3>{html.escape(name)}</h3> '
        f'<span class="term">{text(f"term.{kind(layer)}")}</span> <span class="op">{html.escape(layer.op)}</span> '
        f'<span class="shape">{shape_text(layer.shape)}</span></summary>'
        f'<p>{_sentence(layer)} {chain}</p><dl class="facts">{listed}</dl>{_maps(layer, drawn)}{kernels}{cells}</details>'
    )


def layers_section(explanation: Explanation) -> Raw:
    """Every layer between the picture and the logits."""
    layers = explanation.look.layers
    sheets, plan = draw(explanation)
    first = explanation.look.first("Conv")
    opened = len(layers) <= 24
    shown = "".join(_layer(explanation, group, sheets[group[-1]], first, opened=opened) for group in groups(layers))
    limits = text("layers.limits", most=plan[0], side=plan[1]) if plan != PLANS[0] else ""
    copy = text("layers.copy", difference="0" if explanation.look.difference == 0 else f"{explanation.look.difference:.1e}".replace("-", "−"))
    table = _overview(explanation)
    if not opened:
        table = Raw(f'<details class="long"><summary>{text("layers.table")}</summary>{table}</details>')
    return Raw(f"<p>{text('layers.lead', count=len(layers))} {limits}</p><p>{copy}</p>{table}{shown}")
