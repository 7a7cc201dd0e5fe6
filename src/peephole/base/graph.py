"""The graph of an ONNX file, checked field by field before anything is allocated for it.

Reads names and sizes only, never runs anything, and needs no protobuf library: importing `onnx` would cost
a gateway 12 MB and 0.1 s, and loading a file with it twice the file's size.
"""

import math
import mmap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from peephole.base.errors import HostileModelFile
from peephole.base.wire import BYTES, DOUBLES, FLOAT, FLOATS, MESSAGES, NUMBER, NUMBERS, Meter, fields, number, numbers, text

__all__ = ["FLOAT32", "MAX_ELEMENTS", "MAX_INITIALISERS", "MAX_NODES", "MAX_WHOLE", "OPSETS", "UINT8", "Graph", "Node", "Port", "Weight", "check"]

MAX_NODES = 5_000
MAX_INITIALISERS = 20_000
MAX_ELEMENTS = 100_000_000
MAX_WHOLE = 64  # numbers of a weight that may say a size: more than that no shape has
MAX_CARD = 4 * 2**20
OPSETS = range(7, 26)
FUTURE = 100  # no operator set of a foreign file is that new; the runtime says which it knows
DOMAINS = ("", "ai.onnx", "com.microsoft")  # the last one for int8 operators

# Field numbers as in onnx.proto (ONNX 1.23); a field that is not listed is refused.
MODEL = {1: NUMBER, 2: BYTES, 3: BYTES, 4: BYTES, 5: NUMBER, 6: BYTES, 7: BYTES, 8: MESSAGES, 14: MESSAGES, 20: MESSAGES, 25: MESSAGES}
OPSET = {1: BYTES, 2: NUMBER}
PAIR = {1: BYTES, 2: BYTES}
GRAPH = {
    **{1: MESSAGES, 2: BYTES, 5: MESSAGES, 10: BYTES, 11: MESSAGES, 12: MESSAGES, 13: MESSAGES, 14: MESSAGES, 15: MESSAGES, 16: MESSAGES},
}
NODE = {1: MESSAGES, 2: MESSAGES, 3: BYTES, 4: BYTES, 5: MESSAGES, 6: BYTES, 7: BYTES, 8: BYTES, 9: MESSAGES, 10: MESSAGES}
ATTRIBUTE = {
    **{1: BYTES, 2: FLOAT, 3: NUMBER, 4: BYTES, 5: BYTES, 6: BYTES, 7: FLOATS, 8: NUMBERS, 9: MESSAGES, 10: MESSAGES, 11: MESSAGES},
    **{13: BYTES, 14: BYTES, 15: MESSAGES, 20: NUMBER, 21: BYTES, 22: BYTES, 23: MESSAGES},
}
TENSOR = {
    **{1: NUMBERS, 2: NUMBER, 3: BYTES, 4: FLOATS, 5: NUMBERS, 6: MESSAGES, 7: NUMBERS, 8: BYTES, 9: BYTES, 10: DOUBLES, 11: NUMBERS},
    **{12: BYTES, 13: MESSAGES, 14: NUMBER, 16: MESSAGES},
}
SPARSE = {1: BYTES, 2: BYTES, 3: NUMBERS}
VALUE = {1: BYTES, 2: BYTES, 3: BYTES, 4: MESSAGES}
TYPE = {1: BYTES, 6: BYTES}  # tensors only; a sequence or map at the graph's border is refused
TENSOR_TYPE = {1: NUMBER, 2: BYTES}
SHAPE = {1: MESSAGES}
DIMENSION = {1: NUMBER, 2: BYTES, 3: BYTES}

FLOAT32, UINT8, INT32, INT64, FLOAT16, FLOAT64, BFLOAT16 = 1, 2, 6, 7, 10, 11, 16
TEXT, TEXTS = 8, 6  # a tensor of words, and the field that holds them; foreign classifiers keep their labels so
# data type -> (bytes per element, the field that holds its values when they are not raw)
SIZES = {
    **{FLOAT32: (4, 4), UINT8: (1, 5), 3: (1, 5), 4: (2, 5), 5: (2, 5), INT32: (4, 5), INT64: (8, 7), 9: (1, 5)},
    **{FLOAT16: (2, 5), FLOAT64: (8, 10), 12: (4, 11), 13: (8, 11), BFLOAT16: (2, 5)},
}
RAW, VALUES = 9, (4, 5, 7, 10, 11)


