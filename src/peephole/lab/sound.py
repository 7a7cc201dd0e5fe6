"""Sound files piece by piece, as floats -1..1, and back into the very numbers they came as; no file is ever held whole.

soundfile turns integers into floats by one factor and back by another; here integers are read and written as integers, so that a sound to which
nothing is done keeps every bit.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from peephole.base.errors import InputError, MissingInput, OutputError, did_you_mean
from peephole.base.files import drafted

__all__ = ["BLOCK", "MOST_CHANNELS", "MOST_SECONDS", "Gauge", "Kind", "Sink", "blocks", "kind_for", "kind_of", "sink"]

BLOCK = 1 << 16  # frames
MOST_CHANNELS = 8  # 7.1
MOST_SECONDS = 4 * 3600
MOST_RATE = 768_000
LOUDEST = 1e6  # full scale is 1; beyond this a float is no sound sample
# Bytes that a header of 32 bits can count.
MOST_BYTES = {"WAV": 2**32 - 4096, "WAVEX": 2**32 - 4096, "AIFF": 2**32 - 4096, "AU": 2**32 - 4096}
FORMATS = {".wav": "WAV", ".flac": "FLAC", ".aiff": "AIFF", ".aif": "AIFF", ".au": "AU", ".w64": "W64", ".rf64": "RF64", ".caf": "CAF", ".ogg": "OGG"}
# How many bits a sample has in the file, and in the integers that soundfile gives for it.
WHOLE = {"PCM_S8": (8, 16), "PCM_U8": (8, 16), "PCM_16": (16, 16), "PCM_24": (24, 32), "PCM_32": (32, 32)}
FLOATS = {"FLOAT": np.finfo(np.float32).max, "DOUBLE": np.finfo(np.float64).max}


@dataclass(frozen=True)
class Kind:
    """What a sound file is: samples a second, channels, frames, its container and how samples are written (libsndfile's names)."""

    rate: int
    channels: int
    frames: int
    format: str
    subtype: str

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.frames / self.rate

    @property
    def steps(self) -> int | None:
        """Steps from silence to full scale; None where samples are floats or are coded with loss."""
        return 1 << WHOLE[self.subtype][0] - 1 if self.subtype in WHOLE else None


@contextmanager
def _opened(path: Path | str) -> Iterator[soundfile.SoundFile]:
    """Open a sound file; raises MissingInput or InputError for what is none."""
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is no regular file", "give a sound file, as in in.wav")
        if status.st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)", "copy it again from where it came from")
        file = soundfile.SoundFile(os.fspath(path))
    except FileNotFoundError:
        raise MissingInput(f"{path} is not there", "check the path") from None
    except (soundfile.LibsndfileError, TypeError) as error:
        raise InputError(f"{path} is no sound file that can be read here: {_short(error)}", "save it as WAV or FLAC") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", "check its permissions") from error
    with file:
        yield file


def _short(error: Exception) -> str:
    """Return what libsndfile says, without the file's name."""
    return str(getattr(error, "error_string", error)).rstrip(".")[:100]


def kind_of(path: Path | str) -> Kind:
    """Return what a file is; raises MissingInput or InputError for no sound, none in it, over 8 channels, 4 hours or 768 kHz."""
    with _opened(path) as file:
        kind = Kind(file.samplerate, file.channels, file.frames, file.format, file.subtype)
    if kind.channels > MOST_CHANNELS:
        raise InputError(f"{path} has {kind.channels} channels; at most {MOST_CHANNELS} are read", "mix it down to stereo first")
    if not 1 <= kind.rate <= MOST_RATE:
        raise InputError(f"{path} has {kind.rate} samples a second; between 1 and {MOST_RATE} are read", "resample it to 48000 first")
    if kind.frames < 1:
        raise InputError(f"{path} holds no sound (0 samples)", "record it again")
    if kind.seconds > MOST_SECONDS:
        raise InputError(f"{path} lasts {kind.seconds / 3600:.1f} hours; at most {MOST_SECONDS / 3600:g} are read", "cut it into parts first")
    return kind


