"""`peephole lab x-or-o`: what is printed is what was worked out, for any picture that can be given."""

import json

import numpy as np
import pytest
from PIL import Image

from peephole.lab.drawn import cross, rotate, shift, thicken
from peephole.lab.hand import draw
from peephole.lab.learn import train
from peephole.lab.x_or_o import FILTERS, work


def test_the_x_is_worked(peep):
    """The numbers of the example: the first row of the first map, one cell, both votes."""
    said = peep("lab", "x-or-o")
    assert said.code == 0
    for line in ("7 -1  1  3  5 -1  3", "7/9 = 0.77", "0.78", "45 of 45 = 1.000", "20 of 36 = 0.556", "answer: X"):
        assert line in " ".join(said.out.split("\n")), line


def test_json_is_the_same_working(peep):
    """Shifted, turned and thickened pictures, an edited weight, another cell: all as the functions say."""
    said = peep("lab", "x-or-o", "--shift=-1,1", "--rotate", 90, "--thicken", "--edit", "1,0,0=-1", "--cell", "3,2,1", "--json")
    found = json.loads(said.out)
    filters = FILTERS.copy()
    filters[0, 0, 0] = -1
    wanted = work(thicken(rotate(shift(cross(), -1, 1), 90)), filters)
    assert [one["matches"]["parts"] for one in found["worked"]["maps"]] == [one.matches.parts.tolist() for one in wanted.maps]
    assert found["cell"]["parts"] == wanted.maps[2].matches.parts[2, 1] == found["cell"]["total"]
    assert found["worked"]["answer"] == wanted.answer and set(found["compared"]) == {"X", "O"}


def test_lines_between_the_parts(peep):
    """Two rows down the picture looks like an O, its parts are those of an X, and every line says so."""
    said = peep("lab", "x-or-o", "X", "--shift", "2,0").out
    assert "rather an O" in said and "3,3 -> 5,3" in said and "2 down, 0 to the right" in said


@pytest.mark.parametrize("kind", ["X", "O"])
def test_a_drawing_becomes_a_picture(peep, tmp_path, kind):
    """A drawing of 220 pixels, small, in a corner, white on black, is cut to its ink and named right."""
    page = np.zeros((220, 300), np.uint8)
    page[20:120, 150:250] = 255 * draw(kind, 4, 100, pen=(0.03, 0.05))
    Image.fromarray(page).save(tmp_path / "drawn.png")
    assert json.loads(peep("lab", "x-or-o", tmp_path / "drawn.png", "--json").out)["worked"]["answer"] == kind
    assert f"answer: {kind}" in peep("lab", "x-or-o", tmp_path / "drawn.png").out


def test_rows_of_signs_are_a_picture(peep, tmp_path):
    """A text file of # and . is read row by row; what is not square is worked, and compared with nothing."""
    file = tmp_path / "picture.txt"
    file.write_text("#..#\n.##.\n#..#\n")
    found = json.loads(peep("lab", "x-or-o", file, "--json").out)
    assert found["worked"]["picture"] == [[1, -1, -1, 1], [-1, 1, 1, -1], [1, -1, -1, 1]] and not found["compared"]
    assert peep("lab", "x-or-o", file, "--cell", "2,0,0").code == 0


def test_a_wide_picture_is_shown_in_colours(peep):
    """32 x 32 has maps of 30 columns: colours, no numbers, and no line is broken."""
    said = peep("lab", "x-or-o", "O", "--side", 32)
    assert said.code == 0 and "answer: O" in said.out


def test_training_is_shown_step_by_step(peep):
    """Error, accuracy and one weight with its numbers; the same as the function gives."""
    from peephole.lab.hand import drawings

    said = peep("lab", "x-or-o", "--train", "--steps", 20, "--seed", 3, "--json")
    found = json.loads(said.out)
    wanted = list(train(drawings(30, 3), steps=20, learning_rate=0.05, seed=3))
    assert [step["number"] for step in found["steps"]] == list(range(1, 21))[:1] + [2 * n for n in range(1, 11)]
    assert found["steps"][-1]["error"] == wanted[-1].error and found["steps"][-1]["update"]["slope"] == wanted[-1].update.slope
    assert found["smallest"]["slope"] == pytest.approx(-2.4)
    text = peep("lab", "x-or-o", "--train", "--steps", 3).out
    assert "nudged up" in text and "w 0.2: error 0.36, slope -2.4" in text


def test_training_on_your_own_drawings(peep, tmp_path):
    """A folder with X/ and O/ is learned from."""
    for kind in "XO":
        (tmp_path / kind).mkdir()
        for seed in range(4):
            Image.fromarray(np.rint(255 * (1 - draw(kind, seed, 60))).astype(np.uint8)).save(tmp_path / kind / f"{seed}.png")
    said = peep("lab", "x-or-o", "--train", "--drawings", tmp_path, "--steps", 5)
    assert said.code == 0 and "8 drawings of 16 x 16" in said.out


@pytest.mark.parametrize(
    "words",
    [
        ["missing.png"],
        ["--shift", "1"],
        ["--shift", "a,b"],
        ["--cell", "1,9,0"],
        ["--cell", "4,0,0"],
        ["--cell", "0,0,0"],
        ["--edit", "1,0,0=2"],
        ["--edit", "1,0,3=1"],
        ["--edit", "0,0,0=1"],
        ["--edit", "1,0,0=nan"],
        ["--side", "2"],
        ["--side", "33"],
        ["--rotate", "nan"],
        ["--train", "--steps", "0"],
        ["--train", "--learning-rate", "0"],
        ["--train", "--drawings", "missing"],
    ],
)
def test_what_cannot_be_worked_is_refused(refused, words):
    """One sentence and a hint, and nothing on stdout."""
    refused("lab", "x-or-o", *words)


@pytest.mark.parametrize("content", ["", "#.\n", "#.#\n#.\n#.#\n", "###\n#?#\n###\n", "#" * 40 + "\n"])
def test_text_that_is_no_picture_is_refused(refused, tmp_path, content):
    """Empty, too small, uneven rows, another sign, too wide."""
    file = tmp_path / "picture.txt"
    file.write_text(content)
    refused("lab", "x-or-o", file)


def test_folders_without_both_signs_are_refused(refused, tmp_path):
    """There must be an X and an O to tell apart."""
    (tmp_path / "X").mkdir()
    refused("lab", "x-or-o", "--train", "--drawings", tmp_path)
    refused("lab", "x-or-o", tmp_path)