@dataclass(frozen=True)
class Port:
    """An input or output of the graph: `type` is ONNX's number (1 float32, 2 uint8), `shape` has a name or "" where it is free."""

    name: str
    type: int
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Weight:
    """A constant of the graph: its sizes, and its values where they are a few whole numbers (they may say another's sizes), else None."""

    shape: tuple[int, ...]
    whole: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Node:
    """One step of the graph; `numbers`, `texts` and `weights` are its attributes by name, "" is an input or output left out."""

    op: str
    name: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: Mapping[str, tuple[int, ...]]
    texts: Mapping[str, str]
    weights: Mapping[str, Weight]


@dataclass(frozen=True)
class Graph:
    """What a checked file holds: its border, its metadata texts as (key, UTF-8 bytes), steps and weights, what was counted, its `version`."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: tuple[tuple[str, memoryview], ...]
    steps: tuple[Node, ...]
    weights: Mapping[str, Weight]
    initialisers: int
    elements: int
    version: int = 0
    broken: tuple[str, ...] = ()
    words: tuple[tuple[str, ...], ...] = ()


def check(data: bytes | mmap.mmap, *, foreign: bool = False) -> Graph:
    """Return the facts of an ONNX file; raises HostileModelFile whose message is a phrase without the file's name.

    A `foreign` file, which nobody's door will run, may need other operators than ours, be of any operator set, and hold NaN or infinity: `broken`
    then names what holds it. It may hold tensors of words, which are `words`. All caps stay.
    """
    return _Walk(foreign).model(memoryview(data))


class _Walk:
    """One walk over one file, with its running counts."""

    def __init__(self, foreign: bool = False) -> None:
        self.meter = Meter()
        self.foreign = foreign
        self.broken: list[str] = []
        self.words: list[tuple[str, ...]] = []
        self.initialisers = self.elements = 0
        self.steps: list[Node] = []
        self.weights: dict[str, Weight] = {}

    def model(self, view: memoryview) -> Graph:
        """Check the outermost message and return what it holds; raises HostileModelFile."""
        graph: memoryview | None = None
        opsets, metadata, marked = {}, [], 0
        for field, value in fields(view, MODEL, self.meter):
            if field == 5:
                marked = number(value, 2**64, "model version")
            elif field == 7:
                graph = _view(value)
            elif field == 8:
                domain, version = self._opset(_view(value))
                opsets[domain] = version
            elif field == 14:
                metadata.append(self._pair(_view(value)))
            elif field in (20, 25):
                raise HostileModelFile("holds functions or a training graph of its own")
        if graph is None:
            raise HostileModelFile("holds no graph, or is not an ONNX file")
        opset = opsets.get("", opsets.get("ai.onnx", 0))
        if opset not in OPSETS and not (self.foreign and 0 < opset < FUTURE):
            if self.foreign:
                raise HostileModelFile("uses none of ONNX's sets of operators for networks")
            raise HostileModelFile(f"uses ONNX operator set {opset}; {OPSETS.start} to {OPSETS.stop - 1} are supported")
        inputs, outputs = self._graph(graph)
        return Graph(
            inputs,
            outputs,
            tuple(metadata),
            tuple(self.steps),
            self.weights,
            self.initialisers,
            self.elements,
            marked,
            tuple(self.broken),
            tuple(self.words),
        )

    def _opset(self, view: memoryview) -> tuple[str, int]:
        found = dict(fields(view, OPSET, self.meter))
        domain = text(found.get(1, memoryview(b"")))
        if domain not in DOMAINS and not self.foreign:
            raise HostileModelFile(f"needs custom operators ({domain[:80]!r})")
        return domain, number(found.get(2, 0), 10_000, "operator set")

    def _pair(self, view: memoryview) -> tuple[str, memoryview]:
        found = dict(fields(view, PAIR, self.meter))
        key, value = text(found.get(1, memoryview(b""))), _view(found.get(2, memoryview(b"")))
        if len(value) > MAX_CARD:
            raise HostileModelFile(f"has {len(value):,} bytes of metadata in one entry; at most {MAX_CARD:,} are read")
        return key, value

    def _graph(self, view: memoryview) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        inputs: list[Port] = []
        outputs: list[Port] = []
        twice = ""
        for field, value in fields(view, GRAPH, self.meter):
            if field == 1:
                if len(self.steps) == MAX_NODES:
                    raise HostileModelFile(f"has more than {MAX_NODES:,} nodes")
                self.steps.append(self._node(_view(value)))
            elif field in (5, 15):
                self.initialisers += 1
                if self.initialisers > MAX_INITIALISERS:
                    raise HostileModelFile(f"has more than {MAX_INITIALISERS:,} initialisers")
                if field == 5:
                    name, weight = self._tensor(_view(value))
                    twice = twice or (name if name in self.weights else "")
                    self.weights[name] = weight
                else:
                    self._sparse(_view(value))  # not kept: no step of ours reads one
            elif field in (11, 12):
                (inputs if field == 11 else outputs).append(self._port(_view(value)))
        if twice:
            raise HostileModelFile(f"has two tensors called {twice[:80]!r}")
        return tuple(inputs), tuple(outputs)

    def _node(self, view: memoryview) -> Node:
        inputs: list[str] = []
        outputs: list[str] = []
        said = {3: "", 4: "", 7: ""}
        numbers_of: dict[str, tuple[int, ...]] = {}
        texts: dict[str, str] = {}
        weights: dict[str, Weight] = {}
        for field, value in fields(view, NODE, self.meter):
            if field in (1, 2):
                (inputs if field == 1 else outputs).append(text(value))
            elif field in said:
                said[field] = text(value)
            elif field == 5:
                self._attribute(_view(value), numbers_of, texts, weights)
        if said[7] not in DOMAINS and not self.foreign:
            raise HostileModelFile(f"needs custom operators ({said[7][:80]!r})")
        return Node(said[4], said[3], said[7], tuple(inputs), tuple(outputs), numbers_of, texts, weights)

    def _attribute(self, view: memoryview, whole: dict[str, tuple[int, ...]], texts: dict[str, str], weights: dict[str, Weight]) -> None:
        """Check an attribute and put it where it belongs by its kind; its name may stand after its value."""
        name, found = "", list[int]()
        held: Weight | None = None
        word: str | None = None
        for field, value in fields(view, ATTRIBUTE, self.meter):
            if field == 1:
                name = text(value)
            elif field in (2, 7):
                self._finite([_view(value)], FLOAT32, "an attribute")
                held = Weight((len(_view(value)) // 4,)) if field == 7 else Weight(())
            elif field in (3, 8):
                found += map(_signed, numbers(value, self.meter))
            elif field == 4:
                word = text(value)
            elif field in (5, 10):
                held = self._tensor(_view(value))[1]
            elif field in (22, 23):
                self._sparse(_view(value))
            elif field in (6, 11):
                raise HostileModelFile("holds a graph within a graph (If, Loop, Scan), which could run without end")
        if found:
            whole[name] = tuple(found)
        if held is not None:
            weights[name] = held
        if word is not None:
            texts[name] = word

    def _count(self, dims: Iterable[int], what: str) -> int:
        """Return the number of elements, added to the running total; Python's numbers cannot overflow."""
        count = math.prod(dims)
        self.elements += count
        if self.elements > MAX_ELEMENTS:
            raise HostileModelFile(f"claims {self.elements:,} elements or more with {what}; at most {MAX_ELEMENTS:,} are read")
        return count

    def _sparse(self, view: memoryview) -> None:
        dims: list[int] = []
        for field, value in fields(view, SPARSE, self.meter):
            if field == 3:
                dims.extend(numbers(value, self.meter))
            else:
                self._tensor(_view(value))
        self._count(dims, "a sparse tensor")  # a runtime unfolds it to its full size

    def _tensor(self, view: memoryview) -> tuple[str, Weight]:
        dims: list[int] = []
        kind, name, held = 0, "", []
        for field, value in fields(view, TENSOR, self.meter):
            if field == 1:
                dims.extend(numbers(value, self.meter))
            elif field == 2:
                kind = number(value, 1000, "data type")
            elif field == 8:
                name = text(value)
            elif field == 13 or (field == 14 and value != 0):
                raise HostileModelFile("keeps weights in another file (external data)")
            elif field == 3:
                raise HostileModelFile("keeps a tensor in segments")
            elif field in (RAW, *VALUES, 6):
                held.append((field, value))
        what = f"the tensor {name[:80]!r}"
        if kind == TEXT and self.foreign:
            if self._count(dims, what) != len(held) or any(field != TEXTS for field, _ in held):
                raise HostileModelFile(f"promises {math.prod(dims):,} words in {what} and does not hold them")
            self.words.append(tuple(text(value) for _, value in held))
            return name, Weight(tuple(dims))
        if kind not in SIZES:
            raise HostileModelFile(f"has values of a type that is not supported (number {kind}) in {what}")
        count = self._count(dims, what)
        self._values(held, kind, count, what)
        return name, Weight(tuple(dims), self._whole(held, kind) if kind in (INT32, INT64) and count <= MAX_WHOLE else None)

    def _whole(self, held: list[tuple[int, int | memoryview]], kind: int) -> tuple[int, ...]:
        """Return the whole numbers of a small tensor whose values were checked."""
        size = SIZES[kind][0]
        found = list[int]()
        for field, block in held:
            if field == RAW:
                found += map(int, np.frombuffer(_view(block), f"<i{size}"))
            else:
                found += map(_signed, numbers(block, self.meter))
        return tuple(found)

    def _values(self, held: list[tuple[int, int | memoryview]], kind: int, count: int, what: str) -> None:
        """Check that the values are as many as promised, in the right field, and finite."""
        size, typed = SIZES[kind]
        used = {field for field, _ in held}
        if used - {RAW} and used != {typed}:
            raise HostileModelFile(f"holds the values of {what} in the wrong place")
        blocks = [value for _, value in held]
        if used == {typed} and typed in (5, 7, 11):
            found = sum(_how_many(block) for block in blocks)
            if kind in (FLOAT16, BFLOAT16) and found == count:
                bits = np.fromiter((number(n, 0xFFFF, "16-bit float") for b in blocks for n in numbers(b, self.meter)), "<u2")
                blocks = [memoryview(bits.tobytes())]
        else:
            length = sum(len(_view(block)) for block in blocks)
            found = length // size if length % size == 0 else -1
        if found != count:
            raise HostileModelFile(f"promises {count:,} elements in {what} and does not hold them")
        if kind in (FLOAT32, FLOAT64, FLOAT16, BFLOAT16):
            self._finite([_view(block) for block in blocks], kind, what)

    def _finite(self, blocks: list[memoryview], kind: int, what: str) -> None:
        """Refuse NaN and infinity, or note where a foreign file has them."""
        if _is_finite(blocks, kind, what):
            return
        if not self.foreign:
            raise HostileModelFile(f"holds NaN or infinity in {what}")
        self.broken.append(what)

    def _port(self, view: memoryview) -> Port:
        name, kind = "", memoryview(b"")
        for field, value in fields(view, VALUE, self.meter):
            if field == 1:
                name = text(value)
            elif field == 2:
                kind = _view(value)
        tensor = _view(dict(fields(kind, TYPE, self.meter)).get(1, memoryview(b"")))
        found = dict(fields(tensor, TENSOR_TYPE, self.meter))
        shape: list[int | str] = []
        for _, dimension in fields(_view(found.get(2, memoryview(b""))), SHAPE, self.meter):
            size = dict(fields(_view(dimension), DIMENSION, self.meter))
            shape.append(number(size[1], 2**31, "shape") if 1 in size else text(size.get(2, memoryview(b""))))
        return Port(name, number(found.get(1, 0), 1000, "data type"), tuple(shape))


