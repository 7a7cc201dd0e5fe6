"""What a graph costs is counted before it runs: the sizes are those that ONNX itself infers, for every operator that is let through."""

import io
import time
import warnings

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from peephole.base.errors import HostileModelFile
from peephole.base.graph import check
from peephole.base.modelfile import read
from peephole.base.operators import OPERATORS, Call
from peephole.base.work import measure

F = TensorProto.FLOAT


def graph_of(inputs, nodes, weights=()):
    """Return a model of `nodes` whose inputs have these shapes; lists of numbers in a node's inputs become constants."""
    made, constants = [], [numpy_helper.from_array(np.asarray(value), name) for name, value in dict(weights).items()]
    for at, (op, names, outputs, attributes) in enumerate(nodes):
        words = []
        for place, value in enumerate(names):
            if not isinstance(value, str):
                constants.append(numpy_helper.from_array(np.asarray(value, np.int64), f"k{at}.{place}"))
            words.append(value if isinstance(value, str) else f"k{at}.{place}")
        made.append(helper.make_node(op, words, outputs, f"{op.lower()}{at}", **attributes))
    ports = [helper.make_tensor_value_info(name, F, shape) for name, shape in inputs.items()]
    ends = [helper.make_tensor_value_info(nodes[-1][2][0], TensorProto.INT64 if nodes[-1][0] == "ArgMax" else F, None)]
    return helper.make_model(helper.make_graph(made, "g", ports, ends, constants), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def zeros(*shape):
    return np.zeros(shape, np.float32)


CASES = [
    ("Conv", ["x", "w"], {"strides": [2, 2], "pads": [1, 0, 2, 1], "dilations": [1, 2]}, {"w": zeros(6, 3, 3, 2)}),
    ("Conv", ["x", "w"], {"group": 3, "auto_pad": "SAME_UPPER", "strides": [3, 2]}, {"w": zeros(6, 1, 3, 3)}),
    ("MaxPool", ["x"], {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}, {}),
    ("AveragePool", ["x"], {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]}, {}),
    ("GlobalAveragePool", ["x"], {}, {}),
    ("BatchNormalization", ["x", "w", "w", "w", "w"], {}, {"w": zeros(3)}),
    ("Relu", ["x"], {}, {}),
    ("Clip", ["x"], {}, {}),
    ("Softmax", ["x"], {"axis": 1}, {}),
    ("Add", ["x", "w"], {}, {"w": zeros(3, 1, 9)}),
    ("Where", ["c", "x", "w"], {}, {"w": zeros(1), "c": np.ones((1, 9), bool)}),
    ("Flatten", ["x"], {"axis": 2}, {}),
    ("Reshape", ["x", [0, -1, 3]], {}, {}),
    ("Transpose", ["x"], {"perm": [0, 2, 3, 1]}, {}),
    ("Unsqueeze", ["x", [1, -1]], {}, {}),
    ("Concat", ["x", "x", "x"], {"axis": -2}, {}),
    ("Slice", ["x", [1, -1], [2**63 - 1, -(2**63)], [2, 3], [2, -1]], {}, {}),
    ("Gather", ["x", [[0, 1], [2, 2]]], {"axis": 1}, {}),
    ("Expand", ["x", [2, 1, 3, 1, 1]], {}, {}),
    ("Tile", ["x", [2, 1, 1, 3]], {}, {}),
    ("Pad", ["x", [0, 0, 1, 2, 0, 0, 3, -1]], {}, {}),
    ("ReduceMean", ["x"], {"axes": [2, -1], "keepdims": 0}, {}),
    ("ReduceSum", ["x", [1]], {}, {}),
    ("ReduceL2", ["x"], {}, {}),
    ("ArgMax", ["x"], {"axis": 1}, {}),
    ("TopK", ["x", [2]], {"axis": 2}, {}),
    ("Split", ["x", [3, 5]], {"axis": 2}, {}),
    ("MatMul", ["x", "w"], {}, {"w": zeros(9, 5)}),
    ("MatMul", ["x", "w"], {}, {"w": zeros(2, 1, 9, 4)}),
    ("Identity", ["x"], {}, {}),
]


@pytest.mark.parametrize(("op", "names", "attributes", "weights"), CASES, ids=[f"{at} {case[0]}" for at, case in enumerate(CASES)])
def test_sizes_are_those_of_onnx(op, names, attributes, weights):
    """Each rule gives the shape that ONNX's own inference gives, for inputs (2, 3, 8, 9)."""
    outputs = ["y", "z"] if op in ("TopK", "Split") else ["y"]
    model = graph_of({"x": [2, 3, 8, 9]}, [(op, names, outputs, attributes)], weights)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    wanted = tuple(size.dim_value for size in inferred.graph.output[0].type.tensor_type.shape.dim)
    graph = check(model.SerializeToString())
    shapes = {"": (), "x": (2, 3, 8, 9), **{name: weight.shape for name, weight in graph.weights.items()}}
    (step,) = graph.steps
    whole = tuple(graph.weights[name].whole if name in graph.weights else None for name in step.inputs)
    assert OPERATORS[op](Call(step, tuple(shapes[name] for name in step.inputs), whole))[0][0] == wanted


