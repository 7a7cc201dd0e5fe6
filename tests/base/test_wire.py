"""The wire format: strict where a lenient parser would guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from peephole.base.errors import HostileModelFile
from peephole.base.wire import BYTES, DOUBLES, FLOAT, FLOATS, MESSAGES, NUMBER, NUMBERS, Meter, fields, number, numbers, text

RULES = {1: NUMBER, 2: BYTES, 3: NUMBERS, 4: FLOAT, 5: DOUBLES, 6: MESSAGES, 7: FLOATS, 16: NUMBER}


def varint(value: int) -> bytes:
    """Write a varint, by the book."""
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def walk(data: bytes, meter: Meter | None = None) -> list:
    """Return all fields of a message, views as bytes."""
    found = fields(memoryview(data), RULES, meter or Meter())
    return [(field, value if isinstance(value, int) else bytes(value)) for field, value in found]


def test_every_wire_type_is_read():
    """Numbers, bytes and both fixed sizes come in order, packed or single."""
    data = (
        b"\x08\x96\x01" + b"\x12\x03abc" + b"\x18\x05" + b"\x1a\x02\x01\x02" + b"\x25abcd" + b"\x29abcdefgh" + b"\x82\x01\x00"[:0] + b"\x80\x01\x07"
    )
    assert walk(data) == [(1, 150), (2, b"abc"), (3, 5), (3, b"\x01\x02"), (4, b"abcd"), (5, b"abcdefgh"), (16, 7)]
    assert walk(b"") == []


@given(st.integers(0, 2**64 - 1))
def test_numbers_up_to_64_bits(value):
    """What a number was written as is what is read, alone and packed."""
    assert walk(b"\x08" + varint(value)) == [(1, value)]
    block = varint(value) * 3
    assert list(numbers(memoryview(block), Meter())) == [value] * 3
    assert list(numbers(value, Meter())) == [value]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5), st.binary(max_size=20), st.text(max_size=10))
def test_it_reads_what_protobuf_writes(dims, raw, name):
    """A message written by the protobuf library has the same numbers, bytes and texts here."""
    data = TensorProto(dims=dims, raw_data=raw, name=name).SerializeToString()
    rules = {1: NUMBERS, 8: BYTES, 9: BYTES}
    found = [(field, value) for field, value in fields(memoryview(data), rules, Meter())]
    assert [n for field, value in found if field == 1 for n in numbers(value, Meter())] == [n % 2**64 for n in dims]
    assert [text(value) for field, value in found if field == 8] == [name]
    assert [bytes(value) for field, value in found if field == 9] == [raw]


def test_values_are_views_not_copies():
    """Bytes are looked at where they lie."""
    data = bytearray(b"\x12\x03abc")
    ((_, view),) = fields(memoryview(data), RULES, Meter())
    data[2] = ord("z")
    assert bytes(view) == b"zbc"


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # no number after its tag
        b"\x08\x80",  # a number that does not end
        b"\x88",  # a tag that does not end
        b"\x12\x05abc",  # longer than what is there
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01abc",  # 2**64 - 1 bytes long
        b"\x25abc",  # three of four bytes
        b"\x29abcdefg",  # seven of eight bytes
    ],
)
def test_what_is_cut_off_is_refused(data):
    """No length runs over the end."""
    with pytest.raises(HostileModelFile, match="cut off"):
        walk(data)


@pytest.mark.parametrize("data", [b"\x08" + b"\xff" * 10 + b"\x01", b"\x08" + b"\x80" * 10 + b"\x00", b"\x08" + b"\xff" * 9 + b"\x02"])
def test_numbers_over_64_bits_are_refused(data):
    """Some parsers would cut them, others would not."""
    with pytest.raises(HostileModelFile, match="64 bits"):
        walk(data)


@pytest.mark.parametrize(
    "data", [b"\x00\x00", b"\x48\x00", b"\x0a\x00", b"\x13\x14", b"\x0f", b"\x0e", b"\x15abcd", b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"]
)
def test_fields_that_are_not_known_are_refused(data):
    """Field 0, an unknown number, a wrong wire type, groups, wire types that do not exist, and a number beyond all."""
    with pytest.raises(HostileModelFile, match="does not have there"):
        walk(data)


def test_a_single_field_stands_once():
    """A parser would take the last number or merge two messages; which one counts is nobody's guess."""
    for data in (b"\x08\x01\x08\x01", b"\x12\x00\x12\x00", b"\x25abcd\x25abcd"):
        with pytest.raises(HostileModelFile, match="twice"):
            walk(data)
    assert len(walk(b"\x32\x00\x32\x00\x18\x01\x18\x01")) == 4


def test_the_meter_stops():
    """The count of fields and packed numbers is kept over all messages together."""
    meter = Meter(10)
    walk(b"\x18\x01" * 6, meter)
    list(numbers(memoryview(b"\x01" * 4), meter))
    with pytest.raises(HostileModelFile, match="more than 10 fields"):
        list(numbers(memoryview(b"\x01"), meter))
    with pytest.raises(HostileModelFile, match="more than 10 fields"):
        walk(b"\x18\x01", meter)


def test_numbers_and_names_have_limits():
    """A number in range, a name in UTF-8 and not too long."""
    assert number(7, 7, "size") == 7
    for value in (8, memoryview(b"7")):
        with pytest.raises(HostileModelFile, match="size out of range"):
            number(value, 7, "size")
    assert text(memoryview("문".encode())) == "문"
    for value in (memoryview(b"a" * 5000), 7):
        with pytest.raises(HostileModelFile, match="name of more than"):
            text(value)
    with pytest.raises(HostileModelFile, match="UTF-8"):
        text(memoryview(b"\xff"))


@given(st.binary(max_size=64))
def test_any_bytes_end_in_fields_or_a_refusal(data):
    """Noise makes the walk stop with a reason, never with anything else."""
    try:
        walk(data)
    except HostileModelFile as error:
        assert error.what
