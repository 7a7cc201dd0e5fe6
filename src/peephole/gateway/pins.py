"""Everybody's PINs and tags, hashed with scrypt (RFC 7914), in a file beside DOOR.toml that only its owner may read.

One salt for the whole file: a keypad sends no name, so a PIN is hashed once and compared with everybody's, which takes a Pi as
long for a hundred people as for one. A PIN of four digits falls in minutes to whoever has the file: guard it.
"""

import hmac
import json
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import scrypt
from pathlib import Path
from typing import Any, Literal

from peephole.base.errors import InputError, MissingInput
from peephole.base.files import write_atomic

__all__ = ["Pins", "Secret", "read_pins", "require_good", "write_pins"]

Secret = Literal["pin", "tag"]
WORK = 2**14  # scrypt's N; with r = 8: 16 MB and about 50 ms for each try
FORMAT = 1
MAX_BYTES = 2**20
MAX_LENGTH = 200
SHORTEST = 4
EASY = "01234567890123456789 98765432109876543210"


@dataclass(frozen=True)
class Pins:
    """Hashes by name, a few for each; `salt` is 16 random bytes."""

    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    people: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)

    def digest(self, kind: Secret, secret: str) -> bytes:
        """Hash a PIN or tag; a PIN never equals a tag."""
        text = f"{kind}:{secret[:MAX_LENGTH]}".encode("utf-8", "surrogatepass")
        return scrypt(text, salt=self.salt, n=WORK, r=8, p=1, maxmem=64 * 2**20, dklen=32)

    def whose(self, kind: Secret, secret: str) -> tuple[str, ...]:
        """Return whose PIN or tag it is: nobody's, somebody's, or several people's who chose the same; equally fast for all."""
        digest = self.digest(kind, secret)
        hits = [(name, [hmac.compare_digest(digest, known) for known in hashes]) for name, hashes in self.people.items()]
        return tuple(name for name, same in hits if any(same))

    def given(self, name: str, kind: Secret, secret: str, beside: bool = False) -> "Pins":
        """Return the same with a PIN or tag of somebody, in place of theirs or `beside` them."""
        old = self.people.get(name, ()) if beside else ()
        return replace(self, people={**self.people, name: (*old, self.digest(kind, secret))})

    def without(self, name: str) -> "Pins":
        """Return the same without anything of somebody."""
        return replace(self, people={other: hashes for other, hashes in self.people.items() if other != name})


def require_good(pin: str) -> None:
    """Raise InputError for a PIN that is too short, too long, or the first that everybody tries."""
    if not SHORTEST <= len(pin) <= MAX_LENGTH:
        raise InputError(f"a PIN has {SHORTEST} to {MAX_LENGTH} letters or digits, this one {len(pin)}", "choose a longer one, best six digits")
    if len(set(pin)) == 1 or pin in EASY:
        raise InputError("this PIN is one of the first that everybody tries", "choose another")


def read_pins(path: Path) -> Pins:
    """Read the file; raises MissingInput when there is none yet, InputError for a broken one, or one that others may read."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_BYTES:
            raise InputError(f"{path} holds no PINs", "is it the right file? [factor] file names it")
        if facts.st_mode & 0o077:
            raise InputError(f"{path} may be read by others than its owner", f"chmod 600 {path}")
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingInput(f"there are no PINs yet: {path} is not there", "give one: peephole gate pin DOOR.toml NAME") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", "correct its permissions") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} holds no PINs that can be read", "take it away and give the PINs again: peephole gate pin") from error


def _parsed(values: Any) -> Pins:
    people = {str(name): tuple(bytes.fromhex(text) for text in hashes) for name, hashes in values["people"].items()}
    salt = bytes.fromhex(values["salt"])
    if values["factors"] != FORMAT or len(salt) != 16 or any(len(one) != 32 for hashes in people.values() for one in hashes):
        raise ValueError("a file of another format")
    return Pins(salt, people)


def write_pins(path: Path, pins: Pins) -> None:
    """Write the file for its owner's eyes alone; raises OutputError, and then the old one stands."""
    people = {name: [one.hex() for one in hashes] for name, hashes in pins.people.items()}
    text = json.dumps({"factors": FORMAT, "salt": pins.salt.hex(), "people": people}, ensure_ascii=False, indent=1)
    write_atomic(path, text + "\n", mode=0o600)
