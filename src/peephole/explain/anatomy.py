"""The report's middle: every layer with its shape, cost, receptive field, feature maps and one cell worked out."""

import html

import numpy as np

from peephole.explain.drawing import picture, scale, shape_text
from peephole.explain.explanation import Explanation
from peephole.explain.joints import along, joints
from peephole.explain.layers import Layer
from peephole.explain.pictures import FEW, Sheet, bars, blocks, symmetric
from peephole.explain.sums import show_cell
from peephole.explain.ways import way_name, ways_figure
from peephole.explain.words import Raw, attribute, count, number, share, text

__all__ = ["EXPLAINED", "PLANS", "groups", "kind", "layers_section"]

# (most maps of a layer, longest side of a map in pixels): the first plan whose pictures fit into BUDGET bytes is taken.
PLANS = ((64, 64), (64, 40), (32, 40), (24, 32), (16, 28), (8, 28), (4, 24))
BUDGET = 2_000_000
FEW_CHANNELS, DEEP_FILTERS = 4, 16  # channels of a kernel that are drawn; filters, where there are more channels than that

EXPLAINED = {
    **{"Conv": "conv", "Relu": "relu", "Clip": "clip", "MaxPool": "maxpool", "AveragePool": "avgpool", "GlobalAveragePool": "global"},
    **{"Flatten": "flatten", "Reshape": "flatten", "Squeeze": "flatten", "ReduceMean": "global", "Gemm": "dense", "MatMul": "dense", "Add": "add"},
    **{"Sum": "add", "BatchNormalization": "batchnorm", "Concat": "concat", "Pad": "pad", "Cast": "cast", "Transpose": "transpose", "Mul": "scale"},
    **{"Sub": "scale", "Div": "scale", "Identity": "same", "Dropout": "same", "Sigmoid": "sigmoid", "Softmax": "softmax"},
    **{"Sqrt": "sqrt", "ReduceL2": "length"},
}


def _draw(layer: Layer, plan: tuple[int, int]) -> tuple[Sheet, ...]:
    limit = symmetric(layer.values)
    if len(layer.shape) == 3:
        maps = layer.values
        # A picture before its channels come first, (H, W, C), is shown by channel too.
        if layer.shape[2] <= 4 < min(layer.shape[:2]):
            maps = np.moveaxis(maps, 2, 0)
        return blocks(maps, limit, most=plan[0], side=plan[1]) if max(maps.shape[1:]) > 1 else (bars(maps.ravel(), limit),)
    return (bars(layer.values.ravel(), limit),)


def draw(explanation: Explanation) -> tuple[list[tuple[Sheet, ...]], tuple[int, int]]:
    """Return the pictures of every layer and the plan (most maps, longest side) by which all of them fit into the budget."""
    layers = explanation.look.layers
    sheets: list[tuple[Sheet, ...]] = []
    plan = PLANS[-1]
    for plan in PLANS:
        # Noise-like maps take about a byte for every two pixels: what is plainly too much is not drawn first.
        pixels = sum(min(plan[0], layer.shape[0]) * min(plan[1], *layer.shape[1:]) ** 2 for layer in layers if len(layer.shape) == 3)
        if plan != PLANS[-1] and pixels > 3 * BUDGET:
            continue
        sheets, left = [], BUDGET
        for layer in layers:
            sheets.append(_draw(layer, plan))
            left -= sum(len(drawn.uri) for drawn in sheets[-1])
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


def _sheets(drawn: tuple[Sheet, ...], total: int, key: str, kind: str = "sheet", **values: object) -> Raw:
    """Return the pictures of a layer side by side, each with words that say which of its `total` maps or units it shows."""
    ends = np.cumsum([each.shown for each in drawn])
    shown = (
        picture(each, attribute("alt", key, first=count(end - each.shown), last=count(end - 1), total=count(total), **values), kind)
        for each, end in zip(drawn, ends.tolist(), strict=True)
    )
    return Raw(f'<div class="sheets">{"".join(shown)}</div>')


def _second(drawn: tuple[Sheet, ...]) -> str:
    """Say with which picture the second block begins, where there are two blocks."""
    return text("maps.second", first=drawn[0].shown) if len(drawn) == 2 and sum(each.shown for each in drawn) > FEW else ""


def _maps(layer: Layer, drawn: tuple[Sheet, ...]) -> Raw:
    """The feature maps of a layer with their scale and what is left out."""
    values, limit = layer.values, symmetric(layer.values)
    missing, places = int((~np.isfinite(values)).sum()), 3 if limit < 100 else 1
    units, shown = drawn[0].drawn[0] == 72, sum(each.shown for each in drawn)
    total = values.size if units else layer.shape[2] if layer.shape[2] <= 4 < min(layer.shape[:2]) else layer.shape[0]
    kind = "units" if units else "maps"
    kept = "some" if total > shown else ("all" if total > 1 else "one")
    notes = [text(f"maps.{kind}.{kept}", total=count(total), shown=count(shown), left=count(total - shown)), _second(drawn)]
    size = (0, 0) if units else layer.shape[-2:]
    if not units and max(drawn[0].drawn) < max(size):
        notes.append(text("maps.shrunk", size=shape_text(drawn[0].drawn), true=shape_text(size)))
    if missing:
        notes.append(text("maps.nan", count=count(missing)))
    else:
        low, high = number(float(values.min()), places), number(float(values.max()), places)
        notes.append(text("maps.range", low=low, high=high, zero=share(float((values == 0).mean()))))
    facts = {"name": layer.name, "size": shape_text(layer.shape[1:]), "limit": number(limit)}
    pictures = _sheets(drawn, total, f"maps.{kind}.alt", "sheet bars" if units else "sheet", **facts)
    return Raw(f"<figure>{pictures}<figcaption>{scale(limit, places)} {' '.join(note for note in notes if note)}</figcaption></figure>")


