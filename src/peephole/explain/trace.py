"""One picture's way through a model file: every layer with its values and all that is needed to work out any cell of it again.

The layers come from a copy of the graph beside the original, which gives the answer (see layers); this puts them in order for a page.
"""

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from peephole.base.engine import Outputs
from peephole.base.errors import InputError
from peephole.decide.judge import judge
from peephole.explain.edits import Edit, changed
from peephole.explain.geometry import Count, Field
from peephole.explain.layers import Layer, Lens, Look
from peephole.explain.openmodel import OpenModel
from peephole.explain.rules import LEFT_OUT, RULES, Facts, describe
from peephole.explain.tracefile import PICTURE, Operand, Tensor, Trace, TraceLayer, TraceOutput

__all__ = ["PICTURE", "Edit", "Operand", "Tensor", "Trace", "TraceLayer", "TraceOutput", "Tracer", "trace"]

SECONDS = 60.0  # a pass of a foreign file may take: what an operator that is not listed asks for is an estimate
ANSWERS = ("logits", "embedding", "familiarity", "similarity")
# Names of what the operators of the rules read beside their first input; others are called after their place.
ROLES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Conv", "Gemm", "MatMul"), ("input", "weight", "bias")),
    "BatchNormalization": ("input", "scale", "bias", "mean", "variance"),
    "PRelu": ("input", "slope"),
}


class Tracer:
    """Traces that come quickly: keeps the `most` graphs that were asked for last open. Safe to ask from several threads."""

    def __init__(self, most: int = 4) -> None:
        """Keep up to `most` >= 1 graphs open; each holds its weights some five times. A graph and the same with weights to edit are two."""
        self._most = max(1, most)
        self._open: OrderedDict[tuple[str, ...], Lens] = OrderedDict()
        self._lock = threading.Lock()

    def _lens(self, model: OpenModel, free: Collection[str] = ()) -> Lens:
        """Return the model's graph, opened, with some weights free to be others in each pass."""
        key = (model.sha256, model.output_name, *sorted(free))
        with self._lock:
            if key not in self._open:
                foreign = model.card is None
                seconds = SECONDS if foreign else math.inf
                self._open[key] = Lens(model.data, output=model.output_name, alone=foreign, seconds=seconds, free=free)
            self._open.move_to_end(key)
            lens = self._open[key]
            while len(self._open) > self._most:
                self._open.popitem(last=False)
        return lens

    def trace(self, model: OpenModel, image: np.ndarray, edits: Sequence[Edit] = ()) -> Trace:
        """Return the trace of one prepared picture; see `trace`. Only the first edit of a tensor opens a graph anew."""
        asked = np.ascontiguousarray(image)
        if asked.dtype != np.dtype(model.dtype) or asked.shape != model.taken:
            given = f"{asked.dtype} {asked.shape}"
            raise InputError(f"{model.name} takes one picture of {model.dtype} {model.taken}, not {given}", "prepare it: model.prepare(photo)")
        lens, weights = self._lens(model), dict[str, np.ndarray]()
        if edits:
            weights = changed(edits, lens.editable, lambda name: lens.constants[name], model.name)
            lens = self._lens(model, weights.keys())
        answers = lens.answers(asked, ANSWERS if model.card is not None else (model.output_name,), weights)
        seen = lens.look(asked, reference=answers[model.output_name], size=model.shape[:2], every=True, weights=weights)
        decision = None
        if model.card is not None:
            decision = judge(Outputs(*(answers[name] for name in ANSWERS)), model.card)[0]
        return replace(_made(model, lens, asked, seen), decision=decision, edits=tuple(edits))


def trace(model: OpenModel, image: np.ndarray, *, edits: Sequence[Edit] = ()) -> Trace:
    """Return the trace of one picture, as `model.prepare` gives it, through the file with `edits` made to its weights.

    Raises InputError when the picture or an edit does not fit, HostileModelFile when the graph cannot be run, and ParityError when the copy that
    gives out its layers differs from the file by more than 1e-5 in a logit. For many pictures keep a Tracer.
    """
    return Tracer(1).trace(model, image, edits)


def _made(model: OpenModel, lens: Lens, image: np.ndarray, seen: Look) -> Trace:
    """Put layers and constants one behind the other and say where they lie."""
    makers = dict(zip((layer.gives for layer in seen.layers), _ids(seen.layers), strict=True)) | {lens.picture: PICTURE}
    reading = _Reading(lens, seen, makers, {layer.gives: layer for layer in seen.layers}, image.shape[1:])
    layers = [_picture(model, image)]
    wanted: dict[str, np.ndarray] = {}
    at = layers[0].count
    for layer in seen.layers:
        layers.append(reading.layer(layer, at))
        wanted |= {one.tensor: seen.constants[one.tensor] for one in layers[-1].operands if one.tensor}
        at += layer.values.size
    tensors = []
    for name, value in wanted.items():
        tensors.append(Tensor(name, np.ascontiguousarray(value, np.float32), at, name in lens.editable))
        at += value.size
    logits = np.asarray(seen.logits, np.float32).ravel()
    return Trace(
        model_name=model.name,
        model_sha256=model.sha256,
        input_sha256=hashlib.sha256(image.tobytes()).hexdigest(),
        prepare=model.steps,
        layers=tuple(layers),
        tensors=tuple(tensors),
        output=TraceOutput(model.output_name, model.labels, logits, seen.difference, _ends_in_softmax(layers)),
        decision=None,
        broken=model.broken,
    )


