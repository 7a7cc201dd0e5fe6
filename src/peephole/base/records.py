"""The records that flow between the stages: frozen, with units, JSON both ways.

Times are seconds on the monotonic clock unless the name says `wall` (seconds since 1970).
No stage hands a dict to another; it hands one of these.
"""

import base64
import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import BeforeValidator, ConfigDict, PlainSerializer, TypeAdapter

__all__ = [
    "Decision",
    "Evidence",
    "Frame",
    "Neighbour",
    "Prediction",
    "Quality",
    "Reading",
    "Role",
    "Unit",
    "Verdict",
    "Visit",
    "from_json",
    "to_json",
]

Unit = Literal["stranger", "visit", "photo", "kind"]
Role = Literal["proof", "estimate", "simulated"]
Verdict = Literal["open", "refuse", "ask", "note"]


def _pixels_out(pixels: np.ndarray) -> dict[str, Any]:
    return {"shape": list(pixels.shape), "data": base64.b64encode(pixels.tobytes()).decode()}


def _pixels_in(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    return np.frombuffer(base64.b64decode(value["data"]), np.uint8).reshape(value["shape"])


Pixels = Annotated[np.ndarray, BeforeValidator(_pixels_in), PlainSerializer(_pixels_out)]


@dataclass(frozen=True)
class Neighbour:
    """A known example that took part in a decision.

    `distance` is 1 - cosine similarity in the centred embedding, 0..2; smaller is nearer.
    """

    id: str
    label: str
    distance: float


@dataclass(frozen=True)
class Prediction:
    """What the model says about one input.

    `label` is None for a stranger. `probability` is the calibrated softmax of the best label, 0..1.
    `familiarity` is the mean cosine similarity to the k nearest known examples of the best label, -1..1;
    `margin` is that minus the same figure for the next best label. A prediction is accepted when
    familiarity >= threshold and the margin is at least the card's; NaN is never accepted. `note` is what the region had to
    say of the picture ("2 faces: the largest one is judged ..."), or nothing; `subjects` how many it found, and `share` how much
    of the frame the judged one fills, 0..1.
    """

    label: str | None
    probability: float
    familiarity: float
    margin: float
    ranking: tuple[tuple[str, float], ...]
    nearest: tuple[Neighbour, ...]
    accepted: bool
    threshold: float
    note: str = ""
    subjects: int = 1
    share: float = 1.0

    @property
    def best(self) -> str:
        """The most probable label, also when it was not accepted."""
        return self.ranking[0][0]

    @property
    def reason(self) -> str:
        """One sentence a person can read."""
        if not math.isfinite(self.familiarity):
            return "the model's answer is not a number, so nobody is let in"
        digits = next(n for n in range(2, 9) if n == 8 or f"{self.familiarity:.{n}f}" != f"{self.threshold:.{n}f}")
        near = f"its familiarity with {self.best}'s known examples is {self.familiarity:.{digits}f}"
        if self.accepted:
            return f"{near}, at or above the threshold {self.threshold:.{digits}f}"
        if self.familiarity < self.threshold:
            return f"{near}, below the threshold {self.threshold:.{digits}f}: a stranger"
        if self.margin < 0:
            return f"the network prefers {self.best}, but another label's known examples are nearer by {-self.margin:.2f}: in doubt, a stranger"
        return f"{near}, but it leads the next label by {self.margin:.2f} only: in doubt, a stranger"

    def _repr_html_(self) -> str:
        """Show the answer in a notebook: the verdict, the ranking as bars, the nearest examples."""
        who = html.escape(self.label) if self.label is not None else "stranger"
        bars = "".join(
            f"<tr><td>{html.escape(name)}</td><td style='width:12em'><div style='background:#2b6cb0;height:.8em;width:{100 * p:.1f}%'>"
            f"</div></td><td style='text-align:right'>{p:.3f}</td></tr>"
            for name, p in self.ranking[:5]
        )
        near = ", ".join(f"{html.escape(n.id)} ({n.distance:.2f})" for n in self.nearest)
        return (
            f"<div><b style='font-size:1.2em'>{who}</b><br>{html.escape(self.reason)}"
            f"<table>{bars}</table><small>nearest known examples: {near}</small></div>"
        )


@dataclass(frozen=True)
class Quality:
    """Figures of a frame before it is judged.

    Mean `light` 0..1, `sharpness` (variance of the Laplacian of 0..1 grey), `overexposed` (share of the frame, 0..1, that is white).
    """

    light: float
    sharpness: float
    overexposed: float = 0.0


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture from a sensor: `pixels` uint8 (H, W, C), C = 1 or 3."""

    time: float
    wall: float
    source: str
    pixels: Pixels
    quality: Quality


@dataclass(frozen=True)
class Reading:
    """One row from a sensor that is no camera."""

    time: float
    wall: float
    source: str
    values: Mapping[str, float | str]


@dataclass(frozen=True)
class Visit:
    """All that was judged between an arrival and a leaving; the unit of every error rate at a door."""

    id: str
    start: float
    end: float
    frames: tuple[Prediction, ...]


@dataclass(frozen=True)
class Decision:
    """What the gate makes of a visit; `reason` is a sentence a person can read.

    `note` tells what became of the gate itself, such as a lockout that a person ended: it lets nobody in and turns nobody away.
    """

    visit: str
    verdict: Verdict
    label: str | None
    reason: str
    rule: str
    action: str | None


@dataclass(frozen=True)
class Evidence:
    """An error rate with all that makes it honest.

    `errors` of `trials` `unit`s went wrong; the true rate is at most `bound` (0..1) with `confidence`, by `method`.
    `role`: proof (touched once, everything fixed before), estimate (few examples, cross-fitted), simulated.
    """

    claim: str
    unit: Unit
    trials: int
    errors: int
    bound: float
    confidence: float
    method: str
    role: Role


Record = TypeVar("Record", Prediction, Neighbour, Frame, Reading, Visit, Decision, Evidence, Quality)

_CONFIG = ConfigDict(arbitrary_types_allowed=True, ser_json_inf_nan="constants")
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type[Record]) -> TypeAdapter[Any]:
    """Return the (cached) JSON reader and writer of a record; building one takes milliseconds."""
    if kind not in _ADAPTERS:
        kind.__pydantic_config__ = _CONFIG  # type: ignore[attr-defined]  # pydantic's documented hook for stdlib dataclasses
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(record: Record) -> str:
    """Write a record as one line of JSON; NaN and infinity are kept as such."""
    return _adapter(type(record)).dump_json(record).decode()


def from_json(kind: type[Record], text: str | bytes) -> Record:
    """Read a record back; raises pydantic's ValidationError (a ValueError) for anything else."""
    record: Record = _adapter(kind).validate_json(text)
    return record
