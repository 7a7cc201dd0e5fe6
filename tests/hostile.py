"""Pictures made to do harm, as functions that build their bytes (once): too large, too many parts, broken, or no picture at all."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

__all__ = ["BUSY", "HOSTILE"]

PNG = b"\x89PNG\r\n\x1a\n"
MB = 2**20


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(wide: int, high: int, extra: bytes = b"", pixels: bytes | None = None) -> bytes:
    body = zlib.compress(bytes((wide * 3 + 1) * high)) if pixels is None else pixels
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0))
    return PNG + head + extra + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _saved(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, kind, **options)
    return buffer.getvalue()


def _with(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _jpeg(wide: int, high: int, extra: bytes = b"", *, progressive: bool = False) -> bytes:
    """Return a JPEG that says it is so large, with more segments before its end."""
    data = _saved("JPEG", progressive=progressive)
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    return _with(data, at + 5, struct.pack(">HH", high, wide))[:-2] + extra + b"\xff\xd9"


def _bmp(data: bytes) -> bytes:
    """Return a BMP of 25 megapixels whose pixels are run lengths."""
    buffer = io.BytesIO()
    Image.new("P", (64, 64)).save(buffer, "BMP")
    head = _with(_with(buffer.getvalue()[:1078], 18, struct.pack("<ii", 5000, 5000)), 30, struct.pack("<I", 1))
    return head + data


def _tiff(entries: dict[int, tuple[int, int, int]], extra: bytes = b"") -> bytes:
    """Return a TIFF with these entries of its folder (tag: kind, count, value) changed."""
    buffer = io.BytesIO()
    Image.new("L", (64, 64)).save(buffer, "TIFF", compression="tiff_lzw")
    data = buffer.getvalue()
    folder = struct.unpack_from("<I", data, 4)[0]
    for number in range(struct.unpack_from("<H", data, folder)[0]):
        at = folder + 2 + 12 * number
        tag = struct.unpack_from("<H", data, at)[0]
        if tag in entries:
            data = _with(data, at, struct.pack("<HHII", tag, *entries[tag]))
    return data + extra


def _jp2(wide: int, high: int, tile: int) -> bytes:
    data = _saved("JPEG2000")
    size, head = data.index(b"\xff\x4f\xff\x51") + 4, data.index(b"ihdr")
    data = _with(_with(data, size + 4, struct.pack(">II", wide, high)), size + 20, struct.pack(">II", tile, tile))
    return _with(data, head + 4, struct.pack(">II", high, wide))


ZERO_MB = zlib.compress(bytes(1_000_000), 9)
EMPTY_SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00\x00"

# What no cap on bytes or pixels stops: few bytes, or few pixels, and a decoder that is busy with them for a long time.
BUSY: dict[str, Callable[[], bytes]] = {
    "a progressive JPEG of 600 empty scans": lambda: _jpeg(5000, 5000, EMPTY_SCAN * 600, progressive=True),
    "a JPEG with 200,000 comments": lambda: _with(_jpeg(64, 64), 2, b"\xff\xfe\x00\x04ab" * 200_000 + b"\xff\xfe"),
    "a PNG with 200,000 chunks": lambda: _png(8, 8, _chunk(b"tEXt", b"a\0b") * 200_000),
    "a PNG with 60 texts of a megabyte": lambda: _png(8, 8, b"".join(_chunk(b"zTXt", b"a%d\0\0" % n + ZERO_MB) for n in range(60))),
    "a PPM of a million numbers in digits": lambda: b"P3\n1000 330\n255\n" + b"1 2 3 " * 330_000,
    "a PGM of 100,000 remarks": lambda: b"P2\n4 4\n255\n" + b"#\n" * 100_000,
    "a PPM with remarks for a head": lambda: b"P5\n" + b"#a\n" * 400_000,
    "a BMP of 1.5 million runs": lambda: _bmp(b"\x01\x00" * 1_500_000),
    "a BMP of rows that end at once": lambda: _bmp(b"\x01\x00\x00\x00" * 1000),
}

HOSTILE: dict[str, Callable[[], bytes]] = {
    **BUSY,
    "a PNG of 60,000 x 60,000": lambda: _with(_png(8, 8), 16, struct.pack(">II", 60_000, 60_000)),
    "a PNG of nothing": lambda: _with(_png(8, 8), 16, bytes(8)),
    "a PNG of 25 megapixels without pixels": lambda: _png(5000, 5000, pixels=zlib.compress(b"")),
    "a PNG with a profile of 100 MB": lambda: _png(8, 8, _chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100 * MB), 1))),
    "a PNG with a text of 100 MB": lambda: _png(8, 8, _chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(100 * MB), 1))),
    "a PNG whose chunk is longer than the file": lambda: PNG + _png(8, 8)[8:33] + b"\x7f\xff\xff\xffIDAT" + bytes(100),
    "a PNG's first bytes": lambda: PNG,
    "a JPEG of 65,500 x 65,500": lambda: _jpeg(65_500, 65_500),
    "a JPEG that is cut off": lambda: _saved("JPEG")[:700],
    "a JPEG's first bytes": lambda: b"\xff\xd8\xff",
    "a GIF of 65,535 x 65,535": lambda: _with(_saved("GIF"), 6, b"\xff\xff\xff\xff"),
    "a TIFF of more pixels than it holds": lambda: _tiff({256: (4, 1, 5000), 257: (4, 1, 5000)}),
    "a TIFF of a billion strips": lambda: _tiff({273: (4, 0x3FFFFFFF, 8), 279: (4, 0x3FFFFFFF, 8)}),
    "a TIFF of 60,000 x 60,000": lambda: _tiff({256: (4, 1, 60_000), 257: (4, 1, 60_000)}),
    "a JPEG 2000 of 60,000 x 60,000": lambda: _jp2(60_000, 60_000, 60_000),
    "a JPEG 2000 of 25 million tiles": lambda: _jp2(5000, 5000, 1),
    "a WebP that is cut off": lambda: _saved("WEBP")[:1000],
    "an AVIF that is cut off": lambda: _saved("AVIF")[:1000],
    "20 MB and a byte": lambda: bytes(20 * MB + 1),
    "20 MB of zeros": lambda: bytes(20 * MB),
    "20 MB of noise": lambda: random.Random(0).randbytes(20 * MB),
    "nothing": lambda: b"",
    "a text": lambda: b"hello " * 1000,
    "a page": lambda: b"<html><body>login</body></html>",
    "a drawing as SVG": lambda: b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "a PostScript program": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "a zip archive": lambda: b"PK\x03\x04" + bytes(1000),
    "a gzip archive": lambda: zlib.compress(bytes(100 * MB), 9, 31),
    "a TGA, which has no signature": lambda: b"\0\0\2" + bytes(9) + struct.pack("<HH", 60_000, 60_000) + b"\x18\0",
}

HOSTILE = {name: cache(make) for name, make in HOSTILE.items()}
BUSY = {name: HOSTILE[name] for name in BUSY}
