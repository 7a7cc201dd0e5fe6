"""Which addresses the page has, who may call each, and how much may be sent there; a server with an address that does not say so does not start.

Knows nothing of HTTP libraries: a table that tests can walk.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from peephole.base.errors import SettingsError

__all__ = ["SMALL", "Address", "Who", "require_marked"]

# Who may call: `anyone` who reaches the server (it shows no names and nothing of the working folder), or the `owner`, who gave the code.
Who = Literal["anyone", "owner"]
SMALL = 64_000


@dataclass(frozen=True)
class Address:
    """One address of the page: `answer` takes the workshop and the request; `most` is how many bytes may be sent, 0 or more."""

    method: Literal["GET", "POST"]
    path: str
    who: Who
    answer: Callable[..., Awaitable[Any]]
    most: int = SMALL


def require_marked(addresses: Sequence[Address]) -> None:
    """Raise SettingsError for an address that does not say who may call it, that is there twice, or that changes something on GET's terms."""
    seen = set()
    for each in addresses:
        if each.who not in ("anyone", "owner"):
            raise SettingsError(f"the address {each.method} {each.path} does not say who may call it", 'give it who="anyone" or who="owner"')
        if each.method not in ("GET", "POST") or each.most < 0:
            raise SettingsError(f"the address {each.method} {each.path} is none that this server knows", "use GET to read and POST to change")
        if (each.method, each.path) in seen:
            raise SettingsError(f"the address {each.method} {each.path} is there twice", "leave one of them out")
        seen.add((each.method, each.path))
