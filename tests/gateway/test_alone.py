"""One gate at a time on one journal."""

from pathlib import Path

import pytest

from peephole.base.errors import InputError, JournalError
from peephole.cli.gatepeople import _require_not_here
from peephole.gateway.alone import only_one, runs


def test_a_second_gate_is_refused(tmp_path: Path) -> None:
    """While the first holds the lock; afterwards the next one may."""
    first = only_one(tmp_path / "new" / "journal.db")
    with pytest.raises(JournalError, match="another gate is running"):
        only_one(tmp_path / "new" / "journal.db")
    only_one(tmp_path / "other.db").close()
    first.close()
    only_one(tmp_path / "new" / "journal.db").close()


def test_whether_one_runs(tmp_path: Path) -> None:
    """Told without making anything, and without keeping a gate from starting."""
    journal = tmp_path / "journal.db"
    assert not runs(journal) and not runs(tmp_path / "none" / "journal.db") and not list(tmp_path.iterdir())
    gate = only_one(journal)
    assert runs(journal) and runs(journal)
    gate.close()
    assert not runs(journal)
    only_one(journal).close()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where a folder should be is told."""
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be written"):
        only_one(tmp_path / "file" / "journal.db")


def test_nobody_is_enrolled_with_the_whole_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty path is the folder one stands in; it, the door's own folder and all above them are refused, a folder below is not."""
    (tmp_path / "door" / "minseo").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "door")
    for path in (Path(), tmp_path, tmp_path / "door", Path("/")):
        with pytest.raises(InputError, match="more than photos of one person"):
            _require_not_here([path], tmp_path / "door")
    _require_not_here([tmp_path / "door" / "minseo"], tmp_path / "door")
