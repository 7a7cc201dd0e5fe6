"""`peephole budget` and `peephole doubt`: what they say of real drawings, on a page and as JSON, and of bad input."""

import json
import shutil

import numpy as np
import pytest

from drawings import draw, folder, save
from peephole.cli.budget import _show
from peephole.cli.doubtpage import render
from peephole.export.budget import Budget, LabelBudget, StrangerBudget
from peephole.export.doubts import Doubts
from peephole.train.curve import Forecast, Range

QUICK = ("--seconds", 1, "--network", "plain")


@pytest.fixture
def mislabelled(tmp_path):
    """Six drawings of each of three signs, and one O under X, in a name that would break a careless page."""
    root = folder(tmp_path / "photos", 6, "XO=")
    save(draw("O", 40), root / "X" / "<b>O.png")
    return root


def test_doubt_finds_the_wrong_one(peep, mislabelled, tmp_path):
    """The O among the X comes first and is flagged, as a table and as JSON; nothing is deleted."""
    before = sorted(mislabelled.rglob("*"))
    said = peep("doubt", mislabelled, "-o", tmp_path / "doubt.html")
    assert said.code == 0 and "<b>O.png" in said.out and "may carry the wrong label" in said.out
    rows = [line for line in said.out.splitlines() if ".png" in line]
    assert [line.startswith("!") for line in rows] == [True, False, False] and "without !: 2 photos" in said.out
    found = json.loads(peep("doubt", mislabelled, "--json").out)
    first = found["ranked"][0]
    assert (first["id"], first["label"], first["looks_like"], first["doubtful"]) == ("X/<b>O.png", "X", "O", True)
    assert first["share"] > first["own_share"] and all(near["id"] != first["id"] for near in first["nearest"])
    assert sorted(mislabelled.rglob("*")) == before
    page = (tmp_path / "doubt.html").read_text()
    assert "&lt;b&gt;O.png" in page and "<b>O.png" not in page and "http" not in page.replace("http-equiv", "") and "data:image/png" in page


def test_doubt_says_when_labels_cannot_be_judged():
    """Where the others foretell no more than chance, that is what is said, on the page as well; a handful with one mistake is judged."""
    none = Doubts("photos", 40, 0.45, 0.5, "gradients", (), ())
    assert not none.telling and "no label can be judged" in none.sentence and "45 %" in none.sentence
    assert "than could be chance" in render(none)
    few = Doubts("photos", 7, 6 / 7, 4 / 7, "gradients", (), ())
    assert few.telling and "none of 7 labels is in doubt" in few.sentence and "than could be chance" not in render(few)


def test_doubt_leaves_right_labels_alone(peep, tmp_path):
    """None of right labels is flagged; the least sure are still shown."""
    found = json.loads(peep("doubt", folder(tmp_path / "photos", 6, "XO="), "--json").out)
    assert not any(one["doubtful"] for one in found["ranked"]) and len(found["ranked"]) == 3 and found["agree"] > 0.9


def test_a_page_has_a_page_s_name(refused, mislabelled, tmp_path):
    """Another ending is refused before the work."""
    assert "ends in .html" in refused("doubt", mislabelled, "-o", tmp_path / "doubt.png").error


def test_the_same_pictures_under_two_labels(refused, tmp_path):
    """It is said that they are the same, and nothing is judged."""
    root = folder(tmp_path / "photos", 4, "X")
    shutil.copytree(root / "X", root / "Y")
    for verb in ("doubt", "budget"):
        said = refused(verb, root)
        assert "8 files with a picture that stands under both X and Y" in said.err and "(first: X/X0.png and Y/X0.png)" in said.err
        assert "X has no usable photo; 4 of its photos also stand under Y" in said.error


def test_all_black(refused, tmp_path):
    """Black photos of two labels are one picture under two labels, whatever their size."""
    for side, label in enumerate("ab"):
        for number in range(3):
            save(np.zeros((16 + side, 16 + number), np.uint8), tmp_path / "photos" / label / f"{number}.png")
    assert "no usable photo" in refused("doubt", tmp_path / "photos").error


def test_budget_with_too_few(peep, tmp_path):
    """Two photos of each label make no curve: it says so, and what a bound of 1 % needs."""
    said = peep("budget", folder(tmp_path / "photos", 2, "XO"), *QUICK)
    assert said.code == 0 and "too few for a curve" in said.out and "299 more would prove 1 %" in said.out


def test_budget_says_what_more_would_buy(peep, tmp_path):
    """A curve, two intervals that hold their middles, every label, and frames that are no copies of photos or of each other."""
    root = folder(tmp_path / "photos", 6, "XO=", strangers="IL")
    frames = tmp_path / "frames"
    for number, seed in enumerate([*range(50, 56), 50]):  # the last is a copy of the first
        save(draw("XO="[number % 3], seed) if number < 6 else draw("X", 50), frames / f"{number}.png")
    shutil.copy(root / "X" / "X0.png", frames / "known.png")
    (frames / "broken.jpg").write_bytes(b"not a photo")
    said = peep("budget", root, *QUICK[2:], "--seconds", 6, "--unlabelled", frames, "--frames", 3, "--json")
    found = json.loads(said.out)
    assert said.code == 0 and len(found["curve"]) == 3 and found["looked_at"] == 6 and found["strangers"]["strangers"] == 2
    assert "broken.jpg" in said.err and "left out" in said.err
    assert len(found["frames"]) == 3 and not {"known.png"} & {one["id"] for one in found["frames"]}
    if found["forecast"]:  # a busy machine may not have the time for two draws, and says so
        now = found["forecast"]["now"]
        assert 0 <= now["low"] <= now["middle"] <= now["high"] <= 1 and {one["label"] for one in found["labels"]} == {"X", "O", "="}
    else:
        assert "one draw of each size" in found["why"]


def test_budget_says_why_its_figures_need_not_add_up(capsys):
    """Medians of different draws: beside the labels it is told that they need not add up, and where they do not is no error."""
    now, then, gain = Range(0.10, 0.05, 0.2), Range(0.07, 0.02, 0.2), Range(0.02, -0.01, 0.1)
    whole = Forecast(now, then, gain)
    labels = (LabelBudget("X", 12, Forecast(Range(0.2, 0.1, 0.3), then, gain)),)
    _show(Budget("photos", 10, 12.0, (), (), whole, "", labels, StrangerBudget(0, 1.0, 0.01, 299), (), 0, "", ()))
    shown = capsys.readouterr().out
    assert "now less gained need not be exactly what is left" in shown and "percentage points" in shown


@pytest.mark.parametrize(("name", "content"), [("empty", None), ("broken", b"hello")])
def test_frames_that_are_none(refused, tmp_path, name, content):
    """A folder without a readable frame is refused before any learning."""
    frames = tmp_path / name
    frames.mkdir()
    if content:
        (frames / "x.jpg").write_bytes(content)
    assert "no frame that can be read" in refused("budget", folder(tmp_path / "photos", 2), "--unlabelled", frames).error


def test_numbers_out_of_range(refused, tmp_path):
    """None more, and none at all, are refused."""
    root = folder(tmp_path / "photos", 2)
    assert "between 1 and 10000" in refused("budget", root, "--more", 0).error
    assert "between 1 and 10000" in refused("budget", root, "--frames", 0).error
