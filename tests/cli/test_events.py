"""peephole train --events: JSON lines while it happens, the same bytes with and without, and an end that is always told."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from drawings import folder
from peephole.base.errors import NotANumber, SettingsError
from peephole.base.modelfile import read
from peephole.base.watch import Inside, Several, Watcher
from peephole.cli.events import EventsWatcher
from peephole.train import loop

SMALL = ("--network", "plain", "--filters", "4", "--hidden", "12", "--threads", "1", "--steps", "40")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Six X, six O, three strangers."""
    return folder(tmp_path_factory.mktemp("events") / "photos", 6, strangers="=IL")


def lines(path):
    """Read a file of events; every line is whole and strict JSON."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    text = path.read_text("utf-8")
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def of(kind, events):
    """Return the events of a kind."""
    return [event for event in events if event["event"] == kind]


def test_everything_is_told_and_nothing_changed(peep, photos, tmp_path):
    """Stages, words, loss, looks and the end, in their order; the model file has the same bytes as without."""
    peep("train", photos, "-o", tmp_path / "warm.onnx", *SMALL)  # compiles what a first training compiles
    assert peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL).code == 0
    told = peep("train", photos, "-o", tmp_path / "watched.onnx", *SMALL, "--events", tmp_path / "xo.jsonl")
    assert told.code == 0 and (tmp_path / "watched.onnx").read_bytes() == (tmp_path / "xo.onnx").read_bytes()
    events = lines(tmp_path / "xo.jsonl")
    assert events[0] | {"at": 0} == {"event": "stage", "at": 0, "text": "looking at the photos"}
    assert {event["event"] for event in events} == {"stage", "said", "progress", "learned", "inside", "done"}
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert any("plain (4 filters of 3x3" in event["text"] for event in of("said", events))
    steps = of("learned", events)
    assert [(event["step"], event["steps"]) for event in steps] == [(10, 40), (20, 40), (30, 40), (40, 40)]
    rates = [event["learning_rate"] for event in steps]
    assert rates == [pytest.approx(loop._schedule(step - 1, 40, 0.003)) for step in (10, 20, 30, 40)] and all(event["loss"] > 0 for event in steps)
    done, card = events[-1], read(tmp_path / "watched.onnx").card
    assert (done["event"], done["model"], done["labels"]) == ("done", str(tmp_path / "watched.onnx"), ["O", "X"])
    assert done["scores"]["held_out"]["n"] == card.scores["held_out"].n and done["scores"]["held_out"]["interval"] == list(
        card.scores["held_out"].interval
    )
    assert [found["bound"] for found in done["evidence"]] == [found.bound for found in card.evidence]
    assert done["recipe"] == card.training.sentence


def test_a_look_inside_is_plain_numbers(peep, photos, tmp_path):
    """Filters of the layer's shape, positions and labels of as many examples, an update whose sum closes from the file alone."""
    peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL, "--events", tmp_path / "xo.jsonl")
    looks = of("inside", lines(tmp_path / "xo.jsonl"))
    assert [look["step"] for look in looks][:5] == [1, 2, 3, 5, 6] and len(looks) == 17
    for look in looks:
        filters, embedding, update = look["filters"], look["embedding"], look["update"]
        assert filters["shape"] == filters["shown"] == list(np.shape(filters["weights"])) == [4, 1, 3, 3]
        assert np.shape(embedding["positions"]) == (12, 2) and sorted(embedding["labels"]) == ["O"] * 6 + ["X"] * 6 and 0 < embedding["share"] <= 1
        assert 0 <= look["right"] <= 1
        assert update["before"] - update["decay"] - update["move"] == pytest.approx(update["after"], abs=1e-7)


def test_a_stop_is_told(peep, photos, tmp_path, monkeypatch):
    """What happened and how to go on, as on the terminal."""
    honest = loop._observe

    def pressed(state, *rest):
        if state.step == 20:
            raise KeyboardInterrupt
        return honest(state, *rest)

    monkeypatch.setattr(loop, "_observe", pressed)
    said = peep("train", photos, "-o", tmp_path / "xo.onnx", *SMALL, "--events", tmp_path / "xo.jsonl")
    last = lines(tmp_path / "xo.jsonl")[-1]
    assert said.code == 1 and last["event"] == "failed"
    assert (last["what"], last["hint"]) == (said.error, said.hint) and "after 20 of 40 steps; a checkpoint was kept" in last["what"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--network", "plane"), "there is no network 'plane'"),
        (("--filters", "a"), "--filters takes whole numbers"),
        (("--resume",), "there is no checkpoint"),
    ],
    ids=["network", "filters", "resume"],
)
def test_a_training_that_cannot_begin_is_told_too(refused, photos, tmp_path, words, what):
    """The file is there before anything is checked, so whoever follows hears of everything."""
    said = refused("train", photos, "-o", tmp_path / "xo.onnx", *SMALL, *words, "--events", tmp_path / "xo.jsonl")
    last = lines(tmp_path / "xo.jsonl")[-1]
    assert last["event"] == "failed" and what in last["what"] and (last["what"], last["hint"]) == (said.error, said.hint)


