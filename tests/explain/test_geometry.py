"""Shapes, receptive fields, parameters and MACs, against worked-out networks."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from peephole.explain.geometry import Count, Field, count_macs, count_parameters, slide
from peephole.explain.layers import look

TINY_VGG = (("conv", 3, 10), ("conv", 10, 10), ("pool",), ("conv", 10, 10), ("conv", 10, 10), ("pool",))


def chain(layers, shape, *, dense: int = 0, dtype=TensorProto.FLOAT) -> onnx.ModelProto:
    """Return a graph of convolutions (with ReLU) and 2x2 max pools, and a dense layer of so many outputs at the end."""
    draw = np.random.default_rng(0)
    nodes, weights, last, channels, side = [], {}, "image", shape[0], shape[1]
    for index, layer in enumerate(layers):
        name = f"{layer[0]}{index}"
        if layer[0] == "conv":
            weights |= {f"{name}.w": draw.normal(size=(layer[2], layer[1], 3, 3)) / 9, f"{name}.b": draw.normal(size=layer[2])}
            nodes.append(helper.make_node("Conv", [last, f"{name}.w", f"{name}.b"], [name], name))
            nodes.append(helper.make_node("Relu", [name], [f"relu{index}"], f"relu{index}"))
            last, channels, side = f"relu{index}", layer[2], side - 2
        else:
            nodes.append(helper.make_node("MaxPool", [last], [name], name, kernel_shape=[2, 2], strides=[2, 2]))
            last, side = name, side // 2
    units = channels * side * side
    weights |= {"dense.w": draw.normal(size=(units, dense)) / units, "dense.b": draw.normal(size=dense)}
    nodes += [
        helper.make_node("Flatten", [last], ["flatten"], "flatten"),
        helper.make_node("Gemm", ["flatten", "dense.w", "dense.b"], ["logits"], "dense"),
    ]
    image = helper.make_tensor_value_info("image", dtype, ["N", *shape])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", dense])
    initialisers = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "chain", [image], [logits], initialisers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def tiny_vgg():
    """Tiny-VGG of CNN Explainer, looked at layer by layer."""
    model = chain(TINY_VGG, (3, 64, 64), dense=10)
    image = np.random.default_rng(1).normal(size=(1, 3, 64, 64)).astype(np.float32)
    return look(model.SerializeToString(), image, size=(64, 64))


def test_tiny_vgg_parameters(tiny_vgg):
    """Its parameters are 280 + 910 + 910 + 910 + 16,910 = 19,920."""
    counts = [layer.parameters.value for layer in tiny_vgg.layers if layer.parameters.value]
    assert counts == [280, 910, 910, 910, 16_910]
    assert sum(counts) == 19_920


def test_tiny_vgg_macs(tiny_vgg):
    """Its multiply-accumulates are 5,608,780."""
    counts = [layer.macs.value for layer in tiny_vgg.layers if layer.macs.value]
    assert counts == [1_037_880, 3_240_000, 705_600, 608_400, 16_900]
    assert sum(counts) == 5_608_780


def test_tiny_vgg_receptive_fields(tiny_vgg):
    """Its receptive fields and strides are (3,1) (5,1) (6,2) (10,2) (14,2) (16,4), then the whole picture."""
    fields = [layer.field for layer in tiny_vgg.layers if layer.op in {"Conv", "MaxPool"}]
    assert [(field.size[0], field.stride[0]) for field in fields] == [(3, 1), (5, 1), (6, 2), (10, 2), (14, 2), (16, 4)]
    assert all(field.offset == (0, 0) for field in fields)
    assert tiny_vgg.layers[-1].field == Field((64, 64), (0, 0), (0, 0), whole=True)


def test_tiny_vgg_shapes(tiny_vgg):
    """Shapes are those of the values, without the batch."""
    shapes = {layer.name: layer.shape for layer in tiny_vgg.layers}
    assert shapes["conv0"] == (10, 62, 62)
    assert shapes["pool2"] == (10, 30, 30)
    assert shapes["flatten"] == (1690,)
    assert shapes["dense"] == (10,)


def test_count_prints_its_product():
    """A count is shown as the product it comes from."""
    assert count_macs("Conv", (32, 16, 3, 3), (32, 14, 14), (16, 28, 28)).text == "32 × 16 × 3 × 3 × 14 × 14"
    assert count_parameters("Conv", "conv1", [(32, 16, 3, 3), (32,)]).text == "32 × 16 × 3 × 3 + 32"
    assert Count().text == "0"


@pytest.mark.parametrize(
    ("stages", "wanted"),
    [
        ("VGG, two 3x3 of 64", 73_728),
        ("Inception, 5x5 alone", 120_422_400),
        ("Inception, 1x1 first", 12_443_648),
    ],
)
def test_costs_of_known_blocks(stages, wanted):
    """The costs that papers quote come out."""
    if stages.startswith("VGG"):
        assert 2 * count_parameters("Conv", "a", [(64, 64, 3, 3)]).value == wanted
    elif stages.endswith("alone"):
        assert count_macs("Conv", (32, 192, 5, 5), (32, 28, 28), (192, 28, 28)).value == wanted
    else:
        first = count_macs("Conv", (16, 192, 1, 1), (16, 28, 28), (192, 28, 28)).value
        assert first + count_macs("Conv", (32, 16, 5, 5), (32, 28, 28), (16, 28, 28)).value == wanted


def test_auto_pad_same_splits_the_padding():
    """SAME_UPPER puts the odd pixel at the end, SAME_LOWER at the beginning."""
    given = {"kernel_shape": [2, 2], "strides": [1, 1]}
    assert slide("MaxPool", {**given, "auto_pad": b"SAME_UPPER"}, (1, 5, 5), None).pads == (0, 0, 1, 1)
    assert slide("MaxPool", {**given, "auto_pad": b"SAME_LOWER"}, (1, 5, 5), None).pads == (1, 1, 0, 0)


def test_padding_begins_before_the_picture():
    """The first unit of a padded convolution sees from pixel -1."""
    draw = np.random.default_rng(0)
    weight = numpy_helper.from_array(draw.normal(size=(2, 1, 3, 3)).astype(np.float32), "w")
    nodes = [helper.make_node("Conv", ["image", "w"], ["conv1"], "conv1", pads=[1, 1, 1, 1], strides=[2, 2])]
    nodes.append(helper.make_node("GlobalAveragePool", ["conv1"], ["logits"], "pool"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("image", "logits")]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    seen = look(model.SerializeToString(), np.ones((1, 1, 9, 9), np.float32), size=(9, 9))
    assert seen.layers[0].field == Field((3, 3), (2, 2), (-1, -1))
