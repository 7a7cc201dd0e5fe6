"""Pictures of visits: kept by days and megabytes, bound to the chain, and never in the way of the door."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from peephole.base.errors import JournalError
from peephole.base.records import Decision, Frame, Prediction, Quality, Visit
from peephole.gateway.agent import run
from peephole.gateway.audit import verify
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal, Kept, Remark
from peephole.gateway.pictures import Album, PictureKeeper, jpeg
from peephole.gateway.policy import Ended
from peephole.gateway.sensors import Capture

DAY = 86_400.0
NOW = 1.8e9
PIXELS = np.full((48, 64, 3), 127, np.uint8)


def prediction(label: str | None, best: str = "ana") -> Prediction:
    return Prediction(label, 0.9, 0.9, 0.5, ((best, 0.9),), (), label is not None, 0.5)


def capture(at: float, pixels: np.ndarray = PIXELS) -> Capture:
    return Capture(at, NOW + at, "x", Frame(at, NOW + at, "x", pixels, Quality(0.5, 0.5)))


def ended(visit: str) -> Ended:
    return Ended(Visit(visit, 0, 1, ()), 1, 0, "open", "ana")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal."""
    with Journal(tmp_path / "j.db", "front") as opened:
        yield opened


@pytest.fixture
def album(tmp_path: Path) -> Album:
    """An album of a megabyte and two weeks."""
    return Album(tmp_path / "pictures", 14, 1)


def started(album: Album, journal: Journal, **more) -> PictureKeeper:
    keeper = PictureKeeper(album, journal, **more)
    keeper.heard(Remark("start", "x", "y"), 1, 0.0, NOW)
    return keeper


def kept(journal: Journal) -> list[Kept]:
    return [row.record for row in journal.entries("pictures") if isinstance(row.record, Kept)]


def test_a_run_keeps_pictures(tmp_path: Path, make_door: Callable[..., Door], paint: Callable[[Path, str], Path], model: ColourPredictor) -> None:
    """Two visits, three frames each: six JPEGs whose digests stand in two rows, with whom they were taken for; all verifies."""
    for visit, who in (("v1", "ana"), ("v2", "stranger")):
        for number in range(3):
            paint(tmp_path / "night" / visit / f"{number}.png", who)
    door = make_door(more="[journal]\npictures = {days = 14, megabytes = 5}")
    run(door, model.predict, model.card)
    with Journal.read(door.journal) as reading:
        rows = kept(reading)
        assert verify(reading, pictures=door.pictures).problems == ()
        assert [row.kind for row in reading.entries()].count("stop") == 1
    assert [(row.visit, len(row.pictures), row.dropped) for row in rows] == [("v1", 3, 0), ("v2", 3, 0)]
    assert {(picture.label, picture.like) for picture in rows[0].pictures} == {("ana", "ana")}
    assert {picture.label for picture in rows[1].pictures} == {None}
    files = sorted(door.pictures.iterdir())
    assert [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] == [picture.digest for row in rows for picture in row.pictures]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files) and door.pictures.stat().st_mode & 0o077 == 0
    with Image.open(files[0]) as image:
        assert image.size == (32, 24)


def test_without_the_setting_nothing_is_kept(
    tmp_path: Path, make_door: Callable[..., Door], paint: Callable[[Path, str], Path], model: ColourPredictor
) -> None:
    """No folder, no row."""
    paint(tmp_path / "night" / "v1" / "1.png", "ana")
    door = make_door()
    run(door, model.predict, model.card)
    assert not door.pictures.exists()


def test_a_changed_picture_is_found(tmp_path: Path, album: Album, journal: Journal) -> None:
    """One that is gone is in order, one that is another is not."""
    keeper = started(album, journal)
    keeper.saw(capture(0), prediction("ana"), "", "v1")
    keeper.saw(capture(1, PIXELS + 9), prediction("ana"), "", "v1")
    keeper.close()
    first, second = sorted(album.folder.iterdir())
    first.unlink()
    assert verify(journal, pictures=album.folder).problems == ()
    second.write_bytes(b"somebody else")
    assert "1 picture changed since they were kept" in verify(journal, pictures=album.folder).problems[0]


