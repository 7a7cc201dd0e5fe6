"""The report's parts on what goes on inside: maps beside their control, rebuilt pictures, exciting patches, dropout passes.

No figure stands without its scale, and every one says what it means and what it does not.
"""

import html
import math

import numpy as np
from PIL import Image

from peephole.explain.attribution import HeatMap
from peephole.explain.charts import Spread, spread_chart
from peephole.explain.drawing import picture, scale, shape_text
from peephole.explain.dropout import DropoutPasses
from peephole.explain.exciting import Excited, Search
from peephole.explain.explanation import Explanation
from peephole.explain.inside import Compared, Inside, drawn
from peephole.explain.pictures import Sheet, blend, encode, heat, sheet, symmetric
from peephole.explain.rebuilt import LIMIT, Rebuilt
from peephole.explain.words import Raw, attribute, count, number, share, table, text

__all__ = ["inside_sections"]

TILE = 168  # pixels that a small picture has at most; the page draws all of them as large
PATCH, FEW = 72, 32  # pixels of a patch on the page; up to so many it is kept pixel by pixel
KEYS = {"grad-cam": "gradcam", "integrated gradients": "integrated", "gradient x input": "input", "cam": "cam"}
SHOWN = (24, 160)  # dropout passes and hidden units that are drawn
MOST_LABELS = 6


def _places(limit: float) -> int:
    """Return the decimals that numbers up to `limit` need to be told apart."""
    return 3 if limit >= 0.5 or limit == 0 else min(8, 3 - math.floor(math.log10(limit)))


def _percent(value: float) -> str:
    """Write a share that somebody chose, without decimals it has not: 70 %."""
    return f"{100 * value:g}\u00a0%"


def _billions(value: int) -> str:
    return f"{number(value / 1e9, 0)}\u00a0×\u00a010⁹"


