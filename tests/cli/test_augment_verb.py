"""`peephole augment`: a picture of what training sees, or one sentence and a hint."""

import pytest
from PIL import Image

from drawings import folder


def test_a_sheet_of_a_folder(peep, tmp_path):
    """It writes the picture and says what the recipe does."""
    said = peep("augment", folder(tmp_path / "photos", 2), "-o", tmp_path / "sheet.png", "--columns", 2, "--strength", 1)
    assert said.code == 0, said.err
    assert "rows at" in said.out and "the recipe varies by strokes thicker or thinner" in said.out
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.format == "PNG" and image.width > 190


def test_only_some_effects(peep, tmp_path):
    """Two names, two rows; the same seed gives the same file, another one another."""
    photos, files = folder(tmp_path / "photos", 2), []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        said = peep("augment", photos, "-o", tmp_path / f"{name}.png", "--only", "scratch, dust", "--seed", seed, "--size", 28)
        assert said.code == 0 and "2 rows at 28x28x1" in said.out
        files.append((tmp_path / f"{name}.png").read_bytes())
    assert files[0] == files[1] != files[2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--strength", "1.5", "--only", "dust"), ("strength is between 0 and 1", "--strength 0.5")),
        (("--strength", "-1"), ("strength is between 0 and 1", "--strength 0.5")),
        (("--only", "noize"), ("did you mean 'noise'", "scratch")),
        (("--columns", "0"), ("columns is between", "--columns 6")),
        (("--size", "4"), ("size is a height and a width", "--size 32")),
    ],
    ids=lambda value: value[0],
)
def test_what_cannot_be(peep, tmp_path, words, expected):
    """Exit 1, a sentence, a hint, and no picture."""
    said = peep("augment", folder(tmp_path / "photos", 2), "-o", tmp_path / "sheet.png", *words)
    assert said.code == 1 and expected[0] in said.err and expected[1] in said.err
    assert not (tmp_path / "sheet.png").exists()
