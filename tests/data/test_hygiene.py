"""`peephole check` tells everything it found, and what is a problem."""

import io
import json

import numpy as np
import pytest
from pictures import folder, save, scene, spec
from PIL import Image
from rich.console import Console

from peephole.cli.check import show
from peephole.data.dataset import load
from peephole.data.hygiene import CheckReport, report
from peephole.data.photos import scan


def _checked(root) -> CheckReport:
    listing = scan(root)
    return report(listing, load(listing, spec(16)))


def _shown(found: CheckReport) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    show(found, console)
    return console.file.getvalue()


def test_a_clean_folder_has_no_problem(tmp_path):
    """Two labels of five photos: no problem, an estimate, and the remark that strangers are missing."""
    found = _checked(folder(tmp_path, {"ana": 5, "junho": 5}))
    assert found.ok and found.role == "estimate"
    assert (found.seen, found.used) == (10, 10)
    assert [(count.label, count.photos, count.sources) for count in found.labels] == [("ana", 5, 5), ("junho", 5, 5)]
    assert any("no strangers" in remark.what and "299" in remark.hint for remark in found.remarks)
    assert "no problem found" in _shown(found)


def test_the_counts_add_up_and_every_reason_is_there(tmp_path):
    """Files seen are those used, the duplicates and the refused, and each refused file carries its reason."""
    folder(tmp_path, {"ana": 3, "junho": 3})
    first = sorted((tmp_path / "ana").glob("*.png"))[0]
    (tmp_path / "ana" / "same.png").write_bytes(first.read_bytes())
    (tmp_path / "ana" / "half.png").write_bytes(first.read_bytes()[:1500])
    (tmp_path / "notes.txt").write_text("hello")
    found = _checked(tmp_path)
    assert found.seen == 9 == found.used + len(found.duplicates) + len(found.refused)
    assert dict(found.refused)["notes.txt"] == "stands in no label's folder"
    assert found.duplicates == (("ana/same.png", first.relative_to(tmp_path).as_posix()),)
    assert not found.ok and any("broken" in problem.what for problem in found.problems)
    text = _shown(found)
    assert "ana/half.png" in text and "notes.txt" in text


def test_the_same_picture_under_two_labels_is_a_problem(tmp_path):
    """Equal pixels and re-saves across labels are both told, with the files' names."""
    folder(tmp_path, {"ana": 4, "junho": 4})
    save(scene(900), tmp_path / "ana" / "equal.png")
    save(scene(900), tmp_path / "junho" / "equal.png")
    save(scene(901), tmp_path / "ana" / "alike.png")
    save(scene(901), tmp_path / "junho" / "alike.jpg", quality=80)
    found = _checked(tmp_path)
    assert [sorted(pair) for pair in found.conflicts] == [["ana/alike.png", "junho/alike.jpg"]]
    told = [problem.what for problem in found.problems]
    assert told == [
        "2 files with a picture that stands under both ana and junho; none of them is used (first: ana/equal.png and junho/equal.png)",
        "1 pair of photos under ana and junho that look like one photo (first: ana/alike.png and junho/alike.jpg)",
    ]


def test_photos_that_nothing_can_be_learned_from_are_a_problem(tmp_path):
    """Too small, too long and narrow, and of one colour but for a sensor's noise: each is told with its first file; a faint photo is not."""
    folder(tmp_path, {"ana": 4, "junho": 4})
    assert not _checked(tmp_path).problems
    save(scene(900, 7, 100), tmp_path / "ana" / "small.png")
    save(scene(901, 12, 200), tmp_path / "ana" / "strip.png")
    faint = np.asarray(scene(902), np.float32)
    save(Image.fromarray((100 + 0.15 * (faint - 128)).astype(np.uint8)), tmp_path / "ana" / "faint.png")
    for seed, place in enumerate(("junho/dark.png", "unknown/empty/night.png")):
        save(Image.fromarray(np.random.default_rng(seed).integers(0, 6, (64, 64), dtype=np.uint8)), tmp_path / place)
    told = [problem.what for problem in _checked(tmp_path).problems]
    assert told == [
        "1 photo is too small to be learned from, below 8 pixels on a side (first: ana/small.png, 7 x 100 pixels)",
        "1 photo is too long and narrow to be learned from, over 10 times longer than wide (first: ana/strip.png, 12 x 200 pixels)",
        "1 photo is of one colour all over, or nearly (first: junho/dark.png, 64 x 64 pixels)",
    ]


