"""A trace: one picture's way through a model file, every layer with its values and all that is needed to work out any cell of it again.

`trace.json` says what the layers are, `trace.bin` holds their values and weights as little-endian float32; docs/reference/trace.md is the format.
"""

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from peephole.base.engine import Outputs
from peephole.base.errors import InputError
from peephole.base.files import write_atomic
from peephole.base.records import Prediction
from peephole.decide.judge import judge
from peephole.explain.edits import Edit, edited_bytes
from peephole.explain.geometry import Count, Field
from peephole.explain.layers import Layer, Lens, Look
from peephole.explain.openmodel import OpenModel
from peephole.explain.rules import describe

__all__ = ["PICTURE", "Edit", "Operand", "Tensor", "Trace", "TraceLayer", "TraceOutput", "Tracer", "trace"]

VERSION = 1
PICTURE = "picture"  # the id of the network's input
ANSWERS = ("logits", "embedding", "familiarity", "similarity")
# Names of what the operators of the rules read beside their first input; others are called after their place.
ROLES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Conv", "Gemm", "MatMul"), ("input", "weight", "bias")),
    "BatchNormalization": ("input", "scale", "bias", "mean", "variance"),
    "PRelu": ("input", "slope"),
}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A constant that layers read: `values` float32 of `shape`, which lie in trace.bin from value `offset` on, `count` of them.

    `name` is that of the tensor in the file: edits name it. `shape` is whole; there is no batch.
    """

    name: str
    values: np.ndarray
    offset: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The whole shape."""
        return self.values.shape

    @property
    def count(self) -> int:
        """How many values it has."""
        return self.values.size


@dataclass(frozen=True)
class Operand:
    """One of the things that a layer reads, in the node's order: a `layer` (its id), or a `tensor` (its name); both are "" for what cannot be shown.

    `role` is "input", "weight", "bias", ... or its place in the node.
    """

    role: str
    layer: str = ""
    tensor: str = ""


@dataclass(frozen=True, eq=False)
class TraceLayer:
    """One layer: what it is, what it reads, and where its values lie in trace.bin (`offset` and `count` in float32 values).

    `shape` and all axes in `attributes` are without the batch. `rule` says how a cell comes from `operands`, None where that is not explained.
    `low` and `high` are the smallest and largest value that is no NaN (NaN where there is none); `nan` counts the others. `field` is the
    receptive field in pixels of the network's input, None where it is not known.
    """

    id: str
    op: str
    attributes: Mapping[str, Any]
    inputs: tuple[str, ...]
    operands: tuple[Operand, ...]
    shape: tuple[int, ...]
    parameters: Count
    macs: Count
    field: Field | None
    rule: str | None
    offset: int
    count: int
    low: float
    high: float
    nan: int
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class TraceOutput:
    """The answer: `logits` float32 (labels,) of the original file, by `labels`; `difference` is the largest between it and the copy that gave the layers."""

    name: str
    labels: tuple[str, ...]
    logits: np.ndarray
    difference: float


