"""Evaluation: counted per stranger and per source, without the photos that the model was trained on."""

import hashlib
import io
import re

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import peephole
from peephole.base.errors import DataError, MissingInput
from peephole.base.modelwrite import write
from peephole.cli.tables import evaluation


@pytest.fixture
def put(tiny_photos, tmp_path):
    """Return a function that puts a tiny photo, a little changed by `seed`, into the folder to evaluate on."""

    def save(name, where, seed=0):
        path = tmp_path / "photos" / where
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        if name == "noise":
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(path)
            return path
        noise = rng.integers(-4, 5, (8, 8)) if seed else 0
        Image.fromarray(np.clip(tiny_photos[name][:, :, 0].astype(int) + noise, 0, 255).astype(np.uint8)).save(path)
        return path

    return save


@pytest.fixture
def evaluate(tiny_model_path, tmp_path):
    """Return a function that evaluates the tiny model on that folder."""
    return lambda **options: peephole.evaluate(peephole.load(tiny_model_path), tmp_path / "photos", **options)


def claims(found):
    return {evidence.claim: (evidence.errors, evidence.trials, evidence.unit, evidence.role) for evidence in found.evidence}


def test_two_photos_of_one_stranger_are_one_error(put, evaluate):
    """A stranger let in twice was let in once; of three strangers one was, and two folders with one picture are one stranger."""
    put("left-1", "left/a.png", 1)
    for seed in (2, 3):
        put("left-1", f"unknown/eve/{seed}.png", seed)
    for seed, who in ((4, "mallory"), (5, "mallory"), (6, "mallory again")):
        put("stranger", f"unknown/{who}/{seed}.png", seed)
    put("noise", "unknown/trent/7.png", 7)
    found = evaluate()
    assert claims(found)["false accept"] == (1, 3, "stranger", "proof")
    assert [mistake.id for mistake in found.mistakes] and all(m.truth is None and m.given == "left" for m in found.mistakes)
    assert len(found.mistakes) == 2


def test_loose_strangers_are_one_or_many(put, evaluate):
    """Files right in unknown/ are one stranger together, unless each is one."""
    for seed in (1, 2, 3):
        put("noise", f"unknown/{seed}.png", seed)
    assert claims(evaluate())["false accept"][1] == 1
    assert claims(evaluate(each_file_a_stranger=True))["false accept"][1] == 3
    assert claims(evaluate(stranger_unit="kind"))["false accept"][2] == "kind"


def test_labels_that_the_model_does_not_know_are_strangers(put, evaluate):
    """Photos of somebody the model has never heard of: one stranger, not a wrong label."""
    put("left-1", "left/a.png", 1)
    put("stranger", "somebody/b.png", 2)
    put("top-1", "somebody/c.png", 3)
    found = evaluate()
    assert claims(found)["false accept"][:2] == (1, 1)
    assert found.accuracy.n == 1 and found.confusion.sum() == 1


def test_the_confusion_adds_up(put, evaluate):
    """Rows are the truth: every labelled photo is counted once, refused ones in the last column; rates count near copies as one."""
    for seed, (name, where) in enumerate(
        [("left-1", "left"), ("top-1", "left"), ("stranger", "left"), ("top-1", "top"), ("stranger", "unknown/x")], 1
    ):
        put(name, f"{where}/{seed}.png", seed)
    found = evaluate()
    assert found.confusion.tolist() == [[1, 1, 1], [0, 1, 0]] and found.strangers.tolist() == [0, 0, 1]
    assert "4 photos of known labels: 2 right, 1 let in under a wrong label, 1 taken for strangers; near copies" in str(found)
    assert "1 photo of strangers: 0 let in, 1 taken for strangers" in str(found)
    assert found.photos == 5 and found.labels == ("left", "top")
    assert found.accuracy.n == 3
    assert claims(found)["false reject"][:2] == (2, 3)
    assert [(m.truth, m.given) for m in found.mistakes] == [("left", "top")]


def test_training_photos_prove_nothing(put, evaluate, tiny_graph, tiny_card, tmp_path):
    """Found by their digests, whatever they are called, and left out; what is left is counted."""
    trained = put("left-1", "left/renamed.png", 1)
    put("left-1", "left/new.png", 2)
    digest = hashlib.sha256(trained.read_bytes()).hexdigest()
    card = tiny_card.model_copy(update={"training": tiny_card.training.model_copy(update={"digests": (digest,)})})
    model = tmp_path / "seen.onnx"
    write(model, tiny_graph, card)
    found = peephole.evaluate(peephole.load(model), tmp_path / "photos")
    assert (found.seen, found.photos) == (1, 1)
    assert evaluate().seen == 0
    (tmp_path / "photos" / "left" / "new.png").unlink()
    with pytest.raises(DataError, match="1 photo was trained on"):
        peephole.evaluate(peephole.load(model), tmp_path / "photos")


def test_a_refused_file_is_counted(put, evaluate, tmp_path):
    """It ends as refused, not as forgotten."""
    put("left-1", "left/a.png", 1)
    (tmp_path / "photos" / "left" / "text.jpg").write_text("no photo")
    put("left-1", "left/again.png", 1)
    put("left-1", "unknown/eve/2.png", 2)
    found = evaluate()
    assert (found.photos, found.duplicates, found.refused) == (2, 1, 1)
    assert str(found).splitlines()[0] == (
        "2 photos that the model has not learned from; 1 exact duplicate counted once; 1 file refused; 4 files in all"
    )
    assert "refused: left/text.jpg: " in str(found)
    console = Console(file=io.StringIO(), width=100)
    evaluation(found, console)
    assert re.search(r"│ stranger +│ +1 +│ +· +│ +0 +│", console.file.getvalue())


def test_copies_count_once(put, evaluate):
    """A re-save of a photo is not a second piece of evidence."""
    path = put("left-1", "left/a.png", 1)
    with Image.open(path) as image:
        image.save(path.with_name("again.bmp"))
    put("top-1", "top/b.png", 2)
    assert evaluate().accuracy.n == 2


def test_nothing_to_evaluate_on(tmp_path, evaluate):
    """No folder, and an empty one."""
    with pytest.raises(MissingInput):
        evaluate()
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError):
        evaluate()


def test_strangers_alone_have_no_accuracy(put, evaluate):
    """Without a labelled photo there is no accuracy to speak of, and none is invented."""
    put("stranger", "unknown/x/1.png", 1)
    found = evaluate()
    assert found.accuracy is None and "false reject" not in claims(found)


def test_whoever_watches_hears_the_end(put, evaluate):
    """Progress reaches its total."""
    for seed in (1, 2, 3):
        put("left-1", f"left/{seed}.png", seed)
    heard = []
    evaluate(progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (3, 3)


def test_an_evaluation_shows_itself(put, evaluate):
    """One line as repr, sentences as str, a table in a notebook; names that look like HTML are text there."""
    put("left-1", "left/a.png", 1)
    put("left-1", "unknown/<b>eve/2.png", 2)
    found = evaluate()
    assert repr(found) == "<Evaluation on 2 photos, accuracy 100.0% of 1, false accept 1 of 1 stranger, false reject 0 of 1 photo>"
    assert str(found).splitlines()[0] == "2 photos that the model has not learned from" and "let in by mistake: unknown/<b>eve/2.png" in str(found)
    shown = found._repr_html_()
    assert "&lt;b&gt;eve" in shown and "<b>eve" not in shown and "<td>1</td>" in shown
