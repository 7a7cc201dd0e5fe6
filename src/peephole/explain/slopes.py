"""What each operation hands back: the slope of its output becomes the slopes of its inputs (the chain rule), in numpy.

Every rule takes a `Step`, that is an operation with what it was given and what it answered, and the slope of some number with respect to the
answer; it returns the slope with respect to each input, None where there is none. The windows of convolutions and pools are in `backwindows`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from peephole.base.errors import ModelFileError
from peephole.explain.backwindows import back_average, back_conv, back_most

__all__ = ["SLOPES", "Step", "slopes_of"]

Parts = tuple[np.ndarray | None, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """One node of the graph as it was passed: `given` are its inputs' values (None where one is left out), `value` its first output's.

    All with the batch axis. `attributes` are the node's; `asked` says which inputs' slopes are wanted.
    """

    name: str
    op: str
    attributes: dict[str, Any]
    given: tuple[np.ndarray | None, ...]
    value: np.ndarray
    asked: tuple[bool, ...]

    def input(self, at: int) -> np.ndarray | None:
        """Return an input's values, or None when it is left out."""
        return self.given[at] if at < len(self.given) else None

    def told(self, at: int, name: str) -> list[int]:
        """Return whole numbers that are an attribute in older operator sets and an input in newer ones; none where there are none."""
        each = self.attributes.get(name)
        if each is None and (values := self.input(at)) is not None:
            each = values.ravel()
        return [int(value) for value in each] if each is not None else []

    def axes(self, at: int = 1) -> tuple[int, ...]:
        """Return the axes a reduction works on: an attribute up to opset 17, an input after; all of them when neither is there."""
        rank, told = _first(self).ndim, self.told(at, "axes")
        return tuple(axis % rank for axis in told) if told else tuple(range(rank))


Rule = Callable[[Step, np.ndarray], Parts]


def _first(step: Step) -> np.ndarray:
    value = step.given[0]
    assert value is not None
    return value


def _all(step: Step) -> list[np.ndarray]:
    """Return the values of every input that is there."""
    return [each for each in step.given if each is not None]


