"""Model files from elsewhere: opened with the same caps as ours, shown as far as they are understood, refused with a reason."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from foreign import graph, node, noise, opened
from onnx import TensorProto, helper
from PIL import Image

from peephole.base.errors import HostileModelFile, InputError, MissingInput, ModelFileError
from peephole.decide.predictor import load
from peephole.explain.layers import Lens
from peephole.explain.match import match
from peephole.explain.openmodel import open_bytes, open_model
from peephole.explain.recompute import recompute
from peephole.explain.trace import trace

DENSE = [node("GlobalAveragePool", "x", out="mean"), node("Flatten", "mean", out="flat"), node("Gemm", "flat", "w")]


def dense(channels=3, labels=4):
    """Return weights for DENSE."""
    return {"w": noise((channels, labels))}


def test_our_file_has_its_card(make_door):
    """Labels, shape and preparation are the card's."""
    path = make_door()
    model, photo = open_model(path), Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 30, 3), dtype=np.uint8))
    assert (model.labels, model.shape, model.layout, model.dtype) == (("ana", "junho", "mina"), (28, 28, 1), "NHWC", "uint8")
    np.testing.assert_array_equal(model.prepare(photo)[0], load(path).prepare(photo))
    np.testing.assert_array_equal(model.prepare(np.asarray(photo)), model.prepare(photo))


def test_our_file_keeps_our_rules(make_door):
    """One changed byte, and a file that has a card is refused as ever."""
    data = bytearray(make_door().read_bytes())
    data[len(data) // 3] ^= 1
    with pytest.raises(ModelFileError):
        open_bytes(bytes(data), "door.onnx")


@pytest.mark.parametrize(
    ("shape", "layout", "picture"),
    [
        ((1, 3, 20, 24), "NCHW", (20, 24, 3)),
        (("N", 1, 20, 24), "NCHW", (20, 24, 1)),
        (("N", 3, "H", "W"), "NCHW", (224, 224, 3)),
        (("", 3, 0, 0), "NCHW", (224, 224, 3)),
        ((1, 20, 24, 3), "NHWC", (20, 24, 3)),
        (("N", "H", "W", 1), "NHWC", (224, 224, 1)),
        (("N", 20, 24), "NHWC", (20, 24, 1)),
        (("N", 784), "N*", (28, 28, 1)),
        (("N", 3072), "N*", (32, 32, 3)),
        (("N", 10), "N*", (1, 10, 1)),
        (("N", 16, 5, 5), "NCHW", (5, 5, 16)),
    ],
)
def test_layouts(shape, layout, picture):
    """Channels first, channels last, one row; free sizes are settled."""
    model = opened([node("ReduceMean", "x", axes=[1])], {}, shape)
    assert (model.layout, model.shape, model.card) == (layout, picture, None)


def test_preparing_for_channels_first():
    """Resized, scaled, the mean taken off, divided by the spread, channels first; and it is said."""
    model = open_bytes(graph(DENSE, dense(), (1, 3, 20, 24)), "f.onnx", scale=255, mean=(10.0, 20.0, 30.0), std=2.0)
    photo = np.zeros((40, 48, 3), np.uint8)
    photo[..., 1] = 255
    prepared = model.prepare(photo)
    assert prepared.shape == (1, 3, 20, 24) and prepared.dtype == np.float32
    np.testing.assert_allclose(prepared[0, :, 3, 4], [-5, 117.5, -15])
    assert model.steps == (
        *("resize to 20 x 24 (stretch)", "colour: red, green and blue", "scale 0..255 to 0..255"),
        *("minus 10, 20, 30", "divided by 2", "channels first"),
    )
    assert trace(model, prepared).prepare == model.steps


def test_preparing_in_other_forms():
    """Grey for one channel, bytes for bytes, one row for a row; an image of one pixel is a picture too."""
    pixel = np.full((1, 1, 3), 255, np.uint8)
    grey = opened([node("Identity", "x")], {}, ("N", 1, 5, 6)).prepare(pixel)
    assert grey.shape == (1, 1, 5, 6) and (grey == 1).all()
    whole = open_bytes(graph([node("Cast", "x", to=1)], {}, (1, 5, 6, 3), dtype=TensorProto.UINT8), "f.onnx", scale=255).prepare(pixel)
    assert whole.dtype == np.uint8 and whole.shape == (1, 5, 6, 3) and (whole == 255).all()
    assert opened([node("Identity", "x")], {}, ("N", 784)).prepare(pixel).shape == (1, 784)
    assert opened([node("Identity", "x")], {}, ("N", 5, 6)).prepare(pixel).shape == (1, 5, 6)
    with pytest.raises(InputError, match="16 channels"):
        opened([node("Identity", "x")], {}, ("N", 16, 5, 5)).prepare(pixel)


@pytest.mark.parametrize("wrong", [{"scale": 2.0}, {"mean": (1.0, 2.0)}, {"std": 0.0}, {"mean": float("nan")}])
def test_scales_that_cannot_be(wrong):
    """Another scale than 1 or 255, a mean of two for three channels, a spread of nothing."""
    with pytest.raises(InputError):
        open_bytes(graph(DENSE, dense()), "f.onnx", **wrong)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (json.dumps(["a", "b", "c", "<img onerror>"]), ("a", "b", "c", "<img onerror>")),
        ("{0: 'zero', 1: 'one', 2: 'two', 10: 'ten'}", ("zero", "one", "two", "ten")),
        ("a\nb\nc\nd\n", ("a", "b", "c", "d")),
        ("a, b, c, d", ("a", "b", "c", "d")),
        ("a, b", ("0", "1", "2", "3")),
        ("[" * 100_000, ("0", "1", "2", "3")),
        ("{'\u00b2': 'a', 'x': 'b', '%s': 'c', 3: 'd'}" % ("9" * 5000), ("a", "b", "c", "d")),
        ("{[]: 1}", ("0", "1", "2", "3")),
        (json.dumps(["a" * 2_000_000, "b", "c", "d" * 2_000_000]), ("0", "1", "2", "3")),
    ],
)
def test_labels_from_metadata(text, labels):
    """JSON, a Python dict as YOLO has it, lines or commas; numbers where they do not fit."""
    assert opened(DENSE, dense(), metadata={"names": text}).labels == labels


