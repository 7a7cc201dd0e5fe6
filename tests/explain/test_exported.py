"""Networks that other programs exported are traced cell by cell, and answer what ONNX Runtime answers."""

import io
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from cells import close_all

from peephole.base.errors import PeepholeError
from peephole.explain.edits import edited_bytes
from peephole.explain.openmodel import open_bytes, open_model
from peephole.explain.recompute import recompute
from peephole.explain.trace import Edit, Trace, trace

HERE = Path(__file__).parent / "exported"
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
SHAPES = {"keras": ("tf2onnx", "NHWC", (20, 24, 3), 5), "torch": ("pytorch", "NCHW", (20, 24, 3), 4), "sklearn": ("skl2onnx", "N*", (8, 8, 1), 3)}


def answered(data: bytes, found: Trace, prepared: np.ndarray) -> None:
    """Compare with a session of the whole, untouched file."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    plain = session.run([found.output.name], {session.get_inputs()[0].name: prepared})[0]
    np.testing.assert_allclose(found.output.logits, np.ravel(plain), atol=1e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_three_exporters(name):
    """Every layer between the picture and the answer has a rule, and its cells close."""
    exporter, layout, shape, labels = SHAPES[name]
    data = (HERE / f"{name}.onnx").read_bytes()
    assert onnx.load_from_string(data).producer_name == exporter
    model = open_model(HERE / f"{name}.onnx")
    assert (model.layout, model.shape, len(model.labels)) == (layout, shape, labels)
    prepared = model.prepare(np.random.default_rng(1).integers(0, 256, (50, 60, 3), dtype=np.uint8))
    found = trace(model, prepared)
    answered(data, found, prepared)
    assert all(layer.rule for layer in found.layers[1:]) and close_all(found) > 200 // (1 + 5 * (name == "sklearn"))
    weight = next(one for one in found.tensors if len(one.shape) > 1)
    place = (0,) * len(weight.shape)
    edit = Edit(weight.name, place, float(weight.values[place]) + 0.5)
    answered(edited_bytes(model, [edit]), trace(model, prepared, edits=[edit]), prepared)


def test_what_ends_in_a_softmax_is_said():
    """Keras and scikit-learn give probabilities, PyTorch logits; scikit-learn's labels are words."""
    found = {}
    for name in SHAPES:
        model = open_model(HERE / f"{name}.onnx")
        found[name] = trace(model, model.prepare(np.zeros((9, 9, 3), np.uint8))).output
    assert {name: output.probabilities for name, output in found.items()} == {"keras": True, "torch": False, "sklearn": True}
    assert found["sklearn"].labels == ("dark", "grey", "light")


# Real architectures as Caffe2 exported them; onnx ships them with constants for weights. (name, parameters, multiply-accumulates, no rule for)
CAFFE2 = [("squeezenet", 1_235_496, 349_151_936, set()), ("shufflenet", 1_420_152, 128_051_408, set())]
LARGE = [
    ("bvlc_alexnet", 60_965_224, 654_560_384, {"LRN"}),
    ("inception_v1", 6_998_552, 1_431_556_352, {"LRN"}),
    ("resnet50", 25_610_152, 4_100_298_240, set()),
    ("densenet121", 8_146_152, 2_849_829_120, set()),
]


def caffe2(name: str, parameters: int, macs: int, unexplained: set[str]) -> Trace:
    """Trace one of them and compare what is counted."""
    model = open_model(LIGHT / f"light_{name}.onnx")
    prepared = model.prepare(np.random.default_rng(1).integers(0, 256, (300, 260, 3), dtype=np.uint8))
    found = trace(model, prepared)
    answered(model.data, found, prepared)
    assert {layer.op for layer in found.layers[1:] if layer.rule is None} == unexplained
    assert all(layer.field is not None for layer in found.layers)
    assert sum(layer.parameters.value for layer in found.layers) == parameters
    assert sum(layer.macs.value for layer in found.layers) == macs
    return found


@pytest.mark.parametrize("row", CAFFE2, ids=[row[0] for row in CAFFE2])
def test_architectures_that_caffe2_exported(row):
    """Fire modules; grouped convolutions whose channels are shuffled: every cell that is asked for closes."""
    assert close_all(caffe2(*row), most=1) > 150


@pytest.mark.long
@pytest.mark.parametrize("row", LARGE, ids=[row[0] for row in LARGE])
def test_larger_architectures_that_caffe2_exported(row):
    """AlexNet, GoogLeNet, ResNet-50 and DenseNet-121; what has no rule says so."""
    found = caffe2(*row)
    assert close_all(found, most=1) > 60
    if row[0] == "bvlc_alexnet":
        assert found.layers[1].shape == (96, 54, 54)  # Caffe2's file takes 224 pixels: (224 - 11) // 4 + 1


def test_torchscript():
    """PyTorch's older exporter, which folds batch norm and pads with a constant of its own."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU6(), nn.AvgPool2d(3, 2, 1), nn.ZeroPad2d((1, 0, 2, 0)), nn.LeakyReLU(0.2)]
    network = nn.Sequential(*layers, nn.MaxPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(4 * 6 * 6, 3), nn.LogSoftmax(1)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is called legacy, which is why it is asked here
        buffer = io.BytesIO()
        torch.onnx.export(network, torch.zeros(1, 1, 20, 20), buffer, dynamo=False, input_names=["picture"], dynamic_axes={"picture": {0: "n"}})
    model = open_bytes(buffer.getvalue(), "script.onnx")
    prepared = model.prepare(np.random.default_rng(1).integers(0, 256, (50, 60, 3), dtype=np.uint8))
    found = trace(model, prepared)
    with torch.no_grad():
        np.testing.assert_allclose(found.output.logits, network(torch.from_numpy(prepared))[0].numpy(), atol=1e-5)
    assert close_all(found) > 200
    assert recompute(found, found.layers[1].id, (3, 0, 0)).closes


@pytest.mark.parametrize("name", SHAPES)
def test_broken_bytes_never_surprise(name):
    """A file with a few bytes changed is traced, or refused with an error of ours."""
    whole, draw, answers = (HERE / f"{name}.onnx").read_bytes(), np.random.default_rng(1), 0
    for _ in range(120):
        data = bytearray(whole)
        for _ in range(int(draw.integers(1, 4))):
            data[int(draw.integers(len(data)))] = int(draw.integers(256))
        try:
            model = open_bytes(bytes(data), f"{name}.onnx")
            found = trace(model, model.prepare(np.zeros((9, 9, 3), np.uint8)))
        except PeepholeError:
            continue
        answers += bool(json.dumps(found.header(), allow_nan=False))
        for layer in found.layers:
            if layer.rule and layer.count:
                recompute(found, layer.id, (0,) * len(layer.shape))
    assert 10 < answers < 120
