"""A look at how a picture's file is built, before any decoder sees it: files made to keep a decoder busy for minutes are refused.

A cap on bytes and pixels does not stop them: 100,000 empty scans of a progressive JPEG are one megabyte and take minutes.
"""

import re
from collections.abc import Iterator

from peephole.base.errors import PhotoError

__all__ = ["require_harmless"]

MAX_SCANS = 100  # of a JPEG; encoders write about 10
MAX_SEGMENTS = 1000  # of a JPEG: a colour profile has 255 at most
MAX_CHUNKS = 20_000  # of a PNG: 20 MB in pieces of 1 kB
MAX_TEXTS = 30  # compressed texts and profiles of a PNG, each of which may unpack to 1 MB
MAX_PLAIN = 256 * 1024  # bytes of a PPM in digits, which Pillow reads in Python
MAX_REMARKS = 100  # in a PPM in digits; reading them takes time that grows with the square of their number
PPM_HEAD = 4096  # bytes

# A marker in the coded pixels: FF 00 is a pixel's byte, FF D0 .. FF D7 only restart the decoder, FF FF is filling.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
PNG_TEXTS = (b"zTXt", b"iTXt", b"iCCP")
# Magic word, width and height, with white space or remarks before the numbers.
PPM = re.compile(rb"P\w{1,5}(?:(?:\s|#[^\r\n]*[\r\n])+\d{1,10}){2}(?=[\s#])")
SIMPLER = "save it as a plain JPEG or PNG"


def require_harmless(data: bytes) -> None:
    """Raise PhotoError when a JPEG, PNG, PPM or BMP has more parts than any camera or program writes; other kinds pass."""
    if data.startswith(b"\xff\xd8"):
        _jpeg(data)
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        _png(data)
    elif re.match(rb"P[0-7fFy]", data):
        _ppm(data)
    elif data.startswith(b"BM") and int.from_bytes(data[14:18], "little") >= 40 and int.from_bytes(data[30:34], "little") in (1, 2):
        # Pillow unpacks run lengths in Python, pixel by pixel.
        raise PhotoError("a BMP with run lengths is not read here", SIMPLER)


def _jpeg(data: bytes) -> None:
    scans = 0
    for count, marker in enumerate(_markers(data)):
        scans += marker == 0xDA
        if scans > MAX_SCANS or count > MAX_SEGMENTS:
            raise PhotoError(f"a JPEG of more than {f'{MAX_SCANS} scans' if scans > MAX_SCANS else f'{MAX_SEGMENTS} segments'}", SIMPLER)


def _markers(data: bytes) -> Iterator[int]:
    """Yield the second byte of each marker of a JPEG (ITU-T T.81, annex B) up to its end; what is broken is left to the decoder."""
    at = 2
    while (found := JPEG_MARKER.search(data, at)) is not None:
        at, marker = found.end(), data[found.end() - 1]
        yield marker
        if marker == 0xD9:
            return
        if marker not in (0x01, 0xD8):
            at += int.from_bytes(data[at : at + 2], "big")


def _png(data: bytes) -> None:
    texts = 0
    for count, kind in enumerate(_chunks(data)):
        texts += kind in PNG_TEXTS
        if texts > MAX_TEXTS or count > MAX_CHUNKS:
            raise PhotoError(f"a PNG of more than {f'{MAX_TEXTS} compressed texts' if texts > MAX_TEXTS else f'{MAX_CHUNKS:,} chunks'}", SIMPLER)


def _chunks(data: bytes) -> Iterator[bytes]:
    """Yield the kind of each chunk of a PNG."""
    at = 8
    while at + 8 <= len(data):
        yield data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def _ppm(data: bytes) -> None:
    if not PPM.match(data[:PPM_HEAD]):
        raise PhotoError(f"a PPM whose first {PPM_HEAD} bytes hold no size", SIMPLER)
    if data[1:2] in b"123" and (len(data) > MAX_PLAIN or data.count(b"#") > MAX_REMARKS):
        raise PhotoError(f"a PPM written in digits with more than {MAX_PLAIN // 1024} kB or {MAX_REMARKS} remarks", SIMPLER)
