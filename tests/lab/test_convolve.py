"""One call for convolution: every number of the text, every way the same answer, and what it refuses."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from peephole.base.errors import InputError
from peephole.lab.convolve import HOWS, MODES, as_matrix, convolve, correlate, gradient_of_kernel, gradient_of_signal, plan
from peephole.lab.lowrank import split

NUMBERS = st.floats(-100, 100, width=32)
ROWS = arrays(np.float64, st.integers(1, 40), elements=NUMBERS)
GRIDS = arrays(np.float64, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=NUMBERS)
KERNELS = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=NUMBERS)


def near(found, wanted, of=1e-13):
    """Two arrays agree to `of` of the largest number that their sums could have held."""
    return found.shape == wanted.shape and np.abs(found - wanted).max(initial=0) <= of * max(1.0, np.abs(wanted).max(initial=0), 1e4)


@pytest.mark.parametrize(
    ("f", "g", "wanted"),
    [
        ((0.1, 0.2, 0.3, 0.4), (0.1, 0.2, 0.3, 0.4), (0.01, 0.04, 0.10, 0.20, 0.25, 0.24, 0.16)),
        ((0.5, 0.3, 0.2), (0.6, 0.4), (0.30, 0.38, 0.24, 0.08)),
        ((1 / 6,) * 6, (1 / 6,) * 6, tuple(n / 36 for n in (1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1))),
        ((1, 1, 1), (1, 1, 1), (1, 2, 3, 2, 1)),
        ((1, 2, 3, 0, 0, 0), (1, 0, 0, 0.5), (1, 2, 3, 0.5, 1, 1.5, 0, 0, 0)),
    ],
    ids=["sums of three", "two coins", "two dice", "two boxes", "echo"],
)
@pytest.mark.parametrize("how", ["auto", "direct", "fft"])
def test_the_texts_rows(f, g, wanted, how):
    """The convolutions of "Understanding Convolutions", whole, by every way."""
    assert convolve(f, g, how=how) == pytest.approx(wanted, abs=1e-14)


def test_a_layer_is_a_matrix_of_shared_weights():
    """The weights w = (2, -1) on x = (1, 3, 5, 7) is W x = (-1, 1, 3), and that is the convolution with (-1, 2)."""
    x = np.array([1.0, 3, 5, 7])
    wide = as_matrix(np.array([-1.0, 2.0]), 4)
    assert wide.tolist() == [[2, -1, 0, 0], [0, 2, -1, 0], [0, 0, 2, -1]]
    assert (wide @ x).tolist() == [-1, 1, 3] == convolve(x, np.array([-1.0, 2.0]), mode="valid").tolist()


@given(ROWS, st.integers(1, 6), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_every_row_kernel_is_a_matrix(x, size, chance):
    """W x = conv(x, k, valid) for any row."""
    kernel = np.array([chance.uniform(-3, 3) for _ in range(min(size, x.size))])
    assert near(as_matrix(kernel, x.size) @ x, convolve(x, kernel, mode="valid"))


def test_the_flip_matters():
    """The counter-example: 11 as cross-correlation, -13 as convolution."""
    image, kernel = np.arange(25.0).reshape(5, 5) ** 2, np.array([[0.0, 0, 0], [-1, 1, 0], [0, 0, 0]])
    for how in HOWS:
        assert correlate(image, kernel, how=how)[0, 0] == pytest.approx(11, abs=1e-11)
        assert convolve(image, kernel, mode="valid", how=how)[0, 0] == pytest.approx(-13, abs=1e-11)


@pytest.mark.parametrize("shape", [((7,), (3,)), ((6, 7), (2, 3))], ids=["a row", "a picture"])
def test_gradients_by_finite_differences(shape):
    """dL/dK and dL/dX of Y = xcorr(X, K), L = sum of Y * S, nudged number by number; L is linear in each, so differences are exact to rounding."""
    chance = np.random.default_rng(3)
    x, k = chance.standard_normal(shape[0]), chance.standard_normal(shape[1])
    slope = chance.standard_normal(correlate(x, k).shape)
    for given_, found, loss in (
        (k, gradient_of_kernel(x, slope), lambda nudged: (correlate(x, nudged) * slope).sum()),
        (x, gradient_of_signal(k, slope), lambda nudged: (correlate(nudged, k) * slope).sum()),
    ):
        assert found.shape == given_.shape
        for at in np.ndindex(given_.shape):
            nudge = np.zeros_like(given_)
            nudge[at] = 1e-3
            assert found[at] == pytest.approx((loss(given_ + nudge) - loss(given_ - nudge)) / 2e-3, abs=1e-9)


@given(ROWS, ROWS)
@settings(max_examples=60, deadline=None)
def test_commutative(f, g):
    """The order does not matter: f * g = g * f."""
    assert near(convolve(f, g), convolve(g, f))


@given(GRIDS, KERNELS, KERNELS)
@settings(max_examples=60, deadline=None)
def test_associative(f, g, h):
    """(f * g) * h = f * (g * h), to rounding of sums of up to 36 x 36 products."""
    wanted = convolve(f, convolve(g, h))
    assert np.abs(convolve(convolve(f, g), h) - wanted).max() <= 1e-13 * 100**3 * 36 * 36


@given(GRIDS, KERNELS, st.sampled_from(MODES), st.booleans())
@settings(max_examples=150, deadline=None)
def test_all_ways_agree_with_scipy(f, g, mode, outer):
    """Direct, separable, FFT and auto, in every mode, also for kernels of rank one, give SciPy's direct sums."""
    kernel = np.outer(g[:, 0], g[0]) if outer else g
    if mode == "valid" and any(k > n for k, n in zip(kernel.shape, f.shape, strict=True)):
        with pytest.raises(InputError, match="lies nowhere wholly inside"):
            convolve(f, kernel, mode=mode)
        return
    wanted = scipy.signal.convolve2d(f, kernel, mode) if mode != "same" else scipy.signal.convolve(f, kernel, "same", "direct")
    scale = 1e-14 * max(1.0, np.abs(f).max() * np.abs(kernel).max()) * 200
    for how in HOWS:
        assert np.abs(convolve(f, kernel, mode=mode, how=how) - wanted).max() <= scale, how


