"""Bad photos and folders, through the command line: a sentence and a hint, or the bad left out and counted; never a crash."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from drawings import draw, folder, save

SMALL = ("--network", "plain", "--filters", "4", "--hidden", "12", "--threads", "1", "--steps", "15", "--size", "16")


@pytest.fixture
def train(peep, tmp_path):
    """Return a function that trains on tmp_path/photos."""
    return lambda *words: peep("train", tmp_path / "photos", "-o", tmp_path / "xo.onnx", *SMALL, *words)


def no_model(tmp_path):
    """Tell that no model file and nothing half-written is there."""
    return not [path for path in tmp_path.iterdir() if path.name != "photos"]


def check_refused(said, tmp_path, *words):
    """One sentence with these words, a hint, exit code 1, nothing written."""
    assert said.code == 1 and said.hint and not said.out
    for word in words:
        assert word in said.error
    assert no_model(tmp_path)


def test_no_folder(train, tmp_path):
    """It is not there."""
    check_refused(train(), tmp_path, "photos", "not there")


def test_a_file_instead_of_a_folder(train, tmp_path):
    """A zip that was not unpacked."""
    (tmp_path / "photos").write_bytes(b"PK")
    said = train()
    assert said.code == 1 and "not a folder" in said.error


def test_an_empty_folder(train, tmp_path):
    """Nothing in it."""
    (tmp_path / "photos").mkdir()
    check_refused(train(), tmp_path, "is empty")


def test_one_label(train, tmp_path):
    """Nothing to tell it from."""
    folder(tmp_path / "photos", 4, signs="X")
    check_refused(train(), tmp_path, "one label", "at least 2")


def test_only_strangers(train, tmp_path):
    """Nobody to know."""
    folder(tmp_path / "photos", 4, signs="", strangers="=I")
    check_refused(train(), tmp_path, "only strangers")


def test_one_photo_of_a_label(train, tmp_path):
    """The sentence of the style guide, and the --skip that helps, which then works."""
    folder(tmp_path / "photos", 4, signs="XO")
    save(draw("I", 1), tmp_path / "photos" / "ana" / "1.png")
    said = train()
    check_refused(said, tmp_path, "photos/ana has 1 photo; at least 2 are needed so that one can be held out.")
    assert "--skip ana" in said.hint
    assert train("--skip", "ana").code == 0


def test_skip_of_a_label_that_is_not_there(train, tmp_path):
    """With the near miss."""
    folder(tmp_path / "photos" / "x", 0)
    folder(tmp_path / "photos", 4, signs="XO")
    save(draw("I", 1), tmp_path / "photos" / "junho" / "1.png")
    said = train("--skip", "juno")
    check_refused(said, tmp_path, "juno", "did you mean 'junho'?")


def test_only_unreadable_files(train, tmp_path):
    """All refused, the first with its reason, and where to see the others."""
    for label in "XO":
        for number in range(3):
            path = tmp_path / "photos" / label / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("this is text, not a photo")
    said = train()
    check_refused(said, tmp_path, "no readable photo", "6 files were refused")
    assert "peephole check" in said.hint


def test_some_bad_files_are_left_out_and_said(train, peep, tmp_path):
    """Text named .jpg, a truncated PNG, an empty file, a huge one-bit picture: counted, the first named, the rest trains."""
    photos = folder(tmp_path / "photos", 5)
    (photos / "X" / "a.jpg").write_text("text")
    whole = (photos / "X" / "X0.png").read_bytes()
    (photos / "X" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (photos / "O" / "empty.png").write_bytes(b"")
    said = train("--json")
    assert said.code == 0
    card = json.loads(said.out)
    assert card["training"]["refused"] == 3 and card["training"]["examples"] == {"O": 5, "X": 5}
    assert "refused:" in said.err and "2 more" in said.err and "peephole check" in said.err
    found = peep("check", photos, "--json")
    assert found.code == 3
    report = json.loads(found.out)
    assert report["seen"] == 13 == report["used"] + len(report["refused"]) + len(report["duplicates"])
    assert {name for name, _ in report["refused"]} == {"X/a.jpg", "X/cut.png", "O/empty.png"}


def test_nine_thousand_pixels_of_one_bit(train, peep, tmp_path):
    """81 million pixels in 10 kB: used or refused with a reason, in little memory, and counted either way."""
    photos = folder(tmp_path / "photos", 4)
    Image.new("1", (9000, 9000), 1).save(photos / "X" / "huge.png")
    assert (photos / "X" / "huge.png").stat().st_size < 50_000
    said = train("--json")
    assert said.code == 0
    training = json.loads(said.out)["training"]
    assert training["examples"]["X"] + training["refused"] == 5
    if training["refused"]:
        assert "huge.png" in said.err
    answer = peep("predict", tmp_path / "xo.onnx", photos / "X" / "huge.png")
    assert answer.code == (1 if training["refused"] else 0) and bool(answer.err) == bool(training["refused"])


def test_labels_in_any_script(train, peep, tmp_path):
    """한글, spaces, brackets, an emoji: trained, printed, predicted and evaluated under their own names."""
    names = ("한글 이름", "[red]x[/red]", "naïve 🙂")
    for name, sign in zip(names, "XO=", strict=True):
        for seed in range(4):
            save(draw(sign, seed), tmp_path / "photos" / name.replace("/", "_") / f"사진 {seed}.png")
    said = train("--json")
    assert said.code == 0
    assert set(json.loads(said.out)["labels"]) == {name.replace("/", "_") for name in names}
    answer = peep("predict", tmp_path / "xo.onnx", tmp_path / "photos" / "한글 이름" / "사진 1.png")
    assert answer.code == 0 and "사진 1.png" in answer.out
    save(draw("X", 50), tmp_path / "more" / "한글 이름" / "new.png")
    shown = peep("evaluate", tmp_path / "xo.onnx", tmp_path / "more")
    assert shown.code == 0 and "한글 이름" in shown.out and "[red]x[_red]" in shown.out
    assert peep("check", tmp_path / "photos").code == 0


def test_a_folder_of_folders_of_folders(train, tmp_path):
    """One level too high is one label, and the hint names the folder to give; deeper folders belong to their label."""
    folder(tmp_path / "photos" / "set", 4)
    said = train()
    check_refused(said, tmp_path, "one label, set")
    assert str(tmp_path / "photos" / "set") in said.hint
    folder(tmp_path / "photos" / "set" / "X" / "deep" / "er", 3, signs="X", start=20)
    (tmp_path / "photos" / "set").rename(tmp_path / "inner")
    shutil.rmtree(tmp_path / "photos")
    (tmp_path / "inner").rename(tmp_path / "photos")
    said = train("--json")
    assert said.code == 0 and json.loads(said.out)["training"]["examples"] == {"O": 4, "X": 7}


def test_predict_reports_the_bad_and_answers_the_good(peep, drawn_model, drawn_photos, tmp_path):
    """One line per photo, in order; text, an absent file and a folder each with an error of their own, and exit code 1."""
    (tmp_path / "text.jpg").write_text("text")
    good = drawn_photos / "X" / "X1.png"
    said = peep("predict", drawn_model, good, tmp_path / "text.jpg", tmp_path / "absent.png", tmp_path, good)
    assert said.code == 1
    assert len(said.out.splitlines()) == 2 and all(line.startswith(f"{good}: X ") for line in said.out.splitlines())
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert [name in line for name, line in zip(("text.jpg", "absent.png", str(tmp_path)), errors, strict=True)] == [True] * 3


def test_predict_as_json_with_a_bad_photo(peep, drawn_model, drawn_photos, tmp_path):
    """What was answered is still JSON; what was not is on stderr."""
    said = peep("predict", drawn_model, tmp_path / "absent.png", drawn_photos / "O" / "O1.png", "--json")
    assert said.code == 1 and [one["label"] for one in json.loads(said.out)] == ["O"] and "absent.png" in said.err


def test_explain_and_evaluate_of_nothing(refused, drawn_model, tmp_path):
    """An absent photo, an absent folder, an empty folder."""
    assert "absent.png" in refused("explain", drawn_model, tmp_path / "absent.png", "-o", tmp_path / "r.html").error
    assert "absent" in refused("evaluate", drawn_model, tmp_path / "absent").error
    (tmp_path / "empty").mkdir()
    assert "no photo to evaluate on" in refused("evaluate", drawn_model, tmp_path / "empty").error
    assert not (tmp_path / "r.html").exists()


def test_evaluate_on_the_training_photos_alone(refused, drawn_model, drawn_photos, tmp_path):
    """They prove nothing, and that is what is said."""
    shutil.copytree(drawn_photos / "X", tmp_path / "same" / "X")
    assert "8 photos were trained on" in refused("evaluate", drawn_model, tmp_path / "same").error


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000)], ids=str)
def test_photos_of_hardly_any_pixels(peep, tmp_path, shape):
    """One pixel, and a line of them: told, looked at and judged in a second's time without a crash."""
    for number, label in enumerate("aabbaabb"):
        save(np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8), tmp_path / "photos" / label / f"{number}.png")
    checked = peep("check", tmp_path / "photos")
    assert checked.code == 3 and "8 photos are too small to be learned from" in " ".join(checked.out.split())
    said = peep("doubt", tmp_path / "photos", "--seconds", 1, "-o", tmp_path / "doubt.html")
    assert "8 photos are too small to be learned from, below 8 pixels on a side (first: a/0.png" in said.err
    assert said.code == 0 and "of 8" in said.out and (tmp_path / "doubt.html").exists()


@pytest.mark.parametrize("verb", ["doubt", "budget"])
@pytest.mark.parametrize("seconds", ["nan", "0", "-1"])
def test_a_time_that_is_none(refused, tmp_path, verb, seconds):
    """Refused with the range."""
    assert "seconds is between" in refused(verb, folder(tmp_path / "photos", 3), "--seconds", seconds).error