def test_the_answer_is_the_row_of_logits():
    """Of several outputs the one called logits, else the last row of numbers."""
    built = onnx.load_from_string(graph([*DENSE, node("Relu", "out", out="logits"), node("Abs", "x", out="maps")], dense()))
    del built.graph.output[:]
    built.graph.output.extend(helper.make_tensor_value_info(name, 1, ["N", 4]) for name in ("out", "logits"))
    built.graph.output.append(helper.make_tensor_value_info("maps", 1, ["N", 3, 9, 8]))
    assert open_bytes(built.SerializeToString(), "f.onnx").output_name == "logits"
    built.graph.output[1].name = "other"
    built.graph.node[3].output[0] = "other"
    assert open_bytes(built.SerializeToString(), "f.onnx").output_name == "other"


def test_unknown_operators_say_so():
    """A node of another domain and an Einsum have no rule; the layers around them do, and the answer is the file's."""
    nodes = [
        node("Conv", "x", "w", out="c", name="conv"),
        helper.make_node("Gelu", ["c"], ["g"], "theirs", domain="com.microsoft"),
        node("Einsum", "g", "g", out="e", name="einsum", equation="nchw,nchw->nch"),
        node("Relu", "e", name="relu"),
    ]
    model = opened(nodes, {"w": noise((4, 3, 3, 3))}, domains=["com.microsoft"])
    assert model.known("Conv") and not model.known("Einsum")
    found = trace(model, noise((1, 3, 9, 8)))
    assert [(layer.id, layer.op, layer.rule) for layer in found.layers[1:]] == [
        ("conv", "Conv", "conv2d"),
        ("theirs", "com.microsoft.Gelu", None),
        ("einsum", "Einsum", None),
        ("relu", "Relu", "elementwise"),
    ]
    assert found.layer("conv").field is not None and found.layer("relu").field is None
    assert recompute(found, "relu", (1, 2)).closes
    with pytest.raises(InputError, match="is not explained"):
        recompute(found, "einsum", (0, 0))
    plain = onnxruntime.InferenceSession(model.data, providers=["CPUExecutionProvider"]).run(["out"], {"x": noise((1, 3, 9, 8))})[0]
    np.testing.assert_allclose(found.output.logits, plain.ravel(), atol=1e-5)


def test_what_the_answer_does_not_need_is_not_run():
    """A step beside the way to the answer, of which nobody knows what it asks for, is left out."""
    beside = [node("NonZero", "x", out="where"), node("Cast", "where", out="n", to=1), helper.make_node("Theirs", ["n"], ["z"], domain="else.where")]
    found = trace(opened([*DENSE, *beside], dense(), domains=["else.where"]), noise((1, 3, 9, 8)))
    assert len(found.layers) == 4


