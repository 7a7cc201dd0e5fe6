"""The verbs that look: what they print, as text and as JSON, their exit codes and their help."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer

from drawings import draw, folder, save
from peephole.cli.verbs import app


def commands(command, name="peephole"):
    """Return (words, command) of every verb, also those of a group."""
    if isinstance(command, click.Group) or hasattr(command, "commands"):
        found = []
        for word, inner in command.commands.items():
            found += commands(inner, f"{name} {word}")
        return found
    return [(name, command)]


VERBS = commands(typer.main.get_command(app))


def test_the_verbs_are_those_of_the_design():
    """Demo check train predict evaluate explain, and the gate's."""
    words = {name.removeprefix("peephole ") for name, _ in VERBS}
    assert {"demo", "check", "train", "predict", "evaluate", "explain", "gate run", "gate check", "gate replay", "gate journal"} <= words


@pytest.mark.parametrize(("name", "command"), VERBS, ids=[name for name, _ in VERBS])
def test_help_documents_every_option(peep, name, command):
    """Each verb has a sentence, each argument and option a line of help, and --help shows them all."""
    said = peep(*name.split()[1:], "--help")
    assert said.code == 0 and (command.help or "").strip().split("\n")[0].rstrip().endswith(".")
    for param in command.params:
        assert (param.help or "").strip(), f"{name}: {param.name} has no help"
        if param.param_type_name == "option":
            assert any(word in said.out for word in param.opts), f"{name}: {param.opts} not shown"


@pytest.mark.parametrize(
    "words",
    [("predict",), ("train",), ("trian", "photos"), ("train", "photos", "--secnods", "3"), ("train", "photos", "--steps", "many"), ("gate", "open")],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2(peep, words):
    """A missing argument, an unknown verb or option, a word where a number belongs."""
    said = peep(*words)
    assert said.code == 2 and not said.out and said.err.startswith("Usage: ")


def test_without_a_word_the_help_is_shown(peep):
    """`peephole` alone lists the verbs."""
    said = peep()
    assert "train" in said.out + said.err and "predict" in said.out + said.err


def test_versions(peep):
    """What computes, by name and number."""
    said = peep("--version")
    assert said.code == 0 and {line.split()[0] for line in said.out.splitlines()} >= {"peephole", "onnxruntime", "numpy", "python"}


def test_as_a_module(drawn_model, drawn_photos):
    """`python -m peephole` is the same command, exit codes included."""
    words = [sys.executable, "-m", "peephole", "predict", str(drawn_model)]
    done = subprocess.run([*words, str(drawn_photos / "X" / "X1.png"), "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and json.loads(done.stdout)[0]["label"] == "X" and not done.stderr
    done = subprocess.run([*words, "absent.png"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and "\nhint:  " in done.stderr and not done.stdout


def test_predict_says_who_and_why(peep, drawn_model, drawn_photos, tmp_path):
    """One line each, however long: the photo, the label or `stranger`, what it looks like, and the reason."""
    deep = tmp_path / ("a long name that would not fit into a line of eighty characters " * 2) / "x.png"
    blank = draw("X", 1)
    blank[:] = 255
    photos = [drawn_photos / "X" / "X2.png", save(blank, deep)]
    said = peep("predict", drawn_model, *photos)
    lines = said.out.splitlines()
    assert said.code == 0 and len(lines) == 2
    assert lines[0].startswith(f"{photos[0]}: X  (looks most like X, ") and "above the threshold" in lines[0]
    assert lines[1].startswith(f"{deep}: stranger  (looks most like ")


def test_predict_as_json(peep, drawn_model, drawn_photos):
    """Everything of a Prediction, by name."""
    said = peep("predict", drawn_model, drawn_photos / "X" / "X2.png", drawn_photos / "O" / "O2.png", "--json")
    one, two = json.loads(said.out)
    assert (one["label"], two["label"]) == ("X", "O") and one["photo"].endswith("X2.png")
    assert set(one) == {
        "photo",
        "label",
        "probability",
        "familiarity",
        "margin",
        "ranking",
        "nearest",
        "accepted",
        "threshold",
        "note",
        "subjects",
        "share",
    }
    assert one["nearest"][0].keys() == {"id", "label", "distance"} and one["accepted"] is True


@pytest.fixture
def fresh(tmp_path):
    """Photos that the drawn model has not seen."""
    return folder(tmp_path / "fresh", 3, strangers="=I", start=200)


def test_evaluate_shows_counts_and_bounds(peep, drawn_model, fresh):
    """Accuracy with n and interval, evidence with its unit and bound, a confusion matrix."""
    said = peep("evaluate", drawn_model, fresh)
    assert said.code == 0
    for part in (
        "10 photos that the model has not learned from",
        "accuracy: ",
        "95 % interval",
        "of 2 strangers",
        "the true rate is at most",
        "confusion",
    ):
        assert part in said.out, part


def test_evaluate_as_json(peep, drawn_model, fresh):
    """The same numbers, for a program."""
    said = peep("evaluate", drawn_model, fresh, "--json", "--stranger-unit", "kind")
    found = json.loads(said.out)
    assert found["labels"] == ["O", "X"] and found["photos"] == 10 and found["seen"] == 0
    assert sum(map(sum, found["confusion"])) == 6 and found["evidence"][0]["unit"] == "kind"


def test_evaluate_in_a_unit_that_does_not_exist(refused, drawn_model, fresh):
    """Strangers or kinds."""
    assert "week" in refused("evaluate", drawn_model, fresh, "--stranger-unit", "week").error


def test_check_of_a_clean_folder(peep, drawn_photos):
    """Exit code 0, counts that add up, as text and as JSON."""
    said = peep("check", drawn_photos)
    assert said.code == 0 and "22 files seen" in said.out and "no problem found" in said.out
    assert json.loads(peep("check", drawn_photos, "--json").out)["ok"] is True


def test_check_that_finds_a_problem(peep, tmp_path):
    """Exit code 3: one photo of a label."""
    root = folder(tmp_path / "photos", 3)
    save(draw("I", 1), root / "ana" / "1.png")
    said = peep("check", root)
    assert said.code == 3 and "ana" in said.out
    assert json.loads(peep("check", root, "--json").out)["ok"] is False


def test_explain(peep, drawn_model, drawn_photos, tmp_path):
    """The page is written, and its numbers as JSON where asked."""
    page = tmp_path / "why.html"
    said = peep("explain", drawn_model, drawn_photos / "X" / "X1.png", "-o", page, "--photos", drawn_photos, "--json")
    assert said.code == 0 and json.loads(said.out)["prediction"]["label"] == "X"
    assert "<!doctype html>" in page.read_text("utf-8").lower()[:200]


@pytest.mark.parametrize("threads", ["0", "-1"])
def test_no_threads(refused, drawn_model, drawn_photos, threads):
    """None cannot compute."""
    assert "threads" in refused("predict", drawn_model, drawn_photos / "X" / "X1.png", "--threads", threads).error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("verb", ["predict", "evaluate", "check"])
def test_an_answer_that_cannot_be_written(drawn_model, drawn_photos, fresh, verb):
    """A full disk behind the output: one sentence, exit code 1, no traceback."""
    words = {"predict": [drawn_model, drawn_photos / "X" / "X1.png"], "evaluate": [drawn_model, fresh], "check": [fresh, "--json"]}[verb]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "peephole", verb, *map(str, words)], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 1 and "error: the answer cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
