"""From what a keypad, a phone or a sensor sent to a signal; whatever is malformed becomes one that says so.

A PIN is compared with the hashes here, in the thread that heard it, and goes no further: signals carry names.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from peephole.base.errors import InputError
from peephole.gateway.inbox import Kind, Signal
from peephole.gateway.pins import MAX_LENGTH, Secret, read_pins

__all__ = ["Letter", "factor", "phone", "reading", "row"]

MAX_BYTES = 4096
MAX_VALUES = 64
MAX_TEXT = 1000
KINDS: tuple[Secret, ...] = ("pin", "tag")

Letter = Mapping[str, float | str]


def opened(payload: bytes) -> dict[str, float | str]:
    """Read a payload, one flat JSON object of at most 4 KB, whose true and false become words; raises ValueError for anything else."""
    if len(payload) > MAX_BYTES:
        raise ValueError(f"it has {len(payload)} bytes, at most {MAX_BYTES} are read")
    try:
        values = json.loads(payload.decode("utf-8"), parse_int=float)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no JSON") from error
    if not isinstance(values, dict) or len(values) > MAX_VALUES:
        raise ValueError("it is no JSON object with a few values")
    plain = {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items() if value is not None}
    if not all(isinstance(value, str | float) and len(name) <= MAX_TEXT and len(str(value)) <= MAX_TEXT for name, value in plain.items()):
        raise ValueError("its values are not all numbers and short texts")
    return plain


def _signal(kind: Kind, source: str, payload: bytes, retained: bool, when: tuple[float, float]) -> tuple[Letter, Signal]:
    """Return a letter's values, and a signal with its envelope: nonce, expiry, whether it was retained, or what is wrong with it."""
    values: dict[str, float | str] = {"retained": 1.0} if retained else {}
    try:
        letter = opened(payload)
    except ValueError as error:
        return {}, Signal(*when, source, kind, {**values, "problem": str(error)})
    return letter, Signal(*when, source, kind, {**values, **{name: letter[name] for name in ("nonce", "expires") if name in letter}})


def factor(pins: Path, source: str, payload: bytes, retained: bool, when: tuple[float, float]) -> Signal:
    """Read {"pin": "2468", "nonce": "...", "expires": 1790000000.0}, or "tag" in place of "pin"; `when` is monotonic and wall seconds.

    Hashing takes tens of milliseconds, so it is spared a message that will not be believed anyway.
    """
    letter, signal = _signal("factor", source, payload, retained, when)
    if "problem" in signal.values or retained or "nonce" not in letter:
        return signal
    given = [kind for kind in KINDS if kind in letter]
    secret = letter[given[0]] if len(given) == 1 else None
    if not isinstance(secret, str) or not 0 < len(secret) <= MAX_LENGTH:
        return _with(signal, problem='it has neither a "pin" nor a "tag" that is a text')
    try:
        people = read_pins(pins).whose(given[0], secret)
    except (InputError, MemoryError) as error:
        return _with(signal, problem=error.what if isinstance(error, InputError) else "there is no memory to look at it")
    return _with(signal, whose=json.dumps(people))


def phone(label: str, payload: bytes, retained: bool, when: tuple[float, float]) -> Signal:
    """Read {"present": true, "nonce": "...", "expires": ...} from the phone of `label`."""
    letter, signal = _signal("presence", f"{label}'s phone", payload, retained, when)
    if "problem" not in signal.values and letter.get("present") not in ("true", "false"):
        return _with(signal, problem='it does not say "present": true or false')
    return _with(signal, whose=json.dumps([label]), here="yes" if letter.get("present") == "true" else "no")


def reading(name: str, payload: bytes, retained: bool, when: tuple[float, float]) -> Signal | None:
    """Read a sensor's row; a retained one has no age, and a malformed one no meaning: None."""
    if retained:
        return None
    try:
        return Signal(*when, name, "reading", opened(payload))
    except ValueError:
        return None


def row(columns: list[str], cells: list[str]) -> dict[str, float | str]:
    """Return one line of a table as a reading's values."""
    found: dict[str, float | str] = {}
    for name, cell in zip(columns, cells, strict=False):
        try:
            found[name.strip()] = float(cell)
        except ValueError:
            found[name.strip()] = cell.strip()[:MAX_TEXT]
    return found


def _with(signal: Signal, **values: float | str) -> Signal:
    return Signal(signal.time, signal.wall, signal.source, signal.kind, {**signal.values, **values})
