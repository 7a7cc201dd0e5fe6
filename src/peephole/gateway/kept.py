"""What a lockout must remember, in a small file beside the journal; and a person's order to end it, in another beside that.

Each file has one writer, the gate and the person, so neither can undo what the other wrote.
"""

import json
import secrets
from pathlib import Path
from typing import Any

from peephole.base.errors import JournalError, OutputError
from peephole.base.files import write_atomic
from peephole.gateway.lockout import SPENT, Kept
from peephole.gateway.remotestate import Standing

__all__ = ["KeptFile"]

FORMAT = 1
MAX_BYTES = 2**17


class KeptFile:
    """The file of one gate; every write is on disk, or raises, before it returns."""

    def __init__(self, path: Path, gate: str) -> None:
        self.path = path
        self._order = path.with_name(f"{path.name}.end")
        self._gate = gate

    def read(self) -> Kept:
        """Return what was kept, nothing for a new gate; raises JournalError when it is there and cannot be read."""
        try:
            if self.path.stat().st_size > MAX_BYTES:
                raise ValueError("it is too large")
            return self._parsed(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Kept()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise JournalError(f"{self.path} cannot be read: {error}", "end the lockout: peephole gate unlock DOOR.toml") from error

    def _parsed(self, values: Any) -> Kept:
        failures, spent, orders = values["failures"], tuple(values["spent"]), tuple(values["orders"])
        if values["lockout"] != FORMAT or values["gate"] != self._gate:
            raise ValueError(f"it belongs to the gate '{str(values['gate'])[:64]}'")
        if (
            type(failures) is not int
            or failures < 0
            or max(len(spent), len(orders)) > SPENT
            or not all(isinstance(one, str) for one in (*spent, *orders))
        ):
            raise ValueError("it was edited")
        return Kept(failures, spent, orders, _standing(values["standing"]) if "standing" in values else Standing())

    def write(self, kept: Kept) -> None:
        """Put it on disk; raises JournalError, and then the old one stands."""
        values = {"lockout": FORMAT, "gate": self._gate, "failures": kept.failures, "spent": kept.spent, "orders": kept.orders}
        standing = kept.standing
        values |= {"standing": {"locked": standing.locked, "nonces": standing.nonces, "floor": standing.floor}}
        try:
            write_atomic(self.path, json.dumps(values, ensure_ascii=False))
        except OutputError as error:
            raise JournalError(error.what, "make room on the disk, or correct [journal] path and its permissions") from error

    def give_order(self) -> str:
        """Write a person's order to end the lockout, for the gate to find, and return it; raises OutputError."""
        order = secrets.token_hex(8)
        write_atomic(self._order, order)
        return order

    def order(self) -> str:
        """Return the latest order, or nothing; one that was followed before is the policy's to know."""
        try:
            text = self._order.read_text(encoding="ascii")[:100]
        except (OSError, ValueError):
            return ""
        return text if text.isalnum() else ""


def _standing(values: Any) -> Standing:
    locked, nonces, floor = values["locked"], tuple((nonce, expires) for nonce, expires in values["nonces"]), values["floor"]
    if not isinstance(locked, str) or type(floor) is not int or not all(isinstance(one, str) and type(until) is int for one, until in nonces):
        raise ValueError("it was edited")
    return Standing(locked, nonces, floor)