def test_multiplications_are_those_of_the_card(drawn_model):
    """Convolutions and dense layers count as the card counts them; the rest is one for each value read or written."""
    model = read(drawn_model)
    found = measure(check(model.data), {"image": model.card.input.shape})
    macs = sum(layer.macs for layer in model.card.layers)
    assert macs < found.multiplications < 2 * macs + 100_000
    assert found.values == max(np.prod(layer.shape) for layer in model.card.layers)


def exported(network, *inputs, names, axes):
    """Return what PyTorch writes for a network."""
    import torch

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network.eval(), inputs, buffer, input_names=names, dynamic_axes=axes, opset_version=17, dynamo=False)
    return check(buffer.getvalue())


def test_a_table_and_a_sequence_are_let_through():
    """Entity embeddings, and a bidirectional LSTM and GRU with free batch, are made of what is listed."""
    import torch
    from torch import nn

    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.shop, self.day = nn.Embedding(1000, 10), nn.Embedding(7, 3)
            self.rest = nn.Sequential(nn.BatchNorm1d(14), nn.Linear(14, 64), nn.GELU(), nn.Dropout(), nn.LayerNorm(64), nn.Linear(64, 1))

        def forward(self, shop, day, price):
            return self.rest(torch.cat([self.shop(shop), self.day(day), price], 1)).sigmoid()

    ids, price = torch.zeros(2, dtype=torch.int64), torch.zeros(2, 1)
    rows = {name: {0: "N"} for name in ("shop", "day", "price")}
    table = exported(Table(), ids, ids, price, names=list(rows), axes=rows)
    assert measure(table, {"shop": ("N",), "day": ("N",), "price": ("N", 1)}).multiplications < 10_000

    class Sequence(nn.Module):
        def __init__(self, kind):
            super().__init__()
            self.word = nn.Embedding(500, 16)
            self.both = kind(16, 24, batch_first=True, bidirectional=True, num_layers=2)
            self.last = nn.Linear(48, 500)

        def forward(self, words):
            return self.last(self.both(self.word(words))[0]).log_softmax(-1)

    for kind, gates in ((nn.LSTM, 4), (nn.GRU, 3)):
        words = torch.zeros(2, 12, dtype=torch.int64)
        graph = exported(Sequence(kind), words, names=["words"], axes={"words": {0: "N"}})
        one, two = (24 * gates * (inside + 24) * 2 * 12 for inside in (16, 48))
        found = measure(graph, {"words": ("N", 12)}).multiplications
        assert one + two + 12 * 48 * 500 < found < 1.5 * (one + two + 12 * 48 * 500) + 100_000


def test_sizes_made_from_sizes_are_looked_at_for_every_batch():
    """A size that is small for one photo and for the largest batch, and vast between, is found: (65 - N)^6 x N^6."""
    nodes = [
        ("Transpose", ["x"], ["t"], {"perm": [1, 0]}),
        ("Pad", ["t", [0, 0, 0, 0]], ["same"], {}),
        ("Shape", ["x"], ["n"], {}),
        ("Slice", ["n", [0], [1]], ["batch"], {}),
        ("ConstantOfShape", [[65]], ["line"], {}),
        ("Slice", ["line", "batch", [65], [0]], ["rest"], {}),
        ("Shape", ["rest"], ["left"], {}),
        ("Concat", ["left"] * 6 + ["batch"] * 6, ["sizes"], {"axis": 0}),
        ("ConstantOfShape", ["sizes"], ["evil"], {}),
    ]
    graph = check(graph_of({"x": ["N", 1]}, nodes).SerializeToString())
    with pytest.raises(HostileModelFile, match="values per photo"):
        measure(graph, {"x": ("N", 1)})


def test_the_largest_file_is_refused_in_a_moment():
    """5,000 steps that make sizes from sizes take less than 10 s to count, and are refused at the first that is too large."""
    nodes = [("Shape", ["x"], ["n"], {})] + [("Relu", ["x" if n == 0 else f"r{n - 1}"], [f"r{n}"], {}) for n in range(4900)]
    data = graph_of({"x": ["N", 10_000]}, nodes).SerializeToString()
    begun = time.perf_counter()
    assert measure(check(data), {"x": ("N", 10_000)}).values == 10_000
    assert time.perf_counter() - begun < 10
