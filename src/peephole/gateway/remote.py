"""Remote commands and their answers as messages: signed, for one gate, good for a minute at most; both ends, pure.

A signature is HMAC-SHA256 (RFC 2104) over "peephole command 1", a line feed, and the message's other facts as JSON with sorted keys, no
blanks and ASCII alone. Times are whole seconds since 1970, so that every language writes them alike. Whether a message came before is
not to be told from it alone; see remotestate.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["COMMANDS", "LIFE", "MAX_BYTES", "Answer", "Order", "Refused", "read_answer", "read_order", "topics", "write_answer", "write_order"]

LIFE = 60  # seconds: a command that claims to be good for longer was made to be kept
MAX_BYTES = 4096
MAX_TEXT = 200
NONCE = 32  # hexadecimal digits: 128 random bits
SIGNATURE = "hmac"
# What a command may be told beside its name.
COMMANDS: dict[str, tuple[str, ...]] = {"lock": ("why",), "unlock": ("why",), "status": (), "open": ("action", "why")}


@dataclass(frozen=True)
class Order:
    """One command for one gate: `time` and `expires` in whole seconds since 1970, `nonce` 32 hexadecimal digits that never come again."""

    gate: str
    command: str
    time: int
    expires: int
    args: Mapping[str, str] = field(default_factory=dict)
    nonce: str = field(default_factory=lambda: secrets.token_hex(NONCE // 2))


@dataclass(frozen=True)
class Answer:
    """What became of the command with `nonce`, in a sentence; `done` False: it was refused, or could not be carried out."""

    gate: str
    command: str
    nonce: str
    done: bool
    text: str
    time: int


class Refused(ValueError):
    """A message that is none of ours, with the reason as a sentence."""


def topics(gate: str) -> tuple[str, str]:
    """Return the topics that a gate hears commands on, and answers on."""
    return f"peephole/{gate}/command", f"peephole/{gate}/answer"


def write_order(secret: str, order: Order) -> str:
    """Return a command as a signed message."""
    facts = {"gate": order.gate, "command": order.command, "args": dict(order.args), "time": order.time, "expires": order.expires}
    return _signed(secret, "command", {**facts, "nonce": order.nonce})


def read_order(secret: str, gate: str, payload: bytes) -> Order:
    """Return the command in a message to `gate`; raises Refused for anything unsigned, malformed or meant for another gate."""
    facts = _opened(secret, "command", payload)
    if set(facts) != {"gate", "command", "args", "time", "expires", "nonce"}:
        raise Refused("it has other facts than gate, command, args, time, expires and nonce")
    if facts["gate"] != gate:
        raise Refused("it is meant for another gate")
    times, args, command, nonce = (facts["time"], facts["expires"]), facts["args"], facts["command"], facts["nonce"]
    if not isinstance(command, str) or command not in COMMANDS:
        raise Refused(f"it is none of {', '.join(COMMANDS)}")
    if not all(type(time) is int and 0 <= time < 2**40 for time in times):
        raise Refused("its times are not whole seconds since 1970")
    if not isinstance(nonce, str) or len(nonce) != NONCE or not set(nonce) <= set("0123456789abcdef"):
        raise Refused(f"its nonce is not {NONCE} hexadecimal digits")
    if not isinstance(args, dict) or not all(_is_plain(value) for value in args.values()) or not set(args) <= set(COMMANDS[command]):
        raise Refused(f"'{command}' takes {' and '.join(COMMANDS[command]) or 'nothing'}, as printable texts of at most {MAX_TEXT} letters")
    return Order(gate, command, *times, args, nonce)


def write_answer(secret: str, answer: Answer) -> str:
    """Return an answer as a signed message."""
    return _signed(secret, "answer", vars(answer))


def read_answer(secret: str, payload: bytes) -> Answer:
    """Return the answer in a message; raises Refused when it is unsigned or malformed."""
    facts = _opened(secret, "answer", payload)
    kinds = {"gate": str, "command": str, "nonce": str, "done": bool, "text": str, "time": int}
    if set(facts) != set(kinds) or not all(type(facts[name]) is kind for name, kind in kinds.items()):
        raise Refused("it is no answer")
    return Answer(**facts)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()


def _sign(secret: str, kind: Literal["command", "answer"], facts: Mapping[str, Any]) -> str:
    # The kind is signed as well: an answer is never taken for a command.
    text = f"peephole {kind} 1\n" + json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(secret.encode(), text.encode("ascii"), hashlib.sha256).hexdigest()


def _signed(secret: str, kind: Literal["command", "answer"], facts: Mapping[str, Any]) -> str:
    return json.dumps({**facts, SIGNATURE: _sign(secret, kind, facts)}, ensure_ascii=True)


def _opened(secret: str, kind: Literal["command", "answer"], payload: bytes) -> dict[str, Any]:
    """Return the facts of a message whose signature is right; what is signed is what was understood, not the bytes."""
    if len(payload) > MAX_BYTES:
        raise Refused(f"it has {len(payload)} bytes, at most {MAX_BYTES} are read")
    try:
        facts = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused("it is no JSON") from error
    if not isinstance(facts, dict):
        raise Refused("it is no JSON object")
    given = facts.pop(SIGNATURE, None)
    if not isinstance(given, str):
        raise Refused("it is not signed")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), _sign(secret, kind, facts).encode()):
        raise Refused("its signature is wrong")
    return facts
