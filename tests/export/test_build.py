"""From a folder of photos to a model file: refused early, written whole or not at all, the same bytes every time."""

import shutil
import signal
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import peephole
from drawings import draw, folder, save
from peephole.base.errors import DataError, InputError, NotANumber, OutputError, ParityError, SettingsError, TrainingStopped
from peephole.base.modelfile import read
from peephole.base.watch import Watcher
from peephole.export import build as building
from peephole.export.build import Strangers, build
from peephole.nets.cnn import Plain
from peephole.nets.deep import Deep
from peephole.train import crossfit, learner, loop
from peephole.train.recipe import Options

SMALL = Plain(filters=(4,), hidden=12)


def options(steps=20, **more):
    """Return options for a training of a second."""
    return Options(**{"network": "plain", "steps": steps, "threads": 1, "plain": SMALL} | more)


class Heard(Watcher):
    """Remembers the stages and what was said; `at` names a stage that is answered with Ctrl-C."""

    def __init__(self, at=None):
        """Hear everything."""
        self.stages, self.words, self.at = [], [], at

    def stage(self, text):
        """Note a stage."""
        self.stages.append(text)
        if self.at and self.at in text:
            raise KeyboardInterrupt

    def said(self, text):
        """Note a sentence."""
        self.words.append(text)


@pytest.fixture
def photos(tmp_path):
    """Six X, six O and two photos of each of three strangers."""
    return folder(tmp_path / "photos", 6, strangers="=IL")


def test_the_card_says_what_happened(photos, tmp_path):
    """Labels, counts, recipe, seed, parity, evidence with its unit, layers: read back from the file as built."""
    built = build(photos, tmp_path / "xo.onnx", options(seed=5))
    card = built.model.card
    assert read(tmp_path / "xo.onnx").card == card
    assert card.labels == ("O", "X") and card.training.examples == {"O": 6, "X": 6}
    assert card.training.strangers == {"sign =": 2, "sign I": 2, "sign L": 2}
    assert card.training.seed == 5 and card.training.recipe["steps"] == 20 == built.recipe.steps
    assert "20 steps of 64" in card.training.sentence
    assert card.input.shape == ("N", 16, 16, 1) and card.input.colour == "grey"
    assert card.parity.changed_decisions == 0 and card.parity.n == 18 and card.parity.max_difference < 1e-3
    accept, reject = card.evidence
    assert (accept.claim, accept.unit, accept.trials, accept.role) == ("false accept", "stranger", 3, "proof")
    assert (reject.claim, reject.unit, reject.role) == ("false reject", "photo", "estimate")
    assert card.scores["held_out"].role == "estimate"
    assert [layer.name for layer in card.layers if layer.parameters] == ["conv1", "dense1", "logits"]
    assert len(card.unknown.known_ids) == 12 and all(name.split("/")[0] in "XO" for name in card.unknown.known_ids)
    assert set(card.software) == {"peephole", "python", "torch", "onnxruntime", "onnx"}
    assert not list(tmp_path.glob("*.checkpoint")) and not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_same_seed_same_bytes(photos, tmp_path):
    """Same photos, seed and steps: the same file to the last byte, wherever photos and file lie; another seed, another file."""
    one = build(photos, tmp_path / "one.onnx", options()).model
    moved = shutil.copytree(photos, tmp_path / "elsewhere" / "copy")
    two = build(moved, tmp_path / "elsewhere" / "two.onnx", options()).model
    assert one.sha256 == two.sha256
    assert build(photos, tmp_path / "three.onnx", options(seed=8)).model.sha256 != one.sha256


def test_no_path_of_this_machine_is_in_the_file(photos, tmp_path):
    """Neither the folder of the photos nor that of the program."""
    data = build(photos, tmp_path / "xo.onnx", options()).model.data
    for part in (str(tmp_path), str(photos), str(Path.home()), "site-packages"):
        assert part.encode() not in data


def test_kinds_are_kinds(photos, tmp_path):
    """What a sub-folder of unknown/ is, is said by whoever trains."""
    card = build(photos, tmp_path / "xo.onnx", options(), strangers=Strangers(0.05, "kind")).model.card
    assert card.evidence[0].unit == "kind" and card.unknown.false_accept == 0.05


