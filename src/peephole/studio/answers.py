"""Records -> JSON: dataclasses by their fields, arrays as lists, NaN and infinity as words, for JSON has none."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["answer", "failure", "last_heard", "plain"]


def plain(value: Any) -> Any:
    """Return the same in what JSON knows; a Fraction as [numerator, denominator], NaN and infinity as "NaN", "Infinity", "-Infinity"."""
    if isinstance(value, float):
        return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str | int) or value is None:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    for kind, turn in TURNS:
        if isinstance(value, kind):
            return turn(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


TURNS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (BaseModel, lambda value: plain(value.model_dump(mode="json"))),
    (Mapping, lambda value: {str(key): plain(each) for key, each in value.items()}),
    ((np.ndarray, np.generic), lambda value: plain(value.tolist())),
    (Fraction, lambda value: [value.numerator, value.denominator]),
    ((list, tuple, set, frozenset), lambda value: [plain(each) for each in value]),
    (Path, lambda value: value.name),
)


def answer(value: Any, status: int = 200) -> Response:
    """Return a JSON response."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Names of files may hold bytes that are no text; they are shown, not stumbled over.
    return Response(text.encode(errors="replace"), status, media_type="application/json")


def failure(what: str, hint: str = "", status: int = 400) -> Response:
    """Return an error as a page shows it: what happened and why, and what to do."""
    return answer({"error": what, "hint": hint}, status)


def last_heard(request: Request) -> int | None:
    """Return the number of the last event that a browser has, from Last-Event-ID or ?after=, the later of both; None where it has none."""
    told = (request.headers.get("last-event-id", ""), request.query_params.get("after", ""))
    numbers = [int(each) for each in told if each.isascii() and each.isdecimal() and len(each) < 16]
    return max(numbers, default=None)
