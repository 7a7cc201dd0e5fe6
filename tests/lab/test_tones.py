"""Sounds by formula: always the same, never too loud, readable as WAV."""

import io
import wave

import numpy as np
import pytest

from peephole.base.errors import InputError
from peephole.lab.tones import RATE, SOUNDS, as_wav, tone


@pytest.mark.parametrize("name", SOUNDS)
def test_sounds(name):
    """The loudest sample is 0.8, the file gives the samples back, the same name the same sound."""
    samples = tone(name)
    assert np.abs(samples).max() == pytest.approx(0.8)
    assert np.array_equal(samples, tone(name))
    with wave.open(io.BytesIO(as_wav(samples))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (RATE, 1, len(samples))
        assert np.abs(np.frombuffer(file.readframes(len(samples)), "<i2") / 32767 - samples).max() < 1 / 32767


def test_the_string_has_its_pitch():
    """Its strongest frequency is 220 Hz."""
    spectrum = np.abs(np.fft.rfft(tone("string")))
    assert np.fft.rfftfreq(len(tone("string")), 1 / RATE)[spectrum.argmax()] == pytest.approx(220, abs=1)


def test_no_sound():
    """A name that is none is refused."""
    with pytest.raises(InputError, match="no sound"):
        tone("drum")
