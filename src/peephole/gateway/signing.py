"""Messages that prove who sent them, and when, and that they were not sent before: HMAC-SHA256 over time, nonce and body; pure.

Both ends stand here, so that whoever receives a webhook can take the receiving one as it is.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Receiver", "sign", "signed_headers"]

REMEMBERED = 10_000


def sign(secret: bytes, time: str, nonce: str, body: bytes) -> str:
    """Return the signature in hexadecimal: HMAC-SHA256 of time, a line feed, nonce, a line feed, body (RFC 2104)."""
    return hmac.new(secret, time.encode() + b"\n" + nonce.encode() + b"\n" + body, hashlib.sha256).hexdigest()


def signed_headers(secret: bytes, wall: float, body: bytes) -> dict[str, str]:
    """Return the three headers of a message that is sent at `wall` (seconds since 1970)."""
    time, nonce = f"{wall:.3f}", secrets.token_hex(16)
    return {"X-Peephole-Time": time, "X-Peephole-Nonce": nonce, "X-Peephole-Signature": f"sha256={sign(secret, time, nonce, body)}"}


@dataclass
class Receiver:
    """Whoever takes signed messages: says what is wrong with one, and remembers the nonces of those it took.

    `window` is how old or how far ahead a message may be, in seconds; the two clocks must agree that well.
    """

    secret: bytes = field(repr=False)
    window: float = 10.0
    _seen: OrderedDict[str, float] = field(default_factory=OrderedDict, repr=False)

    def problem(self, headers: Mapping[str, str], body: bytes, wall: float) -> str:
        """Return what is wrong with a message that came at `wall`, or an empty string, once: the same message is refused after that."""
        found = {name.lower(): value for name, value in headers.items()}
        time, nonce, given = (found.get(f"x-peephole-{name}", "") for name in ("time", "nonce", "signature"))
        if not hmac.compare_digest(given.encode(), f"sha256={sign(self.secret, time, nonce, body)}".encode()):
            return "the signature is wrong"
        # Signed, so it is what the sender wrote: a number with three digits after its point.
        if not abs(wall - float(time)) <= self.window:
            return "it is too old, or from the future"
        while self._seen and (next(iter(self._seen.values())) < wall - 2 * self.window or len(self._seen) >= REMEMBERED):
            self._seen.popitem(last=False)
        if nonce in self._seen:
            return "it came before"
        self._seen[nonce] = wall
        return ""
