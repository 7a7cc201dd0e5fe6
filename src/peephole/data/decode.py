"""From a file's bytes to an upright 8-bit picture: caps before decoding, every mode handled, nothing guessed in silence.

Formats are tried one by one from an allow-list through Pillow's registry instead of `Image.open`: that keeps rarely
used decoders (EPS, FITS, ...) and those without a signature (TGA) away from hostile files, and leaves Pillow's
global bomb limit and its warning alone.
"""

import calendar
import io
import os
import re
import stat
import struct
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import (  # the plugins register their formats
    AvifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    Jpeg2KImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from peephole.base.errors import MissingInput, PhotoError
from peephole.data.bombs import require_harmless

__all__ = ["MAX_BYTES", "MAX_PIXELS", "Header", "open_bytes", "open_photo", "read_bytes", "read_header"]

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 25_000_000
FORMATS = (
    *("JPEG", "PNG", "BMP", "GIF", "PPM"),
    WebPImagePlugin.WebPImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    AvifImagePlugin.AvifImageFile.format,
    Jpeg2KImagePlugin.Jpeg2KImageFile.format,
)
# Which modes of Pillow hold 16 bits per pixel.
SIXTEEN = ("I;16", "I;16B", "I;16L", "I;16N")
# What each mode becomes; all others become RGB.
KEPT = {"L": "L", "LA": "LA", "La": "LA", "RGBA": "RGBA", "PA": "RGBA", "RGBa": "RGBA"}
ORIENTATION, EXIF_FOLDER, TAKEN = 0x0112, 0x8769, 0x9003
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.preinit()  # registers JPEG, PNG, BMP, GIF and PPM; the imports above the others


class _Quiet:
    """Keeps Pillow's warnings about broken EXIF off the screen, from any number of threads at once.

    `warnings.catch_warnings` alone is not safe here: two threads would restore each other's filters.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._saved.__exit__(None, None, None)


QUIET = _Quiet()


@dataclass(frozen=True)
class Header:
    """What a photo's header says: upright size in pixels, Pillow's mode and format, EXIF turn, time in seconds, several frames."""

    width: int
    height: int
    mode: str
    format: str
    turned: bool
    taken: float | None
    animated: bool


def read_bytes(path: Path | str) -> bytes:
    """Return a photo's bytes; raises MissingInput, or PhotoError for no regular file, an empty one or one over 20 MB."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PhotoError("not a regular file", "give a photo file")
            _check_bytes(status.st_size)
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MissingInput(f"{path} is not there", "check the path") from None
    except IsADirectoryError:
        raise PhotoError("a folder, not a photo", "name the photos in it (FOLDER/*.jpg), or: peephole evaluate MODEL FOLDER") from None
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror or error}", "check its permissions") from error


def _without_waiting(path: str, flags: int) -> int:
    """Open for reading; a named pipe must not hold us up until somebody writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))


def _check_bytes(size: int) -> None:
    if size == 0:
        raise PhotoError("empty file (0 bytes)", "copy it again from where it came from")
    if size > MAX_BYTES:
        raise PhotoError(f"{size / 1e6:.0f} MB is over the limit of {MAX_BYTES // 2**20} MB", "save it smaller")


def _recognise(file: IO[bytes]) -> ImageFile.ImageFile:
    """Return the picture with only its header read; raises PhotoError when no known format fits or the picture is too large."""
    prefix = file.read(16)
    reason = "no photo format that is known here"
    for kind in FORMATS:
        if kind not in Image.OPEN:
            continue
        factory, accept = Image.OPEN[kind]
        fits = not accept or accept(prefix)
        if not fits or isinstance(fits, str):
            continue
        file.seek(0)
        try:
            image = factory(file, "")
        except PhotoError:
            raise
        except (SyntaxError, IndexError, TypeError, KeyError, EOFError, struct.error) as error:
            reason = f"a broken {kind} header ({_short(error)})"
            continue
        except (OSError, ValueError, ArithmeticError, MemoryError, AttributeError, Image.DecompressionBombError) as error:
            reason = f"a broken {kind} file ({_short(error)})"
            continue
        _check_pixels(image)
        return image
    raise PhotoError(f"not a photo: {reason}", "save it as JPEG or PNG")


def _check_pixels(image: Image.Image) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise PhotoError(f"{width} x {height} pixels hold nothing", "save it again")
    if width * height > MAX_PIXELS:
        raise PhotoError(
            f"{width} x {height} pixels ({width * height / 1e6:.0f} megapixels) are over the limit of {MAX_PIXELS // 10**6} megapixels",
            "save it smaller",
        )


def _short(error: BaseException) -> str:
    """Return an error of Pillow as one short printable line."""
    line = (str(error).splitlines() or [""])[0] or type(error).__name__
    return re.sub(r"[^\x20-\x7e]", "?", re.sub(r"<_io\.\S+ object at \S+>|b?'/.*'", "this file", line))[:80]


def read_header(path: Path | str) -> Header:
    """Read a photo's header without decoding it; raises PhotoError with the reason when it cannot be used."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PhotoError("not a regular file", "give a photo file")
            _check_bytes(status.st_size)
            with QUIET:
                image = _recognise(file)
                several = _several(image)
            orientation, taken = _exif(image)
            turned = orientation in TURNS
            width, height = image.size[::-1] if orientation >= 5 and image.format != "TIFF" else image.size
            return Header(width, height, image.mode, image.format or "", turned, taken, several)
    except FileNotFoundError:
        raise MissingInput(f"{path} is not there", "check the path") from None
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror or _short(error)}", "check its permissions") from error


