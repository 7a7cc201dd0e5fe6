"""Trained == exported: every kind of network answers in ONNX Runtime as in PyTorch, and its steps carry readable names."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plans import case, pictures, stir

from peephole.base.errors import SettingsError
from peephole.export.onnx import to_onnx
from peephole.export.parity import compare, run_graph
from peephole.nets import cnn
from peephole.nets.blocks import Shape
from peephole.nets.cnn import Plain, plain
from peephole.nets.lite import lite

NAMES = ("logits", "embedding", "familiarity", "similarity")


def network(plan, shape, labels=3):
    """Return a plain network for pictures of shape (H, W, C)."""
    height, width, channels = shape
    return stir(plain(plan, Shape(channels, height, width), labels, (120.0,) * channels, (60.0,) * channels))


def agree(found, trained, most=1e-4):
    """Compare all four outputs, logits relative to their size."""
    scale = max(1.0, float(np.abs(trained.logits).max()))
    np.testing.assert_allclose(found.logits, trained.logits, atol=most * scale, rtol=0)
    np.testing.assert_allclose(found.familiarity, trained.familiarity, atol=most, rtol=0)
    np.testing.assert_allclose(found.similarity, trained.similarity, atol=most, rtol=0)
    np.testing.assert_allclose(found.embedding, trained.embedding, atol=most * max(1.0, float(np.abs(trained.embedding).max())), rtol=0)


PLANS = st.builds(
    Plain,
    filters=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.sampled_from(("same", "valid")),
    pool=st.integers(1, 3),
    hidden=st.integers(2, 6),
    norm=st.sampled_from(("none", "batch")),
)


@settings(max_examples=25)
@given(plan=PLANS, height=st.integers(8, 20), width=st.integers(8, 20), channels=st.sampled_from((1, 3)), labels=st.integers(2, 4))
def test_any_plan_answers_the_same(plan, height, width, channels, labels):
    """Filters, kernel, stride, padding, pool, norm, also not square: all four outputs agree and no decision changes."""
    try:
        asked = case(network(plan, (height, width, channels), labels), (height, width, channels))
    except SettingsError:
        assume(False)
    graph = to_onnx(asked.network, asked.known, (height, width, channels))
    found = run_graph(graph, asked.images)
    agree(found, asked.trained)
    for line in ((0.5, 0.0), (-1.0, 0.05)):
        assert compare(asked.network, asked.known, found, asked.images, line=line).changed_decisions == 0


@pytest.mark.parametrize("side", [12, 13, 15])
def test_a_pooled_large_picture_answers_the_same(monkeypatch, side):
    """The average pool before the dense layer, also where its last window is cut off by the edge."""
    monkeypatch.setattr(cnn, "MOST_DENSE_WEIGHTS", 60)
    shape = (side, side + 3, 1)
    asked = case(network(Plain(filters=(4,), hidden=4), shape), shape)
    assert "shrink" in dict(asked.network.body.named_children())
    agree(run_graph(to_onnx(asked.network, asked.known, shape), asked.images), asked.trained)


def test_a_photo_of_224_by_244():
    """224x244x3 through the course network, from the uint8 photo to the answer."""
    shape = (224, 244, 3)
    asked = case(network(Plain(filters=(4, 8, 128), hidden=625), shape), shape, each=2, asked=2)
    assert "shrink" in dict(asked.network.body.named_children())
    agree(run_graph(to_onnx(asked.network, asked.known, shape), asked.images), asked.trained)


@pytest.mark.parametrize("form", ["whitened", "places"])
def test_whitened_features_answer_the_same(form):
    """The layers that even features out, and the grid of places at an odd size, are in the file by name."""
    shape = (70, 48, 3)
    asked = case(stir(lite("lite0", Shape(3, 70, 48), 3, form, 6)), shape)
    graph = to_onnx(asked.network, asked.known, shape)
    agree(run_graph(graph, asked.images), asked.trained)
    names = {node.name for node in graph.graph.node}
    assert "whiten" in names and ("pool_places" in names) == (form == "places") == ("conv_head" not in names)


def test_lite0_answers_the_same():
    """EfficientNet-Lite0 at an odd size, with its uneven zeros and its unit embedding."""
    shape = (33, 48, 3)
    asked = case(stir(lite("lite0", Shape(3, 33, 48), 3)), shape)
    graph = to_onnx(asked.network, asked.known, shape)
    agree(run_graph(graph, asked.images), asked.trained)
    check_names(graph)
    assert {node.op_type for node in graph.graph.node if node.name.startswith("pad")} <= {"Pad"}
    names = [node.name for node in graph.graph.node]
    assert "block2_depthwise" in names and "pool_head" in names and "logits" in names


@pytest.mark.parametrize("batch", [1, 3, 64, 65])
def test_the_batch_stays_free(batch):
    """One picture, three, or more than the exporter ever saw."""
    shape = (12, 10, 1)
    asked = case(network(Plain(filters=(4,), hidden=6, norm="batch"), shape), shape, asked=batch)
    found = run_graph(to_onnx(asked.network, asked.known, shape), asked.images, batch=batch)
    assert found.logits.shape == (batch, 3)
    agree(found, asked.trained)


def check_names(graph):
    """Every node, value and weight has a name a person can read and a layer can be asked for by."""
    names = [node.name for node in graph.graph.node]
    assert len(set(names)) == len(names)
    values = [weight.name for weight in graph.graph.initializer] + [name for node in graph.graph.node for name in (*node.input, *node.output) if name]
    for name in names + values:
        assert re.fullmatch(r"[a-z][a-z0-9_.]*", name), name


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_names_are_the_networks_steps(norm):
    """conv1, relu1, pool1, ... flatten, dense1, relu_dense1, logits, then familiarity; batch norm leaves no node behind."""
    shape = (16, 12, 1)
    asked = case(network(Plain(filters=(4, 4), hidden=6, norm=norm), shape), shape)
    graph = to_onnx(asked.network, asked.known, shape)
    check_names(graph)
    names = [node.name for node in graph.graph.node]
    assert [name for name in names if not name.startswith(("normalise", "familiarity"))] == [
        *("conv1", "relu1", "pool1", "conv2", "relu2", "pool2"),
        *("flatten", "dense1", "relu_dense1", "logits"),
    ]
    assert all(name.startswith("normalise") for name in names[: names.index("conv1")])
    assert names.index("logits") < min(at for at, name in enumerate(names) if name.startswith("familiarity"))
    assert [out.name for out in graph.graph.output] == list(NAMES) and [i.name for i in graph.graph.input] == ["image"]


@pytest.mark.parametrize("kernel", [2, 4])
def test_uneven_zeros_are_one_node(kernel):
    """The padding of an even kernel is one Pad, named as the step, not a dozen nodes."""
    shape = (9, 9, 1)
    asked = case(network(Plain(filters=(2, 2), kernel=kernel, hidden=3), shape), shape)
    graph = to_onnx(asked.network, asked.known, shape)
    kinds = [(node.name, node.op_type) for node in graph.graph.node if not node.name.startswith(("normalise", "familiarity"))]
    assert kinds[:2] == [("pad1", "Pad"), ("conv1", "Conv")]
    assert sum(op == "Pad" for _, op in kinds) == 2


def test_nothing_local_is_in_the_file():
    """No doc string, no path of the machine it was trained on, no version of anything that wrote it, in any byte."""
    shape = (12, 12, 3)
    asked = case(network(Plain(filters=(4,), hidden=6, norm="batch"), shape), shape)
    graph = to_onnx(asked.network, asked.known, shape)
    data = graph.SerializeToString()
    for part in (str(Path.cwd()), str(Path.home()), "site-packages", ".py", "/tmp", "forward", "torch"):
        assert part.encode() not in data, part
    assert not graph.doc_string and not graph.graph.doc_string
    assert not any(node.doc_string for node in graph.graph.node)
    assert not any(weight.doc_string for weight in graph.graph.initializer)
    assert not graph.metadata_props and not any(node.metadata_props for node in graph.graph.node)


def test_normalisation_is_inside():
    """The graph takes uint8 pixels as the sensor gives them; mean and spread are its own."""
    shape = (8, 8, 3)
    asked = case(network(Plain(filters=(2,), hidden=3), shape), shape)
    graph = to_onnx(asked.network, asked.known, shape)
    assert graph.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [d.dim_param or d.dim_value for d in graph.graph.input[0].type.tensor_type.shape.dim] == ["N", 8, 8, 3]


def test_the_export_is_the_same_every_time():
    """Same network, same bytes."""
    shape = (8, 8, 1)
    asked = case(network(Plain(filters=(2,), hidden=3), shape), shape)
    once, twice = (to_onnx(asked.network, asked.known, shape).SerializeToString(deterministic=True) for _ in range(2))
    assert once == twice


def test_a_network_goes_on_after_its_export():
    """Exporting leaves the network as it was, batch norms included."""
    shape = (8, 8, 1)
    asked = case(network(Plain(filters=(2,), hidden=3, norm="batch"), shape), shape)
    before = {name: value.clone() for name, value in asked.network.state_dict().items()}
    to_onnx(asked.network, asked.known, shape)
    after = asked.network.state_dict()
    assert list(before) == list(after) and all((before[name] == after[name]).all() for name in before)


def test_pictures_of_a_test_differ():
    """The pictures above are not all one: agreement on them means something."""
    shown = pictures(6, (8, 8, 1))
    assert len({one.tobytes() for one in shown}) == 6