@given(ROWS, ROWS, st.sampled_from(MODES))
@settings(max_examples=80, deadline=None)
def test_rows_agree_with_numpy(f, g, mode):
    """One dimension: NumPy's convolution by every way (NumPy calls the longer of the two the signal)."""
    signal, kernel = (f, g) if f.size >= g.size else (g, f)
    for how in ("auto", "direct", "fft"):
        assert near(convolve(signal, kernel, mode=mode, how=how), np.convolve(signal, kernel, mode), 1e-12)


@pytest.mark.parametrize("size", [3, 9, 31, 127])
@pytest.mark.parametrize("outer", [False, True], ids=["any", "rank one"])
def test_float32_keeps_its_accuracy(size, outer):
    """Pictures of float32 stay float32, off by no more than a direct sum in float32 may be."""
    chance = np.random.default_rng(size)
    image, kernel = chance.standard_normal((150, 131)).astype(np.float32), chance.standard_normal((size, size)).astype(np.float32)
    kernel = np.outer(kernel[0], kernel[:, 0]).astype(np.float32) if outer else kernel
    wanted = scipy.signal.fftconvolve(image.astype(np.float64), kernel.astype(np.float64), "same")
    for how in HOWS:
        found = convolve(image, kernel, mode="same", how=how)
        assert found.dtype == np.float32 and found.shape == image.shape
        # The sum of |terms| bounds every partial sum; float32 rounds to 6e-8 of it.
        room = np.abs(image).max() * np.abs(kernel).sum()
        assert np.abs(found - wanted).max() <= 2e-6 * room, how


def test_what_it_takes_follows_the_sizes():
    """A small kernel goes tap by tap, one that is a column times a row in parts, a large one by FFT."""
    chance = np.random.default_rng(0)
    image = chance.standard_normal((512, 512)).astype(np.float32)
    ways = {size: plan(image, chance.standard_normal((size, size)).astype(np.float32), mode="same") for size in (3, 127)}
    assert ways == {3: "direct", 127: "fft"}
    bell = np.exp(-(np.linspace(-2, 2, 21) ** 2)).astype(np.float32)
    assert plan(image, np.outer(bell, bell), mode="same") == "separable"
    assert plan(np.ones(10**6), np.ones(10**4)) == "fft" and plan(np.ones(1000), np.ones(3)) == "direct"


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_low_rank_is_found(high, wide, rank, seed):
    """A sum of up to four outer products is split into no more than that, and adds up again."""
    chance = np.random.default_rng(seed)
    kernel = sum(np.outer(chance.standard_normal(high), chance.standard_normal(wide)) for _ in range(rank))
    parts = split(kernel)
    assert parts is not None and parts.count <= min(rank, high, wide)
    assert np.abs(parts.columns.T @ parts.rows - kernel).max() <= 1e-12 * max(1.0, np.abs(kernel).max())


def test_full_rank_is_not_split():
    """What has no few parts is not forced into them, not even where the rest is small."""
    assert split(np.eye(9)) is None
    nearly = np.ones((9, 9)) + 1e-9 * np.eye(9)
    assert split(nearly) is None and split(nearly.astype(np.float32)).count == 1


@pytest.mark.parametrize(
    ("signal", "kernel", "options", "said"),
    [
        ([1.0, np.nan], [1.0], {}, "the signal holds NaN or infinity"),
        ([1.0], [np.inf], {}, "the kernel holds NaN or infinity"),
        ([], [1.0], {}, "the signal is empty"),
        ([1.0], [], {}, "the kernel is empty"),
        ([[1.0]], [1.0], {}, "2 and a kernel of 1 dimensions"),
        (np.zeros((2, 2, 2)), np.zeros((1, 1, 1)), {}, "dimensions"),
        ([1j], [1.0], {}, "no array of real numbers"),
        (["a"], [1.0], {}, "no array of real numbers"),
        ([1.0], [1.0, 2.0], {"mode": "valid"}, "nowhere wholly inside"),
        ([1.0], [1.0], {"mode": "sane"}, "did you mean 'same'"),
        ([1.0], [1.0], {"how": "ftt"}, "did you mean 'fft'"),
        ([1.0, 2.0], [1.0], {"how": "separable"}, "cannot be separated"),
    ],
)
def test_what_it_refuses(signal, kernel, options, said):
    """One sentence and a hint, and never an assert or another library's error."""
    with pytest.raises(InputError, match=said) as refused:
        convolve(signal, kernel, **options)
    assert refused.value.hint


def test_large_numbers_are_numbers():
    """A square that overflows is no infinity in the signal."""
    assert convolve(np.array([1e300, 1.0]), np.array([1.0])).tolist() == [1e300, 1.0]


def test_a_zero_kernel_is_a_kernel():
    """A kernel of zeros gives zeros, by every way."""
    for how in HOWS:
        assert not convolve(np.ones((5, 6)), np.zeros((3, 2)), how=how).any()


@pytest.mark.parametrize(("taps", "length"), [([], 3), ([1.0, 2], 1), ([[1.0]], 3), ([1.0], 20_000)])
def test_no_matrix(taps, length):
    """A matrix that cannot be, or is too large to write out, is refused."""
    with pytest.raises(InputError):
        as_matrix(np.array(taps), length)