def test_a_file_that_cannot_be_written(refused, photos, tmp_path):
    """Told before the work begins: a folder that is not there, a folder in its place, the model file itself."""
    for place in (tmp_path / "absent" / "xo.jsonl", tmp_path):
        said = refused("train", photos, "-o", tmp_path / "xo.onnx", *SMALL, "--events", place)
        assert f"{place} cannot be written" in said.error and "--events FILE" in said.hint and "looking at the photos" not in said.err
    said = refused("train", photos, "-o", tmp_path / "xo.onnx", *SMALL, "--events", tmp_path / "xo.onnx")
    assert "are the same file" in said.error and not list(tmp_path.iterdir())


def test_what_is_no_number_is_null(tmp_path):
    """A loss that became infinite, positions that are NaN: the line stays JSON."""
    with EventsWatcher(tmp_path / "e.jsonl") as events:
        events.learned(1, 9, math.inf, math.nan, 0.1)
        nowhere = np.full((2, 2), np.nan, np.float32)
        events.inside(Inside(1, 9, "conv1", (1, 1, 1, 1), np.full((1, 1, 1, 1), -np.inf, np.float32), None, nowhere, 0.0, ("a\n\u2028", "b"), 0.5))
    learned, inside = (json.loads(line) for line in (tmp_path / "e.jsonl").read_text("utf-8").split("\n")[:-1])
    assert learned["loss"] is None and learned["held_out"] is None and learned["learning_rate"] == 0.1
    assert inside["filters"]["weights"] == [[[[None]]]] and inside["embedding"]["positions"] == [[None, None]] * 2 and inside["update"] is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_disk_that_is_full_does_not_end_the_training():
    """It is said once, and nothing more is written."""
    said = []
    with EventsWatcher(Path("/dev/full"), said.append) as events:
        for stage in ("one", "two", "three"):
            events.stage(stage)
    assert said == ["/dev/full takes no more events: No space left on device; the training goes on"]


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (NotANumber("the loss became nan", "lower it"), "the loss became nan"),
        (KeyboardInterrupt(), "it was stopped"),
        (ZeroDivisionError("x"), "ZeroDivisionError: x"),
    ],
    ids=["ours", "ctrl-c", "a defect"],
)
def test_every_end_is_told(tmp_path, error, what):
    """An error of ours, Ctrl-C, a defect."""
    with pytest.raises(type(error)), EventsWatcher(tmp_path / "e.jsonl"):
        raise error
    (last,) = lines(tmp_path / "e.jsonl")
    assert last["event"] == "failed" and last["what"] == what and last["hint"]


def test_nobody_is_curious_by_himself():
    """Looks are paid for only where somebody wants them: without a path, nothing is written and nothing looked at."""
    assert not Watcher().curious and not EventsWatcher(None).curious and not Several(Watcher(), EventsWatcher(None)).curious
    with EventsWatcher(None) as silent:
        silent.stage("nothing")


def test_several_hear_the_same(tmp_path):
    """In their order; only the curious see the inside."""
    heard = []

    class Ear(Watcher):
        def __init__(self, name, curious):
            self.name, self.curious = name, curious

        def __getattribute__(self, what):
            if what in ("stage", "progress", "learned", "inside", "said"):
                return lambda *facts: heard.append((self.name, what, *facts))
            return super().__getattribute__(what)

    both = Several(Ear("one", False), Ear("two", True))
    assert both.curious
    both.stage("s")
    both.progress(1, 2)
    both.learned(1, 2, 0.5, None, 0.1)
    both.said("w")
    both.inside("seen")
    facts = [("stage", "s"), ("progress", 1, 2), ("learned", 1, 2, 0.5, None, 0.1), ("said", "w")]
    assert heard == [(name, *fact) for fact in facts for name in ("one", "two")] + [("two", "inside", "seen")]


def test_only_the_first_of_torchruns_processes_writes(tmp_path, monkeypatch):
    """The others would write over it."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("RANK", "1")
    with EventsWatcher.of(tmp_path / "e.jsonl", tmp_path / "xo.onnx", print) as events:
        assert not events.curious
        events.stage("nothing")
    assert not (tmp_path / "e.jsonl").exists()
    monkeypatch.setenv("RANK", "0")
    with EventsWatcher.of(tmp_path / "e.jsonl", tmp_path / "xo.onnx", print) as events:
        assert events.curious and (tmp_path / "e.jsonl").exists()
    with pytest.raises(SettingsError):
        EventsWatcher.of(tmp_path / "xo.onnx", tmp_path / "xo.onnx", print)
