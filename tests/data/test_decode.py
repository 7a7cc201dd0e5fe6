"""Any photo becomes upright and 8 bit, or is refused with its reason."""

import io
import threading
import warnings

import numpy as np
import pytest
from pictures import save, scene
from PIL import Image, ImageCms

from peephole.base.errors import MissingInput, PhotoError
from peephole.data.photos import open_bytes, open_photo


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_turns_every_format_upright(turn, kind):
    """All eight EXIF orientations show the same picture, in every format that carries EXIF."""
    upright = np.zeros((24, 40), np.uint8)
    upright[:12, :20] = 250
    upright[:12, 20:] = 160
    upright[12:, :20] = 80
    back = {1: [], 2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}[turn]
    image = Image.fromarray(upright).convert("RGB")
    for step in back:
        image = image.transpose(Image.Transpose(step))
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"exif": exif} | ({"quality": 100} if kind in ("JPEG", "WEBP") else {})
    opened = open_bytes(_saved(image, kind, **options))
    assert opened.size == (40, 24)
    assert np.abs(np.asarray(opened.convert("L")).astype(int)[2::6, 2::6] - upright[2::6, 2::6]).max() < 40


def test_sixteen_bits_are_scaled_not_clipped():
    """A 16-bit ramp keeps its order and ends at 0 and 255."""
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    for kind in ("PNG", "TIFF"):
        opened = open_bytes(_saved(Image.fromarray(ramp), kind))
        assert opened.mode == "L"
        assert np.array_equal(np.asarray(opened).ravel(), np.arange(256))


def test_floats_and_wide_integers_have_an_agreed_white_or_are_refused():
    """Float 0..1 and 0..255 and integers to 65,535 are scaled; negative, NaN and larger values are refused."""
    unit = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    for values in (unit, unit * 255):
        assert np.asarray(open_bytes(_saved(Image.fromarray(values), "TIFF"))).max() == 255
    assert np.asarray(open_bytes(_saved(Image.fromarray(np.full((4, 4), 65535, np.int32)), "TIFF"))).min() == 255
    for wrong in (unit - 0.5, unit * 1e6, np.full((4, 4), np.nan, np.float32), np.full((4, 4), 70000, np.int32)):
        with pytest.raises(PhotoError, match="grey values"):
            open_bytes(_saved(Image.fromarray(wrong), "TIFF"))


def test_every_mode_becomes_one_of_four():
    """1-bit, palette, grey, alpha, CMYK, YCbCr and LAB pictures open as L, LA, RGB or RGBA with the right colours."""
    red = Image.new("RGB", (20, 20), (200, 40, 30))
    lab = ImageCms.applyTransform(red, ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"))
    cases = {
        "1": (_saved(Image.new("1", (9, 9), 1), "PNG"), "L"),
        "L": (_saved(Image.new("L", (9, 9), 7), "PNG"), "L"),
        "LA": (_saved(Image.new("LA", (9, 9), (7, 100)), "PNG"), "LA"),
        "P": (_saved(red.quantize(4), "PNG"), "RGB"),
        "P clear": (_saved(red.quantize(4), "PNG", transparency=0), "RGBA"),
        "L clear": (_saved(Image.new("L", (9, 9), 7), "PNG", transparency=7), "LA"),
        "RGBA": (_saved(red.convert("RGBA"), "PNG"), "RGBA"),
        "CMYK": (_saved(red.convert("CMYK"), "JPEG", quality=100), "RGB"),
        "YCbCr": (_saved(red.convert("YCbCr"), "JPEG", quality=100), "RGB"),
        "LAB": (_saved(lab, "TIFF"), "RGB"),
    }
    for name, (data, mode) in cases.items():
        opened = open_bytes(data)
        assert opened.mode == mode, name
        assert type(opened) is Image.Image
        if name in ("P", "CMYK", "YCbCr", "LAB", "RGBA"):
            assert np.abs(np.asarray(opened)[5, 5, :3].astype(int) - (200, 40, 30)).max() <= 6, name


def test_an_animation_gives_its_first_frame():
    """Of a GIF with a black and a white frame the black one is judged."""
    frames = [Image.new("L", (10, 10), 0), Image.new("L", (10, 10), 255)]
    data = _saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    assert np.asarray(open_bytes(data).convert("L")).max() == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_truncated_file_is_refused_at_every_length(kind):
    """Half of a file is never half of a picture, and no length of it crashes."""
    data = _saved(scene(1, 40, 30), kind)
    for length in {1, 3, 11, 20, 33, 60, len(data) // 3, len(data) // 2, len(data) * 3 // 4}:
        with pytest.raises(PhotoError):
            open_bytes(data[:length])


def test_random_damage_never_crashes():
    """Flipped bytes give a picture or a PhotoError, never another error or a warning."""
    rng = np.random.default_rng(3)
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM"):
        data = np.frombuffer(_saved(scene(1, 40, 30), kind), np.uint8)
        for _ in range(60):
            damaged = data.copy()
            damaged[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
            try:
                assert open_bytes(damaged.tobytes()).mode in ("L", "LA", "RGB", "RGBA")
            except PhotoError as error:
                assert str(error).splitlines()[0].isprintable()


def test_what_is_no_photo_is_refused_with_a_reason(tmp_path):
    """Text, nothing, and formats outside the list are told apart from a missing file."""
    for data in (b"hello", b"", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        with pytest.raises(PhotoError):
            open_bytes(data)
    with pytest.raises(MissingInput):
        open_photo(tmp_path / "nothing.jpg")
    with pytest.raises(PhotoError):
        open_photo(tmp_path)


def test_opening_leaves_pillow_s_limits_and_warnings_as_they_were(tmp_path):
    """Photos may be opened from many threads; no global filter or limit is touched."""
    path = save(scene(1), tmp_path / "a.jpg")
    before = (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    threads = [threading.Thread(target=open_photo, args=(path,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before
