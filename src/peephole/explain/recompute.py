"""Any cell of a layer worked out again from the cells before it: the terms, their weights and where each stands.

This is the specification of the rules in docs/reference/trace.md; the page's JavaScript does the same, and a test compares the two. All in float64,
from the float32 numbers of the trace: a cell closes when it is within 1e-5 of the sum of its terms' sizes.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from peephole.base.errors import InputError
from peephole.explain.functions import apply
from peephole.explain.tracefile import Operand, Trace, TraceLayer

__all__ = ["CLOSES", "Place", "Sum", "Term", "recompute"]

CLOSES = 1e-5
LARGEST, SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
Index = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where a number stands: in a `layer` or in a `tensor`, the other is ""; `index` is without the batch for a layer, whole for a tensor."""

    layer: str
    tensor: str
    index: Index


@dataclass(frozen=True)
class Term:
    """One product of a sum: `value`, from `place` (None is padding), times `weight`, from `factor` (None for one that stands nowhere: 1 / count)."""

    value: float
    place: Place | None
    weight: float = 1.0
    factor: Place | None = None


@dataclass(frozen=True)
class Sum:
    """A cell and what it is made of: `total` is worked out of `terms` and `bias` by the layer's `rule`, `shown` stands in the trace.

    `winner` is the number of the term that a maximum or minimum took; `size` the sum of |terms| and |bias| that closing is measured by, or |total|
    where a function makes more of them.
    """

    layer: str
    index: Index
    rule: str
    terms: tuple[Term, ...]
    bias: float
    total: float
    shown: float
    size: float
    winner: int | None = None

    @property
    def residue(self) -> float:
        """What is shown minus what was worked out; 0 where both are NaN or the same infinity."""
        same = self.shown == self.total or (math.isnan(self.shown) and math.isnan(self.total))
        return 0.0 if same else self.shown - self.total

    @property
    def closes(self) -> bool:
        """Whether |shown - total| <= 1e-5 of the size of the terms."""
        # Below the smallest normal float32 a runtime may round to zero.
        return abs(self.residue) <= CLOSES * self.size + SMALLEST


@dataclass(frozen=True, eq=False)
class _Cell:
    """The cell that is asked for, and the trace around it."""

    trace: Trace
    layer: TraceLayer
    index: Index

    def operand(self, role: str) -> Operand | None:
        """Return what the layer reads as `role`, if it does."""
        return next((one for one in self.layer.operands if one.role == role and (one.layer or one.tensor)), None)

    def shape(self, operand: Operand) -> Index:
        """Return the whole shape of an operand: a layer's with a batch of 1 before it."""
        return (1, *self.trace.layer(operand.layer).shape) if operand.layer else self.trace.constant(operand.tensor).shape

    def read(self, operand: Operand, whole: Index) -> tuple[float, Place]:
        """Return the number of an operand at an index of its whole shape, and its place."""
        if operand.layer:
            return float(self.trace.values(operand.layer)[whole[1:]]), Place(operand.layer, "", whole[1:])
        return float(self.trace.constant(operand.tensor).values[whole]), Place("", operand.tensor, whole)

    def spread(self, operand: Operand, whole: Index) -> Index:
        """Return the index of an operand that numpy's broadcasting lines up with an index of the result."""
        shape = self.shape(operand)
        tail = whole[len(whole) - len(shape) :] if len(shape) <= len(whole) else (0,) * (len(shape) - len(whole)) + whole
        return tuple(0 if size == 1 else at for size, at in zip(shape, tail, strict=True))

    def terms(self, weight: Callable[[int], float] = lambda _: 1.0) -> tuple[Term, ...]:
        """Return a term for each operand, lined up by broadcasting."""
        there = [one for one in self.layer.operands if one.layer or one.tensor]
        return tuple(Term(*self.read(one, self.spread(one, (0, *self.index))), weight(at)) for at, one in enumerate(there))

    def done(self, terms: tuple[Term, ...], total: float, *, bias: float = 0.0, winner: int | None = None, bound: float = 0.0) -> Sum:
        """Return the finished sum; `bound` is a size that is larger than that of the terms."""
        size = max(sum(abs(term.value * term.weight) for term in terms if not _broken(term)) + abs(bias), bound)
        shown = float(self.layer.values[self.index])
        # What a float32 cannot hold is infinity there.
        total = math.copysign(math.inf, total) if abs(total) > LARGEST else total
        return Sum(self.layer.id, self.index, str(self.layer.rule), terms, bias, total, shown, size, winner)


