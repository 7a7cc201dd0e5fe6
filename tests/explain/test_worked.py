"""Worked cells: they equal the file's values and close with the digits printed."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from peephole.base.modelfile import read
from peephole.explain.layers import look
from peephole.explain.worked import CLOSES, add_cell, concat_cell, conv_cell, digits, pool_cell, strongest, vote


def single(op: str, shape: tuple[int, ...], weight: np.ndarray | None = None, **attributes: object):
    """Return the layer (and the layer it reads) of a graph with one node behind an identity."""
    inputs = ["same", "w"] if weight is not None else ["same"]
    nodes = [helper.make_node("Identity", ["image"], ["same"], "same"), helper.make_node(op, inputs, ["logits"], "node", **attributes)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("image", "logits")]
    weights = [] if weight is None else [numpy_helper.from_array(weight.astype(np.float32), "w")]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], weights), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    image = np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)
    seen = look(model.SerializeToString(), image, size=shape[1:])
    return seen.find("node"), seen.find("same")


@pytest.mark.parametrize(
    ("attributes", "group"),
    [
        ({"pads": [1, 1, 1, 1]}, 1),
        ({"strides": [2, 2], "dilations": [2, 2]}, 1),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 1),
        ({"group": 2}, 2),
    ],
)
def test_every_output_pixel_can_be_worked_out(attributes, group):
    """Padding, stride, dilation and groups: the patch is the one the file multiplied."""
    weight = np.random.default_rng(2).normal(size=(4, 4 // group, 3, 3))
    layer, source = single("Conv", (4, 8, 7), weight, **attributes)
    for at in np.ndindex(layer.shape):
        cell = conv_cell(layer, source, at)
        assert cell is not None, at
        assert abs(cell.residue) <= CLOSES * np.abs(cell.patch * cell.kernel).sum()
        assert (cell.patch * cell.kernel).sum() == pytest.approx(cell.value, abs=1e-4)


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("MaxPool", {"strides": [2, 2], "ceil_mode": 1}),
        ("AveragePool", {"strides": [2, 2], "ceil_mode": 1}),
        ("AveragePool", {"strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ],
)
def test_every_pooled_pixel_can_be_worked_out(op, attributes):
    """Partial windows too; the window holds the cell that was asked for."""
    layer, source = single(op, (2, 7, 5), kernel_shape=[2, 2], **attributes)
    for seen in np.ndindex(source.shape):
        cell = pool_cell(layer, source, seen)
        assert cell is not None, seen
        assert float(source.values[seen]) in cell.window
        assert abs(cell.residue) <= CLOSES * np.nansum(np.abs(cell.window))


def test_strongest_is_the_largest():
    """The cell that is worked out is the layer's maximum."""
    layer, _ = single("Relu", (3, 4, 5))
    assert layer.values[strongest(layer)] == layer.values.max()


def test_digits_are_as_many_as_the_sum_needs():
    """Few digits where few are enough, more where rounding would show."""
    assert digits(np.array([0.5, 2.0]), np.array([2.0, 0.25]), 0.125, 1.625) == (3, 1.625, 0.0)
    factors, weights = np.random.default_rng(0).normal(size=(2, 75))
    value = float((factors * weights).sum())
    places, total, residue = digits(factors, weights, 0.0, value)
    assert places > 3
    assert total + residue == pytest.approx(round(value, places), abs=1e-12)


def test_the_vote_adds_up(make_door):
    """Strongest units, the rest and the bias give the logit as printed."""
    seen = look(read(make_door()).data, np.full((1, 28, 28, 1), 90, np.uint8))
    cell = vote(seen.layers[-1], seen.layers[-2], 1)
    shown = sum(round(float(product), cell.places) for product in cell.products) + round(cell.rest, cell.places) + round(cell.bias, cell.places)
    assert shown + cell.residue == pytest.approx(round(float(seen.logits[1]), cell.places), abs=1e-9)
    assert cell.others == 22
    assert abs(cell.products[0]) == np.abs(cell.products).max()


