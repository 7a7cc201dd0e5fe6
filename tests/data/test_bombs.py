"""Pictures made to do harm are refused at once, with a reason; those that cameras and programs write are not."""

import io
import time

import numpy as np
import pytest
from pictures import save, scene
from PIL import Image, PngImagePlugin

from hostile import BUSY, HOSTILE
from peephole.base.errors import PhotoError
from peephole.data import decode
from peephole.data.bombs import require_harmless
from peephole.data.photos import open_bytes

ALLOWED = 0.05  # seconds of this thread's own work


def _refused_in(data: bytes) -> float:
    """Return the seconds of computing that a refusal takes, the best of three; fails where the picture is opened or anything else is raised."""
    spent = []
    for _ in range(3):
        began = time.thread_time()
        with pytest.raises(PhotoError) as told:
            open_bytes(data)
        spent.append(time.thread_time() - began)
        assert told.value.what.isprintable() and told.value.hint
        if spent[-1] < ALLOWED:
            break
    return min(spent)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pictures_are_refused_in_50_ms(name):
    """Whatever is sent: a refusal with a reason and a hint, within 50 ms of computing, and no other error."""
    assert _refused_in(HOSTILE[name]()) < ALLOWED


@pytest.mark.parametrize("name", BUSY)
def test_without_the_look_they_would_keep_a_decoder_busy(name, monkeypatch):
    """The test above sees the difference: decoded without the look, each of these is opened or takes longer than is allowed."""
    monkeypatch.setattr(decode, "require_harmless", lambda _: None)
    began = time.thread_time()
    try:
        open_bytes(BUSY[name]())
        opened = True
    except PhotoError:
        opened = False
    assert opened or time.thread_time() - began > ALLOWED


def test_what_cameras_and_programs_write_passes(tmp_path):
    """Progressive JPEGs, colour profiles, many comments, texts in PNGs, small pictures in digits and remarks in a head are no harm."""
    picture = scene(1, 200, 150)
    text = PngImagePlugin.PngInfo()
    for number in range(10):
        text.add_text(f"note{number}", "of a program" * 50, zip=True)
    save(picture, tmp_path / "a.jpg", progressive=True, icc_profile=bytes(300_000), comment=b"c" * 1000)
    save(picture, tmp_path / "b.png", pnginfo=text)
    save(picture, tmp_path / "c.bmp")
    save(picture, tmp_path / "d.ppm")
    for path in sorted(tmp_path.iterdir()):
        assert open_bytes(path.read_bytes()).size == (200, 150), path.name
    drawn = b"P2 # by hand\n# 3 x 2\n3 2\n9\n0 9 0\n9 0 9\n"
    assert np.asarray(open_bytes(drawn)).tolist() == [[0, 255, 0], [255, 0, 255]]
    bits = b"P1\n#a\n2 1\n1 0\n"
    assert open_bytes(bits).size == (2, 1)
    for kind in ("GIF", "TIFF", "WEBP", "JPEG2000", "AVIF"):
        buffer = io.BytesIO()
        picture.save(buffer, kind)
        require_harmless(buffer.getvalue())


def test_a_scan_is_counted_wherever_it_hides():
    """An end marker inside a comment between two scans does not end the count, and one in the pixels' own bytes does not add to it."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    hidden = data[:-2] + b"\xff\xfe\x00\x04\xff\xd9" + scan * 120 + b"\xff\xd9"
    with pytest.raises(PhotoError, match="more than 100 scans"):
        require_harmless(hidden)
    require_harmless(data[:-2] + b"\xff\xd9" + scan * 120)  # behind the end nobody decodes: where phones keep a film
    commented = data[:2] + b"\xff\xfe" + (2 + 600).to_bytes(2, "big") + b"\xff\xda" * 300 + data[2:]
    require_harmless(commented)
    assert open_bytes(commented).size == (64, 64)
