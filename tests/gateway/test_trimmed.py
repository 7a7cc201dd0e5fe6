"""A journal whose oldest rows went on purpose: what is left verifies, and what went without leave, or with a row that lies, is found."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tampering import CLUMSY, CUNNING, WHY, audited, change, decision, head_of, last_of, rechain, removed_behind_its_back, trimmed

from peephole.base.errors import JournalError
from peephole.gateway import audit
from peephole.gateway.chain import Head, origin
from peephole.gateway.journal import Journal, Trimmed

NOW = 1.8e9


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Rows 3 to 13 of a journal, the last of which says that two were removed."""
    return trimmed(tmp_path / "j.db")


def test_what_is_left_verifies(book: Path) -> None:
    """The chain begins after the rows that went; a note says how many, when and why; numbers go on, and a second time too."""
    found = audited(book, head_of(book))
    assert (found.rows, found.removed, found.bad, found.problems) == (11, 2, None, ())
    assert "2 rows before row 3 removed on purpose, the latest 2 on 2027-01-15" in found.notes[1] and WHY in found.notes[1]
    with Journal(book, "front") as writing:
        assert [row.number for row in writing.entries()] == list(range(3, 14))
        assert writing.entries("trimmed")[0].record == Trimmed(2, writing.begins()[1], 2, WHY, origin(writing.id, "front").hex())
        assert writing.trim(13, WHY, 14.0, NOW) == 14
        assert [row.number for row in writing.entries()] == [14] and writing.write(decision(15), 15.0, NOW) == 15
    found = audited(book, head_of(book))
    assert (found.rows, found.removed, found.problems) == (2, 13, ()) and "the latest 11 " in found.notes[1]
    with Journal(book, "front") as writing, pytest.raises(JournalError, match="has no row 13"):
        writing.trim(13, WHY, 15.0, NOW)
    assert last_of(book) == 15


@pytest.mark.parametrize("how", CUNNING)
def test_tampering_with_what_is_left_is_found(book: Path, how: str) -> None:
    """Test 13 again, of a journal whose first rows went on purpose: one head finds all of it, every hash computed anew."""
    head = head_of(book)
    CUNNING[how](book)
    rechain(book)
    assert audited(book, head).problems


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT number, hash, kind, body FROM entry ORDER BY number").fetchall()
    database.close()
    return rows


def lie(path: Path, **values: Any) -> None:
    """Change what the latest row about removed rows says, and compute the hashes anew."""
    number, _, _, body = [row for row in rows_of(path) if row[2] == "trimmed"][-1]
    change(path, f"UPDATE entry SET body = '{json.dumps(json.loads(body) | values)}' WHERE number = {number}")
    rechain(path, number)


def lie_about_the_hash(path: Path) -> None:
    lie(path, hash="00" * 32)


def lie_about_more(path: Path) -> None:
    lie(path, through=4, rows=4)


def lie_about_fewer(path: Path) -> None:
    lie(path, through=1, rows=1)


def lie_about_none(path: Path) -> None:
    lie(path, through=0, rows=0)


def lie_about_itself(path: Path) -> None:
    lie(path, through=13, rows=13)


def delete_more(path: Path) -> None:
    change(path, "DELETE FROM entry WHERE number < 6")


def put_back(path: Path) -> None:
    change(path, "INSERT INTO entry SELECT 2, kind, time, wall, boot, trusted, body, hash FROM entry WHERE number = 3")


def take_the_word_away(path: Path) -> None:
    change(path, "DELETE FROM entry WHERE kind = 'trimmed'")


LIES = {
    "hash": (lie_about_the_hash, 3),
    "more": (lie_about_more, 13),
    "fewer": (lie_about_fewer, 2),
    "none": (lie_about_none, 13),
    "itself": (lie_about_itself, 13),
    "more are gone": (delete_more, 3),
    "put back": (put_back, 3),
    "no word": (take_the_word_away, 1),
    "another gate's": (CLUMSY["another gate's"][0], 13),
}


@pytest.mark.parametrize("how", LIES)
def test_a_row_that_lies_about_what_went_is_found(book: Path, how: str) -> None:
    """Without any head: the first row must be the one that follows from what the newest such row says, and nothing else may be said."""
    tamper, bad = LIES[how]
    tamper(book)
    assert audited(book).bad == bad


def test_the_beginning_is_what_finds_it(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted-bug twin: a check that begins at whatever row is first does not miss the others."""
    delete_more(book)
    monkeypatch.setattr(audit, "_beginning", lambda *_: (None, ""))
    assert audited(book).problems == ()


def test_rows_that_no_head_let_go_are_missed(book: Path) -> None:
    """Somebody removes rows and writes, after the head, the row that says so: the head kept elsewhere let only others go."""
    head = removed_behind_its_back(book, 6)
    assert audited(book).problems == (), "the chain by itself looks whole"
    assert "rows up to 6 were removed, but the head kept elsewhere let only those up to 2 go" in audited(book, head).problems[0]
    assert audited(book, replace(head, trims=6)).problems == ()
    assert "let none go" in audited(book, replace(head, trims=0)).problems[0]


def test_a_head_that_went_with_its_row(book: Path) -> None:
    """The head is the last row that went: its hash is still known. One older than that proves nothing, and that is said."""
    old, heads = last_of(book), {}
    with Journal(book, "front") as writing:
        heads = {row[0]: Head(writing.id, "front", row[0], row[1].hex(), 0.0, 9) for row in rows_of(book)}
        writing.trim(9, WHY, 20.0, NOW)
    assert audited(book, heads[9]).problems == () and audited(book, heads[old]).problems == ()
    assert "another one than the head" in audited(book, replace(heads[9], hash="00" * 32)).problems[0]
    assert "too old to prove anything" in audited(book, heads[8]).problems[0]
    with Journal.read(book) as reading:
        assert [reading.holds(heads[number]) for number in (8, 9, 10)] == [False, True, True]
        assert not reading.holds(replace(heads[9], hash="00" * 32)) and not reading.holds(replace(heads[9], number=8))
