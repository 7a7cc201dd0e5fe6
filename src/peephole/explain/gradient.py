"""The way back: how fast any number behind the picture changes with every number before it.

ONNX Runtime runs a copy of the graph that takes the prepared picture as real numbers, so that it can stand between two grey levels, and gives out
every layer; the slopes are then handed back layer by layer in numpy (`slopes`). Nothing is trained and nothing of PyTorch is needed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from peephole.base.errors import InputError, ModelFileError, did_you_mean
from peephole.explain.graphs import attributes_of, constants_of, session_of
from peephole.explain.slopes import Step, slopes_of

__all__ = ["PICTURE", "Node", "Passed", "Tape", "gradient"]

PICTURE = ""  # the name by which layers call the prepared picture
ROOM = 8_000_000  # numbers of all layers together that one pass may hold: 32 MB, beside lite0's 72 MB at 224 px


@dataclass(frozen=True, eq=False)
class Passed:
    """A forward pass of N pictures: every tensor's values by name, with the batch axis; only `Tape` reads them."""

    values: Mapping[str, np.ndarray]
    count: int


@dataclass(frozen=True, eq=False)
class Node:
    """One step of the graph: its layer's name, its operation, the tensors it reads and gives."""

    name: str
    op: str
    attributes: dict[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Tape:
    """A graph that can be run forward, every value kept, and then backward from any layer to any layer before it.

    `names` are its layers, in order, by the names that `explain.layers` gives them, `nodes` what they do; the last is the layer it ends with.
    """

    def __init__(self, data: bytes, *, until: str = "logits", keep: Iterable[str] | None = None) -> None:
        """Open a copy of the graph in `data` up to layer (or tensor) `until`; raises HostileModelFile when it cannot be run.

        With `keep`, the values of these layers alone are kept, which saves most of the memory: they can be read, but there is no way back.
        """
        model = onnx.load_from_string(data)
        graph = model.graph
        self._constants = constants_of(graph)
        given = next(each for each in graph.input if each.name not in self._constants)
        made = {output: _read(node) for node in graph.node for output in node.output if output}
        self._end = _tensor(until, made)
        self.picture: str = given.name
        needed = _before(self._end, made, self._constants)
        nodes = [node for node in graph.node if needed & set(node.output) and not set(node.output) <= set(self._constants)]
        moving = _behind({given.name}, nodes)
        self.nodes = tuple(made[node.output[0]] for node in nodes if moving & set(node.input))
        self._tensors: dict[str, str] = {PICTURE: self.picture} | {node.name: node.outputs[0] for node in reversed(self.nodes)}
        self.names = tuple(node.name for node in self.nodes)
        # What the picture does not change but some node still works out is asked for as well: its values are needed on the way back.
        fixed = {each for node in self.nodes for each in node.inputs if each and each not in moving and each not in self._constants}
        read = {each for node in self.nodes for each in node.inputs}
        kept = [each for node in self.nodes for each in node.outputs if each and (each == node.outputs[0] or each in read or node.op == "Split")]
        self._asked = [*dict.fromkeys(kept), *sorted(fixed)] if keep is None else [self._find(layer) for layer in keep]
        self._session = session_of(_copy(model, given.name, nodes, self._asked, self._constants))
        batch = given.type.tensor_type.shape.dim[0] if given.type.tensor_type.shape.dim else None
        self.alone = batch is not None and batch.HasField("dim_value") and batch.dim_value == 1
        """Whether the graph takes one picture at a time only."""

    def run(self, images: np.ndarray) -> Passed:
        """Pass pictures forward; `images` (N, H, W, C) or whatever the graph takes, numbers of the picture's own scale (0..255), not rounded."""
        images = np.ascontiguousarray(images, np.float32)
        try:
            answers = self._session.run(self._asked, {self.picture: images})
        except Exception as error:  # ONNX Runtime's errors share no public base class
            raise ModelFileError(
                f"the graph cannot take pictures of shape {images.shape}: {str(error).splitlines()[0]}", "give it what its card says"
            ) from error
        return Passed({self.picture: images} | dict(zip(self._asked, answers, strict=True)), len(images))

    def values(self, passed: Passed, layer: str | None = None) -> np.ndarray:
        """Return a layer's values (N, ...) in a pass, those of the last layer by default."""
        return passed.values[self._end if layer is None else self._find(layer)]

    def back(self, passed: Passed, slopes: Mapping[str, np.ndarray], to: Iterable[str] = (PICTURE,)) -> dict[str, np.ndarray]:
        """Return, for each layer of `to`, the slope of s = the sum of slope * value over the layers in `slopes`.

        Every slope has the shape (N, ...) of its layer. Raises ModelFileError, naming the layer, where an operation between has no known slope.
        """
        wanted = {layer: self._find(layer) for layer in to}
        leading = _behind(set(wanted.values()), self.nodes)
        flowing = {self._find(layer): np.asarray(slope, np.float32) for layer, slope in slopes.items()}
        for node in reversed(self.nodes):
            asked = tuple(each in leading for each in node.inputs)
            if not any(each in flowing for each in node.outputs) or not any(asked):
                continue
            slope = self._slope_of(node, passed, flowing)
            parts = slopes_of(self._step(node, passed, asked), slope)
            for name, part in zip(node.inputs, parts, strict=False):
                if part is not None and name in leading:
                    flowing[name] = flowing[name] + part if name in flowing else part
            for spent in set(node.outputs) - set(wanted.values()):
                flowing.pop(spent, None)  # all slopes of a large network at once take 70 MB
        return {layer: flowing.get(tensor, np.zeros_like(passed.values[tensor])) for layer, tensor in wanted.items()}

    def _slope_of(self, node: Node, passed: Passed, flowing: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the slope of a node's answer; of all answers of a Split together, in their order."""
        if node.op == "Split":
            every = [flowing[each] if each in flowing else np.zeros_like(passed.values[each]) for each in node.outputs]
            return np.concatenate(every, axis=int(node.attributes.get("axis", 0)))
        if node.outputs[0] not in flowing:
            raise ModelFileError(f"layer {node.name} hands on a second answer, whose slope is not worked out here", "ask for a layer behind it")
        return flowing[node.outputs[0]]

    def constant(self, tensor: str) -> np.ndarray | None:
        """Return a constant of the graph, or None when there is none of that name."""
        return self._constants.get(tensor)

    def slope(self, passed: Passed, unit: int, to: str = PICTURE) -> np.ndarray:
        """Return the slope (N, ...) of unit `unit` of the last layer, flattened, with respect to layer `to`."""
        values = np.asarray(self.values(passed))
        if values.dtype.kind != "f":
            raise InputError(f"layer {self.names[-1]} answers no real numbers, so it has no slope", "ask for the layer before it")
        units = values[0].size
        if not 0 <= unit < units:
            raise InputError(f"layer {self.names[-1]} has {units} units, so there is no unit {unit}", f"give one from 0 to {units - 1}")
        seed = np.zeros((len(values), units), np.float32)
        seed[:, unit] = 1
        return self.back(passed, {self.names[-1]: seed.reshape(values.shape)}, (to,))[to]

    def together(self, passed: Passed) -> int:
        """Return how many pictures fit into one pass, judged by one that was made."""
        return self.at_once(sum(value.size for value in passed.values.values()) // max(1, passed.count))

    def at_once(self, numbers: int) -> int:
        """Return how many pictures fit into one pass whose layers hold so many numbers each."""
        return 1 if self.alone else max(1, min(32, ROOM // max(1, numbers)))

    def _step(self, node: Node, passed: Passed, asked: tuple[bool, ...]) -> Step:
        given = tuple(None if not each else passed.values[each] if each in passed.values else self._constants[each] for each in node.inputs)
        return Step(node.name, node.op, node.attributes, given, passed.values[node.outputs[0]], asked)

    def _find(self, layer: str) -> str:
        """Return the name of a layer's tensor."""
        if layer not in self._tensors:
            near = did_you_mean(layer, self._tensors)
            raise InputError(f"there is no layer '{layer}' before {self.names[-1]}{near}", "take a name from the table of layers")
        return self._tensors[layer]


def _read(node: onnx.NodeProto) -> Node:
    return Node(node.name or node.output[0], node.op_type, attributes_of(node), tuple(node.input), tuple(node.output))


def _tensor(name: str, made: Mapping[str, Node]) -> str:
    """Return the tensor of that name, or that of the layer of that name."""
    found = name if name in made else next((tensor for tensor, node in made.items() if node.name == name), None)
    if found is None:
        raise InputError(f"the graph has no layer '{name}'{did_you_mean(name, made)}", "take a name from the table of layers")
    return found


def _before(end: str, made: Mapping[str, Node], constants: Mapping[str, np.ndarray]) -> set[str]:
    """Return every tensor that `end` is worked out from, itself included."""
    found, left = set[str](), [end]
    while left:
        tensor = left.pop()
        if tensor in found or tensor in constants:
            continue
        found.add(tensor)
        left += made[tensor].inputs if tensor in made else ()
    return found


def _behind(start: set[str], nodes: Iterable[Any]) -> set[str]:
    """Return every tensor that changes with one of `start`, these included; `nodes` are in the order of computation."""
    found = set(start)
    for node in nodes:
        inputs, outputs = (node.input, node.output) if isinstance(node, onnx.NodeProto) else (node.inputs, node.outputs)
        if found & set(inputs):
            found |= {each for each in outputs if each}
    return found


def _copy(model: onnx.ModelProto, picture: str, nodes: list[onnx.NodeProto], asked: list[str], constants: Mapping[str, np.ndarray]) -> bytes:
    """Return the bytes of a graph of these nodes alone that takes real numbers and gives out the tensors asked for."""
    copy = onnx.ModelProto()
    copy.ir_version = model.ir_version
    copy.opset_import.extend(model.opset_import)
    copy.graph.name = model.graph.name or "copy"
    read = {each for node in nodes for each in node.input}
    copy.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items() if name in read)
    copy.graph.node.extend(nodes)
    given = copy.graph.input.add()
    given.CopyFrom(next(each for each in model.graph.input if each.name == picture))
    given.type.tensor_type.elem_type = TensorProto.FLOAT
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in asked)
    return bytes(copy.SerializeToString())


def gradient(data: bytes, image: np.ndarray, unit: int, *, of: str = "logits", to: str = PICTURE) -> np.ndarray:
    """Return the slope of one unit of layer `of` with respect to layer `to` for one picture, in the shape of `to` without the batch.

    `image` has the batch axis, (1, H, W, C) or whatever the graph takes. With respect to the picture a slope is in units of `of` per grey level.
    Raises ModelFileError, naming the layer, where an operation between has no known slope, and InputError for a layer or unit that is not there.
    """
    tape = Tape(data, until=of)
    return np.asarray(tape.slope(tape.run(image), unit, to)[0])
