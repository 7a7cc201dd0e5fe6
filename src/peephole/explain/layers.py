"""Every layer of the very file that answers: its values for one picture, its cost and what it sees of the picture.

A copy of the graph with added outputs is run beside the original; the original gives the answer, and the
copy is believed only while its logits agree with the original's to 1e-5. Works for any ONNX graph.
"""

import dataclasses
import math
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime

from peephole.base.errors import HostileModelFile, ParityError
from peephole.explain.geometry import CELLWISE, MIXING, SLIDING, Count, Field, Window, count_macs, count_parameters, see, slide
from peephole.explain.graphs import attributes_of, constants_of, editable, leave_only, outputs_of, parse, path_to, session_of, set_free
from peephole.explain.rules import Facts, describe

__all__ = ["TOLERANCE", "Layer", "Lens", "Look", "look"]

TOLERANCE = 1e-5
HALF = 1e-2  # for graphs in 16 bits: a runtime may keep more bits between steps than a map that is given out has
NEWEST = 99  # an operator set in which nothing is as it once was
KNOWN = CELLWISE | MIXING | SLIDING | {"Pad"}


@dataclass(frozen=True, eq=False)
class Layer:
    """One node of the graph and what it answered.

    `values` float32 without the batch axis, mostly (C, H, W) or (units,); `inputs` are the names of the layers it reads ("" is
    the picture); `weight` and `bias` are its constants, if it is a convolution or a dense layer; `field` is None when the
    operation is not `known`, and so is `window` for whatever does not slide. `group` is that of a convolution. `reads` names the tensors that the
    node reads, in its order, with "" for those left out, and `origins` beside each the tensor of the nearest layer behind it ("" for constants): the
    two differ where what lies between cannot be shown. `gives` is the tensor that it makes; `attributes` are the node's own; `domain` is "" for
    ONNX's own. A layer that is not `batched` has no axis for the batch to leave out; one that is `half` was
    computed in 16 bits.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    values: np.ndarray
    parameters: Count
    macs: Count
    field: Field | None
    window: Window | None = None
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    group: int = 1
    padded_counts: bool = False
    turned: bool = False
    reads: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    gives: str = ""
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    domain: str = ""
    batched: bool = True
    half: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values, without the batch."""
        return self.values.shape

    @property
    def known(self) -> bool:
        """Whether the operation is one that can be explained."""
        return self.op in KNOWN


@dataclass(frozen=True, eq=False)
class Look:
    """A forward pass with every layer kept: in the order of computation, from the picture to the logits.

    `difference` is the largest difference between the copy's logits and the original's; `constants` are what layers read beside layers, by tensor.
    """

    layers: tuple[Layer, ...]
    logits: np.ndarray
    difference: float
    constants: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def find(self, name: str) -> Layer | None:
        """Return the layer of that name, or None."""
        return next((layer for layer in self.layers if layer.name == name), None)

    def first(self, op: str) -> Layer | None:
        """Return the first layer with that operation, or None."""
        return next((layer for layer in self.layers if layer.op == op), None)


def _only_channels(op: str, attributes: Mapping[str, Any], fixed: list[np.ndarray], units: int) -> bool:
    """Tell whether a step that mixes units mixes only those that see the same part of the picture: the channels of maps (N, C, H, W)."""
    if op == "LRN":
        return True
    if not (op.startswith("Reduce") or op in {"Softmax", "LogSoftmax"}) or (units != 3 and attributes.get("keepdims", 1)):
        return False
    axes = attributes.get("axes") or (fixed[0].ravel().tolist() if op.startswith("Reduce") and fixed else None) or [attributes.get("axis")]
    return units in (2, 3) and list(axes) in ([1], [-3])