def test_many_changed_pictures_are_told_in_one_sentence(album: Album, journal: Journal) -> None:
    """The first five by name, and how many more; files that no row tells of are nobody's."""
    keeper = started(album, journal)
    for number in range(7):
        keeper.saw(capture(number, PIXELS + number), prediction("ana"), "", "v1")
    keeper.close()
    paths = sorted(album.folder.iterdir())
    assert len(paths) == 7
    for path in paths[:5]:
        path.write_bytes(b"somebody else")
    (album.folder / f"{10**9}-{10**9}-{'0' * 64}.jpg").write_bytes(b"nobody's")
    (album.folder / "holiday.jpg").write_bytes(b"nobody's")
    names = ", ".join(path.name for path in paths[:5])
    assert verify(journal, pictures=album.folder).problems == (f"5 pictures changed since they were kept: {names}",)
    for path in paths[5:]:
        path.write_bytes(b"somebody else")
    assert verify(journal, pictures=album.folder).problems == (f"7 pictures changed since they were kept: {names}, and 2 more",)
    assert verify(journal).problems == verify(journal, pictures=album.folder / "none").problems == ()


def test_a_picture_that_goes_or_cannot_be_read_while_it_is_looked_at(album: Album, journal: Journal) -> None:
    """The gate that runs meanwhile may let a picture go; one that cannot be read is told of, and the check goes to its end."""
    keeper = started(album, journal)
    keeper.saw(capture(0), prediction("ana"), "", "v1")
    keeper.close()
    (picture,) = album.folder.iterdir()
    picture.unlink()
    picture.symlink_to("gone.jpg")
    assert verify(journal, pictures=album.folder).problems == ()
    picture.unlink()
    picture.mkdir()
    assert verify(journal, pictures=album.folder).problems == (f"1 picture cannot be read: {picture.name}",)


def test_megabytes_are_a_bound(album: Album) -> None:
    """The oldest go first; after every single picture the folder is within its bound, also after a restart."""
    for number in range(30):
        album.add(bytes([number]) * 100_000, NOW)
        assert sum(file.stat().st_size for file in album.folder.iterdir()) <= 1_000_000
    assert [file.read_bytes()[0] for file in sorted(album.folder.iterdir())] == list(range(20, 30))
    again = Album(album.folder, 14, 0.3)
    again.sweep(NOW)
    assert [file.read_bytes()[0] for file in sorted(album.folder.iterdir())] == [27, 28, 29]
    again.add(b"x" * 400_000, NOW)
    assert list(album.folder.iterdir()) == []


def test_days_are_a_bound(album: Album) -> None:
    """What is older goes; a clock that was never set deletes nothing, and a picture without a date, or from the future, is as old as the next."""
    album.add(b"old", NOW)
    album.add(b"no clock", 12.0)
    album.add(b"not a number", float("nan"))
    album.add(b"the clock was ahead", NOW + 999 * DAY)
    album.add(b"young", NOW + 10 * DAY)
    album.add(b"no clock again", 13.0)
    for wall, left in ((5.0, 6), (float("nan"), 6), (NOW + 13.9 * DAY, 6), (NOW + 14.1 * DAY, 5), (NOW + 24.1 * DAY, 1), (NOW + 99 * DAY, 1)):
        album.sweep(wall)
        assert len(list(album.folder.iterdir())) == left
    again = Album(album.folder, 14, 1)
    again.sweep(NOW + 99 * DAY)
    assert len(list(album.folder.iterdir())) == 1 and again._held == len(b"no clock again")


def test_a_long_visit_keeps_few(album: Album, journal: Journal) -> None:
    """Somebody in front of the camera all night, ten frames a second: the first ten, then ever fewer; a decision's frame always."""
    keeper = started(album, journal)
    for frame in range(100_000):
        if frame == 77_777:
            keeper.heard(Decision("v1", "open", "ana", "r", "rule 1", "open"), 1, frame / 10, NOW)
        keeper.saw(capture(frame / 10), prediction("ana"), "", "v1")
    keeper.heard(ended("v1"), 2, 1e4, NOW)
    keeper.close()
    (row,) = kept(journal)
    assert 20 <= len(row.pictures) <= 30
    assert NOW + 7777.7 in [picture.wall for picture in row.pictures]


def test_what_is_not_judged_is_not_kept(album: Album, journal: Journal) -> None:
    """No prediction, no frame, no visit: no picture, and no row."""
    keeper = started(album, journal)
    keeper.saw(capture(0), None, "too dark", "v1")
    keeper.saw(Capture(1, NOW, "x", None, "broken"), None, "broken", "v1")
    keeper.saw(capture(2), prediction("ana"), "", "")
    keeper.close()
    assert kept(journal) == [] and not album.folder.exists()


