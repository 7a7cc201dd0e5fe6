"""Looking inside: a picture through a model, every layer; what is long is sent when it is asked for."""

import json
import struct
from typing import Any

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from peephole.base.errors import InputError
from peephole.data.decode import open_bytes
from peephole.explain.match import match
from peephole.explain.openmodel import OpenModel
from peephole.explain.trace import Edit, Trace
from peephole.studio.answers import answer, plain
from peephole.studio.house import House
from peephole.studio.routes import Address
from peephole.studio.workshop import SHIPPED

__all__ = ["ADDRESSES", "picture_of"]

AT_ONCE = 400_000  # values that are sent with the header: 1.6 MB; the rest layer by layer
MOST_PICTURE = 20_000_000
MOST_SIDE = 4096
MOST_EDITS = 64
BINARY = "application/octet-stream"


def _number(request: Request, name: str, least: int, most: int) -> int:
    try:
        value = int(request.query_params.get(name, ""))
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise InputError(f"{name} must be a whole number from {least} to {most}", "reload the page")
    return value


def picture_of(request: Request, data: bytes) -> Image.Image | np.ndarray:
    """Return the picture that was sent: raw uint8 with ?width=&height=&channels=, or the bytes of an image file. Raises InputError, PhotoError."""
    if request.headers.get("content-type", "") != BINARY:
        return open_bytes(data)
    width, height, channels = _number(request, "width", 1, MOST_SIDE), _number(request, "height", 1, MOST_SIDE), _number(request, "channels", 1, 3)
    if channels == 2 or len(data) != width * height * channels:
        raise InputError(f"{len(data)} bytes are no picture of {width} x {height} x {channels}", "reload the page")
    pixels = np.frombuffer(data, np.uint8).reshape(height, width, channels)
    return pixels[:, :, 0] if channels == 1 else pixels


def _edits(request: Request) -> tuple[Edit, ...]:
    """Read the changed weights: a JSON list of {tensor, index, value}."""
    text = request.query_params.get("edits", "")
    if not text:
        return ()
    try:
        found = json.loads(text)
        if not isinstance(found, list):
            raise TypeError
        edits = tuple(Edit(str(each["tensor"]), tuple(int(at) for at in each["index"]), float(each["value"])) for each in found)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise InputError("the changed weights cannot be read", "take the changes back") from None
    if len(edits) > MOST_EDITS:
        raise InputError(f"{len(edits)} weights were changed; at most {MOST_EDITS} are", "take some of the changes back")
    return edits


def _shares(trace: Trace, model: OpenModel) -> list[float]:
    """Return the softmax of the logits at the card's temperature (1 for a foreign file); what is a softmax already stays."""
    if trace.output.probabilities:
        return [float(each) for each in trace.output.logits]
    logits = trace.output.logits.astype(np.float64) / (model.card.temperature if model.card else 1.0)
    if not np.isfinite(logits).all():
        return [float("nan")] * len(logits)
    powers = np.exp(logits - logits.max())
    return [float(each) for each in powers / powers.sum()]


def _packed(trace: Trace, model: OpenModel, name: str) -> bytes:
    """Return header and first values in one piece: length, JSON padded to 4 bytes, float32."""
    header: dict[str, Any] = trace.header() | {"id": name, "picture_shape": model.shape, "layout": model.layout}
    header["output"] |= {
        "shares": plain(_shares(trace, model)),
        "layer": trace.layers[-1].id,
        "temperature": model.card.temperature if model.card else 1.0,
    }
    sent, values = 0, []
    for layer in trace.layers:
        if sent + layer.count > AT_ONCE and sent:
            break
        values.append(trace.layer_bytes(layer.id))
        sent += layer.count
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + b"".join(values)


async def _trace(house: House, request: Request) -> Response:
    """Run a model on the picture that was sent and keep every layer."""
    name = request.query_params.get("model", "")
    edits = _edits(request)
    data = await request.body()

    def work() -> bytes:
        model = house.model(request, name)
        picture = picture_of(request, data)
        with house.turn:
            trace = house.tracer.trace(model, model.prepare(picture), edits)
        return _packed(trace, model, house.traces.keep(trace, open_to_all=name.startswith(SHIPPED)))

    return Response(await house.compute(request, work), media_type=BINARY)


def _kept(house: House, request: Request) -> Trace:
    return house.traces.find(request.query_params.get("trace", ""), owner=house.owns(request))


async def _values(house: House, request: Request) -> Response:
    """Send one layer's values."""
    trace = _kept(house, request)
    return Response(trace.layer_bytes(request.query_params.get("layer", "")), media_type=BINARY)


async def _tensor(house: House, request: Request) -> Response:
    """Send one constant that layers read, by its name in the file."""
    found = _kept(house, request).constant(request.query_params.get("tensor", ""))
    return Response(found.values.astype("<f4", copy=False).tobytes(), media_type=BINARY)


async def _match(house: House, request: Request) -> Response:
    """Send how well each window of a convolution fits its kernel: cosines, float32, in the layer's shape."""
    trace = _kept(house, request)
    found = await house.compute(request, lambda: match(trace, request.query_params.get("layer", "")))
    return Response(found.astype("<f4", copy=False).tobytes(), media_type=BINARY)


async def _model(house: House, request: Request) -> Response:
    """Say what a model file is: its card, or for a foreign one what could be read from it."""
    model = await house.compute(request, lambda: house.model(request, request.query_params.get("model", "")))
    return answer(
        {
            "name": model.name,
            "sha256": model.sha256,
            "labels": model.labels,
            "shape": model.shape,
            "foreign": model.card is None,
            "prepare": model.steps,
            "evidence": model.card.evidence if model.card else [],
            "scores": model.card.scores if model.card else {},
            "training": model.card.training.sentence if model.card else "",
        }
    )


ADDRESSES = (
    Address("POST", "/api/trace", "anyone", _trace, MOST_PICTURE),
    Address("GET", "/api/values", "anyone", _values, 0),
    Address("GET", "/api/tensor", "anyone", _tensor, 0),
    Address("GET", "/api/match", "anyone", _match, 0),
    Address("GET", "/api/model", "anyone", _model, 0),
)
