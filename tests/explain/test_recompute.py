"""Every rule of a trace gives again, cell by cell, what ONNX Runtime computed."""

import math

import numpy as np
import pytest
from cells import close_all
from foreign import node, noise, opened
from onnx import TensorProto, helper

from peephole.base.errors import InputError
from peephole.explain.openmodel import open_model
from peephole.explain.recompute import recompute
from peephole.explain.trace import Trace, trace


def cells(found: Trace) -> int:
    """Work out cells of every layer, all of which have a rule, and return how many closed; all must."""
    for layer in found.layers[1:]:
        assert layer.rule is not None, f"{layer.id} ({layer.op}) has no rule"
    return close_all(found)


CONVOLUTIONS = {
    "plain": ((4, 3, 3, 3), {}),
    "same": ((4, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
    "lopsided": ((2, 3, 2, 3), {"pads": [0, 1, 2, 0], "strides": [2, 1]}),
    "dilated": ((2, 3, 3, 2), {"dilations": [2, 3]}),
    "depthwise": ((6, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    "auto upper": ((2, 3, 4, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "auto lower": ((2, 3, 4, 4), {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    "valid": ((2, 3, 4, 4), {"auto_pad": "VALID"}),
    "pointwise": ((5, 3, 1, 1), {"strides": [3, 3]}),
    "whole": ((1000, 3, 9, 8), {}),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("biased", [True, False])
def test_convolutions(kind, biased):
    """Strides, pads, dilations, groups, automatic padding, with and without a bias, up to 1,000 channels."""
    shape, attributes = CONVOLUTIONS[kind]
    constants = {"w": noise(shape, 1), **({"b": noise(shape[:1], 2)} if biased else {})}
    model = opened([node("Conv", "x", *constants, name="conv", **attributes)], constants)
    found = trace(model, noise((1, 3, 9, 8)))
    assert cells(found) >= 4
    worked = recompute(found, "conv", (1, 0, 0))
    assert len(worked.terms) == math.prod(shape[1:]) and worked.bias == (float(constants["b"][1]) if biased else 0.0)


def test_grouped_and_one_dimensional():
    """Two groups of channels, and a row instead of a map, follow the same rule."""
    grouped = opened([node("Conv", "x", "w", group=2)], {"w": noise((6, 2, 3, 3), 1)}, ("N", 4, 9, 8))
    assert cells(trace(grouped, noise((1, 4, 9, 8))))
    nodes = [node("Reshape", "x", "row", out="rows"), node("Conv", "rows", "w", pads=[2, 1], strides=[2], dilations=[2])]
    row = opened(nodes, {"row": np.array([1, 4, 18]), "w": noise((3, 4, 3), 1)}, ("N", 1, 9, 8))
    assert cells(trace(row, noise((1, 1, 9, 8))))


POOLS = {
    "max": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "max ceil": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    "max padded": ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "max dilated": ("MaxPool", {"kernel_shape": [2, 3], "dilations": [3, 2]}),
    "average": ("AveragePool", {"kernel_shape": [2, 3]}),
    "average padded": ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    "average padded counted": ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    "average ceil": ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 3], "ceil_mode": 1}),
    "average ceil counted": (
        "AveragePool",
        {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [1, 1, 0, 0], "ceil_mode": 1, "count_include_pad": 1},
    ),
    "average same": ("AveragePool", {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "global max": ("GlobalMaxPool", {}),
    "global average": ("GlobalAveragePool", {}),
}


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("opset", [12, 19, 22])
def test_pools(kind, opset):
    """Maxima name their winner; means count what lies inside, also in windows that hang over the edge."""
    op, attributes = POOLS[kind]
    model = opened([node(op, "x", name="pool", **attributes)], {}, opset=opset)
    found = trace(model, noise((1, 3, 9, 8)))
    assert cells(found) >= 3
    worked = recompute(found, "pool", (0, 0, 0))
    if "max" in kind:
        assert worked.terms[worked.winner].value == worked.shown == max(term.value for term in worked.terms)


ALONE = (
    *("Relu", "Sigmoid", "Tanh", "Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Erf", "Identity", "Dropout"),
    *("LeakyRelu", "Elu", "Selu", "Celu", "Softplus", "Softsign", "ThresholdedRelu", "HardSigmoid", "HardSwish", "Mish", "Gelu"),
)
SET = {"LeakyRelu": {"alpha": 0.3}, "Elu": {"alpha": 0.7}, "HardSigmoid": {"alpha": 0.5, "beta": 0.1}, "Gelu": {"approximate": "tanh"}}


@pytest.mark.parametrize("op", ALONE)
def test_functions_of_one_cell(op):
    """Each function of ONNX that works cell by cell, with the usual attributes and with others."""
    for attributes in ({}, SET.get(op)):
        if attributes is not None:
            model = opened([node(op, "x", name="f", **attributes)], {}, opset=20)
            assert cells(trace(model, noise((1, 3, 9, 8), size=3)))


def test_clip_in_both_of_its_forms():
    """Limits as attributes (operator set 6) and as inputs (11), one of them left out."""
    old = opened([node("Clip", "x", min=-0.5, max=0.25)], {}, opset=9)
    new = opened([node("Clip", "x", "", "high")], {"high": np.float32(0.5)})
    for model in (old, new):
        assert cells(trace(model, noise((1, 3, 9, 8))))


BROADCAST = {"one number": (), "by channel": (3, 1, 1), "with a batch": (1, 3, 1, 1), "by column": (8,), "all": (1, 3, 9, 8)}


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Mean", "Sum", "PRelu"])
@pytest.mark.parametrize("kind", BROADCAST)
def test_constants_beside_a_layer(op, kind):
    """A constant is lined up with the layer from the last axis on, and either may stand first."""
    constant = np.abs(noise(BROADCAST[kind], 4)) + np.float32(0.5)
    assert cells(trace(opened([node(op, "x", "c")], {"c": constant}), np.abs(noise((1, 3, 9, 8))) + np.float32(0.1)))
    if op != "PRelu":
        assert cells(trace(opened([node(op, "c", "x")], {"c": constant}), np.abs(noise((1, 3, 9, 8))) + np.float32(0.1)))


def test_two_layers_and_more():
    """Skip sums, gates by channel (squeeze and excite), concatenation and its parts again."""
    nodes = [
        node("Conv", "x", "w", out="c", pads=[1, 1, 1, 1]),
        node("Add", "c", "x", out="skip"),
        node("GlobalAveragePool", "skip", out="squeeze"),
        node("Sigmoid", "squeeze", out="gate"),
        node("Mul", "skip", "gate", out="gated"),
        node("Sum", "gated", "x", "c", out="three"),
        node("Max", "three", "c", out="larger"),
        node("Concat", "larger", "x", "k", out="joined", axis=1),
        helper.make_node("Split", ["joined", "parts"], ["a", "b"], "split", axis=1),
        node("Concat", "b", "a", out="turned", axis=-3),
        node("Concat", "turned", "turned", axis=3),
    ]
    constants = {"w": noise((3, 3, 3, 3), 1), "k": noise((1, 2, 9, 8), 3), "parts": np.array([5, 3])}
    assert cells(trace(opened(nodes, constants), noise((1, 3, 9, 8)))) > 200


def test_cells_that_only_move():
    """Flatten, reshape, transpose, squeeze, slice and pad: one term, unchanged; padding has no place."""
    nodes = [
        node("Pad", "x", "pads", "fill", out="padded", name="pad"),
        node("Pad", "padded", "pads", out="mirrored", mode="reflect"),
        node("Pad", "mirrored", "pads", out="edged", mode="edge"),
        node("Slice", "edged", "starts", "ends", "axes", "steps", out="cut"),
        node("Transpose", "cut", out="turned", perm=[0, 2, 3, 1]),
        node("Unsqueeze", "turned", "one", out="longer"),
        node("Squeeze", "longer", "one", out="back"),
        node("Reshape", "back", "shape", out="shaped"),
        node("Flatten", "shaped"),
    ]
    constants = {
        **{"pads": np.array([0, 0, 1, 2, 0, 1, 0, 1]), "fill": np.float32(0.5), "starts": np.array([-1, 1]), "ends": np.array([-20, 100])},
        **{"axes": np.array([2, 3]), "steps": np.array([-2, 3]), "one": np.array([1]), "shape": np.array([0, 2, -1])},
    }
    found = trace(opened(nodes, constants), noise((1, 3, 9, 8)))
    assert cells(found) > 200
    assert recompute(found, "pad", (0, 0, 0)).terms[0].place is None and recompute(found, "pad", (0, 0, 0)).total == 0.5


REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare")


@pytest.mark.parametrize("op", REDUCTIONS)
@pytest.mark.parametrize("keep", [0, 1])
def test_reductions(op, keep):
    """Over maps or channels, with the axes kept or not."""
    for axes in ([2, 3], [1], [-1]):
        assert cells(trace(opened([node(op, "x", "axes", keepdims=keep)], {"axes": np.array(axes)}, opset=18), noise((1, 3, 9, 8))))


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_softmax(op, opset):
    """Along one axis, or in older operator sets over all axes from one on."""
    for attributes in ({}, {"axis": 1}, {"axis": 3}):
        assert cells(trace(opened([node(op, "x", **attributes)], {}, opset=opset), noise((1, 3, 9, 8), size=4)))


@pytest.mark.parametrize("attributes", [{}, {"transB": 1}, {"transB": 1, "alpha": 0.5, "beta": 2.0}])
def test_dense(attributes):
    """Gemm with its factors and its bias in every form that broadcasting allows."""
    weight = noise((5, 216) if attributes else (216, 5), 1)
    for bias in ({}, {"b": noise((5,), 2)}, {"b": noise((1, 5), 2)}, {"b": noise((1,), 2)}):
        nodes = [node("Flatten", "x", out="flat"), node("Gemm", "flat", "w", *bias, **attributes)]
        assert cells(trace(opened(nodes, {"w": weight, **bias}), noise((1, 3, 9, 8))))


def test_products_of_matrices():
    """MatMul with constants of one, two and three axes on either side, and of two layers (attention)."""
    shapes = {"right": (8, 4), "column": (8,), "deep": (3, 8, 2), "left": (5, 9)}
    nodes = [
        node("MatMul", "x", "right", out="a"),
        node("MatMul", "x", "column", out="b"),
        node("MatMul", "x", "deep", out="c"),
        node("MatMul", "left", "x", out="d"),
        node("Transpose", "x", out="t", perm=[0, 1, 3, 2]),
        node("MatMul", "x", "t", out="e"),
        *(node("Flatten", name, out=f"{name}1") for name in "abcde"),
        node("Concat", *(f"{name}1" for name in "abcde"), axis=1),
    ]
    constants = {name: noise(shape, at) for at, (name, shape) in enumerate(shapes.items())}
    assert cells(trace(opened(nodes, constants), noise((1, 3, 9, 8)))) > 200


def test_batch_normalisation():
    """Two terms and a bias, by channel."""
    constants = {"s": noise((3,), 1), "b": noise((3,), 2), "m": noise((3,), 3), "v": np.abs(noise((3,), 4)) + np.float32(0.1)}
    found = trace(opened([node("BatchNormalization", "x", *constants, name="norm", epsilon=1e-3)], constants), noise((1, 3, 9, 8)))
    assert cells(found)
    assert [term.factor.tensor for term in recompute(found, "norm", (0, 0, 0)).terms] == ["s", "s"]


def test_whole_numbers():
    """A graph that takes bytes computes with them as they are."""
    nodes = [node("Transpose", "x", out="t", perm=[0, 3, 1, 2]), node("Cast", "t", out="f", to=TensorProto.FLOAT), node("Mul", "f", "g", out="s")]
    nodes += [node("Cast", "s", out="i", to=TensorProto.INT32), node("Cast", "i", to=TensorProto.FLOAT)]
    model = opened(nodes, {"g": np.float32(0.37)}, (1, 9, 8, 3), dtype=TensorProto.UINT8)
    assert cells(trace(model, np.random.default_rng(0).integers(0, 256, (1, 9, 8, 3), dtype=np.uint8)))


def test_our_own_file(make_door):
    """All layers of a door model, from the photo's bytes to the logits."""
    model = open_model(make_door())
    found = trace(model, np.random.default_rng(2).integers(0, 256, (1, 28, 28, 1), dtype=np.uint8))
    assert cells(found) > 300


def test_what_has_no_answer(make_door):
    """The picture is given, not computed; a cell beyond the edge is named."""
    model = open_model(make_door())
    found = trace(model, np.zeros((1, 28, 28, 1), np.uint8))
    with pytest.raises(InputError, match="is not explained"):
        recompute(found, "picture", (0, 0, 0))
    with pytest.raises(InputError, match="there is no cell"):
        recompute(found, "conv1", (8, 0, 0))
    with pytest.raises(InputError, match="there is no layer"):
        recompute(found, "conv9", (0, 0, 0))
