"""The gallery file: whole or not at all, bound to its model, and nothing left of who was erased (SAFETY tests 8 and 29, the gallery's part)."""

import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from peephole.base.engine import NAMES, Outputs
from peephole.base.errors import GalleryError
from peephole.decide.predictor import Predictor
from peephole.gateway import people as store
from peephole.gateway.acquaintance import met
from peephole.gateway.enrol import begun
from peephole.gateway.people import Example, People, Place, read_people, write_people


def of(who: str, answers: Outputs, role: str = "person") -> Example:
    return Example(0, role, who, f"digest of {who}", "kim", 1.8e9, answers)


def test_what_was_written_comes_back(predictor: Predictor, answers: Outputs, tmp_path: Path) -> None:
    """Numbers to the bit, names in any script, who confirmed and when; numbers are not given twice; only its owner may read it."""
    path = tmp_path / "door.gallery"
    people = begun(predictor).plus([of("지우 \"'; DROP TABLE example; --", answers), of("min", answers), of("0" * 16, answers, "stranger")])
    write_people(people, Place(path))
    found = read_people(path, predictor.model)
    assert found is not None
    for mine, theirs in zip(people.examples, found[0].examples, strict=True):
        assert all(np.array_equal(getattr(mine.outputs, name), getattr(theirs.outputs, name)) for name in NAMES)
        assert (mine.number, mine.who, mine.role, mine.digest, mine.confirmed_by, mine.wall) == (
            *(theirs.number, theirs.who, theirs.role, theirs.digest, theirs.confirmed_by, theirs.wall),
        )
    assert np.array_equal(found[0].centre, people.centre)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and sorted(tmp_path.iterdir()) == [path]
    write_people(found[0].minus("person", "min"), found[1])
    again = read_people(path, predictor.model)
    assert again is not None and again[0].plus([of("min", answers)]).examples[-1].number == 4


def test_no_gallery_is_nobody(predictor: Predictor, tmp_path: Path) -> None:
    """Without the file the predictor is the model alone; nothing is made."""
    assert read_people(tmp_path / "none.gallery", predictor.model) is None and met(predictor, tmp_path / "none.gallery") is predictor
    assert not list(tmp_path.iterdir())


def test_a_gallery_that_cannot_be_looked_for(predictor: Predictor, tmp_path: Path) -> None:
    """A name that no disk holds, a link to nowhere: said, never taken for nobody enrolled."""
    with pytest.raises(GalleryError, match="cannot be looked for"):
        met(predictor, tmp_path / ("x" * 10_000))
    (tmp_path / "link.gallery").symlink_to(tmp_path / "nowhere")
    with pytest.raises(GalleryError, match="no plain file"):
        met(predictor, tmp_path / "link.gallery")


def test_another_models_gallery_is_refused(predictor: Predictor, answers: Outputs, tmp_path: Path) -> None:
    """Embeddings of one model mean nothing to another: the gate does not start with them."""
    path = tmp_path / "door.gallery"
    write_people(begun(predictor).plus([of("min", answers)]), Place(path))
    with pytest.raises(GalleryError, match="belongs to another model file"):
        read_people(path, replace(predictor.model, sha256="0" * 64))


def spoilt(path: Path, change: str) -> None:
    """Change a gallery by SQL."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(change)
        database.commit()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE about SET value = '2' WHERE key = 'format'",
        "DELETE FROM about WHERE key = 'centre'",
        "UPDATE about SET value = x'00' WHERE key = 'centre'",
        "UPDATE example SET embedding = x'0000c07f0000c07f0000c07f0000c07f'",  # NaN
        "UPDATE example SET embedding = embedding || x'00000000'",
        "UPDATE example SET role = 'admin'",
        "UPDATE example SET who = ''",
        "UPDATE example SET wall = 'soon'",
        "UPDATE about SET value = 'many' WHERE key = 'following'",
        "CREATE TRIGGER more AFTER INSERT ON example BEGIN DELETE FROM about; END",
        "CREATE VIEW everybody AS SELECT * FROM example",
        "ALTER TABLE example ADD COLUMN photo BLOB",
        "DROP TABLE example",
        "UPDATE example SET who = 'ana'",
        "UPDATE about SET value = '1' WHERE key = 'following'",
        "DELETE FROM example",
    ],
)
def test_a_gallery_that_is_not_in_order_is_refused(predictor: Predictor, answers: Outputs, tmp_path: Path, change: str) -> None:
    """Another version, broken numbers, NaN, foreign tables and triggers: one sentence, and nobody is known by it."""
    path = tmp_path / "door.gallery"
    write_people(begun(predictor).plus([of("min", answers)]), Place(path))
    spoilt(path, change)
    with pytest.raises(GalleryError) as caught:
        read_people(path, predictor.model)
    assert caught.value.hint and len(str(caught.value)) < 400


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\x00" + b"\xff" * 5000, os.urandom(4096)])
def test_what_is_no_gallery(predictor: Predictor, tmp_path: Path, content: bytes) -> None:
    """Empty, text, noise: refused. So is a folder, and a file that is too large is not even read."""
    path = tmp_path / "door.gallery"
    path.write_bytes(content)
    with pytest.raises(GalleryError):
        met(predictor, path)
    with pytest.raises(GalleryError, match="no plain file"):
        met(predictor, tmp_path)
    with path.open("wb") as file:
        file.truncate(store.MAX_BYTES + 1)
    with pytest.raises(GalleryError, match="larger"):
        met(predictor, path)


def test_damage_is_found(predictor: Predictor, answers: Outputs, tmp_path: Path) -> None:
    """A gallery with one byte changed is refused, or holds what it held: nobody gets another's name, no face moves."""
    path = tmp_path / "door.gallery"
    write_people(begun(predictor).plus([of("min", answers)]), Place(path))
    whole, draw = path.read_bytes(), np.random.default_rng(0)
    for at in draw.integers(0, len(whole), 300):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ int(draw.integers(1, 256))]) + whole[at + 1 :])
        try:
            found = read_people(path, predictor.model)
        except GalleryError:
            continue
        assert found is not None
        assert [example.who for example in found[0].examples] == ["min"] and np.array_equal(found[0].gallery.embeddings, answers.embedding)


