"""By which rule a cell of a layer comes from the cells before it, and the attributes that the rule needs: axes without the batch.

The rules are the specification that docs/reference/trace.md prints and that `recompute` follows; the page does the same in JavaScript.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from peephole.explain.functions import FUNCTIONS

__all__ = ["LEFT_OUT", "RULES", "Facts", "describe"]

Shape = tuple[int, ...]
Settings = dict[str, Any]
LEFT_OUT: Shape = (-1,)  # stands for the shape of an input that a node leaves out
FLOATS = (1, 10, 11, 16)  # ONNX's numbers of the types with a fraction

RULES: Mapping[str, str] = {
    "Conv": "conv2d",
    **dict.fromkeys(("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"), "pool"),
    **dict.fromkeys(("Gemm", "MatMul"), "matmul"),
    **dict.fromkeys(FUNCTIONS, "elementwise"),
    **dict.fromkeys(("Add", "Sub", "Sum"), "sum"),
    "Concat": "concat",
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Pad"), "move"),
    **dict.fromkeys(("Softmax", "LogSoftmax"), "softmax"),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"), "reduce"),
}
USUAL: Mapping[str, Settings] = {
    "LeakyRelu": {"alpha": 0.01},
    "Elu": {"alpha": 1.0},
    "Celu": {"alpha": 1.0},
    "ThresholdedRelu": {"alpha": 1.0},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "BatchNormalization": {"epsilon": 1e-5},
    "Gelu": {"approximate": "none"},
}


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of a node: `given` are its own attributes, `shapes` those of its inputs, without the batch for layers and whole for constants.

    `constants` are the values of those inputs that are constants (None for the others); `shape` is that of the layer, `opset` the operator set.
    """

    op: str
    given: Mapping[str, Any]
    shapes: tuple[Shape, ...]
    constants: tuple[np.ndarray | None, ...]
    shape: Shape
    opset: int

    def fixed(self, at: int) -> np.ndarray | None:
        """Return the constant that is input number `at`; None when it is left out or no constant."""
        return self.constants[at] if at < len(self.constants) else None

    def moving(self, at: int) -> bool:
        """Tell whether input number `at` is there and no constant."""
        return at < len(self.constants) and self.constants[at] is None and self.shapes[at] != LEFT_OUT

    def whole(self, at: int, name: str) -> list[int] | None:
        """Return whole numbers that newer operator sets have as an input and older ones as an attribute; ValueError where they are computed."""
        if self.moving(at):
            raise ValueError("numbers that the picture decides")
        value = self.given.get(name) if self.fixed(at) is None else self.fixed(at)
        return None if value is None else [int(one) for one in np.asarray(value).ravel()]


def describe(facts: Facts) -> tuple[str | None, Settings]:
    """Return the rule of a layer, None where it cannot be explained, and the attributes that the rule needs, else the node's own."""
    rule = RULES.get(facts.op)
    if rule is None:
        return None, _plain(facts.given)
    try:
        return rule, _MAKERS[rule](facts)
    except (LookupError, ValueError, TypeError):
        return None, _plain(facts.given)


def _plain(given: Mapping[str, Any]) -> Settings:
    """Return the attributes as they stand in the file, as far as they are numbers or words."""
    found: Settings = {}
    for name, held in given.items():
        value = held.decode(errors="replace") if isinstance(held, bytes) else held
        if isinstance(value, int | float | str):
            found[name] = value
        elif isinstance(value, list | tuple) and all(isinstance(one, int | float) for one in value):
            found[name] = [*value]
    return found


def _axis(axis: int, rank: int) -> int:
    """Return an axis of the whole tensor as one without the batch; raises ValueError for the batch itself."""
    found = axis % rank if -rank <= axis < rank else -1
    if found < 1:
        raise ValueError("over the batch")
    return found - 1


