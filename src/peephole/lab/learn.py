"""Filters learned from drawings by gradient descent: convolution, ReLU, pooling twice, flatten, dense, softmax; forward and backward by hand.

Every step tells what one weight did, with its numbers, beside Rohrer's way of finding it: nudge it up, nudge it down, keep what lowers the error.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from peephole.base.errors import DataError, SettingsError
from peephole.lab.hand import Drawings
from peephole.lab.softmax import softmax

__all__ = [
    "Gradient",
    "Net",
    "Nudge",
    "ScalarStep",
    "Step",
    "WeightUpdate",
    "accuracy",
    "begin",
    "error",
    "gradient",
    "logits",
    "scalar_step",
    "train",
]

NUDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Net:
    """The weights: filters (F, k, k) and their biases (F,), dense (2, flattened) and its biases (2,)."""

    filters: np.ndarray
    bias: np.ndarray
    dense: np.ndarray
    dense_bias: np.ndarray


# The slope of the error on each weight has the weights' shapes.
Gradient = Net


@dataclass(frozen=True)
class Nudge:
    """One weight moved up and down by `size`, all others as they are: both errors, the slope between them, and what is kept: up, down, as it was."""

    size: float
    error_up: float
    error_down: float
    slope: float
    kept: str


@dataclass(frozen=True)
class WeightUpdate:
    """One weight of one filter in one step: new = old - learning_rate * slope.

    `error_alone` is the error if only this weight had moved, `error_after` with all of them moved.
    """

    filter: int
    row: int
    column: int
    old: float
    slope: float
    learning_rate: float
    new: float
    error_before: float
    error_alone: float
    error_after: float
    nudge: Nudge


@dataclass(frozen=True, eq=False)
class Step:
    """Training after `number` of `steps`: error and accuracy (0..1) on the drawings, on others never trained on (None without), the net."""

    number: int
    steps: int
    error: float
    accuracy: float
    held_out: float | None
    learning_rate: float
    net: Net
    update: WeightUpdate


def _pooled(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """2 x 2 max pooling of maps >= 0 (N, F, H, W), partial windows kept; also which of the four won (N, F, rows, columns)."""
    count, filters, height, width = maps.shape
    maps = np.pad(maps, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)), constant_values=-1)
    windows = maps.reshape(count, filters, maps.shape[2] // 2, 2, maps.shape[3] // 2, 2).transpose(0, 1, 2, 4, 3, 5)
    windows = windows.reshape(*windows.shape[:4], 4)
    won = windows.argmax(-1)
    return np.take_along_axis(windows, won[..., None], -1)[..., 0], won


def _unpooled(slopes: np.ndarray, won: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Hand each slope to the cell that won, 0 to the others: back to maps of `shape` (N, F, H, W)."""
    windows = np.zeros((*won.shape, 4))
    np.put_along_axis(windows, won[..., None], slopes[..., None], -1)
    rows, columns = won.shape[2:]
    maps = windows.reshape(*won.shape, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(*won.shape[:2], 2 * rows, 2 * columns)
    return maps[:, :, : shape[2], : shape[3]]


def _windows(pictures: np.ndarray, side: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(pictures, (side, side), axis=(1, 2))  # (N, rows, columns, k, k)


def logits(net: Net, pictures: np.ndarray) -> np.ndarray:
    """Return the two votes (N, 2) for X and O of pictures (N, H, W)."""
    maps = np.einsum("nijab,fab->nfij", _windows(pictures, net.filters.shape[1]), net.filters, optimize=True) + net.bias[:, None, None]
    twice = _pooled(_pooled(np.maximum(maps, 0))[0])[0]
    votes: np.ndarray = twice.reshape(len(pictures), -1) @ net.dense.T + net.dense_bias
    return votes


def error(net: Net, drawings: Drawings) -> float:
    """Return the mean cross-entropy, in nats."""
    z = logits(net, drawings.pictures)
    top = z.max(1)
    return float((np.log(np.exp(z - top[:, None]).sum(1)) + top - z[np.arange(len(z)), drawings.labels]).mean())


def accuracy(net: Net, drawings: Drawings) -> float:
    """Return the share of drawings (0..1) that the net names right."""
    return float((logits(net, drawings.pictures).argmax(1) == drawings.labels).mean())


def gradient(net: Net, drawings: Drawings) -> Gradient:
    """Return the slope of the error on every weight, by the chain rule from the last layer to the first."""
    seen = _windows(drawings.pictures, net.filters.shape[1])
    maps = np.einsum("nijab,fab->nfij", seen, net.filters, optimize=True) + net.bias[:, None, None]
    rectified = np.maximum(maps, 0)
    once, won_once = _pooled(rectified)
    twice, won_twice = _pooled(once)
    flat = twice.reshape(len(twice), -1)
    z = flat @ net.dense.T + net.dense_bias
    on_z = (softmax(z) - np.eye(2)[drawings.labels]) / len(z)  # p - onehot, over the mean
    on_twice = (on_z @ net.dense).reshape(twice.shape)
    on_once = _unpooled(on_twice, won_twice, once.shape)
    on_maps = _unpooled(on_once, won_once, maps.shape) * (maps > 0)
    return Gradient(np.einsum("nijab,nfij->fab", seen, on_maps, optimize=True), on_maps.sum((0, 2, 3)), on_z.T @ flat, on_z.sum(0))


def begin(side: int, *, filters: int = 3, kernel: int = 3, seed: int = 0) -> Net:
    """Return a net of small random weights for pictures (side, side)."""
    if not (1 <= filters <= 8 and 2 <= kernel <= min(9, side)):
        raise SettingsError(f"{filters} filters of {kernel} x {kernel} on {side} x {side} cannot be trained here", "1 to 8 filters of 2 x 2 to 9 x 9")
    rng = np.random.default_rng(seed)
    cells = (side - kernel + 4) // 4  # pooled twice, partial windows kept
    flat = filters * cells * cells
    # Small enough that both votes begin near 0 and the error near log 2: no step of the usual rates overshoots.
    return Net(rng.normal(0, 0.5 / kernel, (filters, kernel, kernel)), np.zeros(filters), rng.normal(0, 0.3 * flat**-0.5, (2, flat)), np.zeros(2))


def _moved(net: Net, by: Gradient, rate: float) -> Net:
    return Net(*(getattr(net, name) - rate * getattr(by, name) for name in Net.__dataclass_fields__))


def _with(net: Net, at: tuple[int, int, int], value: float) -> Net:
    filters = net.filters.copy()
    filters[at] = value
    return replace(net, filters=filters)


def _told(net: Net, slopes: Gradient, drawings: Drawings, at: tuple[int, int, int], rate: float) -> WeightUpdate:
    """Tell what one weight does in a step, and what nudging it would have found."""
    old, slope, before = float(net.filters[at]), float(slopes.filters[at]), error(net, drawings)
    up, down = (error(_with(net, at, old + by), drawings) for by in (NUDGE, -NUDGE))
    kept = "up" if up < min(before, down) else "down" if down < before else "as it was"
    nudge = Nudge(NUDGE, up, down, (up - down) / (2 * NUDGE), kept)
    new = old - rate * slope
    return WeightUpdate(*at, old, slope, rate, new, before, error(_with(net, at, new), drawings), error(_moved(net, slopes, rate), drawings), nudge)


def train(
    drawings: Drawings,
    *,
    steps: int = 100,
    learning_rate: float = 0.05,
    filters: int = 3,
    kernel: int = 3,
    seed: int = 0,
    follow: tuple[int, int, int] = (0, 1, 1),
    held_out: Drawings | None = None,
) -> Iterator[Step]:
    """Train step by step on all drawings at once and yield after each step; the same seed gives the same numbers.

    `follow` is the weight whose update is told: filter, row, column. Raises DataError for drawings that cannot be learned from, SettingsError for
    numbers no training can have.
    """
    pictures, labels = np.asarray(drawings.pictures, np.float64), np.asarray(drawings.labels, np.int64)
    if pictures.ndim != 3 or pictures.shape[1] != pictures.shape[2] or pictures.shape[1] < 5 or len(pictures) != len(labels):
        raise DataError("drawings are square pictures of one size, each with a label", "drawings(30) makes some")
    if not (np.isin(labels, (0, 1)).all() and len(np.unique(labels)) == 2):
        raise DataError("drawings of both X (label 0) and O (label 1) are needed", "drawings(30) makes 30 of each")
    if not np.isfinite(pictures).all():
        raise DataError("a drawing has a number that is none (NaN or infinite)", "-1 is black, 1 is white")
    if steps < 1 or not 0 < learning_rate <= 100:
        raise SettingsError(f"{steps} steps at a rate of {learning_rate:g} train nothing", "100 steps at 0.05 are a good start")
    net = begin(pictures.shape[1], filters=filters, kernel=kernel, seed=seed)
    if not all(0 <= at < size for at, size in zip(follow, net.filters.shape, strict=True)):
        raise SettingsError(f"there is no weight {follow}", f"filter, row and column are below {net.filters.shape}")
    return _steps(net, Drawings(pictures, labels), held_out, steps=steps, rate=learning_rate, follow=follow)


def _steps(net: Net, given: Drawings, held_out: Drawings | None, *, steps: int, rate: float, follow: tuple[int, int, int]) -> Iterator[Step]:
    for number in range(1, steps + 1):
        slopes = gradient(net, given)
        update = _told(net, slopes, given, follow, rate)
        net = _moved(net, slopes, rate)
        held = None if held_out is None else accuracy(net, held_out)
        yield Step(number, steps, update.error_after, accuracy(net, given), held, rate, net, update)


@dataclass(frozen=True)
class ScalarStep:
    """One step of the smallest network there is, y = w x with the error (y - target)^2: all its numbers, and the nudge of the same weight."""

    x: float
    target: float
    old: float
    output: float
    error_before: float
    slope: float
    learning_rate: float
    new: float
    error_after: float
    nudge: Nudge


def scalar_step(w: float = 0.2, x: float = 2.0, target: float = 1.0, learning_rate: float = 0.1, nudge: float = NUDGE) -> ScalarStep:
    """Take one step of gradient descent on (w x - target)^2; its slope is 2 (w x - target) x."""
    slope = 2 * (w * x - target) * x
    new = w - learning_rate * slope
    before, up, down, after = (((weight * x) - target) ** 2 for weight in (w, w + nudge, w - nudge, new))
    kept = "up" if up < min(before, down) else "down" if down < before else "as it was"
    found = Nudge(nudge, up, down, (up - down) / (2 * nudge), kept)
    return ScalarStep(x, target, w, w * x, before, slope, learning_rate, new, after, found)
