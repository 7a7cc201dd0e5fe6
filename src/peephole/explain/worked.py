"""One cell of a layer worked out by hand, with as many digits as the sum on paper needs to close.

A sum closes when |what is shown - what is recomputed from the shown numbers| <= 1e-5 * sum of |terms|.
"""

from dataclasses import dataclass

import numpy as np

from peephole.explain.joints import Step
from peephole.explain.layers import Layer

__all__ = [
    "CLOSES",
    "AddCell",
    "Cell",
    "ConcatCell",
    "ConvCell",
    "PoolCell",
    "ReluCell",
    "Vote",
    "add_cell",
    "concat_cell",
    "conv_cell",
    "digits",
    "pool_cell",
    "relu_cell",
    "strongest",
    "vote",
]

CLOSES = 1e-5
MOST_TERMS = 150
PLACES = range(3, 13)


@dataclass(frozen=True, eq=False)
class ConvCell:
    """One output pixel of a convolution: value = sum of patch * kernel + bias.

    `at` is (channel, row, column); `patch` and `kernel` are (channels, height, width); `inside` (height, width) is False where the patch
    lies in the padding. `places` decimals are printed; `residue` is value minus the sum of the products as printed.
    """

    layer: str
    at: tuple[int, int, int]
    patch: np.ndarray
    kernel: np.ndarray
    inside: np.ndarray
    bias: float
    value: float
    places: int
    total: float
    residue: float


@dataclass(frozen=True, eq=False)
class PoolCell:
    """One output pixel of a pooling: the largest or the mean of a window (height, width) of values; NaN lies outside the map."""

    layer: str
    at: tuple[int, int, int]
    window: np.ndarray
    largest: bool
    value: float
    counted: int
    places: int
    residue: float


@dataclass(frozen=True)
class ReluCell:
    """One cell before and after max(0, x), or x clipped to low..high."""

    layer: str
    op: str
    at: tuple[int, int, int]
    before: float
    value: float
    places: int


@dataclass(frozen=True, eq=False)
class AddCell:
    """One cell of a sum of layers: value = sum of `terms`, the same cell of each layer that is added.

    `names` are those layers, `ways` the windows between the fork and each, `maps` (inputs + 1, H, W) the map with the cell in each, then in the sum.
    """

    layer: str
    at: tuple[int, int, int]
    names: tuple[str, ...]
    ways: tuple[tuple[Step, ...], ...]
    terms: tuple[float, ...]
    maps: np.ndarray
    value: float
    places: int
    residue: float


@dataclass(frozen=True, eq=False)
class ConcatCell:
    """One cell of layers put one behind the other: it is that of map `own` of the input at `branch`, unchanged; its value there is `before`.

    `names` and `counts` are the inputs and how many maps each brings, `ways` the windows between the fork and each, `maps` the strongest map (H, W)
    of each.
    """

    layer: str
    at: tuple[int, int, int]
    names: tuple[str, ...]
    ways: tuple[tuple[Step, ...], ...]
    counts: tuple[int, ...]
    maps: tuple[np.ndarray, ...]
    branch: int
    own: int
    before: float
    value: float
    places: int


@dataclass(frozen=True, eq=False)
class Vote:
    """A logit as the sum of what each unit before it says: value = sum of activation * weight + bias.

    `units` are those that say most, strongest first, with `activations`, `weights` and `products`; all `others` say `rest` together.
    """

    layer: str
    label: int
    units: tuple[int, ...]
    activations: np.ndarray
    weights: np.ndarray
    products: np.ndarray
    others: int
    rest: float
    bias: float
    value: float
    places: int
    residue: float


Cell = ConvCell | ReluCell | PoolCell | AddCell | ConcatCell | Vote


