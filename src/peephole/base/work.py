"""What a graph would ask of the machine that runs it: operators against a list, sizes and multiplications, counted before anything runs.

Computes shapes and the few whole numbers that shapes are made of, nothing else. A size that hangs on what is in the photo
is refused: nobody could say beforehand how large it gets.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from peephole.base.errors import HostileModelFile
from peephole.base.graph import Graph, Node
from peephole.base.operators import OPERATORS, Call, Rule, Shape, passed_on

__all__ = ["ENDLESS", "MAX_VALUES", "MAX_WORK", "Work", "measure", "measure_foreign"]

# For one photo. EfficientNet-Lite0 at 224 px: 1.2 million values in its largest step, 0.4 thousand million multiplications.
MAX_VALUES = 50_000_000
MAX_WORK = 100_000_000_000
# The largest batch that the engine gives. Where sizes are made from sizes, every batch up to it is looked at; elsewhere each
# step's sizes only grow with those it is given, so one photo and the largest batch speak for all between.
LARGEST = 64

ENDLESS = ("If", "Loop", "Scan", "SequenceMap")


@dataclass(frozen=True)
class Work:
    """What one photo costs: values in the largest step, multiplications (or as much) in all steps, and the shape of every tensor."""

    values: int
    multiplications: int
    shapes: Mapping[str, Shape] = field(default_factory=dict)


def _refuse_operators(graph: Graph) -> None:
    """Name the first step that no network of ours is made of."""
    for node in graph.steps:
        if node.op in OPERATORS and node.domain in ("", "ai.onnx"):
            continue
        why = "which could run without end" if node.op in ENDLESS else "which no network of Peephole is made of"
        shown = f"{node.domain}.{node.op}" if node.domain else node.op
        raise HostileModelFile(f"has the operator {shown[:80]} in its step {node.name[:80]!r}, {why}")


def measure(graph: Graph, inputs: Mapping[str, tuple[str | int, ...]]) -> Work:
    """Count what a checked graph asks for with inputs of these shapes (a name in them is the batch).

    Raises HostileModelFile for an operator that is not listed, a size that cannot be told beforehand, a step of more than 50 million
    values or more than 100 thousand million multiplications for one photo.
    """
    _refuse_operators(graph)
    made = any(node.op == "Shape" for node in graph.steps)
    alone, *_ = [
        _walk(graph, {name: tuple(batch if isinstance(size, str) else size for size in shape) for name, shape in inputs.items()}, batch)
        for batch in (range(1, LARGEST + 1) if made else (1, LARGEST))
    ]
    return alone


Follow = Callable[[Call], Shape | None]


def measure_foreign(graph: Graph, inputs: Mapping[str, Shape], others: Mapping[str, Shape], follow: Follow = passed_on) -> Work:
    """Count what a graph from elsewhere asks for with one photo; `others` are the shapes of what operators that are not listed give, by tensor.

    `follow` says which whole numbers a step passes on.

    Such an operator counts one multiplication for each value that it gives, times the values of its largest input along one axis: an estimate.
    Raises HostileModelFile as `measure` does, and for an operator whose sizes are in neither.
    """
    for node in graph.steps:
        if node.op in ENDLESS:
            raise HostileModelFile(f"has the operator {node.op} in its step {node.name[:80]!r}, which could run without end")
    return _walk(graph, inputs, 1, others, follow)


def _rule(node: Node, others: Mapping[str, Shape]) -> Rule:
    """Return how the sizes of a step are worked out; raises when nobody knows."""
    if node.op in OPERATORS and node.domain in ("", "ai.onnx"):
        return OPERATORS[node.op]
    if not all(name in others for name in node.outputs if name):
        shown = f"{node.domain}.{node.op}" if node.domain else node.op
        raise HostileModelFile(f"has the operator {shown[:80]} in its step {node.name[:80]!r}, and nobody can say beforehand how large it gets")
    return lambda call: (
        tuple(others.get(name, ()) for name in call.node.outputs),
        sum(math.prod(others.get(name, ())) for name in call.node.outputs) * max((max(shape, default=1) for shape in call.shapes), default=1),
    )


def _walk(graph: Graph, inputs: Mapping[str, Shape], photos: int, others: Mapping[str, Shape] | None = None, follow: Follow = passed_on) -> Work:
    """Go through the steps once for so many photos."""
    shapes: dict[str, Shape] = {"": (), **inputs, **{name: weight.shape for name, weight in graph.weights.items()}}
    whole: dict[str, Shape | None] = {name: weight.whole for name, weight in graph.weights.items()}
    largest = work = 0
    for node in graph.steps:
        missing = next((name for name in node.inputs if name not in shapes), None)
        if missing is not None:
            raise HostileModelFile(f"reads {missing[:80]!r} in its step {node.name[:80]!r} before anything has made it")
        call = Call(node, tuple(shapes[name] for name in node.inputs), tuple(whole.get(name) for name in node.inputs))
        try:
            found, extra = _rule(node, others or {})(call)
            numbers = follow(call)
        except HostileModelFile:
            raise
        except (LookupError, ValueError, TypeError, ArithmeticError):
            raise HostileModelFile(f"has the step {node.name[:80]!r} ({node.op}) whose sizes do not fit together") from None
        _refuse_sizes(node, found, numbers, photos)
        values = max((math.prod(shape) for shape in found), default=0)
        largest = max(largest, values)
        # A look-up reads a few rows of its table, not the table.
        work += extra + values + (0 if node.op == "Gather" else sum(map(math.prod, call.shapes)))
        if work > MAX_WORK * photos:
            raise HostileModelFile(
                f"asks for more than {MAX_WORK:,} multiplications for one photo, reached in its step {node.name[:80]!r} ({node.op})"
            )
        for name, shape in zip(node.outputs, found, strict=False):
            if name and name in shapes:
                raise HostileModelFile(f"makes {name[:80]!r} twice")
            shapes[name] = shape if name else ()
            whole[name] = numbers if name else None
    return Work(largest, work, shapes)


def _refuse_sizes(node: Node, found: tuple[Shape, ...], numbers: Shape | None, photos: int) -> None:
    """Refuse negative sizes, too many values, and numbers beyond 64 bits."""
    named = f"its step {node.name[:80]!r} ({node.op})"
    if any(size < 0 for shape in found for size in shape) or len(found) < len(node.outputs) or any(abs(n) >= 2**63 for n in numbers or ()):
        raise HostileModelFile(f"has {named[4:]} whose sizes do not fit together")
    if (values := max((math.prod(shape) for shape in found), default=0)) > MAX_VALUES * photos:
        raise HostileModelFile(f"asks for {min(values // photos, 10**18):,} values per photo in {named}; at most {MAX_VALUES:,} are allowed")