def _broken(term: Term) -> bool:
    return not math.isfinite(term.value * term.weight)


def recompute(trace: Trace, layer_id: str, index: Index) -> Sum:
    """Work out one cell of a layer again; `index` is without the batch. Raises InputError for a cell that is not there or a layer without a rule."""
    layer = trace.layer(layer_id)
    if layer.rule is None:
        raise InputError(f"{layer_id!r} ({layer.op}) is not explained", "layers that are explained have a rule")
    index = tuple(int(at) for at in index)
    if len(index) != len(layer.shape) or not all(0 <= at < size for at, size in zip(index, layer.shape, strict=True)):
        raise InputError(f"there is no cell {index} in {layer_id!r} of shape {layer.shape}", "count from 0 along each axis")
    with np.errstate(all="ignore"):
        return _RULES[layer.rule](_Cell(trace, layer, index))


def _windows(cell: _Cell, sides: Index) -> Iterator[tuple[Index, Index, bool]]:
    """Yield (place in the kernel, place in the map, whether that lies inside) for each place of the window, row by row."""
    given = cell.layer.attributes
    kernel, stride, dilation, pads = given["kernel"], given["stride"], given["dilation"], given["pads"]
    at = cell.index[1:]
    for offset in itertools.product(*(range(size) for size in kernel)):
        where = tuple(at[axis] * stride[axis] - pads[axis] + offset[axis] * dilation[axis] for axis in range(len(sides)))
        yield offset, where, all(0 <= place < side for place, side in zip(where, sides, strict=True))


def _conv(cell: _Cell) -> Sum:
    """Sum over the channels of the group and the window: input x weight, plus bias; padding is 0."""
    source, weight, bias = cell.operand("input"), cell.operand("weight"), cell.operand("bias")
    assert source is not None and weight is not None
    shape, kernels = cell.shape(source), cell.shape(weight)
    each, made = kernels[1], cell.index[0]
    first = made // (kernels[0] // cell.layer.attributes["group"]) * each
    window = [*_windows(cell, shape[2:])]
    terms = []
    for channel in range(each):
        for offset, where, inside in window:
            value, place = cell.read(source, (0, first + channel, *where)) if inside else (0.0, None)
            terms.append(Term(value, place, *cell.read(weight, (made, channel, *offset))))
    start = cell.read(bias, (made,))[0] if bias else 0.0
    return cell.done(tuple(terms), _total(terms) + start, bias=start)


def _total(terms: list[Term]) -> float:
    """Return the sum of the products; fsum, so that the order does not matter."""
    products = [term.value * term.weight for term in terms]
    return math.fsum(products) if all(map(math.isfinite, products)) else sum(products)


def _pool(cell: _Cell) -> Sum:
    """The largest value inside the map, or the mean: of what lies inside, or with count_include_pad of what lies inside the padded map."""
    source, given = cell.operand("input"), cell.layer.attributes
    assert source is not None
    sides = cell.shape(source)[2:]
    window = [*_windows(cell, sides)]
    inside = [cell.read(source, (0, cell.index[0], *where)) for _, where, within in window if within]
    if given["how"] == "max":
        terms = tuple(Term(value, place) for value, place in inside)
        winner = max(range(len(terms)), key=lambda at: -math.inf if math.isnan(terms[at].value) else terms[at].value)
        return cell.done(terms, terms[winner].value, winner=winner)
    pads, count = given["pads"], len(inside)
    if given["count_include_pad"]:
        rank = len(sides)
        count = sum(all(place < sides[axis] + pads[axis + rank] for axis, place in enumerate(where)) for _, where, _ in window)
    terms = tuple(Term(value, place, 1 / count) for value, place in inside)
    return cell.done(terms, _total([*terms]))


