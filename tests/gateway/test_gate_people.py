"""peephole gate enrol, forget, people, evidence: what they print, their exit codes, and that PyTorch is not needed."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from peephole.base.errors import DataError, GalleryError, InputError, JournalError
from peephole.cli.gate import app
from peephole.gateway import acquaintance
from peephole.gateway.journal import Enrolled, Erased, Journal, Remark

DAY = 1_793_600_000


@pytest.fixture
def door(tmp_path: Path, make_door: Callable[..., object], tiny_model_path: Path, tiny_photos: dict[str, np.ndarray]) -> Path:
    """A door with the tiny model, which knows left and top; photos of them, of min (a bright corner), and of two strangers."""
    make_door()
    path = tmp_path / "DOOR.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('"ana", "junho"', '"left"'), encoding="utf-8")
    (tmp_path / "door.onnx").write_bytes(tiny_model_path.read_bytes())
    draw = np.random.default_rng(1)
    corner = np.zeros((8, 8, 1), np.uint8)
    corner[:4, :4] = 250
    for name, pixels in {**tiny_photos, "min": corner, "other": np.rot90(tiny_photos["left-1"], 2)}.items():
        noisy = np.clip(np.kron(pixels[:, :, 0], np.ones((8, 8))) + draw.normal(0, 3, (64, 64)), 0, 255).astype(np.uint8)
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.fromarray(noisy).save(tmp_path / "photos" / name / "1.png")
    return path


def invoke(*words: object, code: int = 0, answer: str = "") -> str:
    result: Result = CliRunner().invoke(app, [str(word) for word in words], input=answer, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize(
    ("words", "hint"), [(("forget", "left"), "gate forget .* left --yes"), (("enrol", "min", "photos"), "gate enrol .* min PHOTOS --yes")]
)
def test_nobody_answers(door: Path, words: tuple[str, ...], hint: str) -> None:
    """Without a terminal, or after Ctrl-D, nothing is changed, and the hint says how to do without being asked."""
    verb, name, *photos = words
    with pytest.raises(InputError, match=rf"nobody answered, so nothing was changed\nhint: .*{hint}"):
        invoke(verb, door, name, *(door.parent / one for one in photos), *(["--flagged"] if photos else []))
    assert not list(door.parent.glob("*.gallery"))


def test_whoever_says_no(door: Path) -> None:
    """Is told that nothing happened."""
    assert "nothing was forgotten" in invoke("forget", door, "left", code=1, answer="n\n")


def test_enrol_asks_and_tells(door: Path) -> None:
    """Photo by photo; on yes the person is known, the evidence is told anew, and when the change counts."""
    photos = door.parent / "photos" / "min"
    told = invoke("enrol", door, "min", photos, "--confirmed-by", "kim", answer="n\n", code=1)
    assert (
        "1.png: in order (nearest of anybody else: top" in told
        and "in order" in told
        and "nothing was taken in" in told
        and not door.with_name("door.gallery").exists()
    )
    told = invoke("enrol", door, "min", photos, "--confirmed-by", "kim", answer="y\n")
    assert "min is known" in told and "confirmed by kim" in told and "counts from its next start" in told
    assert "false accept: 0 of 1 stranger" in told and "carried over to 3" in told and "No rule of" in told
    assert "min" in invoke("people", door) and "kim" in invoke("people", door)
    listed = json.loads(invoke("people", door, "--json"))
    assert [(row["name"], row["photos"]) for row in listed["people"]] == [("left", 2), ("top", 1), ("min", 1)]
    check = invoke("check", door, code=3)  # the recording is not there; the gallery is in order
    assert "adds min" in " ".join(check.split())


def rows(door: Path, kind: str) -> list[object]:
    """Return what the journal's rows of a kind say."""
    with Journal.read(door.with_name("journal.db")) as journal:
        return [row.record for row in journal.entries(kind)]


def test_who_was_enrolled_stands_in_the_journal(door: Path) -> None:
    """A row for each enrolment: who, how many photos, how many against a flag, and who confirmed; none where nobody was taken in."""
    photos = door.parent / "photos"
    invoke("enrol", door, "min", photos / "min", answer="n\n", code=1)
    assert not door.with_name("journal.db").exists()
    invoke("enrol", door, "min", photos / "min", photos / "left-1", "--confirmed-by", "kim", "--yes", "--flagged")
    assert rows(door, "enrolled") == [Enrolled("min", 2, 1, "kim")]
    told = invoke("journal", door, "--kind", "enrolled")
    assert "min: 2 photos taken in, 1 of them flagged, confirmed by kim" in " ".join(told.split())
    assert "enrolled" in invoke("journal", door, "--label", "min") and b"min" not in body_of(door)
    invoke("forget", door, "min", "--yes")
    (gone,) = rows(door, "erased")
    assert isinstance(gone, Erased) and (len(gone.pseudonyms), gone.photos) == (1, 2)
    assert "2 photos of the gallery" in " ".join(invoke("journal", door, "--kind", "erased").split())
    assert "min" not in str(rows(door, "enrolled")) and "kim" in str(rows(door, "enrolled"))
    assert "and nothing" not in invoke("journal", door, "--verify")