def in_place(people: People, place: Place) -> None:
    """A planted bug: writes over the old gallery, as a program would that trusts its power supply."""
    aside = place.path.with_suffix(".aside")
    write_people(people, Place(aside))
    data = aside.read_bytes()
    aside.unlink()
    with place.path.open("wb") as file:
        for at in range(0, len(data), 1024):
            file.write(data[at : at + 1024])
            file.flush()
            os.fsync(file.fileno())


@pytest.mark.parametrize(("write", "holds"), [(write_people, True), (in_place, False)])
def test_a_power_cut_at_every_step(
    predictor: Predictor, answers: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, write: Callable[[People, Place], None], holds: bool
) -> None:
    """Whichever call to the system is the last one, the gallery is the old one or the new one; writing in place is caught."""

    class PowerCut(BaseException):
        pass

    path, left = tmp_path / "door.gallery", [0]
    names = ("fsync", "fdopen", "open", "close", "replace", "rename", "write", "chmod")
    calls = [*((os, name) for name in names), (tempfile, "mkstemp"), (Path, "replace"), (Path, "rename"), (Path, "chmod")]
    real = {(owner, name): getattr(owner, name) for owner, name in calls}

    def cut(owner: object, name: str) -> Callable[..., object]:
        def call(*words: object, **more: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise PowerCut
            return real[owner, name](*words, **more)

        return call

    sound = True
    for steps in range(40):
        monkeypatch.undo()
        for each in tmp_path.iterdir():
            each.unlink()
        write_people(begun(predictor).plus([of("old", answers)]), Place(path))
        found = read_people(path, predictor.model)
        assert found is not None
        left[0] = steps
        for owner, name in calls:
            monkeypatch.setattr(owner, name, cut(owner, name))
        try:
            write(found[0].minus("person").plus([of("new", answers)]), found[1])
            done = True
        except PowerCut:
            done = False
        monkeypatch.undo()
        try:
            after = read_people(path, predictor.model)
            sound &= after is not None and {example.who for example in after[0].examples} in ({"old"}, {"new"})
        except GalleryError:
            sound = False
        if done:
            break
    assert done and sound == holds


def test_a_full_disk_changes_nothing(predictor: Predictor, answers: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old gallery stays, the error says so, and no half file lies about."""
    path = tmp_path / "door.gallery"
    write_people(begun(predictor).plus([of("old", answers)]), Place(path))
    found = read_people(path, predictor.model)
    assert found is not None

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GalleryError, match="nothing has changed"):
        write_people(found[0].plus([of("new", answers)]), found[1])
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == [path]
    again = read_people(path, predictor.model)
    assert again is not None and [example.who for example in again[0].examples] == ["old"]


def test_two_at_once(predictor: Predictor, answers: Outputs, tmp_path: Path) -> None:
    """Whoever comes second is told, and takes nothing of the first one's away."""
    path = tmp_path / "door.gallery"
    write_people(begun(predictor).plus([of("old", answers)]), Place(path))
    first, second = read_people(path, predictor.model), read_people(path, predictor.model)
    assert first is not None and second is not None
    write_people(first[0].plus([of("one", answers)]), first[1])
    with pytest.raises(GalleryError, match="changed by somebody else"):
        write_people(second[0].plus([of("two", answers)]), second[1])
    with pytest.raises(GalleryError, match="changed by somebody else"):
        write_people(begun(predictor), Place(path))
