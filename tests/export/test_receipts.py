"""--ablate: the same network with receipts on its card; a stop, a bad number or too little time never costs the model file."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import peephole
from drawings import folder
from peephole.base.errors import NotANumber, SettingsError
from peephole.base.modelfile import read
from peephole.base.watch import Watcher
from peephole.export import receipts as receipting
from peephole.export.build import build
from peephole.nets.cnn import Plain
from peephole.train import ablation, distributed
from peephole.train.augment import Augment
from peephole.train.recipe import Options

SMALL = Plain(filters=(4,), hidden=12)


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    """Let the receipts take as long as the training itself, and try nothing beside the recipe: what is tested here is what becomes of them."""
    monkeypatch.setattr(receipting, "TIMES", 1)
    monkeypatch.setattr(ablation, "TRIED", ())


def options(**more):
    """Return options for a training of a second."""
    given = {"network": "plain", "steps": 20, "threads": 1, "plain": SMALL, "augment": Augment(shift=0.1)}
    return Options(**given | more)


class Heard(Watcher):
    """Remembers what was said; presses Ctrl-C once the receipts are so far."""

    def __init__(self, press=None):
        """Hear everything; `press` trainings of the receipts are made before Ctrl-C."""
        self.words, self.press, self.at, self.done = [], press, "", []

    def stage(self, text):
        """Note the stage."""
        self.at = text

    def progress(self, done, total):
        """Count the receipts' trainings."""
        if "each augmentation" in self.at:
            self.done.append((done, total))
            if done == self.press:
                raise KeyboardInterrupt

    def said(self, text):
        """Note a sentence."""
        self.words.append(text)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Six X and six O."""
    return folder(tmp_path_factory.mktemp("six") / "photos", 6)


@pytest.fixture(scope="module")
def plain_model(photos, tmp_path_factory):
    """The model file without receipts."""
    return build(photos, tmp_path_factory.mktemp("without") / "xo.onnx", options()).model


def weights(model):
    """Return every constant of a model file by name."""
    return {each.name: numpy_helper.to_array(each).tobytes() for each in onnx.load_from_string(model.data).graph.initializer}


def test_the_network_is_the_same(photos, plain_model, tmp_path):
    """Same weights to the last byte, same recipe, same card but for the receipts; announced before, with their number and time."""
    heard = Heard()
    built = build(photos, tmp_path / "xo.onnx", options(), ablate=True, watch=heard)
    assert weights(built.model) == weights(plain_model)
    card = read(tmp_path / "xo.onnx").card
    assert card == built.model.card and card.receipts is not None
    assert card.model_copy(update={"receipts": None}) == plain_model.card
    (row,) = card.receipts.rows
    assert (row.effect, row.used, row.strength) == ("shift", True, "shift up to 10 %") and card.receipts.n == 12 and card.receipts.role == "estimate"
    (said,) = [words for words in heard.words if "receipts take" in words]
    total = heard.done[0][1]
    assert f"{total} trainings of 30 steps (the network's own took 20)" in said and "about" in said
    assert heard.done == [(at, total) for at in range(1, total + 1)]
    assert not list(tmp_path.glob("*.checkpoint"))


def test_the_same_seed_gives_the_same_file(photos, tmp_path):
    """With a number of steps the receipts are a function of photos and seed: the same bytes twice."""
    one, two = (build(photos, tmp_path / f"{name}.onnx", options(), ablate=True).model for name in "ab")
    assert one.sha256 == two.sha256


@pytest.mark.parametrize("press", [3, 7])
def test_ctrl_c_in_the_receipts_costs_no_model(photos, plain_model, tmp_path, press):
    """The file is there and whole, and the call returns; what was compared by then is too little, and that is said."""
    heard = Heard(press)
    built = build(photos, tmp_path / "xo.onnx", options(), ablate=True, watch=heard)
    assert built.model.card.receipts is None
    assert read(tmp_path / "xo.onnx").sha256 == built.model.sha256 == plain_model.sha256
    assert any("no receipts" in words and "xo.onnx is whole" in words for words in heard.words)


def test_ctrl_c_after_two_repeats_keeps_them(photos, tmp_path, monkeypatch):
    """Whole repeats are kept, and the card says that they were cut short."""
    monkeypatch.setattr(receipting, "planned", lambda *_: ablation.Plan(2, 3, 1.0, 30, 8, 12))
    heard = Heard(9)
    card = build(photos, tmp_path / "xo.onnx", options(), ablate=True, watch=heard).model.card
    assert card.receipts.stopped and card.receipts.repeats == 2
    assert any("rest on 2 of" in words for words in heard.words)


def test_a_number_gone_wrong_costs_no_model(photos, tmp_path, monkeypatch):
    """A training of the receipts whose loss is no number ends them, not the training."""

    def broken(*_, **__):
        raise NotANumber("the loss became nan at step 3")

    monkeypatch.setattr(receipting, "ablate", broken)
    heard = Heard()
    assert build(photos, tmp_path / "xo.onnx", options(), ablate=True, watch=heard).model.card.receipts is None
    assert any("no receipts: in one of their trainings the loss became nan" in words for words in heard.words)


def test_the_shortest_time_is_enough(tmp_path):
    """Two photos of each and a second: the fewest steps there can be, a table that claims nothing."""
    root = folder(tmp_path / "photos", 2)
    card = build(root, tmp_path / "xo.onnx", options(steps=None, seconds=1.0), ablate=True).model.card
    assert card.receipts.n == 4 and card.receipts.parts == 2 and {row.verdict for row in card.receipts.rows} == {"unclear"}


def test_nothing_on_and_nothing_tried_is_told(photos, tmp_path):
    """Without anything to compare there are no receipts, and a sentence says so."""
    heard = Heard()
    assert build(photos, tmp_path / "xo.onnx", options(augment=Augment()), ablate=True, watch=heard).model.card.receipts is None
    assert any("nothing to compare" in words for words in heard.words)


def test_from_python(photos, tmp_path, monkeypatch):
    """peephole.train(..., ablate=True) returns a model whose card has them; additions to an empty recipe are compared too."""
    monkeypatch.setattr(ablation, "TRIED", ("noise",))
    model = peephole.train(photos, tmp_path / "m.onnx", steps=20, network="plain", filters=(4,), hidden=12, augment=Augment(), ablate=True)
    assert [(row.effect, row.used) for row in model.card.receipts.rows] == [("noise", False)]


def test_several_processes_are_refused(photos, tmp_path, monkeypatch):
    """Under torchrun it is said before anything is read or written."""
    monkeypatch.setattr(distributed, "size", lambda: 2)
    with pytest.raises(SettingsError, match="several processes") as refused:
        build(photos, tmp_path / "xo.onnx", options(), ablate=True)
    assert "without torchrun" in refused.value.hint and not list(tmp_path.iterdir())


def test_frozen_features_have_receipts_too(tmp_path):
    """Lite0's features are kept, views are made with and without each effect, and no step is taken; the file is the same."""
    root, how = folder(tmp_path / "photos", 4), options(network="lite0", steps=None, seconds=1.0, size=(32, 32))
    built = build(root, tmp_path / "a.onnx", how, ablate=True)
    found = built.model.card.receipts
    assert found.steps == 0 and found.n == 8 and [row.effect for row in found.rows] == ["shift"]
    assert np.isfinite(found.rows[0].loss.difference)
    assert weights(build(root, tmp_path / "b.onnx", how).model).keys() == weights(built.model).keys()