def test_nan_weights_are_allowed_and_said():
    """A foreign file may hold NaN; its layers count them, and the JSON is JSON."""
    weight = noise((2, 3, 3, 3))
    weight[1, 0, 0, 0] = np.nan
    model = opened([node("Conv", "x", "w", name="conv"), node("Relu", "conv_", name="relu")][:1], {"w": weight})
    assert model.broken == ("the tensor 'w'",)
    found = trace(model, noise((1, 3, 9, 8)))
    layer = found.layer("conv")
    assert layer.nan == layer.count / 2 and np.isfinite([layer.low, layer.high]).all()
    assert recompute(found, "conv", (1, 2, 3)).closes and np.isnan(recompute(found, "conv", (1, 2, 3)).total)
    text = json.dumps(found.header(), allow_nan=False)
    assert json.loads(text)["broken"] == ["the tensor 'w'"] and '"NaN"' in text


def test_nan_and_infinite_activations():
    """The logarithm of nothing and of less: counted, worked out again, and written as words."""
    picture = np.zeros((1, 3, 9, 8), np.float32)
    picture[0, 0] = -1
    found = trace(opened([node("Log", "x", out="l", name="log"), node("Relu", "l", name="relu")], {}), picture)
    layer = found.layer("log")
    assert (layer.nan, layer.low, layer.high) == (72, -np.inf, -np.inf)
    for name, index in (("log", (0, 0, 0)), ("log", (1, 0, 0)), ("relu", (1, 2, 3))):
        assert recompute(found, name, index).closes
    assert found.header()["layers"][1]["min"] == "-Infinity"


def test_an_image_of_one_pixel():
    """1 x 1 pictures have windows that are mostly padding."""
    sides = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [node("Conv", "x", "w", out="c", name="conv", **sides), node("MaxPool", "c", name="pool", **sides)]
    found = trace(opened(nodes, {"w": noise((2, 3, 3, 3))}, (1, 3, 1, 1)), noise((1, 3, 1, 1)))
    worked = recompute(found, "conv", (1, 0, 0))
    assert worked.closes and sum(term.place is None for term in worked.terms) == 24
    assert len(recompute(found, "pool", (0, 0, 0)).terms) == 1


def test_layers_without_a_batch():
    """What has lost the axis of the batch is shown whole, and not explained; nor is what reads it."""
    nodes = [node("Reshape", "x", "s", out="r", name="lost"), node("Relu", "r", out="q", name="relu"), node("Reshape", "q", "t", name="back")]
    found = trace(opened(nodes, {"s": np.array([9, 24]), "t": np.array([1, -1])}), noise((1, 3, 9, 8)))
    assert [(layer.shape, layer.rule) for layer in found.layers[1:]] == [((9, 24), None), ((9, 24), None), ((216,), None)]


def test_names_that_are_missing_or_taken():
    """Every layer gets an id of its own."""
    nodes = [node("Relu", "x", out="a", name="b"), node("Neg", "a", out="b"), node("Abs", "b", out="picture"), node("Relu", "picture")]
    found = trace(opened(nodes, {}), noise((1, 3, 9, 8)))
    ids = [layer.id for layer in found.layers]
    assert ids == ["picture", "b", "b#2", "picture#2", "out"] and found.layer("out").inputs == ("picture#2",)


def loop() -> bytes:
    """Return a graph with a graph inside."""
    inner = helper.make_graph([], "inner", [], [helper.make_tensor_value_info("x", 1, None)])
    return graph([node("Identity", "x"), helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)], {})


def elsewhere() -> bytes:
    """Return a graph whose weights lie in another file."""
    built = onnx.load_from_string(graph(DENSE, dense()))
    tensor = built.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return built.SerializeToString()