def test_enough_examples_are_proof(tmp_path):
    """From 20 of each label a part is kept aside; neither it nor the strangers who prove are among the digests, all others are."""
    root = folder(tmp_path / "photos", 40, strangers="=I")
    built = build(root, tmp_path / "xo.onnx", options(steps=12))
    card = built.model.card
    if card.scores["held_out"].role != "proof":
        pytest.fail(f"drawings were taken for copies of each other: {card.training.sources} sources")
    held = card.scores["held_out"].n
    # 70 % train and 15 % choose: with the training photos alone it would be 56.
    assert held >= 4 and 60 < len(card.training.digests) < 80
    found = peephole.evaluate(peephole.load(built.path), root)
    assert found.seen == len(card.training.digests), "what chose the weights or the line is no proof afterwards"
    assert found.accuracy.n == held


def test_a_test_folder_without_val_works(tmp_path):
    """train/ and test/ with a few photos each: test proves, and the line comes from folds of train."""
    folder(tmp_path / "photos" / "train", 5)
    folder(tmp_path / "photos" / "test", 3, start=50)
    card = build(tmp_path / "photos", tmp_path / "xo.onnx", options()).model.card
    assert card.scores["held_out"].role == "proof" and card.scores["held_out"].n == 6
    assert card.training.examples == {"O": 5, "X": 5} and len(card.training.digests) == 10


def test_three_labels_are_held_out_in_turn(tmp_path):
    """Without strangers and with three labels, the line comes from labels held out in turn; with two, nothing is promised."""
    three = build(folder(tmp_path / "three", 6, signs="XO="), tmp_path / "3.onnx", options()).model.card
    assert "3 labels held out in turn" in three.unknown.how
    two = build(folder(tmp_path / "two", 6), tmp_path / "2.onnx", options()).model.card
    assert "no stranger was there" in two.unknown.how and not any(e.claim == "false accept" for e in two.evidence)


def test_batch_norm_and_an_uneven_kernel(photos, tmp_path):
    """The other numbers of the plain network, through to the file: no batch norm is left in it."""
    plan = Plain(filters=(4, 4), kernel=2, hidden=8, norm="batch", keep_prob=1.0)
    card = build(photos, tmp_path / "xo.onnx", options(plain=plan)).model.card
    names = [layer.name for layer in card.layers]
    assert "pad1" in names and not any("norm" in name and not name.startswith("normalise") for name in names)


def test_a_picture_that_is_not_square(tmp_path):
    """224x244 in colour, trained, exported and asked."""
    for sign in "XO":
        for seed in range(3):
            save(np.repeat(draw(sign, seed, 244)[:224, :, None], 3, 2), tmp_path / "photos" / sign / f"{seed}.png")
    card = build(tmp_path / "photos", tmp_path / "xo.onnx", options(steps=3, size=(224, 244), batch=6)).model.card
    assert card.input.shape == ("N", 224, 244, 1)
    assert "shrink" in [layer.name for layer in card.layers] or max(layer.parameters for layer in card.layers) < 5_100_000
    assert peephole.load(tmp_path / "xo.onnx").predict(tmp_path / "photos" / "X" / "0.png").ranking


@pytest.mark.parametrize("place", ["file/door.onnx", "file/deep/door.onnx", "folder", "door.checkpoint", "/proc/none/door.onnx"])
def test_a_place_that_cannot_be_written_is_refused_first(photos, tmp_path, place):
    """Before a single photo is read: below a file, a folder itself, the checkpoint's own name."""
    (tmp_path / "file").write_text("a plain file")
    (tmp_path / "folder").mkdir()
    heard = Heard()
    with pytest.raises(OutputError) as refused:
        build(photos, tmp_path / place, options(), watch=heard)
    assert heard.stages == [] and ".probe" not in str(refused.value) and "-o" in refused.value.hint
    assert (tmp_path / "file").read_text() == "a plain file"


