"""Forgetting a person: no byte of the name and no picture is left in any file of the journal, and the chain still verifies."""

import json
import math
import sqlite3
import unicodedata
from pathlib import Path

import pytest

from peephole.base.errors import JournalError
from peephole.base.records import Decision, Neighbour, Prediction, Visit
from peephole.gateway import erasure
from peephole.gateway.audit import verify
from peephole.gateway.erasure import Erasure, erase
from peephole.gateway.journal import Erased, Journal, Kept, Picture, Remark
from peephole.gateway.listing import Wanted, select
from peephole.gateway.names import Hider, labels_in, show
from peephole.gateway.pictures import Album
from peephole.gateway.policy import Ended

ANA, JUNHO = "Ana-Zoraida", "준호"


def seen(label: str | None, best: str) -> Prediction:
    other = JUNHO if best == ANA else ANA
    return Prediction(label, 0.9, 0.9, math.inf, ((best, 0.9), (other, 0.1)), (Neighbour(f"{best}/IMG_1.jpg", best, 0.1),), label is not None, 0.5)


def filled(folder: Path, rows: int = 40) -> tuple[Path, Path]:
    """A journal with many rows on many pages about two people and a stranger, each visit with a picture."""
    path, pictures = folder / "j.db", folder / "j.db-pictures"
    album = Album(pictures, 14, 100)
    with Journal(path, "front", names=(ANA, JUNHO)) as journal:
        for number in range(rows):
            who = (ANA, JUNHO, None)[number % 3]
            visit = f"{who or 'stranger'}-{number}"
            best = who or (ANA if number % 2 else JUNHO)
            reason = f"three frames in a row were {who or 'a stranger'}; its familiarity with {best}'s known examples is 0.9"
            journal.write(Decision(visit, "open" if who else "ask", who, reason, "rule 1", "open"), number, 1.8e9 + number)
            digest = album.add(b"picture of " + visit.encode(), 1.8e9 + number)
            journal.write(Ended(Visit(visit, 0, 1, (seen(who, best),) * 20), 20, 0, "open", who), number, 1.8e9 + number)
            journal.write(Kept(visit, (Picture(digest, 1.8e9 + number, who, best),)), number, 1.8e9 + number)
            journal.write(Remark("frame", f"{visit}.png", f"{best.upper()} was too dark"), number, 1.8e9)
    return path, pictures


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def spellings(name: str) -> list[bytes]:
    forms = {form for text in (name, name.upper(), name.casefold()) for form in (text, *(unicodedata.normalize(f, text) for f in ("NFC", "NFD")))}
    return [form.encode() for form in forms]


def test_nothing_is_left_of_a_person(tmp_path: Path) -> None:
    """Before, the name is found in the raw bytes; afterwards in no file, in no spelling; the others stay; the chain and the head hold."""
    path, pictures = filled(tmp_path)
    assert any(form in bytes_of(tmp_path) for form in spellings(ANA))
    with Journal(path, "front", names=(ANA, JUNHO)) as journal:
        head = journal.head()
        done = erase(journal, ANA, 1.0, 1.8e9, pictures)
        assert done.names == 2 and done.remnants == ()  # as written, and in capitals
        found = bytes_of(tmp_path)  # with the journal open: -wal and -shm are among the files
        assert verify(journal, head, pictures).problems == ()
    assert not any(form in found + bytes_of(tmp_path) for form in spellings(ANA))
    assert any(form in found for form in spellings(JUNHO))
    assert not [file for file in pictures.iterdir() if b"Ana" in file.read_bytes()]
    # 14 visits of hers, and of the 13 strangers' pictures those that were most like her.
    assert done.pictures == 14 + 6 and len(list(pictures.glob("*.jpg"))) == 20
    with Journal.read(path) as journal:
        decisions = [row.record for row in journal.entries("decision") if isinstance(row.record, Decision)]
        assert decisions[1].label == JUNHO and JUNHO in decisions[1].reason and decisions[1].visit == f"{JUNHO}-1"
        assert decisions[0].label is not None and decisions[0].label.startswith("erased-") and decisions[0].label in decisions[0].reason
        odd = decisions[0].visit
        assert odd.startswith("erased-") and odd.endswith("-0") and len(select(journal, Wanted(visit=odd))) == 3
        last = journal.entries("erased")[-1].record
        assert isinstance(last, Erased) and len(last.pseudonyms) == 2 and last.pictures == 20


