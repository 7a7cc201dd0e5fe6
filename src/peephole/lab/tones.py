"""Sounds made by formula, so that an echo can be heard without a recording: a clap, a plucked string, a tune, one single spike."""

import io
import wave
from collections.abc import Callable

import numpy as np

from peephole.base.errors import InputError, did_you_mean

__all__ = ["RATE", "SOUNDS", "as_wav", "tone"]

RATE = 22_050  # samples a second
SOUNDS = ("clap", "string", "tune", "spike")
STEPS = 2**15 - 1


def _clap(seconds: float = 0.3) -> np.ndarray:
    """Noise that dies away: three bursts close together, as hands make them; the noise is always the same."""
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(0, 1, len(time))
    bursts = sum(np.where(time >= start, np.exp(-(time - start) / fade), 0) for start, fade in ((0.0, 0.004), (0.011, 0.004), (0.023, 0.03)))
    return np.asarray(noise * bursts)


def _string(pitch: float = 220.0, seconds: float = 1.0) -> np.ndarray:
    """A plucked string: partials n = 1..12 of 1/n the size, the higher the sooner gone."""
    time = np.arange(int(seconds * RATE)) / RATE
    partials = [np.sin(2 * np.pi * n * pitch * time) * np.exp(-time * (2 + 1.5 * n)) / n for n in range(1, 13)]
    return np.asarray(sum(partials))


def _tune() -> np.ndarray:
    """Four plucked strings, one after another: a major chord."""
    found = np.zeros(int(2.2 * RATE))
    for number, pitch in enumerate((220.0, 277.18, 329.63, 440.0)):
        start, note = int(0.3 * number * RATE), _string(pitch)
        found[start : start + len(note)] += note
    return found


def tone(name: str) -> np.ndarray:
    """Return one of SOUNDS as float64 (samples,) at RATE, its loudest sample 0.8; raises InputError for another name."""
    made: dict[str, Callable[[], np.ndarray]] = {"clap": _clap, "string": _string, "tune": _tune, "spike": lambda: np.eye(1, RATE // 10, 10)[0]}
    if name not in made:
        raise InputError(f"there is no sound '{name}'{did_you_mean(name, SOUNDS)}", f"one of {', '.join(SOUNDS)}")
    found = made[name]()
    return np.asarray(0.8 * found / np.abs(found).max())


def as_wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    """Return samples (N,) of -1..1 as the bytes of a WAV file of 16 bits, one channel."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * STEPS).astype("<i2").tobytes())
    return data.getvalue()
