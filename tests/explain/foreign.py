"""Graphs that nobody of ours exported, built node by node for tests."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from peephole.explain.openmodel import OpenModel, open_bytes


def graph(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, np.ndarray],
    shape: Sequence[int | str] = ("N", 3, 9, 8),
    *,
    output: str = "out",
    opset: int = 17,
    dtype: int = TensorProto.FLOAT,
    metadata: Mapping[str, str] | None = None,
    domains: Sequence[str] = (),
) -> bytes:
    """Return the bytes of a graph from "x" to `output`."""
    inside = [helper.make_tensor_value_info("x", dtype, shape)]
    outside = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    initialisers = [numpy_helper.from_array(np.array(value, order="C"), name) for name, value in constants.items()]
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    built = helper.make_model(helper.make_graph(nodes, "foreign", inside, outside, initialisers), opset_imports=opsets, ir_version=8)
    if metadata:
        helper.set_model_props(built, dict(metadata))
    return bytes(built.SerializeToString())


def opened(
    nodes: Sequence[onnx.NodeProto], constants: Mapping[str, np.ndarray], shape: Sequence[int | str] = ("N", 3, 9, 8), **more: Any
) -> OpenModel:
    """Return such a graph, opened."""
    return open_bytes(graph(nodes, constants, shape, **more), "foreign.onnx")


def node(op: str, *inputs: str, out: str = "out", name: str = "", **attributes: Any) -> onnx.NodeProto:
    """Return one node."""
    return helper.make_node(op, list(inputs), [out], name, **attributes)


def noise(shape: Sequence[int], seed: int = 0, size: float = 1.0) -> np.ndarray:
    """Return seeded float32 noise."""
    return np.random.default_rng(seed).normal(0, size, tuple(shape)).astype(np.float32)
