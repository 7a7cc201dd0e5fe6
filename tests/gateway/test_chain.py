"""Tampering with a journal: whatever is edited, taken out, put in, moved, cut off, replaced or forked is found with one head kept elsewhere."""

import shutil
import time
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from tampering import CLUMSY, CUNNING, audited, change, decision, delete, fill, forked, head_of, rechain, truncate

from peephole.base.errors import InputError, JournalError
from peephole.gateway import audit, chain, journal
from peephole.gateway.audit import Audit, verify
from peephole.gateway.chain import LONGEST, Head, link, read_head, write_head
from peephole.gateway.journal import Erased, Journal, Kept, Picture, Remark
from peephole.gateway.pictures import Album

ROWS = 12


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A journal of twelve rows."""
    fill(tmp_path / "j.db", ROWS)
    return tmp_path / "j.db"


def test_an_honest_journal_verifies(book: Path) -> None:
    """With its own head, an older head, and none; the last is told of."""
    head = head_of(book)
    assert audited(book, head).problems == () and audited(book, head).rows == ROWS
    with Journal(book, "front") as writing:
        writing.write(Remark("stop", "x", "y"), 0, 0)
    later = audited(book, head)
    assert later.problems == () and "1 row came after it" in later.notes[0]
    assert "of another journal" in audited(book, replace(head, gate="back")).problems[0]
    assert "nobody would notice" in audited(book).notes[0]


def test_what_is_said_of_an_honest_journal(book: Path) -> None:
    """Which row the head is, how many came after it, and what is missing without one; of a journal that is not in order nothing of the kind."""
    head = head_of(book)
    assert audited(book, head) == Audit(ROWS, None, (), (f"the head kept elsewhere is row {ROWS}, and fits",))
    assert audited(book).notes == ("no head was kept elsewhere, so nobody would notice if the latest rows were cut off or all of them written anew",)
    with Journal(book, "front") as writing:
        for _ in range(2):
            writing.write(Remark("stop", "x", "y"), 0, 0)
    assert audited(book, head).notes == (f"the head kept elsewhere is row {ROWS}, and fits; 2 rows came after it",)
    delete(book)
    assert audited(book, head).notes == () and audited(book, head).rows == 4


def test_a_journal_without_rows(tmp_path: Path) -> None:
    """Its head is row 0, and it fits; so does that head when rows came after it."""
    with Journal(tmp_path / "j.db", "front") as writing:
        head = writing.head()
        assert (head.number, verify(writing, head).rows, verify(writing, head).problems) == (0, 0, ())
        writing.write(Remark("stop", "x", "y"), 0, 0)
        assert verify(writing, head).notes == ("the head kept elsewhere is row 0, and fits; 1 row came after it",)
        assert verify(writing, replace(head, hash="00" * 32)).problems == (
            "row 0 is another one than the head kept elsewhere: rows up to it were written anew",
        )


def test_what_the_head_gives_away(book: Path) -> None:
    """A journal that was replaced, one whose end is missing, and one that was written anew are told apart."""
    head = head_of(book)
    other = replace(head, journal="0" * 32, gate="g" * 100)
    (told,) = audited(book, other).problems
    assert told == f"the head kept elsewhere is of another journal, of the gate '{'g' * 64}': this one was replaced, or begun anew"
    truncate(book)
    assert audited(book, head).problems == (f"row {ROWS - 1} is missing: the head kept elsewhere is row {ROWS}, so the end was cut off",)
    assert audited(book, replace(head, number=ROWS - 2)).problems == (
        f"row {ROWS - 2} is another one than the head kept elsewhere: rows up to it were written anew",
    )


def test_the_first_of_two_names_taken_out_is_told(book: Path) -> None:
    """Of everybody whose name is gone, the row that came first."""
    change(book, "DELETE FROM name")
    assert audited(book).problems == ("row 1 names somebody whose name was taken out without an erasure",)


def test_odd_times_verify(tmp_path: Path) -> None:
    """NaN, infinity, minus zero, numbers that are whole, and huge ones come back from SQLite as they were hashed."""
    with Journal(tmp_path / "j.db", "front") as writing:
        for at in (float("nan"), float("inf"), float("-inf"), -0.0, 0, 7, 2**53 + 1, 1e308, 5e-324, 0.1):
            writing.write(Remark("fault", "a", "b"), at, at)
        assert verify(writing, writing.head()).problems == ()


def test_clocks_that_jump_keep_the_order(tmp_path: Path) -> None:
    """1970, an hour and a year back and forth: rows keep the order they were written in, and each says whether its clock was set."""
    walls = [5.0, 1.8e9, 1.8e9 - 3600, 1.8e9 + 3600, 1.8e9 - 31_536_000, 1.8e9 + 31_536_000, 1.8e9]
    with Journal(tmp_path / "j.db", "front") as writing:
        for number, wall in enumerate(walls):
            writing.write(decision(number), float(number), wall)
        rows = writing.entries()
        assert [row.wall for row in rows] == walls and [row.trusted for row in rows] == [False] + [True] * 6
        assert verify(writing, writing.head()).problems == ()


COLUMNS = {
    "kind": "'fault'",
    "time": "time + 1",
    "wall": "wall - 86400",
    "boot": "'another'",
    "trusted": "0",
    "body": "replace(body, '\"open\"', '\"refuse\"')",
    "hash": "zeroblob(32)",
}


@pytest.mark.parametrize("column", COLUMNS)
def test_an_edited_column_is_found(book: Path, column: str) -> None:
    """One value of row 5, whichever: row 5 is named, without any head."""
    change(book, f"UPDATE entry SET {column} = {COLUMNS[column]} WHERE number = 5")
    found = audited(book)
    assert found.bad == 5 and found.problems[0].startswith("row 5 ")


VALUES_OF_ALL_TYPES = [(column, value) for column in ("time", "wall", "trusted", "kind", "body") for value in ("'7'", "x'00'", "1e400", "2", "-1")]


@pytest.mark.parametrize(("column", "value"), [*VALUES_OF_ALL_TYPES, ("time", "NULL"), ("wall", "NULL")])
def test_values_of_other_types_are_found(book: Path, column: str, value: str) -> None:
    """Nothing that SQLite lets stand in a column passes, or breaks the check."""
    change(book, f"UPDATE entry SET {column} = {value} WHERE number = 5")
    assert audited(book).bad == 5


@pytest.mark.parametrize("how", CLUMSY)
def test_clumsy_tampering_is_found_without_a_head(book: Path, how: str) -> None:
    """The first bad row is named."""
    tamper, row = CLUMSY[how]
    tamper(book)
    assert audited(book).bad == row


@pytest.mark.parametrize("how", CUNNING)
def test_cunning_tampering_is_found_with_one_head(book: Path, how: str) -> None:
    """Every hash was computed anew, so the chain is whole: the head kept elsewhere gives it away."""
    head = head_of(book)
    CUNNING[how](book)
    rechain(book)
    assert how in ("delete", "delete the oldest") or audited(book).problems == (), "the chain by itself looks whole"
    assert audited(book, head).problems


def test_the_head_check_is_what_finds_it(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted-bug twin: a check that only looks whether there are enough rows misses the fork."""
    head = head_of(book)
    forked(book)
    monkeypatch.setattr(audit, "_against", lambda journal, walk, head: [] if walk.last >= head.number else ["cut"])
    assert audited(book, head).problems == ()