def _view(value: int | memoryview) -> memoryview:
    """Narrow a field that `fields` has already checked to be bytes."""
    assert isinstance(value, memoryview)
    return value


def _signed(value: int) -> int:
    """Return the whole number that a varint of 64 bits stands for."""
    return value - 2**64 if value >= 2**63 else value


def _how_many(block: int | memoryview) -> int:
    """Count the varints of a packed block: each ends with a byte below 128."""
    if isinstance(block, int):
        return 1
    if len(block) and block[-1] >= 0x80:
        raise HostileModelFile("is cut off, or is not an ONNX file")
    step = 2**20
    return sum(int(np.count_nonzero(np.frombuffer(block[at : at + step], np.uint8) < 0x80)) for at in range(0, len(block), step))


def _is_finite(blocks: list[memoryview], kind: int, what: str) -> bool:
    """Tell whether no float is NaN or infinite; looks at a megabyte at a time."""
    size, dtype = {FLOAT32: (4, "<f4"), FLOAT64: (8, "<f8"), FLOAT16: (2, "<f2"), BFLOAT16: (2, "<u2")}[kind]
    step = 2**20
    for block in blocks:
        if len(block) % size:
            raise HostileModelFile(f"holds a broken number in {what}")
        for at in range(0, len(block), step):
            part = np.frombuffer(block[at : at + step], dtype)
            # A bfloat16 is the upper half of a float32: NaN and infinity have all eight exponent bits set.
            fine = (part & 0x7F80) != 0x7F80 if kind == BFLOAT16 else np.isfinite(part)
            if not fine.all():
                return False
    return True
