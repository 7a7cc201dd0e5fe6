"""peephole train: options, output, and a Ctrl-C that loses nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from PIL import Image

from drawings import folder
from peephole.base.modelfile import read
from peephole.cli.show import card_lines
from peephole.decide import nothing
from peephole.export import build as building
from peephole.train import learner, loop
from peephole.train.calibrate import MADE_SHARE, line_for

SMALL = ("--network", "plain", "--filters", "4", "--hidden", "12", "--threads", "1", "--steps", "40")


@pytest.fixture
def photos(tmp_path):
    """Six X, six O, three strangers."""
    return folder(tmp_path / "photos", 6, strangers="=IL")


def test_it_says_what_came_out(peep, photos, tmp_path):
    """The file, its size, the evidence with units and bounds, the threshold and its origin, parity, what to do next; no traceback, no 0 %."""
    said = peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL)
    assert said.code == 0
    for part in ("xo.onnx", "2 labels", "false accept: ", "of 3 strangers", "clopper-pearson", "threshold: ", "parity: 0 of", "peephole predict"):
        assert part in said.out, part
    assert "plain (4 filters of 3x3" in said.err and "40 steps" in said.err


def test_an_empty_frame_that_is_somebody_is_told(peep, photos, tmp_path, monkeypatch):
    """Here, after training, and not only where a gate refuses the file: a photo that it knows stands for the empty frame."""
    known = np.asarray(Image.open(sorted((photos / "X").iterdir())[0]).convert("RGB"))
    monkeypatch.setattr(nothing, "plain", lambda: (("grey", known),))
    said = peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL)
    assert "the model takes an empty grey frame for X: at a gate" in said.out and "one for each picture" in said.out
    monkeypatch.setattr(nothing, "plain", tuple)
    assert "takes an empty" not in peep("train", photos, "-o", tmp_path / "xo2.onnx", *SMALL).out


def test_the_card_as_json(peep, photos, tmp_path):
    """Nothing but JSON on stdout, and it is the card of the file."""
    said = peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL, "--json")
    assert json.loads(said.out) == read(tmp_path / "xo.onnx").card.model_dump(mode="json")


def test_every_option_arrives(peep, photos, tmp_path):
    """What was typed stands in the card's recipe."""
    words = "--network plain --threads 1 --filters 3,5 --kernel 5 --stride 2 --padding valid --pool 1 --hidden 7 --keep-prob 0.5 --norm batch"
    words += " --learning-rate 0.01 --label-smoothing 0.2 --weight-decay 0.1 --batch 8 --steps 6 --shift 0.1"
    words += " --scale 0.2 --rotate 5 --colour 0.3 --noise 4 --flip --vary scratch=2 --seed 3 --size 20x24 --false-accept 0.05 --stranger-unit kind"
    words += " --region 0.1,0.2,0.7,0.6"
    said = peep("train", photos, "-o", tmp_path / "xo.onnx", "--json", *words.split())
    assert said.code == 0, said.err
    card = json.loads(said.out)
    recipe = card["training"]["recipe"]
    assert recipe["plain"] == {
        **{"filters": [3, 5], "kernel": 5, "stride": 2, "padding": "valid", "pool": 1, "hidden": 7, "keep_prob": 0.5, "norm": "batch"},
    }
    varied = {name: amount for name, amount in recipe["augment"].items() if amount}
    bent = {"shear": 10, "elastic": 0.05, "thickness": 0.03}  # what the recipe derives and no option named
    assert varied == {"shift": 0.1, "scale": 0.2, "rotate": 5.0, "colour": 0.3, "noise": 4.0, "flip": True, "scratch": 2.0} | bent
    wanted = {"learning_rate": 0.01, "label_smoothing": 0.2, "weight_decay": 0.1, "batch": 8, "steps": 6, "seed": 3, "height": 20, "width": 24}
    assert {name: recipe[name] for name in wanted} == wanted
    assert card["unknown"]["false_accept"] == 0.05 and card["evidence"][0]["unit"] == "kind"
    assert card["input"]["region"] == {"how": "rectangle", "box": [0.1, 0.2, 0.7, 0.6]}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--network", "plane"), ("did you mean 'plain'?", "--network")),
        (("--fit", "tune"), ("no fit 'tune'", "--fit")),
        (("--filters", "32,abc"), ("--filters takes whole numbers", "--filters 32,64,128")),
        (("--filters", ""), ("--filters takes whole numbers", "--filters 32,64,128")),
        (("--filters", "0"), ("filters takes 1 to 8 stages", "--help")),
        (("--size", "big"), ("--size takes whole numbers", "--size 28")),
        (("--size", "10x20x30"), ("size", "--size")),
        (("--size", "4"), ("size is", "--size 32")),
        (("--region", "1,2,3"), ("--region takes", "--region 0.25")),
        (("--region", "0.5,0,0.6,1"), ("--region takes", "--region 0.25")),
        (("--region", "nan,0,1,1"), ("--region takes", "--region 0.25")),
        (("--keep-prob", "0"), ("keep-prob", "--help")),
        (("--seconds", "0"), ("seconds is between", "--seconds 30")),
        (("--seconds", "nan"), ("seconds is between", "--seconds 30")),
        (("--steps", "0"), ("steps is between", "--steps 500")),
        (("--learning-rate", "0"), ("learning-rate", "--learning-rate 0.003")),
        (("--batch", "0"), ("batch is between", "--batch 128")),
        (("--norm", "batch", "--batch", "1"), ("batch norm needs", "--batch 16")),
        (("--shift", "0.9"), ("shift is between", "--shift")),
        (("--vary", "scratch=99"), ("scratch is between 0 and 20", "--vary scratch=5")),
        (("--vary", "scrach=1"), ("did you mean 'scratch'", "dust")),
        (("--vary", "scratch"), ("a name and a number", "--vary scratch=3")),
        (("--false-accept", "0"), ("false-accept is between", "--false-accept 0.01")),
        (("--false-accept", "nan"), ("false-accept is between", "--false-accept 0.01")),
        (("--stranger-unit", "visit"), ("stranger-unit is stranger or kind", "--stranger-unit stranger")),
        (("--kernel", "9", "--padding", "valid", "--size", "8"), ("nothing left to look at", "--padding same")),
        (("--resume",), ("no checkpoint", "leave --resume out")),
    ],
    ids=lambda value: value[-1],
)
def test_options_that_cannot_be(refused, photos, tmp_path, words, expected):
    """A sentence with the range and a hint with a working option; nothing is written."""
    said = refused("train", photos, "-o", tmp_path / "xo.onnx", *SMALL, *words)
    assert expected[0] in said.error and expected[1] in said.hint
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_stop_by_signal_in_this_process(peep, photos, tmp_path, monkeypatch):
    """SIGTERM, as a service manager sends it, keeps the checkpoint as Ctrl-C does; --resume gives the file of an undisturbed training."""
    assert peep("train", photos, "-o", tmp_path / "whole.onnx", *SMALL).code == 0
    honest, calls = loop.cross_entropy, []

    def pressed(*args, **kwargs):
        calls.append(1)
        if len(calls) == 15:
            signal.raise_signal(signal.SIGTERM)
        return honest(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "cross_entropy", pressed)
        said = peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL)
    assert said.code == 1 and "stopped after 15 of 40 steps; a checkpoint was kept" in said.error and "--resume" in said.hint
    assert (tmp_path / "xo.checkpoint").exists() and not (tmp_path / "xo.onnx").exists()
    assert peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL, "--resume").code == 0
    assert not (tmp_path / "xo.checkpoint").exists()
    assert (tmp_path / "xo.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()


def test_ctrl_c_before_training(peep, photos, tmp_path, monkeypatch):
    """While photos are read there is nothing to keep: it ends at once, without a traceback and without a promise."""

    def pressed(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "load", pressed)
    said = peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL)
    assert said.code in (1, 130) and "--resume" not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


