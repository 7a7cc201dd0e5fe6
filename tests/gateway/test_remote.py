"""Remote commands as messages: signed, for one gate, short; whatever else comes is refused in a sentence."""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peephole.gateway.remote import MAX_BYTES, Answer, Order, Refused, read_answer, read_order, write_answer, write_order

SECRET, NOW = "0123456789abcdef" * 4, 1_790_000_000
ORDER = Order("front-door", "lock", NOW, NOW + 30, {"why": "택배 at the back"})


def test_a_command_comes_as_it_was_sent() -> None:
    """Both ends agree, also on letters that are not ASCII; nonces differ."""
    assert read_order(SECRET, "front-door", write_order(SECRET, ORDER).encode()) == ORDER
    assert len({Order("g", "lock", 1, 2).nonce for _ in range(1000)}) == 1000


def test_the_signature_is_what_the_page_says() -> None:
    """Another program can sign: HMAC-SHA256 over a kind, a line feed, and sorted JSON without blanks, written out here by hand."""
    text = (
        'peephole command 1\n{"args":{"why":"x"},"command":"lock","expires":1790000030,"gate":"front-door",'
        '"nonce":"00112233445566778899aabbccddeeff","time":1790000000}'
    )
    facts = json.loads(text.partition("\n")[2])
    facts["hmac"] = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert read_order(SECRET, "front-door", json.dumps(facts, indent=2).encode()).args == {"why": "x"}


def test_every_changed_byte_is_noticed() -> None:
    """No byte of a message can be another one."""
    message = write_order(SECRET, ORDER).encode()
    for at in range(len(message)):
        for other in (message[at] ^ 1, ord("0")):
            changed = message[:at] + bytes([other]) + message[at + 1 :]
            if changed == message:
                continue
            try:
                assert read_order(SECRET, "front-door", changed) == ORDER  # a blank between two facts may go: it says nothing
            except Refused:
                continue
            assert chr(message[at]) == " "


def signed(**changes: object) -> bytes:
    """Return a message whose signature is right, whatever stands in it."""
    facts = {key: value for key, value in {**json.loads(write_order(SECRET, ORDER)), **changes}.items() if key != "hmac" and value is not ...}
    text = "peephole command 1\n" + json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return json.dumps({**facts, "hmac": hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()}).encode()


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "no JSON object"),
        (b"[" * 4000, "no JSON"),
        (b"{}", "not signed"),
        (b'{"hmac": 3}', "not signed"),
        (b'{"hmac": "\xed\x95\x9c"}', "signature is wrong"),
        (b'{"hmac": "\\ud800", "x": NaN}', "signature is wrong"),
        (b" " * (MAX_BYTES + 1), "bytes"),
        (write_order(SECRET.replace("0", "1"), ORDER).encode(), "signature is wrong"),
        (write_answer(SECRET, Answer("front-door", "lock", "0" * 32, True, "", NOW)).encode(), "signature is wrong"),
        (signed(gate="back-door"), "another gate"),
        (signed(command="egress"), "none of"),
        (signed(command=["lock"]), "none of"),
        (signed(time=NOW + 0.5), "whole seconds"),
        (signed(expires=True), "whole seconds"),
        (signed(expires=-1), "whole seconds"),
        (signed(expires="soon"), "whole seconds"),
        (signed(time=10**20), "whole seconds"),
        (signed(nonce="0" * 31), "nonce"),
        (signed(nonce="X" * 32), "nonce"),
        (signed(nonce=7), "nonce"),
        (signed(args={"action": "open"}), "takes why"),
        (signed(args={"why": 3}), "printable"),
        (signed(args={"why": "a\nb"}), "printable"),
        (signed(args={"why": "x" * 201}), "printable"),
        (signed(args="why"), "takes why"),
        (signed(more=1), "other facts"),
        (signed(nonce=...), "other facts"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_whatever_is_wrong_is_said(payload: bytes, says: str) -> None:
    """One sentence, and never an exception of another kind."""
    with pytest.raises(Refused, match=says):
        read_order(SECRET, "front-door", payload)


@given(st.binary(max_size=300))
def test_any_bytes_are_no_command(payload: bytes) -> None:
    """Nobody becomes a sender by chance."""
    with pytest.raises(Refused):
        read_order(SECRET, "front-door", payload)


def test_answers() -> None:
    """They are signed as well, and an order is none."""
    answer = Answer("front-door", "lock", ORDER.nonce, False, "it came before", NOW)
    assert read_answer(SECRET, write_answer(SECRET, answer).encode()) == answer
    for payload in (write_order(SECRET, ORDER), write_answer("another secret", answer), "{}", write_answer(SECRET, answer).replace("false", "true")):
        with pytest.raises(Refused):
            read_answer(SECRET, payload.encode())