def test_a_scaled_dense_layer_is_not_worked_out_wrongly():
    """A Gemm with a factor of its own does not close as a plain sum, so none is shown."""
    weight = np.random.default_rng(3).normal(size=(6, 2))
    nodes = [helper.make_node("Flatten", ["image"], ["flat"], "flat"), helper.make_node("Gemm", ["flat", "w"], ["logits"], "logits", alpha=0.5)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("image", "logits")]
    weights = [numpy_helper.from_array(weight.astype(np.float32), "w")]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], weights), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    seen = look(model.SerializeToString(), np.ones((1, 1, 2, 3), np.float32), size=(2, 3))
    assert vote(seen.layers[1], seen.layers[0], 0) is None


def joint(op: str, counts: tuple[int, ...], **attributes: object):
    """Return the layer that joins ReLUs of as many maps as `counts` say, and those ReLUs."""
    total, reads = sum(counts), [f"relu{at}" for at in range(len(counts))]
    starts = np.cumsum([0, *counts])
    cuts, nodes = [], []
    for at, name in enumerate(reads):
        ends = (0, total) if op == "Add" else (starts[at], starts[at + 1])
        cuts += [numpy_helper.from_array(np.array([end], np.int64), f"{name}.{which}") for which, end in zip("ab", ends, strict=True)]
        nodes.append(helper.make_node("Slice", ["image", f"{name}.a", f"{name}.b", "axes"], [f"cut{at}"], f"cut{at}"))
        nodes.append(helper.make_node("Relu", [f"cut{at}"], [name], name))
    cuts.append(numpy_helper.from_array(np.array([1], np.int64), "axes"))
    nodes.append(helper.make_node(op, reads, ["logits"], "node", **attributes))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("image", "logits")]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], cuts), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    image = np.random.default_rng(4).normal(size=(1, total, 4, 5)).astype(np.float32) * 100
    seen = look(model.SerializeToString(), image, size=(4, 5))
    return seen.find("node"), [seen.find(name) for name in reads]


def test_every_cell_of_a_sum_closes():
    """The terms as printed give the value as printed, and the maps are those of the cell."""
    layer, sources = joint("Add", (1, 2))
    for at in np.ndindex(layer.shape):
        cell = add_cell(layer, sources, ((), ()), at)
        shown = [round(term, cell.places) for term in cell.terms]
        assert abs(sum(shown) - round(cell.value, cell.places)) <= CLOSES * np.abs(cell.terms).sum()
        assert round(cell.value, cell.places) - sum(shown) == pytest.approx(cell.residue, abs=1e-9)
        np.testing.assert_allclose(cell.maps[:-1].sum(0), cell.maps[-1], rtol=1e-6)
        assert cell.maps[-1][at[1:]] == np.float32(cell.value)


def test_every_cell_of_a_concatenation_has_its_origin():
    """Which input a map comes from, which of its maps it is, and that nothing was computed; for every map."""
    layer, sources = joint("Concat", (2, 1, 3), axis=1)
    for at in np.ndindex(layer.shape):
        cell = concat_cell(layer, sources, ((), (), ()), at)
        assert sum(cell.counts[: cell.branch]) + cell.own == at[0] and cell.own < cell.counts[cell.branch]
        assert sources[cell.branch].values[(cell.own, *at[1:])] == layer.values[at] == np.float32(cell.value)


def test_joints_of_another_kind_are_not_worked_out():
    """Maps of other sizes put side by side, a sum that spreads one map over many, and numbers that are none: no cell rather than a wrong one."""
    layer, sources = joint("Concat", (2, 2), axis=2)
    assert concat_cell(layer, sources, ((), ()), (0, 0, 0)) is None
    layer, sources = joint("Add", (2, 1))
    assert add_cell(layer, sources[:1], ((),), (0, 0, 0)) is None
    assert add_cell(replace(layer, values=layer.values * np.nan), sources, ((), ()), (0, 0, 0)) is None
    assert add_cell(replace(layer, values=layer.values + 1), sources, ((), ()), (0, 0, 0)) is None
