"""Why this answer: heat maps beside those of weights drawn anew, the picture rebuilt, dropout, the nearest and the most exciting examples.

Each takes a trace that is in memory and the model file behind it; what was changed by hand there is changed here too.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from peephole.base.engine import Engine
from peephole.base.errors import InputError
from peephole.decide.predictor import Predictor
from peephole.explain.attribution import METHODS, HeatMap, attribute
from peephole.explain.dropout import drop_out, keep_of
from peephole.explain.edits import edited_bytes
from peephole.explain.exciting import exciting
from peephole.explain.gradient import Tape
from peephole.explain.layers import look
from peephole.explain.neighbours import find_pictures
from peephole.explain.occlusion import occlude
from peephole.explain.openmodel import OpenModel
from peephole.explain.pictures import encode
from peephole.explain.rebuilt import rebuilt
from peephole.explain.redrawn import cascade
from peephole.explain.trace import Trace
from peephole.lab.shipped import known
from peephole.studio.answers import answer
from peephole.studio.gathering import set_of
from peephole.studio.house import House
from peephole.studio.routes import Address
from peephole.studio.workshop import SHIPPED

__all__ = ["ADDRESSES"]

PASSES = 50

Asked = tuple[OpenModel, Trace, bytes]


def _asked(house: House, request: Request) -> Asked:
    """Return the model, the trace, and the bytes of the graph that gave it; raises InputError when they do not belong together."""
    trace = house.traces.find(request.query_params.get("trace", ""), owner=house.owns(request))
    model = house.model(request, request.query_params.get("model", ""))
    if model.sha256 != trace.model_sha256:
        raise InputError("the picture was shown to another model", "show it again")
    return model, trace, edited_bytes(model, trace.edits) if trace.edits else model.data


def _picture(model: OpenModel, trace: Trace) -> np.ndarray:
    """Return the prepared picture without the batch, as the graph takes it."""
    return trace.values("picture").astype(model.dtype)


def _label(request: Request, trace: Trace) -> int:
    text = request.query_params.get("label", "")
    label = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else int(np.argmax(trace.output.logits))
    if label >= len(trace.output.labels):
        raise InputError(f"there is no label {label}", f"there are {len(trace.output.labels)}")
    return label


def _heat(asked: Asked, label: int, method: str) -> dict[str, Any]:
    """Share one logit out over places; and the same with weights drawn anew, where there are slopes."""
    model, trace, data = asked
    picture = _picture(model, trace)
    if method == "occlusion":
        found = occlude(Engine(model.ours(data)), picture, label)
        return {
            "method": method,
            "label": label,
            "values": found.deltas,
            "logit": found.logit,
            "patch": found.patch,
            "colour": found.colour,
            "anew": [],
        }
    if method not in METHODS:
        raise InputError("there is no such method", "occlusion, " + ", ".join(METHODS))
    heat: HeatMap = attribute(Tape(data, until=model.output_name), picture, label, method)
    anew = cascade(data, heat, picture, most=2, until=model.output_name)
    return {
        "method": method,
        "label": label,
        "values": heat.values,
        "logit": heat.logit,
        "layer": heat.layer,
        "baseline": heat.baseline,
        "closing": heat.closing,
        "anew": [{"upto": each.upto, "values": each.map.values, "similarity": each.similarity} for each in anew],
    }


def _rebuilt(asked: Asked) -> list[dict[str, Any]]:
    model, trace, _ = asked
    data, picture = model.ours(asked[2]).data, _picture(model, trace)
    found = rebuilt(data, look(data, picture[None]), picture)
    return [
        {
            "layer": each.layer,
            "numbers": each.numbers,
            "error": each.error,
            "relative": each.relative,
            "why": each.why,
            "steps": each.steps,
            "picture": None if each.picture is None else encode(_image(each.picture)),
        }
        for each in found
    ]


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def _dropped(asked: Asked, keep: float | None, seed: int) -> dict[str, Any]:
    model, trace, data = asked
    card = model.ours().card
    trained = keep_of(card)
    found = drop_out(
        data,
        _picture(model, trace),
        keep=keep or trained or 0.5,
        passes=PASSES,
        seed=seed,
        temperature=card.temperature,
        trained=keep is None and trained is not None,
    )
    return {
        "layer": found.layer,
        "keep": found.keep,
        "trained": found.trained,
        "masks": found.masks[:12].astype(np.uint8),
        "passes": PASSES,
        "probabilities": found.probabilities,
        "plain": found.plain_probabilities,
        "logits": found.plain,
        "mean": found.mean,
        "spread": found.spread,
        "votes": found.votes,
        "hidden": found.hidden,
    }


def _nearest(asked: Asked, pictures: dict[str, Image.Image]) -> list[dict[str, Any]]:
    """Return the known examples that decided, with their pictures where these are at hand."""
    model, trace, _ = asked
    unknown = model.ours().card.unknown
    digests = dict(zip(unknown.known_ids, unknown.known_digests, strict=True))
    found = []
    for near in trace.decision.nearest if trace.decision else ():
        picture = pictures.get(digests.get(near.id, ""))
        found.append({"id": near.id, "label": near.label, "distance": near.distance, "picture": None if picture is None else encode(picture)})
    return found


def _known(house: House, request: Request, asked: Asked) -> dict[str, Image.Image]:
    """Return pictures of known examples by digest: those shipped, or those of the set that the owner names."""
    if request.query_params.get("model", "").startswith(SHIPPED):
        kept = known()
        return {digest: Image.fromarray(pixels) for digest, pixels in zip(kept.digests, kept.pictures, strict=True)}
    name = request.query_params.get("set", "")
    card, decision = asked[0].card, asked[1].decision
    if not name or not house.owns(request) or card is None or decision is None:
        return {}
    digests = dict(zip(card.unknown.known_ids, card.unknown.known_digests, strict=True))
    return find_pictures(set_of(house, name), {digests[near.id] for near in decision.nearest if near.id in digests})


def _exciting(house: House, request: Request, asked: Asked) -> dict[str, Any]:
    """Search a set's photos for the patches that excite the filters most which this picture excites."""
    model, trace, data = asked
    folder = set_of(house, request.query_params.get("set", ""))
    picture = _picture(model, trace)
    found = exciting(Predictor(model.ours(data)), look(data, picture[None]), folder, units=4)
    units = [
        {
            "layer": each.layer,
            "unit": each.unit,
            "here": each.here,
            "field": each.field.size,
            "patches": [{"photo": patch.photo, "value": patch.value, "picture": encode(_image(patch.pixels))} for patch in each.patches],
        }
        for each in found.units
    ]
    return {"photos": found.photos, "left_out": found.left_out, "units": units}