def test_the_bytes_are_found_where_deleting_is_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted-bug twin: an erasure that only deletes the rows of the names leaves them in free pages or in the log, and the test sees it."""
    path, pictures = filled(tmp_path)
    monkeypatch.setattr(Journal, "scour", lambda self: None)
    with Journal(path, "front") as journal:
        journal._database.execute("PRAGMA secure_delete = OFF")
        erase(journal, ANA, 1.0, 1.8e9, pictures)
        assert any(form in bytes_of(tmp_path) for form in spellings(ANA))


def test_the_pictures_are_found_where_only_labels_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted-bug twin: an erasure that overlooks whom a stranger's picture was like leaves pictures of her, and the count above is another."""
    path, pictures = filled(tmp_path)
    follow = erasure._follow

    def careless(trace, kind, value, tokens):
        follow(trace, kind, value, tokens)
        trace.shown.clear()

    monkeypatch.setattr(erasure, "_follow", careless)
    with Journal(path, "front") as journal:
        assert erase(journal, ANA, 1.0, 1.8e9, pictures).pictures == 14


def test_erasing_twice_and_nobody(tmp_path: Path) -> None:
    """Whoever is not there any more, or never was, is erased without harm; another spelling is the same person."""
    path, pictures = filled(tmp_path, 6)
    with Journal(path, "front") as journal:
        assert erase(journal, ANA.lower(), 1.0, 1.8e9, pictures).names == 2
        assert erase(journal, ANA, 1.0, 1.8e9, pictures) == Erasure(0, 0, 26, ())
        assert erase(journal, "min", 1.0, 1.8e9, None).names == 0
        assert verify(journal, journal.head(), pictures).problems == ()


def test_who_comes_back_has_another_pseudonym(tmp_path: Path) -> None:
    """Rows after an erasure name her anew, and cannot be tied to those before; also when another process erased her meanwhile."""
    path, _ = filled(tmp_path, 3)
    again = Decision("v9", "open", ANA, "r", "rule 1", "open")
    with Journal(path, "front") as gate:
        gate.write(again, 0, 0)
        with Journal(path, "front") as other:
            erase(other, ANA, 1.0, 1.8e9)
        gate.write(again, 0, 0)
        first, second = (row.record.label for row in gate.entries("decision", 2) if isinstance(row.record, Decision))
        assert first is not None and first.startswith("erased-") and second == ANA
        assert verify(gate, gate.head()).problems == ()


def test_pictures_that_nobody_can_tell_go_too(tmp_path: Path) -> None:
    """A kill between a picture and its row leaves a file of nobody: it may show her, so it goes with any erasure."""
    path, pictures = filled(tmp_path, 3)
    Album(pictures, 14, 1).add(b"before the kill", 1.8e9)
    with Journal(path, "front") as journal:
        assert erase(journal, JUNHO, 1.0, 1.8e9, pictures).pictures == 3  # his, the stranger's most like him, nobody's
        assert len(list(pictures.glob("*.jpg"))) == 1


