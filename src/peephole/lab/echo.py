"""A sound convolved with spikes: an echo is a shifted, softer copy; a room is thousands of them (Olah, "Understanding Convolutions").

Files of any length pass through in blocks. Spikes are added one by one, in one order, so that blocks of any size give the same bits; a room goes by
FFT in blocks of its own size.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import fft, signal

from peephole.base.errors import InputError
from peephole.lab.sound import Gauge, Kind, blocks, kind_for, kind_of, sink

__all__ = ["MOST_DELAY", "MOST_TAPS", "Echo", "Options", "Tap", "echo", "repeated", "through_room", "with_taps"]

MOST_DELAY = 60.0  # seconds
MOST_TAPS = 1000
MOST_GAIN = 100.0
MOST_ROOM = 2_000_000  # samples of a room's impulse response: 41 s at 48 kHz
MOST_RATIO = 1000  # between the rates of a sound and its room, as whole numbers


@dataclass(frozen=True)
class Tap:
    """One spike: a copy `delay` seconds later, times `gain`."""

    delay: float
    gain: float

    def __post_init__(self) -> None:
        if not 0 <= self.delay <= MOST_DELAY:
            raise InputError(f"a delay of {self.delay:g} s", f"a delay is between 0 and {MOST_DELAY:g} seconds")
        if not abs(self.gain) <= MOST_GAIN:
            raise InputError(f"a gain of {self.gain:g}", f"a gain is between -{MOST_GAIN:g} and {MOST_GAIN:g}; 0.5 is half as loud")


@dataclass(frozen=True)
class Options:
    """How an echo is made: `taps`, or the impulse response in the file `room`; the sound itself times `dry` (1, with a room 0), the echo times `wet`.

    `tail` keeps what still rings after the end; `normalise` scales the whole so that its loudest sample just fits.
    """

    taps: tuple[Tap, ...] = ()
    room: Path | None = None
    dry: float | None = None
    wet: float = 1.0
    tail: bool = True
    normalise: bool = False

    def __post_init__(self) -> None:
        if self.room is not None and self.taps:
            raise InputError("both taps and a room", "first one, then the other: the output of the first is the input of the second")
        if self.room is None and not 1 <= len(self.taps) <= MOST_TAPS:
            raise InputError(f"{len(self.taps)} taps; there are between 1 and {MOST_TAPS}", "name one: --tap 0.3:0.5")
        for name, value in (("dry", self.dryness), ("wet", self.wet)):
            if not abs(value) <= MOST_GAIN:
                raise InputError(f"{name} is {value:g}", f"{name} is between -{MOST_GAIN:g} and {MOST_GAIN:g}; 1 leaves it as loud as it is")

    @property
    def dryness(self) -> float:
        """The factor of the sound itself; a room's impulse response holds it already."""
        return self.dry if self.dry is not None else 1.0 if self.room is None else 0.0


@dataclass(frozen=True)
class Echo:
    """What was done: the sound as it came and as it was written; `impulse` samples long, `factor` by which all was scaled.

    `peak` is the loudest sample as written, before cutting (full scale 1), `clipped` how many samples were cut; `resampled_from` is the room's own
    rate where that was another.
    """

    came: Kind
    written: Kind
    impulse: int
    peak: float
    clipped: int
    factor: float
    resampled_from: int | None


def repeated(delay: float, decay: float, times: int = 1) -> tuple[Tap, ...]:
    """Return `times` spikes, each `delay` seconds after the last and `decay` times as loud; one is Olah's double spike. Raises InputError."""
    if not 1 <= times <= MOST_TAPS:
        raise InputError(f"an echo heard {times} times", f"it is heard between 1 and {MOST_TAPS} times")
    if not abs(decay) <= 1:
        raise InputError(f"a decay of {decay:g} would grow", "a decay is between -1 and 1; 0.5 is half as loud each time")
    if delay * times > MOST_DELAY:
        raise InputError(f"{times} echoes of {delay:g} s take {delay * times:g} s", f"together they take at most {MOST_DELAY:g} seconds")
    return tuple(Tap(delay * number, decay**number) for number in range(1, times + 1))


def with_taps(pieces: Iterable[np.ndarray], taps: Sequence[tuple[int, float]], *, tail: bool = True) -> Iterator[np.ndarray]:
    """Yield the sum over taps (delay in samples, gain) of the delayed sound, as blocks (frames, channels), for blocks that come in.

    Every output is summed in the order of the taps, whatever the blocks' sizes: chunked and whole agree to the last bit. Keeps max(delay) samples.
    """
    reach = max(delay for delay, _ in taps)
    past: np.ndarray | None = None
    for piece in pieces:
        past = np.zeros((reach, piece.shape[1])) if past is None else past
        heard = np.concatenate([past, piece])
        yield _tapped(heard, taps, reach, len(piece))
        past = heard[len(heard) - reach :]
    if tail and past is not None and reach:
        for start in range(0, reach, 1 << 16):
            count = min(1 << 16, reach - start)
            heard = np.zeros((reach + count, past.shape[1]))
            heard[: reach - start] = past[start:]
            yield _tapped(heard, taps, reach, count)


