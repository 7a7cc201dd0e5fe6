"""The operators that a model file may hold: for each, the sizes it gives, the multiplications it takes, and the whole numbers it passes on.

Whole numbers are followed because sizes are made of them; nothing else is computed, and nothing is run.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from peephole.base.errors import HostileModelFile
from peephole.base.graph import Node

__all__ = ["OPERATORS", "Call", "Rule", "Shape", "passed_on"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """One step with what is known of its inputs: their shapes, and the whole numbers in those that hold a few."""

    node: Node
    shapes: tuple[Shape, ...]
    whole: tuple[Shape | None, ...]

    def ints(self, name: str, usual: Shape = ()) -> Shape:
        """Return an attribute of whole numbers."""
        return self.node.numbers.get(name, usual)

    def number(self, name: str, usual: int) -> int:
        """Return an attribute of one whole number."""
        return self.ints(name, (usual,))[0]

    def told(self, at: int, name: str = "") -> Shape:
        """Return the whole numbers of an input, or of the attribute that older operator sets have instead; raises when they are not known."""
        if at < len(self.shapes) and self.node.inputs[at]:
            found = self.whole[at]
            if found is None:
                raise HostileModelFile(f"has the step {self.node.name[:80]!r} ({self.node.op}) whose size hangs on what is in the photo")
            return found
        return self.ints(name)


# What a step gives: the shapes of its outputs, and the multiplications beyond one for every value that it reads or writes.
Given = tuple[tuple[Shape, ...], int]
Rule = Callable[[Call], Given]


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError("an axis that is not there")
    return axis % rank


def _broadcast(shapes: Iterable[Shape]) -> Shape:
    """Join shapes as numpy does."""
    shapes = list(shapes)
    rank = max(map(len, shapes))
    sides = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True)
    found = []
    for column in sides:
        wide = {size for size in column if size != 1}
        if len(wide) > 1:
            raise ValueError("sizes that do not fit")
        found.append(wide.pop() if wide else 1)
    return tuple(found)


def _same(call: Call) -> Given:
    """Every output has the shape of the first input."""
    return tuple(call.shapes[0] for _ in call.node.outputs), 0


def _joined(call: Call) -> Given:
    return (_broadcast(shape for shape, name in zip(call.shapes, call.node.inputs, strict=True) if name),), 0


def _dynamic(call: Call) -> Given:
    """DynamicQuantizeLinear: the values, their scale, their zero."""
    return (call.shapes[0], (), ()), 0


def _window(call: Call, sides: Shape, kernel: Shape) -> Shape:
    """Return where a window of `kernel` cells stops on `sides`."""
    count = len(sides)
    strides, dilations, pads = call.ints("strides", (1,) * count), call.ints("dilations", (1,) * count), call.ints("pads", (0,) * 2 * count)
    auto, found = call.node.texts.get("auto_pad", "NOTSET"), []
    for at, side in enumerate(sides):
        step, reach = strides[at], dilations[at] * (kernel[at] - 1) + 1
        if step < 1 or min(pads) < 0:
            raise ValueError("a window that does not move")
        if auto.startswith("SAME"):
            found.append(-(-side // step))
            continue
        before = 0 if auto == "VALID" else pads[at]
        room = side - reach + (0 if auto == "VALID" else before + pads[at + count])
        if not call.number("ceil_mode", 0):
            found.append(room // step + 1)
            continue
        stops = -(-room // step) + 1
        # The last window may hang over the end, but it begins before it.
        found.append(stops - ((stops - 1) * step >= side + before))
    return tuple(found)


def _conv(call: Call) -> Given:
    """Conv and its integer kin: image (N, C, ...), kernels (F, C / groups, ...)."""
    image, kernels = call.shapes[0], call.shapes[3 if call.node.op == "QLinearConv" else 1]
    out = (image[0], kernels[0], *_window(call, image[2:], kernels[2:]))
    return (out,), math.prod(out) * math.prod(kernels[1:])


def _pool(call: Call) -> Given:
    image, kernel = call.shapes[0], call.ints("kernel_shape")
    out = (*image[:2], *_window(call, image[2:], kernel))
    return tuple(out for _ in call.node.outputs), math.prod(out) * math.prod(kernel)


def _global_pool(call: Call) -> Given:
    image = call.shapes[0]
    return ((*image[:2], *(1 for _ in image[2:])),), 0


def _matmul(call: Call) -> Given:
    one, two = call.shapes[0], call.shapes[3 if call.node.op == "QLinearMatMul" else 1]
    left, right = (1, *one) if len(one) == 1 else one, (*two, 1) if len(two) == 1 else two
    if left[-1] != right[-2]:
        raise ValueError("sizes that do not fit")
    full = (*_broadcast([left[:-2], right[:-2]]), left[-2], right[-1]) if len(left) + len(right) > 4 else (left[-2], right[-1])
    out = tuple(size for at, size in enumerate(full) if not ((at == len(full) - 2 and len(one) == 1) or (at == len(full) - 1 and len(two) == 1)))
    return (out,), math.prod(full) * left[-1]


def _gemm(call: Call) -> Given:
    one, two = call.shapes[:2]
    rows, inner = one[::-1] if call.number("transA", 0) else one
    columns = two[0] if call.number("transB", 0) else two[1]
    return ((rows, columns),), rows * columns * inner


def _reshape(call: Call) -> Given:
    old, wanted = call.shapes[0], list(call.told(1, "shape"))
    if not call.number("allowzero", 0):
        wanted = [old[at] if size == 0 else size for at, size in enumerate(wanted)]
    if -1 in wanted:
        rest = math.prod(size for size in wanted if size != -1)
        wanted[wanted.index(-1)] = math.prod(old) // rest if rest else 0
    if math.prod(wanted) != math.prod(old):
        raise ValueError("sizes that do not fit")
    return (tuple(wanted),), 0


def _flatten(call: Call) -> Given:
    shape, axis = call.shapes[0], call.number("axis", 1)
    return ((math.prod(shape[:axis]), math.prod(shape[axis:])),), 0


def _transpose(call: Call) -> Given:
    shape = call.shapes[0]
    order = call.ints("perm", tuple(range(len(shape)))[::-1])
    if sorted(order) != list(range(len(shape))):
        raise ValueError("axes that are not there")
    return (tuple(shape[axis] for axis in order),), 0


def _squeeze(call: Call) -> Given:
    shape = call.shapes[0]
    axes = {_axis(axis, len(shape)) for axis in call.told(1, "axes")}
    if not axes or any(shape[axis] != 1 for axis in axes):
        raise ValueError("axes that are not 1")
    return (tuple(size for at, size in enumerate(shape) if at not in axes),), 0


def _unsqueeze(call: Call) -> Given:
    axes = call.told(1, "axes")
    rank = len(call.shapes[0]) + len(axes)
    new, rest = {_axis(axis, rank) for axis in axes}, iter(call.shapes[0])
    return (tuple(1 if at in new else next(rest) for at in range(rank)),), 0


def _concat(call: Call) -> Given:
    first = call.shapes[0]
    axis = _axis(call.number("axis", 1), len(first))
    return ((*first[:axis], sum(shape[axis] for shape in call.shapes), *first[axis + 1 :]),), 0


def _split(call: Call) -> Given:
    shape, count = call.shapes[0], len(call.node.outputs)
    axis = _axis(call.number("axis", 0), len(shape))
    each = -(-shape[axis] // count)
    parts = call.told(1, "split") or tuple(min(each, shape[axis] - each * at) for at in range(count))
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in parts), 0


def _slice(call: Call) -> Given:
    shape, starts = list(call.shapes[0]), call.told(1, "starts")
    axes, steps = call.told(3, "axes") or tuple(range(len(starts))), call.told(4) or (1,) * len(starts)
    for start, end, axis, step in zip(starts, call.told(2, "ends"), axes, steps, strict=True):
        at = _axis(axis, len(shape))
        if (start < 0 <= end) if step > 0 else (end < 0 <= start and end > -(2**31)):
            raise ValueError("a part that shrinks where the whole grows")
        shape[at] = len(range(*slice(start, end, step).indices(shape[at])))
    return (tuple(shape),), 0


def _gather(call: Call) -> Given:
    table, index = call.shapes[:2]
    axis = _axis(call.number("axis", 0), len(table))
    return ((*table[:axis], *index, *table[axis + 1 :]),), 0


def _expand(call: Call) -> Given:
    return (_broadcast([call.shapes[0], call.told(1)]),), 0


def _tile(call: Call) -> Given:
    return (tuple(size * times for size, times in zip(call.shapes[0], call.told(1), strict=True)),), 0


def _pad(call: Call) -> Given:
    shape, pads = list(call.shapes[0]), call.told(1, "pads")
    axes = call.told(3) or tuple(range(len(shape)))
    for at, axis in enumerate(axes):
        shape[_axis(axis, len(shape))] += pads[at] + pads[at + len(axes)]
    return (tuple(shape),), 0


def _filled(call: Call) -> Given:
    return (call.told(0),), 0


def _shape_of(call: Call) -> Given:
    return ((len(_first_shape(call)),),), 0


def _constant(call: Call) -> Given:
    node = call.node
    if node.weights:
        return (next(iter(node.weights.values())).shape,), 0
    return (() if "value_int" in node.numbers else (len(call.ints("value_ints")),),), 0


def _reduce(call: Call) -> Given:
    shape = call.shapes[0]
    axes = (call.number("axis", 0),) if call.node.op.startswith("Arg") else call.told(1, "axes")
    gone = {_axis(axis, len(shape)) for axis in axes} or (set() if call.number("noop_with_empty_axes", 0) else set(range(len(shape))))
    kept = call.number("keepdims", 1)
    return (tuple(1 if at in gone else size for at, size in enumerate(shape) if kept or at not in gone),), 0


def _top(call: Call) -> Given:
    shape = list(call.shapes[0])
    shape[_axis(call.number("axis", -1), len(shape))] = call.told(1, "k")[0]
    return tuple(tuple(shape) for _ in call.node.outputs), 0


def _recurrent(call: Call) -> Given:
    """RNN, GRU and LSTM: a sequence (T, N, I), weights (directions, gates x H, I)."""
    length, batch, features = (call.shapes[0][at] for at in ((1, 0, 2) if call.number("layout", 0) else (0, 1, 2)))
    directions, rows, _ = call.shapes[1]
    hidden = call.number("hidden_size", rows)
    last = (directions, batch, hidden)
    outputs = ((length, *last), last, last)
    return outputs[: len(call.node.outputs)], length * batch * directions * rows * (features + hidden)


# What networks for photos, tables and sequences are made of; no operator of it repeats others or gives a size that its inputs' values decide.
_BY_RULE: tuple[tuple[Rule, str], ...] = (
    (_same, "Relu LeakyRelu PRelu Elu Selu Celu Gelu Softplus Sigmoid HardSigmoid HardSwish Tanh Clip Abs Neg Sign Exp Log Sqrt Reciprocal Erf"),
    (_same, "Floor Ceil Round Not Identity Cast Dropout Softmax LogSoftmax ReverseSequence QuantizeLinear DequantizeLinear"),
    (_same, "BatchNormalization InstanceNormalization LayerNormalization LpNormalization LRN"),
    (_joined, "Add Sub Mul Div Pow Min Max Sum Mean Equal Greater GreaterOrEqual Less LessOrEqual And Or Where"),
    (_dynamic, "DynamicQuantizeLinear"),
    (_conv, "Conv ConvInteger QLinearConv"),
    (_pool, "MaxPool AveragePool"),
    (_global_pool, "GlobalAveragePool GlobalMaxPool"),
    (_matmul, "MatMul MatMulInteger QLinearMatMul"),
    (_gemm, "Gemm"),
    (_reshape, "Reshape"),
    (_flatten, "Flatten"),
    (_transpose, "Transpose"),
    (_squeeze, "Squeeze"),
    (_unsqueeze, "Unsqueeze"),
    (_concat, "Concat"),
    (_split, "Split"),
    (_slice, "Slice"),
    (_gather, "Gather"),
    (_expand, "Expand"),
    (_tile, "Tile"),
    (_pad, "Pad"),
    (_filled, "ConstantOfShape"),
    (_shape_of, "Shape"),
    (_constant, "Constant"),
    (_reduce, "ReduceMean ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceSumSquare ArgMax ArgMin"),
    (_top, "TopK"),
    (_recurrent, "RNN GRU LSTM"),
)
OPERATORS: Mapping[str, Rule] = {op: rule for rule, ops in _BY_RULE for op in ops.split()}


def _first_shape(call: Call) -> Shape:
    return call.shapes[0][slice(call.number("start", 0), call.ints("end", (len(call.shapes[0]),))[0])]


def _product(call: Call) -> Shape:
    one, two = call.told(0), call.told(1)
    if 0 in (len(one), len(two)):
        return ()
    long = max(len(one), len(two))
    return tuple(a * b for a, b in zip(one * (long // len(one)), two * (long // len(two)), strict=True))


def _held(call: Call) -> Shape | None:
    held = next(iter(call.node.weights.values()), None)
    return held.whole if held else call.ints("value_ints", call.ints("value_int"))


# How the whole numbers that sizes are made of pass through a step: they are moved or multiplied, never taken from each other.
_NUMBERS: Mapping[str, Callable[[Call], Shape | None]] = {
    "Shape": _first_shape,
    "Constant": _held,
    **dict.fromkeys(("Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze"), lambda call: call.whole[0]),
    "Concat": lambda call: tuple(number for at in range(len(call.whole)) for number in call.told(at)),
    "Gather": lambda call: tuple(call.told(0)[at] for at in call.told(1)),
    "Slice": lambda call: call.told(0)[slice(call.told(1)[0], call.told(2)[0], (call.told(4) or (1,))[0])],
    "Mul": _product,
}


def passed_on(call: Call) -> Shape | None:
    """Return the whole numbers that a step gives, where they are known and lie in a row; else None."""
    made = call.node.op in ("Shape", "Constant")
    if call.node.op not in _NUMBERS or not (made or (all(known is not None for known in call.whole) and len(call.shapes[0]) <= 1)):
        return None
    return _NUMBERS[call.node.op](call)
