"""evaluate --report and --figures: pages and figures beside the answer on the terminal."""

import json

import pytest

from drawings import folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """New drawings and strangers."""
    return folder(tmp_path_factory.mktemp("report") / "photos", 6, strangers="=I", start=500)


def test_report_and_figures_are_written(peep, drawn_model, photos, tmp_path):
    """The terminal says the same as without, and then where everything is."""
    plain = peep("evaluate", drawn_model, photos)
    said = peep("evaluate", drawn_model, photos, "--report", tmp_path / "out" / "how.html", "--figures", tmp_path / "figures")
    assert said.code == 0 and said.out.startswith(plain.out) and "how.html" in said.out and "det.svg" in said.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"how.html", "how.json"}
    assert {"confusion.png", "confusion.svg", "labels.png", "calibration.svg", "det.png"} <= {path.name for path in (tmp_path / "figures").iterdir()}


def test_json_stays_alone_on_the_terminal(peep, drawn_model, photos, tmp_path):
    """What is printed is JSON and nothing else, as before."""
    said = peep("evaluate", drawn_model, photos, "--json", "--report", tmp_path / "how.html")
    assert json.loads(said.out)["photos"] == 16 and (tmp_path / "how.json").exists()
    assert said.out == peep("evaluate", drawn_model, photos, "--json").out


def test_a_report_is_called_html(refused, drawn_model, photos, tmp_path):
    """Another ending is refused before anything is counted."""
    assert "no name for a page" in refused("evaluate", drawn_model, photos, "--report", tmp_path / "how.pdf").error
