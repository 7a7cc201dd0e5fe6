"""The textbook numbers of shapes, receptive fields and cost, each against the traces of such a network."""

from collections.abc import Sequence

import numpy as np
import pytest
from foreign import node, noise, opened

from peephole.explain.openmodel import OpenModel
from peephole.explain.trace import Trace, trace


def stack(steps: Sequence[str | tuple[str, int, int]], shape: tuple[int, int, int], *, dense: int = 0, pads: int = 0) -> OpenModel:
    """Return a network of "pool", "relu" and ("conv", filters, kernel), one after the other, then flatten and a dense layer of `dense` units."""
    nodes, constants, last = [], {}, "x"
    channels = shape[0]
    for number, step in enumerate(steps):
        out = f"t{number}"
        if step == "pool":
            nodes.append(node("MaxPool", last, out=out, name=f"pool{number}", kernel_shape=[2, 2], strides=[2, 2]))
        elif step == "relu":
            nodes.append(node("Relu", last, out=out, name=f"relu{number}"))
        else:
            _, filters, kernel = step
            constants |= {f"w{number}": noise((filters, channels, kernel, kernel), number), f"b{number}": noise((filters,), number)}
            nodes.append(node("Conv", last, f"w{number}", f"b{number}", out=out, name=f"conv{number}", pads=[pads] * 4))
            channels = filters
        last = out
    if dense:
        side = int(trace(opened(nodes, constants, (1, *shape), output=last), noise((1, *shape))).layers[-1].count)
        constants |= {"w": noise((dense, side)), "b": noise((dense,))}
        nodes += [node("Flatten", last, out="flat", name="flatten"), node("Gemm", "flat", "w", "b", out="dense", name="dense", transB=1)]
        last = "dense"
    return opened(nodes, constants, (1, *shape), output=last)


def fields(found: Trace) -> list[tuple[int, int]]:
    """Return (size, stride) of the receptive field of each layer, all square."""
    assert all(layer.field.size[0] == layer.field.size[1] and layer.field.stride[0] == layer.field.stride[1] for layer in found.layers[1:])
    return [(layer.field.size[0], layer.field.stride[0]) for layer in found.layers[1:]]


def costs(found: Trace) -> tuple[list[int], list[int]]:
    """Return parameters and multiply-accumulates of the layers that have any."""
    return [n for layer in found.layers if (n := layer.parameters.value)], [n for layer in found.layers if (n := layer.macs.value)]


def test_rohrer_s_network():
    """Convolution 3, pooling twice: fields (3, 1), (4, 2), (6, 4)."""
    found = trace(stack([("conv", 3, 3), "pool", "pool"], (1, 9, 9)), noise((1, 1, 9, 9)))
    assert fields(found) == [(3, 1), (4, 2), (6, 4)]


def test_tiny_vgg_of_cnn_explainer():
    """64 x 64 x 3, four convolutions of ten filters, ten labels: 19 920 parameters (79 680 bytes), 5 608 780 multiply-accumulates."""
    conv = ("conv", 10, 3)
    found = trace(stack([conv, "relu", conv, "relu", "pool", conv, "relu", conv, "relu", "pool"], (3, 64, 64), dense=10), noise((1, 3, 64, 64)))
    assert [field for layer, field in zip(found.layers[1:11], fields(found), strict=False) if layer.op != "Relu"] == [
        *((3, 1), (5, 1), (6, 2)),
        *((10, 2), (14, 2), (16, 4)),
    ]
    parameters, macs = costs(found)
    assert parameters == [280, 910, 910, 910, 16_910] and macs == [1_037_880, 3_240_000, 705_600, 608_400, 16_900]
    assert (sum(parameters), sum(macs)) == (19_920, 5_608_780)
    assert 4 * sum(parameters) == 79_680 == sum(tensor.values.nbytes for tensor in found.tensors)
    assert found.layer("dense").parameters.text == "10 × 1690 + 10" and found.layer("conv0").macs.text == "10 × 3 × 3 × 3 × 62 × 62"
    assert [layer.shape[1] for layer in found.layers if layer.op in ("Conv", "MaxPool")] == [62, 60, 30, 28, 26, 13]
    assert found.layer("dense").field.whole


