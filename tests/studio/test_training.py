"""A training that was asked for on the page: every field is looked at, and the words of its command have no shell between."""

import math
from dataclasses import asdict
from pathlib import Path

import pytest

from peephole.base.errors import InputError, MissingInput, SettingsError
from peephole.studio.training import NETWORKS, TrainJob, command, photos_in


def test_every_choice_arrives(tmp_path):
    """As options of `peephole train`; what was not chosen is left to the recipe."""
    (tmp_path / "my photos").mkdir()
    job = TrainJob(
        "my photos", "door.onnx", 12.5, "plain", (4, 8), 32, 0.5, 0.01, 0.0, 0.1, 16, 40, (("rotate", 10.0), ("noise", 5.0)), 3, 1, resume=True
    )
    words = command(job, tmp_path, Path("/e.jsonl"))
    assert words[1:6] == ["-P", "-m", "peephole", "train", str(tmp_path / "my photos")]
    options = (
        "--events /e.jsonl --seconds 12.5 --network plain --seed 3 --filters 4,8 --hidden 32 --keep-prob 0.5 --learning-rate 0.01 --weight-decay 0.0"
    )
    options += " --label-smoothing 0.1 --batch 16 --steps 40 --vary rotate=10 --vary noise=5 --threads 1 --resume"
    assert words[6:] == ["--output", str(tmp_path / "door.onnx"), *options.split()]
    plain = command(TrainJob("my photos", "door.onnx"), tmp_path, Path("/e.jsonl"))
    assert not {"--filters", "--batch", "--steps", "--vary", "--resume", "--learning-rate"} & set(plain)


def test_it_survives_json():
    """What asdict leaves, lists for tuples, or an object of strengths."""
    job = TrainJob("photos", "door.onnx", filters=(4, 8), vary=(("rotate", 10.0),))
    assert TrainJob.of(asdict(job)) == job
    assert TrainJob.of({"data": "photos", "output": "door.onnx", "filters": [4, 8], "vary": {"rotate": 10.0}}) == job


def test_the_networks_are_those_of_the_bench():
    """The device half names them by itself, since it cannot import them."""
    networks = pytest.importorskip("peephole.nets.networks")
    assert ("auto", *networks.NETWORKS) == NETWORKS


@pytest.mark.parametrize(
    "bad",
    [
        {"output": "door"},
        {"output": "../door.onnx"},
        {"output": "a/door.onnx"},
        {"output": "/etc/door.onnx"},
        {"output": ".onnx"},
        {"output": ".door.onnx"},
        {"output": "-o.onnx"},
        {"output": "a\n.onnx"},
        {"output": "a\0.onnx"},
        {"output": "a" * 200 + ".onnx"},
        {"output": 3},
        {"output": None},
        {"data": ""},
        {"data": 3},
        {"data": "a\0b"},
        {"data": ["photos"]},
        {"network": "plane"},
        {"network": None},
        {"network": ["plain"]},
        {"seconds": 0},
        {"seconds": math.nan},
        {"seconds": math.inf},
        {"seconds": "30"},
        {"seconds": None},
        {"seconds": True},
        {"learning_rate": 0},
        {"learning_rate": -1.0},
        {"keep_prob": 1.5},
        {"steps": 1.5},
        {"steps": 0},
        {"seed": 2**40},
        {"seed": None},
        {"threads": -1},
        {"filters": []},
        {"filters": [0]},
        {"filters": [4.0]},
        {"filters": "4,8"},
        {"filters": [True]},
        {"filters": [4] * 9},
        {"vary": {"rotate": math.nan}},
        {"vary": {"rotate": "10"}},
        {"vary": {"rotate": True}},
        {"vary": {"rotate=1 --x": 1}},
        {"vary": {"rotate": 1e9}},
        {"vary": [["rotate"]]},
        {"vary": [[1, 2]]},
        {"vary": 3},
        {"resume": 1},
        {"replace": "yes"},
        {"argv": ["rm"]},
        {"outputs": "x.onnx"},
    ],
    ids=str,
)
def test_hostile_fields(bad):
    """Refused with a sentence and a hint, never with another error."""
    with pytest.raises(SettingsError) as refused:
        TrainJob.of({"data": "photos", "output": "door.onnx"} | bad)
    assert refused.value.what and refused.value.hint


@pytest.mark.parametrize("given", [None, [], "x", 3, {}, {"data": "photos"}, {"output": "door.onnx"}], ids=str)
def test_no_training_at_all(given):
    """Neither an object nor a whole one."""
    with pytest.raises(SettingsError):
        TrainJob.of(given)


@pytest.mark.parametrize("data", ["..", "../other", "/etc", "out", "photos/../..", ".hidden", "photos/.inside"])
def test_photos_outside_the_working_folder(tmp_path, data):
    """By dots, from the root, by a link, or where the studio keeps its own things: refused."""
    work = tmp_path / "work"
    for inside in ("photos/.inside", ".hidden"):
        (work / inside).mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (work / "out").symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="outside the studio's working folder"):
        photos_in(work, data)


@pytest.mark.parametrize("data", ["absent", "file.txt", "x" * 300, "circle"])
def test_photos_that_are_not_there(tmp_path, data):
    """A name of nothing, of a file, one too long, a circle of links."""
    (tmp_path / "file.txt").touch()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(MissingInput):
        photos_in(tmp_path, data)


def test_photos_inside(tmp_path):
    """A folder below another, and a link that stays inside."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    assert photos_in(tmp_path, "a/b") == photos_in(tmp_path, "link/b") == tmp_path / "a" / "b"
