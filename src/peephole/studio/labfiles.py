"""The lab's pictures and sounds: image kernels and echoes, which need SciPy; what is sent is looked at, answered and forgotten."""

import json
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from peephole.base.errors import InputError, PeepholeError
from peephole.base.extras import load
from peephole.lab import hand, tones
from peephole.studio.answers import answer, plain
from peephole.studio.front import body
from peephole.studio.house import House
from peephole.studio.lab import numbers, whole
from peephole.studio.routes import Address

__all__ = ["ADDRESSES"]

MOST_SIDE = 128  # pixels of a picture; the page makes larger ones smaller
BRIGHTEST = 65_535
MOST_KERNEL = 15
MOST_SOUND = 12_000_000  # bytes that are sent
MOST_SAMPLES = 6_000_000  # of all channels: a minute in stereo at 48 kHz
MOST_ECHO = 12_000_000  # samples of the sound with its echo, whose tail may be longer than the sound
MOST_RATE = 192_000
COLUMNS = 300  # of a waveform as it is drawn
DRAWINGS = ("house", "star", "A", "X", "spiral")


async def _kernel(house: House, request: Request) -> Response:
    """Slide a kernel over a picture, turned (convolution) and not (cross-correlation); with `at`, one output pixel's sum instead."""
    given = await body(request)
    image = numbers(given.get("picture"), "picture", 2, MOST_SIDE)
    if image.min() < 0 or image.max() > BRIGHTEST:
        raise InputError(f"a picture has numbers from 0 to {BRIGHTEST}", "choose another picture")
    pad, name = given.get("pad", "zero"), given.get("kernel", "identity")
    stride, dilation = (whole(given, key, 1, MOST_SIDE, 1) for key in ("stride", "dilation"))
    at = given.get("at")
    if not isinstance(pad, str) or (at is not None and (not isinstance(at, list) or len(at) != 2)):
        raise InputError("padding is a word, a place has a row and a column", "reload the page")
    place = [whole({"at": each}, "at", 0, MOST_SIDE, 0) for each in at or ()]

    def work() -> dict[str, Any]:
        kernel = _chosen(name, given, image)
        slides = {kind: load("lab.kernels:Slide")(kind == "convolution", pad, stride, dilation) for kind in ("convolution", "correlation")}
        if place:
            return {kind: load("lab.kernels:work_cell")(image, kernel, (place[0], place[1]), slide) for kind, slide in slides.items()}
        apply = load("lab.kernels:apply")
        values = {kind: np.asarray(apply(image, kernel, slide).values, np.float32) for kind, slide in slides.items()}
        return values | {"kernel": {"values": kernel.values, "sum": kernel.sum, "symmetric": kernel.symmetric, "name": kernel.name}}

    return await house.compute(request, lambda: answer(work()))


def _chosen(name: Any, given: dict[str, Any], image: np.ndarray) -> Any:
    """Return the kernel by its name, by its rows of numbers, or cut out of the picture."""
    if isinstance(name, list):
        values = numbers(name, "kernel", 2, MOST_KERNEL)
        if np.abs(values).max() > 1e6:
            raise InputError("a number of the kernel is too large", "numbers between -1000000 and 1000000")
        return load("lab.catalogue:Kernel")("own", values, "")
    if name == "patch":
        left, top, side = (whole(given, key, 0, MOST_SIDE, usual) for key, usual in (("left", 0), ("top", 0), ("side", 5)))
        if side > MOST_KERNEL:
            raise InputError(f"a patch of {side} x {side} pixels", f"at most {MOST_KERNEL} x {MOST_KERNEL}")
        return load("lab.catalogue:cut")(image, (left, top, side, side))
    if not isinstance(name, str):
        raise InputError("a kernel is a name or rows of numbers", "reload the page")
    return load("lab.catalogue:named")(name)


