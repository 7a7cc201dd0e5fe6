"""The control of every map: weights drawn anew from the top layer down."""

import math

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from peephole.base.errors import InputError
from peephole.base.modelfile import read
from peephole.decide.predictor import load
from peephole.explain import slopes
from peephole.explain.attribution import METHODS, attribute
from peephole.explain.gradient import Tape
from peephole.explain.layers import look
from peephole.explain.redrawn import _levels, cascade, learned, rank_correlation, reinitialised


@pytest.fixture(scope="module")
def data(make_door):
    """The bytes of a small door model."""
    return read(make_door()).data


@pytest.fixture(scope="module")
def picture():
    """A seeded picture (28, 28, 1)."""
    return np.random.default_rng(2).integers(0, 256, (28, 28, 1), dtype=np.uint8)


def weights(data: bytes) -> dict[str, np.ndarray]:
    """Return the first learned input of each layer."""
    graph = onnx.load_from_string(data).graph
    held = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    return {node.name: held[node.input[1]] for node in graph.node if node.op_type in {"Conv", "Gemm"} and node.input[1] in held}


def test_layers_with_weights_from_the_top(data):
    """The last layer comes first; normalisation and familiarity have none to learn on the way to the logits."""
    assert learned(data) == ("logits", "dense1", "conv2", "conv1")


def test_drawn_anew_from_the_top_down(data):
    """Down to the layer named every weight is new, with about its old mean and spread; below, every weight is the old one."""
    old, new = weights(data), weights(reinitialised(data, "conv2", 5))
    assert not np.array_equal(old["logits"], new["logits"])
    assert not np.array_equal(old["dense1"], new["dense1"])
    assert not np.array_equal(old["conv2"], new["conv2"])
    np.testing.assert_array_equal(old["conv1"], new["conv1"])
    assert new["dense1"].std() == pytest.approx(old["dense1"].std(), rel=0.05)
    assert new["dense1"].shape == old["dense1"].shape
    assert new["dense1"].dtype == np.float32


def test_the_draw_is_a_function_of_its_seed(data):
    """One seed, one file; another seed, another; a layer's draw does not hang on how far down the others go."""
    assert reinitialised(data, "conv1", 5) == reinitialised(data, "conv1", 5)
    assert reinitialised(data, "conv1", 5) != reinitialised(data, "conv1", 6)
    np.testing.assert_array_equal(weights(reinitialised(data, "logits", 5))["logits"], weights(reinitialised(data, "conv1", 5))["logits"])


def test_the_file_with_new_weights_runs(data, picture):
    """It is an ordinary graph, with the same layers and other answers."""
    old, new = (look(each, picture[None]) for each in (data, reinitialised(data, "conv1", 1)))
    assert [layer.name for layer in old.layers] == [layer.name for layer in new.layers]
    assert np.abs(old.logits - new.logits).max() > 1e-3


def test_a_layer_without_weights_is_refused(data):
    """A layer that has nothing to draw anew is an input error with the near miss."""
    with pytest.raises(InputError, match=r"'conv' has no weights.*did you mean 'conv"):
        reinitialised(data, "conv")
    with pytest.raises(InputError, match="'relu1' has no weights"):
        reinitialised(data, "relu1")


def test_rank_correlation():
    """Spearman's: 1 for any rising function, -1 for a falling one, ties share a rank, nothing for a map that is all alike."""
    values = np.random.default_rng(0).normal(size=(5, 4))
    assert rank_correlation(values, np.exp(3 * values)) == pytest.approx(1)
    assert rank_correlation(values, -(values**3)) == pytest.approx(-1)
    assert abs(rank_correlation(values, np.random.default_rng(1).normal(size=(5, 4)))) < 0.6
    # By hand: ranks (1, 2.5, 2.5, 4) and (1, 3, 2, 4) give 4.5 / sqrt(4.5 * 5).
    assert rank_correlation(np.array([1, 2, 2, 3]), np.array([1, 3, 2, 4])) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert math.isnan(rank_correlation(values, np.zeros((5, 4))))


def test_levels():
    """From one layer to all of them, no more stages than asked for."""
    assert _levels(4, 4) == [1, 2, 3, 4]
    assert _levels(7, 4) == [1, 3, 5, 7]
    assert _levels(52, 4) == [1, 18, 35, 52]
    assert _levels(2, 4) == [1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_the_cascade_ends_with_all_layers(data, picture, method):
    """Four stages, the same label, layer, baseline and steps; with all weights new a map is no longer the trained one's."""
    trained = attribute(Tape(data), picture, 1, method, how="mean")
    found = cascade(data, trained, picture, seed=3)
    assert [each.upto for each in found] == ["logits", "dense1", "conv2", "conv1"]
    assert [(each.layers, each.total) for each in found] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for each in found:
        assert (each.map.label, each.map.layer, each.map.baseline) == (1, trained.layer, trained.baseline)
        assert each.map.steps == trained.steps
        assert each.similarity == pytest.approx(rank_correlation(trained.values, each.map.values), nan_ok=True)
    assert not found[-1].similarity > 0.5
    alike = cascade(data, trained, picture, seed=3)
    assert all(np.array_equal(one.map.values, other.map.values) for one, other in zip(found, alike, strict=True))


@pytest.fixture(scope="module")
def guided():
    """Return how far slopes of a logit stay alike when layers are drawn anew, as they are, or with ReLU's rule changed to Guided Backprop's."""

    def similarities(data, picture, rule=None):
        kept = slopes.SLOPES["Relu"]
        slopes.SLOPES["Relu"] = rule or kept
        try:
            files = [data, *(reinitialised(data, upto) for upto in learned(data))]
            trained, *others = [tape.slope(tape.run(picture[None]), 0)[0] for tape in map(Tape, files)]
        finally:
            slopes.SLOPES["Relu"] = kept
        return [rank_correlation(trained, other) for other in others]

    return similarities


@pytest.mark.parametrize("name", ["X/X1.png", "O/O1.png"])
def test_the_control_finds_out_a_method_that_shows_the_picture(drawn_model, drawn_photos, guided, name):
    """MATH 8: on a trained network, slopes change when the weights are drawn anew; Guided Backprop's map stays, and so fails."""
    predictor = load(drawn_model)
    data, picture = predictor.model.data, predictor.prepare(drawn_photos / name)
    assert learned(data) == ("logits", "dense1", "conv2", "conv1")
    plain = guided(data, picture)
    assert max(plain) < 0.7
    assert max(plain[1:]) < 0.3
    fails = guided(data, picture, lambda step, slope: (np.maximum(slope, 0) * (step.value > 0),))
    assert fails[0] > 0.9
    assert min(fails[:3]) > 0.5