@dataclass(frozen=True, eq=False)
class Trace:
    """One forward pass, whole. `layers` in the order of computation, the picture first; `tensors` are the constants that they read.

    `decision` is what our file says of the picture, None for a foreign one. `input_sha256` is that of the prepared picture's bytes.
    """

    model_name: str
    model_sha256: str
    input_sha256: str
    prepare: tuple[str, ...]
    layers: tuple[TraceLayer, ...]
    tensors: tuple[Tensor, ...]
    output: TraceOutput
    decision: Prediction | None
    edits: tuple[Edit, ...] = ()
    broken: tuple[str, ...] = ()

    @cached_property
    def _layers(self) -> dict[str, TraceLayer]:
        return {layer.id: layer for layer in self.layers}

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        return {tensor.name: tensor for tensor in self.tensors}

    def layer(self, layer_id: str) -> TraceLayer:
        """Return the layer of that id; raises InputError."""
        found = self._layers.get(layer_id)
        if found is None:
            raise InputError(f"there is no layer {layer_id!r}", f"it is one of: {', '.join(list(self._layers)[:12])}")
        return found

    def values(self, layer_id: str) -> np.ndarray:
        """Return a layer's values, float32 without the batch; raises InputError."""
        return self.layer(layer_id).values

    def tensor(self, layer_id: str, role: str = "weight") -> Tensor:
        """Return the constant that a layer reads as its `role`; raises InputError."""
        layer = self.layer(layer_id)
        name = next((one.tensor for one in layer.operands if one.role == role and one.tensor), "")
        if not name:
            roles = [one.role for one in layer.operands if one.tensor]
            raise InputError(f"the layer {layer_id!r} has no constant {role!r}", f"it has: {', '.join(roles) or 'none'}")
        return self._tensors[name]

    def constant(self, name: str) -> Tensor:
        """Return the constant of that name in the file; raises InputError."""
        if name not in self._tensors:
            raise InputError(f"there is no constant {name!r} that a layer reads", "the trace's tensors name them all")
        return self._tensors[name]

    def layer_bytes(self, layer_id: str) -> bytes:
        """Return a layer's values as they lie in trace.bin: little-endian float32 in C order."""
        return self.values(layer_id).astype("<f4", copy=False).tobytes()

    def tensor_bytes(self, layer_id: str, role: str = "weight") -> bytes:
        """Return a constant of a layer as it lies in trace.bin."""
        return self.tensor(layer_id, role).values.astype("<f4", copy=False).tobytes()

    def header(self) -> dict[str, Any]:
        """Return what trace.json holds; a float that is NaN or infinite is the word "NaN", "Infinity" or "-Infinity"."""
        head = {
            "trace": VERSION,
            "model": self.model_name,
            "model_sha256": self.model_sha256,
            "input_sha256": self.input_sha256,
            "prepare": [*self.prepare],
            "edits": [{"tensor": edit.tensor, "index": [*edit.index], "value": edit.value} for edit in self.edits],
            "broken": [*self.broken],
            "values": sum(layer.count for layer in self.layers) + sum(tensor.count for tensor in self.tensors),
            "layers": [_layer(layer) for layer in self.layers],
            "tensors": [{"name": one.name, "shape": [*one.shape], "offset": one.offset, "count": one.count} for one in self.tensors],
            "output": {
                "name": self.output.name,
                "labels": [*self.output.labels],
                "logits": self.output.logits.tolist(),
                "difference": self.output.difference,
            },
            "decision": None if self.decision is None else asdict(self.decision) | {"reason": self.decision.reason, "best": self.decision.best},
        }
        finite: dict[str, Any] = _finite(head)
        return finite

    def write(self, folder: Path | str) -> tuple[Path, Path]:
        """Write trace.bin, then trace.json, into `folder`, each whole or not at all; return their paths. Raises OutputError."""
        folder = Path(folder)
        parts = [*(layer.values for layer in self.layers), *(tensor.values for tensor in self.tensors)]
        numbers = write_atomic(folder / "trace.bin", b"".join(part.astype("<f4", copy=False).tobytes() for part in parts))
        text = json.dumps(self.header(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return write_atomic(folder / "trace.json", text + "\n"), numbers


def _finite(value: Any) -> Any:
    """Return JSON's kinds only, with words for floats that JSON has not."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def _count(count: Count) -> dict[str, Any]:
    return {"count": count.value, "product": count.text}


def _layer(layer: TraceLayer) -> dict[str, Any]:
    """Return a layer as trace.json has it."""
    field = layer.field
    return {
        "id": layer.id,
        "op": layer.op,
        "attributes": dict(layer.attributes),
        "inputs": [*layer.inputs],
        "operands": [
            {"role": one.role} | ({"layer": one.layer} if one.layer else {"tensor": one.tensor} if one.tensor else {}) for one in layer.operands
        ],
        "shape": [*layer.shape],
        "parameters": _count(layer.parameters),
        "macs": _count(layer.macs),
        "receptive_field": None
        if field is None
        else {"size": [*field.size], "stride": [*field.stride], "offset": [*field.offset], "whole": field.whole},
        "rule": layer.rule,
        "offset": layer.offset,
        "count": layer.count,
        "min": layer.low,
        "max": layer.high,
        "nan": layer.nan,
    }


class Tracer:
    """Traces that come quickly: keeps the `most` models, with their edits, that were asked for last open."""

    def __init__(self, most: int = 8) -> None:
        """Keep up to `most` >= 1 graphs open; each holds its file twice."""
        self._most = max(1, most)
        self._open: OrderedDict[tuple[str, str, tuple[Edit, ...]], Lens] = OrderedDict()

    def _lens(self, model: OpenModel, edits: tuple[Edit, ...]) -> Lens:
        key = (model.sha256, model.output_name, edits)
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        lens = Lens(edited_bytes(model, edits) if edits else model.data, output=model.output_name)
        self._open[key] = lens
        while len(self._open) > self._most:
            self._open.popitem(last=False)
        return lens

    def trace(self, model: OpenModel, image: np.ndarray, edits: Sequence[Edit] = ()) -> Trace:
        """Return the trace of one prepared picture; see `trace`."""
        asked = np.ascontiguousarray(image)
        if asked.dtype != np.dtype(model.dtype) or asked.ndim < 2 or asked.shape[0] != 1:
            raise InputError(f"{model.name} takes one picture of {model.dtype}, not {asked.dtype} {asked.shape}", "prepare it: model.prepare(photo)")
        lens = self._lens(model, tuple(edits))
        names = ANSWERS if model.card is not None else (model.output_name,)
        answers = lens.answers(asked, names)
        seen = lens.look(asked, reference=answers[model.output_name], size=model.shape[:2])
        decision = None
        if model.card is not None:
            decision = judge(Outputs(*(answers[name] for name in ANSWERS)), model.card)[0]
        return _made(model, lens, asked, seen, decision, tuple(edits))


def trace(model: OpenModel, image: np.ndarray, *, edits: Sequence[Edit] = ()) -> Trace:
    """Return the trace of one picture, as `model.prepare` gives it, through the file with `edits` made to its weights.

    Raises InputError when the picture or an edit does not fit, HostileModelFile when the graph cannot be run, and ParityError when the copy that gives
    out its layers differs from the file by more than 1e-5 in a logit. For many pictures keep a Tracer.
    """
    return Tracer(1).trace(model, image, edits)


def _made(model: OpenModel, lens: Lens, image: np.ndarray, seen: Look, decision: Prediction | None, edits: tuple[Edit, ...]) -> Trace:
    """Put layers and constants one behind the other and say where they lie."""
    ids = _ids(seen.layers)
    shapes = {layer.gives: layer.shape for layer in seen.layers} | {lens.picture: image.shape[1:]}
    makers = {layer.gives: ids[at] for at, layer in enumerate(seen.layers)} | {lens.picture: PICTURE}
    picture = np.asarray(image[0], np.float32)
    height, width = model.shape[:2]
    whole = Field((1, 1), (1, 1), (0, 0)) if model.layout != "N*" else Field((height, width), (0, 0), (0, 0), whole=True)
    layers = [_one(PICTURE, "Input", {}, (), Count(), Count(), whole, None, picture, 0)]
    wanted: dict[str, np.ndarray] = {}
    at = picture.size
    for layer_id, layer in zip(ids, seen.layers, strict=True):
        operands = _operands(layer, makers, lens.constants)
        wanted |= {one.tensor: lens.constants[one.tensor] for one in operands if one.tensor}
        constants = tuple(lens.constants.get(name) for name in layer.reads)
        sides = tuple(shapes.get(name, () if value is None else value.shape) for name, value in zip(layer.reads, constants, strict=True))
        rule, attributes = describe(layer.op if not layer.domain else "", layer.attributes, sides, constants, layer.shape, lens.opset)
        if any(name and not (one.layer or one.tensor) and value is None for one, name, value in zip(operands, layer.reads, constants, strict=True)):
            rule = rule if rule == "move" else None
        op = f"{layer.domain}.{layer.op}" if layer.domain else layer.op
        layers.append(_one(layer_id, op, attributes, operands, layer.parameters, layer.macs, layer.field, rule, layer.values, at))
        at += layer.values.size
    tensors = []
    for name, value in wanted.items():
        tensors.append(Tensor(name, np.ascontiguousarray(value, np.float32), at))
        at += value.size
    logits = np.asarray(seen.logits, np.float32).ravel()
    return Trace(
        model.name,
        model.sha256,
        hashlib.sha256(image.tobytes()).hexdigest(),
        model.steps,
        tuple(layers),
        tuple(tensors),
        TraceOutput(model.output_name, model.labels, logits, seen.difference),
        decision,
        edits,
        model.broken,
    )


def _ids(layers: Sequence[Layer]) -> list[str]:
    """Return a name for each layer that no other has: its own, else that of its tensor."""
    found: list[str] = []
    taken = {PICTURE}
    for layer in layers:
        choices = [layer.name, layer.gives, *(f"{layer.gives}#{number}" for number in range(2, len(layers) + 3))]
        found.append(next(name for name in choices if name and name not in taken))
        taken.add(found[-1])
    return found


def _operands(layer: Layer, makers: Mapping[str, str], constants: Mapping[str, np.ndarray]) -> tuple[Operand, ...]:
    """Return what a layer reads, in its node's order."""
    roles = ROLES.get(layer.op, ("input",)) if not layer.domain else ()
    found = []
    for place, name in enumerate(layer.reads):
        role = roles[place] if place < len(roles) else str(place)
        if name in makers:
            found.append(Operand(role, layer=makers[name]))
        elif name in constants and constants[name].dtype.kind == "f":
            found.append(Operand(role, tensor=name))
        else:
            found.append(Operand(role))
    return tuple(found)


def _one(
    layer_id: str,
    op: str,
    attributes: Mapping[str, Any],
    operands: tuple[Operand, ...],
    parameters: Count,
    macs: Count,
    field: Field | None,
    rule: str | None,
    values: np.ndarray,
    offset: int,
) -> TraceLayer:
    """Return a layer with the limits of its values."""
    low, high, nan = _limits(values)
    inputs = tuple(dict.fromkeys(one.layer for one in operands if one.layer))
    return TraceLayer(
        layer_id, op, attributes, inputs, operands, values.shape, parameters, macs, field, rule, offset, values.size, low, high, nan, values
    )


def _limits(values: np.ndarray) -> tuple[float, float, int]:
    """Return the smallest and the largest value that is no NaN, and how many are."""
    if not values.size:
        return math.nan, math.nan, 0
    low, high = float(values.min()), float(values.max())
    if not math.isnan(low):
        return low, high, 0
    rest = values[~np.isnan(values)]
    return (float(rest.min()), float(rest.max()), values.size - rest.size) if rest.size else (math.nan, math.nan, values.size)
