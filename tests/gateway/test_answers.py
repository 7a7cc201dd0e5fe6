"""What a person answers is read strictly, kept beside the folder, and read back; names become folders, so they are checked as such."""

import json
import unicodedata
from pathlib import Path

import pytest

from peephole.base.errors import InputError, OutputError
from peephole.gateway.answers import Answer, Kept, check_name, read_answer, read_kept, write_kept

KNOWN = ("ana", "junho")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("ana", Answer("ana")),
        ("  mina kim ", Answer("mina kim")),
        ("unknown", Answer("unknown", "stranger-c1")),
        ("unknown postman", Answer("unknown", "postman", named=True)),
        ("not ana", Answer("unknown", "stranger-c1", denied="ana")),
        ("not ana: junho", Answer("junho", denied="ana")),
        ("not ana: unknown postman", Answer("unknown", "postman", named=True, denied="ana")),
        ("=skip", Answer("skip")),
        ("=not ana", Answer("not ana")),
        ("nothing", Answer("nothing")),
        ("skip", "skip"),
        ("mixed", "mixed"),
        (" quit ", "quit"),
        (unicodedata.normalize("NFD", "준호"), Answer("준호")),
    ],
)
def test_answers(text: str, answer: Answer | str) -> None:
    """Each form of an answer, also for a person who is called like a word."""
    assert read_answer(text, "c1", KNOWN) == answer


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no name"),
        ("=", "no name"),
        ("x" * 10_000, "10,000 letters is too long"),
        ("한" * 90, "too long"),
        ("ana/../../etc", "slash"),
        ("..\\ana", "slash"),
        ("a\0b", "slash"),
        ("..", "hidden"),
        (".ana", "hidden"),
        ("Thumbs.db", "hidden"),
        ("a\nb", "control"),
        ("a\u202eb", "control"),
        ("a\ud800b", "not valid text"),
        ("Ana", "capitals only"),
        ("None", "word for strangers"),
        ("UNKNOWN", "word for strangers"),
        ("unknown Ana", "is a label"),
        ("unknown a/b", "slash"),
        ("unknown none", "word for strangers"),
        ("not", "nobody is called ''"),
        ("not junhoo", "did you mean 'junho'"),
        ("not ana: ana", "cannot be ana and not ana"),
        ("not ana: skip", "does not say who"),
        ("not ana: not junho", "does not say who"),
        ("not ana: a/b", "slash"),
    ],
)
def test_what_is_no_answer(text: str, told: str) -> None:
    """A sentence and a hint for each, on one line."""
    with pytest.raises(InputError, match=told) as caught:
        read_answer(text, "c1", KNOWN)
    assert caught.value.hint and caught.value.what.isprintable()


def test_names_fit_a_folder(tmp_path: Path) -> None:
    """The longest names that are taken can be made a folder here."""
    for name in ("x" * 100, "한" * 66, "é" * 100):
        (tmp_path / check_name(name, ())).mkdir()


def test_kept_and_read_back(tmp_path: Path) -> None:
    """Answers survive, for their owner's eyes alone; no file is no answers."""
    path = tmp_path / "photos.answers.json"
    assert read_kept(path, "front") == Kept("front")
    ana, postman = Answer("ana", denied="junho"), Answer("unknown", "postman", named=True)
    kept = Kept("front", {"a" * 64: ana, "b" * 64: postman, "c" * 64: ana}, {"a" * 64: "ana/v-1.jpg"})
    write_kept(path, kept)
    assert read_kept(path, "front") == kept and path.stat().st_mode & 0o777 == 0o600
    assert read_kept(path, "front").without(frozenset(["a" * 64])).answers.keys() == {"b" * 64, "c" * 64}
    with pytest.raises(InputError, match="answers for the gate 'front', not for 'back'"):
        read_kept(path, "back")


def test_a_full_disk(tmp_path: Path) -> None:
    """What cannot be written is told, and the file before it stays."""
    path = tmp_path / "a" / "photos.answers.json"
    (tmp_path / "a").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_kept(path, Kept("front"))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"answers": 3},
        {"answers": [{"label": "../x", "stranger": "", "named": False, "denied": "", "pictures": []}]},
        {"answers": [{"label": "unknown", "stranger": "a/b", "named": False, "denied": "", "pictures": []}]},
        {"answers": [{"label": "ana", "stranger": "", "named": False, "denied": "", "pictures": ["../x"]}]},
        {"written": {"a" * 64: "../../etc/passwd"}},
        {"written": {"a" * 64: "/etc/passwd"}},
        {"written": {"x": "ana/1.jpg"}},
        {"written": []},
    ],
)
def test_a_file_that_was_tampered_with(tmp_path: Path, change: dict[str, object]) -> None:
    """Nothing in it can lead out of the folder; every fault is one sentence."""
    path = tmp_path / "photos.answers.json"
    path.write_text(json.dumps({"format": 1, "gate": "front", "answers": [], "written": {}} | change))
    with pytest.raises(InputError, match="does not hold answers"):
        read_kept(path, "front")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "3", "null", "\udcff"])
def test_a_file_that_is_something_else(tmp_path: Path, text: str) -> None:
    """Half a file, a deep one, another one."""
    path = tmp_path / "photos.answers.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"cannot be read|does not hold answers"):
        read_kept(path, "front")
