"""Maps in logits: the numbers of MATH section 8, sums that close, baselines that are seen."""

from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from peephole.base.errors import InputError, SettingsError
from peephole.base.modelfile import read
from peephole.explain.attribution import (
    BASELINES,
    METHODS,
    attribute,
    baseline,
    cam,
    grad_cam,
    gradient_times_input,
    integrate,
    integrated_gradients,
    map_layers,
    weigh,
)
from peephole.explain.gradient import Tape


@pytest.fixture(scope="module")
def door(make_door):
    """The tape of a small door model and a seeded picture (28, 28, 1)."""
    return Tape(read(make_door()).data), np.random.default_rng(2).integers(0, 256, (28, 28, 1), dtype=np.uint8)


def averaging(mean="GlobalAveragePool", turned=1) -> bytes:
    """Return a graph that ends in a mean over places and one dense layer: 3 labels, 4 maps of 6 x 6."""
    draw = np.random.default_rng(8)
    held = {"w1": draw.normal(size=(4, 3, 3, 3)), "w": draw.normal(size=(3, 4) if turned else (4, 3)), "b": draw.normal(size=3)}
    more = {"axes": [2, 3], "keepdims": 0} if mean == "ReduceMean" else {}
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], "normalise", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "w1"], ["conv1"], "conv1"),
        helper.make_node("Relu", ["conv1"], ["relu1"], "relu1"),
        helper.make_node(mean, ["relu1"], ["pool_head"], "pool_head", **more),
        helper.make_node("Flatten", ["pool_head"], ["flatten"], "flatten"),
        helper.make_node("Gemm", ["flatten", "w", "b"], ["logits"], "logits", transB=turned),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("image", ["N", 8, 8, 3]), ("logits", ["N", 3]))]
    graph = helper.make_graph(
        nodes, "averaging", ends[:1], ends[1:], [numpy_helper.from_array(value.astype(np.float32), name) for name, value in held.items()]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_grad_cam_is_that_of_the_notes():
    """MATH 8: alpha = (.5, -1), L = [[.5, 0], [.5, 2]]."""
    maps = np.array([[[1, 2], [3, 4]], [[0, 1], [1, 0]]], np.float32)
    slopes = np.stack([np.full((2, 2), 0.5), np.full((2, 2), -1.0)])
    alphas, signed, found = weigh(maps, slopes)
    assert alphas.tolist() == [0.5, -1.0]
    assert found.tolist() == [[0.5, 0.0], [0.5, 2.0]]
    assert signed.tolist() == [[0.5, 0.0], [0.5, 2.0]]
    assert weigh(-maps, slopes)[2].tolist() == [[0, 0], [0, 0]]
    mixed = np.array([[[0.0, 2.0], [0.0, 0.0]], [[-4.0, 0.0], [0.0, 0.0]]])
    assert weigh(maps, mixed)[0].tolist() == [0.5, -1.0]


def test_grad_cam_of_the_notes_through_a_graph():
    """The same numbers when the slopes come out of a graph: y = .5 sum A1 - sum A2 on the maps of a convolution."""
    kernel = np.array([[1, 0], [0, 1]], np.float32).reshape(2, 2, 1, 1)
    dense = np.repeat([[0.5], [-1.0]], 4, axis=1).reshape(8, 1).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["maps"], "maps"),
        helper.make_node("Flatten", ["maps"], ["flat"], "flat"),
        helper.make_node("MatMul", ["flat", "dense"], ["logits"], "logits"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("image", [1, 2, 2, 2]), ("logits", [1, 1]))]
    held = [numpy_helper.from_array(value, name) for name, value in (("kernel", kernel), ("dense", dense))]
    graph = helper.make_graph(nodes, "notes", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    picture = np.array([[[1, 2], [3, 4]], [[0, 1], [1, 0]]], np.float32)
    found = grad_cam(Tape(model.SerializeToString()), picture, 0)
    assert found.layer == "maps"
    assert found.alphas.tolist() == [0.5, -1.0]
    assert found.values.tolist() == [[0.5, 0.0], [0.5, 2.0]]
    assert found.logit == 3.0 == found.signed.sum()


def function_of_two() -> bytes:
    """Return x0^2 + 3 x0 x1 as a graph."""
    held = {"first": [[1], [0]], "second": [[0], [1]], "three": [3]}
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["x0"], "x0"),
        helper.make_node("MatMul", ["x", "second"], ["x1"], "x1"),
        helper.make_node("Mul", ["x0", "x0"], ["square"], "square"),
        helper.make_node("Mul", ["x0", "x1"], ["both"], "both"),
        helper.make_node("Mul", ["both", "three"], ["thrice"], "thrice"),
        helper.make_node("Add", ["square", "thrice"], ["logits"], "logits"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size]) for name, size in (("x", 2), ("logits", 1))]
    graph = helper.make_graph(
        nodes, "two", ends[:1], ends[1:], [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in held.items()]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_integrated_gradients_are_those_of_the_notes():
    """MATH 8: F = x0^2 + 3 x0 x1 from (0, 0) to (1, 2) gives (4, 3), 7 together, exact by the midpoint rule with 100 steps; the graph agrees."""
    start, end = np.zeros(2), np.array([1.0, 2.0])
    found = integrate(lambda x: np.stack([2 * x[:, 0] + 3 * x[:, 1], 3 * x[:, 0]], axis=1), start, end, 100, together=7)
    np.testing.assert_allclose(found, [4, 3], rtol=1e-12)
    assert found.sum() == pytest.approx(7, abs=1e-12)
    tape = Tape(function_of_two())
    assert tape.values(tape.run(end[None])).item() == 7
    np.testing.assert_allclose(integrate(lambda x: tape.slope(tape.run(x), 0), start, end, 100, together=32), [4, 3], rtol=1e-6)
    with pytest.raises(SettingsError, match="0 steps"):
        integrate(lambda x: x, start, end, 0)


@pytest.mark.parametrize("how", BASELINES)
def test_integrated_gradients_close(door, how):
    """The values add up to logit(picture) - logit(baseline) within 1 %, for every baseline; more steps leave less."""
    tape, picture = door
    found = integrated_gradients(tape, picture, 1, how=how)
    start = tape.values(tape.run(baseline(picture, how)[None]))[0, 1]
    assert found.values.shape == (28, 28)
    assert found.closing.wanted == pytest.approx(tape.values(tape.run(picture[None]))[0, 1] - start, abs=1e-5)
    assert found.values.sum() == pytest.approx(found.closing.total, abs=1e-9)
    assert found.closing.total + found.closing.residue == pytest.approx(found.closing.wanted, abs=1e-9)
    assert abs(found.closing.residue) <= 0.01 * abs(found.closing.wanted)
    assert found.baseline == how
    assert abs(integrated_gradients(tape, picture, 1, how=how, steps=256).closing.residue) < abs(
        integrated_gradients(tape, picture, 1, how=how, steps=2).closing.residue
    )


def test_baselines():
    """Black, white, the mean colour, and the picture out of focus, whose mean stays and whose contrast goes."""
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert not baseline(picture, "black").any()
    assert (baseline(picture, "white") == 255).all()
    np.testing.assert_allclose(baseline(picture, "mean")[3, 4], picture.mean(axis=(0, 1)), rtol=1e-6)
    blurred = baseline(picture, "blur")
    assert blurred.shape == picture.shape
    assert blurred.std() < 0.2 * picture.std()
    assert blurred.mean() == pytest.approx(picture.mean(), rel=0.05)
    np.testing.assert_allclose(baseline(np.full((5, 6, 1), 7, np.uint8), "blur"), 7, rtol=1e-6)
    for how in BASELINES:
        np.testing.assert_array_equal(baseline(np.moveaxis(picture, 2, 0), how), np.moveaxis(baseline(picture, how), 2, 0))
    with pytest.raises(SettingsError, match="did you mean 'blur'"):
        baseline(picture, "blurr")


@pytest.mark.parametrize(("mean", "turned"), [("GlobalAveragePool", 1), ("ReduceMean", 1), ("GlobalAveragePool", 0)])
def test_cam_shares_out_the_logit(mean, turned):
    """Where the graph ends in a mean and a dense layer, the places and the bias add up to the logit, and Grad-CAM before its ReLU is CAM."""
    tape = Tape(averaging(mean, turned))
    picture = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    found = cam(tape, picture, 2)
    assert found.layer == "relu1"
    assert found.values.shape == (6, 6)
    assert any((cam(tape, picture, label).values < 0).any() for label in range(3))
    assert abs(found.closing.residue) <= 1e-5 * np.abs(found.values).sum()
    again = grad_cam(tape, picture, 2)
    np.testing.assert_allclose(again.signed, found.values, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(again.values, np.maximum(again.signed, 0))


def test_cam_only_where_it_is_exact(door):
    """A graph that ends otherwise has no class activation map."""
    assert cam(*door, 0) is None


def test_grad_cam_on_any_layer_of_maps(door):
    """From the first convolution on every layer with maps can be asked for; the last is the default; others are refused by name."""
    tape, picture = door
    known = map_layers(tape, tape.run(picture[None]))
    assert known == ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2")
    for layer in known:
        found = grad_cam(tape, picture, 0, layer)
        passed = tape.run(picture[None])
        slopes = tape.slope(passed, 0, layer)[0]
        wanted = np.einsum("c,chw->hw", slopes.mean(axis=(1, 2)), tape.values(passed, layer)[0])
        np.testing.assert_allclose(found.signed, wanted, atol=1e-5)
    assert grad_cam(tape, picture, 0).layer == "pool2"
    for layer in ("flatten", "normalise", "nowhere"):
        with pytest.raises(InputError, match="no maps"):
            grad_cam(tape, picture, 0, layer)


def test_gradient_times_input_says_how_far_off_it_is(door):
    """A plane through the picture: slope times distance, and what a bent function leaves over."""
    tape, picture = door
    found = gradient_times_input(tape, picture, 1, how="mean")
    slopes = tape.slope(tape.run(picture[None]), 1)[0]
    np.testing.assert_allclose(found.values, (slopes * (picture - picture.mean()))[..., 0], atol=1e-5)
    assert found.closing.total + found.closing.residue == pytest.approx(found.closing.wanted, abs=1e-9)
    assert abs(found.closing.residue) > 0


def test_maps_by_name(door):
    """Every method by its name, twice the same; a wrong name is told the near miss."""
    tape, picture = door
    for method in METHODS:
        pair = [attribute(tape, picture, 2, method) for _ in range(2)]
        assert all(np.array_equal(one.values, other.values) for one, other in pairwise(pair))
        assert pair[0].method == method
        assert pair[0].label == 2
    with pytest.raises(SettingsError, match="did you mean 'grad-cam'"):
        attribute(tape, picture, 2, "gradcam")


def test_a_graph_with_one_picture_at_a_time():
    """A batch of one that is fixed gives the same integrated gradients, one picture after the other."""
    model = onnx.load_from_string(averaging())
    colour = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    many = integrated_gradients(Tape(model.SerializeToString()), colour, 0)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    alone = Tape(model.SerializeToString())
    assert alone.alone
    np.testing.assert_allclose(integrated_gradients(alone, colour, 0).values, many.values, atol=1e-4)
