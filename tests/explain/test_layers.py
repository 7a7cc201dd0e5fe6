"""Every layer of the file that answers: a copy gives them out, and the copy is the original."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from peephole.base.errors import HostileModelFile, ParityError
from peephole.base.modelfile import read
from peephole.explain.anatomy import PLANS, _draw, _maps
from peephole.explain.geometry import Count, Field
from peephole.explain.layers import Layer, look


@pytest.fixture(scope="module")
def seen(make_door):
    """A small door model, looked at with seeded noise as its picture."""
    data = read(make_door()).data
    image = np.random.default_rng(2).integers(0, 256, (1, 28, 28, 1), dtype=np.uint8)
    return data, image, look(data, image)


def test_the_copy_answers_as_the_original(seen):
    """The logits of the copy with added outputs equal the original's within 1e-5."""
    data, image, found = seen
    original = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(["logits"], {"image": image})[0][0]
    np.testing.assert_array_equal(found.logits, original)
    np.testing.assert_allclose(found.layers[-1].values, original, atol=1e-5)
    assert found.difference <= 1e-5


def test_a_copy_that_differs_is_refused(seen):
    """Layers that are not those of the answer are not shown."""
    data, image, found = seen
    with pytest.raises(ParityError, match="differs from the file"):
        look(data, image, reference=found.logits[None] + 1e-3)


def test_all_layers_on_the_way_to_the_logits(seen):
    """From the picture to the logits in order; what computes familiarity is not among them."""
    names = [layer.name for layer in seen[2].layers]
    wanted = "normalise_cast normalise_mean normalise_scale normalise conv1 relu1 pool1 conv2 relu2 pool2 flatten dense1 relu_dense1 logits"
    assert names == wanted.split()


def test_values_are_those_of_numpy(seen):
    """The feature maps of conv1 are the cross-correlation of the normalised picture with its kernels."""
    found = seen[2]
    conv, source = found.find("conv1"), found.find("normalise").values.astype(np.float64)
    padded = np.pad(source, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    wanted = np.einsum("cijkl,fckl->fij", windows, conv.weight) + conv.bias[:, None, None]
    np.testing.assert_allclose(conv.values, wanted, atol=1e-4)


def test_constants_of_the_normalisation_are_not_learned(seen):
    """Only weights and biases count as parameters."""
    assert sum(layer.parameters.value for layer in seen[2].layers) == 80 + 876 + 32 * 588 + 32 + 3 * 32 + 3


def branches() -> onnx.ModelProto:
    """Return a graph with two branches, a skip sum, a pad, a Constant node and an operation nobody explains."""
    draw = np.random.default_rng(5)
    weights = {"w1": draw.normal(size=(2, 2, 1, 1)), "w3": draw.normal(size=(2, 2, 3, 3)), "w": draw.normal(size=(4, 3))}
    pads = numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    nodes = [
        helper.make_node("Constant", [], ["pads"], "constant", value=pads),
        helper.make_node("Pad", ["image", "pads"], ["pad"], "pad"),
        helper.make_node("Conv", ["pad", "w3"], ["wide"], "wide"),
        helper.make_node("Conv", ["image", "w1"], ["narrow"], "narrow"),
        helper.make_node("Add", ["wide", "image"], ["sum"], "skip"),
        helper.make_node("Concat", ["sum", "narrow"], ["both"], "both", axis=1),
        helper.make_node("Softplus", ["both"], ["odd"], "odd"),
        helper.make_node("ReduceMean", ["odd"], ["mean"], "mean", axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["logits"], "logits"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("image", "logits")]
    initialisers = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "branches", ends[:1], ends[1:], initialisers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_branches_and_skips():
    """A unit behind a sum or a concatenation sees what any of its inputs sees; who reads what is told."""
    found = look(branches().SerializeToString(), np.ones((1, 2, 6, 6), np.float32), size=(6, 6))
    assert found.find("skip").inputs == ("wide", "")
    assert found.find("both").inputs == ("skip", "narrow")
    assert found.find("both").field == Field((3, 3), (1, 1), (-1, -1))
    assert found.find("logits").macs.text == "4 × 3"


def test_an_unknown_operation_says_so_and_the_rest_works():
    """Values of an operation that nobody explains are shown, its receptive field is not guessed."""
    found = look(branches().SerializeToString(), np.ones((1, 2, 6, 6), np.float32), size=(6, 6))
    odd = found.find("odd")
    assert not odd.known
    assert odd.field is None
    assert odd.shape == (4, 6, 6)


def test_what_cannot_be_run_is_refused():
    """A graph that ONNX Runtime refuses gives our error."""
    broken = branches()
    broken.graph.node[5].input[0] = "nowhere"
    with pytest.raises(HostileModelFile, match="cannot be run"):
        look(broken.SerializeToString(), np.ones((1, 2, 6, 6), np.float32))


@pytest.mark.parametrize(("shape", "total"), [((128, 4, 4), 128), ((128, 3, 3), 128), ((8, 8, 3), 3), ((3, 8, 8), 3)])
def test_maps_are_counted_by_their_channels(shape, total):
    """128 small maps are 128, not as many as they are wide; a picture whose channels come last has as many as it has channels."""
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    layer = Layer("pool", "MaxPool", ("relu",), values, Count(), Count(), None)
    drawn = _draw(layer, PLANS[0])
    told = str(_maps(layer, drawn))
    shown = sum(each.shown for each in drawn)
    assert f"of the {total} of pool" in told
    assert (f"All {total} feature maps" if shown == total else f"The first {shown} of {total} feature maps") in told
