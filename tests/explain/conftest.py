"""Models to explain: small door models built node by node, so that every number in them is known."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from peephole.base.card import Card, Input, Parity, Resize, Score, Training, Unknown
from peephole.base.evidence import measure
from peephole.base.modelwrite import write

Weights = dict[str, np.ndarray]


def random_weights(seed: int, channels: int, size: int, *, filters: Sequence[int], hidden: int, labels: int) -> Weights:
    """Return seeded weights for conv stages and two dense layers."""
    draw = np.random.default_rng(seed)
    weights, before, side = {}, channels, size
    for stage, count in enumerate(filters, 1):
        weights[f"conv{stage}.weight"] = draw.normal(0, (2 / (9 * before)) ** 0.5, (count, before, 3, 3))
        weights[f"conv{stage}.bias"] = draw.normal(0, 0.1, count)
        before, side = count, -(-side // 2)
    flat = before * side * side
    weights["dense1.weight"] = draw.normal(0, (2 / flat) ** 0.5, (hidden, flat))
    weights["dense1.bias"] = draw.normal(0, 0.1, hidden)
    weights["logits.weight"] = draw.normal(0, (2 / hidden) ** 0.5, (labels, hidden))
    weights["logits.bias"] = draw.normal(0, 0.1, labels)
    return {name: value.astype(np.float32) for name, value in weights.items()}


def door_graph(weights: Weights, size: int, known: np.ndarray, centre: np.ndarray, *, labels: int, k: int) -> onnx.ModelProto:
    """Return the graph of a door model; `known` (labels * m, hidden) are unit vectors, ordered by label."""
    channels, stages = weights["conv1.weight"].shape[1], sum(name.startswith("conv") for name in weights) // 2
    constants = dict(weights)
    constants |= {
        "mean": np.full(channels, 128, np.float32),
        "gain": np.full(channels, 1 / 64, np.float32),
        "centre": centre,
        "known": known.T.copy(),
    }
    constants |= {
        "by_label": np.array([-1, labels, len(known) // labels], np.int64),
        "k": np.array([k], np.int64),
        "tiny": np.array(1e-12, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["normalise_cast"], "normalise_cast", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["normalise_cast", "mean"], ["normalise_mean"], "normalise_mean"),
        helper.make_node("Mul", ["normalise_mean", "gain"], ["normalise_scale"], "normalise_scale"),
        helper.make_node("Transpose", ["normalise_scale"], ["normalise"], "normalise", perm=[0, 3, 1, 2]),
    ]
    last = "normalise"
    for stage in range(1, stages + 1):
        names = [f"{kind}{stage}" for kind in ("conv", "relu", "pool")]
        nodes.append(helper.make_node("Conv", [last, f"{names[0]}.weight", f"{names[0]}.bias"], [names[0]], names[0], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [names[0]], [names[1]], names[1]))
        pool = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
        nodes.append(helper.make_node("MaxPool", [names[1]], [names[2]], names[2], **pool))
        last = names[2]
    nodes += [
        helper.make_node("Flatten", [last], ["flatten"], "flatten"),
        helper.make_node("Gemm", ["flatten", "dense1.weight", "dense1.bias"], ["dense1"], "dense1", transB=1),
        helper.make_node("Relu", ["dense1"], ["embedding"], "relu_dense1"),
        helper.make_node("Gemm", ["embedding", "logits.weight", "logits.bias"], ["logits"], "logits", transB=1),
        helper.make_node("Sub", ["embedding", "centre"], ["centred"], "familiarity_centre"),
        helper.make_node("ReduceL2", ["centred"], ["length"], "familiarity_length", axes=[1], keepdims=1),
        helper.make_node("Add", ["length", "tiny"], ["safe"], "familiarity_safe"),
        helper.make_node("Div", ["centred", "safe"], ["unit"], "familiarity_unit"),
        helper.make_node("MatMul", ["unit", "known"], ["similarity"], "familiarity_similarity"),
        helper.make_node("Reshape", ["similarity", "by_label"], ["grouped"], "familiarity_by_label"),
        helper.make_node("TopK", ["grouped", "k"], ["top", "where"], "familiarity_top", axis=2),
        helper.make_node("ReduceMean", ["top"], ["familiarity"], "familiarity", axes=[2], keepdims=0),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", size, size, channels])
    widths = {"logits": labels, "embedding": len(centre), "familiarity": labels, "similarity": len(known)}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width]) for name, width in widths.items()]
    initialisers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "door", [image], outputs, initialisers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def door_card(labels: Sequence[str], size: int, channels: int, hidden: int, known: int, **changes: object) -> Card:
    """Return a card that fits `door_graph`."""
    each = known // len(labels)
    unknown = Unknown(
        **{"k": 3, "threshold": 0.3, "margin": 0.02, "how": "chosen on held-out labels; an estimate"} | dict(changes.pop("unknown", {})),
        known_labels=tuple(index for index in range(len(labels)) for _ in range(each)),
        known_digests=changes.pop("digests", tuple(f"{index:064x}" for index in range(known))),
        known_ids=changes.pop("ids", tuple(f"{labels[index // each]}/{index % each}.png" for index in range(known))),
    )
    values = {
        "kind": "photo",
        "labels": tuple(labels),
        "input": Input(shape=("N", size, size, channels), resize=Resize(to=(size, size)), colour="grey" if channels == 1 else "rgb"),
        "outputs": {"logits": ("N", len(labels)), "embedding": ("N", hidden), "familiarity": ("N", len(labels)), "similarity": ("N", known)},
        "layers": (),
        "unknown": unknown,
        "temperature": 1.31,
        "evidence": (measure("false accept", 0, 5, "kind", "estimate"), measure("false reject", 1, 20, "photo", "proof")),
        "scores": {"held_out": Score(accuracy=0.95, n=40, interval=(0.83, 0.99), role="proof")},
        "training": Training(
            **{"examples": dict.fromkeys(labels, 10), "strangers": {"visitor": 4}, "sources": 24, "digests": (), "recipe": {"network": "plain"}},
            **{"sentence": "plain network, 600 steps, shift 8 %.", "seed": 7},
        ),
        "parity": Parity(max_difference=3.1e-6, changed_decisions=0, n=40),
        "software": {"peephole": "0.1.0", "torch": "2.13.0"},
    }
    return Card(**values | changes)


@pytest.fixture(scope="session")
def make_door(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes a door model with seeded weights and returns its path."""

    def make(
        labels: Sequence[str] = ("ana", "junho", "mina"),
        *,
        size: int = 28,
        channels: int = 1,
        filters: Sequence[int] = (8, 12),
        gain: float = 1.0,
        **changes: object,
    ) -> Path:
        weights = random_weights(3, channels, size, filters=filters, hidden=32, labels=len(labels))
        weights = {name: value * np.float32(gain) for name, value in weights.items()}
        draw = np.random.default_rng(4)
        points = draw.normal(size=(4 * len(labels), 32)).astype(np.float32)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        graph = door_graph(weights, size, points, np.zeros(32, np.float32), labels=len(labels), k=3)
        path = tmp_path_factory.mktemp("door") / "door.onnx"
        write(path, graph, door_card(labels, size, channels, 32, 4 * len(labels), **changes))
        return path

    return make
