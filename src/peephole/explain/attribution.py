"""Which parts of the picture speak for a label, by slopes: class activation maps, integrated gradients, gradient times input; all in logits.

Grad-CAM: Selvaraju et al. 2017, equations 1 and 2; CAM: Zhou et al. 2016, equation 2; integrated gradients: Sundararajan et al. 2017, equation 1,
by the midpoint rule. No map is stretched to its own extremes: maps that are shown together share one scale.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from peephole.base.errors import InputError, SettingsError, did_you_mean
from peephole.explain.gradient import PICTURE, Passed, Tape

__all__ = [
    "BASELINES",
    "METHODS",
    "Closing",
    "HeatMap",
    "attribute",
    "baseline",
    "cam",
    "grad_cam",
    "gradient_times_input",
    "integrate",
    "integrated_gradients",
    "map_layers",
    "weigh",
]

BASELINES = ("black", "white", "mean", "blur")
METHODS = ("gradient x input", "integrated gradients", "grad-cam")
STEPS = (32, 512)  # of integrated gradients: as few as this, doubled while they do not add up, up to as many
NEAR = 0.01  # of the difference between the two logits
RESHAPING = {"Flatten", "Reshape", "Squeeze"}


@dataclass(frozen=True)
class Closing:
    """What a map's numbers should add up to and do: `wanted` = `total` + `residue`, in logits."""

    total: float
    wanted: float
    residue: float


@dataclass(frozen=True, eq=False)
class HeatMap:
    """One label's logit shared out over places, in logits: `values` (h, w), positive where a place speaks for the label.

    `layer` is the layer whose places they are, "" the prepared picture (then one value per pixel, its channels summed); `logit` that of the picture.
    `baseline` is the picture that was compared with, "" where a method has none, `steps` how many pictures stood between the two. `closing` tells
    whether the values add up, where they should. `alphas` (channels,) are the weights of a class activation map, and `signed` (h, w) is it before
    what speaks against the label was cut off.
    """

    method: str
    label: int
    layer: str
    values: np.ndarray
    logit: float
    baseline: str = ""
    steps: int = 0
    closing: Closing | None = None
    alphas: np.ndarray | None = None
    signed: np.ndarray | None = None


def baseline(picture: np.ndarray, how: str) -> np.ndarray:
    """Return the float32 picture to compare `picture` (H, W, C), 0..255, with: black, white, its mean colour, or itself out of focus.

    The blur is a Gaussian, its sigma an eighth of the longer side. For a graph from elsewhere whose channels come first, (C, H, W), mean and blur
    are of its places too; black and white are 0 and 255 whatever the graph is used to. Raises SettingsError for any other word.
    """
    if how not in BASELINES:
        raise SettingsError(f"a baseline is one of {', '.join(BASELINES)}, not '{how}'{did_you_mean(how, BASELINES)}", "black is usual")
    values = picture.astype(np.float32)
    if _channels_first(values):
        return np.moveaxis(baseline(np.moveaxis(values, 0, 2), how), 2, 0)
    if how == "mean":
        return np.broadcast_to(values.mean(axis=(0, 1), keepdims=True), values.shape).copy()
    return _blurred(values) if how == "blur" else np.full_like(values, 0 if how == "black" else 255)