def test_pictures_of_one_colour_are_one_picture(tmp_path):
    """Black is black at any size and in any mode: counted once under one label, and under two it is the same picture; another black is another."""
    for number, label in enumerate("aab"):
        save(Image.new("L" if number else "RGB", (20 + number, 30)), tmp_path / label / f"{number}.png")
    save(Image.new("L", (20, 30), 9), tmp_path / "b" / "grey.png")
    found = _checked(tmp_path)
    assert [id for id, reason in found.refused if "same picture" in reason] == ["a/0.png", "a/1.png", "b/2.png"] and found.used == 1
    assert found.problems[0].what.startswith("a has no usable photo; 2 of its photos also stand under b (first: a/0.png and b/2.png)")


def test_a_label_of_another_s_photos_names_both(tmp_path):
    """Six photos saved again under another label are told as that label's, not as copies of one photo."""
    for number in range(4):
        save(scene(5 * number), tmp_path / "cat" / f"c{7 * number}.png")
        save(scene(5 * number), tmp_path / "kitty" / f"k{7 * number}.jpg", quality=80)
        save(scene(500 + 5 * number), tmp_path / "dog" / f"d{7 * number}.png")
    first = _checked(tmp_path).problems[0]
    assert first.what.startswith("kitty has 4 usable photos; 4 of its photos look like photos of cat (first: cat/c0.png and kitty/k0.jpg)")
    assert "--skip kitty" in first.hint


@pytest.mark.parametrize(("other", "keeps"), [(0.0, "by another pose, side or light"), (0.2, "do not count on")])
def test_copies_are_named_with_what_keeps_them(tmp_path, other, keeps):
    """Three photos taken for copies of one, by their look or only with the help of their names: which of which, and what keeps them apart."""
    folder(tmp_path, {"junho": 3})
    names = ("p1", "p2", "p3")
    for number, name in enumerate(names):
        save(Image.blend(scene(900), scene(901 + number), other), tmp_path / "ana" / f"{name}.jpg", quality=95 - number)
    (problem,) = _checked(tmp_path).problems
    assert (
        problem.what.startswith("ana's 3 photos were taken for copies of one photo (")
        and f"ana/{names[0]}.jpg and ana/{names[1]}.jpg" in problem.what
    )
    assert keeps in problem.hint and "--skip ana" in problem.hint


def test_leaks_between_the_given_splits_are_a_problem(tmp_path):
    """A training photo that stands in test/ again, as it is or re-saved, is named."""
    for at, part in enumerate(("train", "test")):
        folder(tmp_path / part, {"ana": 3, "junho": 3}, start=100 * at)
    save(scene(0), tmp_path / "test" / "ana" / "leak.png")
    save(scene(5), tmp_path / "test" / "ana" / "resaved.jpg", quality=75)
    found = _checked(tmp_path)
    assert found.leaks == ("test/ana/leak.png", "test/ana/resaved.jpg")
    assert any("copy a photo of an earlier split" in problem.what for problem in found.problems)


def test_what_cannot_be_trained_is_reported_not_raised(tmp_path):
    """A label with one photo is a problem with the same sentence as the error."""
    found = _checked(folder(tmp_path, {"ana": 1, "junho": 3}))
    assert any("ana has 1 photo; at least 2" in problem.what for problem in found.problems)
    assert found.role == ""


def test_an_empty_folder_is_reported_too(tmp_path):
    """Nothing at all is a problem, not a crash, and can be shown."""
    found = _checked(tmp_path)
    assert not found.ok
    assert "is empty" in _shown(found)


def test_unevenness_and_near_copies_are_remarks(tmp_path):
    """Ten against two is told, and so are the copies that stay on one side, with how they were seen."""
    folder(tmp_path, {"ana": 10, "junho": 2})
    save(scene(0), tmp_path / "ana" / "again.jpg", quality=60)
    found = _checked(tmp_path)
    assert found.ok
    assert any("uneven" in remark.what for remark in found.remarks)
    assert [sorted(group.ids) for group in found.copies] == [["ana/again.jpg", "ana/p0000x0.png"]]
    assert found.copies[0].how == "near copy"


