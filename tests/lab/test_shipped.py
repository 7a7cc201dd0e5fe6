"""The shipped X-or-O model: what it is made of, whom it names, whom it refuses."""

import numpy as np
import pytest

import peephole
from peephole.lab.hand import draw
from peephole.lab.shipped import FOLDER, known, shipped

MODEL_MOST, PICTURES_MOST = 300_000, 100_000


@pytest.fixture(scope="module")
def model():
    """The file in the package."""
    return peephole.load(shipped())


def on_paper(kind, seed, *, light=False, side=220):
    """A drawing as a canvas gives it, uint8 (side, side): black on white, or white on black."""
    grey = np.rint(255 * (1 - draw(kind, 9_000_000 + seed, side))).astype(np.uint8)
    return 255 - grey if light else grey


def test_small_and_plain(model):
    """Two labels; convolution, ReLU, max pooling, twice, then dense, ReLU, logits; within the sizes that a package can carry."""
    assert sorted(model.labels) == ["O", "X"] and model.card.input.colour == "grey"
    steps = [layer.op for layer in model.card.layers if layer.op in ("Conv", "Relu", "MaxPool", "Gemm")]
    assert steps[:8] == ["Conv", "Relu", "MaxPool", "Conv", "Relu", "MaxPool", "Gemm", "Relu"]
    assert shipped().stat().st_size <= MODEL_MOST
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MODEL_MOST + PICTURES_MOST
    assert model.card.parity.changed_decisions == 0


@pytest.mark.parametrize("light", [False, True], ids=["black on white", "white on black"])
def test_names_fresh_drawings(model, light):
    """Of 100 drawings by another hand nearly all are named right and most are accepted; none is taken for the other."""
    answers = {kind: model.predict([on_paper(kind, seed, light=light) for seed in range(50)]) for kind in "XO"}
    assert np.mean([one.best == kind for kind, some in answers.items() for one in some]) >= 0.97
    assert np.mean([one.label == kind for kind, some in answers.items() for one in some]) >= 0.8
    assert not any(one.label not in (kind, None) for kind, some in answers.items() for one in some)


def test_refuses_other_things(model):
    """Empty sheets of any grey, and nearly every drawing of something else."""
    sheets = model.predict([np.full((220, 220), grey, np.uint8) for grey in range(0, 256, 17)])
    assert not any(one.accepted for one in sheets)
    others = model.predict([on_paper(kind, seed) for kind in ("house", "triangle", "scribble", "line", "Y", "8") for seed in range(10)])
    assert np.mean([one.accepted for one in others]) <= 0.1


def test_known_drawings_are_those_of_the_card(model):
    """Each known example has its picture; the network is as sure of it as of itself."""
    found = known()
    assert found.digests == model.card.unknown.known_digests and found.pictures.shape == (len(found.digests), 28, 28)
    outputs = model.engine.run(found.pictures[..., None])
    np.testing.assert_allclose(np.diag(outputs.similarity), 1, atol=1e-4)


def test_the_file_is_what_the_script_wrote(model):
    """The card names the program that drew what taught it, and no photo of anybody."""
    assert "that a program drew" in model.card.training.sentence