def digits(factors: np.ndarray, weights: np.ndarray, extra: float, value: float) -> tuple[int, float, float]:
    """Return (decimals, total, residue): with so many decimals the printed factors, products and the printed value close.

    `extra` is added to the products (bias, rest); `total` is the sum of the printed products and extra, residue = printed value - total.
    """
    terms = factors.astype(np.float64) * weights.astype(np.float64)
    allowed = CLOSES * (float(np.abs(terms).sum()) + abs(extra))
    places, total, residue = PLACES[-1], value, 0.0
    for places in PLACES:
        shown = round(value, places)
        recomputed = float((factors.astype(np.float64).round(places) * weights.astype(np.float64).round(places)).sum()) + round(extra, places)
        total = float(terms.round(places).sum()) + round(extra, places)
        residue = shown - total
        if abs(residue) <= allowed and abs(shown - recomputed) <= allowed:
            break
    return places, round(total, places), round(residue, places)


def strongest(layer: Layer) -> tuple[int, int, int] | None:
    """Return (channel, row, column) of the largest value of a layer of maps, or None when it has no maps or no finite value."""
    if len(layer.shape) != 3 or not np.isfinite(layer.values).any():
        return None
    flat = int(np.argmax(np.where(np.isfinite(layer.values), layer.values, -np.inf)))
    channel, row, column = np.unravel_index(flat, layer.shape)
    return int(channel), int(row), int(column)


