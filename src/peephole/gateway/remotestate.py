"""What remote commands leave behind and a power cut must not undo: whether the gate was locked, and which commands came already; pure."""

from dataclasses import dataclass, replace

__all__ = ["FOREVER", "Standing", "came", "freed", "merged", "noted"]

MANY = 500  # nonces remembered; only commands whose signature is right are, and each of them is good for a minute at most
SLACK = 5  # seconds that a nonce is remembered longer than its command is good for
FOREVER = 2**53


@dataclass(frozen=True)
class Standing:
    """`locked` says why nobody may come in ("": they may); `nonces` stand with the times at which their commands expire.

    No command that expires at `floor` or before is believed: the nonces of some such are forgotten, and the wall clock may have gone
    back since. FOREVER: all are forgotten.
    """

    locked: str = ""
    nonces: tuple[tuple[str, int], ...] = ()
    floor: int = 0


def came(standing: Standing, nonce: str, expires: float) -> bool:
    """Say whether a command came before, or may have."""
    return expires <= standing.floor or any(nonce == known for known, _ in standing.nonces)


def noted(standing: Standing, nonce: str, expires: float, wall: float) -> Standing:
    """Remember a command, and forget those that expired before `wall` for good: the floor rises over them."""
    ordered = sorted((*standing.nonces, (nonce, int(expires))), key=lambda known: known[1])
    over = max(sum(known[1] < wall - SLACK for known in ordered), len(ordered) - MANY)
    return replace(standing, nonces=tuple(ordered[over:]), floor=max([standing.floor, *(known[1] for known in ordered[:over])]))


def freed(standing: Standing, until: float) -> Standing:
    """End a lock by hand; where all nonces were forgotten, commands that expire after `until` are believed again."""
    return replace(standing, locked="", floor=int(until) if standing.floor >= FOREVER else standing.floor)


def merged(old: Standing, new: Standing) -> Standing:
    """Return what is left of a change that could not be put on disk: it stays locked, and nothing is forgotten."""
    return Standing(new.locked or old.locked, new.nonces, max(old.floor, new.floor))
