"""What a trace holds, and the two files that it becomes: trace.json says what the layers are, trace.bin has their values.

docs/reference/trace.md is the format. Knows nothing of ONNX: whoever has the two files has all that a page needs.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from peephole.base.errors import InputError
from peephole.base.files import write_atomic
from peephole.base.records import Prediction
from peephole.explain.edits import Edit
from peephole.explain.geometry import Count, Field

__all__ = ["PICTURE", "Operand", "Tensor", "Trace", "TraceLayer", "TraceOutput"]

VERSION = 1
PICTURE = "picture"  # the id of the network's input


@dataclass(frozen=True, eq=False)
class Tensor:
    """A constant that layers read: `values` float32 of `shape`, which lie in trace.bin from value `offset` on, `count` of them.

    `name` is that of the tensor in the file: edits name it, if it is `editable`, which what the file computes itself is not. `shape` is whole; there
    is no batch.
    """

    name: str
    values: np.ndarray
    offset: int
    editable: bool = True

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
    """The answer: `logits` float32 (labels,) of the original file, by `labels`; `difference` is how far the copy that gave the layers is from it.

    Many foreign files end in a softmax: then `logits` are `probabilities` already.
    """

    name: str
    labels: tuple[str, ...]
    logits: np.ndarray
    difference: float
    probabilities: bool = False


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

    @property
    def parameters(self) -> int:
        """How many learned numbers the layers have together; one that several layers share counts once."""
        seen: set[str] = set()
        total = 0
        for layer in self.layers:
            tensors = {one.tensor for one in layer.operands if one.tensor}
            total += 0 if tensors and tensors <= seen else layer.parameters.value
            seen |= tensors
        return total

    @property
    def macs(self) -> int:
        """How many multiply-accumulates one pass takes."""
        return sum(layer.macs.value for layer in self.layers)

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
            "parameters": self.parameters,
            "macs": self.macs,
            "layers": [_layer(layer) for layer in self.layers],
            "tensors": [_tensor(tensor) for tensor in self.tensors],
            "output": {
                "name": self.output.name,
                "labels": [*self.output.labels],
                "logits": self.output.logits.tolist(),
                "difference": self.output.difference,
                "probabilities": self.output.probabilities,
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


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": [*tensor.shape], "offset": tensor.offset, "count": tensor.count, "editable": tensor.editable}


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