def _same(length: int, kernel: int, stride: int, dilation: int, lower: bool) -> tuple[int, int]:
    total = max(0, (-(-length // stride) - 1) * stride + (kernel - 1) * dilation + 1 - length)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)


def _slides(given: Mapping[str, Any], sides: Shape, kernel: Shape) -> Settings:
    """Return how a window moves over `sides`: kernel, stride and dilation by axis; pads before each axis, then after each."""
    count = len(sides)
    stride = [*map(int, given.get("strides") or (1,) * count)]
    dilation = [*map(int, given.get("dilations") or (1,) * count)]
    pads = [*map(int, given.get("pads") or (0,) * 2 * count)]
    auto = given.get("auto_pad", b"NOTSET")
    auto = auto.decode() if isinstance(auto, bytes) else str(auto)
    if auto.startswith("SAME"):
        both = [_same(sides[at], kernel[at], stride[at], dilation[at], auto == "SAME_LOWER") for at in range(count)]
        pads = [one[0] for one in both] + [one[1] for one in both]
    elif auto == "VALID":
        pads = [0] * 2 * count
    if count not in (1, 2) or len(kernel) != count:
        raise ValueError("not a map or a row")
    return {"kernel": [*map(int, kernel)], "stride": stride, "dilation": dilation, "pads": pads}


def _conv(facts: Facts) -> Settings:
    if facts.moving(1) or facts.moving(2):
        raise ValueError("kernels that are not constant")
    return {**_slides(facts.given, facts.shapes[0][1:], facts.shapes[1][2:]), "group": int(facts.given.get("group", 1))}


def _pool(facts: Facts) -> Settings:
    how, sides = "max" if "Max" in facts.op else "average", facts.shapes[0][1:]
    if facts.op.startswith("Global"):
        return {"how": how, **_slides({}, sides, sides), "count_include_pad": 0}
    window = _slides(facts.given, sides, tuple(facts.given["kernel_shape"]))
    return {"how": how, **window, "count_include_pad": int(facts.given.get("count_include_pad", 0))}


def _matmul(facts: Facts) -> Settings:
    if facts.op == "MatMul":
        if facts.moving(1) and len(facts.shapes[1]) < 2:
            raise ValueError("a batch that is summed over")
        return {"alpha": 1.0, "beta": 1.0, "transB": 0}
    if facts.given.get("transA") or not facts.moving(0) or facts.moving(1):
        raise ValueError("a batch that is turned, or weights that are not constant")
    return {"alpha": float(facts.given.get("alpha", 1)), "beta": float(facts.given.get("beta", 1)), "transB": int(facts.given.get("transB", 0))}


def _function(facts: Facts) -> Settings:
    op, usual = facts.op, USUAL.get(facts.op, {})
    found = {"function": op, **usual, **{name: value for name, value in _plain(facts.given).items() if name in usual}}
    if op == "Clip":
        found |= _bounds(facts)
    if op == "Cast" and facts.given.get("to") not in FLOATS:
        found["whole"] = 1
    if op == "BatchNormalization" and any(facts.moving(at) for at in range(1, 5)):
        raise ValueError("statistics that are not constant")
    return found


def _bounds(facts: Facts) -> Settings:
    """Return the limits of a Clip, None where it has none."""
    if facts.opset < 11:
        found = [facts.given.get("min"), facts.given.get("max")]
    elif facts.moving(1) or facts.moving(2):
        raise ValueError("bounds that are not constant")
    else:
        found = [facts.fixed(1), facts.fixed(2)]
    low, high = (None if bound is None else float(np.asarray(bound).reshape(())) for bound in found)
    return {"min": low, "max": high}


def _sum(facts: Facts) -> Settings:
    return {"signs": [1, -1] if facts.op == "Sub" else [1] * len(facts.shapes)}


def _concat(facts: Facts) -> Settings:
    return {"axis": _axis(int(facts.given["axis"]), len(facts.shape) + 1)}


def _move(facts: Facts) -> Settings:
    maker = {"Transpose": _transpose, "Slice": _slice, "Pad": _pad, "Split": _split}.get(facts.op)
    if maker:
        return maker(facts)
    if math.prod(facts.shape) != math.prod(facts.shapes[0]):
        raise ValueError("the batch is moved")
    return {"how": "flat"}


def _transpose(facts: Facts) -> Settings:
    rank = len(facts.shapes[0]) + 1
    perm = [int(axis) for axis in facts.given.get("perm", range(rank)[::-1])]
    if perm[0] != 0:
        raise ValueError("the batch is moved")
    return {"how": "transpose", "perm": [axis - 1 for axis in perm[1:]]}


def _slice(facts: Facts) -> Settings:
    sides = facts.shapes[0]
    starts, ends, axes, steps = (facts.whole(at, name) for at, name in ((1, "starts"), (2, "ends"), (3, "axes"), (4, "steps")))
    if starts is None or ends is None:
        raise ValueError("a part that is not said")
    begin, stride = [0] * len(sides), [1] * len(sides)
    for start, end, axis, step in zip(starts, ends, axes or range(len(starts)), steps or [1] * len(starts), strict=True):
        at = _axis(axis, len(sides) + 1)
        begin[at], _, stride[at] = slice(start, end, step).indices(sides[at])
    return {"how": "slice", "starts": begin, "steps": stride}


def _split(facts: Facts) -> Settings:
    """Each part of a Split is a layer; `before` is how much of the axis lies before it (see layers)."""
    axis = _axis(int(facts.given.get("axis", 0)), len(facts.shape) + 1)
    starts = [0] * len(facts.shape)
    starts[axis] = int(facts.given["before"])
    return {"how": "slice", "starts": starts, "steps": [1] * len(facts.shape)}


def _pad(facts: Facts) -> Settings:
    rank = len(facts.shapes[0]) + 1
    pads, axes = facts.whole(1, "pads"), facts.whole(3, "axes")
    mode = facts.given.get("mode", b"constant").decode()
    if pads is None or axes is not None or pads[0] or pads[rank] or mode not in ("constant", "reflect", "edge") or facts.moving(2):
        raise ValueError("pads that are not constant")
    fill = facts.given.get("value", 0.0) if facts.fixed(2) is None else facts.fixed(2)
    return {"how": "pad", "mode": mode, "before": pads[1:rank], "after": pads[rank + 1 :], "value": float(np.asarray(fill).reshape(()))}


def _softmax(facts: Facts) -> Settings:
    rank, log = len(facts.shape) + 1, int(facts.op == "LogSoftmax")
    if facts.opset < 13:  # the older softmax is over all axes from this one on
        return {"axes": [*range(_axis(int(facts.given.get("axis", 1)), rank), rank - 1)], "log": log}
    return {"axes": [_axis(int(facts.given.get("axis", -1)), rank)], "log": log}


def _reduce(facts: Facts) -> Settings:
    axes, rank = facts.whole(1, "axes"), len(facts.shapes[0]) + 1
    if not axes:
        raise ValueError("over the batch")
    return {
        "how": facts.op.removeprefix("Reduce"),
        "axes": sorted(_axis(axis, rank) for axis in axes),
        "keepdims": int(facts.given.get("keepdims", 1)),
    }


_MAKERS: Mapping[str, Callable[[Facts], Settings]] = {
    "conv2d": _conv,
    "pool": _pool,
    "matmul": _matmul,
    "elementwise": _function,
    "sum": _sum,
    "concat": _concat,
    "move": _move,
    "softmax": _softmax,
    "reduce": _reduce,
}
