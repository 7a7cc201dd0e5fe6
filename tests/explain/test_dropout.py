"""Dropout passes: MATH section 3's numbers, masks by seed, a mean near the plain answer."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from peephole.base.errors import InputError, ModelFileError, SettingsError
from peephole.base.modelfile import read
from peephole.explain.dropout import drop, drop_out, keep_of, with_mask
from peephole.explain.layers import look


@pytest.fixture(scope="module")
def door(make_door):
    """A small door model's file and a seeded picture."""
    return read(make_door()), np.random.default_rng(2).integers(0, 256, (28, 28, 1), dtype=np.uint8)


def test_inverted_dropout_is_that_of_the_notes():
    """MATH 3: x = (.2, .4, .6, .8, 1), m = (1, 0, 1, 1, 0), p = .4 gives (.3333, 0, 1, 1.3333, 0); with nothing put out, x."""
    x = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(drop(x, np.array([1, 0, 1, 1, 0]), 0.6), [1 / 3, 0, 1, 4 / 3, 0], rtol=1e-12)
    np.testing.assert_array_equal(drop(x, np.ones(5), 1.0), x)
    masks = np.random.default_rng(0).random((20_000, 5)) < 0.6
    np.testing.assert_allclose(drop(x, masks, 0.6).mean(axis=0), x, atol=0.02)


def test_each_pass_is_its_mask(door):
    """Every one of the T answers equals the last layer worked out in numpy on the units that were kept, divided by the share kept."""
    model, picture = door
    found = drop_out(model.data, picture, keep=0.7, passes=9, seed=4)
    last = look(model.data, picture[None]).layers[-1]
    units = look(model.data, picture[None]).find("relu_dense1").values
    np.testing.assert_allclose(found.hidden, units, atol=1e-5)
    assert found.layer == "relu_dense1"
    assert found.masks.shape == (9, 32)
    for mask, logits in zip(found.masks, found.logits, strict=True):
        np.testing.assert_allclose(logits, last.weight @ (units * mask / 0.7) + last.bias, atol=1e-4)
    np.testing.assert_allclose(found.plain, last.values, atol=1e-5)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    assert found.votes.sum() == 9


def test_the_mean_is_near_the_plain_answer(door):
    """Over many passes the mean logit comes to the plain one within five of its standard errors; the spread is that of the masks."""
    model, picture = door
    found = drop_out(model.data, picture, keep=0.5, passes=2000, seed=1)
    assert (found.spread > 0).all()
    assert (np.abs(found.mean - found.plain) < 5 * found.spread / np.sqrt(2000)).all()
    assert found.masks.mean() == pytest.approx(0.5, abs=0.01)
    last = look(model.data, picture[None]).layers[-1]
    # Var of sum w x m / keep over independent masks: (1 - keep) / keep * sum (w x)^2.
    np.testing.assert_allclose(found.spread, np.sqrt(((last.weight * found.hidden) ** 2).sum(axis=1)), rtol=0.1)


def test_the_seed_decides(door):
    """Same seed, same passes; another seed, others; with all units kept every pass is the plain answer."""
    model, picture = door
    first, again, other = (drop_out(model.data, picture, keep=0.7, passes=5, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.logits, again.logits)
    assert not np.array_equal(first.masks, other.masks)
    whole = drop_out(model.data, picture, keep=1.0, passes=3)
    np.testing.assert_allclose(whole.logits, np.repeat(whole.plain[None], 3, axis=0), atol=1e-5)
    assert whole.masks.all()


def test_other_outputs_are_left_alone(door):
    """Only what the logits read is masked: the file itself is not changed, and the copy's mask lies between the hidden layer and the logits."""
    model, _ = door
    copy, layer, tensor = with_mask(model.data)
    assert (layer, tensor) == ("relu_dense1", "embedding")
    readers = [node.name for node in onnx.load_from_string(copy).graph.node if tensor in node.input]
    assert readers == ["dropout", "familiarity_centre"]


def test_the_share_kept_is_the_recipes(door):
    """The card's recipe says what was kept; a frozen network says nothing, for its dropout was another's."""
    card = door[0].card
    assert keep_of(card) is None

    def told(**recipe):
        return keep_of(card.model_copy(update={"training": card.training.model_copy(update={"recipe": recipe})}))

    assert told(network="plain", plain={"keep_prob": 0.7}, deep=None) == 0.7
    assert told(network="resnet", plain={"keep_prob": 0.7}, deep={"keep_prob": 1.0}) == 1.0
    assert told(network="strokes", plain={"keep_prob": 0.7}, deep=None) is None
    assert told(network="plain", plain={"keep_prob": "much"}) is None


def test_bad_settings(door):
    """A share of nothing, too many passes, a picture of another shape and a graph without a dense end are refused with a hint."""
    model, picture = door
    for keep in (0.0, 1.5, float("nan")):
        with pytest.raises(SettingsError, match="share kept"):
            drop_out(model.data, picture, keep=keep)
    with pytest.raises(SettingsError, match="0 passes"):
        drop_out(model.data, picture, keep=0.5, passes=0)
    with pytest.raises(InputError, match="cannot take this picture"):
        drop_out(model.data, picture[:5], keep=0.5)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in ("image", "logits")]
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["logits"], "logits")], "none", ends[:1], ends[1:])
    bare = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ModelFileError, match="no hidden units"):
        drop_out(bare.SerializeToString(), picture, keep=0.5)