def kind_for(path: Path | str, kind: Kind, frames: int) -> Kind:
    """Return how to write `frames` frames of such a sound to `path`: its container by its ending, samples as they were where that can hold them.

    Raises InputError for an ending that is not known here, OutputError for more bytes than the container can count.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        words = f"'{ending}' is no ending of a sound file that is written here{did_you_mean(ending, FORMATS)}"
        raise InputError(words if ending else f"{path} has no ending that names a kind of sound file", "name it out.wav or out.flac")
    container = kind.format if FORMATS[ending] == "WAV" and kind.format == "WAVEX" else FORMATS[ending]
    subtype = kind.subtype if soundfile.check_format(container, kind.subtype) else soundfile.default_subtype(container)
    size = frames * kind.channels * ({"DOUBLE": 8, "FLOAT": 4}.get(subtype) or WHOLE.get(subtype, (16, 16))[0] // 8)
    if size > MOST_BYTES.get(container, 2**62):
        raise OutputError(f"{size / 1e9:.1f} GB of samples are more than a {container} file can count", f"write {Path(path).stem}.w64 or .flac")
    return Kind(kind.rate, kind.channels, frames, container, subtype)


def blocks(path: Path | str, frames: int = BLOCK) -> Iterator[np.ndarray]:
    """Yield a file's samples, float64 (frames, channels), full scale 1, in blocks; raises InputError for NaN, infinity or what is no sample."""
    with _opened(path) as file:
        bits = WHOLE.get(file.subtype)
        at = 0
        while True:
            try:
                if bits:
                    read = file.read(frames, dtype="int16" if bits[1] == 16 else "int32", always_2d=True) / float(1 << bits[1] - 1)
                else:
                    read = file.read(frames, dtype="float64", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise InputError(f"{path} breaks off at {at / file.samplerate:.2f} s: {_short(error)}", "copy it again") from error
            if not len(read):
                return
            _require_samples(path, read, at, file.samplerate)
            at += len(read)
            yield read


def _require_samples(path: Path | str, read: np.ndarray, at: int, rate: int) -> None:
    wrong = ~(np.abs(read) <= LOUDEST).all(axis=1)  # NaN is not <= anything
    if wrong.any():
        first = int(wrong.argmax())
        value = next(value for value in read[first] if not abs(value) <= LOUDEST)
        raise InputError(
            f"{path} holds a sample of {value:g} at {(at + first) / rate:.3f} s, where full scale is 1",
            "export it again from the program that made it",
        )


@dataclass
class Gauge:
    """What was heard so far: the largest absolute sample (full scale 1), and how many were beyond what the file can hold."""

    peak: float = 0.0
    clipped: int = 0


class Sink:
    """Takes blocks of floats and writes them in a file's own numbers; what is too loud is cut and counted."""

    def __init__(self, file: soundfile.SoundFile, kind: Kind) -> None:
        self._file, self._kind = file, kind
        self.gauge = Gauge()

    def write(self, block: np.ndarray) -> None:
        """Write float64 (frames, channels); rounds to the nearest step."""
        self.gauge.peak = max(self.gauge.peak, float(np.abs(block).max(initial=0.0)))
        if self._kind.subtype in FLOATS:
            self._file.write(block)
            return
        steps = self._kind.steps or 1 << 15
        scaled = np.rint(block * steps)
        self.gauge.clipped += int(np.count_nonzero((scaled > steps - 1) | (scaled < -steps)))
        whole = np.clip(scaled, -steps, steps - 1).astype(np.int64)
        bits, shown = WHOLE.get(self._kind.subtype, (16, 16))
        self._file.write((whole << shown - bits).astype(np.int16 if shown == 16 else np.int32))


@contextmanager
def sink(path: Path | str, kind: Kind) -> Iterator[Sink]:
    """Open a sound file for writing; it takes its name only when all went well. Raises OutputError."""
    with drafted(path) as draft:
        try:
            with soundfile.SoundFile(draft, "w", kind.rate, kind.channels, kind.subtype, format=kind.format) as file:
                yield Sink(file, kind)
        except soundfile.LibsndfileError as error:
            raise OutputError(f"{path} cannot be written: {_short(error)}", "write it as WAV, or make room") from error
