"""A picture rebuilt from what a layer says: nearer than grey, the same each time, and left out with a reason where it would take too long."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from peephole.base.modelfile import read
from peephole.explain.geometry import Count, Window
from peephole.explain.layers import Layer, Look, look
from peephole.explain.rebuilt import LIMIT, STEPS, _roughness, _smoothed, rebuild, rebuilt, stages, work_of


@pytest.fixture(scope="module")
def door(make_door):
    """A small door model's bytes, a picture with a form in it, and its layers."""
    data = read(make_door()).data
    picture = np.full((28, 28, 1), 30, np.uint8)
    picture[6:20, 9:14] = 220
    picture[15:20, 9:22] = 160
    return data, picture, look(data, picture[None])


def test_stages_are_the_pools_and_the_hidden_layer(door):
    """Behind each pooling the picture has been put together further; the last is what the answer is read off."""
    assert stages(door[2]) == ("pool1", "pool2", "relu_dense1")
    assert stages(door[2], most=1) == ("pool1", "relu_dense1")


def layer(name, op, shape, stride=1):
    """Return a layer of a network that is only described."""
    window = Window((3, 3), (stride, stride), (1, 1), (1, 1, 1, 1)) if op in {"Conv", "MaxPool"} else None
    return Layer(name, op, ("before",), np.zeros(shape, np.float32), Count(), Count(), None, window)


def test_stages_without_pools_and_with_a_long_end():
    """Without pools the last layer of each size counts; what comes behind the last pool does too; padding and poolings that keep the size do not."""
    head = [layer("normalise", "Transpose", (3, 16, 16)), layer("pad0", "Pad", (3, 17, 17))]
    tail = [layer("flatten", "Flatten", (9,)), layer("logits", "Gemm", (2,))]
    strided = [
        layer("conv1", "Conv", (4, 8, 8), 2),
        layer("relu1", "Relu", (4, 8, 8)),
        layer("pad", "Pad", (4, 9, 9)),
        layer("conv2", "Conv", (4, 4, 4)),
    ]
    logits = replace(tail[-1], inputs=("flatten",))
    assert stages(Look((*head, *strided, tail[0], logits), np.zeros(2), 0.0)) == ("relu1", "conv2", "flatten")
    pools = [layer("stem", "Conv", (4, 16, 16)), layer("pool1", "MaxPool", (4, 8, 8), 2), layer("same", "MaxPool", (4, 8, 8))]
    ends = [layer("pool2", "MaxPool", (4, 4, 4), 2), layer("join", "Concat", (8, 4, 4)), layer("relu", "Relu", (8, 4, 4))]
    assert stages(Look((*head, *pools, *ends, tail[0], logits), np.zeros(2), 0.0)) == ("pool1", "pool2", "relu", "flatten")
    assert stages(Look((), np.zeros(2), 0.0)) == ()


def test_the_first_layer_gives_the_picture_back(door):
    """From the first layer the picture is found within a few grey levels, far nearer than its mean colour, and the layer can hardly tell."""
    data, picture, _ = door
    found = rebuild(data, picture, "pool1")
    assert found.picture.dtype == np.uint8
    assert found.picture.shape == picture.shape
    assert found.error == pytest.approx(np.sqrt(np.mean((found.picture.astype(float) - picture) ** 2)))
    assert found.flat == pytest.approx(picture.std())
    assert found.error < 0.25 * found.flat
    assert found.relative == found.error / found.flat
    assert found.match < 0.1
    assert found.numbers == 8 * 14 * 14


def test_more_steps_come_nearer(door):
    """The layer's answers come nearer to the original's with more steps."""
    data, picture, _ = door
    few, many = (rebuild(data, picture, "pool2", steps=steps) for steps in (5, 120))
    assert many.match < 0.5 * few.match


def test_the_same_each_time(door):
    """Two rebuildings are the same picture to the last bit."""
    data, picture, seen = door
    first, again = (rebuilt(data, seen, picture, most=1) for _ in range(2))
    assert all(np.array_equal(one.picture, other.picture) for one, other in zip(first, again, strict=True))
    assert [each.layer for each in first] == ["pool1", "relu_dense1"]


def test_roughness_is_the_slope_of_what_it_says():
    """The price on differences between neighbours: its slope is that of finite differences."""
    x = np.random.default_rng(0).uniform(0, 255, (1, 5, 4, 2))

    def price(values):
        return sum((np.diff(values / 255, axis=axis) ** 2).sum() for axis in (1, 2)) / values.size

    found = _roughness(x)
    for at in ((0, 0, 0, 0), (0, 2, 3, 1), (0, 4, 1, 0)):
        more, less = x.copy(), x.copy()
        more[at] += 0.1
        less[at] -= 0.1
        assert found[at] == pytest.approx((price(more) - price(less)) / 0.2, rel=1e-6)


def test_smoothing_keeps_the_sum():
    """Each cell is mixed with its neighbours 1 : 2 : 1 along both axes; an even picture stays as it is."""
    spike = np.zeros((1, 5, 5, 1))
    spike[0, 2, 2, 0] = 16
    np.testing.assert_array_equal(_smoothed(spike, 1)[0, 1:4, 1:4, 0], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    assert _smoothed(spike, 1).sum() == 16
    np.testing.assert_array_equal(_smoothed(np.full((1, 3, 4, 2), 7.0), 3), np.full((1, 3, 4, 2), 7.0))
    np.testing.assert_array_equal(_smoothed(spike, 0), spike)


def test_what_would_take_too_long_is_told(door):
    """Above the cap there are fewer steps, and below 80 of them no picture but a reason with the number."""
    data, picture, seen = door
    each = work_of(seen, "pool1")
    assert each == sum(3 * layer.macs.value + 60 * layer.values.size for layer in seen.layers[:7])
    assert work_of(seen, "relu_dense1") * STEPS < LIMIT
    fewer = rebuilt(data, seen, picture, most=1, limit=90 * each)[0]
    assert fewer.steps == 90
    assert fewer.work == 90 * each
    left_out = rebuilt(data, seen, picture, most=1, limit=70 * each)
    assert [one.picture for one in left_out] == [None, None]
    assert "multiplications" in left_out[0].why
    assert left_out[0].work == 80 * each


def test_an_operation_without_a_slope_is_told():
    """Behind an operation whose slope nobody knows there is no picture but a reason that names it."""
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], "normalise", perm=[0, 3, 1, 2]),
        helper.make_node("Ceil", ["planes"], ["up"], "up"),
        helper.make_node("Flatten", ["up"], ["logits"], "logits"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("image", ["N", 3, 3, 1]), ("logits", None))]
    data = helper.make_model(helper.make_graph(nodes, "up", ends[:1], ends[1:]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    picture = np.arange(9, dtype=np.float32).reshape(3, 3, 1)
    seen = look(data.SerializeToString(), picture[None])
    found = rebuilt(data.SerializeToString(), seen, picture)
    assert [each.layer for each in found] == ["up"]
    assert found[0].picture is None
    assert "layer up is a Ceil" in found[0].why