def test_a_failed_write_leaves_no_name(tmp_path: Path) -> None:
    """A row that could not be written leaves no name behind in memory that the database does not know."""
    with Journal(tmp_path / "j.db", "front") as journal:
        commit = journal._commit

        def failing() -> None:
            raise sqlite3.OperationalError("disk I/O error")

        journal._commit = failing  # type: ignore[method-assign]
        with pytest.raises(JournalError, match="I/O"):
            journal.write(Decision("v", "open", ANA, "r", "rule 1", "open"), 0, 0)
        journal._commit = commit  # type: ignore[method-assign]
        journal.write(Decision("v", "open", ANA, "r", "rule 1", "open"), 0, 0)
        assert verify(journal).problems == () and [row.record.label for row in journal.entries()] == [ANA]  # type: ignore[union-attr]


def test_a_reader_holds_up_the_last_byte(tmp_path: Path) -> None:
    """While somebody reads an old state, the bytes cannot all go: an error says so, and once they are done a second try succeeds."""
    path, pictures = filled(tmp_path, 6)
    reader = sqlite3.connect(path, isolation_level=None)
    with Journal(path, "front") as journal:
        journal.write(Remark("stop", "x", "y"), 0, 0)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entry").fetchone()
        journal._database.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(JournalError, match="scoured"):
            erase(journal, ANA, 1.0, 1.8e9, pictures)
        reader.execute("COMMIT")
        reader.close()
        erase(journal, ANA, 1.0, 1.8e9, pictures)
    assert not any(form in bytes_of(tmp_path) for form in spellings(ANA))


def test_a_name_that_came_too_late_is_told(tmp_path: Path) -> None:
    """A sentence that named somebody before any row or card did holds the name for good: the rows are told, nothing is claimed."""
    with Journal(tmp_path / "j.db", "front") as journal:
        journal.write(Remark("fault", "the model", "Wilhelmina.onnx is broken"), 0, 0)
        journal.write(Decision("v", "open", "Wilhelmina", "r", "rule 1", "open"), 0, 0)
        assert erase(journal, "Wilhelmina", 1.0, 1.8e9).remnants == (1,)


NAMES = [
    "a",
    "X",
    "open",
    "visit",
    "3",
    "⟦",
    "⟦⟧",
    "한글",
    "=1+1",
    "\n\x00",
    "ana ⟦0123456789abcdef01234567⟧",
    "x" * 10_000,
    "Straße",
    "İ",
    "a" * 3,
    "rule 1",
]


@pytest.mark.parametrize("name", NAMES, ids=[ascii(name)[:24] for name in NAMES])
def test_any_name_comes_back_and_goes(tmp_path: Path, name: str) -> None:
    """Names that look like words of the gate, like pseudonyms or like nothing at all are the same when read, and gone when erased."""
    record = Decision(f"{name}/7", "open", name, f"the last one was {name}, at 3.2 s; {name}'s examples", "rule 1", "open")
    with Journal(tmp_path / "j.db", "front") as journal:
        journal.write(record, 0, 0)
        assert journal.entries()[0].record == record
        assert select(journal, Wanted(label=name))[0].record == record == select(journal, Wanted(visit=f"{name}/7"))[0].record
        erase(journal, name, 1.0, 1.8e9)
        left = journal.entries("decision")[0].record
        assert isinstance(left, Decision) and left.label != name and left.verdict == "open" and left.rule == "rule 1"
        assert verify(journal, journal.head()).problems == ()


def test_hiding_is_undone_by_showing() -> None:
    """Nested values, known and new names, and marks of our own in a text."""
    value = {"label": "ana", "ranking": [["ana", 1.0], ["bo", 0.0]], "reason": "Anaconda ⟦x⟧ ANA bo, bobo", "verdict": "ana", "n": [None, 1]}
    assert labels_in(value) == {"ana", "bo"}
    hider = Hider({}, {"ana", "bo"})
    hidden = json.dumps(hider.hide(value), ensure_ascii=False)
    assert "Ana" not in hidden and '"verdict": "ana"' in hidden and "bobo" in hidden  # two letters count as a word only
    assert json.loads(show(hidden, {token: name for token, (_, name) in hider.fresh.items()})) == value