def _matmul(cell: _Cell) -> Sum:
    """Gemm: alpha x row . column + beta x C; MatMul: row . column, with numpy's broadcasting of the axes before the last two."""
    given = cell.layer.attributes
    one, two, three = cell.layer.operands[0], cell.layer.operands[1], cell.operand("bias")
    left, right, whole = cell.shape(one), cell.shape(two), (0, *cell.index)
    terms = []
    for k in range(left[-1]):
        row, column = _crossing(left, right, whole, k, bool(given["transB"]))
        value, place = cell.read(one, row)
        weight, factor = cell.read(two, column)
        terms.append(Term(value, place, given["alpha"] * weight, factor))
    bias = given["beta"] * cell.read(three, cell.spread(three, whole))[0] if three else 0.0
    return cell.done(tuple(terms), _total(terms) + bias, bias=bias)


def _crossing(left: Index, right: Index, whole: Index, k: int, turned: bool) -> tuple[Index, Index]:
    """Return the index into each of two matrices, or stacks of them, of term `k` of the product's cell `whole`."""
    if len(right) == 1:
        return (*whole, k), (k,)
    if len(left) == 1:
        return (k,), (*_lined(right[:-2], whole[:-1]), k, whole[-1])
    row = (*_lined(left[:-2], whole[:-2]), whole[-2], k)
    return row, (*_lined(right[:-2], whole[:-2]), *((whole[-1], k) if turned else (k, whole[-1])))


def _lined(shape: Index, index: Index) -> Index:
    """Return the index of an operand's first axes under broadcasting."""
    tail = index[len(index) - len(shape) :]
    return tuple(0 if size == 1 else at for size, at in zip(shape, tail, strict=True))


def _function(cell: _Cell) -> Sum:
    """A function of one cell, or of several lined up by broadcasting."""
    given = cell.layer.attributes
    if given["function"] == "BatchNormalization":
        return _normalised(cell)
    terms = cell.terms()
    if given["function"] in ("Clip", "Dropout"):
        terms = terms[:1]
    total = apply(given, [term.value for term in terms])
    winner = None
    if given["function"] in ("Min", "Max"):
        winner = next((at for at, term in enumerate(terms) if term.value == total), None)
    return cell.done(terms, total, winner=winner, bound=abs(total) if math.isfinite(total) else 0.0)


def _normalised(cell: _Cell) -> Sum:
    """Batch normalisation: (x - mean) x scale / sqrt(variance + epsilon) + bias, by channel: two terms and a bias."""
    channel = cell.index[0]
    named = {role: operand for role in ("scale", "bias", "mean", "variance") if (operand := cell.operand(role))}
    scale, bias, mean, variance = (cell.read(named[role], (channel,)) for role in ("scale", "bias", "mean", "variance"))
    source = cell.operand("input")
    assert source is not None
    slope = scale[0] / math.sqrt(variance[0] + cell.layer.attributes["epsilon"])
    terms = (Term(*cell.read(source, (0, *cell.index)), slope, scale[1]), Term(*mean, -slope, scale[1]))
    return cell.done(terms, _total([*terms]) + bias[0], bias=bias[0])


def _sum(cell: _Cell) -> Sum:
    """The operands added, or the second taken from the first."""
    signs = cell.layer.attributes["signs"]
    terms = cell.terms(lambda at: float(signs[at]))
    return cell.done(terms, _total([*terms]))


def _concat(cell: _Cell) -> Sum:
    """The cell of the operand in whose part of the axis it lies, unchanged."""
    axis = cell.layer.attributes["axis"]
    left, whole = cell.index[axis], [0, *cell.index]
    for operand in cell.layer.operands:
        length = cell.shape(operand)[axis + 1]
        if left < length:
            whole[axis + 1] = left
            value, place = cell.read(operand, tuple(whole))
            return cell.done((Term(value, place),), value)
        left -= length
    raise InputError(f"{cell.layer.id!r} is longer than its parts", "please report this model file")


