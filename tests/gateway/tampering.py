"""What somebody does to a journal who can write its file: clumsily, and knowing this program, so that every hash fits again."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from peephole.base.records import Decision
from peephole.gateway.audit import Audit, verify
from peephole.gateway.chain import Head, link, origin
from peephole.gateway.journal import Journal, Trimmed
from peephole.gateway.rows import read_record

WHY = "they were older than 365 days"


def decision(number: int, label: str = "ana") -> Decision:
    """Return the decision of a visit."""
    return Decision(f"v{number}", "open", label, f"three frames in a row were {label}", "rule 1", "open")


def fill(path: Path, rows: int) -> None:
    """Write so many rows about two people."""
    with Journal(path, "front") as writing:
        for number in range(1, rows + 1):
            writing.write(decision(number, "ana" if number % 2 else "junho"), float(number), 1.8e9 + number)


def trimmed(path: Path) -> Path:
    """Write a journal of twelve rows, the first two of which were removed: rows 3 to 13, the last of which says so."""
    fill(path, 12)
    with Journal(path, "front") as writing:
        assert writing.trim(2, WHY, 13.0, 1.8e9) == 13
    return path


def head_of(path: Path) -> Head:
    """Return the head that is kept elsewhere: that of now, which allows what is gone already."""
    with Journal.read(path) as reading:
        head = reading.head(1.8e9)
        return Head(head.journal, head.gate, head.number, head.hash, head.wall, reading.begins()[0])


def audited(path: Path, head: Head | None = None) -> Audit:
    """Verify the file."""
    with Journal.read(path) as reading:
        return verify(reading, head)


def change(path: Path, *statements: str) -> None:
    """Change the file behind the program's back."""
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def last_of(path: Path) -> int:
    """Return the number of the last row."""
    with Journal.read(path) as reading:
        return reading.extent()[1]


def removed_behind_its_back(path: Path, through: int) -> Head:
    """Leave a head; then, as this program would, remove rows that no head allowed to go."""
    head = head_of(path)
    with Journal(path, "front") as writing:
        writing.trim(through, WHY, 20.0, 1.8e9)
    return head


def rechain(path: Path, since: int = 1) -> None:
    """What an attacker does who knows this program: compute every hash from row `since` on anew."""
    database = sqlite3.connect(path)
    about = dict(database.execute("SELECT key, value FROM about"))
    before = origin(about["id"], about["gate"])
    trimmed = database.execute("SELECT body FROM entry WHERE kind = 'trimmed' ORDER BY number DESC LIMIT 1").fetchone()
    first = database.execute("SELECT min(number) FROM entry").fetchone()[0]
    if trimmed is not None and first != 1:
        row = read_record("trimmed", trimmed[0])
        before = bytes.fromhex(row.hash) if isinstance(row, Trimmed) else before
    for *row, hashed in database.execute("SELECT number, kind, time, wall, boot, trusted, body, hash FROM entry ORDER BY number").fetchall():
        before = link(before, tuple(row)) if row[0] >= since else hashed
        database.execute("UPDATE entry SET hash = ? WHERE number = ?", (before, row[0]))
    database.commit()
    database.close()


def delete(path: Path) -> None:
    change(path, "DELETE FROM entry WHERE number = 5")


def _delete_and_renumber(path: Path) -> None:
    last = last_of(path)
    change(path, "DELETE FROM entry WHERE number = 5", *(f"UPDATE entry SET number = {n - 1} WHERE number = {n}" for n in range(6, last + 1)))


def _insert(path: Path) -> None:
    move_up = (f"UPDATE entry SET number = {n + 1} WHERE number = {n}" for n in range(last_of(path), 4, -1))
    change(path, *move_up, "INSERT INTO entry SELECT 5, kind, time, wall, boot, trusted, body, hash FROM entry WHERE number = 4")


def _append(path: Path) -> None:
    last = last_of(path)
    change(path, f"INSERT INTO entry SELECT {last + 1}, kind, time, wall, boot, trusted, body, hash FROM entry WHERE number = {last}")


def _reorder(path: Path) -> None:
    change(
        path,
        "UPDATE entry SET number = 99 WHERE number = 5",
        "UPDATE entry SET number = 5 WHERE number = 6",
        "UPDATE entry SET number = 6 WHERE number = 99",
    )


def _another_gates(path: Path) -> None:
    change(path, "UPDATE about SET value = 'back' WHERE key = 'gate'")


def _edit(path: Path) -> None:
    change(path, "UPDATE entry SET body = replace(body, '\"open\"', '\"refuse\"') WHERE number = 5")


def truncate(path: Path) -> None:
    change(path, f"DELETE FROM entry WHERE number > {last_of(path) - 2}")


def _empty(path: Path) -> None:
    change(path, "DELETE FROM entry")


def _replaced(path: Path) -> None:
    rows = last_of(path) + 2
    path.unlink()
    fill(path, rows)


def _replaced_under_its_id(path: Path) -> None:
    with Journal.read(path) as reading:
        old = reading.id
    _replaced(path)
    change(path, f"UPDATE about SET value = '{old}' WHERE key = 'id'")


def forked(path: Path) -> None:
    """A copy from the day before goes on by itself: a chain as good as the other."""
    last = last_of(path)
    change(path, "DELETE FROM entry WHERE number > 6")
    with Journal(path, "front") as writing:
        for number in range(7, last + 4):
            writing.write(decision(number, "junho"), float(number), 1.8e9)


def _oldest(path: Path) -> None:
    change(path, "DELETE FROM entry WHERE number < 5")


# How, and which row is bad when the chain alone is looked at.
CLUMSY: dict[str, tuple[Callable[[Path], None], int]] = {
    "delete": (delete, 5),
    "delete and renumber": (_delete_and_renumber, 5),
    "insert": (_insert, 5),
    "append": (_append, 13),
    "reorder": (_reorder, 5),
    "another gate's": (_another_gates, 1),
    "delete the oldest": (_oldest, 1),
}
CUNNING: dict[str, Callable[[Path], None]] = {
    **{how: tamper for how, (tamper, _) in CLUMSY.items() if how != "append"},
    "edit": _edit,
    "truncate": truncate,
    "empty": _empty,
    "replace": _replaced,
    "replace under its id": _replaced_under_its_id,
    "fork": forked,
}
