"""Folders become listings in which every file is used or refused with its reason."""

import os
import struct
import time
import unicodedata
import zlib
from pathlib import Path

import pytest
from pictures import folder, save, scene
from PIL import Image

from peephole.base.errors import DataError, MissingInput
from peephole.data.photos import require_trainable, scan


def test_labels_are_the_folders_and_folders_inside_belong_to_them(tmp_path):
    """root/<label>/... at any depth counts as the label, and the note says so."""
    folder(tmp_path, {"ana": 2, "junho": 2})
    save(scene(90), tmp_path / "ana" / "2024" / "may" / "a.jpg")
    listing = scan(tmp_path)
    assert listing.labels == ("ana", "junho")
    assert sum(photo.label == "ana" for photo in listing.photos) == 3
    assert "ana/2024/may/a.jpg" in {photo.id for photo in listing.photos}
    assert any("inside ana/ (2024)" in note for note in listing.notes)


@pytest.mark.parametrize("val", ["val", "valid", "validation", "VAL"])
def test_split_folders_are_honoured(tmp_path, val):
    """root/{train,val,test}/<label> gives each photo its split; strangers may stand in a split or beside them."""
    for at, split in enumerate(("train", val, "test")):
        folder(tmp_path / split, {"ana": 1, "junho": 1}, start=10 * at)
    save(scene(50), tmp_path / "test" / "unknown" / "bob" / "b.png")
    save(scene(51), tmp_path / "unknown" / "eve" / "e.png")
    listing = scan(tmp_path)
    assert not listing.refused
    assert [photo.split for photo in listing.photos if photo.label == "ana"] == (
        ["val", "test", "train"] if val == "VAL" else ["test", "train", "val"]
    )
    assert {(photo.stranger, photo.split) for photo in listing.photos if photo.label == "unknown"} == {("bob", "test"), ("eve", "")}


def test_files_beside_the_splits_are_refused_not_lost(tmp_path):
    """A folder beside train/ and test/ belongs to no split, and each of its files says so."""
    for split in ("train", "test", "extra"):
        folder(tmp_path / split, {"ana": 1, "junho": 1})
    listing = scan(tmp_path)
    assert len(listing.photos) == 4
    assert [refusal.id[:6] for refusal in listing.refused] == ["extra/", "extra/"]
    assert "no split" in listing.refused[0].reason


def test_train_and_test_of_photos_alone_are_labels(tmp_path):
    """Without a folder per label inside, train/ and test/ are taken as labels, and a note tells it."""
    folder(tmp_path, {"train": 2, "test": 2})
    listing = scan(tmp_path)
    assert listing.labels == ("test", "train")
    assert any("taken as labels" in note for note in listing.notes)


def test_strangers_by_folder_and_loose_files(tmp_path):
    """A folder inside unknown/ is one stranger; loose files are one together, or one each when asked."""
    folder(tmp_path, {"ana": 2, "unknown": 3})
    folder(tmp_path / "unknown", {"bob": 2, "eve": 1}, start=60)
    together = {photo.stranger for photo in scan(tmp_path).photos if photo.label == "unknown"}
    apart = {photo.stranger for photo in scan(tmp_path, each_file_a_stranger=True).photos if photo.label == "unknown"}
    assert together == {"bob", "eve", "(loose files)"}
    assert len(apart) == 5


def test_none_is_another_word_for_unknown(tmp_path):
    """A folder None/ holds strangers, and a note says so."""
    folder(tmp_path, {"ana": 2, "None": 1})
    listing = scan(tmp_path)
    assert listing.labels == ("ana",)
    assert any("None/ was taken as strangers" in note for note in listing.notes)


def test_any_unicode_label_in_its_composed_form(tmp_path):
    """한글 works; folders that differ only in Unicode form are one label, only in case two, and both are told."""
    folder(tmp_path, {"한글": 1, "O x": 1, "café": 1, "CAFÉ": 1})
    (tmp_path / unicodedata.normalize("NFD", "한글")).mkdir()
    save(scene(70), tmp_path / unicodedata.normalize("NFD", "한글") / "p.png")
    listing = scan(tmp_path)
    assert listing.labels == tuple(sorted(["한글", "O x", "café", "CAFÉ"]))
    assert sum(photo.label == "한글" for photo in listing.photos) == 2
    assert any("different Unicode forms" in note for note in listing.notes)
    assert any("CAFÉ and café differ only in case" in note for note in listing.notes)


@pytest.mark.parametrize("name", ["an\na", "an\x1b[31ma", "an\u202ea", os.fsdecode(b"an\xffa")])
def test_labels_with_control_characters_are_refused_printably(tmp_path, name):
    """A name that could rewrite a terminal or is no text is refused, and what is printed of it is harmless."""
    folder(tmp_path, {"ana": 1})
    save(scene(70), tmp_path / name / "p.png")
    listing = scan(tmp_path)
    assert len(listing.photos) == 1
    assert listing.refused[0].id.isprintable()
    listing.refused[0].id.encode()
    assert "name" in listing.refused[0].reason


