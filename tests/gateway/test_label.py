"""peephole gate label: a real door keeps pictures, a person names them, a photo folder and a recording come out; and all that can go wrong."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

import peephole.decide.predictor
from peephole.base.engine import Outputs
from peephole.base.errors import InputError, JournalError, MissingInput, OutputError, PhotoError
from peephole.cli.gate import app
from peephole.cli.gatelabel import next_commands
from peephole.data.photos import require_trainable, scan
from peephole.gateway import gathering, labelled
from peephole.gateway.agent import run
from peephole.gateway.door import Door
from peephole.gateway.erasure import erase
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.gathering import Gathered, Seen, look
from peephole.gateway.journal import Journal
from peephole.gateway.recording import read_recording
from peephole.gateway.sheet import chosen

COLOURS = {"ana": (200, 30, 30), "junho": (30, 30, 200)}
VISITS = {"a1": "ana", "a2": "ana", "j1": "junho", "s1": "stranger", "s2": "stranger"}


class ColourEye:
    """The fake model with eyes: its embedding is the mean colour."""

    def __init__(self) -> None:
        fake = ColourPredictor(COLOURS)
        self.card, self.labels, self.predict, self.follow = fake.card, fake.labels, fake.predict, fake.follow
        self.model = SimpleNamespace(data=b"")
        self.engine = SimpleNamespace(run=self._run)

    def _run(self, images: np.ndarray) -> Outputs:
        empty = np.empty((len(images), 0), np.float32)
        return Outputs(empty, images.mean((1, 2)).astype(np.float32), empty, empty)

    def prepare(self, photo: Image.Image) -> np.ndarray:
        """Return a picture as it is; a black one shows nobody."""
        pixels = np.asarray(photo.convert("RGB"))
        if pixels.max() < 10:
            raise PhotoError("no face was found")
        return pixels


@pytest.fixture
def paint_visits(tmp_path: Path, paint: Callable[[Path, str], Path]) -> Callable[..., None]:
    """Return a function that paints three frames of each visit into a recording."""

    def draw(name: str, **visits: str) -> None:
        for visit, who in visits.items():
            for number in range(3):
                paint(tmp_path / name / visit / f"{number}.png", who)

    return draw


@pytest.fixture
def door(make_door: Callable[..., Door], paint_visits: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Door:
    """A door that has seen ana twice, junho once and a stranger twice, three frames each, and kept the pictures."""
    monkeypatch.setattr(peephole.decide.predictor, "load", lambda path: ColourEye())
    paint_visits("night", **VISITS)
    made = make_door(source="replay://night?start=2026-11-02T08:00", more="[journal]\npictures = {days = 14, megabytes = 5}")
    run(made, ColourEye().predict, ColourEye().card)
    return made


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the photo folder goes."""
    return tmp_path / "photos"


def invoke(door: Door, out: Path, *words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, ["label", str(door.path), "-o", str(out), *words], input=typed, catch_exceptions=False)


def told(door: Door, out: Path, *words: str, typed: str | None = None) -> str:
    result = invoke(door, out, *words, typed=typed)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def listed(door: Door, out: Path) -> dict[str, str]:
    """Return {who it really is: question}, by what the gate said."""
    asked = json.loads(invoke(door, out, "--json").stdout)["questions"]
    return {next(iter(one["visits"]))[0]: one["question"] for one in asked}


def answer(door: Door, out: Path, answers: dict[str, str], *words: str) -> dict[str, object]:
    path = door.folder / "answers.json"
    path.write_text(json.dumps(answers), encoding="utf-8")
    return json.loads(told(door, out, "--answers", str(path), "--json", *words))


