"""Convolution and pooling backward, window by window: which cells of the input a slope at the output belongs to.

All arrays have the batch axis: (N, C, H, W). Two axes of space only; a kernel's taps are walked one by one, so the work is a few whole-array steps.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from peephole.base.errors import ModelFileError
from peephole.explain.geometry import Window, slide

__all__ = ["back_average", "back_conv", "back_most"]


def _window(op: str, given: tuple[int, ...], attributes: dict[str, Any], weight: tuple[int, ...] | None = None) -> Window:
    found = slide(op, attributes, given[1:], weight)
    if found is None:
        raise ModelFileError(f"a {op} over an input of shape {given} has a slope that is not worked out here", "two axes of space are")
    return found


def _taps(window: Window, answered: tuple[int, ...]) -> Iterator[tuple[int, int, slice, slice]]:
    """Yield (row, column) of each tap of the kernel and the rows and columns of the padded input that it meets; `answered` ends in (H, W)."""
    tall, wide = answered[-2:]
    for row in range(window.kernel[0]):
        top = row * window.dilation[0]
        rows = slice(top, top + (tall - 1) * window.stride[0] + 1, window.stride[0])
        for column in range(window.kernel[1]):
            left = column * window.dilation[1]
            yield row, column, rows, slice(left, left + (wide - 1) * window.stride[1] + 1, window.stride[1])


def _reach(window: Window, given: tuple[int, ...], answered: tuple[int, ...]) -> tuple[int, int]:
    """Return (height, width) of the padded input: up to the last cell that a window meets, and all of the input at least."""
    sides = []
    for axis in (0, 1):
        last = (answered[axis - 2] - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1
        sides.append(max(last, given[axis - 2] + window.pads[axis] + window.pads[axis + 2]))
    return sides[0], sides[1]


def _inside(window: Window, given: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of the padded input that are the input itself."""
    top, left = window.pads[:2]
    return slice(top, top + given[-2]), slice(left, left + given[-1])


def back_conv(given: np.ndarray, weight: np.ndarray, slope: np.ndarray, attributes: dict[str, Any]) -> np.ndarray:
    """Return the slope with respect to a convolution's input: the full convolution of `slope` (N, F, H', W') with the kernels turned (MATH 2)."""
    window = _window("Conv", given.shape, attributes, weight.shape)
    groups, batch = int(attributes.get("group", 1)), len(given)
    each, cells = given.shape[1] // groups, slope.shape[2:]
    padded = np.zeros((batch, given.shape[1], *_reach(window, given.shape, slope.shape)), slope.dtype)
    rows = slope.reshape(batch, groups, -1, math.prod(cells))  # (N, groups, filters of a group, cells)
    turned = np.swapaxes(weight.reshape(groups, -1, *weight.shape[1:]), 1, 2)  # (groups, channels of a group, filters, kh, kw)
    for row, column, down, across in _taps(window, slope.shape):
        tap = turned[..., row, column]
        part = rows * tap[None, :, 0, :, None] if each == 1 and tap.shape[2] == 1 else tap @ rows
        padded[:, :, down, across] += part.reshape(batch, -1, *cells)
    return padded[:, :, *_inside(window, given.shape)]


def back_most(given: np.ndarray, value: np.ndarray, slope: np.ndarray, attributes: dict[str, Any]) -> np.ndarray:
    """Return the slope with respect to a max pooling's input: the first cell of a window, row by row, that has its largest value gets it all."""
    window = _window("MaxPool", given.shape, attributes)
    size = _reach(window, given.shape, slope.shape)
    inside = _inside(window, given.shape)
    values = np.full((*given.shape[:2], *size), -np.inf, given.dtype)
    values[:, :, *inside] = given
    padded = np.zeros(values.shape, slope.dtype)
    left = np.ones(slope.shape, bool)
    for _, _, down, across in _taps(window, slope.shape):
        mine = left & (values[:, :, down, across] == value)
        left &= ~mine
        padded[:, :, down, across] += slope * mine
    return padded[:, :, *inside]


def back_average(given: np.ndarray, value: np.ndarray, slope: np.ndarray, attributes: dict[str, Any]) -> np.ndarray:
    """Return the slope with respect to a mean pooling's input: each cell that was counted gets its share."""
    del value
    window = _window("AveragePool", given.shape, attributes)
    size, inside = _reach(window, given.shape, slope.shape), _inside(window, given.shape)
    counted = np.zeros(size, slope.dtype)
    if attributes.get("count_include_pad", 0):
        # The padding counts, but not what a partial window reaches beyond it.
        counted[: given.shape[2] + window.pads[0] + window.pads[2], : given.shape[3] + window.pads[1] + window.pads[3]] = 1
    else:
        counted[inside] = 1
    cells = sum((counted[down, across] for _, _, down, across in _taps(window, slope.shape)), np.zeros(slope.shape[2:], slope.dtype))
    share = slope / np.maximum(cells, 1)
    padded = np.zeros((*given.shape[:2], *size), slope.dtype)
    for _, _, down, across in _taps(window, slope.shape):
        padded[:, :, down, across] += share
    return padded[:, :, *inside]