def _blurred(values: np.ndarray) -> np.ndarray:
    sigma = max(1.0, max(values.shape[:2]) / 8)
    reach = int(3 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        around = [(reach, reach) if each == axis else (0, 0) for each in range(values.ndim)]
        padded = np.pad(values, around, mode="edge")
        values = np.apply_along_axis(np.convolve, axis, padded, weights, mode="valid")
    return values.astype(np.float32)


def _channels_first(values: np.ndarray) -> bool:
    return values.ndim == 3 and values.shape[0] <= 4 < values.shape[2]


def _places(values: np.ndarray) -> np.ndarray:
    """Sum a picture's values over its channels, which come last, or first in graphs from elsewhere."""
    return np.asarray(values.sum(axis=0 if _channels_first(values) else -1) if values.ndim == 3 else values, np.float64)


def weigh(maps: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (alphas, signed, map) of Grad-CAM from feature maps (C, h, w) and the slopes of a logit with respect to them.

    alpha_k = mean of the slopes of map k; signed = sum of alpha_k A^k; map = max(0, signed) (MATH section 8).
    """
    alphas = slopes.mean(axis=(1, 2), dtype=np.float64)
    signed = np.tensordot(alphas, maps.astype(np.float64), axes=1)
    return alphas, signed, np.maximum(signed, 0)


def map_layers(tape: Tape, passed: Passed) -> tuple[str, ...]:
    """Return the layers that have maps (C, h, w) of more than one cell, from the first convolution on: those that Grad-CAM can be drawn on."""
    found: list[str] = []
    begun = False
    for node in tape.nodes:
        begun = begun or node.op == "Conv"
        shape = tape.values(passed, node.name).shape
        if begun and len(shape) == 4 and shape[2] * shape[3] > 1:
            found.append(node.name)
    return tuple(found)


def grad_cam(tape: Tape, picture: np.ndarray, label: int, layer: str | None = None) -> HeatMap:
    """Return Grad-CAM of a label on a layer, that of the last maps by default.

    In logits: where the maps are averaged and read by one dense layer, the signed values and the bias add up to the logit; elsewhere `closing` says
    how little of the logit the mean slopes account for.
    Raises InputError for a layer without maps, ModelFileError where an operation behind it has no known slope.
    """
    passed = tape.run(picture[None])
    known = map_layers(tape, passed)
    layer = layer or (known[-1] if known else "")
    if layer not in known:
        near = did_you_mean(layer, known)
        raise InputError(f"layer '{layer}' has no maps of more than one cell to draw Grad-CAM on{near}", f"one of {', '.join(known[-5:]) or 'none'}")
    alphas, signed, values = weigh(tape.values(passed, layer)[0], tape.slope(passed, label, layer)[0])
    logit, total = _logit(tape, passed, label), float(signed.sum())
    return HeatMap("grad-cam", label, layer, values, logit, closing=Closing(total, logit, logit - total), alphas=alphas, signed=signed)


def _averaged(tape: Tape) -> str | None:
    """Return the layer whose mean the last dense layer reads, or None when the graph does not end so."""
    made = {output: node for node in tape.nodes for output in node.outputs}
    node = made.get(tape.nodes[-1].inputs[0])
    while node and node.op in RESHAPING:
        node = made.get(node.inputs[0])
    source = made.get(node.inputs[0]) if node and node.op in {"GlobalAveragePool", "ReduceMean"} else None
    return source.name if source else None


def cam(tape: Tape, picture: np.ndarray, label: int) -> HeatMap | None:
    """Return the class activation map of a label, or None when the graph does not end in a mean over places and one dense layer.

    Each place's share of the logit: sum over k of w_k A^k / places. With the bias they add up to the logit; `closing` says how nearly.
    """
    last = tape.nodes[-1]
    weight = tape.constant(last.inputs[1]) if last.op in {"Gemm", "MatMul"} and len(last.inputs) > 1 else None
    layer = _averaged(tape)
    if layer is None or weight is None or weight.ndim != 2:
        return None
    passed = tape.run(picture[None])
    maps = tape.values(passed, layer)[0].astype(np.float64)
    weights = (weight[label] if last.attributes.get("transB", 0) else weight[:, label]).astype(np.float64)
    if maps.ndim != 3 or len(weights) != len(maps):
        return None
    bias = tape.constant(last.inputs[2]) if len(last.inputs) > 2 else None
    extra = float(bias.ravel()[label]) if bias is not None else 0.0
    signed = np.tensordot(weights, maps, axes=1) / (maps.shape[1] * maps.shape[2])
    logit, total = _logit(tape, passed, label), float(signed.sum()) + extra
    return HeatMap("cam", label, layer, signed, logit, closing=Closing(total, logit, logit - total), alphas=weights, signed=signed)


def _logit(tape: Tape, passed: Passed, label: int) -> float:
    return float(tape.values(passed)[0].ravel()[label])


def integrate(slope: Callable[[np.ndarray], np.ndarray], start: np.ndarray, end: np.ndarray, steps: int, together: int = 1) -> np.ndarray:
    """Return (end - start) times the mean slope on the straight way between them, at the middles of `steps` equal parts (midpoint rule).

    `slope` takes inputs (N, ...) and returns slopes of the same shape; it is given `together` of them at once.
    """
    if steps < 1:
        raise SettingsError(f"{steps} steps lead nowhere", "64 are usual")
    whole = np.zeros(end.shape, np.float64)
    shares = (np.arange(steps) + 0.5) / steps
    for first in range(0, steps, together):
        part = shares[first : first + together].reshape(-1, *(1,) * end.ndim)
        whole += slope(start + part * (end - start)).sum(axis=0, dtype=np.float64)
    return np.asarray(whole / steps * (end - start), np.float64)


def integrated_gradients(
    tape: Tape, picture: np.ndarray, label: int, *, how: str = "black", steps: int | None = None, most: int = STEPS[1]
) -> HeatMap:
    """Return integrated gradients of a label's logit from a baseline to `picture` (H, W, C): what each pixel adds on the way.

    Completeness: the values add up to logit(picture) - logit(baseline); `closing` holds both and the residue. Without `steps` there are 32, doubled
    up to `most` while the residue is above 1 % of that difference: a network that brings features to unit length bends sharply near an empty picture.
    """
    start = baseline(picture, how)
    passed = tape.run(start[None])
    before, together = _logit(tape, passed, label), tape.together(passed)
    del passed  # the layers of a large network take 70 MB
    logit = _logit(tape, tape.run(picture[None]), label)
    wanted, taken = logit - before, steps or min(STEPS[0], most)
    while True:
        found = integrate(lambda images: tape.slope(tape.run(images), label), start, picture.astype(np.float64), taken, together)
        total = float(found.sum())
        if steps or 2 * taken > most or abs(wanted - total) <= NEAR * abs(wanted):
            break
        taken *= 2
    return HeatMap("integrated gradients", label, PICTURE, _places(found), logit, how, taken, Closing(total, wanted, wanted - total))


def gradient_times_input(tape: Tape, picture: np.ndarray, label: int, *, how: str = "black") -> HeatMap:
    """Return the slope of a logit at `picture` times how far each pixel is from the baseline: the logit as a plane would have it.

    It closes only for a network without a bend; `closing` says how far off it is.
    """
    start = baseline(picture, how)
    passed = tape.run(picture[None])
    found = tape.slope(passed, label)[0].astype(np.float64) * (picture - start)
    logit, before, total = _logit(tape, passed, label), _logit(tape, tape.run(start[None]), label), float(found.sum())
    return HeatMap("gradient x input", label, PICTURE, _places(found), logit, how, 1, Closing(total, logit - before, logit - before - total))


def attribute(
    tape: Tape, picture: np.ndarray, label: int, method: str, *, how: str = "black", steps: int | None = None, layer: str | None = None
) -> HeatMap:
    """Return the map of a label by the name of its method, one of METHODS; raises SettingsError for any other."""
    if method == "grad-cam":
        return grad_cam(tape, picture, label, layer)
    if method == "integrated gradients":
        return integrated_gradients(tape, picture, label, how=how, steps=steps)
    if method == "gradient x input":
        return gradient_times_input(tape, picture, label, how=how)
    raise SettingsError(f"a map is made by one of {', '.join(METHODS)}, not '{method}'{did_you_mean(method, METHODS)}", "grad-cam")
