"""Forgetting a person: 0 remnants in the raw files, the journal's chain still verifies, and what is left is said (SAFETY test 29)."""

import sqlite3
import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from peephole.base.engine import NAMES, Outputs
from peephole.base.errors import GalleryError, InputError
from peephole.base.records import Decision, Neighbour, Prediction, Visit
from peephole.decide.predictor import Predictor
from peephole.gateway import acquaintance
from peephole.gateway.acquaintance import forget, met
from peephole.gateway.audit import verify
from peephole.gateway.clock import SteppedClock
from peephole.gateway.door import Door, last_good, load_door, undone
from peephole.gateway.enrol import begun
from peephole.gateway.journal import Enrolled, Erased, Journal, Remark
from peephole.gateway.people import Example, People, Place, read_people, write_people
from peephole.gateway.pins import Pins, read_pins, write_pins
from peephole.gateway.policy import Ended

NAME = "민서-minseo"
DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def door(make_door: Callable[..., Door], predictor: Predictor, answers: Outputs, tmp_path: Path) -> Door:
    """A door with two enrolled people, two measured strangers, and a journal that names one of them in every way it can."""
    door = load_door(make_door().path)
    people = begun(predictor).plus(
        [
            Example(0, "person", NAME, DIGEST, "kim", 1.8e9, answers),
            Example(0, "person", "seo", "f" * 64, "kim", 1.8e9, predictor.engine.run(np.full((8, 8, 1), 200, np.uint8))),
            *(Example(0, "stranger", f"{at:016x}", f"{at:064x}", "", 1.8e9, answers) for at in range(2)),
        ]
    )
    write_people(people, Place(door.gallery))
    seen = Prediction(NAME, 0.9, 0.95, 0.5, ((NAME, 0.9), ("left", 0.1)), (Neighbour(f"{NAME}/enrolled-1", NAME, 0.05),), True, 0.9)
    with Journal(door.journal, "front-door", names=(NAME, "left", "top")) as journal:
        for at in range(20):
            journal.write(Decision(f"v{at}", "open", NAME, f"three frames in a row were {NAME}", "rule 1", "open"), at, 1.8e9 + at)
            journal.write(Ended(Visit(f"v{at}", at, at + 1, (seen,)), 3, 0, "open", NAME), at, 1.8e9 + at)
        journal.write(Remark("fault", "open", f"the lock did not open for {NAME}"), 30, 1.8e9)
    return door


def remnants(door: Door, answers: Outputs, predictor: Predictor) -> list[str]:
    """Return which traces of the person stand in which raw file beside DOOR.toml: the name in any form, the photo's digest, any answer for it."""
    forms = {form: unicodedata.normalize(form, NAME) for form in ("NFC", "NFD")}
    traces = {f"name {form}": text.encode() for form, text in forms.items()} | {"name utf-16": NAME.encode("utf-16-le")}
    traces |= {"digest": DIGEST.encode(), "digest bytes": bytes.fromhex(DIGEST)}
    left = read_people(door.gallery, predictor.model)
    if left is not None and not left[0].strangers:  # the strangers of this test have the same answers
        traces |= {name: getattr(answers, name).astype("<f4").tobytes() for name in NAMES}
    files = [path for path in door.folder.rglob("*") if path.is_file() and path != door.path]
    return [f"{what} in {path.name}" for path in files for what, trace in traces.items() if trace in path.read_bytes()]


def test_nothing_is_left(door: Door, predictor: Predictor, answers: Outputs) -> None:
    """Name, digest and answers are in no byte of any file; the other person and the chain are as they were."""
    forget(door, predictor.model, "unknown", SteppedClock())
    assert remnants(door, answers, predictor)
    gone = forget(door, predictor.model, unicodedata.normalize("NFD", NAME), SteppedClock())
    assert (gone.name, gone.photos, gone.names, gone.trained, gone.left) == (NAME, 1, 1, 0, ())
    assert remnants(door, answers, predictor) == []
    assert met(predictor, door.gallery).labels == ("left", "top", "seo")
    with Journal.read(door.journal) as journal:
        assert verify(journal).problems == ()
        rows = journal.entries("decision")
    assert len(rows) == 20 and all(NAME not in str(row.record) and "erased-" in str(row.record) for row in rows)
    assert not list(door.folder.glob(".*"))


