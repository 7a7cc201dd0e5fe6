"""What a recipe knows of a folder: drawings, photos, colour, sizes, from a look at a few files."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from drawings import draw, folder, save
from peephole.data.photos import scan
from peephole.train.facts import SAMPLE, survey


def scenes(root, count, colour=True):
    """Fill root/a and root/b with made photos: smooth noise over the whole frame."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        noise = Image.fromarray(rng.integers(0, 255, (60, 80, 3), np.uint8)).filter(ImageFilter.GaussianBlur(4))
        pixels = np.asarray(noise).astype(float)
        pixels = (pixels - pixels.mean()) * 8 + (128 if colour else pixels.mean(axis=2, keepdims=True) * 0 + 128)
        pixels = np.clip(pixels if colour else pixels.mean(axis=2, keepdims=True).repeat(3, 2), 0, 255).astype(np.uint8)
        save(pixels, root / "ab"[seed % 2] / f"{seed}.png")
    return root


def test_drawings(tmp_path):
    """Dark ink on white paper: a drawing, without colour; counts and sizes as they are."""
    facts = survey(scan(folder(tmp_path, 5, strangers="=")), 7)
    assert (facts.examples, facts.labels, facts.fewest) == (10, 2, 5)
    assert (facts.height, facts.width) == (16, 16)
    assert facts.drawing and not facts.colour


def test_white_ink_on_black_is_a_drawing_too(tmp_path):
    """As MNIST has it."""
    for seed in range(4):
        save(255 - draw("XO"[seed % 2], seed), tmp_path / "XO"[seed % 2] / f"{seed}.png")
    assert survey(scan(tmp_path), 7).drawing


def test_a_drawing_with_a_clear_background(tmp_path):
    """Transparent paper is white paper."""
    for seed in range(4):
        ink = 255 - draw("XO"[seed % 2], seed)
        save(np.dstack([np.zeros((*ink.shape, 3), np.uint8), ink]), tmp_path / "XO"[seed % 2] / f"{seed}.png")
    assert survey(scan(tmp_path), 7).drawing


def test_a_red_drawing_is_judged_by_its_shape(tmp_path):
    """Its colour is not what counts: the next one may be black."""
    for seed in range(4):
        grey = draw("XO"[seed % 2], seed)
        save(np.dstack([np.full_like(grey, 250), grey, grey]), tmp_path / "XO"[seed % 2] / f"{seed}.png")
    facts = survey(scan(tmp_path), 7)
    assert facts.drawing and not facts.colour


def framed(root, count, shift=0, grow=0, light=255):
    """Fill root/a and root/b with bars of 20 x 8 pixels or 8 x 20 in the middle of 40 x 40, moved and grown by up to so many pixels."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        (x, y), more = rng.integers(-shift, shift + 1, 2), int(rng.integers(-grow, grow + 1))
        half = np.array([4 + more // 2, 10 + more])[:: 1 - 2 * (seed % 2)]
        picture = np.full((40, 40), 255 - light, np.uint8)
        picture[20 + y - half[0] : 20 + y + half[0], 20 + x - half[1] : 20 + x + half[1]] = light
        save(picture, root / "ab"[seed % 2] / f"{seed}.png")
    return survey(scan(root), 7)


@pytest.mark.parametrize("light", [0, 255])
def test_drawings_that_are_framed_alike(tmp_path, light):
    """In the middle and of one size, on either paper; moved about, of many sizes, or too few to tell: not."""
    assert framed(tmp_path / "alike", 10, light=light).framed
    assert framed(tmp_path / "nearly", 10, shift=1, light=light).framed
    assert not framed(tmp_path / "moved", 10, shift=5, light=light).framed
    assert not framed(tmp_path / "sized", 10, grow=3, light=light).framed
    assert not framed(tmp_path / "few", 7, light=light).framed


def test_photos(tmp_path):
    """Colour where there is some; a photo without colour is no drawing."""
    coloured = survey(scan(scenes(tmp_path / "colour", 4)), 7)
    assert coloured.colour and not coloured.drawing and not coloured.framed and (coloured.height, coloured.width) == (60, 80)
    grey = survey(scan(scenes(tmp_path / "grey", 4, colour=False)), 7)
    assert not grey.colour and not grey.drawing


def test_unreadable_photos_are_passed_over(tmp_path):
    """A file whose pixels are cut off still has a header; the look at it fails, the survey goes on."""
    root = folder(tmp_path, 4)
    whole = (root / "X" / "X0.png").read_bytes()
    (root / "X" / "cut.png").write_bytes(whole[: len(whole) // 2])
    facts = survey(scan(root), 7)
    assert facts.drawing and facts.examples >= 8


def test_only_a_sample_is_opened(tmp_path, monkeypatch):
    """However many photos there are."""
    from peephole.train import facts

    opened = []
    monkeypatch.setattr(facts, "open_photo", lambda path: opened.append(path) or Image.new("L", (8, 8), 255))
    survey(scan(folder(tmp_path, SAMPLE)), 7)
    assert len(opened) == SAMPLE
