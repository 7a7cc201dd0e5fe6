"""The functions that work on one cell at a time, as ONNX defines them: of one number, or of several. Plain mathematics in float64."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["FUNCTIONS", "apply"]

Settings = Mapping[str, Any]


def _exp(x: float) -> float:
    """Return e to the x; infinity where that is beyond float64."""
    return math.exp(x) if x < 709 else math.inf


def _sigmoid(x: float) -> float:
    return 1 / (1 + _exp(-x)) if x >= 0 else _exp(x) / (1 + _exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(_exp(-abs(x)))


def _gelu(x: float, given: Settings) -> float:
    if given["approximate"] == "tanh":
        return x * 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _clip(x: float, given: Settings) -> float:
    low, high = given["min"], given["max"]
    return _clamped(x, -math.inf if low is None else low, math.inf if high is None else high)


def _clamped(x: float, low: float, high: float) -> float:
    # Where the limits are the wrong way round, the upper one holds.
    return min(max(x, low), high)


def _log(x: float, _: Settings) -> float:
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def _sqrt(x: float, _: Settings) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


def _divide(x: float, y: float) -> float:
    if y:
        return x / y
    return math.nan if x == 0 else math.copysign(math.inf, x) * math.copysign(1.0, y)


def _power(x: float, y: float) -> float:
    try:
        found = x**y
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return math.nan if isinstance(found, complex) else found


def _round(x: float, _: Settings) -> float:
    return float(round(x)) if math.isfinite(x) else x


# Functions of one number and the layer's attributes.
_ALONE: Mapping[str, Callable[[float, Settings], float]] = {
    "Relu": lambda x, _: max(x, 0.0),
    "LeakyRelu": lambda x, given: x if x >= 0 else given["alpha"] * x,
    "ThresholdedRelu": lambda x, given: x if x > given["alpha"] else 0.0,
    "Elu": lambda x, given: x if x >= 0 else given["alpha"] * math.expm1(x),
    "Selu": lambda x, given: given["gamma"] * (x if x > 0 else given["alpha"] * math.expm1(x)),
    "Celu": lambda x, given: max(x, 0.0) + min(0.0, given["alpha"] * math.expm1(min(x, 0.0) / given["alpha"])),
    "Softplus": lambda x, _: _softplus(x),
    "Softsign": lambda x, _: x / (1 + abs(x)),
    "Gelu": _gelu,
    "Mish": lambda x, _: x * math.tanh(_softplus(x)),
    "Erf": lambda x, _: math.erf(x),
    "Sigmoid": lambda x, _: _sigmoid(x),
    "HardSigmoid": lambda x, given: _clamped(given["alpha"] * x + given["beta"], 0.0, 1.0),
    "HardSwish": lambda x, _: x * _clamped(x / 6 + 0.5, 0.0, 1.0),
    "Tanh": lambda x, _: math.tanh(x),
    "Clip": _clip,
    "Abs": lambda x, _: abs(x),
    "Neg": lambda x, _: -x,
    "Exp": lambda x, _: _exp(x),
    "Log": _log,
    "Sqrt": _sqrt,
    "Reciprocal": lambda x, _: _divide(1.0, x),
    "Floor": lambda x, _: float(math.floor(x)) if math.isfinite(x) else x,
    "Ceil": lambda x, _: float(math.ceil(x)) if math.isfinite(x) else x,
    "Round": _round,
    "Sign": lambda x, _: math.copysign(1.0, x) if x else x,
    "Identity": lambda x, _: x,
    "Dropout": lambda x, _: x,
    "Cast": lambda x, given: float(math.trunc(x)) if given.get("whole") and math.isfinite(x) else x,
}
# Functions of several numbers.
_TOGETHER: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Mul": lambda values: values[0] * values[1],
    "Div": lambda values: _divide(values[0], values[1]),
    "Pow": lambda values: _power(values[0], values[1]),
    "PRelu": lambda values: values[0] if values[0] >= 0 else values[0] * values[1],
    "Min": min,
    "Max": max,
    "Mean": lambda values: sum(values) / len(values),
}
FUNCTIONS = (*_ALONE, *_TOGETHER, "BatchNormalization")


def apply(given: Settings, values: Sequence[float]) -> float:
    """Return what a layer's function makes of its operands' numbers; infinity comes out as IEEE 754 has it, and what reads a NaN is one."""
    if any(map(math.isnan, values)):
        return math.nan
    name = given["function"]
    return _TOGETHER[name](values) if name in _TOGETHER else _ALONE[name](values[0], given)
