"""ONNX graphs in memory: what is constant in them, what leads where, and a session that runs one; for looking inside (see layers)."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from peephole.base.errors import HostileModelFile

__all__ = ["attributes_of", "constants_of", "editable", "leave_only", "outputs_of", "parse", "path_to", "session_of", "set_free"]


def parse(data: bytes) -> onnx.ModelProto:
    """Read checked bytes; raises HostileModelFile for what the protobuf library finds wrong in fields that nobody else reads."""
    try:
        return onnx.load_from_string(data)
    except Exception as error:  # protobuf's DecodeError is a plain Exception, of a library that is not ours
        raise HostileModelFile("the model file is no whole ONNX file", "copy it again from where it came from, or export it again") from error


def session_of(data: bytes) -> onnxruntime.InferenceSession:
    """Return a session of one thread; raises HostileModelFile when the graph cannot be run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no public base class
        raise HostileModelFile(f"the model file cannot be run: {str(error).splitlines()[0]}", "train or export it again") from error


def constants_of(graph: onnx.GraphProto, free: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Return every constant of the graph by the name of its tensor; another name for a `free` one is worked out with it."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            found |= {name: numpy_helper.to_array(each.t) for name in node.output for each in node.attribute if each.name == "value"}
        elif node.op_type == "Identity" and node.input[0] in found and node.input[0] not in free:
            found[node.output[0]] = found[node.input[0]]
    return found


def editable(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Return the tensors of weights that stand in the file itself, by name."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            found |= {name: each.t for name in node.output for each in node.attribute if each.name == "value"}
    return found


def leave_only(graph: onnx.GraphProto, output: str) -> None:
    """Take all steps and outputs out of a graph that `output` does not need."""
    needed, kept = {output}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    ends = [each for each in graph.output if each.name == output]
    del graph.node[:], graph.output[:]
    graph.node.extend(kept[::-1])
    graph.output.extend(ends)


def set_free(graph: onnx.GraphProto, names: Collection[str]) -> None:
    """Make weights of a graph inputs, whose values in the file are used where none are given."""
    given = {each.name for each in graph.input}
    for node in [each for each in graph.node if each.op_type == "Constant" and each.output[0] in names]:
        held = editable(graph)[node.output[0]]
        graph.initializer.add().CopyFrom(held)
        graph.initializer[-1].name = node.output[0]
        graph.node.remove(node)
    for tensor in graph.initializer:
        if tensor.name in names and tensor.name not in given:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))


def path_to(graph: onnx.GraphProto, picture: str, output: str, constants: Mapping[str, np.ndarray]) -> list[onnx.NodeProto]:
    """Return the nodes that lie between the picture and `output`, in order; what is made of the picture's size alone is not among them."""
    reached = {picture}
    for node in graph.node:
        if reached & set(node.input) and node.op_type not in {"Shape", "Size"}:
            reached |= set(node.output)
    needed, kept = {output}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            if reached & set(node.input) and node.output[0] not in constants and node.op_type not in {"Shape", "Size"}:
                kept.append(node)
    return kept[::-1]


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes by name."""
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}


def outputs_of(node: onnx.NodeProto) -> list[str]:
    """Return the outputs of a node that are layers: the first, and every part of a Split."""
    return [name for name in (node.output if node.op_type == "Split" else node.output[:1]) if name]
