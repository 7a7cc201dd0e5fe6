"""Drawings that a program makes, and drawings that become pictures of a few pixels."""

import numpy as np
import pytest
from PIL import Image

from peephole.base.errors import DataError, InputError, MissingInput, SettingsError
from peephole.lab.drawn import cross
from peephole.lab.hand import KINDS, STRANGERS, draw
from peephole.lab.paper import from_drawing, from_folder


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_draws(kind):
    """There is ink, more paper than ink, and another seed draws another picture."""
    found = [draw(kind, seed, 40) for seed in range(6)]
    for ink in found:
        assert ink.shape == (40, 40) and ink.max() > 0.5 and ink.min() == 0 and ink.mean() < 0.5
    assert len({ink.tobytes() for ink in found}) == 6
    assert (draw(kind, 3, 40) == found[3]).all()


def test_pens_and_sizes_are_as_asked():
    """A thicker pen leaves more ink; the drawing's longer side takes the share of the page that was asked for."""
    thin, thick = (draw("X", 1, 100, pen=(width, width)) for width in (0.01, 0.04))
    assert thick.sum() > 2 * thin.sum()
    inked = draw("O", 1, 200, least=0.5, most=0.5, pen=(0.01, 0.01)) > 0.5
    assert max(np.ptp(np.flatnonzero(inked.any(axis))) for axis in (0, 1)) == pytest.approx(100, abs=6)


def test_an_unknown_kind_is_refused_with_the_near_one():
    """There are X, O and what is neither."""
    assert set(KINDS) == {"X", "O", *STRANGERS}
    with pytest.raises(SettingsError, match="did you mean 'heart'"):
        draw("hart", 0)


@pytest.mark.parametrize("mode", ["RGBA", "L", "RGB"])
def test_a_magnified_x_comes_back_as_it_was(mode):
    """Red ink on nothing, grey on white, white on black: the same X."""
    on = np.kron(cross() > 0, np.ones((20, 20), bool))
    pixels = {
        "RGBA": np.where(on[..., None], (220, 20, 20, 255), (0, 0, 0, 0)),
        "L": np.where(on, 90, 255),
        "RGB": np.where(on[..., None], (255, 255, 255), (0, 0, 0)),
    }[mode]
    assert (from_drawing(Image.fromarray(pixels.astype(np.uint8))) == cross()).all()


def test_an_empty_sheet_stays_empty():
    """No ink, no white pixel; nor for a sheet that is nearly even."""
    assert (from_drawing(Image.new("L", (50, 50), 255)) == -1).all()
    noise = np.random.default_rng(0).integers(250, 256, (50, 50)).astype(np.uint8)
    assert (from_drawing(Image.fromarray(noise)) == -1).all()
    with pytest.raises(InputError):
        from_drawing(Image.new("L", (50, 50)), 40)


def test_one_dot_fills_its_picture():
    """A drawing of one pixel, and one at the paper's corner, are cut to their ink."""
    page = np.zeros((30, 30), np.uint8)
    page[0, 29] = 255
    assert (from_drawing(Image.fromarray(page))[1:-1, 1:-1] == 1).all()


def test_a_folder_of_drawings(tmp_path):
    """X/ and O/ become pictures with labels; a folder that is missing, or has only one, is refused."""
    for kind in "XO":
        with pytest.raises(DataError if (tmp_path / "X").exists() else MissingInput):
            from_folder(tmp_path if (tmp_path / "X").exists() else tmp_path / "nowhere")
        (tmp_path / kind).mkdir()
        Image.fromarray(np.rint(255 * draw(kind, 0, 60)).astype(np.uint8)).save(tmp_path / kind / "1.png")
    found = from_folder(tmp_path, 12)
    assert found.pictures.shape == (2, 12, 12) and found.labels.tolist() == [0, 1]