def test_the_chain_check_finds_a_chain_without_the_row_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted-bug twin: hashes that leave out the hash before let rows be exchanged under each other's numbers; the head does not see it."""
    path = tmp_path / "j.db"

    def alone(before: bytes, row: tuple) -> bytes:
        return link(b"", (0, *row[1:]))

    def exchanged() -> Audit:
        with Journal(path, "front") as writing:
            for number in range(1, 5):
                writing.write(decision(number), 1.0, 1.8e9)
        head = head_of(path)
        change(
            path,
            "UPDATE entry SET number = 99 WHERE number = 2",
            "UPDATE entry SET number = 2 WHERE number = 3",
            "UPDATE entry SET number = 3 WHERE number = 99",
        )
        return audited(path, head)

    assert exchanged().bad == 2
    path.unlink()
    monkeypatch.setattr(journal, "link", alone)
    monkeypatch.setattr(chain, "link", alone)
    assert exchanged().problems == (), "such a chain would not notice, so the test above can fail"


@pytest.mark.parametrize("kind", ["pictures", "erased", "trimmed"])
@pytest.mark.parametrize("body", ["x", "7", "null", "{}", '{"pseudonyms": 5, "pictures": 1, "reason": "x"}', "[" * 5000])
def test_a_row_that_is_no_record_is_found(book: Path, kind: str, body: str) -> None:
    """Every hash fits, but rows that others are held against hold nonsense: told in a sentence, never a crash."""
    change(book, f"UPDATE entry SET kind = '{kind}', body = '{body}' WHERE number = 5")
    rechain(book)
    assert audited(book).bad == 5 and audited(book).problems[0].startswith("row 5 is no row of a journal")


def test_an_exchanged_name_is_found(book: Path) -> None:
    """Junho's name put under Ana's pseudonym is found, by verifying and by reading; a name merely taken out too."""
    change(book, "UPDATE name SET name = 'junho' WHERE name = 'ana'")
    assert "was exchanged" in audited(book).problems[0]
    with Journal.read(book) as reading, pytest.raises(JournalError, match="exchanged"):
        reading.entries()


def test_a_name_taken_out_is_found(book: Path) -> None:
    """Without a row that says so, an erased name is tampering; the first row that named it is told."""
    change(book, "DELETE FROM name WHERE name = 'junho'")
    assert audited(book).problems == ("row 2 names somebody whose name was taken out without an erasure",)