def test_a_difference_writes_nothing(photos, tmp_path, monkeypatch):
    """A graph that would answer differently ends in ParityError; an older model file stays as it was."""
    (tmp_path / "xo.onnx").write_bytes(b"the old one")
    honest = building.to_onnx

    def planted(*args):
        graph = honest(*args)
        weight = next(w for w in graph.graph.initializer if w.name == "logits.bias")
        weight.raw_data = (np.frombuffer(weight.raw_data, np.float32) + np.float32([0.5, 0])).tobytes()
        return graph

    monkeypatch.setattr(building, "to_onnx", planted)
    with pytest.raises(ParityError):
        build(photos, tmp_path / "xo.onnx", options())
    assert (tmp_path / "xo.onnx").read_bytes() == b"the old one"


def test_a_loss_that_is_no_number_writes_nothing(photos, tmp_path, monkeypatch):
    """NotANumber from the loop: no model file, and what the loop had kept is no success either."""
    honest = loop.cross_entropy
    monkeypatch.setattr(loop, "cross_entropy", lambda *args, **kwargs: honest(*args, **kwargs) * float("nan"))
    with pytest.raises(NotANumber, match="the loss became nan") as stopped:
        build(photos, tmp_path / "xo.onnx", options())
    assert "--learning-rate" in stopped.value.hint
    assert not (tmp_path / "xo.onnx").exists()


