"""The whole network in one row: the picture, the main stops on its way, the answer; each stop leads to its layer."""

import html

from PIL import Image

from peephole.explain.drawing import SIDE, picture, shape_text, stamp
from peephole.explain.explanation import Explanation
from peephole.explain.joints import joints
from peephole.explain.layers import Layer
from peephole.explain.pictures import Sheet, encode
from peephole.explain.ways import fork_stop, layer_link
from peephole.explain.words import Raw, attribute, share, text

__all__ = ["glance_section", "stops"]

STOPS = 10
POOLS = {"MaxPool", "AveragePool", "GlobalAveragePool"}
SQUASHED = {"Relu", "Clip"}


def stops(layers: tuple[Layer, ...]) -> list[int]:
    """Return the places of at most about ten layers that tell the story, the last among them; none of them lies on one of several ways.

    What leaves an activation or a pooling, and the numbers that the last layer weighs, by which known examples are compared; where these are too
    many, the last layer of each size of map and each row of numbers.
    """
    aside = {place for joint in joints(layers) for place in joint.inside}
    main = [place for place in range(len(layers)) if place not in aside]
    weighed = [place for place in main if layers[place].name in layers[-1].inputs and layers[place].values.ndim == 1]
    found = [place for place in main if layers[place].op in POOLS | SQUASHED or place == len(layers) - 1 or place in weighed]
    if len(found) > STOPS:
        kept = [
            place for place in main if layers[place].op != "Pad" and layers[place].values.size > 1 and not layers[place].name.startswith("normalise")
        ]
        sizes = [layers[place].shape[1:] or layers[place].shape for place in kept]
        found = [place for at, place in enumerate(kept) if at + 1 == len(kept) or sizes[at] != sizes[at + 1]]
    return found if len(found) <= STOPS else [*found[: STOPS // 2], *found[-STOPS // 2 :]]


def _stop(name: str, shown: Raw, notes: str) -> str:
    return f"<li>{shown}<span>{name}</span><span class='note'>{notes}</span></li>"


def _row(layers: tuple[Layer, ...]) -> str:
    """The stops in order; before one that a joint leads to, the ways of the last such joint."""
    forks, before, shown = joints(layers), -1, list[str]()
    for place in stops(layers):
        shown += [fork_stop(layers, joint) for joint in forks if before < joint.join <= place][-1:]
        shown.append(_stop(layer_link(layers[place], place), stamp(layers[place]), shape_text(layers[place].shape)))
        before = place
    return "".join(shown)


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
    label = html.escape(prediction.label) if prediction.label is not None else str(text("glance.stranger"))
    softmax = text("glance.softmax", label=prediction.best, share=share(prediction.probability))
    kind = "known" if prediction.accepted else "stranger"
    last = f'<li class="end {kind}"><b>{label}</b><a href="#softmax">{softmax}</a><a href="#checks">{text("glance.answer")}</a></li>'
    return Raw(f'<p>{text("glance.lead")}</p><ol class="glance">{first}{_row(layers)}{last}</ol>')
