"""Regions and the wallpaper test from the command line: trained, kept in the file, asked again, and refused with what helps."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from peephole.base.modelfile import read
from peephole.decide.predictor import load

SMALL = ("--network", "plain", "--filters", "4,8", "--hidden", "12", "--steps", "40", "--size", "24", "--threads", "1")


def _wall(seed: int) -> np.ndarray:
    """Return a coloured wall (96, 120, 3) with large patches."""
    patches = np.random.default_rng(seed).integers(30, 220, (4, 5, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(patches).resize((120, 96), Image.Resampling.BICUBIC))


def _visitor(wall: np.ndarray, label: str, number: int) -> Image.Image:
    """Return a wall with a striped (ana) or a ringed (junho) visitor somewhere before it, of another shade each time."""
    generator = np.random.default_rng([number, label == "ana"])
    left, top = int(generator.integers(0, 72)), int(generator.integers(0, 48))
    y, x = np.mgrid[:48, :48]
    pattern = (x // 8) % 2 if label == "ana" else (np.hypot(x - 24, y - 24) // 6) % 2
    pixels = wall.copy()
    pixels[top : top + 48, left : left + 48] = (pattern * 200 + 20 + generator.integers(0, 35))[..., None]
    return Image.fromarray(np.clip(pixels + generator.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8))


def _folder(root, walls, count=6, scenes=0):
    for at, label in enumerate(("ana", "junho")):
        for number in range(count):
            (root / label).mkdir(parents=True, exist_ok=True)
            _visitor(_wall(walls[at]), label, number).save(root / label / f"{number}.png")
    for number in range(scenes):
        (root / "unknown" / "empty").mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).normal(0, 3, (96, 120, 3))
        Image.fromarray(np.clip(_wall(walls[0]) + noise, 0, 255).astype(np.uint8)).save(root / "unknown" / "empty" / f"{number}.png")
    return root


def test_a_motion_region_is_trained_kept_and_asked(peep, tmp_path):
    """The file holds the scene; a visitor elsewhere is named, the empty scene is not judged; the summary has the wallpaper lines."""
    photos, model = _folder(tmp_path / "photos", (1, 1), scenes=5), tmp_path / "door.onnx"
    said = peep("train", photos, "-o", model, "--region", "motion", *SMALL)
    assert said.code == 0, said.err
    assert "no subject was found in 5 of 17 photos" in said.err and "refused:" not in said.err
    asked = re.search(r"wallpaper: of (\d+) photos that it learned from.*what moved \((\d+) of (\d+)\)", said.out)
    assert asked and asked[1] == asked[2] == asked[3] and int(asked[1]) >= 6
    card = read(model).card
    assert card.input.region.how == "motion" and card.input.region.complete and card.input.resize.fit == "contain"
    assert card.wallpaper is not None and card.wallpaper.unjudged + 2 >= card.wallpaper.empty and card.wallpaper.accepted <= 2
    answers = load(model).predict([_visitor(_wall(1), label, number) for label in ("ana", "junho") for number in range(20, 26)])
    assert sum(answer.best == ("ana" if at < 6 else "junho") for at, answer in enumerate(answers)) >= 9
    _visitor(_wall(1), "ana", 30).save(tmp_path / "visitor.png")
    nobody = peep("predict", model, photos / "unknown" / "empty" / "0.png")
    assert nobody.code == 1 and "nothing moved: the picture shows the empty scene" in nobody.err
    report = peep("explain", model, tmp_path / "visitor.png", "-o", tmp_path / "report.html")
    assert report.code == 0 and "Region: the largest thing that is not in the scene" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_walls_of_their_own_are_told_before_and_after(peep, tmp_path):
    """Training on the whole frame says that the border names the labels; `evaluate --wallpaper` counts what is left before other walls."""
    model = tmp_path / "walls.onnx"
    said = peep("train", _folder(tmp_path / "photos", (1, 2)), "-o", model, *SMALL)
    assert said.code == 0
    assert re.search(r"the border of the photos alone names the label of (\d+) of \1 sources.*may learn that instead", said.err)
    for number in range(40, 44):
        for at, label in enumerate(("ana", "junho")):
            path = tmp_path / "new" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            _visitor(_wall(at + 1), label, number).save(path)
    found = json.loads(peep("evaluate", model, tmp_path / "new", "--wallpaper", "--json").out)["wallpaper"]
    assert found["own"]["n"] >= 4 and found["own"]["role"] == "proof" and found["swapped"]["role"] == "simulated" and found["learned"] is False
    assert found["swapped"]["accuracy"] < found["own"]["accuracy"]
    assert "the model knows the wallpaper" in peep("evaluate", model, tmp_path / "new", "--wallpaper").out


@pytest.mark.parametrize(
    ("region", "what", "hint"),
    [
        ("motion", "motion needs at least 5 pictures", "unknown/empty/"),
        ("face", "--region face leaves 0 of ana's 2 photos; in the others no face was found", "--region whole"),
        ("fase", "did you mean 'face'", "--region 0.25"),
        ("rectangle:0.5,0.5,0.6,0.6", "fractions of the frame inside 0..1", "--region 0.25"),
        ("1,1,0,0", "fractions of the frame inside 0..1", "--region 0.25"),
    ],
)
def test_a_region_that_cannot_be(refused, tmp_path, region, what, hint):
    """Two photos teach no scene, stripes have no face, a rectangle stays inside the frame: each says so, and nothing is written."""
    if region == "face":
        pytest.importorskip("cv2")
    said = refused("train", _folder(tmp_path / "photos", (1, 1), count=2), "-o", tmp_path / "no.onnx", "--region", region, *SMALL)
    assert what in said.error and hint in said.hint
    assert not (tmp_path / "no.onnx").exists()
