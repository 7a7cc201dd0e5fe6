"""Whole numbers of a foreign graph that are worked out of whole numbers, so that sizes made of them are known before anything runs.

PyTorch's older exporter writes the pads of a border as eight steps from a constant, for example. Only a few numbers at a time are followed.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from peephole.base.graph import MAX_WHOLE
from peephole.base.operators import Call, Shape, passed_on

__all__ = ["fold"]

Arrays = list[np.ndarray]


def _slice(call: Call, given: Arrays) -> np.ndarray:
    starts, ends, axes, steps = (call.told(at, name) for at, name in ((1, "starts"), (2, "ends"), (3, "axes"), (4, "")))
    cuts = [slice(None)] * given[0].ndim
    for at, start in enumerate(starts):
        step = steps[at] if steps else 1
        end: int | None = ends[at]
        # The smallest number stands for "to the beginning and beyond", which numpy calls None.
        end = None if step < 0 and ends[at] < -given[0].shape[axes[at] if axes else at] else end
        cuts[axes[at] if axes else at] = slice(start, end, step)
    return np.asarray(given[0][tuple(cuts)])


def _filled(call: Call, given: Arrays) -> np.ndarray | None:
    value = call.node.weights.get("value")
    if value is None or value.whole is None or math.prod(map(int, given[0])) > MAX_WHOLE:
        return None
    return np.full(tuple(given[0]), value.whole[0], np.int64)


_STEPS: Mapping[str, Callable[[Call, Arrays], np.ndarray | None]] = {
    "ConstantOfShape": _filled,
    "Slice": _slice,
    "Transpose": lambda call, given: given[0].transpose(call.ints("perm") or None),
    "Reshape": lambda call, given: given[0].reshape(call.told(1, "shape")),
    "Concat": lambda call, given: np.concatenate(given, axis=call.number("axis", 0)),
    "Gather": lambda call, given: np.take(given[0], given[1], axis=call.number("axis", 0)),
    "Add": lambda _, given: given[0] + given[1],
    "Sub": lambda _, given: given[0] - given[1],
    "Mul": lambda _, given: given[0] * given[1],
    "Div": lambda _, given: np.trunc(given[0] / given[1]).astype(np.int64),
    **dict.fromkeys(("Cast", "Identity", "Squeeze", "Unsqueeze"), lambda _, given: given[0]),
}


def fold(call: Call) -> Shape | None:
    """Return the whole numbers that a step gives, in a row, where all that it reads are known whole numbers; else None."""
    found, step = passed_on(call), _STEPS.get(call.node.op)
    known = [(whole, shape) for whole, shape, name in zip(call.whole, call.shapes, call.node.inputs, strict=True) if name]
    if found is not None or step is None or any(whole is None for whole, _ in known):
        return found
    with np.errstate(all="ignore"):
        result = step(call, [np.array(whole or (), np.int64).reshape(shape) for whole, shape in known])
    return None if result is None or result.size > MAX_WHOLE else tuple(int(value) for value in result.ravel())