def test_an_erased_name_is_told_of(book: Path) -> None:
    """Where a row says that it was done on purpose there is nothing wrong, and a note of it; beside something wrong there is no note."""
    with Journal(book, "front") as writing:
        token = next(token for token, name in writing.names().items() if name == "junho")
        writing.erase([token], Erased((token,), 0, "as asked"), 0.0, 1.8e9)
    found = audited(book, head_of(book))
    assert found.problems == () and found.notes[1:] == ("1 name erased on purpose",)
    change(book, "DELETE FROM name")
    assert audited(book, head_of(book)) == Audit(ROWS + 1, None, ("row 1 names somebody whose name was taken out without an erasure",), ())


def test_a_head_survives_its_journey() -> None:
    """One line of JSON there and back; anything else is refused in a sentence."""
    head = Head("ab", "한글\n", 3, "ff", 1.5)
    assert read_head(write_head(head), "x") == head and "\n" not in write_head(head) and "한글" in write_head(head)
    longest = replace(head, gate="x" * (LONGEST - len(write_head(replace(head, gate="")))))
    assert len(write_head(longest)) == LONGEST and read_head(write_head(longest), "x") == longest
    with pytest.raises(FrozenInstanceError):
        head.number = 4  # type: ignore[misc]  # that is what must not work
    with pytest.raises(InputError) as caught:
        read_head('{"%s": 1}' % ("k" * 3000), "the file")
    assert len(caught.value.what) == len("the file is not the head of a journal: ") + 80
    assert read_head(write_head(replace(head, number=0)), "x").number == 0
    assert read_head(write_head(head).replace(', "trims": 0', ""), "x") == head  # as it was left before rows were ever removed
    bad = [write_head(head).replace('"trims": 0', f'"trims": {value}') for value in ("-1", "true", "1.5", '"1"', "null")] + [
        "",
        "{}",
        "[]",
        "7",
        "null",
        write_head(head)[:-3],
        '{"a":' * 3000,
        "x" * 10_000,
        write_head(replace(head, gate="x" * 5000)),
    ]
    bad += [write_head(head).replace("3", value) for value in ("-1", "true", '"3"', "null", "3.5", "NaN")] + ["\xff"]
    for text in bad:
        with pytest.raises(InputError, match="not the head of a journal"):
            read_head(text, "the file")


def long_journal(path: Path, rows: int) -> None:
    """Make a journal of many rows, as SQLite takes them fastest."""
    with Journal(path, "front") as writing:
        writing.write(decision(1), 1.0, 1.8e9)
        *first, before = writing._database.execute("SELECT number, kind, time, wall, boot, trusted, body, hash FROM entry").fetchone()
        made = []
        for number in range(2, rows + 1):
            row = (number, first[1], float(number), 1.8e9 + number, first[4], True, first[6])
            before = link(before, row)
            made.append((*row, before))
        writing._database.execute("BEGIN")
        writing._database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", made)
        writing._database.execute("COMMIT")


def test_many_rows_are_verified(tmp_path: Path) -> None:
    """Twenty thousand rows, and the one that is wrong among them."""
    long_journal(tmp_path / "j.db", 20_000)
    assert audited(tmp_path / "j.db", head_of(tmp_path / "j.db")).rows == 20_000
    change(tmp_path / "j.db", "UPDATE entry SET wall = wall + 1 WHERE number = 17011")
    assert audited(tmp_path / "j.db").bad == 17_011


@pytest.mark.long
def test_a_million_rows_take_five_seconds(tmp_path: Path) -> None:
    """A journal of years is verified while one waits: five seconds of one core, of which other programs' time is no part."""
    long_journal(tmp_path / "j.db", 1_000_000)
    head = head_of(tmp_path / "j.db")
    began, spent = time.perf_counter(), time.process_time()
    found = audited(tmp_path / "j.db", head)
    print(f"a million rows verified in {time.perf_counter() - began:.2f} s, {time.process_time() - spent:.2f} s of one core")
    assert found.rows == 1_000_000 and found.problems == ()
    assert time.process_time() - spent <= 5.0


def test_changed_pictures_are_counted(tmp_path: Path) -> None:
    """Six pictures that were kept and are others now: five are named, and how many more; those as they were, or gone, are in order."""
    album = Album(tmp_path / "pictures", 14, 1)
    digests = [album.add(bytes([number]) * 9, 1.8e9) for number in range(8)]
    with Journal(tmp_path / "j.db", "front") as writing:
        writing.write(Kept("v1", tuple(Picture(digest, 1.8e9, None, None) for digest in digests)), 1.0, 1.8e9)
        assert verify(writing, pictures=album.folder).problems == () == verify(writing, pictures=tmp_path / "nowhere").problems
        first, *others = sorted(album.folder.iterdir())
        first.unlink()
        for path in others[:6]:
            path.write_bytes(b"somebody else")
        (told,) = verify(writing, pictures=album.folder).problems
        assert told.startswith("6 pictures changed since they were kept") and told.count(".jpg") == 5 and told.endswith(", and 1 more")


def test_a_copy_is_a_journal(book: Path, tmp_path: Path) -> None:
    """Backups verify against the same head."""
    head = head_of(book)
    shutil.copy(book, tmp_path / "copy.db")
    assert audited(tmp_path / "copy.db", head).problems == ()