async def _drawing(house: House, request: Request) -> Response:
    """Give a drawing made by the program, as numbers 0..255."""
    name = request.query_params.get("name", "")
    if name not in DRAWINGS:
        raise InputError("there is no such drawing", f"one of {', '.join(DRAWINGS)}")
    ink = await house.compute(request, lambda: hand.draw(name, 8, 64, least=0.8, pen=(0.03, 0.04)))
    return answer({"picture": np.rint(255 - 225 * ink).astype(np.int64)})


def _wave(pieces: Iterable[np.ndarray], frames: int) -> list[list[float]]:
    """Return the lowest and highest sample of each of COLUMNS columns, all channels together, five decimals."""
    every = np.concatenate(list(pieces))
    low, high = every.min(axis=1), every.max(axis=1)
    starts = np.unique(np.linspace(0, frames, COLUMNS, endpoint=False).astype(np.int64))
    starts = starts[starts < len(every)]
    return [np.minimum.reduceat(low, starts).round(5).tolist(), np.maximum.reduceat(high, starts).round(5).tolist()]


async def _echo(house: House, request: Request) -> Response:
    """Give a sound its echo: the sound that was sent, or one made by the program. Answers in one piece: length, JSON, both sounds."""
    asked = request.query_params
    name, sent = asked.get("sound", ""), await request.body()
    try:
        delay, decay, times = float(asked.get("delay", "0.3")), float(asked.get("decay", "0.5")), int(asked.get("times", "1"))
    except ValueError:
        raise InputError("delay, decay and times are numbers", "reload the page") from None
    if not 0 < delay <= 5 or not 1 <= times <= 40:  # NaN is not <= anything
        raise InputError("an echo comes after 0 to 5 seconds, 1 to 40 times", "change it on the page")
    if not name and not sent:
        raise InputError("no sound was sent", "choose a sound")

    def work() -> bytes:
        echo, options, repeated, kind_of, blocks = (
            load(f"lab.{each}") for each in ("echo:echo", "echo:Options", "echo:repeated", "sound:kind_of", "sound:blocks")
        )
        with tempfile.TemporaryDirectory(prefix="peephole-") as folder:
            source, target = Path(folder) / "sound.wav", Path(folder) / "echo.wav"
            source.write_bytes(tones.as_wav(tones.tone(name)) if name else sent)
            try:
                kind = kind_of(source)
                if kind.frames * kind.channels > MOST_SAMPLES or kind.rate > MOST_RATE:
                    raise InputError("the sound is too long for the page", "at most a minute; longer ones: peephole lab echo IN.wav OUT.wav")
                if (kind.frames + delay * times * kind.rate) * kind.channels > MOST_ECHO:
                    raise InputError(
                        "the echo is too long for the page", "a shorter delay, or fewer times; longer ones: peephole lab echo IN.wav OUT.wav"
                    )
                found = echo(source, target, options(repeated(delay, decay, times), normalise=True))
            except PeepholeError as error:
                raise InputError(error.what.replace(str(source), "the sound"), error.hint) from None
            said = {
                "rate": kind.rate,
                "channels": kind.channels,
                "seconds": [kind.seconds, found.written.seconds],
                "factor": found.factor,
                "impulse": found.impulse,
                "waves": [_wave(blocks(path), found.written.frames) for path in (source, target)],
            }
            return _packed(said, source.read_bytes(), target.read_bytes())

    return Response(await house.compute(request, work, long=True), media_type="application/octet-stream")


def _packed(said: dict[str, Any], *sounds: bytes) -> bytes:
    """Return length, JSON and sounds in one piece; the JSON names their lengths."""
    text = json.dumps(plain(said | {"bytes": [len(each) for each in sounds]}), separators=(",", ":")).encode()
    return struct.pack("<I", len(text)) + text + b"".join(sounds)


ADDRESSES = (
    Address("POST", "/api/lab/kernel", "anyone", _kernel, 200_000),
    Address("GET", "/api/lab/drawing", "anyone", _drawing, 0),
    Address("POST", "/api/lab/echo", "anyone", _echo, MOST_SOUND),
)
