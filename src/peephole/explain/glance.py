"""The whole network in one row: the picture, the main stops on its way, the answer; each stop leads to its layer."""

import html

from PIL import Image

from peephole.explain.anatomy import picture, shape_text
from peephole.explain.explanation import Explanation
from peephole.explain.layers import Layer
from peephole.explain.pictures import Sheet, bars, encode, sheet, symmetric
from peephole.explain.words import Raw, attribute, count, share, text
from peephole.explain.worked import strongest

__all__ = ["glance_section", "stops"]

STOPS = 10
SIDE = 72
POOLS = {"MaxPool", "AveragePool", "GlobalAveragePool"}
SQUASHED = {"Relu", "Clip"}


def stops(layers: tuple[Layer, ...]) -> list[int]:
    """Return the places of at most about ten layers that tell the story, the last among them.

    What leaves an activation or a pooling; where these are too many, the last layer of each size of map and each row of numbers.
    """
    found = [place for place, layer in enumerate(layers) if layer.op in POOLS | SQUASHED or place == len(layers) - 1]
    if len(found) > STOPS:
        kept = [place for place, layer in enumerate(layers) if layer.op != "Pad" and layer.values.size > 1 and not layer.name.startswith("normalise")]
        sizes = [layers[place].shape[1:] or layers[place].shape for place in kept]
        found = [place for at, place in enumerate(kept) if at + 1 == len(kept) or sizes[at] != sizes[at + 1]]
    return found if len(found) <= STOPS else [*found[: STOPS // 2], *found[-STOPS // 2 :]]


def _stop(name: str, shown: Raw, notes: str) -> str:
    return f"<li>{shown}<span>{name}</span><span class='note'>{notes}</span></li>"


def _layer(layer: Layer, place: int) -> str:
    """One layer: its strongest map, or its numbers as bars."""
    limit, at = symmetric(layer.values), strongest(layer)
    if at is not None and max(layer.shape[1:]) > 1:
        drawn = sheet(layer.values[at[0]][None], limit, side=SIDE)
        words = attribute("alt", "glance.map.alt", name=layer.name, channel=at[0], total=count(layer.shape[0]))
        shown = picture(drawn, words, "stop pixels")
    else:
        drawn = bars(layer.values.ravel(), limit)
        shown = picture(drawn, attribute("alt", "glance.units.alt", name=layer.name, total=count(layer.values.size)), "stop row")
    return _stop(f'<a href="#layer-{place}">{html.escape(layer.name).replace("_", "_<wbr>")}</a>', shown, shape_text(layer.shape))


def glance_section(explanation: Explanation) -> Raw:
    """The picture, the main stops and the answer in one row that wraps."""
    layers, prediction = explanation.look.layers, explanation.prediction
    pixels = explanation.prepared
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if max(image.size) > 2 * SIDE:
        image.thumbnail((2 * SIDE, 2 * SIDE), Image.Resampling.BOX)
    drawn = Sheet(encode(image), image.width, image.height, 1, image.size)
    size = f"{pixels.shape[1]} × {pixels.shape[0]} × {pixels.shape[2]}"
    first = _stop(str(text("glance.picture")), picture(drawn, attribute("alt", "picture.seen.alt", size=size), "stop pixels"), size)
    between = "".join(_layer(layers[place], place) for place in stops(layers))
    label = html.escape(prediction.label) if prediction.label is not None else str(text("glance.stranger"))
    softmax = text("glance.softmax", label=prediction.best, share=share(prediction.probability))
    kind = "known" if prediction.accepted else "stranger"
    last = f'<li class="end {kind}"><b>{label}</b><a href="#softmax">{softmax}</a><a href="#checks">{text("glance.answer")}</a></li>'
    return Raw(f'<p>{text("glance.lead")}</p><ol class="glance">{first}{between}{last}</ol>')
