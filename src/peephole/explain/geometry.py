"""Shapes, receptive fields and cost: what a layer sees of the picture and what it takes to work it out.

Knows operations and sizes only; runs nothing. Sizes are (height, width) in pixels.
"""

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Count", "Field", "Window", "count_macs", "count_parameters", "see", "slide"]

SLIDING = {"Conv", "MaxPool", "AveragePool", "LpPool"}
CELLWISE = {
    *("Add", "Sub", "Mul", "Div", "Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Mish", "Gelu"),
    *("Sqrt", "Neg", "Abs", "Exp", "Log", "Pow", "Min", "Max", "Cast", "Identity", "Dropout", "Concat", "Sum", "BatchNormalization", "Transpose"),
}
MIXING = {
    *(
        "GlobalAveragePool",
        "GlobalMaxPool",
        "Flatten",
        "Gemm",
        "MatMul",
        "ReduceMean",
        "ReduceSum",
        "ReduceMax",
        "ReduceMin",
        "ReduceL1",
        "ReduceL2",
        "LpNormalization",
    ),
    *("Reshape", "Squeeze", "Softmax"),
    *("LogSoftmax", "LayerNormalization", "InstanceNormalization", "LRN"),
}
LEARNED_CELLWISE = {"Add", "Sub", "Mul", "Div", "PRelu"}

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """How a kernel slides over its input: `kernel`, `stride`, `dilation` as (height, width); `pads` as (top, left, bottom, right)."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    pads: tuple[int, int, int, int]


@dataclass(frozen=True)
class Field:
    """The receptive field of a layer's units, in pixels of the network's input.

    `size` (height, width) that one unit sees; `stride` from one unit to the next; `offset` of the first unit's field,
    negative where it begins in the padding. `whole`: every unit sees the whole picture (stride and offset are then 0).
    """

    size: Pair
    stride: Pair
    offset: Pair
    whole: bool = False


@dataclass(frozen=True)
class Count:
    """A number as the sum of products it comes from: ((32, 16, 3, 3), (32,)) is 32 x 16 x 3 x 3 + 32."""

    terms: tuple[tuple[int, ...], ...] = ()

    @property
    def value(self) -> int:
        """The number itself."""
        return sum(math.prod(term) for term in self.terms)

    @property
    def text(self) -> str:
        """The products as they are printed; "0" when there are none."""
        return " + ".join(" × ".join(f"{factor}" for factor in term) for term in self.terms) or "0"


def _pair(values: Any, default: int) -> Pair:
    found = tuple(int(value) for value in (values or ()))
    return (found[0], found[1]) if len(found) == 2 else (default, default)


def _same(length: int, kernel: int, stride: int, dilation: int, lower: bool) -> Pair:
    """Return the padding (begin, end) that ONNX's auto_pad SAME asks for along one axis."""
    total = max(0, (math.ceil(length / stride) - 1) * stride + (kernel - 1) * dilation + 1 - length)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)


def slide(op: str, attributes: dict[str, Any], given: tuple[int, ...], weight: tuple[int, ...] | None) -> Window | None:
    """Return how a Conv or pool slides over an input of shape `given` (C, H, W), or None for anything else (also 1-D and 3-D)."""
    if op not in SLIDING or len(given) != 3:
        return None
    shape = attributes.get("kernel_shape") or (weight[2:] if weight else ())
    if len(shape) != 2:
        return None
    kernel, stride = _pair(shape, 1), _pair(attributes.get("strides"), 1)
    dilation = _pair(attributes.get("dilations"), 1)
    rule = attributes.get("auto_pad", b"NOTSET")
    rule = rule.decode() if isinstance(rule, bytes) else str(rule)
    pads = tuple(int(pad) for pad in attributes.get("pads") or (0, 0, 0, 0))
    if rule.startswith("SAME"):
        tall, wide = (_same(given[axis + 1], kernel[axis], stride[axis], dilation[axis], rule == "SAME_LOWER") for axis in (0, 1))
        pads = (tall[0], wide[0], tall[1], wide[1])
    return Window(kernel, stride, dilation, (pads[0], pads[1], pads[2], pads[3]))


def _together(fields: list[Field]) -> Field:
    """Return the field of a unit that reads one unit of each of `fields`."""
    for field in fields:
        if field.whole:
            return field
    low = [min(field.offset[axis] for field in fields) for axis in (0, 1)]
    high = [max(field.offset[axis] + field.size[axis] for field in fields) for axis in (0, 1)]
    stride = (max(field.stride[0] for field in fields), max(field.stride[1] for field in fields))
    return Field((high[0] - low[0], high[1] - low[1]), stride, (low[0], low[1]))