def body_of(door: Path) -> bytes:
    """Return what the rows hold, as they stand."""
    with Journal.read(door.with_name("journal.db")) as journal:
        return b"".join(row[6].encode() for row in journal.chained())


def test_what_cannot_be_journaled_does_not_happen(door: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another gate's journal, a full disk: nobody is taken in. A gallery that cannot be written: the row is taken back by another."""
    photos = door.parent / "photos" / "min"
    Journal(door.with_name("journal.db"), "another-door").close()
    with pytest.raises(JournalError, match="'another-door'"):
        invoke("enrol", door, "min", photos, "--yes")
    assert not door.with_name("door.gallery").exists()
    door.with_name("journal.db").unlink()

    def full(*_: object) -> None:
        raise GalleryError("the disk is full", "make room")

    monkeypatch.setattr(acquaintance, "write_people", full)
    with pytest.raises(GalleryError):
        invoke("enrol", door, "min", photos, "--yes", "--confirmed-by", "kim")
    assert rows(door, "enrolled") == [Enrolled("min", 1, 0, "kim")]
    assert rows(door, "fault") == [Remark("fault", "the gallery", "min was not taken in after all: the disk is full")]


def test_flagged_photos_are_left_out(door: Path) -> None:
    """A photo that the gate takes for somebody else is not taken in, not even with --yes; --flagged takes it at a person's word."""
    photos = door.parent / "photos"
    told = invoke("enrol", door, "min", photos / "left-1", "--yes", code=3)
    assert "the gate takes it for left" in told and "--flagged" in told and not door.with_name("door.gallery").exists()
    found = json.loads(invoke("enrol", door, "min", photos / "left-1", "--yes", "--json", code=3))
    assert found["taken"] == 0 and found["photos"][0]["flags"]
    found = json.loads(invoke("enrol", door, "min", photos / "left-1", photos / "min", "--yes", "--json"))
    assert found["taken"] == 1 and [row["taken"] for row in found["photos"]].count(True) == 1
    assert json.loads(invoke("enrol", door, "min", photos / "left-1", "--yes", "--flagged", "--json"))["taken"] == 1


def test_what_looks_like_nothing_is_flagged(door: Path) -> None:
    """The tiny model cannot tell a chequered board from an empty frame: enrolled, it would open the door to a hand on the lens."""
    told = invoke("enrol", door, "min", door.parent / "photos" / "stranger", "--yes", code=3)
    assert "a frame that shows nothing would pass as min" in told


def test_bad_input_is_refused(door: Path) -> None:
    """No photo, no folder, a name that is none, a folder for strangers that is not there, a gallery that is none."""
    with pytest.raises(InputError, match=r"nowhere.png is not there\nhint: .*correct the path"):
        invoke("enrol", door, "min", door.parent / "nowhere.png", "--yes")
    (door.parent / "nothing").mkdir()
    with pytest.raises(DataError, match=r"nothing holds no file\nhint: .*put photos of that person there"):
        invoke("enrol", door, "min", door.parent / "nothing", "--yes")
    (door.parent / "nothing" / "note.jpg").write_text("no photo")
    with pytest.raises(DataError, match=r"first: .*note.jpg: .*\nhint: .*can be opened"):
        invoke("enrol", door, "min", door.parent / "nothing", "--yes")
    with pytest.raises(InputError, match="word for strangers"):
        invoke("enrol", door, "unknown", door.parent / "photos", "--yes")
    with pytest.raises(InputError, match="cannot be a name"):
        invoke("enrol", door, "x" * 10_000, door.parent / "photos", "--yes")
    with pytest.raises(InputError, match="is no folder"):
        invoke("evidence", door, "--strangers", door.parent / "nowhere")
    with pytest.raises(InputError, match="nobody called"):
        invoke("forget", door, "nobody", "--yes")
    door.with_name("door.gallery").write_bytes(b"nothing")
    for words in (("run",), ("people",), ("evidence",), ("forget", "left", "--yes"), ("enrol", "min", door.parent / "photos", "--yes")):
        with pytest.raises(GalleryError):
            invoke(words[0], door, *words[1:])
    assert "gallery" in invoke("check", door, code=3)


def test_the_door_opens_to_whom_it_met(door: Path) -> None:
    """A rule may name an enrolled person, the gate opens to them and not before; after forgetting it does not start any more."""
    photos = door.parent / "photos" / "min"
    for at in range(3):
        (door.parent / "night" / "v1").mkdir(parents=True, exist_ok=True)
        (door.parent / "night" / "v1" / f"{at}.png").write_bytes((photos / "1.png").read_bytes())
    assert "0 opened" in invoke("run", door)
    invoke("enrol", door, "min", photos, "--yes")
    door.write_text(door.read_text(encoding="utf-8").replace('"left"]', '"left", "min"]'), encoding="utf-8")
    assert "1 opened" in (told := invoke("run", door)) and "three frames in a row were min" in told
    assert "1 opened" in invoke("replay", door, door.parent / "night")
    gone = json.loads(invoke("forget", door, "min", "--yes", "--json", code=3))
    assert gone["photos"] == 1 and gone["names"] == 1 and "rule 1" in gone["left"][0]
    with pytest.raises(InputError, match="rule 1 names 'min'"):
        invoke("run", door)
    with Journal.read(door.with_name("journal.db")) as journal:
        assert "min" not in journal.names().values()


def test_evidence_and_what_is_missing(door: Path) -> None:
    """The card's figures, strangers measured here, visits, and how many more of each; as sentences and as JSON."""
    told = invoke("evidence", door)
    assert "The gate knows 2 persons" in told and "a proof needs 299 strangers" in told and "of residents refused: a proof needs 59" in told
    invoke("enrol", door, "min", door.parent / "photos" / "min", "--yes")
    other = door.parent / "strangers"
    (other / "one").mkdir(parents=True)
    (other / "one" / "1.png").write_bytes((door.parent / "photos" / "other" / "1.png").read_bytes())
    told = invoke("evidence", door, "--strangers", other)
    assert "measured: 1 strangers, 1 photos" in told and "with everybody known here; proof" in told and "1 stranger kept" in told
    shots = []
    for visit, (name, truth) in enumerate((("left-1", "left"), ("other", "somebody"), ("min", "min"))):
        for frame in range(3):
            file = door.parent / f"{visit}-{frame}.png"
            file.write_bytes((door.parent / "photos" / name / "1.png").read_bytes())
            shots.append(f"{DAY + 60 * visit + 0.2 * frame},{file.name},v{visit},{truth}")
    table = door.with_name("visits.csv")
    table.write_text("\n".join(["time,file,visit,truth", *shots]), encoding="utf-8")
    found = json.loads(invoke("evidence", door, "--visits", table, "--json"))
    assert [(item["claim"], item["unit"], item["trials"], item["role"]) for item in found["visits"]] == [
        ("false accept", "visit", 1, "proof"),
        ("false accept", "stranger", 1, "proof"),
        ("false reject", "visit", 2, "proof"),
        ("taken for somebody else", "visit", 2, "proof"),
    ]
    assert "298 more" in found["missing"][0] or "must become better" in found["missing"][0]
    assert "per visit" in invoke("evidence", door, "--visits", table)
    with Journal(door.with_name("journal.db"), "front-door"):
        pass
    with pytest.raises(InputError, match="not who it was"):
        invoke("evidence", door, "--visits", door.with_name("journal.db"))
    table.write_text("\n".join(["time,file,visit", *(shot.rpartition(",")[0] for shot in shots)]), encoding="utf-8")
    with pytest.raises(InputError, match="says who it was") as told_of:
        invoke("evidence", door, "--visits", table)
    assert f"peephole gate evidence {door} --visits" in told_of.value.hint


def test_residents_are_no_strangers(door: Path) -> None:
    """A folder as for training holds them too, and each would count as a stranger: refused, and where the strangers lie."""
    photos = door.parent / "album"
    for name in ("left", "unknown/one"):
        (photos / name).mkdir(parents=True)
        (photos / name / "1.png").write_bytes((door.parent / "photos" / "other" / "1.png").read_bytes())
    with pytest.raises(InputError, match=r"photos of left, who is known here: no strangers\nhint: .*--strangers .*album/unknown"):
        invoke("evidence", door, "--strangers", photos)
    assert not list(door.parent.glob("*.gallery"))
    for at in range(7):
        (photos / "unknown" / "one" / f"note{at}.jpg").write_text("no photo")
    told = invoke("evidence", door, "--strangers", photos / "unknown")
    assert "7 left out" in told and told.count("left out: ") == 5 and "and 2 more" in told


def test_no_pytorch(door: Path) -> None:
    """Enrolling, listing, measuring and forgetting in a process in which PyTorch cannot be imported."""
    code = """
        import sys
        sys.modules["torch"] = None
        from peephole.cli.main import main
        for words in (["enrol", sys.argv[1], "min", sys.argv[2], "--yes"], ["people", sys.argv[1]], ["evidence", sys.argv[1]],
                      ["forget", sys.argv[1], "min", "--yes"]):
            sys.argv[1:] = [sys.argv[1], sys.argv[2]]
            kept, sys.argv = sys.argv, ["peephole", "gate", *words]
            try:
                main()
            except SystemExit as end:
                assert not end.code, (words, end.code)
            sys.argv = kept
        assert sys.modules["torch"] is None and not any(name.startswith("torch.") for name in sys.modules)
        print("without it")
    """
    words = [sys.executable, "-c", textwrap.dedent(code), str(door), str(door.parent / "photos" / "min")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stdout.endswith("without it\n"), done.stderr