def _ends_in_softmax(layers: Sequence[TraceLayer]) -> bool:
    """Tell whether the last layer that changes a value is a softmax."""
    last = next((layer for layer in reversed(layers) if layer.op not in ("Identity", "Cast") and layer.rule != "move"), None)
    return last is not None and last.op == "Softmax"


def _picture(model: OpenModel, image: np.ndarray) -> TraceLayer:
    """Return the network's input as the first layer."""
    values = np.asarray(image[0], np.float32)
    height, width = model.shape[:2]
    field = Field((1, 1), (1, 1), (0, 0)) if model.layout != "N*" else Field((height, width), (0, 0), (0, 0), whole=True)
    low, high, nan = _limits(values)
    return TraceLayer(PICTURE, "Input", {}, (), (), values.shape, Count(), Count(), field, None, 0, values.size, low, high, nan, values)


@dataclass(frozen=True, eq=False)
class _Reading:
    """What one pass gave, by tensor: whose layer it is (`makers`), the layers, the constants, the shape of the picture."""

    lens: Lens
    seen: Look
    makers: Mapping[str, str]
    layers: Mapping[str, Layer]
    picture: tuple[int, ...]

    def layer(self, layer: Layer, offset: int) -> TraceLayer:
        """Return one layer as the trace has it."""
        operands = self._operands(layer)
        inputs = tuple(dict.fromkeys(self.makers[name] for name in layer.origins if name in self.makers))
        rule, attributes = describe(self._facts(layer))
        op = f"{layer.domain}.{layer.op}" if layer.domain else layer.op
        if not self._whole(layer, operands):
            rule = None
        low, high, nan = _limits(layer.values)
        return TraceLayer(
            id=self.makers[layer.gives],
            op=op,
            attributes=attributes,
            inputs=inputs,
            operands=operands,
            shape=layer.shape,
            parameters=layer.parameters,
            macs=layer.macs,
            field=layer.field,
            rule=rule,
            offset=offset,
            count=layer.values.size,
            low=low,
            high=high,
            nan=nan,
            values=layer.values,
        )

    def _operands(self, layer: Layer) -> tuple[Operand, ...]:
        """Return what a layer reads, in its node's order."""
        roles = ROLES.get(layer.op, ("input",)) if not layer.domain else ()
        # Whole numbers count as values where a cell is made of them; elsewhere they say sizes and axes, which the attributes repeat.
        counts = not layer.domain and RULES.get(layer.op) in ("elementwise", "sum", "concat", "matmul")
        found = []
        for place, name in enumerate(layer.reads):
            role = roles[place] if place < len(roles) else str(place)
            constant = self.seen.constants.get(name)
            if name in self.makers:
                found.append(Operand(role, layer=self.makers[name]))
            elif constant is not None and (constant.dtype.kind == "f" or (constant.dtype.kind in "iub" and counts)):
                found.append(Operand(role, tensor=name))
            else:
                found.append(Operand(role))
        return tuple(found)

    def _facts(self, layer: Layer) -> Facts:
        constants = tuple(self.seen.constants.get(name) for name in layer.reads)
        shapes = tuple(self._shape(name, value) for name, value in zip(layer.reads, constants, strict=True))
        return Facts("" if layer.domain else layer.op, layer.attributes, shapes, constants, layer.shape, self.lens.opset)

    def _shape(self, name: str, constant: np.ndarray | None) -> tuple[int, ...]:
        """Return the shape of what a layer reads: without the batch, or whole for a constant."""
        if constant is not None:
            return constant.shape
        if name == self.lens.picture:
            return self.picture
        return self.layers[name].shape if name in self.layers else LEFT_OUT

    def _whole(self, layer: Layer, operands: Sequence[Operand]) -> bool:
        """Tell whether all that a cell is made of is in the trace, with an axis for the batch that could be left out.

        A sum that was rounded to 16 bits does not close within 1e-5.
        """
        if not layer.batched or (layer.half and RULES.get(layer.op) not in ("move", "concat")):
            return False
        for name, operand in zip(layer.reads, operands, strict=True):
            there = bool(operand.layer or operand.tensor or not name or name in self.seen.constants)
            if not there or (name in self.layers and not self.layers[name].batched):
                return False
        return True


def _ids(layers: Sequence[Layer]) -> list[str]:
    """Return a name for each layer that no other has: its own, else that of its tensor."""
    found: list[str] = []
    taken = {PICTURE}
    for layer in layers:
        choices = [layer.name, layer.gives, *(f"{layer.gives}#{number}" for number in range(2, len(layers) + 3))]
        found.append(next(name for name in choices if name and name not in taken))
        taken.add(found[-1])
    return found


def _limits(values: np.ndarray) -> tuple[float, float, int]:
    """Return the smallest and the largest value that is no NaN, and how many are."""
    if not values.size:
        return math.nan, math.nan, 0
    low, high = float(values.min()), float(values.max())
    if not math.isnan(low):
        return low, high, 0
    rest = values[~np.isnan(values)]
    return (float(rest.min()), float(rest.max()), values.size - rest.size) if rest.size else (math.nan, math.nan, values.size)