def interrupt(monkeypatch, module, name, call=1):
    """Press Ctrl-C at the `call`-th call of a function."""
    honest, calls = getattr(module, name), []

    def pressed(*args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            signal.raise_signal(signal.SIGINT)
        return honest(*args, **kwargs)

    monkeypatch.setattr(module, name, pressed)


@pytest.mark.parametrize(
    "where",
    [(loop, "cross_entropy", 7), (crossfit, "score", 2), (building, "to_onnx", 1), (building, "prove", 1)],
    ids=["training", "holding out", "exporting", "proving"],
)
def test_a_stop_anywhere_can_be_resumed(photos, tmp_path, monkeypatch, where):
    """In the loop, while holding out, while exporting: a checkpoint is kept, the hint says --resume, the file comes out as without a stop."""
    whole = build(photos, tmp_path / "whole.onnx", options()).model
    with monkeypatch.context() as patch:
        interrupt(patch, *where)
        with pytest.raises(TrainingStopped) as stopped:
            build(photos, tmp_path / "xo.onnx", options())
    assert "--resume" in stopped.value.hint and "xo.checkpoint" in stopped.value.hint
    assert (tmp_path / "xo.checkpoint").exists() and not (tmp_path / "xo.onnx").exists()
    resumed = build(photos, tmp_path / "xo.onnx", options(), resume=True).model
    assert resumed.sha256 == whole.sha256
    assert not (tmp_path / "xo.checkpoint").exists()


def test_a_stop_before_training_promises_nothing(photos, tmp_path, monkeypatch):
    """No checkpoint, so none is spoken of."""
    interrupt(monkeypatch, building, "learner_for")
    with pytest.raises(TrainingStopped) as stopped:
        build(photos, tmp_path / "xo.onnx", options())
    assert "--resume" not in stopped.value.hint


def test_a_checkpoint_of_other_photos_is_refused(photos, tmp_path, monkeypatch):
    """One more photo, and the state no longer belongs to it; nothing is written."""
    with monkeypatch.context() as patch:
        interrupt(patch, loop, "cross_entropy", 5)
        with pytest.raises(TrainingStopped):
            build(photos, tmp_path / "xo.onnx", options())
    save(draw("X", 99), photos / "X" / "X99.png")
    with pytest.raises(InputError, match="belongs to other photos"):
        build(photos, tmp_path / "xo.onnx", options(), resume=True)
    assert not (tmp_path / "xo.onnx").exists()


def test_bad_plans_are_refused_in_time(photos, tmp_path):
    """Kernels larger than the map that is left: refused with a hint, nothing written."""
    with pytest.raises(SettingsError, match="nothing left to look at"):
        build(photos, tmp_path / "xo.onnx", options(plain=Plain(filters=(4, 4, 4), kernel=7, padding="valid")))
    assert not (tmp_path / "xo.onnx").exists()


def test_copies_only_are_refused(tmp_path):
    """Two copies of one photo are one photo."""
    root = folder(tmp_path / "photos", 4)
    for at in (1, 2, 3):
        shutil.copy(root / "X" / "X0.png", root / "X" / f"X{at}.png")
    with pytest.raises(DataError, match="X"):
        build(root, tmp_path / "xo.onnx", options())


def test_whoever_watches_hears_the_story(photos, tmp_path):
    """Stages in order, the recipe as a sentence, and what was refused with its reason."""
    (photos / "X" / "text.jpg").write_text("no photo")
    heard = Heard()
    build(photos, tmp_path / "xo.onnx", options(), watch=heard)
    assert [stage.split()[0] for stage in heard.stages][:3] == ["looking", "reading", "training"]
    assert any(text.startswith("plain (4 filters") for text in heard.words)
    assert any("refused: X/text.jpg" in text for text in heard.words)


def slow(monkeypatch, steps=loop.LEAST_STEPS):
    """Make the clock say that only the least number of steps fits, at half a second each; return the recorded lengths of all trainings."""
    lengths, honest = [], learner.fit

    def noted(network, examples, recipe, *args, **kwargs):
        lengths.append(recipe.steps)
        return honest(network, examples, recipe, *args, **kwargs)

    monkeypatch.setattr(learner, "fit", noted)
    monkeypatch.setattr(learner, "steps_in", lambda seconds, *_: steps if seconds < 99 else 190)
    return lengths


def test_too_few_seconds_are_told_first_and_held_out_in_fewer_parts(photos, tmp_path, monkeypatch):
    """Before training: what the least is and why; then 2 folds of 30 steps instead of 5, and a file that answers."""
    lengths, heard = slow(monkeypatch), Heard()
    built = build(photos, tmp_path / "xo.onnx", options(steps=None, seconds=1.0), watch=heard)
    (told,) = (word for word in heard.words if "below the least" in word)
    assert told.startswith("--seconds 1 is below the least, about 60 s here: 60 steps of 500 ms to train and 30 for each of 2 parts")
    assert lengths == [60, 30, 30]
    assert built.model.card.scores["held_out"].n == 12 and peephole.load(built.path).predict(photos / "X" / "X1.png").ranking


def test_enough_seconds_say_nothing(photos, tmp_path, monkeypatch):
    """With more steps than the least: five folds, no warning."""
    lengths, heard = slow(monkeypatch, 61), Heard()
    build(photos, tmp_path / "xo.onnx", options(steps=None, seconds=1.0), watch=heard)
    assert not any("least" in word for word in heard.words) and len(lengths) == 6


def test_three_labels_in_a_hurry(tmp_path, monkeypatch):
    """Labels are still held out in turn: with three, each is."""
    lengths = slow(monkeypatch)
    card = build(folder(tmp_path / "three", 4, signs="XO="), tmp_path / "3.onnx", options(steps=None, seconds=0.5)).model.card
    assert lengths == [60, 30, 30, 30, 30, 30] and "3 labels held out in turn" in card.unknown.how


def test_frozen_features_of_fewer_views(photos, tmp_path):
    """Half a second is too little for 18 photos: one view of each, and it is said before; the card names the views that were taken."""
    heard = Heard()
    card = build(photos, tmp_path / "xo.onnx", Options(network="lite0", seconds=0.5, size=(32, 32)), watch=heard).model.card
    if card.training.recipe["views"] < 8:
        assert any("varied view" in word and "instead of 8" in word for word in heard.words)
    assert f"on {card.training.recipe['views']} views" in card.training.sentence


@pytest.fixture
def walls(tmp_path):
    """Two people, five photos of each, everybody before a wall of their own."""
    for person, wall in (("ana", (40, 90, 200)), ("junho", (200, 120, 30))):
        for number in range(5):
            rng = np.random.default_rng([number, wall[0]])
            picture = np.clip(np.array(wall) + rng.normal(0, 12, (48, 48, 3)), 0, 255)
            picture[12:36, 12:36] = np.clip(rng.normal(128, 60, (24, 24, 1)), 0, 255)
            save(picture.astype(np.uint8), tmp_path / "walls" / person / f"{number}.png")
    return tmp_path / "walls"


def test_telling_walls_are_exchanged_while_training(walls, tmp_path):
    """Frozen features of the whole frame: by itself, said in the recipe and the card; asked for, not, with another strength, or not at all."""
    frozen = {"network": "lite0", "fit": "frozen", "size": (32, 32), "threads": 1}
    heard = Heard()
    card = build(walls, tmp_path / "a.onnx", Options(**frozen), watch=heard).model.card
    assert card.training.recipe["augment"]["background"] == 1.0 and "another background behind 100 %" in card.training.sentence
    assert any("looking for the subjects" in stage for stage in heard.stages) and any("--vary background=1" in word for word in heard.words)
    for strength in (0.0, 0.5):
        heard = Heard()
        card = build(walls, tmp_path / "b.onnx", Options(**frozen, vary={"background": strength}), watch=heard).model.card
        assert card.training.recipe["augment"]["background"] == strength
        assert any("looking for the subjects" in stage for stage in heard.stages) == (strength > 0)
    assert build(walls, tmp_path / "c.onnx", options()).model.card.training.recipe["augment"]["background"] == 0
    asked = build(walls, tmp_path / "d.onnx", options(vary={"background": 0.5})).model.card
    assert "another background behind 50 %" in asked.training.sentence


def stopped(monkeypatch, photos, path, **more):
    """Leave a checkpoint at step 7."""
    with monkeypatch.context() as patch:
        interrupt(patch, loop, "cross_entropy", 7)
        with pytest.raises(TrainingStopped):
            build(photos, path, options(**more))


def test_other_steps_cannot_be_resumed(photos, tmp_path, monkeypatch):
    """The reason, both numbers and both ways on; the same steps, or none, go on and say from where."""
    stopped(monkeypatch, photos, tmp_path / "xo.onnx")
    with pytest.raises(InputError, match="stands at step 7 of 20, and --steps says 30") as refused:
        build(photos, tmp_path / "xo.onnx", options(steps=30), resume=True)
    assert "--steps 20 --resume" in refused.value.hint and (tmp_path / "xo.checkpoint").exists()
    heard = Heard()
    built = build(photos, tmp_path / "xo.onnx", options(steps=None, seconds=50), resume=True, watch=heard)
    assert built.recipe.steps == 20 and any("resuming from step 7 of 20" in word and "--seconds changes nothing" in word for word in heard.words)


def test_another_option_is_named(photos, tmp_path, monkeypatch):
    """What differs is said by name and value."""
    stopped(monkeypatch, photos, tmp_path / "xo.onnx")
    with pytest.raises(InputError, match=r"another recipe \(learning rate was 0\.003 and is 0\.01\)"):
        build(photos, tmp_path / "xo.onnx", options(learning_rate=0.01), resume=True)
    save(draw("X", 99), photos / "X" / "X99.png")
    with pytest.raises(InputError, match="the set of photos was 18 with digest"):
        build(photos, tmp_path / "xo.onnx", options(), resume=True)


def test_what_a_member_costs_is_told(photos, tmp_path):
    """A number that leaves the practised network says so before the training."""
    heard = Heard()
    build(photos, tmp_path / "xo.onnx", Options(steps=2, members=2, plain=SMALL, threads=1), watch=heard)
    assert any(word.startswith("plain, not strokes: --steps, --members, --filters, --hidden belong") for word in heard.words)


def test_what_differs_inside_a_network_is_told_in_words(photos, tmp_path, monkeypatch):
    """One number of the network or of the augmentation, not all of them; a number of a network that is not trained changes nothing."""
    stopped(monkeypatch, photos, tmp_path / "xo.onnx")
    with pytest.raises(InputError, match=r"another recipe \(filters of plain was 4 and is 4,8; rotate of the augmentation was [0-9.]+ and is 3\)"):
        build(photos, tmp_path / "xo.onnx", options(plain=Plain(filters=(4, 8), hidden=12), vary={"rotate": 3}), resume=True)
    deep = {"network": "resnet", "deep": Deep(width=8, depth=1)}
    stopped(monkeypatch, photos, tmp_path / "deep.onnx", **deep)
    heard = Heard()
    build(photos, tmp_path / "deep.onnx", options(**deep, plain=Plain(filters=(4, 8))), resume=True, watch=heard)
    assert any("resuming from step 7 of 20" in word for word in heard.words)


def test_a_checkpoint_that_is_not_resumed_is_told(photos, tmp_path, monkeypatch):
    """Starting anew beside a checkpoint of the same training says that --resume would have gone on."""
    stopped(monkeypatch, photos, tmp_path / "xo.onnx")
    heard = Heard()
    build(photos, tmp_path / "xo.onnx", options(), watch=heard)
    assert any("stands at step 7 of 20 of this training; it starts anew" in word for word in heard.words)


@pytest.mark.parametrize(
    "other", [{"learning_rate": 0.01}, {"network": "lite0", "steps": None, "size": (32, 32)}], ids=["another recipe", "frozen features"]
)
def test_a_stale_checkpoint_promises_nothing(photos, tmp_path, monkeypatch, other):
    """One of another training lies there when this one is stopped at the end: it cannot go on from that, and does not say so."""
    stopped(monkeypatch, photos, tmp_path / "xo.onnx")
    with monkeypatch.context() as patch:
        interrupt(patch, building, "learner_for")
        with pytest.raises(TrainingStopped) as told:
            build(photos, tmp_path / "xo.onnx", options(**other))
    assert "--resume" not in told.value.hint


def test_an_earlier_checkpoint_of_the_same_training_is_promised(photos, tmp_path, monkeypatch):
    """Stopped again before the first step: the one at step 7 still stands, and no more than that is said."""
    stopped(monkeypatch, photos, tmp_path / "xo.onnx")
    with monkeypatch.context() as patch:
        interrupt(patch, building, "learner_for")
        with pytest.raises(TrainingStopped) as told:
            build(photos, tmp_path / "xo.onnx", options())
    assert told.value.hint.startswith("step 7 of 20 is kept: the same command with --resume")


def test_copies_are_counted_and_never_pass_for_new(photos, tmp_path):
    """Two exact duplicates, one of other bytes: their count and their digests stand on the card, so neither proves anything later."""
    copy = tmp_path / "new" / "X"
    copy.mkdir(parents=True)
    with Image.open(photos / "X" / "X0.png") as image:
        image.save(photos / "X" / "re-saved.png", compress_level=1)
    shutil.copy(photos / "X" / "X1.png", photos / "X" / "copy.png")
    card = build(photos, tmp_path / "xo.onnx", options()).model.card
    assert card.training.duplicates_dropped == 2 and card.training.examples == {"O": 6, "X": 6}
    files = [*(photos / "X").iterdir(), *(photos / "O").iterdir()]
    assert card.training.digests == tuple(sorted({sha256(path.read_bytes()).hexdigest() for path in files}))
    for name in ("re-saved.png", "X0.png", "copy.png"):
        shutil.copy(photos / "X" / name, copy)
    with pytest.raises(DataError, match="2 photos were trained on"):
        peephole.evaluate(tmp_path / "xo.onnx", tmp_path / "new")


@pytest.mark.parametrize(
    ("name", "better"), [("door.txt", "door.onnx"), ("door", "door.onnx"), ("door.v2", "door.v2.onnx"), ("door.ONNX", "door.onnx")]
)
def test_a_model_file_ends_in_onnx(photos, tmp_path, name, better):
    """Any other name is refused before a photo is read, with the name that will do."""
    heard = Heard()
    with pytest.raises(OutputError, match=r"which ends in \.onnx") as refused:
        build(photos, tmp_path / name, options(), watch=heard)
    assert refused.value.hint == f"-o {tmp_path / better}" and not heard.stages and not (tmp_path / name).exists()


def test_a_new_folder_is_told(photos, tmp_path):
    """A folder that was not there is made, and that is said; one that was there is not spoken of."""
    heard = Heard()
    build(photos, tmp_path / "deep" / "new" / "xo.onnx", options(), watch=heard)
    build(photos, tmp_path / "deep" / "new" / "ox.onnx", options(), watch=heard)
    assert [word for word in heard.words if "was made" in word] == [f"the folder {tmp_path / 'deep' / 'new'} was made for xo.onnx"]