def _share(request: Request) -> float | None:
    """Return the share kept that was asked for, or None."""
    text = request.query_params.get("keep", "")
    try:
        return float(text) if text else None
    except ValueError:
        raise InputError("the share kept is no number", "0.5") from None


def _view(work: Callable[[House, Request, Asked], Any]) -> Callable[[House, Request], Any]:
    """Return an address's answer: the work in its turn."""

    async def view(house: House, request: Request) -> Response:
        return await house.compute(request, lambda: answer(work(house, request, _asked(house, request))), long=True)

    return view


ADDRESSES = (
    Address(
        "GET",
        "/api/inside/heat",
        "anyone",
        _view(lambda _, request, asked: _heat(asked, _label(request, asked[1]), request.query_params.get("method", "grad-cam"))),
        0,
    ),
    Address("GET", "/api/inside/rebuilt", "anyone", _view(lambda _house, _request, asked: _rebuilt(asked)), 0),
    Address("GET", "/api/inside/dropout", "anyone", _view(lambda _, request, asked: _dropped(asked, _share(request), 0)), 0),
    Address("GET", "/api/inside/nearest", "anyone", _view(lambda house, request, asked: _nearest(asked, _known(house, request, asked))), 0),
    Address("GET", "/api/inside/exciting", "owner", _view(_exciting), 0),
)