PRESSED = """
    import pathlib, sys, time
    from peephole.cli.main import main
    from peephole.train import loop

    here, honest = pathlib.Path(sys.argv.pop(1)), loop._learn

    def told(*args):
        if args[-1] == 12:
            (here / "learning").touch()
            while not (here / "go on").exists():
                time.sleep(0.01)
        return honest(*args)

    loop._learn = told
    main()
"""


def test_ctrl_c_in_a_process_of_its_own(peep, photos, tmp_path):
    """A real SIGINT in the middle of a step: exit code 1, the hint says --resume, the checkpoint is kept; resuming removes it."""
    words = [sys.executable, "-c", textwrap.dedent(PRESSED), str(tmp_path), "train", str(photos), "-o", str(tmp_path / "xo.onnx"), *SMALL]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 90
        while not (tmp_path / "learning").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.1)
        (tmp_path / "go on").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "error: training was stopped after 13 of 40 steps; a checkpoint was kept" in err and "--resume" in err
    assert "Traceback" not in err and not out
    assert (tmp_path / "xo.checkpoint").exists() and not (tmp_path / "xo.onnx").exists()
    assert peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL, "--resume").code == 0
    assert read(tmp_path / "xo.onnx").card.training.recipe["steps"] == 40
    assert not (tmp_path / "xo.checkpoint").exists()