@pytest.mark.parametrize(("side", "kernel", "stride", "pad", "out"), [(227, 11, 4, 0, 55), (224, 7, 2, 3, 112)])
def test_first_layers_of_alexnet_and_resnet(side, kernel, stride, pad, out):
    """(n + 2p - k) / s + 1, rounded down."""
    model = opened([node("Conv", "x", "w", pads=[pad] * 4, strides=[stride] * 2)], {"w": noise((2, 3, kernel, kernel))}, (1, 3, side, side))
    layer = trace(model, noise((1, 3, side, side))).layers[1]
    assert layer.shape == (2, out, out) == (2, *[(side + 2 * pad - kernel) // stride + 1] * 2)
    assert (layer.field.size, layer.field.stride, layer.field.offset) == ((kernel,) * 2, (stride,) * 2, (-pad,) * 2)


@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("ceil", [0, 1])
def test_shapes_of_windows(kernel, stride, dilation, ceil):
    """Floor or ceil of (n + 2p - d(k - 1) - 1) / s, plus 1; with ceil the last window must begin inside."""
    for side in (5, 6, 7, 8):
        for pad in range(min(kernel, 2)):
            found = (side + 2 * pad - dilation * (kernel - 1) - 1) / stride
            out = int(np.ceil(found) if ceil else np.floor(found)) + 1
            if ceil and (out - 1) * stride >= side + pad:
                out -= 1
            sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "dilations": [dilation] * 2}
            model = opened([node("MaxPool", "x", ceil_mode=ceil, **sizes)], {}, (1, 1, side, side), opset=22)
            assert trace(model, noise((1, 1, side, side))).layers[1].shape == (1, out, out)
            assert len(model.labels) == out * out  # as counted before anything ran


def test_two_and_three_small_kernels_see_what_one_large_sees():
    """VGG: two 3 x 3 see 5 x 5 with 18 C C weights instead of 25 C C; three see 7 x 7 with 27 C C instead of 49 C C (C = 64)."""
    rows = {}
    for count, kernel in ((2, 3), (1, 5), (3, 3), (1, 7)):
        found = trace(stack([("conv", 64, kernel)] * count, (64, 9, 9)), noise((1, 64, 9, 9)))
        weights = sum(tensor.count for tensor in found.tensors if len(tensor.shape) == 4)
        rows[count, kernel] = (fields(found)[-1][0], weights)
    assert rows == {(2, 3): (5, 73_728), (1, 5): (5, 102_400), (3, 3): (7, 110_592), (1, 7): (7, 200_704)}
    assert tuple(times * 64 * 64 for times in (18, 25, 27, 49)) == (73_728, 102_400, 110_592, 200_704)


def test_inception_s_narrow_place():
    """28 x 28 x 192 to 32 maps by 5 x 5: 120 422 400 multiply-accumulates; with 1 x 1 to 16 first 12 443 648, 9.68 times fewer."""
    whole = noise((1, 192, 28, 28))
    wide = trace(opened([node("Conv", "x", "w", pads=[2] * 4)], {"w": noise((32, 192, 5, 5))}, whole.shape), whole)
    nodes = [node("Conv", "x", "a", out="narrow"), node("Conv", "narrow", "b", pads=[2] * 4)]
    narrow = trace(opened(nodes, {"a": noise((16, 192, 1, 1)), "b": noise((32, 16, 5, 5))}, whole.shape), whole)
    totals = [sum(costs(found)[1]) for found in (wide, narrow)]
    assert totals == [120_422_400, 12_443_648] and round(totals[0] / totals[1], 2) == 9.68
    assert narrow.layers[-1].shape == wide.layers[-1].shape == (32, 28, 28)


def residual(size: float) -> OpenModel:
    """Return y = x + F(x) with F a convolution whose weights have this size."""
    nodes = [node("Conv", "x", "w", out="f", name="F", pads=[1] * 4), node("Add", "x", "f", name="y")]
    return opened(nodes, {"w": noise((3, 3, 3, 3), 1, 1.0) * np.float32(size)})


def test_residual_block():
    """Y = x + F(x); F = 0 leaves x as it is; a step h of x moves y by h + F'h, whatever becomes of F."""
    x, h = noise((1, 3, 9, 8)), noise((1, 3, 9, 8), 7, 0.01)
    idle = trace(residual(0), x)
    np.testing.assert_array_equal(idle.values("y"), x[0])
    at, moved = trace(residual(0.5), x), trace(residual(0.5), x + h)
    np.testing.assert_allclose(at.values("y"), x[0] + at.values("F"), atol=1e-6)
    np.testing.assert_allclose(moved.values("y") - at.values("y"), h[0] + (moved.values("F") - at.values("F")), atol=1e-5)
    through = trace(residual(0.5), h).values("F")  # F is linear: F' h = F(h)
    np.testing.assert_allclose(moved.values("y") - at.values("y"), h[0] + through, atol=1e-5)


NETWORKS = {
    "strides and pads": [node("Conv", "x", "w", out="c", pads=[1, 1, 1, 1], strides=[2, 2]), node("AveragePool", "c", kernel_shape=[2, 2])],
    "dilation": [node("Conv", "x", "w", out="c", dilations=[2, 3]), node("Conv", "c", "v")],
    "a border and a part": [
        node("Pad", "x", "pads", out="p"),
        node("Conv", "p", "w", out="c", strides=[2, 1]),
        node("Slice", "c", "one", "ten", "axes", "steps", out="s"),
        node("Conv", "s", "v"),
    ],
    "branches": [node("Conv", "x", "w", out="a"), node("MaxPool", "x", out="m", kernel_shape=[3, 3]), node("Concat", "a", "m", axis=1)],
    "softmax of channels": [node("Conv", "x", "w", out="a"), node("Softmax", "a", axis=1)],
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_receptive_field_is_what_a_unit_depends_on(kind):
    """Moving any pixel inside the field moves the unit; moving any other does nothing."""
    constants = {
        **{"w": np.abs(noise((3, 3, 3, 3), 1)), "v": np.abs(noise((2, 3, 3, 3), 2)), "pads": np.array([0, 0, 2, 1, 0, 0, 0, 1])},
        **{"one": np.array([1, 2]), "ten": np.array([10, 100]), "axes": np.array([2, 3]), "steps": np.array([2, 2])},
    }
    side = 16
    model = opened(NETWORKS[kind], constants, (1, 3, side, side))
    draw = np.abs(noise((1, 3, side, side))) / 4
    layer = trace(model, draw).layers[-1]
    _, row, column = unit = (1, layer.shape[1] // 2, layer.shape[2] - 1)
    top, left = (layer.field.offset[axis] + at * layer.field.stride[axis] for axis, at in ((0, row), (1, column)))
    seen = np.zeros((side, side), bool)
    seen[max(top, 0) : top + layer.field.size[0], max(left, 0) : left + layer.field.size[1]] = True
    for where in np.ndindex(side, side):
        picture = draw.copy()
        picture[0, :, *where] += np.float32([50, 20, 70])
        moved = trace(model, picture).layers[-1].values[unit] != layer.values[unit]
        # A convolution with gaps does not read every pixel between its first and its last.
        assert moved <= seen[where] and (moved == seen[where] or kind in ("dilation", "a border and a part")), where
    assert seen.any()


def test_shared_weights_count_once():
    """A network that looks twice with the same kernels has them once, and multiplies twice."""
    nodes = [node("Conv", "x", "w", out="a", name="first"), node("Neg", "x", out="n"), node("Conv", "n", "w", out="b"), node("Add", "a", "b")]
    found = trace(opened(nodes, {"w": noise((4, 3, 3, 3))}), noise((1, 3, 9, 8)))
    assert found.parameters == 108 == found.layer("first").parameters.value
    assert found.macs == 2 * found.layer("first").macs.value == found.header()["macs"]
