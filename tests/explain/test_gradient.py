"""Slopes worked out in numpy: those of finite differences, operation by operation, and the few that ties and padding decide."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from peephole.base.errors import InputError, ModelFileError
from peephole.base.modelfile import read
from peephole.explain.gradient import Tape, gradient
from peephole.explain.layers import look
from peephole.explain.slopes import SLOPES, Step, slopes_of

DRAW = np.random.default_rng(11)


def graph(nodes, shape, constants=None, opset=17) -> bytes:
    """Return the bytes of a graph from `x` (N, *shape) to `y`."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in (("x", ["N", *shape]), ("y", None))]
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    made = helper.make_graph(nodes, "case", ends[:1], ends[1:], held)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8).SerializeToString()


def f32(*shape):
    """Return seeded numbers."""
    return DRAW.normal(size=shape).astype(np.float32)


def node(op, inputs="x", **attributes):
    """Return one node from `inputs` to `y`, named after its operation."""
    return helper.make_node(op, inputs.split(), ["y"], op.lower(), **attributes)


def whole(*values):
    """Return int64 numbers."""
    return np.array(values, np.int64)


MAPS = (4, 6, 5)
NORM = {"s": np.abs(f32(4)) + 0.5, "b": f32(4), "m": f32(4), "v": np.abs(f32(4)) + 0.5}
CASES = {
    "conv": (node("Conv", "x w b", pads=[1, 0, 1, 2], strides=[2, 1]), MAPS, {"w": f32(3, 4, 3, 2), "b": f32(3)}),
    "conv dilated": (node("Conv", "x w", dilations=[2, 2], pads=[2, 2, 2, 2]), MAPS, {"w": f32(3, 4, 3, 3)}),
    "conv in groups": (node("Conv", "x w", group=2, pads=[1, 1, 1, 1]), MAPS, {"w": f32(6, 2, 3, 3)}),
    "conv depthwise": (node("Conv", "x w", group=4, auto_pad="SAME_UPPER", strides=[2, 2]), MAPS, {"w": f32(4, 1, 3, 3)}),
    "conv depthwise times two": (node("Conv", "x w", group=4), MAPS, {"w": f32(8, 1, 3, 3)}),
    "conv 1 x 1": (node("Conv", "x w", strides=[2, 2]), MAPS, {"w": f32(3, 4, 1, 1)}),
    "max pool, partial windows": (node("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), MAPS, {}),
    "max pool, overlapping": (node("MaxPool", kernel_shape=[3, 3], strides=[2, 1], pads=[1, 1, 1, 1]), MAPS, {}),
    "mean pool": (node("AveragePool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1]), MAPS, {}),
    "mean pool, partial windows": (node("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), MAPS, {}),
    "mean pool, padding counts": (node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1), MAPS, {}),
    "global mean": (node("GlobalAveragePool"), MAPS, {}),
    "global max": (node("GlobalMaxPool"), MAPS, {}),
    "gemm": (node("Gemm", "x w c", alpha=0.5, beta=2.0, transB=1), (7,), {"w": f32(3, 7), "c": f32(3)}),
    "gemm, weights first": (node("Gemm", "w x", transB=1), (7,), {"w": f32(3, 7)}),
    "matmul": (node("MatMul", "x w"), (2, 7), {"w": f32(7, 3)}),
    "matmul with itself": (node("MatMul", "x x"), (3, 3), {}),
    "batch norm": (node("BatchNormalization", "x s b m v", epsilon=1e-3), MAPS, NORM),
    "relu": (node("Relu"), MAPS, {}),
    "clip": (node("Clip", "x low high"), MAPS, {"low": np.float32(-0.3), "high": np.float32(0.7)}),
    "clip from below": (node("Clip", "x low"), MAPS, {"low": np.float32(-0.3)}),
    "leaky": (node("LeakyRelu", alpha=0.2), MAPS, {}),
    "elu": (node("Elu", alpha=0.7), MAPS, {}),
    "prelu": (node("PRelu", "x a"), MAPS, {"a": f32(4, 1, 1)}),
    "sigmoid": (node("Sigmoid"), MAPS, {}),
    "tanh": (node("Tanh"), MAPS, {}),
    "softplus": (node("Softplus"), MAPS, {}),
    "erf": (node("Erf"), MAPS, {}),
    "exp": (node("Exp"), MAPS, {}),
    "neg": (node("Neg"), MAPS, {}),
    "abs": (node("Abs"), MAPS, {}),
    "one over": (node("Reciprocal"), (3,), {}),
    "hard sigmoid": (node("HardSigmoid", alpha=0.4, beta=0.4), MAPS, {}),
    "hard swish": (node("HardSwish"), MAPS, {}),
    "gelu": (node("Gelu"), MAPS, {}),
    "gelu by tanh": (node("Gelu", approximate="tanh"), MAPS, {}),
    "slice": (node("Slice", "x s e a t"), MAPS, {"s": whole(-5, 0), "e": whole(10**9, -1), "a": whole(2, -1), "t": whole(2, 1)}),
    "softmax": (node("Softmax", axis=1), (5,), {}),
    "log softmax": (node("LogSoftmax", axis=-1), (5,), {}),
    "add, repeated": (node("Add", "x c"), MAPS, {"c": f32(4, 1, 1)}),
    "add to more axes": (node("Add", "c x"), (5,), {"c": f32(2, 1, 5)}),
    "sum": (node("Sum", "x x c"), MAPS, {"c": f32(*MAPS)}),
    "constant minus": (node("Sub", "c x"), MAPS, {"c": f32(*MAPS)}),
    "product with itself": (node("Mul", "x x"), MAPS, {}),
    "constant times": (node("Mul", "c x"), MAPS, {"c": f32(4, 1, 1)}),
    "divided": (node("Div", "x c"), MAPS, {"c": f32(4, 1, 1)}),
    "over": (node("Div", "c x"), (3,), {"c": f32(1)}),
    "power": (node("Pow", "x c"), MAPS, {"c": np.float32(3)}),
    "larger of two": (node("Max", "x c"), MAPS, {"c": f32(*MAPS)}),
    "smaller of two": (node("Min", "x c"), MAPS, {"c": f32(*MAPS)}),
    "flatten": (node("Flatten"), MAPS, {}),
    "reshape": (node("Reshape", "x s"), MAPS, {"s": whole(0, -1, 2)}),
    "transpose": (node("Transpose", perm=[0, 3, 1, 2]), MAPS, {}),
    "squeeze": (node("Squeeze", "x a"), (3, 1, 1), {"a": whole(2, 3)}),
    "unsqueeze": (node("Unsqueeze", "x a"), (3,), {"a": whole(2)}),
    "concat": (node("Concat", "x c x", axis=1), (4, 2), {"c": f32(1, 3, 2)}),
    "pad": (node("Pad", "x p"), MAPS, {"p": whole(0, 0, 1, 2, 0, 0, 0, 1)}),
    "crop": (node("Pad", "x p"), MAPS, {"p": whole(0, 0, -1, 0, 0, 0, 0, -2)}),
    "mean": (node("ReduceMean", axes=[2, 3], keepdims=0), MAPS, {}),
    "total": (node("ReduceSum", "x a", keepdims=0), MAPS, {"a": whole(1, -1)}),
    "length": (node("ReduceL2", axes=[1], keepdims=1), (6,), {}),
    "largest": (node("ReduceMax", axes=[-1, 1], keepdims=0), MAPS, {}),
    "smallest": (node("ReduceMin", axes=[2], keepdims=1), MAPS, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_slopes_are_those_of_finite_differences(name):
    """For seeded inputs and a seeded sum of the outputs, the slope at every input equals (s(x + h) - s(x - h)) / 2h."""
    made, shape, constants = CASES[name]
    tape = Tape(graph([made], shape, constants, opset=20 if name.startswith("gelu") else 17), until="y")
    batch = 1 if name == "concat" else 2
    x = np.random.default_rng(len(name)).normal(size=(batch, *shape)).astype(np.float32)
    x = np.abs(x) + np.float32(0.5) if name in {"over", "one over"} else x
    passed = tape.run(x)
    answer = tape.values(passed)
    weights = np.random.default_rng(3).normal(size=answer.shape).astype(np.float32)
    found = tape.back(passed, {made.name: weights})[""]
    step, sides, base = 2e-3, np.zeros((2, x.size)), float((answer.astype(np.float64) * weights).sum())
    for cell in range(x.size):
        for side, sign in enumerate((1, -1)):
            moved = x.astype(np.float64).ravel()
            moved[cell] += sign * step
            value = tape.values(tape.run(moved.reshape(x.shape))).astype(np.float64)
            sides[side, cell] = sign * (float((value * weights).sum()) - base) / step
    wanted, most = sides.mean(axis=0), max(1.0, float(np.abs(sides).max()))
    # Where the two sides differ lies a kink within a step, and no slope to compare with.
    smooth = np.abs(sides[0] - sides[1]) < 6e-3 * most
    assert smooth.mean() > 0.95
    np.testing.assert_allclose(found.ravel()[smooth], wanted[smooth], atol=4e-3 * most)
    assert np.abs(wanted).max() > 0.01
    assert found.shape == x.shape


def test_every_rule_is_tried():
    """No operation of the table is without a case; the rest stand in chains below."""
    tried = {made.op_type for made, _, _ in CASES.values()}
    assert set(SLOPES) - tried == {"Identity", "Cast", "Dropout", "Log", "Split", "Sqrt"}


def test_a_chain_of_the_rest():
    """Identity, dropout at rest, square, root and logarithm: d ln sqrt(1 + x^2) = x / (1 + x^2)."""
    names = [("Identity", "x", "a"), ("Dropout", "a", "b"), ("Mul", "b b", "c"), ("Add", "c one", "d"), ("Sqrt", "d", "e"), ("Log", "e", "y")]
    nodes = [helper.make_node(op, inputs.split(), [output], output) for op, inputs, output in names]
    x = f32(1, 5)
    tape = Tape(graph(nodes, (5,), {"one": np.float32(1)}), until="y")
    np.testing.assert_allclose(tape.back(tape.run(x), {"y": np.ones((1, 5))})[""], x / (1 + x * x), rtol=1e-5)


def test_a_split_is_put_together_again():
    """Parts of a layer that go different ways hand their slopes back to the places they came from; a part that nobody reads has none."""
    nodes = [
        helper.make_node("Split", ["x", "sizes"], ["a", "b", "c"], "split", axis=1),
        helper.make_node("Mul", ["c", "three"], ["y"], "y"),
    ]
    held = {"sizes": whole(1, 2, 2), "three": np.float32(3)}
    tape = Tape(graph(nodes, (5,), held), until="y")
    np.testing.assert_array_equal(tape.slope(tape.run(f32(1, 5)), 1), [[0, 0, 0, 0, 3]])
    nodes[1] = helper.make_node("Sum", ["b", "c"], ["y"], "y")
    tape = Tape(graph(nodes, (5,), held), until="y")
    np.testing.assert_array_equal(tape.slope(tape.run(f32(1, 5)), 0), [[0, 1, 0, 1, 0]])


def test_a_second_answer_is_refused_by_name():
    """The places of the largest along an axis, the second answer of TopK, lead to no slope of the first's; the layer is named."""
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["most", "where"], "top", axis=1),
        helper.make_node("Cast", ["where"], ["y"], "y", to=TensorProto.FLOAT),
    ]
    with pytest.raises(ModelFileError, match="layer top hands on a second answer"):
        gradient(graph(nodes, (5,), {"k": whole(2)}), f32(1, 5), 0, of="y")


def test_an_answer_without_numbers_has_no_slope():
    """The place of the largest is no number to change little by little."""
    with pytest.raises(InputError, match="layer argmax answers no real numbers"):
        gradient(graph([node("ArgMax", axis=1)], (5,)), f32(1, 5), 0, of="y")


def test_ties_go_to_the_first():
    """Of equal cells in a window the first, row by row, gets the slope of max pooling; a cell of two windows gets both."""
    tape = Tape(graph([node("MaxPool", kernel_shape=[2, 2])], (1, 2, 3)), until="y")
    found = tape.back(tape.run(np.ones((1, 1, 2, 3))), {"maxpool": np.array([[[[2.0, 5.0]]]])})[""]
    np.testing.assert_array_equal(found[0, 0], [[2, 5, 0], [0, 0, 0]])
    found = tape.back(tape.run(np.array([[[[0, 3, 3], [0, 0, 0]]]])), {"maxpool": np.array([[[[2.0, 5.0]]]])})[""]
    np.testing.assert_array_equal(found[0, 0], [[0, 7, 0], [0, 0, 0]])


def test_relu_at_zero_has_slope_zero():
    """At a kink the slope is 0, as PyTorch has it for ReLU and ReLU6."""
    step = Step("relu", "Relu", {}, (np.zeros(3, np.float32),), np.zeros(3, np.float32), (True,))
    assert not slopes_of(step, np.ones(3, np.float32))[0].any()


def test_the_slope_of_convolution_is_that_of_the_notes():
    """MATH 2: dL/dX is the full convolution of dL/dY with the kernel: one slope of 1 lays the kernel down where it was taken from."""
    kernel = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    tape = Tape(graph([node("Conv", "x w")], (1, 5, 5), {"w": kernel}), until="y")
    slope = np.zeros((1, 1, 3, 3), np.float32)
    slope[0, 0, 1, 2] = 1
    found = tape.back(tape.run(np.zeros((1, 1, 5, 5))), {"conv": slope})[""][0, 0]
    np.testing.assert_array_equal(found[1:4, 2:5], kernel[0, 0])
    assert np.count_nonzero(found) == 8


def test_residual_blocks_add_one():
    """MATH 7: y = x + F(x) has slope I + F'; with F = 0 it is the identity."""
    for weight, wanted in ((0.0, 1.0), (0.25, 1.25)):
        nodes = [helper.make_node("MatMul", ["x", "w"], ["f"], "f"), helper.make_node("Add", ["x", "f"], ["y"], "add")]
        found = gradient(graph(nodes, (3,), {"w": np.eye(3, dtype=np.float32) * np.float32(weight)}), f32(1, 3), 1, of="y")
        np.testing.assert_allclose(found, [0, wanted, 0])


def unknown_op() -> bytes:
    """Return a graph whose first step has no slope and whose second has."""
    nodes = [helper.make_node("Ceil", ["x"], ["up"], "up"), helper.make_node("Mul", ["up", "up"], ["y"], "square")]
    return graph(nodes, (3,))


def test_an_unknown_operation_is_named():
    """Slopes stop at an operation that nobody knows, which is named with its layer; behind it they work."""
    with pytest.raises(ModelFileError, match="layer up is a Ceil"):
        gradient(unknown_op(), f32(1, 3), 0, of="y")
    found = gradient(unknown_op(), np.array([[0.5, 1.5, 2.5]]), 1, of="y", to="up")
    np.testing.assert_array_equal(found, [0, 4, 0])


def test_what_is_not_there_is_said():
    """A layer or a unit that the graph has not is an input error with the near miss."""
    with pytest.raises(InputError, match=r"no layer 'upp'.*did you mean 'up'"):
        gradient(unknown_op(), f32(1, 3), 0, of="y", to="upp")
    with pytest.raises(InputError, match="no layer 'squares'"):
        gradient(unknown_op(), f32(1, 3), 0, of="squares")
    with pytest.raises(InputError, match="3 units, so there is no unit 3"):
        gradient(unknown_op(), f32(1, 3), 3, of="y")
    with pytest.raises(ModelFileError, match="pictures of shape"):
        gradient(unknown_op(), f32(1, 4), 0, of="y")


def test_a_layer_that_does_not_lead_there_has_no_slope():
    """A branch that the number does not come from gets zeros of its shape."""
    nodes = [helper.make_node("Exp", ["x"], ["a"], "a"), helper.make_node("Neg", ["x"], ["b"], "b"), helper.make_node("Add", ["a", "b"], ["y"], "y")]
    tape = Tape(graph(nodes, (2,)), until="y")
    passed = tape.run(np.zeros((1, 2)))
    found = tape.back(passed, {"a": np.ones((1, 2))}, ("b", "", "a"))
    np.testing.assert_array_equal(found["b"], [[0, 0]])
    np.testing.assert_array_equal(found[""], [[1, 1]])
    np.testing.assert_array_equal(found["a"], [[1, 1]])


def test_the_tape_sees_what_the_file_answers(make_door):
    """For the grey levels of a photo its layers are those of `look`, and between them it takes any number; familiarity is not worked out."""
    data = read(make_door()).data
    images = np.random.default_rng(2).integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    tape = Tape(data)
    passed = tape.run(images)
    for seen, at in ((look(data, images[:1]), 0), (look(data, images[1:]), 1)):
        assert [layer.name for layer in seen.layers] == list(tape.names)
        for layer in seen.layers:
            np.testing.assert_allclose(tape.values(passed, layer.name)[at], layer.values, atol=1e-4)
    middle = tape.values(tape.run(images[:1] + 0.5))
    assert (np.abs(middle - tape.values(passed)[:1]) > 0).any()
    assert "familiarity_unit" not in tape.names
    assert not tape.alone


def test_only_what_is_asked_for_is_kept(make_door):
    """A pass that keeps some layers has their values, the same as one that keeps all, and no others."""
    tape, few = (Tape(read(make_door()).data, keep=keep) for keep in (None, ("conv2",)))
    images = np.random.default_rng(2).integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    passed = few.run(images)
    np.testing.assert_allclose(few.values(passed, "conv2"), tape.values(tape.run(images), "conv2"), atol=1e-4)
    assert len(passed.values) == 2


def test_slopes_of_a_door(make_door):
    """The slope of a logit at a pixel is what the logit gains when that pixel is raised a little."""
    tape = Tape(read(make_door()).data)
    image = np.random.default_rng(2).integers(10, 240, (1, 28, 28, 1)).astype(np.float32)
    found = tape.slope(tape.run(image), 1)[0]
    places = np.random.default_rng(5).integers(0, 28, (12, 2))
    for row, column in places:
        moved = np.repeat(image, 2, axis=0)
        moved[:, row, column, 0] += (0.05, -0.05)
        more, less = tape.values(tape.run(moved))[:, 1].astype(np.float64)
        assert found[row, column, 0] == pytest.approx((more - less) / 0.1, abs=2e-3 * float(np.abs(found).max()) + 2e-5)


def test_constants_that_are_worked_out(make_door):
    """Weights that a node computes from constants alone are fetched, not guessed."""
    nodes = [
        helper.make_node("Add", ["w", "w"], ["twice"], "twice"),
        helper.make_node("MatMul", ["x", "twice"], ["y"], "y"),
    ]
    weights = f32(3, 2)
    np.testing.assert_allclose(gradient(graph(nodes, (3,), {"w": weights}), f32(1, 3), 1, of="y"), 2 * weights[:, 1])


def test_one_picture_at_a_time():
    """A graph with a batch of one fixed says so."""
    model = onnx.load_from_string(unknown_op())
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    tape = Tape(model.SerializeToString(), until="y")
    assert tape.alone
    assert tape.together(tape.run(f32(1, 3))) == 1