def seconds_for(keeper: PictureKeeper, frames: int) -> float:
    """Show a keeper frames from a thread of their own; return how long it took, at most a second."""
    began = time.monotonic()

    def show() -> None:
        for frame in range(frames):
            keeper.saw(capture(frame * 100.0), prediction("ana"), "", f"v{frame}")
            keeper.heard(ended(f"v{frame}"), frame, frame * 100.0, NOW)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    thread.join(1.0)
    return time.monotonic() - began if not thread.is_alive() else 99.0


def test_a_disk_that_hangs_delays_no_frame(album: Album, journal: Journal) -> None:
    """The encoder never returns: frames are taken on and dropped, counted, within a bound of memory; and closing does not hang either."""
    hang = threading.Event()
    keeper = started(album, journal, encode=lambda pixels: hang.wait(30) and b"", waiting=PIXELS.nbytes * 10)
    assert seconds_for(keeper, 100) < 1.0
    assert keeper._bytes <= PIXELS.nbytes * 10
    hang.set()
    keeper.close()
    assert sum(row.dropped for row in kept(journal)) >= 80 and len(kept(journal)) == 100


class Patient(PictureKeeper):
    """The planted bug: a keeper that encodes while the door waits."""

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Encode at once."""
        if capture.frame is not None:
            self._encode(capture.frame.pixels)
        super().saw(capture, prediction, problem, visit)


def test_the_check_finds_a_keeper_that_makes_the_door_wait(album: Album, journal: Journal) -> None:
    """Planted-bug twin: it takes longer than the check allows."""
    hang = threading.Event()
    keeper = Patient(album, journal, encode=lambda pixels: hang.wait(30) and b"")
    assert seconds_for(keeper, 3) > 1.0
    hang.set()


def test_a_full_disk_loses_pictures_only(album: Album, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk has no room for three pictures: one fault, three dropped, and the next is kept."""
    write, left = album._write, [3]

    def full(path: Path, data: bytes) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(album, "_write", full)
    keeper = started(album, journal)
    for frame in range(4):
        keeper.saw(capture(frame), prediction("ana"), "", "v1")
    keeper.close()
    assert [(len(row.pictures), row.dropped) for row in kept(journal)] == [(1, 3)]
    assert [row.record for row in journal.entries("fault")] == [
        Remark("fault", "keeper of pictures", "pictures are not kept: No space left on device")
    ]


def test_pictures_without_a_row_do_not_stay(album: Album, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the journal cannot take their row, nobody could tell whose they are: they go."""
    write = journal.write
    monkeypatch.setattr(journal, "write", lambda record, at, wall: write(record, at, wall) if not isinstance(record, Kept) else fail())
    keeper = started(album, journal)
    keeper.saw(capture(0), prediction("ana"), "", "v1")
    keeper.close()
    assert list(album.folder.iterdir()) == [] and len(journal.entries("fault")) == 1


def fail() -> int:
    raise JournalError("the journal cannot be written: disk full", "make room")


def test_an_odd_frame_ends_nothing(album: Album, journal: Journal) -> None:
    """What Pillow cannot encode is a fault, the next frame is kept."""
    keeper = started(album, journal)
    keeper.saw(capture(0, np.zeros((0, 5, 3), np.uint8)), prediction("ana"), "", "v1")
    keeper.saw(capture(1), prediction("ana"), "", "v1")
    keeper.close()
    assert [(len(row.pictures), row.dropped) for row in kept(journal)] == [(1, 1)]


@pytest.mark.parametrize("shape", [(48, 64, 1), (48, 64, 3), (48, 64, 4), (3000, 20, 3), (1, 1, 1)])
def test_any_frame_becomes_a_jpeg(shape: tuple[int, int, int]) -> None:
    """Grey, colour, with alpha, long: at most 1280 pixels a side."""
    image = Image.open(BytesIO(jpeg(np.zeros(shape, np.uint8))))
    assert max(image.size) == min(1280, max(shape)) and image.format == "JPEG"


def test_half_pictures_do_not_stay(album: Album) -> None:
    """What a kill left half written goes at the next start, and with any erasure."""
    for clean in (lambda: album.sweep(NOW), lambda: Album(album.folder, 1, 1).remove([])):
        album.folder.mkdir(exist_ok=True)
        (album.folder / "x.part").touch()
        clean()
        assert list(album.folder.iterdir()) == []


def test_other_files_in_the_folder_are_left_alone(album: Album) -> None:
    """Only what it wrote itself counts and goes."""
    album.folder.mkdir()
    (album.folder / "holiday.jpg").write_bytes(bytes(2_000_000))
    album.add(b"x", NOW)
    album.sweep(NOW + 99 * DAY)
    assert [file.name for file in album.folder.iterdir()] == ["holiday.jpg"]
