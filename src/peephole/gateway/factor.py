"""The second factor: which PIN, tag or phone counts for whom, for how long, and only once; pure.

A message is believed when it was not retained, has a nonce that never came before, and expires soon but not yet. Who a PIN
belongs to was found out by whoever heard it (see pins); here it is only a set of names.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Literal

from peephole.gateway.lockout import Patience

__all__ = ["LIFE", "Asked", "Heard", "Shown", "backing", "doubt", "forgotten", "mark", "present", "remembered", "taken", "whose"]

LIFE = 60.0  # seconds: a message that claims to be good for longer was made to be kept
NONCE = (8, 200)  # letters: shorter ones repeat by chance
KEPT = 1000  # nonces remembered; the ones of right PINs are on disk as well


@dataclass(frozen=True)
class Asked:
    """What an opening asks for beside the camera: a `secret` (PIN or tag) within so many seconds of agreement, or the person's phone.

    `fresh` is how long a phone that was present counts, in seconds.
    """

    kind: Literal["secret", "presence"]
    within: float = 20.0
    fresh: float = 300.0
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class Shown:
    """A right PIN or tag that nobody has used yet: it belongs to `whose` (more than one, where they chose the same)."""

    whose: frozenset[str]
    time: float


@dataclass(frozen=True)
class Heard:
    """What is remembered of PINs, tags and phones: `phones` say when each person's was last present."""

    shown: tuple[Shown, ...] = ()
    nonces: tuple[str, ...] = ()
    phones: tuple[tuple[str, float], ...] = ()
    told: float = -math.inf


def mark(values: Mapping[str, float | str]) -> str:
    """Return the digest that a message's nonce is remembered by, or nothing when it has none worth the name."""
    nonce = values.get("nonce")
    if not isinstance(nonce, str) or not NONCE[0] <= len(nonce) <= NONCE[1]:
        return ""
    return sha256(nonce.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def doubt(values: Mapping[str, float | str], wall: float, heard: Heard, spent: tuple[str, ...]) -> str:
    """Say why a message is not believed, or nothing; `wall` is when it came, in seconds since 1970."""
    nonce = mark(values)
    if values.get("retained"):
        return "it was retained by the broker, so nobody knows when it was said"
    if not nonce:
        return f"it has no nonce of {NONCE[0]} to {NONCE[1]} letters"
    if nonce in heard.nonces or nonce in spent:
        return "it came before"
    return _late(values.get("expires"), wall)


def _late(expires: float | str | None, wall: float) -> str:
    """Say why the time at which a message expires is not in order, or nothing."""
    if not isinstance(expires, float | int) or not math.isfinite(expires):
        return "it does not say when it expires"
    if not expires > wall:
        return f"it expired {wall - expires:.3g} s ago" if math.isfinite(wall) else "the time is not known"
    return f"it expires in {expires - wall:.3g} s; {LIFE:g} s at most are allowed, and the clocks must agree" if expires > wall + LIFE else ""


def remembered(heard: Heard, nonce: str) -> Heard:
    """Remember a nonce, so that its message counts once."""
    return replace(heard, nonces=(*heard.nonces, nonce)[-KEPT:])


def whose(values: Mapping[str, float | str]) -> frozenset[str]:
    """Return whose PIN or tag it was, as whoever heard it found out; nobody's when that cannot be read."""
    try:
        names = json.loads(str(values.get("whose", "[]")))
    except ValueError:
        return frozenset()
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


def backing(asked: Asked, heard: Heard, label: str, time: float) -> str:
    """Say what speaks for somebody beside the camera, or nothing; times in monotonic seconds."""
    if asked.kind == "presence":
        seen = next((seen for name, seen in heard.phones if name == label), -math.inf)
        return f"{label}'s phone was here {max(0.0, time - seen):.0f} s before" if abs(time - seen) <= asked.fresh else ""
    token = _token(asked, heard, label, time)
    return "" if token is None else f"{label}'s PIN or tag came {abs(time - token.time):.1f} s {'before' if token.time <= time else 'after'}"


def _token(asked: Asked, heard: Heard, label: str, time: float) -> Shown | None:
    return next((shown for shown in heard.shown if label in shown.whose and abs(time - shown.time) <= asked.within), None)


def taken(asked: Asked, heard: Heard, label: str, time: float) -> Heard:
    """Use up the PIN or tag that backs somebody; a phone stays where it is."""
    used = _token(asked, heard, label, time)
    return replace(heard, shown=tuple(shown for shown in heard.shown if shown is not used and abs(time - shown.time) <= asked.within))


def forgotten(heard: Heard) -> Heard:
    """Let go of the PINs and tags that nobody has used: the door was shut since, and they were shown at a door that was not."""
    return replace(heard, shown=())


def present(heard: Heard, label: str, here: bool, time: float) -> Heard:
    """Note that somebody's phone is here, or has left."""
    others = tuple((name, seen) for name, seen in heard.phones if name != label)
    return replace(heard, phones=(*others, (label, time)) if here else others)
