"""The conditions on the page are those by which the file decides, and their numbers close."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from peephole.decide.predictor import load
from peephole.explain.conditions import _difference, conditions
from peephole.explain.report import explain, render


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A seeded photo."""
    path = tmp_path_factory.mktemp("photo") / "visitor.png"
    Image.fromarray(np.random.default_rng(7).integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize("threshold", [-0.5, 0.0, 0.3, 0.9])
@pytest.mark.parametrize("margin", [0.0, 0.02, 0.6])
def test_all_are_met_exactly_when_it_is_accepted(make_door, photo, threshold, margin):
    """For every threshold and margin the list agrees with the decision, on several photos."""
    predictor = load(make_door(unknown={"threshold": threshold, "margin": margin}))
    for seed in range(4):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)).save(photo.with_name("each.png"))
        found = explain(predictor, photo.with_name("each.png"))
        checked = conditions(found)
        assert all(each.met for each in checked) == found.prediction.accepted
        assert [each.key for each in checked] == ["number", "familiar", "lead" if margin else "nearest"]
        assert checked[2].other != found.prediction.best
        assert checked[1].sum.value == found.prediction.familiarity


@pytest.mark.parametrize(
    ("value", "against"), [(0.6794, 0.6786), (0.66749, 0.12351), (0.1234564, 0.1234561), (0.5, 0.5), (0.3, -0.2), (-0.4, 0.9), (0.2499999, 0.25)]
)
def test_the_sum_closes_as_printed(value, against):
    """Both numbers and their difference, rounded as printed, add up, and the sign is that of the true difference."""
    found = _difference(value, against)
    shown = [f"{each:.{found.places}f}" for each in (found.value, found.against, found.difference)]
    assert float(shown[0]) - float(shown[1]) == pytest.approx(float(shown[2]), abs=1e-12)
    assert np.sign(float(shown[2])) == np.sign(value - against)


def test_what_is_missing_is_told(make_door, photo):
    """A stranger by familiarity is told how much is lacking; one whom two labels fit, that the two parts of the model disagree."""
    far = explain(load(make_door(unknown={"threshold": 0.99, "margin": 0.0})), photo)
    lacking = conditions(far)[1].sum
    assert f"Familiarity lacks {-lacking.difference:.{lacking.places}f}." in render(far)
    near = explain(load(make_door(unknown={"threshold": -1.0, "margin": 1.9})), photo)
    assert "hard to tell apart" in render(near) or "Two parts of the model disagree" in render(near)
    torn = replace(near, prediction=replace(near.prediction, margin=-0.1))
    assert "Two parts of the model disagree" in render(torn)
