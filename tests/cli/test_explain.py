"""The verb explain: writes the page, says where, prints JSON when asked."""

import json

import pytest
from PIL import Image

from peephole.base.errors import InputError
from peephole.cli.explain import run


@pytest.fixture
def photo(tiny_photos, tmp_path):
    """A photo that the tiny model knows."""
    path = tmp_path / "top.png"
    Image.fromarray(tiny_photos["top-1"][:, :, 0]).save(path)
    return path


def test_it_writes_the_page_and_says_so(tiny_model_path, photo, tmp_path, capsys):
    """The answer in one line, then where the page is; no JSON file unless asked."""
    run(tiny_model_path, photo, tmp_path / "out" / "why.html", None, False)
    shown = capsys.readouterr().out
    assert shown.startswith("top: ")
    assert "why.html" in shown
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["why.html"]


def test_json_is_printed_and_written(tiny_model_path, photo, tmp_path, capsys):
    """What is printed is what stands beside the page, and nothing else is printed."""
    run(tiny_model_path, photo, tmp_path / "why.html", None, True)
    printed = capsys.readouterr().out
    assert json.loads(printed) == json.loads((tmp_path / "why.json").read_text("utf-8"))
    assert json.loads(printed)["prediction"]["label"] == "top"


def test_inside_is_asked_for(tiny_model_path, photo, tmp_path, capsys):
    """With --inside the page and the numbers hold what goes on inside; without a folder no patches are looked for."""
    run(tiny_model_path, photo, tmp_path / "why.html", None, True, inside=True)
    found = json.loads(capsys.readouterr().out)["inside"]
    assert [each["method"] for each in found["maps"]] == ["grad-cam", "integrated gradients", "gradient x input"]
    assert found["exciting"] is None
    assert '<section id="maps"' in (tmp_path / "why.html").read_text("utf-8")


def test_a_page_is_called_html(tiny_model_path, photo, tmp_path):
    """A name that no browser would open is refused before anything is computed, and the photo is not overwritten."""
    before = photo.read_bytes()
    with pytest.raises(InputError, match="no name for a page"):
        run(tiny_model_path, photo, photo, None, False)
    assert photo.read_bytes() == before


def test_figures_are_written_when_asked(tiny_model_path, photo, tmp_path, capsys):
    """PNG and SVG of every layer with maps, of occlusion and softmax, in a folder of their own."""
    run(tiny_model_path, photo, tmp_path / "why.html", figures=tmp_path / "figures")
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"occlusion.png", "occlusion.svg", "softmax.png", "layer-04-conv1.svg"} <= names
    assert f"wrote {len(names)} figures to" in capsys.readouterr().out
