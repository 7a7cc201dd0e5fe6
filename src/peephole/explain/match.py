"""How well each window of a map fits each filter: the cosine between the two, -1..1, beside the raw sum that a convolution gives."""

import itertools

import numpy as np

from peephole.base.errors import InputError
from peephole.explain.tracefile import Trace

__all__ = ["match"]


def match(trace: Trace, layer_id: str) -> np.ndarray:
    """Return the match of every window with every filter of a convolution, float32 of the layer's shape, -1..1.

    1: the window is the filter, but for its strength; 0: nothing in common; -1: its negative. Padding counts as the zeros it is. The bias takes
    no part. Where the window or the filter is all zero there is no direction to compare, and the match is 0; what reads a NaN is NaN.
    Raises InputError for a layer that is no convolution with a rule.
    """
    layer = trace.layer(layer_id)
    if layer.rule != "conv2d":
        raise InputError(f"{layer_id!r} ({layer.op}) is no convolution: there is no filter to match", "ask a layer whose rule is conv2d")
    source = next(one.layer for one in layer.operands if one.role == "input")
    weight = trace.tensor(layer_id).values.astype(np.float64)
    group, given = layer.attributes["group"], layer.attributes
    rank = len(given["kernel"])
    pads = [(0, 0), *((given["pads"][axis], given["pads"][axis + rank]) for axis in range(rank))]
    values = np.pad(trace.values(source).astype(np.float64), pads)
    sides = layer.shape[1:]
    maps = values.reshape(group, -1, *values.shape[1:])  # (G, C / G, ...)
    filters = weight.reshape(group, -1, weight.shape[1], int(np.prod(given["kernel"])))  # (G, F / G, C / G, places)
    products = np.zeros((group, filters.shape[1], int(np.prod(sides))))
    squares = np.zeros((group, 1, products.shape[2]))
    for place, offset in enumerate(itertools.product(*(range(size) for size in given["kernel"]))):
        begins = [offset[axis] * given["dilation"][axis] for axis in range(rank)]
        cuts = [slice(at, at + (side - 1) * step + 1, step) for at, side, step in zip(begins, sides, given["stride"], strict=True)]
        part = maps[(slice(None), slice(None), *cuts)].reshape(group, maps.shape[1], -1)
        products += filters[:, :, :, place] @ part
        squares += (part * part).sum(axis=1, keepdims=True)
    lengths = np.sqrt(squares) * np.sqrt((filters * filters).sum(axis=(2, 3))[..., None])
    with np.errstate(invalid="ignore"):
        found = products / np.where(lengths == 0, 1.0, lengths)
        # Rounding may put a perfect match a hair beyond 1.
        return np.clip(found, -1, 1).reshape(layer.shape).astype(np.float32)