def files(folder: Path) -> dict[str, list[str]]:
    """Return {label or unknown/stranger: names} of a photo folder."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.jpg")):
        found.setdefault(path.parent.relative_to(folder).as_posix(), []).append(path.name)
    return found


def digests(folder: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.jpg")]


def test_a_person_names_what_the_gate_saw(door: Door, out: Path) -> None:
    """Three questions for 15 pictures; each shows what the gate said and where to look; the folder is one that can be trained with."""
    text = told(door, out, typed="ana\nunknown postman\njunho\n")
    assert "15 pictures of 5 visits without a name, in 3 questions" in text
    assert "6 pictures of 2 visits, 2026-11-02 08:0" in text and "the gate said: ana (6)" in text and "a stranger (6, most like" in text
    assert "15 pictures written, 0 there already" in text and "of 9 pictures that the gate took for somebody it knows, 0 were" in text
    assert files(out) == {
        "ana": [f"a{visit}-{number}.jpg" for visit in (1, 2) for number in (1, 2, 3)],
        "junho": [f"j1-{number}.jpg" for number in (1, 2, 3)],
        "unknown/postman": [f"s{visit}-{number}.jpg" for visit in (1, 2) for number in (1, 2, 3)],
    }
    listing = scan(out)
    require_trainable(listing)
    assert listing.labels == ("ana", "junho") and {photo.stranger for photo in listing.photos if photo.label == "unknown"} == {"postman"}
    assert f"peephole train {out} -o new.onnx" in " ".join(text.split())
    assert out.stat().st_mode & 0o777 == 0o700
    assert not (out.parent / "photos.sheets").exists()


def test_the_sheet_shows_the_cluster(door: Door, out: Path) -> None:
    """The contact sheet lies beside the folder while somebody is asked, not in it, and shows the pictures' colours."""
    asked = json.loads(invoke(door, out, "--json").stdout)["questions"]
    sheet = np.asarray(Image.open(asked[0]["sheet"]), int)
    assert not out.exists() and Path(asked[0]["sheet"]).parent == out.parent / "photos.sheets"
    kinds = {tuple(np.round(np.asarray(Image.open(one["sheet"]), int)[90, 90] / 50)) for one in asked}
    assert kinds == {(4, 1, 1), (1, 4, 1), (1, 1, 4)} and sheet.shape[1] == 6 * 186 + 6
    told(door, out, typed="")
    assert not (out.parent / "photos.sheets").exists()


def test_it_goes_on_another_day(door: Door, out: Path) -> None:
    """Quit and the terminal's end keep what was answered; the next time only the rest is asked, and nothing is written twice."""
    assert "6 pictures written" in told(door, out, typed="ana\nquit\n")
    text = told(door, out, typed="unknown\n")
    assert "9 pictures of 3 visits without a name, in 2 questions" in text and "nobody is there to answer" in text
    assert "6 pictures written, 0 there already" in text
    assert "3 pictures written" in told(door, out, typed="junho\n")
    before = files(out)
    assert "0 pictures of 0 visits without a name" in told(door, out, typed="") and files(out) == before
    assert len(digests(out)) == len(set(digests(out))) == 15


def test_back_and_skip(door: Door, out: Path) -> None:
    """An answer is taken back, also one of those that were skipped; at the first question there is no way back."""
    text = told(door, out, typed="back\njunho\nback\nana\nskip\nback\nunknown\nskip\n")
    assert "this is the first question" in text and text.count("taken back") == 2
    assert list(files(out)) == ["ana", next(name for name in files(out) if name.startswith("unknown/stranger-"))]
    assert "3 pictures of 1 visit without a name" in told(door, out, typed="")
    before = files(out)
    told(door, out, typed="junho\nwhat\nback\nskip\n\nnobody hears this\n")
    assert files(out) == before


def test_a_changed_answer_moves_the_pictures(door: Door, out: Path) -> None:
    """Answers that are edited in the file beside the folder move what was written, and only that."""
    told(door, out, typed="ana\nunknown\njunho\n")
    kept = out.parent / "photos.answers.json"
    kept.write_text(kept.read_text(encoding="utf-8").replace('"junho"', '"mina"'), encoding="utf-8")
    assert "3 pictures written, 0 there already, 3 removed" in told(door, out, typed="")
    assert "mina" in files(out) and "junho" not in files(out) and len(digests(out)) == 15


def test_a_hand_that_moved_a_picture_is_respected(door: Door, out: Path) -> None:
    """A picture that a person moved to another label, or had there before, is not written again."""
    told(door, out, typed="ana\nskip\nskip\n")
    (out / "mina").mkdir()
    (out / "ana" / "a1-1.jpg").rename(out / "mina" / "mine.jpg")
    assert "0 pictures written, 1 there already" in told(door, out, typed="")
    assert files(out)["mina"] == ["mine.jpg"] and len(files(out)["ana"]) == 5
    (out / "unknown" / "dog").mkdir(parents=True)
    (out / "unknown" / "dog" / "x.jpg").write_bytes((out / "ana" / "a1-2.jpg").read_bytes() + b"another picture")
    assert "0 pictures written" in told(door, out, typed="") and files(out)["unknown/dog"] == ["x.jpg"]


