"""Names of people in the journal: rows hold pseudonyms, the names stand in a table of their own, where they can be erased.

A pseudonym is the salted SHA-256 of its name: with its salt it proves that the name was not exchanged, without it nobody can guess the name.
"""

import hashlib
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from peephole.gateway.policy import UNKNOWN

__all__ = ["Hider", "labels_in", "mentioned", "pseudonym", "same", "show"]

SALT = 16  # bytes
OPEN, CLOSE = "⟦", "⟧"
TOKEN = re.compile(f"{OPEN}([0-9a-f]{{24}})?{CLOSE}")
# Words of the gate itself, never of people; a label "open" must not turn a verdict into a pseudonym.
OWN = ("verdict", "kind", "action", "rule", "digest", "hash", "origin", "pseudonyms")
SHORT = 3  # bytes: a shorter name counts only where no other letter or digit touches it


def pseudonym(salt: bytes, name: str) -> str:
    """Return the 24 hex digits (96 bits) that stand for a name."""
    return hashlib.sha256(b"name\0" + salt + name.encode()).hexdigest()[:24]


def same(name: str) -> str:
    """Return what two spellings of one name have in common: capitals and the form of Unicode do not count."""
    return unicodedata.normalize("NFC", name).casefold()


def labels_in(value: Any) -> set[str]:
    """Return every label that a record, as JSON values, names in so many words."""
    found: set[str] = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("label", "like", "confirmed_by") and isinstance(inner, str):
                found.add(inner)
            elif key == "ranking" and isinstance(inner, list):
                found |= {pair[0] for pair in inner if pair and isinstance(pair[0], str)}
            else:
                found |= labels_in(inner)
    elif isinstance(value, list):
        for inner in value:
            found |= labels_in(inner)
    return found - {"", UNKNOWN}


class Hider:
    """Exchanges names for pseudonyms in one record; `fresh` are those it had to invent, as {pseudonym: (salt, name)}."""

    def __init__(self, known: Mapping[str, str], names: Iterable[str]) -> None:
        """`known` maps names to the pseudonyms they have; `names` are looked for in every sentence too."""
        self._known = dict(known)
        self.fresh: dict[str, tuple[bytes, str]] = {}
        self._done = {UNKNOWN: UNKNOWN}
        self._look_for = _forms(frozenset({*known, *names} - {"", UNKNOWN}))

    def hide(self, value: Any) -> Any:
        """Return JSON values with each name of a person exchanged for its pseudonym."""
        if isinstance(value, dict):
            return {name: inner if name in OWN else self.hide(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.hide(inner) for inner in value]
        if not isinstance(value, str):
            return value
        if value not in self._done:  # a visit repeats the same labels and examples in each of its frames
            self._done[value] = self._token(value) if value in self._known else self._sentence(value)
        return self._done[value]

    def _token(self, name: str) -> str:
        if name not in self._known:
            salt = secrets.token_bytes(SALT)
            self._known[name] = pseudonym(salt, name)
            self.fresh[self._known[name]] = (salt, name)
        return f"{OPEN}{self._known[name]}{CLOSE}"

    def _sentence(self, text: str) -> str:
        folded = text.casefold()
        here = [name for name, small in self._look_for if small in folded]
        if not here:
            return text.replace(OPEN, OPEN + CLOSE)
        pieces = re.split(f"({'|'.join(map(_pattern, here))})", text, flags=re.IGNORECASE)
        return "".join(self._token(piece) if place % 2 else piece.replace(OPEN, OPEN + CLOSE) for place, piece in enumerate(pieces))


@lru_cache(maxsize=4)  # a journal knows the same names in every row
def _forms(names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Return how names may be written, as they are and casefolded; the longest first, so that Ana does not hide half of Anabel."""
    forms = {form(name) for name in names for form in (_composed, _decomposed)}
    return tuple((name, name.casefold()) for name in sorted(forms, key=lambda name: (-len(name), name)))


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _decomposed(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def _pattern(name: str) -> str:
    plain = re.escape(name)
    return plain if len(name.encode()) >= SHORT else rf"(?<![^\W_]){plain}(?![^\W_])"


def show(body: str, names: Mapping[str, str]) -> str:
    """Return a row's JSON with the names that are still known; an erased one reads erased-1a2b3c."""

    def name(found: re.Match[str]) -> str:
        token = found[1]
        if token is None:
            return OPEN
        return json.dumps(names[token], ensure_ascii=False)[1:-1] if token in names else f"erased-{token[:6]}"

    return TOKEN.sub(name, body) if OPEN in body else body


def mentioned(body: str) -> list[str]:
    """Return the pseudonyms that a row's JSON holds."""
    return list(filter(None, TOKEN.findall(body)))