REFUSED = {
    "control flow": (loop, "graph within a graph"),
    "external data": (elsewhere, "another file"),
    "a size from the picture": (lambda: graph([node("NonZero", "x", out="n"), node("Cast", "n", to=1)], {}), "how large it gets"),
    "an operator of nobody": (lambda: graph([helper.make_node("A", ["x"], ["out"], domain="else.where")], {}, domains=["else.where"]), "how large"),
    "an expansion": (lambda: graph([node("Expand", "x", "s")], {"s": np.array([1, 3, 9 * 10**6, 8])}, (1, 3, 1, 8)), "values per photo"),
    "too many labels": (lambda: graph([node("Expand", "x", "s")], {"s": np.array([1, 3, 9 * 10**5, 8])}, (1, 3, 1, 8)), "21,600,000 numbers"),
    "too many values": (lambda: graph([node("Tile", "x", "s")], {"s": np.array([1, 1000, 1000, 1])}), "values per photo"),
    "too much work": (lambda: graph([node("MatMul", "x", "x")] * 1, {}, (1, 1, 6000, 6000)), "multiplications"),
    "a picture of thousands of millions": (lambda: graph(DENSE, dense(), (1, 3, 60_000, 60_000)), "pictures of 10,800,000,000 values"),
    "too many values in all": (
        lambda: graph([*(node("Relu", "x" * n, out="x" * (n + 1)) for n in range(1, 90)), node("ReduceMean", "x" * 90)], {}, (1, 3, 1000, 1000)),
        "267,000,001 values in its layers",
    ),
    "many at once": (lambda: graph(DENSE, dense(), (8, 3, 9, 8)), "8 pictures at once"),
    "no picture": (lambda: graph([node("Identity", "x")], {}, (1, 2, 3, 4, 5)), "no picture"),
    "whole numbers": (lambda: graph([node("Cast", "x", to=1)], {}, (1, 5), dtype=TensorProto.INT64), "no picture has"),
    "two inputs": (
        lambda: helper.make_model(
            helper.make_graph(
                [node("Add", "x", "y")],
                "two",
                [helper.make_tensor_value_info(name, 1, [1, 4]) for name in "xy"],
                [helper.make_tensor_value_info("out", 1, [1, 4])],
            )
        ).SerializeToString(),
        "2 inputs",
    ),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n", "PNG"),
    "nothing": (lambda: b"", "is empty"),
    "half a file": (lambda: graph(DENSE, dense())[:-40], "f.onnx"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_with_a_sentence(what):
    """Nothing of it is run; the file is named with the reason and a hint."""
    make, says = REFUSED[what]
    with pytest.raises(ModelFileError, match=says) as refused:
        open_bytes(make(), "f.onnx")
    assert "f.onnx" in refused.value.what and refused.value.hint


def test_too_many_nodes_and_bytes():
    """The caps of our own files hold for foreign ones."""
    nodes = [node("Relu", "x", out="0"), *(node("Relu", str(at), out=str(at + 1)) for at in range(5_000))]
    with pytest.raises(HostileModelFile, match="more than 5,000 nodes"):
        opened(nodes, {}, output="5000")


def test_a_file_that_is_not_there(tmp_path):
    """A missing path, a folder, a link."""
    with pytest.raises(MissingInput):
        open_model(tmp_path / "none.onnx")
    with pytest.raises(HostileModelFile, match="is a folder"):
        open_model(tmp_path)
    (tmp_path / "real.onnx").write_bytes(graph(DENSE, dense()))
    (tmp_path / "link.onnx").symlink_to(tmp_path / "real.onnx")
    with pytest.raises(HostileModelFile, match="symbolic link"):
        open_model(tmp_path / "link.onnx")
    assert open_model(tmp_path / "real.onnx").name == "real.onnx"


def test_sizes_made_of_the_picture_s_size():
    """Shape, Gather and Concat before a Reshape (as older exporters write a flatten) are no layers, and the reshape is explained."""
    nodes = [
        node("Shape", "x", out="s"),
        node("Gather", "s", "zero", out="n"),
        node("Unsqueeze", "n", "axis", out="n1"),
        node("Concat", "n1", "rest", out="to", axis=0),
        node("Reshape", "x", "to", name="flat"),
    ]
    constants = {"zero": np.array(0), "axis": np.array([0]), "rest": np.array([-1])}
    found = trace(opened(nodes, constants), noise((1, 3, 9, 8)))
    assert [(layer.id, layer.rule) for layer in found.layers[1:]] == [("flat", "move")]


def test_weights_that_the_file_computes():
    """Constants that are worked out of constants are shown with their values, and cannot be edited."""
    nodes = [node("Transpose", "w", out="turned", perm=[1, 0]), node("Flatten", "x", out="flat"), node("MatMul", "flat", "turned", name="dense")]
    found = trace(opened(nodes, {"w": noise((4, 216))}), noise((1, 3, 9, 8)))
    assert found.layer("dense").rule == "matmul" and recompute(found, "dense", (2,)).closes
    assert {tensor.name: tensor.editable for tensor in found.tensors} == {"turned": False}


def test_an_int8_file_is_traced_at_its_dequantized_maps():
    """Asked for these alone, the runtime answers as the file does; the layers have no rule yet."""
    constants = {"w": noise((4, 3, 3, 3)), "scale": np.float32(0.05), "zero": np.uint8(128)}
    constants |= {"q": np.clip(np.round(constants["w"] / 0.02), -127, 127).astype(np.int8), "ws": np.float32(0.02), "wz": np.int8(0)}
    nodes = [
        node("QuantizeLinear", "x", "scale", "zero", out="xq"),
        node("DequantizeLinear", "xq", "scale", "zero", out="xd", name="input"),
        node("DequantizeLinear", "q", "ws", "wz", out="wd", name="weights"),
        node("Conv", "xd", "wd", out="c", name="conv"),
        node("QuantizeLinear", "c", "scale", "zero", out="cq"),
        node("DequantizeLinear", "cq", "scale", "zero", out="cd", name="maps"),
        node("Flatten", "cd"),
    ]
    model = opened(nodes, {name: value for name, value in constants.items() if name != "w"})
    picture = noise((1, 3, 9, 8))
    found = trace(model, picture)
    plain = onnxruntime.InferenceSession(model.data, providers=["CPUExecutionProvider"]).run(["out"], {"x": picture})[0]
    np.testing.assert_array_equal(found.output.logits, plain[0])
    assert [(layer.id, layer.rule) for layer in found.layers[1:]] == [("input", None), ("maps", None), ("out", "move")]
    assert found.layer("maps").inputs == ("input",)


def test_half_precision():
    """Maps in float16 are shown as float32; their sums do not close within 1e-5, so only what moves cells is explained."""
    nodes = [node("Cast", "x", out="h", to=10), node("Conv", "h", "w", out="c", name="conv"), node("Flatten", "c", out="f", name="flat")]
    nodes.append(node("Cast", "f", to=1))
    found = trace(opened(nodes, {"w": noise((2, 3, 3, 3)).astype(np.float16)}), noise((1, 3, 9, 8)))
    assert found.values("conv").dtype == np.float32 and 0 <= found.output.difference < 1e-2
    assert [layer.rule for layer in found.layers[1:]] == [None, None, "move", "elementwise"]
    assert recompute(found, "flat", (5,)).closes


def test_a_pass_that_does_not_end_is_ended():
    """Whatever an operator of others does, it is over when its time is."""
    nodes = [node("MatMul", "x", "w", out="0"), *(node("MatMul", str(at), "w", out=str(at + 1)) for at in range(400))]
    lens = Lens(graph(nodes, {"w": noise((300, 300))}, (1, 1, 300, 300), output="400"), output="400", alone=True, seconds=1e-3)
    with pytest.raises(HostileModelFile, match="did not answer within"):
        lens.look(noise((1, 1, 300, 300)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_every_rule_bears_what_is_no_number(value):
    """A picture with a NaN or an infinity in it: layers count them, every cell is worked out without an error, and those that read none close."""
    nodes = [
        node("Conv", "x", "w", out="c", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c", *["v"] * 4, out="b"),
        node("Softmax", "b", out="s", axis=1),
        node("MaxPool", "b", out="m", kernel_shape=[2, 2]),
        node("AveragePool", "b", out="a", kernel_shape=[2, 2]),
        node("Concat", "m", "a", out="j", axis=1),
        node("ReduceMax", "j", out="r", axes=[2], keepdims=0),
        node("Exp", "r", out="e"),
        node("Pow", "e", "e", out="p"),
        node("HardSigmoid", "p", out="h"),
        node("MatMul", "h", "k", out="d"),
        node("LogSoftmax", "d", out="l"),
        node("Add", "l", "d"),
    ]
    picture = noise((1, 3, 9, 8))
    picture[0, 1, 2, 7] = value
    found = trace(opened(nodes, {"w": noise((3, 3, 3, 3), 1), "v": np.abs(noise((3,), 2)), "k": noise((7, 2), 3)}), picture)
    assert json.dumps(found.header(), allow_nan=False)
    for layer in found.layers[1:]:
        assert layer.nan == np.isnan(layer.values).sum()
        for index in np.ndindex(layer.shape):
            worked = recompute(found, layer.id, index)
            finite = all(np.isfinite(term.value) for term in worked.terms)
            assert worked.closes or not finite, (layer.id, index, worked)
    assert match(found, found.layers[1].id).shape == (3, 9, 8)


def test_what_a_file_says_of_its_inner_sizes_is_not_believed():
    """A size that a stranger claims for a step of an operator that nobody knows does not make it known."""
    built = onnx.load_from_string(graph([helper.make_node("A", ["x"], ["a"], domain="else.where"), node("Relu", "a")], {}, domains=["else.where"]))
    built.graph.value_info.append(helper.make_tensor_value_info("a", 1, [1, 4]))
    with pytest.raises(HostileModelFile, match="how large it gets"):
        open_bytes(built.SerializeToString(), "f.onnx")
