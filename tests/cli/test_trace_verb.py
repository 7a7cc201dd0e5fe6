"""The verb trace: a table, two files, and JSON when asked; also for files from elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from peephole.base.errors import InputError
from peephole.cli.trace import run
from peephole.cli.verbs import app
from peephole.decide.predictor import load

KERAS = Path(__file__).parents[1] / "explain" / "exported" / "keras.onnx"


@pytest.fixture
def photo(tiny_photos, tmp_path):
    """A photo that the tiny model knows."""
    path = tmp_path / "top.png"
    Image.fromarray(tiny_photos["top-1"][:, :, 0]).save(path)
    return path


def test_table_and_files(tiny_model_path, photo, tmp_path, capsys):
    """One row a layer, the sums, the answer; both files stand where it says."""
    run(tiny_model_path, photo, tmp_path / "out", 1.0, "0", "1", [], False)
    shown = capsys.readouterr().out
    assert "2×1×3×3+2" in shown and "conv2d" in shown and "the input" in shown
    assert f"{load(tiny_model_path).predict(photo).label}: " in shown
    head = json.loads((tmp_path / "out" / "trace.json").read_text("utf-8"))
    assert (tmp_path / "out" / "trace.bin").stat().st_size == 4 * head["values"]
    assert f"{sum(layer['macs']['count'] for layer in head['layers']):,} multiply-accumulates" in shown


def test_json_is_the_file(tiny_model_path, photo, tmp_path):
    """Nothing but trace.json is printed."""
    done = CliRunner().invoke(app, ["trace", str(tiny_model_path), str(photo), "-o", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout) == json.loads((tmp_path / "out" / "trace.json").read_text("utf-8"))


def test_a_file_from_elsewhere(photo, tmp_path, capsys):
    """Its preparation is said, its answer called what it is."""
    run(KERAS, photo, tmp_path / "out", 255, "1,2,3", "4", [], False)
    shown = capsys.readouterr().out
    assert "0..255; minus 1, 2, 3; divided by 4" in shown and "probabilities: " in shown


def test_an_edit(tiny_model_path, photo, tmp_path, capsys):
    """A weight as it is typed; the trace says what was changed."""
    run(tiny_model_path, photo, tmp_path / "out", 1.0, "0", "1", ["conv1.weight[0, 0,1,1]=2.5"], True)
    head = json.loads(capsys.readouterr().out)
    assert head["edits"] == [{"tensor": "conv1.weight", "index": [0, 0, 1, 1], "value": 2.5}]
    values = np.fromfile(tmp_path / "out" / "trace.bin", "<f4")
    weight = next(one for one in head["tensors"] if one["name"] == "conv1.weight")
    assert values[weight["offset"] + 4] == 2.5


@pytest.mark.parametrize("edit", ["conv1.weight", "conv1.weight[0]=", "conv1.weight[a]=1", "[0]=1", "conv1.weight[0]=x", "w[-1]=1"])
def test_what_is_no_edit(tiny_model_path, photo, tmp_path, edit):
    """The hint shows how one is typed; nothing is written."""
    with pytest.raises(InputError, match="is no edit"):
        run(tiny_model_path, photo, tmp_path / "out", 1.0, "0", "1", [edit], False)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be(tiny_model_path, photo, tmp_path):
    """A scale for a file that has a card, a mean that is no number, a file in the place of the folder."""
    with pytest.raises(InputError, match="says itself"):
        run(tiny_model_path, photo, tmp_path / "out", 255, "0", "1", [], False)
    with pytest.raises(InputError, match="a mean is a number"):
        run(KERAS, photo, tmp_path / "out", 1.0, "zero", "1", [], False)
    with pytest.raises(InputError, match="is a file, not a folder"):
        run(tiny_model_path, photo, photo, 1.0, "0", "1", [], False)