def _move(cell: _Cell) -> Sum:
    """One cell of the input, unchanged: which one the attributes say."""
    source, given = cell.layer.operands[0], cell.layer.attributes
    shape = cell.shape(source)[1:]
    index: Index = cell.index
    if given["how"] == "flat":
        index = tuple(map(int, np.unravel_index(int(np.ravel_multi_index(index, cell.layer.shape)) if index else 0, shape))) if shape else ()
    elif given["how"] == "transpose":
        index = tuple(cell.index[given["perm"].index(axis)] for axis in range(len(shape)))
    elif given["how"] == "slice":
        index = tuple(start + at * step for start, at, step in zip(given["starts"], index, given["steps"], strict=True))
    else:
        index = tuple(at - before for at, before in zip(index, given["before"], strict=True))
        if given["mode"] == "constant" and not all(0 <= at < size for at, size in zip(index, shape, strict=True)):
            return cell.done((Term(given["value"], None),), given["value"])
        index = tuple(_mirrored(at, size, given["mode"]) for at, size in zip(index, shape, strict=True))
    value, place = cell.read(source, (0, *index))
    return cell.done((Term(value, place),), value)


def _mirrored(at: int, size: int, mode: str) -> int:
    """Return the cell that stands for one outside: the edge's, or the one as far inside the edge."""
    if mode == "edge" or size == 1:
        return min(max(at, 0), size - 1)
    turn = 2 * (size - 1)
    at %= turn
    return at if at < size else turn - at


def _along(cell: _Cell, axes: list[int], index: list[int]) -> tuple[Term, ...]:
    """Return a term for each cell of the input along some axes; `index` has the input's rank and says the other axes."""
    source = cell.layer.operands[0]
    shape = cell.shape(source)[1:]
    found = []
    for places in itertools.product(*(range(shape[axis]) for axis in axes)):
        for axis, place in zip(axes, places, strict=True):
            index[axis] = place
        found.append(Term(*cell.read(source, (0, *index))))
    return tuple(found)


def _softmax(cell: _Cell) -> Sum:
    """exp(x - largest) over the sum of the same along the axes; `winner` is the cell's own term."""
    axes = cell.layer.attributes["axes"]
    terms = _along(cell, axes, [*cell.index])
    own = next(at for at, term in enumerate(terms) if term.place is not None and term.place.index == cell.index)
    largest = max(term.value for term in terms)
    parts = [math.exp(term.value - largest) if not math.isnan(term.value) else math.nan for term in terms] if math.isfinite(largest) else [math.nan]
    whole = sum(parts)
    mine = terms[own].value - largest
    total = mine - math.log(whole) if cell.layer.attributes["log"] else math.exp(mine) / whole if math.isfinite(mine) else math.nan
    return cell.done(terms, total, winner=own)


def _reduce(cell: _Cell) -> Sum:
    """Mean, sum, largest, smallest, sum of sizes, length or sum of squares of the cells along the axes."""
    given, source = cell.layer.attributes, cell.layer.operands[0]
    axes, rank = given["axes"], len(cell.shape(source)) - 1
    rest = iter(cell.index)
    index = [0] * rank
    for axis in range(rank):
        if axis not in axes:
            index[axis] = next(rest)
        elif given["keepdims"]:
            next(rest)
    terms = _along(cell, axes, index)
    values, how = [term.value for term in terms], given["how"]
    if how in ("Max", "Min"):
        total = (max if how == "Max" else min)(values)
        return cell.done(terms, total, winner=values.index(total) if total in values else None)
    if how == "Mean":
        terms = tuple(Term(term.value, term.place, 1 / len(terms)) for term in terms)
    sums: Mapping[str, Callable[[], float]] = {
        "Mean": lambda: _total([*terms]),
        "Sum": lambda: _total([*terms]),
        "L1": lambda: sum(map(abs, values)),
        "L2": lambda: math.sqrt(sum(value * value for value in values)),
        "SumSquare": lambda: sum(value * value for value in values),
    }
    total = sums[how]()
    return cell.done(terms, total, bound=abs(total) if math.isfinite(total) else 0.0)


_RULES: Mapping[str, Callable[[_Cell], Sum]] = {
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