def test_a_hard_negative(door: Door, out: Path) -> None:
    """It was not ana: that goes to strangers of its own, or to whoever it is; the gate's mistake is counted."""
    text = told(door, out, typed="not ana\n\nnot junho\nmina\nnot mina: junho\n")
    assert (
        "a stranger, stranger-" in text
        and "not ana" in text
        and "of 9 pictures that the gate took for somebody it knows, 6 were of somebody else" in text
    )
    assert {name.split("-")[0] for name in files(out)} == {"unknown/stranger", "mina", "junho"}
    answers = json.loads((out.parent / "photos.answers.json").read_text(encoding="utf-8"))["answers"]
    assert [one["denied"] for one in answers] == ["ana", "junho", "mina"]
    assert "would not know ana" in text


def test_two_strangers_are_two_sources(door: Door, out: Path) -> None:
    """Each cluster of strangers is a sub-folder of its own; that some may be one person is said, for they would be counted twice."""
    text = told(door, out, typed="unknown\nunknown\nunknown\n")
    assert "3 strangers have no name" in text and "most like: " not in text  # red, green and blue are nobody's likeness
    assert len(files(out)) == 3 and all(name.startswith("unknown/stranger-") for name in files(out))


def test_a_mixed_cluster_is_taken_apart(door: Door, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people in one question become two questions."""
    monkeypatch.setattr("peephole.gateway.interview.clusters", lambda embeddings, visits: (tuple(range(len(visits))),))
    text = told(door, out, typed="mixed\nmixed\njunho\nback\nunknown\nana\njunho\n")
    assert "taken apart" in text and len(files(out)) >= 2
    for pictures in files(out).values():
        assert len({name[0] for name in pictures}) == 1


def test_what_a_cluster_is_most_like(door: Door, out: Path) -> None:
    """Whoever was just named is recognised in the next question, also after a cluster was taken apart; somebody else is like nobody."""
    assert "most like: ana (distance 0.00)" in told(door, out, typed="mixed\nana\n")
    assert "most like" not in told(door, out, typed="unknown\n").replace("most like ana", "").replace("most like junho", "")


def test_a_name_that_is_nearly_known(door: Door, out: Path) -> None:
    """A slip of the hand is asked about once; written again, it is a name. A long name, one with a slash and one in capitals are none."""
    text = told(door, out, typed=f"anna\nana\njunhoo\njunhoo\n{'x' * 10_000}\na/b\nANA\n\njunho\n")
    assert (
        "'anna' is new (did you mean 'ana'?)" in text and "10,000 letters is too long" in text and "holds a slash" in text and "capitals only" in text
    )
    assert set(files(out)) == {"ana", "junho", "junhoo"}


def test_answers_from_a_file(door: Door, out: Path) -> None:
    """By question, or by picture; what is left out stays open; the answer is JSON."""
    asked = json.loads(invoke(door, out, "--json").stdout)["questions"]
    one = asked[0]["pictures"][0]["sha256"]
    found = answer(door, out, {asked[0]["question"]: "ana", asked[1]["question"]: "unknown", one: "mina"})
    assert found["open"] == [asked[2]["question"]] and found["written"] == 12
    assert {name: len(pictures) for name, pictures in files(out).items() if not name.startswith("unknown")} == {"ana": 5, "mina": 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"QUESTION": "a/b"}', "slash"),
        ('{"QUESTION": "back"}', "for the terminal"),
        ('{"QUESTION": "mixed"}', "for the terminal"),
        ('{"QUESTION": "ana", "0123": "ana"}', "no question '0123'"),
        ('{"QUESTION": 3}', "does not hold answers"),
        ("[]", "does not hold answers"),
        ("{", "cannot be read as JSON"),
        ('{"PICTURE": "skip"}', "does not say who"),
    ],
)
def test_a_file_of_answers_that_is_wrong(door: Door, out: Path, text: str, why: str) -> None:
    """Nothing is kept and nothing written when any answer is wrong."""
    asked = json.loads(invoke(door, out, "--json").stdout)["questions"]
    path = door.folder / "answers.json"
    path.write_text(text.replace("QUESTION", asked[0]["question"]).replace("PICTURE", asked[0]["pictures"][0]["sha256"]))
    with pytest.raises(InputError, match=why):
        invoke(door, out, "--answers", str(path))
    assert not out.exists() and not (out.parent / "photos.answers.json").exists()
    with pytest.raises(MissingInput, match="no file"):
        invoke(door, out, "--answers", "none.json")


def test_nobody_who_was_erased(door: Door, out: Path) -> None:
    """Ana is erased after she was named: her pictures leave the folder, one that was moved too, and her answers; the rest is as in the album."""
    told(door, out, typed="ana\nunknown\nskip\n")
    (out / "mina").mkdir()
    (out / "ana" / "a1-1.jpg").rename(out / "mina" / "mine.jpg")
    with Journal(door.journal, "front-door") as journal:
        erase(journal, "ana", 0.0, 1.8e9, door.pictures)
    text = told(door, out, typed="junho\n")
    assert "3 pictures of 1 visit without a name" in text and f"{15 - len(list(door.pictures.iterdir()))} removed" in text
    assert set(digests(out)) == {path.stem.split("-")[2] for path in door.pictures.iterdir()}
    assert "ana" not in files(out) and "mina" not in files(out) and len(files(out)["junho"]) == 3
    assert "ana" not in [one["label"] for one in json.loads((out.parent / "photos.answers.json").read_text())["answers"]]


def test_an_erasure_while_somebody_answers(door: Door, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is erased between the question and the writing is not written; a gathering that does not look again is caught."""
    copies = {path: path.read_bytes() for path in door.pictures.iterdir()}
    hear = peephole.gateway.interview.Interview.hear

    def slowly(self, text: str, sure: bool = False) -> str:
        with Journal(door.journal, "front-door") as journal:
            erase(journal, "ana", 0.0, 1.8e9, door.pictures)
        for path, data in copies.items():
            path.write_bytes(data)  # as from a backup: the file is there again, the person is still erased
        return hear(self, text, sure)

    monkeypatch.setattr(peephole.gateway.interview.Interview, "hear", slowly)
    told(door, out, typed="ana\n")
    assert files(out) == {} and "ana" not in (out.parent / "photos.answers.json").read_text(encoding="utf-8")
    monkeypatch.undo()
    monkeypatch.setattr(peephole.decide.predictor, "load", lambda path: ColourEye())
    asked = json.loads(invoke(door, out, "--json").stdout)["questions"]
    assert not any("ana" in (picture["label"] or "") for one in asked for picture in one["pictures"]) and "a1" not in {
        visit for one in asked for visit in one["visits"]
    }
    monkeypatch.setattr(peephole.gateway.interview.Interview, "hear", slowly)
    monkeypatch.setattr(gathering, "erased_pictures", lambda journal: frozenset())
    told(door, out, typed="ana\n")
    assert files(out)  # the planted bug: nobody asked the journal who was erased


def test_pictures_that_are_gone_changed_or_broken(door: Door, out: Path) -> None:
    """Each is left out and told, and the others are asked about."""
    paths = sorted(door.pictures.iterdir())
    paths[0].unlink()
    paths[1].write_bytes(b"another picture")
    text = told(door, out, typed="ana\nskip\nskip\n")
    assert "of 15 pictures that were kept, 1 is gone, by age, size or erasure" in text
    assert "1 picture left out: it was changed since it was kept" in text and "13 pictures of 5 visits" in text
    assert len(digests(out)) in (4, 6)


def test_a_picture_in_which_nobody_is_found(door: Door, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the region refuses is counted by reason; a picture that nobody can decode too."""
    data = b"not a picture at all"
    digest = hashlib.sha256(data).hexdigest()
    real = gathering.gather

    def odd(door: Door) -> Gathered:
        found = real(door)
        path = door.pictures / f"0000000099-0000000000-{digest}.jpg"
        path.write_bytes(data)
        black = door.pictures / "black.jpg"
        Image.new("RGB", (24, 24)).save(black)
        one = replace(found.seen[0], digest=digest, path=path)
        two = replace(found.seen[0], digest=hashlib.sha256(black.read_bytes()).hexdigest(), path=black)
        return replace(found, seen=(*found.seen, one, two))

    monkeypatch.setattr(gathering, "gather", odd)
    text = told(door, out, typed="ana\nskip\nskip\n")
    assert "1 picture left out: no face was found" in text and text.count("1 picture left out") == 2


def test_the_same_picture_in_two_visits(door: Door, out: Path, make_door: Callable[..., Door], tmp_path: Path) -> None:
    """A still scene that comes twice is one photo, but stays a frame of both visits in the recording."""
    path = next((tmp_path / "night").glob("a1/*.png"))
    for number in range(3):
        (tmp_path / "still" / f"x{number}").mkdir(parents=True)
        for frame in range(3):
            (tmp_path / "still" / f"x{number}" / f"{frame}.png").write_bytes(path.read_bytes())
    still = make_door(source="replay://still?start=2026-11-03T08:00", more="[journal]\npictures = {days = 14, megabytes = 5}")
    run(still, ColourEye().predict, ColourEye().card)
    text = told(still, out, "--export-recording", str(tmp_path / "recorded"), typed="ana\nskip\nskip\n")
    assert len(digests(out)) == len(set(digests(out))) and "8 visits" in text
    assert len(read_recording(tmp_path / "recorded" / "recording.csv").shots) >= 16


def test_a_recording_with_who_it_was(door: Door, out: Path, tmp_path: Path, paint_visits: Callable[..., None]) -> None:
    """Visits, times and truths; the named stranger by name, another one as unknown; the gate replays it with the same outcome."""
    text = told(door, out, "--export-recording", str(tmp_path / "recorded"), typed="ana\nunknown postman\nskip\n")
    assert "5 visits, of 4 it is known who came" in text and "prove no rate" in text and "recorded/recording.csv --model new.onnx" in text
    recording = read_recording(tmp_path / "recorded" / "recording.csv")
    assert recording.dated and len(recording.shots) == 15
    assert [shot.truth for shot in recording.shots[::3]] == ["ana", "ana", None, "postman", "postman"]
    assert [(shot.visit or "").split(" ")[1] for shot in recording.shots[::3]] == list(VISITS)
    result = CliRunner().invoke(app, ["replay", str(door.path), str(tmp_path / "recorded" / "recording.csv"), "--json"], catch_exceptions=False)
    summary = json.loads(result.stdout)
    assert summary["visits"] == 5 and [outcome["label"] for outcome in summary["outcomes"]] == ["ana", "ana", "junho", None, None]
    with pytest.raises(InputError, match="is there already"):
        invoke(door, out, "--export-recording", str(tmp_path / "recorded"), typed="")


def test_a_visit_of_two_people_counts_for_nobody(door: Door, out: Path, tmp_path: Path) -> None:
    """One frame of a visit is somebody else: the recording does not say who came."""
    asked = json.loads(invoke(door, out, "--json").stdout)["questions"]
    found = answer(
        door, out, {asked[0]["question"]: "ana", asked[0]["pictures"][0]["sha256"]: "mina"}, "--export-recording", str(tmp_path / "recorded")
    )
    assert found["recording"] == {"visits": 5, "known": 1, "mixed": 1, "undated": 0}


def test_a_clock_that_was_never_set(make_door: Callable[..., Door], paint_visits: Callable[..., None], out: Path, tmp_path: Path, door: Door) -> None:
    """Visits without a date are left out beside dated ones; where none has one, times count from the start."""
    paint_visits("dawn", b1="ana")
    dawn = make_door(source="replay://dawn", more="[journal]\npictures = {days = 14, megabytes = 5}")
    run(dawn, ColourEye().predict, ColourEye().card)
    assert "1 visit left out: the clock was not set then" in told(dawn, out, "--export-recording", str(tmp_path / "one"), typed="")
    dawn.path.write_text(dawn.path.read_text().replace("[journal]", '[journal]\npath = "other.db"'))
    other = peephole.gateway.door.load_door(dawn.path)
    run(other, ColourEye().predict, ColourEye().card)
    text = told(other, tmp_path / "else", "--export-recording", str(tmp_path / "two"), typed="ana\n")
    assert "the clock was not set" in text
    recording = read_recording(tmp_path / "two" / "recording.csv")
    assert not recording.dated and [round(shot.time, 3) for shot in recording.shots] == [0.0, 0.2, 0.4]


def test_no_pictures(make_door: Callable[..., Door], paint_visits: Callable[..., None], out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No journal, none kept, none yet, and all gone: each with the way out."""
    monkeypatch.setattr(peephole.decide.predictor, "load", lambda path: ColourEye())
    paint_visits("night", a1="ana")
    made = make_door()
    with pytest.raises(MissingInput, match="there is no journal"):
        invoke(made, out)
    Journal(made.journal, "front-door").close()
    with pytest.raises(InputError, match="no pictures are kept") as caught:
        invoke(made, out)
    assert "pictures = {days" in caught.value.hint
    made = make_door(more="[journal]\npictures = {days = 14, megabytes = 5}")
    with pytest.raises(InputError, match="no visit was recorded with pictures yet"):
        invoke(made, out)
    run(made, ColourEye().predict, ColourEye().card)
    for path in made.pictures.iterdir():
        path.unlink()
    with pytest.raises(InputError, match="all 3 pictures that were kept are gone"):
        invoke(made, out)
    assert not out.exists()


def test_the_journal_of_another_gate(door: Door, out: Path) -> None:
    """Its pictures are of other visitors; answers for another gate are not mixed in either."""
    told(door, out, typed="ana\n")
    door.path.write_text(door.path.read_text().replace('name = "front-door"', 'name = "back-door"'))
    with pytest.raises(JournalError, match="journal of the gate 'front-door', not of 'back-door'"):
        invoke(door, out)
    door.path.write_text(door.path.read_text().replace("[journal]", '[journal]\npath = "back.db"'))
    back = peephole.gateway.door.load_door(door.path)
    run(back, ColourEye().predict, ColourEye().card)
    with pytest.raises(InputError, match="answers for the gate 'front-door', not for 'back-door'"):
        invoke(back, out)


def test_a_folder_that_cannot_take_labels(door: Door, out: Path) -> None:
    """A file in the way, and a folder that is divided already, are refused before anybody is asked."""
    out.write_text("in the way")
    with pytest.raises(InputError, match="is not a folder"):
        invoke(door, out, typed="ana\n")
    out.unlink()
    for place in ("train/ana", "test/ana"):
        (out / place).mkdir(parents=True)
    with pytest.raises(InputError, match="divided into train/"):
        invoke(door, out, typed="ana\n")


@pytest.fixture
def full_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Return a function that lets the disk take so many more pictures, then none."""

    def fill(count: int) -> None:
        real, left = labelled.write_atomic, [count]

        def write(path: Path, data: bytes | str) -> Path:
            left[0] -= 1
            if left[0] < 0:
                raise OutputError(f"{path} cannot be written: No space left on device", "make room")
            return real(path, data)

        monkeypatch.setattr(labelled, "write_atomic", write)

    yield fill


def test_a_disk_that_is_full(door: Door, out: Path, full_after: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered is kept, what was written is known, and the next time goes on from there."""
    full_after(4)
    with pytest.raises(OutputError, match="No space left"):
        invoke(door, out, typed="ana\nunknown\njunho\n")
    kept = json.loads((out.parent / "photos.answers.json").read_text(encoding="utf-8"))
    assert len(kept["written"]) == len(digests(out)) == 4 and len(kept["answers"]) == 3
    assert all((out / place).is_file() for place in kept["written"].values())
    monkeypatch.undo()
    monkeypatch.setattr(peephole.decide.predictor, "load", lambda path: ColourEye())
    assert "11 pictures written, 0 there already" in told(door, out, typed="")
    assert len(set(digests(out))) == 15


def test_a_power_cut_before_the_record(door: Door, out: Path) -> None:
    """Pictures that were written, but not noted, count as ours: a changed answer still moves them."""
    told(door, out, typed="ana\nunknown\njunho\n")
    kept = out.parent / "photos.answers.json"
    value = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(json.dumps(value | {"written": {}}), encoding="utf-8")
    assert "0 pictures written, 15 there already" in told(door, out, typed="")
    kept.write_text(kept.read_text(encoding="utf-8").replace('"junho"', '"mina"'), encoding="utf-8")
    assert "3 removed" in told(door, out, typed="") and "junho" not in files(out)


def test_visits_with_odd_names(make_door: Callable[..., Door], paint: Callable[[Path, str], Path], out: Path, tmp_path: Path, monkeypatch) -> None:
    """A visit's name from outside leads out of no folder, and is spelt out on the screen."""
    monkeypatch.setattr(peephole.decide.predictor, "load", lambda path: ColourEye())
    odd = ["../../x", "=1+1", "준호" * 60, ".hidden", "a\u202eb"]
    rows = ["time,file,visit"]
    for number, visit in enumerate(odd):
        for frame in range(3):
            paint(tmp_path / "f" / f"{number}-{frame}.png", "ana")
            rows.append(f"{1.79e9 + number * 60 + frame * 0.2:.1f},f/{number}-{frame}.png,{visit}")
    (tmp_path / "odd.csv").write_text("\n".join(rows), encoding="utf-8")
    made = make_door(source="replay://odd.csv", more="[journal]\npictures = {days = 14, megabytes = 5}")
    run(made, ColourEye().predict, ColourEye().card)
    text = told(made, out, "--export-recording", str(tmp_path / "recorded"), typed="ana\n")
    assert "\u202e" not in text and "15 pictures written" in text
    assert len(files(out)["ana"]) == 15 and not [name for name in files(out)["ana"] if name.startswith(".")]
    assert len(read_recording(tmp_path / "recorded" / "recording.csv").shots) == 15
    require_pictures = scan(out)
    assert len(require_pictures.photos) == 15 and not require_pictures.refused


def test_ctrl_c_and_bytes_that_are_no_text(door: Door, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no text is asked again; Ctrl-C keeps what was answered, as the terminal's end does."""
    lines: list[str | BaseException] = [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "ana\n", KeyboardInterrupt()]

    def readline() -> str:
        line = lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        return line

    monkeypatch.setattr("peephole.cli.gatelabel.sys", SimpleNamespace(stdin=SimpleNamespace(readline=readline)))
    text = told(door, out)
    assert "not valid text" in text and "6 pictures written" in text and not lines


def test_a_real_model_is_seen_in_its_own_space(drawn_model: Path, drawn_photos: Path) -> None:
    """Cosines between what is looked at are those that the model file answers; without its centre they would not be."""
    predictor = peephole.decide.predictor.load(drawn_model)
    ids = predictor.card.unknown.known_ids
    paths = [drawn_photos / name for name in ids]
    seen = [Seen(hashlib.sha256(path.read_bytes()).hexdigest(), "v", 1.8e9, None, "X", path) for path in paths]
    looked = look(seen, predictor)
    outputs = predictor.engine.run(np.stack([predictor.prepare(path) for path in paths]))

    def cosines(vectors: np.ndarray) -> np.ndarray:
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit @ unit.T

    assert len(looked.seen) == len(ids) > 8
    assert np.abs(cosines(looked.embeddings) - outputs.similarity).max() < 1e-3
    assert np.abs(cosines(outputs.embedding) - outputs.similarity).max() > 0.1


def test_too_many_pictures_at_a_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ones are asked about first, the rest is for another day."""
    monkeypatch.setattr(gathering, "MOST", 6)
    gathered = gathering.gather(door)
    looked = look(gathered.seen, ColourEye())
    assert [one.visit for one in looked.seen] == ["a1"] * 3 + ["a2"] * 3 and looked.left == 9


def test_a_sheet_shows_each_visit() -> None:
    """Of many pictures, one of each visit comes first, and visits are spread where they are more than there is room."""
    seen = [Seen(f"{at:064x}", f"v{at // 10}", 1.8e9 + at, None, None, Path("none")) for at in range(100)]
    assert [one.visit for one in chosen(seen, 10)] == [f"v{at}" for at in range(10)]
    assert len(chosen(seen, 24)) == 24 and {one.visit for one in chosen(seen, 24)} == {f"v{at}" for at in range(10)}
    long = [Seen(f"{at:064x}", "long" if at < 90 else f"v{at}", 1.8e9 + at, None, None, Path("none")) for at in range(100)]
    assert {one.visit for one in chosen(long, 12)} == {"long", *(f"v{at}" for at in range(90, 100))}
    assert [one.visit for one in chosen(seen, 5)] == ["v0", "v2", "v4", "v6", "v8"] and chosen(seen[:3]) == tuple(seen[:3])


def test_the_next_commands_exist() -> None:
    """Every verb that is named is there; replay and promote are named as soon as they are."""
    verbs = {command.name for command in app.registered_commands}
    lines = next_commands(verbs, Path("DOOR.toml"), Path("photos"), None)
    for line in lines[1:]:
        assert line.split()[2] in verbs
    assert ("promote" in verbs) == any(line == "peephole gate promote DOOR.toml new.onnx" for line in lines)
    assert lines[:2] == ["peephole train photos -o new.onnx", "peephole gate replay DOOR.toml RECORDING --model new.onnx"]
    assert next_commands({"promote"}, Path("D.toml"), Path("p"), None)[-1] == "peephole gate promote D.toml new.onnx"
