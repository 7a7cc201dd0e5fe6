"""512 x 512 float32 convolved with kernels of 3 to 127: one call of `lab.convolve.convolve` against the best of SciPy and OpenCV for each size.

Every round measures all ways once, one after the other on the same picture; each time is the best of a few calls, and a figure is the median over
rounds of ours / the best peer within a round. Kernels of any numbers, and kernels that are a column times a row, for which the peers may use their
own separable filters too. All keep the picture's size; OpenCV pads with zeros as we do, and gets the flipped kernel outside its time.

What would make the figure unfair: other work on the machine; a peer that has to convert; our plan made outside our time (it is inside).
"""

from collections.abc import Callable
from time import perf_counter

import cv2
import numpy as np
import scipy.ndimage
import scipy.signal

from bench.report import Row
from peephole.lab.convolve import convolve, plan

SIDE, SIZES, ROUNDS, CALLS = 512, (3, 5, 7, 9, 11, 15, 21, 31, 63, 127), 9, 5
SLOW = 9  # beyond this SciPy's direct ways only cost time


def best(call: Callable[[], np.ndarray]) -> float:
    """Return the milliseconds of the quickest of a few calls."""
    times = []
    for _ in range(CALLS):
        begun = perf_counter()
        call()
        times.append(perf_counter() - begun)
    return 1000 * min(times)


def ways(picture: np.ndarray, column: np.ndarray, row: np.ndarray, kernel: np.ndarray, outer: bool) -> dict[str, Callable[[], np.ndarray]]:
    """Return every way by its name; the separable ones only where the kernel is `column` times `row`."""
    turned, size = np.ascontiguousarray(kernel[::-1, ::-1]), len(kernel)
    found = {
        "peephole": lambda: convolve(picture, kernel, mode="same"),
        "cv2.filter2D": lambda: cv2.filter2D(picture, -1, turned, borderType=cv2.BORDER_CONSTANT),
        "scipy.signal.fftconvolve": lambda: scipy.signal.fftconvolve(picture, kernel, "same"),
    }
    if size <= SLOW:
        found["scipy.signal.convolve2d"] = lambda: scipy.signal.convolve2d(picture, kernel, "same")
        found["scipy.ndimage.convolve"] = lambda: scipy.ndimage.convolve(picture, kernel, mode="constant")
    if outer:
        across, down = row[::-1].copy(), column[::-1].copy()
        found["cv2.sepFilter2D"] = lambda: cv2.sepFilter2D(picture, -1, across, down, borderType=cv2.BORDER_CONSTANT)
        found["scipy.ndimage.convolve1d"] = lambda: scipy.ndimage.convolve1d(
            scipy.ndimage.convolve1d(picture, column, 0, mode="constant"), row, 1, mode="constant"
        )
    return found


def run(quick: bool) -> list[Row]:
    chance = np.random.default_rng(0)
    picture = chance.standard_normal((SIDE, SIDE)).astype(np.float32)
    rows = []
    for outer in (False, True):
        for size in SIZES[:: 4 if quick else 1]:
            column, row = chance.standard_normal((2, size)).astype(np.float32)
            kernel = np.outer(column, row) if outer else chance.standard_normal((size, size)).astype(np.float32)
            calls = ways(picture, column, row, kernel, outer)
            answers = {name: call() for name, call in calls.items()}  # warm-up, and all must agree
            room = 1e-5 * np.abs(kernel).sum() * np.abs(picture).max()
            assert all(np.abs(answer - answers["peephole"]).max() < room for answer in answers.values()), "a way gives another answer"
            rounds = [{name: best(call) for name, call in calls.items()} for _ in range(2 if quick else ROUNDS)]
            rows += _rows(rounds, size, outer, plan(picture, kernel, mode="same"))
            print(f"convolve: {rows[-2].what}: {rows[-2].value:.2f}", flush=True)
    return rows


def _rows(rounds: list[dict[str, float]], size: int, outer: bool, way: str) -> list[Row]:
    """Return the ratio to the best peer of each round, and our own time."""
    what = f"Convolution, {SIDE}x{SIDE} float32, {'separable' if outer else 'any'} {size}x{size} ({way})"
    peers = f"opencv-python-headless {cv2.__version__}"
    rivals = [{name: time for name, time in found.items() if name != "peephole"} for found in rounds]
    winner = min(rivals[0], key=lambda name: sorted(found[name] for found in rivals)[len(rivals) // 2])
    ratios = tuple(found["peephole"] / min(others.values()) for found, others in zip(rounds, rivals, strict=True))
    return [
        Row(f"{what}: peephole / the best library ({winner})", ratios, "x", "rounds", most=1.2, peers=peers),
        Row(f"{what}: peephole", tuple(found["peephole"] for found in rounds), "ms", "rounds", peers=peers),
    ]
