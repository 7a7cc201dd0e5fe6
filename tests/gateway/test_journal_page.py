"""docs/reference/journal.md: its tables name every key and every kind of row, and its figures are the code's."""

import re
from pathlib import Path

from peephole.gateway import trimming
from peephole.gateway.journal import KINDS
from peephole.gateway.keys import Journal, Rows

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "journal.md").read_text(encoding="utf-8")


def test_the_table_names_every_key() -> None:
    """All of [journal], and no other, with the value that holds without them."""
    rows = dict(re.findall(r"^\| `\[journal\] (\w+)` \|.*\| (.*?) \|$", PAGE, re.M))
    assert set(rows) == set(Journal.model_fields)
    kept = Rows()
    assert rows["path"] == f'`"{Journal().path}"`' and rows["rows"] == f"`{{days = {kept.days:g}, megabytes = {kept.megabytes:g}}}`"


def test_the_table_names_every_kind() -> None:
    """Each once, in a row with what it tells."""
    table = PAGE.partition("| kind | what it tells |")[2].partition("\n\n")[0]
    assert sorted(kind for row in table.splitlines() for kind in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")) == sorted(KINDS)


def test_its_figures_are_the_codes() -> None:
    """How large a piece is, how long rows may be held up in silence, how fast a clock may move what is too old."""
    text = " ".join(PAGE.split())
    assert (trimming.PIECE, trimming.LATEST) == (100, 100) and "pieces of at most a hundred" in text and "the latest hundred rows" in text
    assert f"about {trimming.LETTERS // 1000} KB" in text
    assert trimming.HELD * trimming.SWEEP == 600 and "after ten minutes a fault says why" in text
    assert trimming.FASTER == 60 and "at most an hour in a minute" in text
