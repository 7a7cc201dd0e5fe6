"""The protobuf wire format, read strictly and without copies: one field after the other over a memoryview.

Knows nothing of ONNX. What a parser may do leniently (merge a field that stands twice, skip one it does not know)
is refused here, so that this reading and any later one see the same message.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from peephole.base.errors import HostileModelFile

__all__ = ["BYTES", "DOUBLES", "FLOAT", "FLOATS", "MESSAGES", "NUMBER", "NUMBERS", "Meter", "Rule", "fields", "number", "numbers", "text"]

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
CUT_OFF = "is cut off, or is not an ONNX file"
MAX_MESSAGE = 2**31 - 1


class Rule(NamedTuple):
    """Which wire types a field may have, and whether it may stand more than once."""

    wires: tuple[int, ...]
    many: bool = False


NUMBER = Rule((VARINT,))
BYTES = Rule((LENGTH,))
FLOAT = Rule((FIXED32,))
MESSAGES = Rule((LENGTH,), many=True)
# Repeated numbers may come one by one or packed into one block; parsers accept both.
NUMBERS = Rule((VARINT, LENGTH), many=True)
FLOATS = Rule((FIXED32, LENGTH), many=True)
DOUBLES = Rule((FIXED64, LENGTH), many=True)


class Meter:
    """Counts the fields and numbers read one by one; a file of 100 million two-byte fields would keep us for minutes."""

    def __init__(self, most: int = 1_000_000) -> None:
        """Allow `most` steps over the whole file."""
        self.left = most
        self.most = most

    def step(self) -> None:
        """Count one field; raises HostileModelFile when there are too many."""
        self.left -= 1
        if self.left < 0:
            raise HostileModelFile(f"has more than {self.most:,} fields")


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """Return the number at `at` (0..2**64 - 1) and where it ends."""
    value = shift = 0
    while shift < 70:
        if at >= len(view):
            raise HostileModelFile(CUT_OFF)
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64:
                break
            return value, at
        shift += 7
    raise HostileModelFile("holds a number of more than 64 bits")


def _end(view: memoryview, at: int, wire: int) -> tuple[int, int]:
    """Return where the bytes of a field begin and end."""
    if wire == LENGTH:
        length, at = _varint(view, at)
    else:
        length = 4 if wire == FIXED32 else 8
    if length > len(view) - at:
        raise HostileModelFile(CUT_OFF)
    return at, at + length


def fields(view: memoryview, rules: Mapping[int, Rule], meter: Meter) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, value) of one message: an int 0..2**64 - 1 for a varint, a view of the bytes for all else.

    Raises HostileModelFile for a length that runs over the end, a field that `rules` does not know, one of the wrong wire type,
    and a single field that stands twice. The reason is a phrase without the file's name.
    """
    at, seen = 0, 0
    while at < len(view):
        meter.step()
        tag, at = _varint(view, at)
        field, wire = tag >> 3, tag & 7
        rule = rules.get(field)
        if rule is None or wire not in rule.wires:
            raise HostileModelFile(f"holds a field that ONNX does not have there (number {field}, wire type {wire}), or is not an ONNX file")
        if not rule.many:
            if seen >> field & 1:
                raise HostileModelFile(f"says the same thing twice (field number {field})")
            seen |= 1 << field
        if wire == VARINT:
            value, at = _varint(view, at)
            yield field, value
        else:
            begin, at = _end(view, at, wire)
            yield field, view[begin:at]


def number(value: int | memoryview, most: int, what: str) -> int:
    """Return a varint that must be 0..`most`; raises HostileModelFile naming `what`."""
    if not isinstance(value, int) or value > most:
        raise HostileModelFile(f"has a {what} out of range")
    return value


def numbers(value: int | memoryview, meter: Meter) -> Iterator[int]:
    """Yield the numbers of a repeated varint field, packed or single."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        meter.step()
        item, at = _varint(value, at)
        yield item


def text(value: int | memoryview, most: int = 4096) -> str:
    """Return a UTF-8 string of at most `most` bytes; raises HostileModelFile."""
    if isinstance(value, int) or len(value) > most:
        raise HostileModelFile(f"has a name of more than {most:,} bytes")
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise HostileModelFile("has a name that is not UTF-8, or is not an ONNX file") from None