def test_every_file_is_counted(tmp_path):
    """Broken, foreign and misplaced files are refused with reasons; only system litter is not a file seen, and is noted."""
    folder(tmp_path, {"ana": 2, "junho": 2})
    (tmp_path / "ana" / "text.jpg").write_text("not a photo")
    (tmp_path / "ana" / "empty.png").touch()
    (tmp_path / "ana" / "big.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(21 * 2**20))
    (tmp_path / "README.md").write_text("hello")
    for litter in (".DS_Store", "Thumbs.db", "ana/._p.png", "__MACOSX/ana/p.png", "ana/.hidden.png"):
        path = tmp_path / litter
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    listing = scan(tmp_path)
    reasons = {refusal.id: refusal.reason for refusal in listing.refused}
    assert listing.seen == len(listing.photos) + len(listing.refused) == 8
    assert set(reasons) == {"ana/text.jpg", "ana/empty.png", "ana/big.png", "README.md"}
    assert "not a photo" in reasons["ana/text.jpg"]
    assert "0 bytes" in reasons["ana/empty.png"]
    assert "over the limit" in reasons["ana/big.png"]
    assert "no label" in reasons["README.md"]
    assert any(note.startswith("5 hidden or system files") for note in listing.notes)


def _one_bit_png(side: int) -> bytes:
    """Return a tiny PNG that claims side x side pixels of one bit."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes((side + 7) // 8 + 1) * side, 9)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 40_000])
def test_a_bomb_is_refused_by_its_header_at_once(tmp_path, side):
    """A 9,000 x 9,000 one-bit PNG is refused in under 50 ms, and a larger one without Pillow's warning."""
    path = tmp_path / "ana" / "bomb.png"
    path.parent.mkdir()
    path.write_bytes(_one_bit_png(side))
    started = time.perf_counter()
    listing = scan(tmp_path)
    assert time.perf_counter() - started < 0.05
    assert "megapixels" in listing.refused[0].reason


def test_links_out_of_the_folder_and_special_files_are_refused(tmp_path):
    """A link inside the folder is read; one that leads out, a link to a folder and a pipe are refused, without hanging."""
    root = folder(tmp_path / "photos", {"ana": 2})
    outside = save(scene(80), tmp_path / "secret.png")
    (root / "ana" / "out.png").symlink_to(outside)
    (root / "ana" / "in.png").symlink_to(next(root.glob("ana/p*.png")))
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "ana" / "pipe.png")
    listing = scan(root)
    assert len(listing.photos) == 3
    assert {refusal.id for refusal in listing.refused} == {"ana/out.png", "ana/pipe.png", "loop"}


def test_skip_leaves_a_label_out_and_offers_the_near_miss(tmp_path):
    """--skip is noted with its count; a label that is not there is an error with a suggestion."""
    folder(tmp_path, {"ana": 2, "junho": 2})
    listing = scan(tmp_path, skip=["ana"])
    assert listing.labels == ("junho",)
    assert any("ana was left out as asked (2 files)" in note for note in listing.notes)
    with pytest.raises(DataError, match="did you mean 'junho'"):
        scan(tmp_path, skip=["jun-ho"])


def test_no_such_folder_and_a_file_instead_of_one(tmp_path):
    """Both are refused at once, with what to give instead."""
    with pytest.raises(MissingInput):
        scan(tmp_path / "nothing")
    photo = save(scene(1), tmp_path / "a.png")
    with pytest.raises(DataError, match="is a file"):
        scan(photo)


def _fill(root: Path, case: str) -> None:
    if case == "one photo":
        folder(root, {"ana": 1, "junho": 3})
    elif case == "one label":
        folder(root, {"ana": 3})
    elif case == "deep":
        folder(root / "photos", {"ana": 3, "junho": 3})
    elif case == "strangers":
        folder(root, {"unknown": 3})
    elif case == "unreadable":
        (root / "ana").mkdir()
        (root / "ana" / "a.jpg").write_text("no")


@pytest.mark.parametrize(
    ("case", "what", "hint"),
    [
        ("empty", "is empty", "one folder per label"),
        ("unreadable", "no readable photo", "peephole check"),
        ("one label", "one label, ana", "beside"),
        ("deep", "one label, photos", "give that one"),
        ("strangers", "only strangers", "one folder per label"),
        ("one photo", "ana has 1 photo; at least 2 are needed so that one can be held out.", "--skip ana"),
    ],
)
def test_what_cannot_be_learned_from_is_said_with_the_remedy(tmp_path, case, what, hint):
    """Each way in which a folder is too little has its sentence and its hint."""
    _fill(tmp_path, case)
    with pytest.raises(DataError) as caught:
        require_trainable(scan(tmp_path))
    assert what in caught.value.what
    assert hint in caught.value.hint


def test_the_camera_s_time_and_turn_are_read_from_the_header(tmp_path):
    """EXIF gives seconds and the upright size without decoding; nonsense counts as absent."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2026:11:23 09:11:00"
    save(scene(1, 64, 48), tmp_path / "ana" / "a.jpg", exif=exif)
    save(scene(2, 64, 48), tmp_path / "ana" / "b.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    first, second = scan(tmp_path).photos
    assert (first.width, first.height, first.turned) == (48, 64, True)
    assert first.taken == 1795425060.0
    assert (second.width, second.turned, second.taken) == (64, False, None)


def test_thousands_of_files_are_listed_in_seconds(tmp_path):
    """Listing reads headers only: over 1,000 small files a second even on a busy machine."""
    data = save(scene(1, 28, 28), tmp_path / "0" / "0.png").read_bytes()
    for i in range(2000):
        (tmp_path / "0" / f"{i}.png").write_bytes(data)
    started = time.perf_counter()
    listing = scan(tmp_path)
    assert len(listing.photos) == 2000
    assert time.perf_counter() - started < 2