def test_a_training_says_what_was_asked_and_what_was_spent(peep, photos, tmp_path, monkeypatch):
    """One second asked: the least is told before, the seconds spent after, copies are counted, and the file answers."""
    shutil.copy(photos / "X" / "X1.png", photos / "X" / "copy.png")
    monkeypatch.setattr(learner, "steps_in", lambda seconds, *_: 60 if seconds < 99 else 9500)
    said = peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL[:-2], "--seconds", "1")
    assert said.code == 0 and "--seconds 1 is below the least, about 1.2 s here: 60 steps of 10 ms" in said.err
    assert re.search(r"trained in [\d.]+ s, \d+ s in all \(asked: 1 s\)", said.out)
    assert "trained on: 12 photos of 12 originals; 1 exact duplicate counted once" in said.out
    assert peep("predict", tmp_path / "xo.onnx", photos / "X" / "X1.png").code == 0


@pytest.fixture
def tight(tmp_path):
    """A disk of one megabyte; skipped where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False).returncode == 0
    if not mounted:
        pytest.skip("a small disk cannot be mounted here (root may)")
    yield place
    subprocess.run(["umount", str(place)], check=False, capture_output=True)


def test_a_full_disk_does_not_take_the_training_with_it(peep, photos, tight):
    """No room for the checkpoint but for the model file: told, and it comes out; a stop then says that its state is lost."""
    (tight / "other").write_bytes(bytes(1_000_000))
    said = peep("train", photos, "-o", tight / "xo.onnx", *SMALL)
    assert said.code == 0 and "No space left on device; the training goes on" in said.err
    assert sorted(path.name for path in tight.iterdir()) == ["other", "xo.onnx"]


def test_a_stop_on_a_full_disk_promises_nothing(refused, photos, tight, monkeypatch):
    """The state could not be kept, and that is what is said."""
    (tight / "other").write_bytes(bytes(1_000_000))
    honest, calls = loop.cross_entropy, []

    def pressed(*args, **kwargs):
        calls.append(1)
        if len(calls) == 15:
            signal.raise_signal(signal.SIGINT)
        return honest(*args, **kwargs)

    monkeypatch.setattr(loop, "cross_entropy", pressed)
    said = refused("train", photos, "-o", tight / "xo.onnx", *SMALL)
    assert "its state could not be kept" in said.error and "No space left" in said.error and "--resume" not in said.hint


@pytest.mark.parametrize("most", [0.45, 0.8])
def test_two_numbers_about_strangers_are_told_apart(tiny_card, most):
    """Where invented characters drew the line it is said that theirs is another number than --false-accept; elsewhere nothing is."""
    genuine = np.linspace(0.3, 0.9, 20)
    line = line_for(genuine, None, np.empty(0), 0.01, made=np.linspace(-0.5, most, 1000))
    lines = card_lines(tiny_card.model_copy(update={"unknown": tiny_card.unknown.model_copy(update={"how": line.how, "false_accept": 0.02})}))
    at = next(number for number, told in enumerate(lines) if told.startswith("threshold: "))
    assert f"of these 1 in {1 / MADE_SHARE:g} may pass" in lines[at + 1] and "--false-accept 0.02 is another number" in lines[at + 1]
    assert not any("another number" in told for told in card_lines(tiny_card))