def _cut(values: np.ndarray, layer: Layer, at: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the window (C, kh, kw) of `values` (C, H, W) behind a cell, zero outside, and where it lies inside (kh, kw)."""
    assert layer.window is not None
    tops = [at[axis + 1] * layer.window.stride[axis] - layer.window.pads[axis] for axis in (0, 1)]
    rows, columns = (tops[axis] + np.arange(layer.window.kernel[axis]) * layer.window.dilation[axis] for axis in (0, 1))
    inside = ((rows >= 0) & (rows < values.shape[1]))[:, None] & ((columns >= 0) & (columns < values.shape[2]))
    cut = values[:, np.clip(rows, 0, values.shape[1] - 1)][:, :, np.clip(columns, 0, values.shape[2] - 1)]
    return np.where(inside, cut, 0), inside


def conv_cell(layer: Layer, source: Layer, at: tuple[int, int, int]) -> ConvCell | None:
    """Work out one cell of a convolution from the layer it reads; None when it has more than 150 terms or cannot be read."""
    if layer.window is None or layer.weight is None or len(source.shape) != 3:
        return None
    kernel = layer.weight[at[0]]
    if kernel.size > MOST_TERMS or source.shape[0] != kernel.shape[0] * layer.group:
        return None
    first = at[0] // (layer.weight.shape[0] // layer.group) * kernel.shape[0]
    patch, inside = _cut(source.values[first : first + kernel.shape[0]], layer, at)
    bias = float(layer.bias[at[0]]) if layer.bias is not None else 0.0
    value = float(layer.values[at])
    if not np.isfinite([value, *patch.ravel(), *kernel.ravel()]).all():
        return None
    places, total, residue = digits(patch, kernel, bias, value)
    if abs(residue) > CLOSES * (float(np.abs(patch * kernel).sum()) + abs(bias)):
        return None
    return ConvCell(layer.name, at, patch, kernel, inside, bias, value, places, total, residue)


def relu_cell(layer: Layer, source: Layer, at: tuple[int, int, int]) -> ReluCell | None:
    """Work out the same cell after ReLU or Clip; None when the shapes differ or it is not finite."""
    if layer.op not in {"Relu", "Clip"} or layer.shape != source.shape:
        return None
    before, value = float(source.values[at]), float(layer.values[at])
    return ReluCell(layer.name, layer.op, at, before, value, 4) if np.isfinite([before, value]).all() else None


def pool_cell(layer: Layer, source: Layer, seen: tuple[int, int, int]) -> PoolCell | None:
    """Work out the cell of a max or average pooling whose window holds cell `seen` of the layer it reads, or None."""
    if layer.op not in {"MaxPool", "AveragePool"} or layer.window is None or len(source.shape) != 3:
        return None
    window = layer.window
    row, column = (min((seen[axis + 1] + window.pads[axis]) // window.stride[axis], layer.shape[axis + 1] - 1) for axis in (0, 1))
    at = (seen[0], row, column)
    patch, inside = _cut(source.values[seen[0] : seen[0] + 1], layer, at)
    values, value = patch[0].astype(np.float64), float(layer.values[at])
    if not np.isfinite([value, *values.ravel()]).all():
        return None
    largest = layer.op == "MaxPool"
    counted = int(inside.size if layer.padded_counts else inside.sum())
    answer = float(values[inside].max()) if largest else float(values.sum()) / counted
    if abs(answer - value) > CLOSES * max(1.0, float(np.abs(values).sum())):
        return None
    places, _, residue = digits(values, np.full(values.shape, 1 / counted), 0.0, value) if not largest else (4, value, 0.0)
    return PoolCell(layer.name, at, np.where(inside, values, np.nan), largest, value, counted, places, residue)


def add_cell(layer: Layer, sources: list[Layer], ways: tuple[tuple[Step, ...], ...], at: tuple[int, int, int]) -> AddCell | None:
    """Work out one cell of a sum of layers of one shape; None when it is another sum, as one with a constant, or does not close."""
    if layer.op not in {"Add", "Sum"} or len(sources) < 2 or any(source.shape != layer.shape for source in sources):
        return None
    terms, value = np.array([source.values[at] for source in sources], np.float64), float(layer.values[at])
    if not np.isfinite([value, *terms]).all():
        return None
    places, _, residue = digits(terms, np.ones(len(terms)), 0.0, value)
    if abs(residue) > CLOSES * float(np.abs(terms).sum()):
        return None
    maps = np.stack([each.values[at[0]] for each in (*sources, layer)])
    names = tuple(source.name for source in sources)
    return AddCell(layer.name, at, names, ways, tuple(float(term) for term in terms), maps, value, places, residue)


def concat_cell(layer: Layer, sources: list[Layer], ways: tuple[tuple[Step, ...], ...], at: tuple[int, int, int]) -> ConcatCell | None:
    """Tell which layer a cell of a concatenation comes from; None when it does not join maps, or its value is not that of its origin."""
    counts = [source.shape[0] if len(source.shape) == 3 and source.shape[1:] == layer.shape[1:] else 0 for source in sources]
    if layer.op != "Concat" or len(layer.shape) != 3 or not all(counts) or sum(counts) != layer.shape[0]:
        return None
    branch = int(np.searchsorted(np.cumsum(counts), at[0], side="right"))
    own = at[0] - sum(counts[:branch])
    before, value = float(sources[branch].values[own, at[1], at[2]]), float(layer.values[at])
    if before != value:
        return None
    tops = [strongest(source) for source in sources]
    maps = tuple(source.values[top[0] if top else 0] for source, top in zip(sources, tops, strict=True))
    names = tuple(source.name for source in sources)
    return ConcatCell(layer.name, at, names, ways, tuple(counts), maps, branch, own, before, value, 4)


def vote(layer: Layer, source: Layer, label: int, *, most: int = 10) -> Vote | None:
    """Work out one logit as the vote of the units before it; None when the last layer is not dense with its weights in the file."""
    weight = layer.weight
    if layer.op not in {"Gemm", "MatMul"} or weight is None or weight.ndim != 2 or len(source.shape) != 1:
        return None
    weights = (weight[label] if layer.turned else weight[:, label]).astype(np.float64)
    if len(weights) != source.shape[0]:
        return None
    activations = source.values.astype(np.float64)
    products = activations * weights
    bias = float(layer.bias.ravel()[label]) if layer.bias is not None and layer.bias.size > label else 0.0
    value = float(layer.values[label])
    if not np.isfinite([value, *products]).all():
        return None
    order = np.argsort(-np.abs(products), kind="stable")
    top = order[:most]
    rest = float(products[order[most:]].sum())
    places, _, residue = digits(activations[top], weights[top], rest + bias, value)
    shown = round(rest, places) + round(bias, places) + float(products[top].round(places).sum())
    residue = round(round(value, places) - shown, places)
    if abs(residue) > CLOSES * (float(np.abs(products).sum()) + abs(bias)):
        return None
    parts = (activations[top], weights[top], products[top])
    return Vote(layer.name, label, tuple(int(unit) for unit in top), *parts, len(order) - len(top), rest, bias, value, places, residue)