def test_strangers_say_what_they_can_prove(tmp_path):
    """Five strangers prove at most 45.1 %, and the remark says how many would prove 1 %."""
    folder(tmp_path, {"ana": 3, "junho": 3})
    for i in range(5):
        save(scene(700 + i), tmp_path / "unknown" / f"guest {i}" / "a.png")
    found = _checked(tmp_path)
    assert (found.strangers, found.stranger_photos) == (5, 5)
    assert any("45.1 %" in remark.what and "299" in remark.hint for remark in found.remarks)


def test_json_holds_the_whole_report(tmp_path):
    """The JSON can be read back and says whether all is well."""
    found = json.loads(_checked(folder(tmp_path, {"한글": 2, "ana": 2})).to_json())
    assert found["ok"] is True
    assert [label["label"] for label in found["labels"]] == ["ana", "한글"]


def test_names_with_markup_are_shown_as_they_are(tmp_path):
    """A label [red]x[/] is text, not a colour."""
    found = _checked(folder(tmp_path, {"[red]x": 2, "ana": 2}))
    assert "[red]x" in _shown(found)


def test_a_report_shows_itself(tmp_path):
    """One line as repr, sentences as str, a list in a notebook with names escaped."""
    found = _checked(folder(tmp_path, {"<i>x": 2, "ana": 1}))
    assert repr(found) == f"<CheckReport of {tmp_path}: 3 of 3 files used; 1 problem found>"
    assert str(found).splitlines()[-1] == "1 problem found" and "labels: <i>x (2), ana (1)" in str(found)
    shown = found._repr_html_()
    assert "&lt;i&gt;x" in shown and "<i>" not in shown and "<li style=color:#b00>problem: " in shown


def test_one_is_one(tmp_path):
    """A single stranger, duplicate, refused file or near copy is spoken of in the singular, and the end does not pass over the refused one."""
    folder(tmp_path, {"ana": 3, "junho": 3})
    (tmp_path / "ana" / "same.png").write_bytes(sorted((tmp_path / "ana").glob("*.png"))[0].read_bytes())
    (tmp_path / "ana" / "notes.txt").write_text("hello")
    save(scene(0), tmp_path / "ana" / "again.jpg", quality=60)
    save(scene(700), tmp_path / "unknown" / "guest" / "a.png")
    found = _checked(tmp_path)
    text = _shown(found)
    assert "1 strangers" not in text
    for words in ("1 exact duplicate +", "1 exact duplicate, counted once", "1 near copy of", "1 stranger, 1 of them"):
        assert words in text, words
    assert text.rstrip().endswith("no problem found in the 8 photos used; 1 file refused, as listed")


def test_an_empty_folder_is_one_problem_and_no_more(tmp_path):
    """Nothing is said about strangers where nobody is to be known."""
    found = _checked(tmp_path)
    assert not found.remarks and [problem.what for problem in found.problems] == [f"{tmp_path} is empty"]
    assert _shown(found).rstrip().endswith("1 problem found")


def test_loose_strangers_are_told_how_they_count(tmp_path):
    """Two files right in unknown/ are one stranger; the remark names the option that makes each one of its own; a single file needs none."""
    folder(tmp_path, {"ana": 3, "junho": 3})
    save(scene(700), tmp_path / "unknown" / "a.png")
    assert not any("right in unknown/" in remark.what for remark in _checked(tmp_path).remarks)
    save(scene(710), tmp_path / "unknown" / "b.png")
    (remark,) = (remark for remark in _checked(tmp_path).remarks if "right in unknown/" in remark.what)
    assert remark.what.startswith("2 files") and "--each-file-a-stranger" in remark.hint


def test_photos_without_a_folder_are_told_what_to_do(tmp_path):
    """Files right in the root: put them into folders; not sent back to the check that says so."""
    for number in range(3):
        save(scene(number), tmp_path / f"cat.{number}.png")
    (problem,) = _checked(tmp_path).problems
    assert "stands in no label's folder" in problem.what and problem.hint == "put photos into one folder per label"
