"""`peephole lab ball | echo | kernel`: what they print and write, as JSON too, and one sentence with a hint for what cannot be."""

import json

import numpy as np
import pytest
import soundfile
from PIL import Image


@pytest.fixture
def photo(tmp_path):
    """A small photo with something in it."""
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def clap(tmp_path):
    """A tenth of a second of noise."""
    path = tmp_path / "in.wav"
    soundfile.write(path, np.random.default_rng(0).standard_normal(800) * 0.1, 8000)
    return path


def test_two_dice(peep, tmp_path):
    """Seven in six ways, as a table, as JSON and as a figure in both languages."""
    said = peep("lab", "ball", "-o", tmp_path / "ball.svg", "--language", "ko")
    assert said.code == 0 and "all ways to 7" in said.out and "1 + 6" in said.out and "1/36" in said.out, said.err
    figure = (tmp_path / "ball.svg").read_text(encoding="utf-8")
    assert "두 번 떨어뜨린 공" in figure and 'role="img"' in figure and figure.count("<rect") == 6 + 6 + 10 + 6
    found = json.loads(peep("lab", "ball", "--json", "--at", "4").out)
    assert found["at"]["chance"] == "1/12" and [way["a"] for way in found["at"]["ways"]] == ["1", "2", "3"]


def test_two_densities(peep, tmp_path):
    """Two even densities make a triangle; the way back from 0.5 is even."""
    said = peep("lab", "ball", "--first", "uniform:0,1", "--second", "uniform:0,1", "--at", "0.5", "-o", tmp_path / "ball.svg")
    assert said.code == 0 and "(f * g)(0.5) = 0.5," in said.out, said.err
    assert (tmp_path / "ball.svg").read_text(encoding="utf-8").count("<polyline") == 4


def test_an_echo(peep, clap, tmp_path):
    """The spikes, the length with its tail, the loudness."""
    said = peep("lab", "echo", clap, tmp_path / "out.wav", "--delay", "0.3", "--decay", "0.5")
    assert said.code == 0 and "0.300 s" in said.out and "0.10 s -> 0.40 s" in said.out and "nothing was cut" in said.out, said.err
    found = json.loads(peep("lab", "echo", clap, tmp_path / "out.flac", "--tap", "0.1:0.5", "--tap", "0.2:-0.25", "--normalise", "--json").out)
    assert found["written"]["format"] == "FLAC" and found["peak"] == pytest.approx(1, abs=1e-3) and found["impulse"] == 1601
    said = peep("lab", "echo", clap, tmp_path / "hall.wav", "--room", clap)
    assert said.code == 0 and "rings for 0.10 s" in said.out


def test_a_kernel(peep, photo, tmp_path):
    """The kernel as given and as slid, one pixel worked out, and the picture; JSON has the same sum."""
    said = peep("lab", "kernel", photo, "-o", tmp_path / "out.png", "--grey", "--at", "3,4")
    assert said.code == 0 and "turned by 180°: convolution" in said.out and "output pixel 3,4" in said.out, said.err
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (40, 30) and image.mode == "L"
    found = json.loads(peep("lab", "kernel", photo, "-o", tmp_path / "out.png", "--grey", "--at", "3,4", "--json").out)
    assert np.sum(np.array(found["cell"]["patch"]) * np.array(found["cell"]["kernel"])) == found["cell"]["total"]


def test_a_patch_of_the_photo(peep, photo, tmp_path):
    """The patch is found where it was cut."""
    said = peep("lab", "kernel", photo, "-o", tmp_path / "out.png", "--patch", "20,10,7,7", "--match")
    assert said.code == 0 and "fits best at row 10, column 20: 1.000000" in said.out, said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ball", "--first", "1,2"), "sum to 3"),
        (("ball", "--first", "uniform:0,1"), "cannot be dropped with one"),
        (("ball", "--first", "normal:0,0", "--second", "normal:0,1"), "is 0 wide"),
        (("ball", "--at", "99"), "cannot lie at 99"),
        (("ball", "-o", "ball.png"), "does not end in .svg"),
        (("ball", "-o", "ball.svg", "--language", "fr"), "not spoken here"),
        (("echo", "none.wav", "out.wav"), "is not there"),
        (("echo", "photo.png", "out.wav"), "no sound file"),
        (("echo", "in.wav", "out.wav", "--tap", "0.3"), "is no tap"),
        (("echo", "in.wav", "out.wav", "--delay", "-1"), "a delay of -1 s"),
        (("kernel", "in.wav"), "not a photo"),
        (("kernel", "none.png"), "is not there"),
        (("kernel", "photo.png", "-o", "out.jpg"), "does not end in .png"),
        (("kernel", "photo.png", "--kernel", "sobel"), "did you mean 'sobel-"),
        (("kernel", "photo.png", "--match"), "--match without a patch"),
        (("kernel", "photo.png", "--matrix", "1", "--patch", "1,1,2,2"), "both a matrix and a patch"),
        (("kernel", "photo.png", "--at", "x"), "is no output pixel"),
        (("kernel", "photo.png", "--at", "30,0"), "there is no output pixel 30,0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
@pytest.mark.usefixtures("photo", "clap")
def test_what_cannot_be(peep, tmp_path, monkeypatch, words, said):
    """Exit 1, a sentence, a hint, and nothing written."""
    monkeypatch.chdir(tmp_path)
    found = peep("lab", *words)
    assert found.code == 1 and said in found.error and found.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav", "photo.png"]