def _kernels(layer: Layer) -> Raw:
    """The kernels of a convolution, one picture per filter: all of its input channels side by side, or those of the largest weights."""
    if layer.weight is None or layer.weight.ndim != 4 or max(layer.weight.shape[2:]) == 1:
        return Raw("")
    weight, total = layer.weight, layer.weight.shape[1]
    if total > FEW_CHANNELS:
        weight = weight[:DEEP_FILTERS]
        order = np.argsort(-np.abs(weight).sum(axis=(2, 3)), axis=1, kind="stable")[:, :FEW_CHANNELS]
        weight = np.take_along_axis(weight, order[..., None, None], axis=1)
    limit, channels = symmetric(layer.weight), weight.shape[1]
    # A column of zeros keeps kernels apart that do not belong to one picture.
    parts = [np.pad(weight[:, channel], ((0, 0), (0, 0), (0, int(total > FEW_CHANNELS and channel < channels - 1)))) for channel in range(channels)]
    drawn = blocks(np.concatenate(parts, axis=2), limit, grown=48 if channels == 1 else 90, gap=8)
    shown = _sheets(drawn, len(layer.weight), "kernels.alt", name=layer.name, limit=number(limit))
    facts = {"total": len(layer.weight), "shown": sum(each.shown for each in drawn), "size": shape_text(layer.weight.shape[2:]), "channels": channels}
    kept = "one" if total == 1 else "deep" if total > FEW_CHANNELS else "many"
    note = text(f"kernels.{kept}", **facts, **({"all": total} if kept == "deep" else {}))
    return Raw(f"<figure>{shown}<figcaption>{scale(limit)} {note} {_second(drawn)}</figcaption></figure>")


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


def _layer(explanation: Explanation, group: list[int], drawn: tuple[Sheet, ...], first: Layer | None, *, opened: bool) -> Raw:
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
    few = layer is first and layer.weight is not None and layer.weight.shape[1] <= FEW_CHANNELS
    kernels = _kernels(layer) if few or explanation.inside is not None else ""
    name = "normalise" if len(group) > 1 else layer.name
    state = f'class="layer{"" if opened else " deep"}"{" open" if opened or cells else ""}'
    return Raw(
        f'<details {state} id="layer-{index}"><summary><h3>{html.escape(name)}</h3> '
        f'<span class="term">{text(f"term.{kind(layer)}")}</span> <span class="op">{html.escape(layer.op)}</span> '
        f'<span class="shape">{shape_text(layer.shape)}</span></summary>'
        f'<p>{_sentence(layer)} {chain}</p><dl class="facts">{listed}</dl>{_maps(layer, drawn)}{kernels}{cells}</details>'
    )


def _in_ways(layers: tuple[Layer, ...], shown: dict[int, Raw]) -> Raw:
    """Put the layers of every way together under its name, behind a picture of all ways of its joint; `shown` are the layers by place."""
    heads: dict[int, str] = {}
    ends: set[int] = set()
    for joint in joints(layers):
        heads[joint.inside[0]] = str(ways_figure(layers, joint))
        for number_, way in enumerate(joint.ways, 1):
            if way:
                words = text("way.title", number=number_, count=len(joint.ways), name=way_name(along(way, layers)))
                heads[way[0]] = f'{heads.get(way[0], "")}<div class="way"><p class="note">{words}</p>'
                ends.add(way[-1])
    return Raw("".join(f"{heads.get(place, '')}{layer}{'</div>' if place in ends else ''}" for place, layer in shown.items()))


def layers_section(explanation: Explanation) -> Raw:
    """Every layer between the picture and the logits."""
    layers = explanation.look.layers
    sheets, plan = draw(explanation)
    first = explanation.look.first("Conv")
    opened = len(layers) <= 24
    shown = {group[-1]: _layer(explanation, group, sheets[group[-1]], first, opened=opened) for group in groups(layers)}
    limits = text("layers.limits", most=plan[0], side=plan[1]) if plan != PLANS[0] else ""
    copy = text("layers.copy", difference="0" if explanation.look.difference == 0 else f"{explanation.look.difference:.1e}".replace("-", "−"))
    table = _overview(explanation)
    if not opened:
        table = Raw(f'<details class="long"><summary>{text("layers.table")}</summary>{table}</details>')
    return Raw(f"<p>{text('layers.lead', count=len(layers))} {limits}</p><p>{copy}</p>{table}{_in_ways(layers, shown)}")
