"""Parity: a planted difference between network and graph is found, and nothing is written."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from plans import case, stir

from peephole.base.errors import ParityError
from peephole.export.onnx import to_onnx
from peephole.export.parity import compare, run_graph
from peephole.nets.blocks import Shape
from peephole.nets.cnn import Plain, plain

SHAPE = (10, 12, 1)


@pytest.fixture(scope="module")
def asked():
    """A small network with its known examples."""
    return case(stir(plain(Plain(filters=(4,), hidden=8), Shape(1, 10, 12), 3, (120.0,), (60.0,))), SHAPE, asked=12)


@pytest.fixture
def graph(asked):
    """Its graph, to be spoilt."""
    return to_onnx(asked.network, asked.known, SHAPE)


def look(asked, graph, line=(0.3, 0.0)):
    return compare(asked.network, asked.known, run_graph(graph, asked.images), asked.images, line=line)


def spoil(graph, name, change):
    """Change one weight of a graph."""
    weight = next(w for w in graph.graph.initializer if w.name == name)
    weight.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(weight).copy()).astype(np.float32), name))


def test_the_same_is_the_same(asked, graph):
    """Unspoilt, so that the findings below mean something: n, a tiny difference, no changed decision."""
    found = look(asked, graph)
    assert found.n == 12 and found.changed_decisions == 0 and 0 <= found.max_difference < 1e-4


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("conv1.weight", lambda w: w * 1.01),
        ("dense1.weight", lambda w: w + 0.01),
        ("logits.bias", lambda b: b + np.array([0, 0.05, 0])),
        ("logits.weight", lambda w: w[::-1]),
        ("conv1.bias", lambda b: b * np.nan),
    ],
)
def test_a_changed_weight_is_found(asked, graph, name, change):
    """One per cent in a convolution, a shifted bias, swapped labels, a NaN."""
    spoil(graph, name, change)
    with pytest.raises(ParityError, match="differs from the trained network") as refused:
        look(asked, graph)
    assert "nothing was written" in refused.value.hint


def test_a_changed_known_example_changes_decisions(asked, graph):
    """The logits agree, but who is familiar does not: decisions change and that is enough."""
    name = next(
        w.name for w in graph.graph.initializer if numpy_helper.to_array(w).shape == (7 + 1, 8) or numpy_helper.to_array(w).shape == (8, 7 + 1)
    )
    spoil(graph, name, lambda w: -w)
    with pytest.raises(ParityError, match=r"[1-9]\d* of 12 decisions changed"):
        look(asked, graph, line=(0.0, 0.0))


def test_channels_the_wrong_way_round_are_found(asked, graph):
    """A graph that reads rows as columns."""
    transpose = next(node for node in graph.graph.node if node.op_type == "Transpose")
    transpose.attribute[0].ints[:] = [0, 3, 2, 1]
    images = asked.images[:, :10, :10]
    square = case(stir(plain(Plain(filters=(4,), hidden=8), Shape(1, 10, 10), 3, (120.0,), (60.0,))), (10, 10, 1))
    spoilt = to_onnx(square.network, square.known, (10, 10, 1))
    next(node for node in spoilt.graph.node if node.op_type == "Transpose").attribute[0].ints[:] = [0, 3, 2, 1]
    with pytest.raises(ParityError):
        compare(square.network, square.known, run_graph(spoilt, images), images, line=(0.3, 0.0))


def test_a_graph_stays_a_graph(graph):
    """ONNX's own checker has nothing to say."""
    onnx.checker.check_model(graph, full_check=True)
