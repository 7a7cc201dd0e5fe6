"""One call for convolution in one and two dimensions: directly, by separable parts or by FFT, whichever is quickest for the sizes given.

out[c] = the sum over a of signal[a] kernel[c - a], with zeros outside the signal (Olah, "Understanding Convolutions"); cross-correlation is the same
without the flip, `correlate`. Knows arrays only; the ways themselves are in lab/ways, their costs in lab/costs.
"""

from typing import Literal

import numpy as np

from peephole.base.errors import InputError, did_you_mean
from peephole.lab.costs import choose
from peephole.lab.lowrank import Parts, split, whole
from peephole.lab.ways import Span, by_fft, by_parts, directly

__all__ = ["HOWS", "MODES", "How", "Mode", "as_matrix", "convolve", "correlate", "gradient_of_kernel", "gradient_of_signal", "plan"]

Mode = Literal["full", "same", "valid"]
How = Literal["auto", "direct", "separable", "fft"]
HANDFUL = 16  # taps
MODES: tuple[Mode, ...] = ("full", "same", "valid")
HOWS: tuple[How, ...] = ("auto", "direct", "separable", "fft")


def convolve(signal: np.ndarray, kernel: np.ndarray, *, mode: Mode = "full", how: How = "auto") -> np.ndarray:
    """Return the convolution of `signal` with `kernel`, both (N,) or both (H, W), with zeros outside.

    `mode` is how much: every place where they touch ("full", N + K - 1), as much as the signal, in its middle ("same", N), or only where the kernel
    lies wholly inside ("valid", N - K + 1). `how` is the way; they agree to rounding: about 1e-6 of the largest value in float32, 1e-15 in float64.
    float32 with float32 gives float32, all else float64. Raises InputError for NaN, infinity, complex or empty input, another number of dimensions,
    a mode or way that is not known, and a kernel larger than the signal in "valid".
    """
    _require_known(mode, how)
    a, b = _numbers(signal, kernel)
    return _run(a, b, mode, how)


def correlate(signal: np.ndarray, kernel: np.ndarray, *, mode: Mode = "valid", how: How = "auto") -> np.ndarray:
    """Return the cross-correlation: out[c] = the sum over a of signal[c + a] kernel[a], what most network libraries call convolution.

    The same as `convolve` with the kernel turned by 180 degrees; arguments and errors are those of `convolve`.
    """
    return convolve(signal, np.flip(np.asarray(kernel)), mode=mode, how=how)


def plan(signal: np.ndarray, kernel: np.ndarray, *, mode: Mode = "full") -> How:
    """Return the way that `how="auto"` takes for these arrays; raises InputError as `convolve` does."""
    _require_known(mode, "auto")
    a, b = _numbers(signal, kernel)
    return choose(_spans(a, b, mode), _parts(b), a.dtype)


def _require_known(mode: str, how: str) -> None:
    for name, known, what in ((mode, MODES, "mode"), (how, HOWS, "way")):
        if name not in known:
            raise InputError(f"there is no {what} '{name}'{did_you_mean(str(name), known)}", f"one of {', '.join(known)}")


def _numbers(signal: np.ndarray, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as C-contiguous floats of one type; raises InputError."""
    a, b = np.asarray(signal), np.asarray(kernel)
    for name, given in (("signal", a), ("kernel", b)):
        if given.dtype.kind not in "buif":
            raise InputError(f"a {name} of {given.dtype} is no array of real numbers", "convolve real and imaginary part one by one")
        if given.size == 0:
            raise InputError(f"the {name} is empty", "give at least one number")
    if a.ndim != b.ndim or a.ndim not in (1, 2):
        raise InputError(f"a signal of {a.ndim} and a kernel of {b.ndim} dimensions", "both have one dimension, or both two")
    kind = np.float32 if a.dtype == b.dtype == np.float32 else np.float64
    a, b = np.ascontiguousarray(a, kind), np.ascontiguousarray(b, kind)
    for name, numbers in (("signal", a), ("kernel", b)):
        flat = numbers.ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            harmless = np.isfinite(np.dot(flat, flat))  # a quick look: one NaN or infinity spoils this sum
        if not harmless and not np.isfinite(flat).all():
            raise InputError(f"the {name} holds NaN or infinity", "replace them, as with np.nan_to_num")
    return a, b


def _spans(a: np.ndarray, b: np.ndarray, mode: Mode) -> tuple[Span, ...]:
    """Return for each axis which part of the full convolution is wanted; raises InputError."""
    found = []
    for n, k in zip(a.shape, b.shape, strict=True):
        if mode == "valid" and k > n:
            raise InputError(f"a kernel {b.shape} lies nowhere wholly inside a signal {a.shape}", 'a smaller kernel, or mode="same"')
        start = {"full": 0, "same": (k - 1) // 2, "valid": k - 1}[mode]
        found.append(Span(n, k, start, {"full": n + k - 1, "same": n, "valid": n - k + 1}[mode]))
    return tuple(found)


def _parts(b: np.ndarray) -> Parts | None:
    """Look for parts where they could pay: with a handful of taps, going tap by tap is over before they are found."""
    return split(b) if b.ndim == 2 and b.size > HANDFUL else None


def _run(a: np.ndarray, b: np.ndarray, mode: Mode, how: How) -> np.ndarray:
    spans = _spans(a, b, mode)
    parts = _parts(b) if how in ("auto", "separable") else None
    way = choose(spans, parts, a.dtype) if how == "auto" else how
    if way == "separable":
        if a.ndim == 1:
            raise InputError("one dimension cannot be separated", 'how="direct" or how="fft"')
        return by_parts(a, parts or whole(b), spans)
    return by_fft(a, b, spans) if way == "fft" else directly(a, b, spans)


def gradient_of_kernel(signal: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return dL/dK of Y = correlate(X, K, mode="valid"), where `slope` is dL/dY: the signal cross-correlated with the slope, the size of K."""
    return correlate(signal, slope, mode="valid")


def gradient_of_signal(kernel: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return dL/dX of Y = correlate(X, K, mode="valid"), where `slope` is dL/dY: the slope fully convolved with K, the size of X.

    The layer slides K unflipped, so the way back slides it flipped.
    """
    return convolve(slope, kernel, mode="full")


def as_matrix(kernel: np.ndarray, length: int) -> np.ndarray:
    """Return W ("valid" outputs, `length`) of one dimension so that W @ x = convolve(x, kernel, mode="valid"): a layer whose weights are shared.

    Row i holds the kernel flipped, from column i on, and zeros elsewhere. Raises InputError where the kernel is longer than `length`
    or W would be over 10^8 numbers.
    """
    taps = np.asarray(kernel)
    if taps.ndim != 1 or not 1 <= taps.size <= length:
        raise InputError(f"a kernel {taps.shape} lies nowhere wholly inside {length} numbers", "give a row of at most as many numbers")
    rows = length - taps.size + 1
    if rows * length > 10**8:
        raise InputError(f"a matrix of {rows} x {length} numbers is too large to write out", "use convolve, which needs none")
    found = np.zeros((rows, length), np.result_type(taps.dtype, np.float64))
    for place, tap in enumerate(taps[::-1]):
        found[np.arange(rows), np.arange(rows) + place] = tap
    return found
