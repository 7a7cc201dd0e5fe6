"""peephole train --network vgg|inception|resnet: the dials arrive, and what does not fit is said."""

import json

import pytest

from drawings import folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Enough drawings to prove by: nothing is held out in turn."""
    return folder(tmp_path_factory.mktemp("deep") / "photos", 20)


SHORT = ("--threads", "1", "--steps", "4", "--size", "16")


def test_the_dials_arrive(peep, photos, tmp_path):
    """What was typed stands in the card's recipe, and the layers are those of the network."""
    words = "--network resnet --width 4 --depth 2 --no-shortcuts --keep-prob 0.8 --norm none"
    said = peep("train", photos, "-o", tmp_path / "deep.onnx", "--json", *SHORT, *words.split())
    assert said.code == 0, said.err
    card = json.loads(said.out)
    deep = card["training"]["recipe"]["deep"]
    assert (deep["width"], deep["depth"], deep["shortcuts"], deep["keep_prob"], deep["norm"]) == (4, 2, False, 0.8, "none")
    names = [layer["name"] for layer in card["layers"]]
    assert "block4_conv2" in names and "block4_add" not in names
    assert "resnet (4 filters first, 2 stages of 2 blocks of two convolutions, keep 0.8, without shortcuts)" in said.err


def test_what_changes_nothing_is_said(peep, photos, tmp_path):
    """A dial of another network is named; keep-prob, which both have, is not."""
    words = "--network plain --filters 4 --hidden 8 --width 8 --keep-prob 0.9"
    said = peep("train", photos, "-o", tmp_path / "plain.onnx", *SHORT, *words.split())
    assert said.code == 0 and "plain does not have width: what was given changes nothing" in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("--network vgg --width 1", "leave --width out"),
        ("--network inception --depth 0", "leave --depth out"),
        ("--network resnet --batch 1", "--norm none"),
        ("--network resnet --width 256 --depth 64", "--width 128 --depth 32"),
        ("--network resnett", "--network auto|plain|vgg|inception|resnet|strokes|lite0|lite2"),
    ],
)
def test_what_cannot_be_is_refused(peep, photos, tmp_path, words, hint):
    """One sentence, a hint that works, and no file."""
    said = peep("train", photos, "-o", tmp_path / "none.onnx", *SHORT, *words.split())
    assert said.code == 1 and hint in " ".join(said.err.split()) and "Traceback" not in said.err
    assert not (tmp_path / "none.onnx").exists()