class _Reading:
    """Turns nodes and their values into layers; remembers the receptive field of every tensor on the way."""

    def __init__(self, picture: str, size: tuple[int, int], constants: dict[str, np.ndarray], values: dict[str, np.ndarray]) -> None:
        self.size = size
        self.constants = constants
        self.values = values
        self.fields: dict[str, Field | None] = {picture: Field((1, 1), (1, 1), (0, 0))}
        self.names: dict[str, str] = {picture: ""}
        self.origins: dict[str, str] = {picture: picture}

    def _shape(self, tensor: str) -> tuple[int, ...]:
        """Return a tensor's shape without the batch."""
        value = self.values.get(tensor)
        return () if value is None else value.shape[1:]

    def follow(self, node: onnx.NodeProto) -> Window | None:
        """Work out the receptive field behind a node."""
        moving = [name for name in node.input if name in self.fields]
        fixed = [self.constants[name] for name in node.input if name in self.constants]
        weight = fixed[0].shape if fixed and node.op_type in {"Conv", "ConvTranspose"} else None
        attributes = attributes_of(node)
        window = slide(node.op_type, attributes, self._shape(moving[0]) if moving else (), weight)
        pads = tuple(attributes.get("pads") or ()) or (tuple(int(pad) for pad in fixed[0]) if node.op_type == "Pad" and fixed else ())
        units = len(self._shape(node.output[0]))
        op = "Identity" if _only_channels(node.op_type, attributes, fixed, units) else node.op_type
        before = [self.fields[name] for name in moving]
        for place, name in enumerate(node.output):
            cut = self._cut(node, place) if op in {"Slice", "Split"} else None
            field = see(op, before, self.size, window=window, pads=pads, units=units, cut=cut)
            self.fields[name] = field
            # Until a layer of its own takes the place, whoever reads this reads of the layer before.
            self.names[name], self.origins[name] = (self.names[moving[0]], self.origins[moving[0]]) if moving else ("", "")
        return window

    def _cut(self, node: onnx.NodeProto, place: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Return where a Slice, or part number `place` of a Split, begins along each axis, and its steps; None where that is not known."""
        shapes = tuple(self.constants[name].shape if name in self.constants else self._shape(name) for name in node.input)
        constants = tuple(self.constants.get(name) for name in node.input)
        facts = Facts(node.op_type, self._attributes(node, place), shapes, constants, self._shape(node.output[place]), NEWEST)
        found = describe(facts)[1]
        return (tuple(found["starts"]), tuple(found["steps"])) if found.get("how") == "slice" else None

    def _attributes(self, node: onnx.NodeProto, place: int) -> dict[str, Any]:
        """Return a node's attributes; for part number `place` of a Split also how much of the axis lies `before` it."""
        found = attributes_of(node)
        if node.op_type == "Split" and all(name in self.values for name in node.output[:place]):
            found["before"] = sum(self.values[name].shape[int(found.get("axis", 0))] for name in node.output[:place])
        return found

    def layer(self, node: onnx.NodeProto, window: Window | None, tensor: str, batched: bool) -> Layer:
        """Return the layer that `node` is, or that its output `tensor` is."""
        place = list(node.output).index(tensor)
        name = f"{node.name}#{place + 1}" if node.name and place else node.name or tensor
        fixed = [self.constants[each] for each in node.input if each in self.constants]
        moving = [each for each in node.input if each in self.fields]
        learned = [each for each in fixed if each.dtype.kind == "f" or node.op_type in {"Conv", "Gemm", "MatMul"}]
        values = np.asarray(self.values[tensor][0] if batched else self.values[tensor], np.float32)
        given = self._shape(moving[0]) if moving else ()
        readable = bool(learned) and all(each.dtype.kind == "f" for each in learned) and node.op_type in {"Conv", "Gemm", "MatMul"}
        attributes = self._attributes(node, place)
        inputs, origins = tuple(dict.fromkeys(self.names.get(each, "") for each in moving)), tuple(self.origins.get(each, "") for each in node.input)
        self.names[tensor], self.origins[tensor] = name, tensor
        return Layer(
            name=name,
            op=node.op_type,
            inputs=inputs,
            values=values,
            parameters=count_parameters(node.op_type, name, [each.shape for each in learned]),
            macs=count_macs(node.op_type, learned[0].shape if learned else None, values.shape, given),
            field=self.fields.get(tensor),
            window=window,
            weight=learned[0] if readable else None,
            bias=learned[1] if readable and len(learned) > 1 else None,
            group=int(attributes.get("group", 1)),
            padded_counts=bool(attributes.get("count_include_pad", 0)),
            turned=bool(attributes.get("transB", 0)),
            reads=tuple(node.input),
            origins=origins,
            gives=tensor,
            attributes=attributes,
            domain="" if node.domain == "ai.onnx" else node.domain,
            batched=batched,
            half=self.values[tensor].dtype == np.float16,
        )


class Lens:
    """A graph opened to be looked into, twice: the original that answers, and the copy that gives out every layer; for many pictures."""

    def __init__(self, data: bytes, *, output: str = "logits", alone: bool = False, seconds: float = math.inf, free: Collection[str] = ()) -> None:
        """Find the layers between the picture and `output`; raises HostileModelFile when the graph cannot be run.

        With `alone`, steps that `output` does not need are left out of both: nobody has counted what they ask for. A pass that takes more than
        `seconds` is ended, between two steps. Weights that are `free` may be others in each pass.
        """
        model = parse(data)
        if alone:
            leave_only(model.graph, output)
        self.editable = frozenset(editable(model.graph))
        self.constants = constants_of(model.graph, free)
        self.picture = next(each.name for each in model.graph.input if each.name not in self.constants)
        set_free(model.graph, free)
        data = model.SerializeToString() if alone or free else data
        self.output = output
        self._seconds = seconds
        self.opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 1)
        # Copies: a node of a graph in memory keeps the whole graph there.
        self._path = [onnx.NodeProto.FromString(node.SerializeToString()) for node in path_to(model.graph, self.picture, output, self.constants)]
        whole = any("Quantize" in node.op_type or node.op_type.startswith("QLinear") for node in model.graph.node)
        # Asked for anything else, the runtime would not fuse an int8 graph as it does the original, and answer other numbers.
        shown = [node for node in self._path if not whole or node.op_type == "DequantizeLinear"]
        made = {name for node in self._path for name in node.output} | {self.picture, ""} | set(self.constants)
        self._fixed = [] if whole else list(dict.fromkeys(name for node in self._path for name in node.input if name not in made))
        self._names = list(dict.fromkeys([*(name for node in shown for name in outputs_of(node)), *self._fixed, output]))
        self._data = data
        self._original: onnxruntime.InferenceSession | None = None
        present = {each.name for each in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self._names if name not in present)
        self._copy = session_of(model.SerializeToString())

    def answers(self, image: np.ndarray, names: Sequence[str], weights: Mapping[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """Return outputs of the original, by name; `weights` are new values for free ones."""
        if self._original is None:
            self._original = session_of(self._data)
        return dict(zip(names, self._asked(self._original, list(names), {self.picture: image, **(weights or {})}), strict=True))

    def _asked(self, session: onnxruntime.InferenceSession, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Run a session; a file can pass every check on reading and still not run, or not end."""
        options = onnxruntime.RunOptions()
        clock = threading.Timer(self._seconds, setattr, (options, "terminate", True)) if math.isfinite(self._seconds) else None
        if clock:
            clock.start()
        try:
            answers: list[np.ndarray] = session.run(names, feed, options)
        except Exception as error:  # ONNX Runtime's errors share no public base class
            if options.terminate:
                raise HostileModelFile(f"the model file did not answer within {self._seconds:g} s", "give a smaller network") from error
            raise HostileModelFile(f"the model file cannot be run: {str(error).splitlines()[0]}", "train or export it again") from error
        finally:
            if clock:
                clock.cancel()
        return answers

    def look(
        self,
        image: np.ndarray,
        *,
        reference: np.ndarray | None = None,
        size: tuple[int, int] | None = None,
        every: bool = False,
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> Look:
        """Return every layer for one input, see `look`; with `every` also those of whole numbers and those without an axis for the batch.

        `weights` are new values for free ones, whole.
        """
        weights = dict(weights or {})
        if reference is None:
            reference = self.answers(image, [self.output], weights)[self.output]
        values = dict(zip(self._names, self._asked(self._copy, self._names, {self.picture: image, **weights}), strict=True))
        half = any(value.dtype == np.float16 for value in values.values())
        difference = _compare(values[self.output], reference, HALF if half else TOLERANCE)
        values[self.picture] = image
        constants = self.constants | {name: values[name] for name in self._fixed} | weights
        reading = _Reading(self.picture, size or (image.shape[1], image.shape[2]), constants, values)
        layers = []
        for node in self._path:
            window = reading.follow(node)
            for name in outputs_of(node):
                value = values.get(name)
                batched = value is not None and value.shape[:1] == image.shape[:1]
                if value is not None and value.dtype.kind in ("fiub" if every else "f") and (batched or every):
                    layers.append(reading.layer(node, window, name, batched))
        return Look(tuple(layers), np.asarray(reference[0] if reference.ndim else reference), difference, constants)


def look(data: bytes, image: np.ndarray, *, reference: np.ndarray | None = None, output: str = "logits", size: tuple[int, int] | None = None) -> Look:
    """Run the graph in `data` on one input and return every layer between the picture and `output`.

    `image` has the batch axis, (1, H, W, C) or whatever the graph takes; `size` is the picture's (height, width), read from an
    (1, H, W, C) image by default. `reference` are the original's logits (1, labels); without it the original is run here.
    Raises HostileModelFile when the graph cannot be run and ParityError when copy and original differ by more than 1e-5
    (of the largest logit, where that exceeds 1).
    """
    return Lens(data, output=output).look(image, reference=reference, size=size)


def _compare(copy: np.ndarray, original: np.ndarray, tolerance: float) -> float:
    """Return the largest difference of the logits; raises ParityError when the copy is not the original."""
    if np.array_equal(copy, original, equal_nan=True):
        return 0.0
    difference = float(np.max(np.abs(copy.astype(np.float64) - original)))
    if not difference <= tolerance * max(1.0, float(np.max(np.abs(original)))):
        raise ParityError(
            f"the copy of the graph that gives out its layers differs from the file by {difference:.3g} in a logit",
            "the report would not show what the file does; please report this model file",
        )
    return difference