def _tapped(heard: np.ndarray, taps: Sequence[tuple[int, float]], reach: int, count: int) -> np.ndarray:
    out = np.zeros((count, heard.shape[1]))
    for delay, gain in taps:
        out += gain * heard[reach - delay : reach - delay + count]
    return out


def through_room(pieces: Iterable[np.ndarray], response: np.ndarray, dry: float = 0.0, *, tail: bool = True) -> Iterator[np.ndarray]:
    """Yield the sound convolved with a response (L, 1 or channels), plus the sound itself times `dry`, by overlap-add.

    The blocks that are transformed have a size of their own, about three times L, whatever comes in.
    """
    length = len(response)
    step = max(3 * length, 1 << 14)
    size = fft.next_fast_len(step + length - 1, real=True)
    spectrum = fft.rfft(response, size, axis=0)
    over: np.ndarray | None = None
    for piece in _regular(pieces, step):
        over = np.zeros((length - 1, piece.shape[1])) if over is None else over
        made = fft.irfft(fft.rfft(piece, size, axis=0) * spectrum, size, axis=0)[: len(piece) + length - 1]
        made[: length - 1] += over
        over = made[len(piece) :]
        yield made[: len(piece)] + dry * piece
    if tail and over is not None and len(over):
        yield over


def _regular(pieces: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield the same samples in blocks of one size, the last one shorter."""
    waiting: list[np.ndarray] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        while count >= size:
            joined = np.concatenate(waiting)
            yield joined[:size]
            waiting, count = [joined[size:]], count - size
    if count:
        yield np.concatenate(waiting)


def echo(source: Path | str, target: Path | str, options: Options) -> Echo:
    """Write the sound file `source` with its echo to `target`, in the same kind of samples; returns what was done.

    Raises MissingInput or InputError (lab/sound says for what), OutputError. With `normalise` the file is read twice.
    """
    came = kind_of(source)
    if Path(target).exists() and Path(target).samefile(source):
        raise InputError(f"{target} is the sound itself", "name another file for the echo")
    response, own = _response(options.room, came)
    taps = [(0, options.dryness), *((round(tap.delay * came.rate), options.wet * tap.gain) for tap in options.taps)]
    length = len(response) if response is not None else 1 + max(delay for delay, _ in taps)
    written = kind_for(target, came, came.frames + (length - 1 if options.tail else 0))

    def made() -> Iterator[np.ndarray]:
        if response is not None:
            return through_room(blocks(source), options.wet * response, options.dryness, tail=options.tail)
        return with_taps(blocks(source), taps, tail=options.tail)

    factor = _factor(made(), written) if options.normalise else 1.0
    gauge = Gauge()
    with sink(target, written) as file:
        for piece in made():
            file.write(piece if factor == 1.0 else piece * factor)
        gauge = file.gauge
    return Echo(came, written, length, gauge.peak, gauge.clipped, factor, own)


def _factor(made: Iterable[np.ndarray], written: Kind) -> float:
    """Return what scales the loudest sample to the largest that the file can hold; 1 for silence."""
    peak = max((float(np.abs(piece).max(initial=0.0)) for piece in made), default=0.0)
    steps = written.steps or 1 << 15
    return (1.0 - 1.0 / steps) / peak if peak > 0 else 1.0


def _response(room: Path | None, sound: Kind) -> tuple[np.ndarray | None, int | None]:
    """Return a room's impulse response (L, 1 or the sound's channels) at the sound's rate, and its own rate where that was another."""
    if room is None:
        return None, None
    kind = kind_of(room)
    if kind.channels not in (1, sound.channels):
        raise InputError(
            f"the room has {kind.channels} channels, the sound {sound.channels}", "give a room of one channel, or of as many as the sound"
        )
    wanted = math.ceil(kind.frames * sound.rate / kind.rate)
    if max(kind.frames, wanted) > MOST_ROOM:
        raise InputError(
            f"{room} rings for {kind.seconds:.0f} s, {wanted:,} samples; at most {MOST_ROOM:,} are used", "cut it where nothing is heard any more"
        )
    response = np.concatenate(list(blocks(room)))
    if kind.rate == sound.rate:
        return response, None
    shared = math.gcd(kind.rate, sound.rate)
    up, down = sound.rate // shared, kind.rate // shared
    if max(up, down) > MOST_RATIO:
        raise InputError(f"{kind.rate} and {sound.rate} samples a second do not fit", f"resample the room to {sound.rate} first")
    # As many samples a second more, each of them as much less: the sum over a second stays.
    return signal.resample_poly(response, up, down, axis=0) * (kind.rate / sound.rate), kind.rate
