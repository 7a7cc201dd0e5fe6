"""Conditions on readings, such as air.co2 < 1000: true only of a fresh reading that says so; pure.

Knows nothing of where readings come from. A reading that is missing, stale, not a number or of another kind makes every
condition on it false, also a `!=`.
"""

import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass

from peephole.base.errors import SettingsError

__all__ = ["Condition", "Row", "parse_condition", "why_not"]

SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}
FORM = re.compile(r"([\w-]{1,64})\.([\w-]{1,64})\s*(<=|>=|==|!=|<|>)\s*(\S(?:.{0,98}\S)?)")
HINT = 'write for example if = ["air.co2 < 1000", "window.contact == closed"]'


@dataclass(frozen=True)
class Condition:
    """`name`.`key` `sign` `value`: a number for all signs, a word for == and != only."""

    text: str
    name: str
    key: str
    sign: str
    value: float | str


@dataclass(frozen=True)
class Row:
    """The latest reading of one name, and when it came (monotonic seconds)."""

    time: float
    values: Mapping[str, float | str]


def parse_condition(text: object) -> Condition:
    """Read a condition; raises SettingsError that shows how one is written."""
    match = FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise SettingsError(f"{str(text)[:60]!r} is not a condition", HINT)
    name, key, sign, word = match.groups()
    value = _number(word)
    if isinstance(value, str) and sign not in ("==", "!="):
        raise SettingsError(f"'{word[:40]}' is not a number, and only == and != compare words", HINT)
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingsError(f"'{word[:40]}' is not a number that a reading could have", HINT)
    return Condition(match[0], name, key, sign, value)


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def why_not(condition: Condition, rows: Mapping[str, Row], fresh: Mapping[str, float], time: float) -> str:
    """Say why a condition does not hold at a time, or nothing; `fresh` is how long each name's readings count, in seconds."""
    row = rows.get(condition.name)
    if row is None:
        return f"{condition.name} has said nothing"
    age = time - row.time
    if not abs(age) <= fresh.get(condition.name, 0.0):
        return f"{condition.name} has said nothing for {age:.0f} s"
    value = row.values.get(condition.key)
    if value is None:
        return f"{condition.name} does not say {condition.key}"
    if isinstance(value, str) is not isinstance(condition.value, str) or (isinstance(value, float | int) and not math.isfinite(value)):
        return f"{condition.name}.{condition.key} is {str(value)[:40]!r}, which cannot be compared"
    told = f"{value:g}" if isinstance(value, float | int) else value[:40]
    return "" if SIGNS[condition.sign](value, condition.value) else f"{condition.name}.{condition.key} is {told}"
