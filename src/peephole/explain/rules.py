"""By which rule a cell of a layer comes from the cells before it, and the attributes that the rule needs: axes without the batch.

The rules are the specification that docs/reference/trace.md prints and that `recompute` follows; the page does the same in JavaScript.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["FUNCTIONS", "RULES", "describe"]

Shape = tuple[int, ...]
Settings = dict[str, Any]

# Functions of one number, and of several with numpy's broadcasting; attributes beside them where they have some.
FUNCTIONS = (
    *("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Softplus", "Softsign", "ThresholdedRelu", "Gelu", "Mish", "Erf"),
    *("Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Clip", "Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign"),
    *("Identity", "Cast", "Dropout", "Mul", "Div", "Pow", "Min", "Max", "Mean", "BatchNormalization"),
)
RULES: Mapping[str, str] = {
    "Conv": "conv2d",
    **dict.fromkeys(("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"), "pool"),
    **dict.fromkeys(("Gemm", "MatMul"), "matmul"),
    **dict.fromkeys(FUNCTIONS, "elementwise"),
    **dict.fromkeys(("Add", "Sub", "Sum"), "sum"),
    "Concat": "concat",
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Pad"), "move"),
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


def describe(
    op: str, given: Mapping[str, Any], shapes: tuple[Shape, ...], constants: tuple[np.ndarray | None, ...], shape: Shape, opset: int
) -> tuple[str | None, Settings]:
    """Return the rule of a layer, None where it cannot be explained, and the attributes that the rule needs.

    `given` are the node's attributes; `shapes` those of its inputs, without the batch for layers, whole for constants; `constants` the values of
    those inputs that are constants; `shape` that of the layer.
    """
    rule = RULES.get(op)
    maker = _MAKERS.get(rule or "", lambda *_: {})
    try:
        found = maker(op, given, shapes, constants, shape, opset)
    except (LookupError, ValueError, TypeError):
        found = None
    return (rule, found) if found is not None else (None, _plain(given))


def _plain(given: Mapping[str, Any]) -> Settings:
    """Return the attributes as they stand in the file, as far as they are numbers or words."""
    found: Settings = {}
    for name, value in given.items():
        value = value.decode(errors="replace") if isinstance(value, bytes) else value
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


def _conv(
    op: str, given: Mapping[str, Any], shapes: tuple[Shape, ...], constants: tuple[np.ndarray | None, ...], shape: Shape, opset: int
) -> Settings:
    if constants[1] is None or (len(constants) > 2 and shapes[2] and constants[2] is None):
        raise ValueError("kernels that are not constant")
    return {**_slides(given, shapes[0][1:], shapes[1][2:]), "group": int(given.get("group", 1))}


def _pool(
    op: str, given: Mapping[str, Any], shapes: tuple[Shape, ...], constants: tuple[np.ndarray | None, ...], shape: Shape, opset: int
) -> Settings:
    how, sides = "max" if "Max" in op else "average", shapes[0][1:]
    if op.startswith("Global"):
        return {"how": how, **_slides({}, sides, sides), "count_include_pad": 0}
    return {"how": how, **_slides(given, sides, tuple(given["kernel_shape"])), "count_include_pad": int(given.get("count_include_pad", 0))}


def _matmul(
    op: str, given: Mapping[str, Any], shapes: tuple[Shape, ...], constants: tuple[np.ndarray | None, ...], shape: Shape, opset: int
) -> Settings:
    if given.get("transA"):
        raise ValueError("a batch that is turned")
    if op == "Gemm" and (constants[0] is not None or constants[1] is None):
        raise ValueError("weights that are not constant")
    return {"alpha": float(given.get("alpha", 1)), "beta": float(given.get("beta", 1)), "transB": int(given.get("transB", 0))}


def _function(
    op: str, given: Mapping[str, Any], shapes: tuple[Shape, ...], constants: tuple[np.ndarray | None, ...], shape: Shape, opset: int
) -> Settings:
    found = {"function": op, **USUAL.get(op, {}), **{name: value for name, value in _plain(given).items() if name in USUAL.get(op, {})}}
    if op == "Clip":
        bounds = [given.get("min"), given.get("max")] if opset < 11 else [None if at >= len(constants) else constants[at] for at in (1, 2)]
        if opset >= 11 and any(len(shapes) > at and shapes[at] is not None and at < len(constants) and constants[at] is None for at in (1, 2)):
            raise ValueError("bounds that are not constant")
        for name, bound in zip(("min", "max"), bounds, strict=True):
            found[name] = None if bound is None else float(np.asarray(bound).reshape(()))
    if op == "Cast" and given.get("to") not in (1, 10, 11):
        found["to"] = int(given.get("to", 0))
    if op == "BatchNormalization" and any(constants[at] is None for at in range(1, 5)):
        raise ValueError("statistics that are not constant")
    return found


def _sum(
    op: str, given: Mapping[str, Any], shapes: tuple[Shape, ...], constants: tuple[np.ndarray | None, ...], shape: Shape, opset: int
) -> Settings:
    return {"signs": [1, -1] if op == "Sub" else [1] * len(shapes)}


def _concat(
    op: str, given: Mapping[str, Any], shapes: tuple[Shape, ...], constants: tuple[np.ndarray | None, ...], shape: Shape, opset: int
) -> Settings:
    return {"axis": _axis(int(given["axis"]), len(shape) + 1)}


def _whole(given: Mapping[str, Any], constants: tuple[np.ndarray | None, ...], at: int, name: str) -> list[int] | None:
    """Return whole numbers that newer operator sets have as an input and older ones as an attribute."""
    value = constants[at] if at < len(constants) and constants[at] is not None else given.get(name)
    return None if value is None else [int(one) for one in np.asarray(value).ravel()]


def _move(
    op: str, given: Mapping[str, Any], shapes: tuple[Shape, ...], constants: tuple[np.ndarray | None, ...], shape: Shape, opset: int
) -> Settings:
    rank = len(shapes[0]) + 1
    if op == "Transpose":
        perm = [int(axis) for axis in given.get("perm", range(rank)[::-1])]
        if perm[0] != 0:
            raise ValueError("the batch is moved")
        return {"how": "transpose", "perm": [axis - 1 for axis in perm[1:]]}
    if op == "Slice":
        starts, ends = _whole(given, constants, 1, "starts"), _whole(given, constants, 2, "ends")
        axes, steps = _whole(given, constants, 3, "axes") or [*range(len(starts or ()))], _whole(given, constants, 4, "steps")
        if starts is None or ends is None:
            raise ValueError("a part that is not constant")
        begin, stride = [0] * (rank - 1), [1] * (rank - 1)
        for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
            at = _axis(axis, rank)
            begin[at], _, stride[at] = slice(start, end, step).indices(shapes[0][at])
        return {"how": "slice", "starts": begin, "steps": stride}
    if op == "Pad":
        pads, axes = _whole(given, constants, 1, "pads"), _whole(given, constants, 3, "axes")
        mode = given.get("mode", b"constant").decode()
        if pads is None or axes is not None or pads[0] or pads[rank] or mode not in ("constant", "reflect", "edge"):
            raise ValueError("pads that are not constant")
        fill = constants[2] if len(constants) > 2 and constants[2] is not None else given.get("value", 0.0)
        return {"how": "pad", "mode": mode, "before": pads[1:rank], "after": pads[rank + 1 :], "value": float(np.asarray(fill).reshape(()))}
    if int(np.prod(shape)) != int(np.prod(shapes[0])):
        raise ValueError("the batch is moved")
    return {"how": "flat"}


def _softmax(
    op: str, given: Mapping[str, Any], shapes: tuple[Shape, ...], constants: tuple[np.ndarray | None, ...], shape: Shape, opset: int
) -> Settings:
    rank = len(shape) + 1
    if opset < 13:  # the older softmax is over all axes from this one on
        first = _axis(int(given.get("axis", 1)), rank)
        return {"axes": [*range(first, rank - 1)], "log": int(op == "LogSoftmax")}
    return {"axes": [_axis(int(given.get("axis", -1)), rank)], "log": int(op == "LogSoftmax")}


def _reduce(
    op: str, given: Mapping[str, Any], shapes: tuple[Shape, ...], constants: tuple[np.ndarray | None, ...], shape: Shape, opset: int
) -> Settings:
    axes, rank = _whole(given, constants, 1, "axes"), len(shapes[0]) + 1
    if not axes:
        raise ValueError("over the batch")
    return {"how": op.removeprefix("Reduce"), "axes": sorted(_axis(axis, rank) for axis in axes), "keepdims": int(given.get("keepdims", 1))}


_MAKERS = {
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
