"""Small networks to look into, exported by nobody of ours, with seeded weights: plain, with a way round, with branches, and cheap."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Weights = dict[str, np.ndarray]


class Graph:
    """Nodes and weights, one behind the other."""

    def __init__(self, seed: int = 0) -> None:
        self.draw = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: Weights = {}

    def node(self, op: str, name: str, *inputs: str, **attributes: object) -> str:
        """Add a node called as its output."""
        self.nodes.append(helper.make_node(op, list(inputs), [name], name, **attributes))
        return name

    def weight(self, name: str, *shape: int, size: float | None = None) -> str:
        """Draw weights, as large as keeps the values about as large as they come."""
        size = (2 / max(1, np.prod(shape[1:]))) ** 0.5 if size is None else size
        self.weights[name] = self.draw.normal(0, size, shape).astype(np.float32)
        return name

    def conv(self, name: str, source: str, out: int, channels: int, side: int, *, stride: int = 1, group: int = 1) -> str:
        """Add a convolution that keeps the size (or divides it by the stride)."""
        weight, bias = self.weight(f"{name}.weight", out, channels // group, side, side), self.weight(f"{name}.bias", out, size=0.1)
        return self.node("Conv", name, source, weight, bias, pads=[side // 2] * 4, strides=[stride] * 2, group=group, kernel_shape=[side] * 2)

    def dense(self, name: str, source: str, out: int, units: int) -> str:
        """Add a fully connected layer."""
        return self.node("Gemm", name, source, self.weight(f"{name}.weight", out, units), self.weight(f"{name}.bias", out, size=0.1), transB=1)

    def save(self, path: Path, shape: Sequence[int], output: str, *, labels: Sequence[str] = (), opset: int = 17) -> Path:
        """Write the graph from "image" (of `shape`, batch left out) to `output`."""
        inside = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *shape])]
        outside = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        initialisers = [numpy_helper.from_array(value, name) for name, value in self.weights.items()]
        graph = helper.make_graph(self.nodes, "foreign", inside, outside, initialisers)
        built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        if labels:
            helper.set_model_props(built, {"labels": json.dumps([*labels])})
        path.write_bytes(built.SerializeToString())
        return path


def plain(path: Path, labels: Sequence[str] = ("cross", "ring", "bar"), channels: int = 4, side: int = 12) -> Path:
    """Write convolution, ReLU, pooling, twice; then two fully connected layers."""
    graph = Graph(1)
    last = graph.node("Relu", "relu1", graph.conv("conv1", "image", channels, 1, 3))
    last = graph.node("MaxPool", "pool1", last, kernel_shape=[2, 2], strides=[2, 2])
    last = graph.node("Relu", "relu2", graph.conv("conv2", last, 6, channels, 3))
    last = graph.node("MaxPool", "pool2", last, kernel_shape=[2, 2], strides=[2, 2])
    last = graph.node("Flatten", "flatten", last)
    last = graph.node("Relu", "relu3", graph.dense("dense1", last, 10, 6 * (side // 4) ** 2))
    return graph.save(path, (1, side, side), graph.dense("logits", last, len(labels), 10), labels=labels)


def resnet(path: Path) -> Path:
    """Write two blocks with a way round, the second with a stride and a projection."""
    graph = Graph(2)
    first = graph.node("Relu", "stem_relu", graph.conv("stem", "image", 4, 3, 3))
    inner = graph.conv("block1_b", graph.node("Relu", "block1_relu", graph.conv("block1_a", first, 4, 4, 3)), 4, 4, 3)
    second = graph.node("Relu", "block1_out", graph.node("Add", "block1_add", inner, first))
    inner = graph.conv("block2_b", graph.node("Relu", "block2_relu", graph.conv("block2_a", second, 8, 4, 3, stride=2)), 8, 8, 3)
    third = graph.node("Relu", "block2_out", graph.node("Add", "block2_add", inner, graph.conv("block2_way", second, 8, 4, 1, stride=2)))
    pooled = graph.node("Flatten", "flatten", graph.node("GlobalAveragePool", "mean", third))
    return graph.save(path, (3, 10, 10), graph.dense("logits", pooled, 4, 8), labels=("a", "b", "c", "d"))


def inception(path: Path) -> Path:
    """Write one block of four ways put one behind the other, and shares at the end."""
    graph = Graph(3)
    stem = graph.node("Relu", "stem_relu", graph.conv("stem", "image", 6, 3, 3))
    ways = [
        graph.conv("way1", stem, 2, 6, 1),
        graph.conv("way3", graph.conv("way3_less", stem, 2, 6, 1), 3, 2, 3),
        graph.conv("way5", graph.conv("way5_less", stem, 2, 6, 1), 2, 2, 5),
        graph.conv("wayp", graph.node("MaxPool", "wayp_pool", stem, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]), 2, 6, 1),
    ]
    last = graph.node("Relu", "joined_relu", graph.node("Concat", "joined", *ways, axis=1))
    last = graph.node("AveragePool", "average", last, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    last = graph.node("Flatten", "flatten", graph.node("GlobalAveragePool", "mean", last))
    return graph.save(path, (3, 8, 8), graph.node("Softmax", "shares", graph.dense("logits", last, 3, 9), axis=1), labels=("left", "mid", "right"))


def mobile(path: Path) -> Path:
    """Write a cheap convolution: by channel, normalised, clipped, weighed by a squeezed copy of itself."""
    graph = Graph(4)
    last = graph.conv("stem", "image", 4, 1, 3, stride=2)
    graph.weights |= {name: np.linspace(0.5, 1.5, 4, dtype=np.float32) for name in ("norm.scale", "norm.bias", "norm.mean", "norm.var")}
    last = graph.node("BatchNormalization", "norm", last, "norm.scale", "norm.bias", "norm.mean", "norm.var")
    graph.weights |= {"zero": np.array(0, np.float32), "six": np.array(6, np.float32)}
    last = graph.node("Clip", "clip", graph.conv("depthwise", last, 4, 4, 3, group=4), "zero", "six")
    gate = graph.node("Sigmoid", "gate", graph.conv("squeeze", graph.node("GlobalAveragePool", "mean", last), 4, 4, 1))
    last = graph.node("HardSwish", "swish", graph.node("Mul", "weighed", last, gate))
    last = graph.node("ReduceMean", "reduced", last, axes=[2, 3], keepdims=0)
    return graph.save(path, (1, 12, 12), graph.dense("logits", last, 2, 4), labels=("yes", "no"))


def wide(path: Path) -> Path:
    """Write a layer of 1,000 channels."""
    graph = Graph(5)
    last = graph.node("Relu", "relu1", graph.conv("conv1", "image", 1000, 1, 3))
    last = graph.node("Flatten", "flatten", graph.node("GlobalAveragePool", "mean", last))
    return graph.save(path, (1, 6, 6), graph.dense("logits", last, 3, 1000))


def dot(path: Path) -> Path:
    """Write a network that takes a picture of one pixel."""
    graph = Graph(6)
    last = graph.node("Flatten", "flatten", graph.conv("conv1", "image", 2, 1, 1))
    return graph.save(path, (1, 1, 1), graph.dense("logits", last, 2, 2))


def broken(path: Path) -> Path:
    """Write a network whose second layer is no number: the logarithm of values that may be negative."""
    graph = Graph(7)
    last = graph.node("Log", "log", graph.conv("conv1", "image", 2, 1, 3))
    return graph.save(path, (1, 6, 6), graph.dense("logits", graph.node("Flatten", "flatten", last), 2, 72))


def unknown(path: Path) -> Path:
    """Write a network with an operation that the page cannot explain."""
    graph = Graph(8)
    graph.weights["axis"] = np.array(2, np.int64)
    last = graph.node("CumSum", "running", graph.conv("conv1", "image", 2, 1, 3), "axis")
    return graph.save(path, (1, 6, 6), graph.dense("logits", graph.node("Flatten", "flatten", last), 2, 72))


ALL: Mapping[str, Callable[[Path], Path]] = {
    "plain": plain,
    "resnet": resnet,
    "inception": inception,
    "mobile": mobile,
    "wide": wide,
    "dot": dot,
    "broken": broken,
    "unknown": unknown,
}
EXPLAINED = ("plain", "resnet", "inception", "mobile")
