"""An edited weight gives the answer that ONNX Runtime gives for the file edited with the onnx library."""

import numpy as np
import onnx
import onnxruntime
import pytest
from foreign import node, noise, opened
from onnx import helper, numpy_helper

from peephole.base.errors import HostileModelFile, InputError
from peephole.base.modelfile import read_bytes
from peephole.explain.edits import MAX_EDITS, edited_bytes
from peephole.explain.openmodel import open_model
from peephole.explain.trace import Edit, Tracer, trace


def plainly(data, feed, output):
    """Return what ONNX Runtime itself answers."""
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run([output], feed)[0]


def test_the_answer_is_that_of_the_edited_file(make_door):
    """A kernel value and a bias of our file, changed by hand with onnx: same logits, and every layer before the edit unchanged."""
    model = open_model(make_door())
    prepared = np.random.default_rng(3).integers(0, 256, (1, 28, 28, 1), dtype=np.uint8)
    edits = [Edit("conv2.weight", (3, 2, 1, 0), -1.5), Edit("logits.bias", (1,), 4.0)]
    by_hand = onnx.load_from_string(model.data)
    for tensor in by_hand.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        for edit in edits:
            if edit.tensor == tensor.name:
                values[edit.index] = edit.value
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    wanted = plainly(by_hand.SerializeToString(), {"image": prepared}, "logits")[0]
    before, after = trace(model, prepared), trace(model, prepared, edits=edits)
    np.testing.assert_allclose(after.output.logits, wanted, atol=1e-5)
    np.testing.assert_allclose(plainly(edited_bytes(model, edits), {"image": prepared}, "logits")[0], wanted, atol=1e-5)
    assert np.abs(after.output.logits - before.output.logits).max() > 0.1
    np.testing.assert_array_equal(after.values("pool1"), before.values("pool1"))
    assert after.values("conv2")[3].tolist() != before.values("conv2")[3].tolist()
    assert after.tensor("conv2").values[3, 2, 1, 0] == np.float32(-1.5)
    assert after.header()["edits"] == [{"tensor": edit.tensor, "index": [*edit.index], "value": edit.value} for edit in edits]
    assert after.decision.probability != before.decision.probability


def test_a_foreign_file_edited():
    """Weights as initialisers, as Constant nodes, in float16: all can be edited."""
    constant = helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(noise((3, 1, 1), 5)))
    nodes = [constant, node("Mul", "x", "k", out="scaled"), node("Conv", "scaled", "w", name="conv")]
    model = opened(nodes, {"w": noise((2, 3, 3, 3), 1)})
    picture = noise((1, 3, 9, 8))
    edits = [Edit("k", (1, 0, 0), 0.0), Edit("w", (0, 2, 2, 2), 3.0), Edit("w", (0, 2, 2, 2), 2.0)]
    found = trace(model, picture, edits=edits)
    np.testing.assert_allclose(found.output.logits, plainly(edited_bytes(model, edits), {"x": picture}, "out")[0].ravel(), atol=1e-5)
    assert found.constant("w").values[0, 2, 2, 2] == 2 and not found.values(found.layers[1].id)[1].any()


def test_another_name_for_a_weight():
    """Weights that two layers share under two names (as PyTorch writes them) change in both."""
    nodes = [node("Identity", "w", out="same"), node("Conv", "x", "w", out="a", name="first"), node("Conv", "x", "same", out="b", name="second")]
    model = opened([*nodes, node("Add", "a", "b")], {"w": noise((2, 3, 3, 3), 1)})
    picture, edits = noise((1, 3, 9, 8)), [Edit("w", (0, 1, 1, 1), 5.0)]
    found = trace(model, picture, edits=edits)
    np.testing.assert_allclose(found.output.logits, plainly(edited_bytes(model, edits), {"x": picture}, "out")[0].ravel(), atol=1e-5)
    np.testing.assert_array_equal(found.values("first"), found.values("second"))
    assert found.tensor("second").values[0, 1, 1, 1] == 5 and trace(model, picture).tensor("second").editable is False


def test_undoing_is_the_old_answer(make_door):
    """A tracer keeps edited and unedited graphs apart."""
    model, tracer = open_model(make_door()), Tracer()
    prepared = np.random.default_rng(3).integers(0, 256, (1, 28, 28, 1), dtype=np.uint8)
    first = tracer.trace(model, prepared).output.logits
    assert np.abs(tracer.trace(model, prepared, [Edit("conv1.weight", (0, 0, 0, 0), 9.0)]).output.logits - first).max() > 1e-3
    np.testing.assert_array_equal(tracer.trace(model, prepared).output.logits, first)


def test_an_edited_file_is_not_taken_for_the_trained_one(make_door):
    """Its seal does not fit any more, and the reader says so."""
    model = open_model(make_door())
    with pytest.raises(HostileModelFile, match="changed after it was made"):
        read_bytes(edited_bytes(model, [Edit("conv1.weight", (0, 0, 0, 0), 1.0)]), "edited.onnx")


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (Edit("conv1.weigth", (0, 0, 0, 0), 1.0), "did you mean 'conv1.weight'"),
        (Edit("conv1.weight", (8, 0, 0, 0), 1.0), "no place"),
        (Edit("conv1.weight", (-1, 0, 0, 0), 1.0), "no place"),
        (Edit("conv1.weight", (0, 0), 1.0), "no place"),
        (Edit("conv1.weight", (0, 0, 0, 0), float("nan")), "is no weight"),
        (Edit("conv1.weight", (0, 0, 0, 0), float("inf")), "is no weight"),
        (Edit("conv1.weight", (0, 0, 0, 0), 1e39), "is no weight"),
        (Edit("by_label", (0,), 1.0), "not weights"),
    ],
)
def test_what_cannot_be_edited(make_door, edit, says):
    """A misspelt tensor, a place beyond the edge, a value that is no number or too large for the weights, whole numbers."""
    with pytest.raises(InputError, match=says):
        edited_bytes(open_model(make_door()), [edit])


def test_too_many_edits(make_door):
    """More than a person makes by hand are refused."""
    with pytest.raises(InputError, match="more than 1,000"):
        edited_bytes(open_model(make_door()), [Edit("conv1.weight", (0, 0, 0, 0), 1.0)] * (MAX_EDITS + 1))