def _several(image: Image.Image) -> bool:
    """Tell whether a file holds several frames; an MPO's second picture is only a preview or the other eye."""
    try:
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # a broken later frame does not matter: only the first is used
        return True


def _exif(image: Image.Image) -> tuple[int, float | None]:
    """Return EXIF orientation (1..8) and the time taken in seconds, from what the header gave; nonsense counts as absent.

    Read here in thirty lines because Pillow's reader warns on broken EXIF, and for PNG it decodes the whole picture.
    """
    if image.format == "TIFF":
        tags = getattr(image, "tag_v2", {})
        return _turn(tags.get(ORIENTATION)), None
    raw = image.info.get("exif")
    if not isinstance(raw, bytes):
        return 1, None
    raw = raw.removeprefix(b"Exif\x00\x00")
    try:
        order = {b"II": "<", b"MM": ">"}[raw[:2]]
        main = _folder(raw, struct.unpack_from(order + "I", raw, 4)[0], order)
        inner = _folder(raw, main[EXIF_FOLDER], order) if isinstance(main.get(EXIF_FOLDER), int) else {}  # type: ignore[arg-type]
    except (KeyError, struct.error):
        return 1, None
    return _turn(main.get(ORIENTATION)), _seconds(inner.get(TAKEN))


def _folder(raw: bytes, at: int, order: str) -> dict[int, int | str]:
    """Read the short, long and text entries of one EXIF folder (TIFF 6.0, page 14)."""
    entries: dict[int, int | str] = {}
    (count,) = struct.unpack_from(order + "H", raw, at)
    for place in range(at + 2, min(at + 2 + 12 * count, len(raw) - 11), 12):
        tag, kind, length = struct.unpack_from(order + "HHI", raw, place)
        if kind in (3, 4) and length == 1:
            entries[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), raw, place + 8)[0]
        elif kind == 2 and 4 < length < 64:
            start = struct.unpack_from(order + "I", raw, place + 8)[0]
            entries[tag] = raw[start : start + length].decode("ascii", "replace")
    return entries


def _turn(value: object) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _seconds(value: object) -> float | None:
    """Turn "2026:11:23 09:11:00" into seconds; the camera's clock has no zone, so only differences mean something."""
    match = re.match(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", value) if isinstance(value, str) else None
    if match is None:
        return None
    parts = tuple(int(part) for part in match.groups())
    return float(calendar.timegm(parts)) if 1 <= parts[1] <= 12 and 1 <= parts[2] <= 31 and parts[0] >= 1970 else None


def open_photo(path: Path | str) -> Image.Image:
    """Open a photo upright, 8 bit, in mode RGB, L, RGBA or LA; raises MissingInput or PhotoError with the reason."""
    return open_bytes(read_bytes(path))


def open_bytes(data: bytes) -> Image.Image:
    """Open a photo from memory: the first frame, upright, 8 bit, in mode RGB, L, RGBA or LA; raises PhotoError with the reason."""
    _check_bytes(len(data))
    require_harmless(data)
    with QUIET:
        image = _recognise(io.BytesIO(data))
        try:
            image.load()
            upright = _eight_bits(image)
        except PhotoError:
            raise
        except Exception as error:  # Pillow's decoders raise whatever they meet
            raise PhotoError(f"cannot be decoded: {_short(error)}", "copy it again, or save it as JPEG or PNG") from error
    orientation, _ = _exif(image)  # after loading: a PNG's EXIF may stand behind its pixels
    # Pillow turns a TIFF itself while loading.
    if orientation in TURNS and image.format != "TIFF":
        upright = upright.transpose(TURNS[orientation])
    upright.info = {}
    return upright


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a decoded picture in RGB, L, RGBA or LA; 16 bits are scaled, not clipped."""
    mode, clear = image.mode, "transparency" in image.info
    if mode == "1":
        return image.convert("L").convert("LA") if clear else image.convert("L")
    if mode in SIXTEEN or mode in ("I", "F"):
        return Image.fromarray(_scaled(np.asarray(image), mode))
    if mode == "LAB":
        return _from_lab(image)
    target = KEPT.get(mode, "RGB")
    if clear and target in ("L", "RGB"):
        target = "LA" if target == "L" else "RGBA"
    return image.convert(target) if mode != target else _plain(image)


def _from_lab(image: Image.Image) -> Image.Image:
    lab = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    converted = ImageCms.applyTransform(image, lab)
    if converted is None:
        raise PhotoError("LAB colours cannot be converted", "save it as RGB")
    return converted


def _plain(image: Image.Image) -> Image.Image:
    """Return a plain picture detached from its file."""
    return image.copy() if isinstance(image, ImageFile.ImageFile) else image


def _scaled(values: np.ndarray, mode: str) -> np.ndarray:
    """Scale grey values (H, W) to uint8: white is 65,535 for integers; for floats it is 1, or 255 when a value is above 1."""
    if not np.isfinite(values).all() or values.min() < 0:
        raise PhotoError("grey values that are negative or not a number", "save it as 8 or 16 bit")
    white = (1.0 if values.max() <= 1 else 255.0) if mode == "F" else 65535.0
    if values.max() > white:
        raise PhotoError(f"grey values up to {values.max():.6g} have no agreed white", "save it as 8 or 16 bit")
    return np.asarray(np.rint(values.astype(np.float64) * (255 / white)), np.uint8)
