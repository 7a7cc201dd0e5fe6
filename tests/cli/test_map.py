"""The verb map: known examples or photos, new ones laid in, in every form; and what is refused."""

import json
import sys

import pytest

from drawings import folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Sixty drawings in two folders, and six others to lay in."""
    root = tmp_path_factory.mktemp("map")
    return folder(root / "photos", 30, start=100), folder(root / "new", 2, strangers="=", start=200)


def test_photos_are_mapped_in_every_form(peep, drawn_model, photos, tmp_path):
    """One call writes page, table and both figures; the numbers stand on the terminal, and the same call writes the same bytes."""
    outputs = [word for ending in ("html", "csv", "png", "svg") for word in ("-o", tmp_path / f"map.{ending}")]
    said = peep("map", drawn_model, photos[0], "--new", photos[1], *outputs)
    assert said.code == 0 and "60 points; t-sne first: trustworthiness" in said.out and "6 new points laid in" in said.out
    assert "perplexity of 30 was lowered to 19.7" in said.out and "wrote" in said.out
    once = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(once) == 4 and b"<svg" in once["map.html"]
    peep("map", drawn_model, photos[0], "--new", photos[1], *outputs)
    assert once == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_without_photos_the_known_examples_are_mapped(peep, drawn_model, tmp_path, monkeypatch):
    """Fewer than 50, so principal components first; JSON on request, map.html by default."""
    monkeypatch.chdir(tmp_path)
    said = peep("map", drawn_model, "--json", "--seed", "3")
    values = json.loads(said.out)
    assert values["method"] == "pca" and values["seed"] == 3 and set(values["labels"]) == {"X", "O"} and "fewer than 50" in values["reasons"][0]
    assert (tmp_path / "map.html").stat().st_size > 20_000


def test_what_cannot_be_mapped_is_refused(refused, drawn_model, photos, tmp_path):
    """One photo, a folder that is not there, a name for no map, a perplexity that is none: a sentence and a hint, and nothing is written."""
    one = folder(tmp_path / "one", 1, signs="X")
    assert "1 point has no map" in refused("map", drawn_model, one, "-o", tmp_path / "a.html").error
    assert "is not there" in refused("map", drawn_model, tmp_path / "nothing", "-o", tmp_path / "a.html").error
    assert "no name for a map" in refused("map", drawn_model, "-o", tmp_path / "a.pdf").error
    assert "perplexity" in refused("map", drawn_model, photos[0], "--perplexity", "0", "-o", tmp_path / "a.html").error
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_a_library_that_is_missing_is_named_before_the_work(refused, drawn_model, tmp_path, monkeypatch):
    """Without matplotlib, or openTSNE, the command that brings it, and nothing is written."""
    for missing, module in (("matplotlib", "drawn"), ("openTSNE", "tsne")):
        for name in ("mapfiles", "embedding", module):
            monkeypatch.delitem(sys.modules, f"peephole.explain.{name}", raising=False)
        monkeypatch.setitem(sys.modules, missing, None)
        said = refused("map", drawn_model, "-o", tmp_path / "map.png")
        assert said.error.startswith(f"this needs {missing}") and "peephole[explore]" in said.hint and "looking at" not in said.err
        monkeypatch.undo()
    assert not list(tmp_path.iterdir())
