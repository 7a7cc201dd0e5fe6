"""Forks and joints: which layers stand side by side, told from the graph alone."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from peephole.explain.glance import stops
from peephole.explain.joints import PICTURE, along, joints, shortened
from peephole.explain.layers import look


def layers(*nodes, side=8):
    """Return the layers of a graph of `nodes`, each (op, name, reads..., and its attributes); `w1`, `w3` and `w5` are kernels of two maps."""
    made = [
        helper.make_node(op, list(reads), ["logits" if at == len(nodes) - 1 else name], name, **more)
        for at, (op, name, reads, more) in enumerate(nodes)
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("image", "logits")]
    draw = np.random.default_rng(5)
    kernels = [numpy_helper.from_array(draw.normal(size=(2, 2, size, size)).astype(np.float32), f"w{size}") for size in (1, 3, 5)]
    graph = helper.make_graph(made, "g", ends[:1], ends[1:], kernels)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return look(model.SerializeToString(), draw.normal(size=(1, 2, side, side)).astype(np.float32), size=(side, side)).layers


def conv(name, reads, size):
    """A convolution that keeps the size."""
    return ("Conv", name, (reads, f"w{size}"), {"pads": [size // 2] * 4})


POOL = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
RESIDUAL = (conv("stem", "image", 3), conv("a", "stem", 3), ("Relu", "b", ("a",), {}), conv("c", "b", 3), ("Add", "sum", ("c", "stem"), {}))


def test_a_residual_block():
    """Three layers one way, none the other; the fork is what both read; a ReLU on a way is no stop of the main line."""
    seen = layers(*RESIDUAL, ("Relu", "end", ("sum",), {}))
    (found,) = joints(seen)
    assert (found.fork, found.join, found.ways) == (0, 4, ((1, 2, 3), ()))
    assert along(found.ways[0], seen) == (("conv", "3\u00a0×\u00a03"),) * 2 and along(found.ways[1], seen) == ()
    assert [seen[place].name for place in stops(seen)] == ["end"]


def test_what_the_last_layer_weighs_is_a_stop():
    """The row of numbers that known examples are compared by, also where no activation leaves it."""
    seen = layers(("MaxPool", "pool", ("image",), POOL), ("Flatten", "unit", ("pool",), {}), ("Softmax", "end", ("unit",), {}))
    assert [seen[place].name for place in stops(seen)] == ["pool", "unit", "end"]


def test_the_branches_of_a_module():
    """Four ways from one pooling, each known by its window or its pooling."""
    seen = layers(
        ("MaxPool", "pool", ("image",), POOL),
        conv("one", "pool", 1),
        conv("reduce", "pool", 1),
        conv("five", "reduce", 5),
        ("MaxPool", "max", ("pool",), POOL),
        conv("project", "max", 1),
        ("Concat", "all", ("one", "five", "project"), {"axis": 1}),
    )
    (found,) = joints(seen)
    assert (found.fork, found.join, found.ways) == (0, 6, ((1,), (2, 3), (4, 5)))
    named = [shortened(along(way, seen)) for way in found.ways]
    assert named == [("conv", "1\u00a0×\u00a01"), ("conv", "5\u00a0×\u00a05"), ("pool", "3\u00a0×\u00a03")]


def test_blocks_in_a_row_are_told_apart():
    """The second block forks at the first one's sum, not before it."""
    seen = layers(*RESIDUAL, conv("d", "sum", 3), ("Add", "more", ("d", "sum"), {}))
    assert [(found.fork, found.join, found.ways) for found in joints(seen)] == [(0, 4, ((1, 2, 3), ())), (4, 6, ((5,), ()))]


def test_the_picture_may_be_the_fork():
    """A layer added to the picture itself."""
    (found,) = joints(layers(conv("a", "image", 3), ("Add", "sum", ("a", "image"), {})))
    assert (found.fork, found.join, found.ways) == (PICTURE, 1, ((0,), ()))


def test_what_is_no_plain_fork_is_left_alone():
    """A sum within a way, and a layer between that belongs to none of the ways."""
    inner = layers(*RESIDUAL[:4], ("Add", "in", ("c", "a"), {}), ("Add", "out", ("in", "stem"), {}))
    assert [(found.fork, found.join) for found in joints(inner)] == [(1, 4)]
    crossed = layers(
        *RESIDUAL[:2], ("Relu", "other", ("stem",), {}), conv("c", "a", 3), ("Add", "sum", ("c", "stem"), {}), ("Mul", "end", ("sum", "other"), {})
    )
    assert joints(crossed) == ()