def _squares(found: HeatMap) -> Raw | str:
    """Say over which squares of pixels the values were summed to be drawn, if they were."""
    step = -(-found.values.shape[0] // drawn(found).shape[0])
    return text("heat.squares", size=f"{step} × {step}") if step > 1 else ""


def _tile(drawn: Sheet, alt: Raw, words: str, kind: str = "heat") -> str:
    return f"<li>{picture(drawn, alt, f'{kind} pixels')}<span>{words}</span></li>"


def _similar(value: float, key: str = "heat.similar") -> Raw:
    return text(key, value=number(value, 2)) if math.isfinite(value) else text("heat.alike")


def _heading(found: HeatMap, label: str, limit: float) -> str:
    """The method's name and what it does, with the sum that should close."""
    key, places = KEYS[found.method], _places(limit)
    facts: dict[str, object] = {"label": label, "layer": found.layer, "rows": found.values.shape[0], "columns": found.values.shape[1]}
    facts |= {"steps": found.steps, "logit": number(found.logit, 3)}
    if found.baseline:
        facts["baseline"] = text(f"baseline.{found.baseline}")
    if found.closing:
        facts |= {name: number(getattr(found.closing, name), max(4, places)) for name in ("total", "wanted", "residue")}
    return f"<h3>{text(f'heat.{key}.title', **facts)}</h3><p>{text(f'heat.{key}.means', **facts)}</p>"


def _tiles(explanation: Explanation, found: HeatMap, limit: float, **facts: object) -> list[str]:
    """A map over the grey picture and alone, no larger than the picture has pixels, so that the page stays small."""
    prepared = explanation.prepared
    longest = min(TILE, max(prepared.shape[:2]))
    method = KEYS[found.method]
    return [
        _tile(blend(prepared, drawn(found), limit, longest=longest), attribute("alt", "heat.over.alt", **facts), text("heat.over")),
        _tile(heat(prepared, drawn(found), limit, longest=longest), attribute("alt", f"heat.{method}.alt", **facts), text("heat.trained")),
    ]


def _compared(explanation: Explanation, found: Compared) -> str:
    """One method's map, the trained one over the picture and alone, then the same with ever more layers drawn anew, all on one scale."""
    trained, limit, label = found.trained, found.limit, explanation.card.labels[found.trained.label]
    places = _places(limit)
    most = number(float(drawn(trained).max(initial=0)), places)
    tiles = _tiles(explanation, trained, limit, label=label, most=most)
    rows: list[list[str | Raw]] = [[text("heat.trained"), "", "", most, number(trained.logit, 3)]]
    for stage in found.redrawn:
        depth = {"layers": stage.layers, "total": stage.total, "upto": stage.upto}
        words = f"{text('heat.redrawn', **depth)} {_similar(stage.similarity)}"
        shown = heat(explanation.prepared, drawn(stage.map), limit, longest=min(TILE, max(explanation.prepared.shape[:2])))
        tiles.append(_tile(shown, attribute("alt", "heat.redrawn.alt", **depth), words))
        numbers = [number(value, 2) if math.isfinite(value) else text("heat.alike") for value in (stage.similarity, stage.magnitudes)]
        strongest = number(float(np.abs(drawn(stage.map)).max(initial=0)), places)
        rows.append([text("heat.redrawn.row", **depth), *numbers, strongest, number(stage.map.logit, 3)])
    heads = ["heat.weights", "heat.correlation", "heat.magnitudes", "heat.strongest", "heat.logit"]
    twin = f"<details><summary>{text('heat.numbers')}</summary>{table('heat.numbers', heads, rows)}</details>"
    figure = (
        f'<figure><ul class="stages">{"".join(tiles)}</ul><figcaption>{scale(limit, places)} {text("heat.scale", most=most)} {_squares(trained)}'
        "</figcaption></figure>"
    )
    return f"{_heading(trained, label, limit)}{figure}{twin}"


def _class_map(explanation: Explanation, found: HeatMap) -> str:
    """The class activation map, whose places and the bias are the logit."""
    limit, label = symmetric(found.values), explanation.card.labels[found.label]
    places = _places(limit)
    most = number(float(found.values.max(initial=0)), places)
    tiles = _tiles(explanation, found, limit, label=label, most=most)
    figure = (
        f'<figure><ul class="stages">{"".join(tiles)}</ul><figcaption>{scale(limit, places)} {text("heat.scale", most=most)}</figcaption></figure>'
    )
    return f"{_heading(found, label, limit)}{figure}"


def _maps_section(explanation: Explanation, inside: Inside) -> Raw:
    """Every map by slopes, beside the same from weights drawn anew."""
    label = explanation.card.labels[explanation.occlusion.label]
    if not inside.maps:
        return Raw(f"<p>{text('heat.none')} <q>{html.escape(inside.no_maps)}</q></p>")
    lead = f"<p>{text('heat.lead', label=label, logit=number(inside.maps[0].trained.logit, 4))}</p><p>{text('heat.control')}</p>"
    exact = _class_map(explanation, inside.class_map) if inside.class_map else ""
    return Raw(lead + exact + "".join(_compared(explanation, each) for each in inside.maps) + f"<p class='note'>{text('heat.means')}</p>")


def _photo(pixels: np.ndarray, side: int) -> Sheet:
    """Return a prepared picture (H, W, C) or a part of it: pixel by pixel where it is small, at most `side` pixels and as JPEG where it is not."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.BOX)
    grow = max(1, side // max(image.size))
    kind = "JPEG" if side == PATCH and max(image.size) > FEW else "PNG"
    return Sheet(encode(image, kind), image.width * grow, image.height * grow, 1, pixels.shape[:2])


def _rebuilt_tile(found: Rebuilt) -> str:
    facts = {"layer": found.layer, "numbers": count(found.numbers)}
    if found.picture is None:
        why = text("rebuilt.long", work=_billions(found.work), limit=_billions(LIMIT)) if found.work > LIMIT else text("rebuilt.unknown")
        return f'<li><span class="nopicture">{why}</span><span>{text("rebuilt.layer", **facts)}</span></li>'
    facts |= {"error": number(found.error, 1), "relative": share(found.relative) if math.isfinite(found.relative) else "–"}
    facts["match"] = share(found.match)
    words = f"{text('rebuilt.layer', **facts)} {text('rebuilt.off', **facts)}"
    return _tile(_photo(found.picture, TILE), attribute("alt", "rebuilt.alt", **facts), words, "photo")


def _rebuilt_section(explanation: Explanation, inside: Inside) -> Raw:
    """The picture rebuilt from layer after layer."""
    done = [each for each in inside.rebuilt if each.picture is not None]
    flat = number(done[0].flat, 1) if done else "–"
    original = _tile(_photo(explanation.prepared, TILE), attribute("alt", "rebuilt.original.alt"), text("rebuilt.original", flat=flat), "photo")
    tiles = original + "".join(_rebuilt_tile(each) for each in inside.rebuilt)
    rows: list[list[str | Raw]] = [
        [
            html.escape(each.layer),
            count(each.numbers),
            number(each.error, 1),
            share(each.relative) if math.isfinite(each.relative) else "–",
            share(each.match),
            count(each.steps),
        ]
        for each in done
    ]
    heads = ["rebuilt.head.layer", "rebuilt.head.numbers", "rebuilt.head.error", "rebuilt.head.relative", "rebuilt.head.match", "rebuilt.head.steps"]
    twin = table("rebuilt.table", heads, rows) if done else ""
    return Raw(
        f"<p>{text('rebuilt.lead')}</p><figure><ul class='stages'>{tiles}</ul><figcaption>{text('rebuilt.scale')}</figcaption></figure>"
        f"{twin}<p class='note'>{text('rebuilt.means')}</p>"
    )


def _excited(found: Excited) -> str:
    """One filter with its patches, each with its answer below."""
    facts = {
        "unit": found.unit,
        "units": found.units,
        "layer": found.layer,
        "here": number(found.here, 2),
        "share": f"{number(100 * found.share, 0)} %",
    }
    patches = "".join(
        _tile(
            _photo(patch.pixels, PATCH),
            attribute("alt", "exciting.alt", photo=patch.photo, unit=found.unit, layer=found.layer, value=number(patch.value, 2)),
            number(patch.value, 2),
            "photo",
        )
        for patch in found.patches
    )
    return f'<li><p>{text("exciting.unit", **facts)}</p><ul class="patches">{patches}</ul></li>'


def _exciting_section(search: Search | None) -> Raw:
    """Filters of some layers with the patches that excite them most."""
    if search is None:
        return Raw(f"<p>{text('exciting.private')}</p>")
    if not search.units:
        return Raw(f"<p>{text('exciting.none', left=count(search.left_out))}</p>")
    parts = [f"<p>{text('exciting.lead', photos=count(search.photos), found=count(search.found))}</p>"]
    if search.left_out:
        parts.append(f"<p>{text('exciting.left', left=count(search.left_out))}</p>")
    for layer in dict.fromkeys(each.layer for each in search.units):
        units = [each for each in search.units if each.layer == layer]
        parts.append(f"<h3>{text('exciting.layer', layer=layer, size=shape_text(units[0].field.size))}</h3>")
        parts.append(f'<ul class="units">{"".join(_excited(each) for each in units)}</ul>')
    return Raw("".join([*parts, f"<p class='note'>{text('exciting.means')}</p>"]))


def _masks(found: DropoutPasses) -> str:
    """What was left of the hidden units, pass by pass."""
    left = (found.hidden * found.masks / found.keep)[: SHOWN[0], : SHOWN[1]]
    limit = symmetric(left)
    facts = {"passes": len(left), "units": left.shape[1], "total": count(len(found.hidden)), "layer": found.layer}
    shown = picture(sheet(left[None], limit, side=max(left.shape), grown=320), attribute("alt", "dropout.masks.alt", **facts))
    return f"<figure>{shown}<figcaption>{scale(limit, _places(limit))} {text('dropout.masks', **facts)}</figcaption></figure>"


def _dropout_section(explanation: Explanation, found: DropoutPasses | None) -> Raw:
    """T answers with hidden units put out, beside the plain one."""
    if found is None:
        return Raw(f"<p>{text('dropout.none')}</p>")
    labels = explanation.card.labels
    order = np.argsort(-found.plain, kind="stable")[:MOST_LABELS]
    passes = len(found.logits)
    lead = text("dropout.lead", passes=passes, layer=found.layer, keep=_percent(found.keep), seed=found.seed)
    origin = text("dropout.trained" if found.trained else "dropout.usual", keep=_percent(found.keep))
    chart = spread_chart([Spread(labels[at], found.logits[:, at], float(found.plain[at]), float(found.mean[at])) for at in order])
    rows: list[list[str | Raw]] = [
        [
            html.escape(labels[at]),
            number(float(found.plain[at]), 3),
            number(float(found.mean[at]), 3),
            number(float(found.spread[at]), 3),
            share(float(found.plain_probabilities[at])),
            f"{share(float(found.probabilities[:, at].min()))} – {share(float(found.probabilities[:, at].max()))}",
            text("dropout.votes", votes=int(found.votes[at]), passes=passes),
        ]
        for at in order
    ]
    heads = [f"dropout.head.{name}" for name in ("label", "plain", "mean", "spread", "share", "range", "best")]
    return Raw(
        f"<p>{lead} {origin}</p><figure>{chart}<figcaption>{text('dropout.chart')}</figcaption></figure>"
        f"{table('dropout.table', heads, rows)}{_masks(found)}<p class='note'>{text('dropout.means')}</p>"
    )


def inside_sections(explanation: Explanation) -> dict[str, Raw]:
    """Return the parts by the name of their section, in order; none where nothing inside was asked for."""
    inside = explanation.inside
    if inside is None:
        return {}
    if not inside.finite:
        return {"maps": Raw(f"<p>{text('heat.nan')}</p>")}
    return {
        "maps": _maps_section(explanation, inside),
        "rebuilt": _rebuilt_section(explanation, inside),
        "exciting": _exciting_section(inside.search),
        "dropout": _dropout_section(explanation, inside.dropout),
    }