def _fold(slope: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum a slope over the axes along which an input of `shape` was repeated."""
    slope = slope.sum(axis=tuple(range(slope.ndim - len(shape))))
    repeated = tuple(axis for axis, size in enumerate(shape) if size == 1 and slope.shape[axis] != 1)
    return np.asarray(slope.sum(axis=repeated, keepdims=True) if repeated else slope)


def _cellwise(slope_of: Callable[[Step], Any]) -> Rule:
    """Return the rule of an operation on each cell alone, from its derivative."""
    return lambda step, slope: (slope * slope_of(step),)


def _add(step: Step, slope: np.ndarray) -> Parts:
    return tuple(_fold(slope, each.shape) if each is not None else None for each in step.given)


def _sub(step: Step, slope: np.ndarray) -> Parts:
    left, right = _add(step, slope)
    return left, None if right is None else -right


def _mul(step: Step, slope: np.ndarray) -> Parts:
    left, right = step.given
    assert left is not None and right is not None
    return (
        _fold(slope * right, left.shape) if step.asked[0] else None,
        _fold(slope * left, right.shape) if step.asked[1] else None,
    )


def _div(step: Step, slope: np.ndarray) -> Parts:
    left, right = step.given
    assert left is not None and right is not None
    over = _fold(slope / right, left.shape) if step.asked[0] else None
    return over, _fold(-slope * step.value / right, right.shape) if step.asked[1] else None


def _pow(step: Step, slope: np.ndarray) -> Parts:
    base, power = step.given
    assert base is not None and power is not None
    return _fold(slope * power * base ** (power - 1), base.shape), None


def _extreme(step: Step, slope: np.ndarray) -> Parts:
    """Max and Min of several inputs: the first that has the value gets the slope."""
    taken = np.zeros(step.value.shape, bool)
    parts: list[np.ndarray | None] = []
    for each in _all(step):
        mine = (each == step.value) & ~taken
        taken |= mine
        parts.append(_fold(slope * mine, each.shape))
    return tuple(parts)


def _clip(step: Step) -> np.ndarray:
    """1 strictly between the bounds, as ReLU6 has it."""
    low, high = (step.attributes.get(name) if (each := step.input(at)) is None else each for at, name in ((1, "min"), (2, "max")))
    x = _first(step)
    inside = np.ones(x.shape, bool)
    if low is not None:
        inside &= x > low
    if high is not None:
        inside &= x < high
    return inside


def _hard_sigmoid(step: Step) -> np.ndarray:
    alpha = float(step.attributes.get("alpha", 0.2))
    return np.where((step.value > 0) & (step.value < 1), np.float32(alpha), np.float32(0))


def _hard_swish(step: Step) -> np.ndarray:
    x = _first(step)
    return np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6)).astype(x.dtype)


def _leaky(step: Step) -> np.ndarray:
    x = _first(step)
    return np.where(x > 0, np.float32(1), np.float32(step.attributes.get("alpha", 0.01)))


def _elu(step: Step) -> np.ndarray:
    alpha = np.float32(step.attributes.get("alpha", 1.0))
    return np.where(_first(step) > 0, np.float32(1), step.value + alpha)


def _gelu(step: Step) -> np.ndarray:
    """Phi(x) + x phi(x), where Phi(x) is read off the answer x Phi(x); or its form with tanh."""
    x = _first(step)
    if step.attributes.get("approximate", b"none") in (b"tanh", "tanh"):
        root = np.float32(math.sqrt(2 / math.pi))
        bent = np.tanh(root * (x + np.float32(0.044715) * x**3))
        return np.asarray(0.5 * (1 + bent) + 0.5 * x * (1 - bent**2) * root * (1 + np.float32(3 * 0.044715) * x**2))
    share = np.divide(step.value, x, out=np.full_like(x, 0.5), where=np.abs(x) > 1e-6)
    return np.asarray(share + x * np.exp(-(x**2) / 2) / np.float32(math.sqrt(2 * math.pi)))


def _prelu(step: Step, slope: np.ndarray) -> Parts:
    x, below = step.given
    assert x is not None and below is not None
    return slope * np.where(x > 0, np.float32(1), below), None


def _softmax(step: Step, slope: np.ndarray) -> Parts:
    axis = int(step.attributes.get("axis", -1))
    return (step.value * (slope - (slope * step.value).sum(axis=axis, keepdims=True)),)


def _log_softmax(step: Step, slope: np.ndarray) -> Parts:
    axis = int(step.attributes.get("axis", -1))
    return (slope - np.exp(step.value) * slope.sum(axis=axis, keepdims=True),)


def _matmul(step: Step, slope: np.ndarray) -> Parts:
    left, right = step.given[:2]
    assert left is not None and right is not None
    if right.ndim == 1 or left.ndim == 1:
        raise ModelFileError(f"layer {step.name} multiplies by a vector, and its slope is not worked out here", "ask for a layer behind it")
    return (
        _fold(slope @ np.swapaxes(right, -1, -2), left.shape) if step.asked[0] else None,
        _fold(np.swapaxes(left, -1, -2) @ slope, right.shape) if step.asked[1] else None,
    )


def _gemm(step: Step, slope: np.ndarray) -> Parts:
    """Y = alpha A B + beta C, A and B each turned or not."""
    left, right = step.given[:2]
    assert left is not None and right is not None
    alpha, beta = (np.float32(step.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    a, b = (each.T if step.attributes.get(name, 0) else each for each, name in ((left, "transA"), (right, "transB")))
    parts: list[np.ndarray | None] = [None, None]
    if step.asked[0]:
        found = alpha * (slope @ b.T)
        parts[0] = found.T if step.attributes.get("transA", 0) else found
    if step.asked[1]:
        found = alpha * (a.T @ slope)
        parts[1] = found.T if step.attributes.get("transB", 0) else found
    third = step.input(2)
    return (*parts, _fold(beta * slope, third.shape)) if third is not None else tuple(parts)


def _batch_norm(step: Step, slope: np.ndarray) -> Parts:
    scale, variance = step.given[1], step.given[4]
    assert scale is not None and variance is not None
    gain = scale / np.sqrt(variance + step.attributes.get("epsilon", 1e-5))
    return (slope * gain.astype(slope.dtype).reshape(-1, *(1,) * (slope.ndim - 2)),)


def _reshaped(step: Step, slope: np.ndarray) -> Parts:
    return (slope.reshape(_first(step).shape),)


def _transpose(step: Step, slope: np.ndarray) -> Parts:
    order = step.attributes.get("perm") or tuple(reversed(range(slope.ndim)))
    return (np.transpose(slope, np.argsort(order)),)


def _concat(step: Step, slope: np.ndarray) -> Parts:
    axis = int(step.attributes["axis"])
    ends = np.cumsum([each.shape[axis] for each in _all(step)])[:-1]
    return tuple(np.split(slope, ends, axis=axis))


def _pad(step: Step, slope: np.ndarray) -> Parts:
    mode = step.attributes.get("mode", b"constant")
    if mode not in (b"constant", "constant"):
        raise ModelFileError(f"layer {step.name} pads by mirroring, and its slope is not worked out here", "ask for a layer behind it")
    begin, end = np.array(step.told(1, "pads")).reshape(2, -1)
    cut = tuple(slice(max(0, first), size - max(0, last)) for first, last, size in zip(begin, end, slope.shape, strict=True))
    found = slope[cut]
    # A negative pad cut cells off, which so have no slope.
    back = [(max(0, -first), max(0, -last)) for first, last in zip(begin, end, strict=True)]
    return (np.pad(found, back),)


def _slice(step: Step, slope: np.ndarray) -> Parts:
    x = _first(step)
    starts, ends = step.told(1, "starts"), step.told(2, "ends")
    axes, strides = step.told(3, "axes") or list(range(len(starts))), step.told(4, "steps") or [1] * len(starts)
    place = [slice(None)] * x.ndim
    for start, end, axis, stride in zip(starts, ends, axes, strides, strict=True):
        if stride < 0:
            raise ModelFileError(f"layer {step.name} walks backwards, and its slope is not worked out here", "ask for a layer behind it")
        place[axis] = slice(start, end, stride)
    found = np.zeros(x.shape, slope.dtype)
    found[tuple(place)] = slope
    return (found,)


def _spread(step: Step, each: np.ndarray) -> np.ndarray:
    """Give the axes that a reduction took away back to its output, or its slope, with length 1."""
    axes = step.axes()
    return each.reshape([1 if axis in axes else size for axis, size in enumerate(_first(step).shape)])


def _total(step: Step, slope: np.ndarray) -> Parts:
    return (np.broadcast_to(_spread(step, slope), _first(step).shape),)


def _mean(step: Step, slope: np.ndarray) -> Parts:
    shape = _first(step).shape
    return (np.broadcast_to(_spread(step, slope) / np.float32(math.prod(shape[axis] for axis in step.axes())), shape),)


def _length(step: Step, slope: np.ndarray) -> Parts:
    """sqrt(sum of squares): x / length; 0 at zero, where there is no slope."""
    x, length = _first(step), _spread(step, step.value)
    return (_spread(step, slope) * np.divide(x, length, out=np.zeros_like(x), where=length > 0),)


def _summit(step: Step, slope: np.ndarray) -> Parts:
    """The largest or smallest along some axes: the first that has the value gets the slope."""
    x, axes = _first(step), step.axes()
    found = x == _spread(step, step.value)
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    rows = np.transpose(found, (*kept, *axes)).reshape(*(x.shape[axis] for axis in kept), -1)
    first = np.zeros(rows.shape, bool)
    np.put_along_axis(first, rows.argmax(axis=-1)[..., None], True, axis=-1)
    shape = [x.shape[axis] for axis in (*kept, *axes)]
    return (np.transpose(first.reshape(shape), np.argsort((*kept, *axes))) * _spread(step, slope),)


def _global_average(step: Step, slope: np.ndarray) -> Parts:
    shape = _first(step).shape
    return (np.broadcast_to(slope / np.float32(math.prod(shape[2:])), shape),)


def _global_most(step: Step, slope: np.ndarray) -> Parts:
    x = _first(step)
    rows = x.reshape(*x.shape[:2], -1)
    found = np.zeros_like(rows)
    np.put_along_axis(found, rows.argmax(axis=-1)[..., None], slope.reshape(*x.shape[:2], 1), axis=-1)
    return (found.reshape(x.shape),)


def _windows(back: Callable[..., np.ndarray]) -> Rule:
    return lambda step, slope: (back(_first(step), step.value, slope, step.attributes),)


def _conv(step: Step, slope: np.ndarray) -> Parts:
    weight = step.given[1]
    if not step.asked[0] or any(step.asked[1:]) or weight is None:
        raise ModelFileError(
            f"layer {step.name} has a kernel that hangs on the picture, and its slope is not worked out here", "ask for a layer behind it"
        )
    return (back_conv(_first(step), weight, slope, step.attributes),)


SLOPES: dict[str, Rule] = {
    **{"Conv": _conv, "MaxPool": _windows(back_most), "AveragePool": _windows(back_average)},
    **{"GlobalAveragePool": _global_average, "GlobalMaxPool": _global_most},
    **{"Gemm": _gemm, "MatMul": _matmul, "BatchNormalization": _batch_norm},
    **{"Add": _add, "Sum": _add, "Sub": _sub, "Mul": _mul, "Div": _div, "Pow": _pow, "Max": _extreme, "Min": _extreme},
    **dict.fromkeys(("Identity", "Cast", "Dropout", "Split"), _cellwise(lambda step: np.float32(1))),
    **{"Relu": _cellwise(lambda step: step.value > 0), "Clip": lambda step, slope: (slope * _clip(step),), "PRelu": _prelu},
    **{"LeakyRelu": _cellwise(_leaky), "Elu": _cellwise(_elu), "HardSigmoid": _cellwise(_hard_sigmoid), "HardSwish": _cellwise(_hard_swish)},
    "Gelu": _cellwise(_gelu),
    "Sigmoid": _cellwise(lambda step: step.value * (1 - step.value)),
    "Tanh": _cellwise(lambda step: 1 - step.value**2),
    "Softplus": _cellwise(lambda step: 1 - np.exp(-step.value)),
    "Erf": _cellwise(lambda step: np.float32(2 / math.sqrt(math.pi)) * np.exp(-(_first(step) ** 2))),
    "Sqrt": _cellwise(lambda step: np.float32(0.5) / step.value),
    "Exp": _cellwise(lambda step: step.value),
    "Log": _cellwise(lambda step: 1 / _first(step)),
    "Neg": _cellwise(lambda step: np.float32(-1)),
    "Abs": _cellwise(lambda step: np.sign(_first(step))),
    "Reciprocal": _cellwise(lambda step: -(step.value**2)),
    **{"Softmax": _softmax, "LogSoftmax": _log_softmax},
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), _reshaped),
    **{"Transpose": _transpose, "Concat": _concat, "Pad": _pad, "Slice": _slice},
    **{"ReduceMean": _mean, "ReduceSum": _total, "ReduceL2": _length, "ReduceMax": _summit, "ReduceMin": _summit},
}


def slopes_of(step: Step, slope: np.ndarray) -> Parts:
    """Return the slope with respect to each input of `step`; raises ModelFileError when the operation's slope is not known."""
    rule = SLOPES.get(step.op)
    if rule is None:
        raise ModelFileError(
            f"layer {step.name} is a {step.op}, whose slope is not known, so nothing before it can be explained by slopes",
            "occlusion needs no slopes; or ask for a layer behind it",
        )
    return rule(step, slope)
