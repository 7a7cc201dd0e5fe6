"""An echo: the text's double spike, blocks that agree with the whole, samples kept bit by bit, and what is no sound."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from peephole.base.errors import InputError, MissingInput, OutputError
from peephole.lab import sound
from peephole.lab.echo import Options, Tap, echo, repeated, through_room, with_taps

RATE = 8000


def noise(frames=4000, channels=1, seed=0, loud=0.1):
    return np.random.default_rng(seed).standard_normal((frames, channels)) * loud


def saved(path, samples, subtype="PCM_16", rate=RATE):
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def test_the_texts_double_spike():
    """(1, 2, 3, 0, 0, 0) * (1, 0, 0, 0.5) = (1, 2, 3, 0.5, 1, 1.5, 0, 0, 0)."""
    heard = np.array([1.0, 2, 3, 0, 0, 0])[:, None]
    assert np.concatenate(list(with_taps([heard], [(0, 1.0), (3, 0.5)]))).ravel().tolist() == [1, 2, 3, 0.5, 1, 1.5, 0, 0, 0]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.lists(st.tuples(st.integers(0, 60), st.floats(-1, 1)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_blocks_and_whole_agree_to_the_bit(sizes, taps):
    """Whatever the blocks, shorter than the delay too, spikes give the same bits."""
    whole = noise(sum(sizes), 2)
    pieces = np.split(whole, np.cumsum(sizes)[:-1])
    cut, once = np.concatenate(list(with_taps(pieces, taps))), np.concatenate(list(with_taps([whole], taps)))
    assert np.array_equal(cut, once)
    wanted = sum(gain * np.pad(whole, ((delay, max(d for d, _ in taps) - delay), (0, 0))) for delay, gain in taps)
    assert np.abs(once - wanted).max() < 1e-14


@given(st.integers(1, 300), st.sampled_from([1, 2]), st.integers(500, 40_000))
@settings(max_examples=15, deadline=None)
def test_a_room_in_blocks_is_the_convolution(length, channels, frames):
    """Overlap-add over many blocks gives the whole convolution, with one response for all channels or one for each."""
    whole, response = noise(frames, 2), noise(length, channels, 1)
    found = np.concatenate(list(through_room(np.array_split(whole, 7), response, 0.5)))
    for channel in range(2):
        wanted = np.convolve(whole[:, channel], response[:, channel % channels])
        wanted[:frames] += 0.5 * whole[:, channel]
        assert np.abs(found[:, channel] - wanted).max() < 1e-12


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_a_sound_without_echo_keeps_every_bit(tmp_path, subtype):
    """Samples come out as they went in, in their own kind; only the tail is new."""
    given_ = saved(tmp_path / "in.wav", noise(3000, 2), subtype)
    found = echo(given_, tmp_path / "out.wav", Options((Tap(0.01, 0.0),)))
    assert found.written.subtype == subtype and found.written.frames == 3080 and found.clipped == 0
    kind = "float64" if subtype in ("FLOAT", "DOUBLE") else "int32"
    before, after = (soundfile.read(tmp_path / name, dtype=kind)[0] for name in ("in.wav", "out.wav"))
    assert np.array_equal(before, after[:3000]) and not after[3000:].any()


def test_a_long_file_passes_in_blocks(tmp_path, monkeypatch):
    """The file made in blocks of 1000 frames is, byte for byte, the one made at once."""
    given_ = saved(tmp_path / "in.wav", noise(30_000, 2))
    echo(given_, tmp_path / "once.wav", Options(repeated(0.3, 0.5, 3)))
    real = sound.blocks
    monkeypatch.setattr("peephole.lab.echo.blocks", lambda path: real(path, 1000))
    echo(given_, tmp_path / "cut.wav", Options(repeated(0.3, 0.5, 3)))
    assert (tmp_path / "once.wav").read_bytes() == (tmp_path / "cut.wav").read_bytes()


def test_clipping_is_counted_and_can_be_scaled_away(tmp_path):
    """Two full-scale copies on top of each other clip; normalised they just fit."""
    given_ = saved(tmp_path / "in.wav", np.full((100, 1), 0.9))
    loud = echo(given_, tmp_path / "loud.wav", Options((Tap(0.0, 1.0),)))
    assert loud.clipped == 100 and loud.peak == pytest.approx(1.8, abs=1e-3)
    assert soundfile.read(tmp_path / "loud.wav", dtype="int16")[0].max() == 32767
    fits = echo(given_, tmp_path / "fits.wav", Options((Tap(0.0, 1.0),), normalise=True))
    assert fits.clipped == 0 and soundfile.read(tmp_path / "fits.wav", dtype="int16")[0].max() == 32767


def test_dry_wet_and_tail(tmp_path):
    """Without the dry sound the echo stands alone; without a tail it ends with the sound."""
    given_ = saved(tmp_path / "in.wav", noise(1000), "DOUBLE")
    echo(given_, tmp_path / "out.wav", Options((Tap(0.05, 1.0),), dry=0.0, wet=0.5, tail=False))
    before, after = (soundfile.read(tmp_path / name)[0] for name in ("in.wav", "out.wav"))
    assert after.shape == (1000,) and not after[:400].any() and np.array_equal(after[400:], 0.5 * before[:600])


def test_a_room_of_another_rate(tmp_path):
    """A room recorded at twice the rate is resampled: a clap in it keeps its strength, a long even ring its sum."""
    given_, room = saved(tmp_path / "in.wav", noise(2000), "DOUBLE"), saved(tmp_path / "room.wav", np.hanning(800) / 400, "DOUBLE", 2 * RATE)
    found = echo(given_, tmp_path / "out.wav", Options(room=room))
    assert found.resampled_from == 2 * RATE and found.impulse == 400
    steady = saved(tmp_path / "steady.wav", np.full(3000, 0.5), "DOUBLE")
    echo(steady, tmp_path / "out2.wav", Options(room=room))
    # The sum of the room is that of hanning(800) / 400, about 1: an even sound stays as loud.
    assert soundfile.read(tmp_path / "out2.wav")[0][1000:2000] == pytest.approx(0.5, abs=0.01)


def _write(path, data):
    path.write_bytes(data)
    return path


def _nan(path):
    samples = noise(5000)
    samples[4000] = np.nan
    return saved(path, samples, "FLOAT")


BAD = {
    "no sound": (lambda p: _write(p, b"this is not a sound, only its name says so" * 9), "no sound file"),
    "0 bytes": (lambda p: _write(p, b""), r"empty \(0 bytes\)"),
    "no samples": (lambda p: saved(p, np.zeros((0, 1))), "holds no sound"),
    "cut header": (lambda p: _write(p, saved(p, noise()).read_bytes()[:30]), "no sound"),
    "100 channels": (lambda p: saved(p, np.zeros((10, 100))), "has 100 channels"),
    "10 hours": (lambda p: saved(p, np.zeros(36_100, np.uint8).astype(float), "PCM_U8", 1), "lasts 10.0 hours"),
    "NaN": (_nan, "sample of nan at 0.500 s"),
    "infinite": (lambda p: saved(p, np.array([[0.0], [np.inf]]), "FLOAT"), "sample of inf"),
    "a folder": (lambda p: p.mkdir() or p, "no regular file"),
}


@pytest.mark.parametrize(("make", "said"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("place", ["sound", "room"])
def test_what_is_no_sound(tmp_path, make, said, place):
    """One sentence and a hint, as the sound and as the room, and nothing is written."""
    bad, fine = make(tmp_path / "bad.wav"), saved(tmp_path / "fine.wav", noise())
    source, options = (bad, Options((Tap(0.1, 0.5),))) if place == "sound" else (fine, Options(room=bad))
    with pytest.raises(InputError, match=said) as refused:
        echo(source, tmp_path / "out.wav", options)
    assert refused.value.hint and not (tmp_path / "out.wav").exists() and len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_written(tmp_path):
    """The sound itself, an unknown ending, a missing sound, and a file that cannot count its bytes."""
    given_ = saved(tmp_path / "in.wav", noise())
    taps = Options((Tap(0.1, 0.5),))
    with pytest.raises(InputError, match="is the sound itself"):
        echo(given_, given_, taps)
    with pytest.raises(InputError, match="no ending"):
        echo(given_, tmp_path / "out.xyz", taps)
    with pytest.raises(MissingInput):
        echo(tmp_path / "none.wav", tmp_path / "out.wav", taps)
    with pytest.raises(OutputError, match="more than a WAV file can count"):
        sound.kind_for(tmp_path / "out.wav", sound.Kind(192_000, 8, 0, "WAV", "DOUBLE"), 192_000 * 3600)


def test_the_old_file_stands_when_it_fails(tmp_path):
    """A NaN far into the sound leaves what was there before."""
    old = _write(tmp_path / "out.wav", b"old")
    with pytest.raises(InputError):
        echo(_nan(tmp_path / "in.wav"), old, Options((Tap(0.1, 0.5),)))
    assert old.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: Tap(-0.1, 1), lambda: Tap(61, 1), lambda: Tap(0.1, float("nan")), lambda: Tap(float("nan"), 1), lambda: repeated(0.1, 2),
        lambda: repeated(1, 0.5, 61), lambda: repeated(1, 0.5, 0), lambda: Options(()), lambda: Options((Tap(0.1, 1),), wet=1e9),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be(make):
    """Delays, gains and counts out of range are refused with what they may be."""
    with pytest.raises(InputError) as refused:
        make()
    assert refused.value.hint
