"""Wrong PINs have a price: after so many the door stays shut for a while, after too many until a person acts; pure.

What must survive a power cut is in `Kept`; whoever runs the policy puts it on disk before anything else happens.
"""

import math
from dataclasses import dataclass, field, replace

from peephole.gateway.remotestate import Standing

__all__ = ["Kept", "Lockout", "Patience", "cleared", "failed", "held", "restarted", "spent", "turned"]

SPENT = 1000  # nonces of right PINs and tags that are remembered on disk, 20 bytes each
ORDERS = 100


@dataclass(frozen=True)
class Patience:
    """After each `after` failures in a row the door stays shut for `seconds`; after `disable_after` of them until a person acts."""

    after: int = 5
    seconds: float = 30.0
    disable_after: int = 50


@dataclass(frozen=True)
class Kept:
    """What is on disk: `failures` in a row, digests of the nonces of right PINs that were `spent`, and the `orders` that were followed.

    `standing` is what remote commands left behind.
    """

    failures: int = 0
    spent: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    standing: Standing = field(default_factory=Standing)


@dataclass(frozen=True)
class Lockout:
    """How patient the door still is: shut until `until` (monotonic seconds), and while what is `kept` is `unwritten`, not on disk."""

    kept: Kept = Kept()
    until: float = -math.inf
    unwritten: bool = False


def restarted(patience: Patience, kept: Kept, time: float) -> Lockout:
    """Begin again from what was on disk: a lockout that may have been under way begins anew, whatever the clocks say."""
    lockout = Lockout(kept)
    return _shut(patience, lockout, time) if kept.failures and kept.failures % patience.after == 0 else lockout


def failed(patience: Patience, lockout: Lockout, time: float) -> Lockout:
    """Count one failure."""
    lockout = replace(lockout, kept=replace(lockout.kept, failures=lockout.kept.failures + 1))
    return _shut(patience, lockout, time) if lockout.kept.failures % patience.after == 0 else lockout


def spent(lockout: Lockout, nonce: str) -> Lockout:
    """Remember that a right PIN came with this nonce's digest, so that it never counts again."""
    return replace(lockout, kept=replace(lockout.kept, spent=(*lockout.kept.spent, nonce)[-SPENT:]))


def cleared(lockout: Lockout, order: str = "") -> Lockout:
    """Forget the failures: somebody came in as they should, or a person gave an `order`, which is followed once."""
    orders = (*lockout.kept.orders, order)[-ORDERS:] if order else lockout.kept.orders
    return replace(lockout, kept=replace(lockout.kept, failures=0, orders=orders), until=-math.inf)


def turned(patience: Patience, lockout: Lockout, before: float, time: float) -> Lockout:
    """Follow a clock that went back: a lockout that was under way `before` begins anew at `time`."""
    return _shut(patience, lockout, time) if before < lockout.until else lockout


def held(patience: Patience | None, lockout: Lockout, time: float) -> str:
    """Say why nobody may come in now, or nothing; without `patience` nobody counts wrong PINs."""
    failures = lockout.kept.failures
    if lockout.kept.standing.locked:
        return f"it is {lockout.kept.standing.locked}"
    if lockout.unwritten:
        return "the wrong PINs and tags cannot be counted on disk" if patience else "what must be kept cannot be written to the disk"
    if patience is None:
        return ""
    if failures >= patience.disable_after:
        return f"after {failures} wrong PINs or tags in a row the door is disabled until a person says: peephole gate unlock DOOR.toml"
    if not time >= lockout.until:
        return f"after {failures} wrong PINs or tags in a row the door stays shut for another {min(patience.seconds, lockout.until - time):.1f} s"
    return ""


def _shut(patience: Patience, lockout: Lockout, time: float) -> Lockout:
    return replace(lockout, until=time + patience.seconds)
