"""What the policy is, what it remembers between two glances, and how a decision is remembered; pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo

from peephole.base.records import Decision, Prediction, Verdict, Visit
from peephole.gateway.conditions import Condition, Row
from peephole.gateway.factor import Asked, Heard
from peephole.gateway.judging import Judged
from peephole.gateway.lockout import Lockout, Patience
from peephole.gateway.rules import Moment, Rule
from peephole.gateway.weighing import Weights

__all__ = [
    "RANK",
    "Agreement",
    "Ended",
    "Policy",
    "Reaction",
    "State",
    "Underway",
    "also_source",
    "awaits",
    "decided",
    "moment",
    "note",
    "once",
    "told",
]

RANK: tuple[Verdict, ...] = ("refuse", "ask", "open")  # of a visit's decisions the strongest is its verdict


@dataclass(frozen=True)
class Policy:
    """What the gate may do: times in seconds; `zone` None means the computer's own local time.

    `factor` is what an opening asks for beside the camera (None: nothing), `fresh` how long the readings of each name count,
    `ajar` the conditions that say the door stands open, which is told after `held`, `also` the other models that must agree;
    `remote` the actions that a remote command may open with (None: there are no remote commands at all).
    """

    agree: int = 3
    within: float = 2.0
    gap: float = 2.0
    cool_down: float = 5.0
    rules: tuple[Rule, ...] = ()
    zone: tzinfo | None = None
    margin: float = 0.0
    factor: Asked | None = None
    weights: Weights | None = None
    fresh: Mapping[str, float] = field(default_factory=dict)
    ajar: tuple[Condition, ...] = ()
    held: float = 30.0
    also: tuple[str, ...] = ()
    remote: frozenset[str] | None = None

    @property
    def patience(self) -> Patience | None:
        """What wrong PINs and tags cost, None where none are asked for."""
        return self.factor.patience if self.factor is not None else None


@dataclass(frozen=True)
class Ended:
    """A visit that is over: `seen` frames, `refused` of them unjudged; `verdict` is the strongest one of its decisions."""

    visit: Visit
    seen: int
    refused: int
    verdict: Verdict
    label: str | None


@dataclass(frozen=True)
class Agreement:
    """Enough frames said `who`, the last of them at `time`; `brief`, `told` and `why` say so with ever more figures.

    `odds` are the labels' mean probabilities, 0..1.
    """

    who: str
    time: float
    brief: str
    told: str
    why: str
    odds: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Underway:
    """The visit that is going on; `run` holds the times of the latest frames in a row that say `who`.

    `agreed` is the latest agreement; while it `awaits` a second factor, the visit goes on without frames.
    """

    id: str
    named: str | None
    start: float
    last: float
    seen: int = 0
    refused: int = 0
    frames: tuple[Prediction, ...] = ()
    latest: tuple[Judged, ...] = ()
    who: str = ""
    run: tuple[float, ...] = ()
    done: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    opened: bool = False
    verdict: Verdict | None = None
    label: str | None = None
    agreed: Agreement | None = None
    awaits: bool = False


@dataclass(frozen=True)
class State:
    """All that the policy remembers; `prefix` makes the names of visits unique across restarts.

    `rows` are the latest readings, `fired` when each rule that only readings drive last acted, `ajar_since` when the door was
    first said to stand open, `remote_told` when a remote command was last said not to be followed.
    """

    prefix: str = "visit-"
    time: float = -math.inf
    shut_until: float = -math.inf
    count: int = 0
    visit: Underway | None = None
    lockout: Lockout = field(default_factory=Lockout)
    heard: Heard = field(default_factory=Heard)
    rows: Mapping[str, Row] = field(default_factory=dict)
    fired: Mapping[str, float] = field(default_factory=dict)
    ajar_since: float | None = None
    ajar_told: bool = False
    remote_told: float = -math.inf


@dataclass(frozen=True)
class Reaction:
    """The next state, and what happened, in order."""

    state: State
    events: tuple[Decision | Ended, ...] = ()


def also_source(name: str) -> str:
    """Return what another model's word comes under: no reading can be called that, for their names have no slash."""
    return f"also/{name}"


def moment(policy: Policy, state: State, time: float, wall: float) -> Moment:
    """Return what rules are asked about."""
    return Moment(time, wall, state.rows, policy.fresh, policy.zone)


def awaits(policy: Policy, visit: Underway, time: float) -> bool:
    """Say whether somebody who was recognised may still show the second factor."""
    return policy.factor is not None and visit.awaits and visit.agreed is not None and abs(time - visit.agreed.time) <= policy.factor.within


def once(state: State, visit: Underway, who: str, rule: str, reason: str) -> tuple[State, Decision | None]:
    """Refuse somebody ("": nobody in particular) for a reason, once per visit."""
    key = f"{rule} {who}"
    if key in visit.told:
        return replace(state, visit=visit), None
    return told(replace(state, visit=replace(visit, told=visit.told | {key})), rule, who or None, reason)


def told(state: State, rule: str, label: str | None, reason: str) -> tuple[State, Decision]:
    """Refuse for a reason; outside a visit it belongs to none."""
    decision = Decision("-" if state.visit is None else state.visit.id, "refuse", label, reason, rule, None)
    return (state, decision) if state.visit is None else decided(state, decision)


def note(rule: str, reason: str, verdict: Verdict = "note") -> Decision:
    """Return what is told of the gate itself: it belongs to no visit, whoever stands at the door meanwhile."""
    return Decision("-", verdict, None, reason, rule, None)


def decided(state: State, decision: Decision) -> tuple[State, Decision]:
    """Remember the strongest verdict of the visit: open, then ask, then refuse."""
    visit = state.visit
    assert visit is not None, "a decision belongs to a visit"
    if visit.verdict is None or RANK.index(decision.verdict) > RANK.index(visit.verdict):
        visit = replace(visit, verdict=decision.verdict, label=decision.label)
    return replace(state, visit=visit), decision
