"""Bad model files and bad places, through the command line: refused with a sentence, in little time and memory."""

import json
import os

import onnx
import pytest
from onnx import TensorProto, numpy_helper

from peephole.base.modelfile import CARD_KEY


@pytest.fixture
def spoilt(drawn_model, tmp_path):
    """Return a function that writes a copy of the drawn model, changed by a function of its ONNX model."""

    def write(change):
        model = onnx.load(drawn_model)
        change(model)
        path = tmp_path / "spoilt.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


def newer(model):
    """Say that a later version wrote the card."""
    entry = next(entry for entry in model.metadata_props if entry.key == CARD_KEY)
    entry.value = json.dumps(json.loads(entry.value) | {"card": 2})


def external(model):
    """Point a weight outside the file."""
    weight = model.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    weight.ClearField("raw_data")
    weight.external_data.add(key="location", value="/etc/passwd")


def nan(model):
    """Put NaN into a weight."""
    weight = next(w for w in model.graph.initializer if w.name == "conv1.weight")
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] = float("nan")
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))


def huge(model):
    """Claim 10 GB in a weight's header."""
    weight = next(w for w in model.graph.initializer if w.name == "conv1.weight")
    weight.dims[:] = [50_000, 50_000]


def bare(model):
    """Leave the card out."""
    del model.metadata_props[:]


@pytest.mark.parametrize(
    "spoiling",
    [
        (newer, "version 2"),
        (external, "extern"),
        (nan, "NaN"),
        (huge, "spoilt.onnx"),
        (bare, "without a Peephole card"),
    ],
    ids=lambda spoiling: spoiling[0].__name__,
)
def test_a_spoilt_model_is_refused_by_every_verb(spoilt, refused, drawn_photos, tmp_path, spoiling):
    """predict, evaluate and explain: the same sentence, naming the file; a newer one says how to get newer."""
    change, words = spoiling
    path, photo = spoilt(change), drawn_photos / "X" / "X1.png"
    said = [
        refused("predict", path, photo),
        refused("evaluate", path, drawn_photos),
        refused("explain", path, photo, "-o", tmp_path / "r.html"),
    ]
    assert all(words in one.error and "spoilt.onnx" in one.error for one in said)
    if change is newer:
        assert "pip install -U peephole" in said[0].hint
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.999])
def test_a_truncated_model_is_refused(drawn_model, refused, drawn_photos, tmp_path, keep):
    """Cut anywhere."""
    data = drawn_model.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    assert "cut.onnx" in refused("predict", tmp_path / "cut.onnx", drawn_photos / "X" / "X1.png").error


def test_ten_gigabytes_are_not_read(refused, drawn_photos, tmp_path):
    """A file of 10 GB (of holes) is refused by its size."""
    path = tmp_path / "big.onnx"
    path.touch()
    os.truncate(path, 10 * 10**9)
    assert "10,000 MB" in refused("predict", path, drawn_photos / "X" / "X1.png").error


def test_what_is_no_model_at_all(refused, drawn_photos, drawn_model, tmp_path):
    """Absent with a near miss, a folder, a photo."""
    photo = drawn_photos / "X" / "X1.png"
    assert "did you mean 'drawn.onnx'?" in refused("predict", drawn_model.with_name("drwan.onnx"), photo).error
    assert "folder" in refused("predict", tmp_path, photo).error
    assert "X1.png" in refused("predict", photo, photo).error


def test_a_place_that_cannot_be_written(refused, drawn_photos, drawn_model, tmp_path):
    """Below a plain file, or a folder: train says so before it reads a photo, explain too; nothing is left."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "xo.onnx", tmp_path):
        said = refused("train", drawn_photos, "-o", place, "--steps", "10")
        assert str(place) in said.error and "-o" in said.hint and "looking" not in said.err
    said = refused("explain", drawn_model, drawn_photos / "X" / "X1.png", "-o", tmp_path / "file" / "r.html")
    assert "cannot be written" in said.error
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