def marked_as_deleted(people: People, place: Place) -> None:
    """A planted bug: rows are deleted, and their bytes stay in the file's free pages."""
    keep = [example.number for example in people.examples]
    with closing(sqlite3.connect(place.path)) as database:
        database.execute("PRAGMA secure_delete=OFF")
        database.execute(f"DELETE FROM example WHERE number NOT IN ({','.join('?' * len(keep))})", keep)
        database.commit()


def test_the_search_finds_a_planted_bug(door: Door, predictor: Predictor, answers: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gallery whose rows are only marked as deleted is caught; so is a journal that is left alone."""
    forget(door, predictor.model, "unknown", SteppedClock())
    with monkeypatch.context() as patched:
        patched.setattr(acquaintance, "_from_journal", lambda *_: (0, 0, ""))
        patched.setattr(acquaintance, "write_people", marked_as_deleted)
        forget(door, predictor.model, NAME, SteppedClock())
    traces = [path.read_bytes() for path in (door.gallery, door.journal)]
    assert all(NAME.encode() in raw for raw in traces)


def test_the_strangers_go_too(door: Door, predictor: Predictor) -> None:
    """`unknown` erases those who were measured, and nobody else."""
    assert forget(door, predictor.model, "unknown", SteppedClock()).photos == 2
    found = read_people(door.gallery, predictor.model)
    assert found is not None and not found[0].strangers and len(found[0].persons) == 2


def test_what_the_journal_did_not_know_is_told_too(door: Door, predictor: Predictor) -> None:
    """Somebody whom no row names, and the strangers: gone from the gallery, and a row says how many photos, and of nobody."""
    for name in ("seo", "unknown"):
        forget(door, predictor.model, name, SteppedClock())
    with Journal.read(door.journal) as journal:
        assert [row.record for row in journal.entries("erased")] == [
            Erased((), 0, "at a person's word", 1),
            Erased((), 0, "the strangers who were measured", 2),
        ]
        assert verify(journal).problems == ()


def test_who_confirmed_others_is_forgotten(door: Door, predictor: Predictor) -> None:
    """A person's name goes from the photos of others that they confirmed, which stay; the journal's row is the same as for anybody."""
    with Journal(door.journal, "front-door") as journal:
        journal.write(Enrolled("seo", 1, 0, "kim"), 0.0, 1.8e9)
    gone = forget(door, predictor.model, "kim", SteppedClock())
    assert (gone.photos, gone.names, gone.left) == (0, 1, ())
    found = read_people(door.gallery, predictor.model)
    assert found is not None and {one.confirmed_by for one in found[0].persons} == {"erased"} and len(found[0].persons) == 2
    assert not any(b"kim" in path.read_bytes() for path in (door.gallery, door.journal))


def test_what_the_model_learned_stays_and_is_said(door: Door, predictor: Predictor) -> None:
    """Somebody who was trained on: the model file must be made anew, and the sentence says how; a rule that names them is said too."""
    gone = forget(door, predictor.model, "left", SteppedClock())
    assert gone.trained == 2 and "trained on 2 photos of left" in gone.left[0] and "--skip left" in gone.left[0]
    door.path.write_text(door.path.read_text(encoding="utf-8").replace('"ana", "junho"', '"seo"'), encoding="utf-8")
    gone = forget(load_door(door.path), predictor.model, "seo", SteppedClock())
    assert gone.photos == 1 and "rule 1" in gone.left[0] and "will not start" in gone.left[0]


def test_a_plain_log_that_names_them_is_said(door: Door, predictor: Predictor) -> None:
    """A log:// file is nobody's journal: it is not touched, and it is named with what to do."""
    door.path.write_text(door.path.read_text(encoding="utf-8").replace("record://", "log://door.log"), encoding="utf-8")
    (door.folder / "door.log").write_text('{"state": "on", "label": "\\ubbfc\\uc11c-minseo"}\n', encoding="utf-8")
    gone = forget(load_door(door.path), predictor.model, NAME, SteppedClock())
    assert len(gone.left) == 1 and "door.log names" in gone.left[0] and "plain log" in gone.left[0]


def test_nobody_of_that_name(door: Door, predictor: Predictor) -> None:
    """A slip of the pen forgets nobody, and the near miss is offered."""
    with pytest.raises(InputError, match="did you mean"):
        forget(door, predictor.model, NAME + "o", SteppedClock())
    found = read_people(door.gallery, predictor.model)
    assert found is not None and len(found[0].persons) == 2
    with Journal.read(door.journal) as journal:
        assert not journal.entries("erased") and NAME in journal.names().values()


@pytest.mark.parametrize("word", ["frames", "lock", "nobody", "rule", "open"])
def test_a_word_is_no_name(door: Door, predictor: Predictor, word: str) -> None:
    """What the gate's own sentences say is nobody: refused as any name that occurs nowhere, and no row tells of an erasure."""
    with Journal(door.journal, "front-door") as journal:
        journal.write(Remark("fault", "open", "nobody may open"), 31, 1.8e9)
        before = journal.head().number
    with pytest.raises(InputError, match=f"nobody called '{word}' is known here"):
        forget(door, predictor.model, word, SteppedClock())
    with Journal.read(door.journal) as journal:
        assert journal.head().number == before and not journal.entries("erased")


def test_a_journal_that_cannot_be_scoured_is_said(door: Door, predictor: Predictor) -> None:
    """While somebody reads the journal its old pages stay; the person hears it, and a second call erases them."""
    with closing(sqlite3.connect(door.journal)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entry").fetchone()
        gone = forget(door, predictor.model, NAME, SteppedClock())
        assert "the journal may still hold the name" in gone.left[-1]
    with pytest.raises(InputError, match="gone to the last byte"):
        forget(door, predictor.model, NAME, SteppedClock())
    assert NAME.encode() not in door.journal.read_bytes()


def test_a_full_disk_forgets_nobody_halfway(door: Door, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the gallery cannot be written, the journal is not touched either: the command can be given again."""

    def full(*_: object, **__: object) -> None:
        raise GalleryError("the disk is full", "make room")

    monkeypatch.setattr(acquaintance, "write_people", full)
    with pytest.raises(GalleryError):
        forget(door, predictor.model, NAME, SteppedClock())
    with Journal.read(door.journal) as journal:
        assert NAME in journal.names().values()


def test_a_kept_model_forgets_too(door: Door, predictor: Predictor) -> None:
    """The gallery of the last good model goes with the person; one that does not name them stays; a kept file trained on them is named."""
    for kept in (last_good(door.model), undone(door.model)):
        kept.write_bytes(predictor.model.data)
    write_people(read_people(door.gallery, predictor.model)[0], Place(last_good(door.model).with_suffix(".gallery")))  # type: ignore[index]
    others = begun(predictor).plus([Example(0, "person", "seo", "f" * 64, "kim", 1.8e9, predictor.engine.run(np.full((8, 8, 1), 200, np.uint8)))])
    write_people(others, Place(undone(door.model).with_suffix(".gallery")))
    gone = forget(door, predictor.model, NAME, SteppedClock())
    assert not last_good(door.model).with_suffix(".gallery").exists() and undone(door.model).with_suffix(".gallery").exists()
    assert any("enrol the others again" in sentence for sentence in gone.left)
    assert sum("delete it" in sentence for sentence in forget(door, predictor.model, "left", SteppedClock()).left) == 2


def test_what_is_kept_and_cannot_be_read_is_said(door: Door, predictor: Predictor) -> None:
    """A folder where a kept gallery would be, a kept model that is broken: all else is forgotten, and both are named."""
    last_good(door.model).with_suffix(".gallery").mkdir()
    undone(door.model).write_bytes(b"half a model")
    gone = forget(door, predictor.model, NAME, SteppedClock())
    assert gone.photos == 1 and gone.names == 1
    assert len(gone.left) == 2 and "may still name them" in gone.left[0] and "may have been trained on" in gone.left[1]


def test_a_pin_goes_with_its_person(door: Door, predictor: Predictor) -> None:
    """Whoever is given the name next does not inherit the PIN; another person's stays. The strangers' own word in a rule is no name."""
    write_pins(door.factors, Pins().given(NAME, "pin", "246802").given("seo", "pin", "135791"))
    forget(door, predictor.model, NAME, SteppedClock())
    assert read_pins(door.factors).people.keys() == {"seo"}
    assert not any("take the name out" in sentence for sentence in forget(door, predictor.model, "unknown", SteppedClock()).left)


def test_who_is_known_to_a_kept_gallery_alone_is_forgotten(door: Door, predictor: Predictor) -> None:
    """Enrolled beside the model that was set aside: found, taken away, and not called unknown."""
    door.gallery.rename(last_good(door.model).with_suffix(".gallery"))
    door.journal.unlink()
    last_good(door.model).write_bytes(predictor.model.data)
    gone = forget(door, predictor.model, NAME, SteppedClock())
    assert "was taken away with them" in gone.left[0] and not last_good(door.model).with_suffix(".gallery").exists()