def _widen(before: Field, window: Window) -> Field:
    """Return the field behind a sliding window (MATH section 7: r + (k - 1) d j, j s)."""
    if before.whole:
        return before
    reach = [(window.kernel[axis] - 1) * window.dilation[axis] * before.stride[axis] for axis in (0, 1)]
    return Field(
        (before.size[0] + reach[0], before.size[1] + reach[1]),
        (before.stride[0] * window.stride[0], before.stride[1] * window.stride[1]),
        (before.offset[0] - window.pads[0] * before.stride[0], before.offset[1] - window.pads[1] * before.stride[1]),
    )


def see(
    op: str,
    fields: list[Field | None],
    picture: Pair,
    *,
    window: Window | None = None,
    pads: tuple[int, ...] = (),
    units: int = 3,
    cut: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
) -> Field | None:
    """Return the receptive field behind `op` from those of its inputs; None when the operation is not known.

    `picture` is the network's input; `pads` those of a Pad node, all axes; `units` the number of axes of the result without the batch; `cut` the
    first place and the step along each of the three axes of maps, for a Slice or one part of a Split.
    """
    known = [field for field in fields if field is not None]
    if not known or len(known) < len(fields):
        return None
    if known[0].whole and op in {"Slice", "Split", "Pad", "Squeeze"}:
        return known[0]
    if op in MIXING and (op not in {"Reshape", "Squeeze"} or units < 3):
        return Field(picture, (0, 0), (0, 0), whole=True)
    if op in SLIDING | {"Slice", "Split", "Pad"}:
        return _moved(known[0], window, pads if op == "Pad" else (), cut)
    return _together(known) if op in CELLWISE | {"Reshape", "Squeeze", "Unsqueeze"} else None


def _moved(before: Field, window: Window | None, pads: tuple[int, ...], cut: tuple[tuple[int, ...], tuple[int, ...]] | None) -> Field | None:
    """Return the field behind a sliding window, a part of maps, or a border of two pads around them; None when nothing is known of it."""
    if window:
        return _widen(before, window)
    if len(pads) == 8:
        return Field(before.size, before.stride, (before.offset[0] - pads[2] * before.stride[0], before.offset[1] - pads[3] * before.stride[1]))
    return _cut(before, cut) if cut and len(cut[0]) == 3 else None


def _cut(before: Field, cut: tuple[tuple[int, ...], tuple[int, ...]]) -> Field:
    """Return the field of a part of maps: its first unit is another, and steps may leave units out."""
    (_, top, left), (_, down, right) = cut
    offset = (before.offset[0] + top * before.stride[0], before.offset[1] + left * before.stride[1])
    return Field(before.size, (before.stride[0] * down, before.stride[1] * right), offset)


def count_parameters(op: str, name: str, constants: list[tuple[int, ...]]) -> Count:
    """Return the learned numbers of a node from the shapes of its constant inputs (weight first, then bias).

    The constants of nodes named `normalise*` are fixed by the card, not learned, and count as none.
    """
    if name.startswith("normalise"):
        return Count()
    if op in {"Conv", "ConvTranspose", "Gemm", "MatMul"}:
        return Count(tuple(shape for shape in constants if shape))
    if op in {"BatchNormalization", "InstanceNormalization", "LayerNormalization"} and constants:
        return Count(((len(constants), *constants[0]),))
    if op in LEARNED_CELLWISE:
        # A lone number (an epsilon, a gain) is a constant of the formula, not learned.
        return Count(tuple(found for shape in constants if (found := tuple(size for size in shape if size > 1))))
    return Count()


def count_macs(op: str, weight: tuple[int, ...] | None, shape: tuple[int, ...], given: tuple[int, ...]) -> Count:
    """Return the multiply-accumulates of one input; `weight` is the constant's shape, `shape` and `given` of output and input without the batch.

    Only products with weights count: pooling, ReLU and sums of maps are 0.
    """
    if op == "Conv" and weight:
        return Count(((*weight, *shape[1:]),))
    if op == "ConvTranspose" and weight:
        return Count(((*weight, *given[1:]),))
    if op in {"Gemm", "MatMul"} and weight and len(weight) == 2:
        return Count(((*shape[:-1], *weight),))
    if op == "MatMul" and given:
        return Count(((*shape, given[-1]),))
    if op == "BatchNormalization":
        return Count((shape,))
    return Count()
