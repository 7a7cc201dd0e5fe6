"""A door's policy in a world where everything goes wrong, with a second opinion: what may open is worked out without the policy's code.

The world keeps its own book of frames, messages, failures and orders. Whatever the policy does against that book is a violation.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC

from peephole.base.records import Decision, Neighbour, Prediction
from peephole.gateway.factor import Asked
from peephole.gateway.hearing import END_LOCKOUT, began, hear, unkept, written
from peephole.gateway.hours import ALWAYS
from peephole.gateway.inbox import Signal
from peephole.gateway.lockout import Kept, Patience
from peephole.gateway.policy import Glance, Policy, Reaction, Rule, State, step, tick

AGREE, WITHIN, COOL, FACTOR, LOCKED, AFTER, DISABLED = 3, 2.0, 5.0, 20.0, 30.0, 5, 50
RULES = (
    Rule("rule 1", frozenset({"ana", "junho"}), ALWAYS, "open", True),
    Rule("rule 2", frozenset({"unknown"}), ALWAYS, "call", False),
)
POLICY = Policy(AGREE, WITHIN, 2.0, COOL, RULES, UTC, factor=Asked("secret", FACTOR, 300.0, Patience(AFTER, LOCKED, DISABLED)))
WALL = 1_790_000_000.0


def seen(label: str | None) -> Prediction:
    """Return a prediction of somebody, accepted unless `label` is None."""
    best = label or "ana"
    return Prediction(label, 0.95, 0.9 if label else 0.5, 0.3, ((best, 0.95), ("x", 0.05)), (Neighbour("a/1", best, 0.1),), label is not None, 0.67)


FACES: dict[str, Prediction | None] = {"ana": seen("ana"), "junho": seen("junho"), "mallory": seen("mallory"), "stranger": seen(None), "dark": None}


@dataclass(frozen=True)
class Sent:
    """One PIN message: whose it is ("" for a wrong one), and its envelope."""

    whose: str
    nonce: str
    expires: float
    retained: bool = False

    @property
    def values(self) -> dict[str, float | str]:
        """As the letters module hands it on."""
        values: dict[str, float | str] = {"nonce": self.nonce, "expires": self.expires, "whose": json.dumps([self.whose] if self.whose else [])}
        return {**values, "retained": 1.0} if self.retained else values


@dataclass
class Token:
    """A PIN that the book accepted."""

    whose: str
    time: float
    used: bool = False


@dataclass
class World:
    """One door over many boots; `violations` says what it did that it must not. A `careless` one goes on when the disk is full."""

    policy: Policy = POLICY
    walk: Callable[[Policy, State, Glance], Reaction] = step
    ear: Callable[[Policy, State, Signal], Reaction] = hear
    start: Callable[[Policy, State, Kept, float], State] = began
    save: Callable[[Kept], Kept] = lambda kept: kept
    violations: list[str] = field(default_factory=list)
    openings: int = 0
    time: float = 0.0
    wall: float = WALL
    disk: Kept = field(default_factory=Kept)
    full: bool = False
    careless: bool = False
    dies: bool = False

    def __post_init__(self) -> None:
        self.sent: list[Sent] = []
        self.orders: list[str] = []
        self.followed: set[str] = set()
        self.spent: set[str] = set()
        self.failures, self.last_open = 0, -math.inf
        self._boot()

    def _boot(self) -> None:
        self.state = self.start(self.policy, State(), self.disk, self.time)
        self.run: list[tuple[float, str]] = []
        self.agreed: tuple[float, str] = (-math.inf, "")
        self.tokens: list[Token] = []
        self.nonces: set[str] = set()
        self.locked_from = self.time if self.failures and self.failures % AFTER == 0 else -math.inf
        self.last_open = -math.inf
        self.unwritten = False
        self._compare("after a start")

    @property
    def shut(self) -> bool:
        """Whether the book says that nobody may come in."""
        return self.unwritten or self.failures >= DISABLED or self.time < self.locked_from + LOCKED

    def _compare(self, when: str) -> None:
        if self.state.lockout.kept.failures < self.failures:
            self.violations.append(f"{when}: {self.state.lockout.kept.failures} failures are remembered of {self.failures}")

    def _react(self, reaction: Reaction) -> None:
        """Put on disk, then act, as the watch does; a crash may come in between."""
        old, new, dies = self.state.lockout, reaction.state.lockout, False
        if (old.kept, old.unwritten) != (new.kept, new.unwritten):
            if self.full:
                reaction, self.unwritten = reaction if self.careless else unkept(self.state, reaction, "it is full"), True
            else:
                self.disk, self.unwritten, dies, self.dies = self.save(new.kept), new.unwritten, self.dies, False
        self.state = reaction.state
        if dies:
            opened = any(isinstance(event, Decision) and event.verdict == "open" for event in reaction.events)
            self.failures = 0 if opened or new.kept.failures < old.kept.failures else self.failures
            self.crash()
            return
        for event in reaction.events:
            if isinstance(event, Decision) and event.action == "open":
                self._opened(event)

    def _opened(self, decision: Decision) -> None:
        self.openings += 1
        who, why = decision.label or "", self.violations.append
        if decision.verdict != "open" or who not in ("ana", "junho"):
            why("it opened for nobody who may")
        if self.agreed[1] != who or abs(self.time - self.agreed[0]) > FACTOR:
            why("frames did not agree on them just now")
        token = next((token for token in self.tokens if token.whose == who and not token.used and abs(self.time - token.time) <= FACTOR), None)
        if token is None:
            why("no PIN of theirs came in time")
        else:
            token.used = True
        if self.shut:
            why("the door was locked out, or could not count")
        if 0 <= self.time - self.last_open < COOL:
            why("the cool-down was not over")
        self.failures, self.last_open, self.locked_from = 0, self.time, -math.inf

    def frame(self, face: str, after: float = 0.2) -> None:
        """Let a frame come, seconds after whatever came before; negative ones are a clock that went back."""
        before, self.time, self.wall = self.time, self.time + after, self.wall + after
        prediction = FACES[face]
        good = prediction is not None and after >= 0
        who = ("unknown" if face == "stranger" else face) if good else ""
        self.run = [*self.run, (self.time, who)] if who and self.run and self.run[-1][1] == who else ([(self.time, who)] if who else [])
        if after < 0:  # what was waited for begins again, what was heard is forgotten
            self.agreed, self.tokens, self.last_open = (-math.inf, ""), [], self.time if self.last_open > -math.inf else -math.inf
            self.locked_from = self.time if before < self.locked_from + LOCKED else self.locked_from
        if len(self.run) >= AGREE and self.run[-1][0] - self.run[-AGREE][0] <= WITHIN:
            self.agreed = (self.time, who)
        self._react(self.walk(self.policy, self.state, Glance(self.time, self.wall, prediction, "" if prediction else "too dark")))

    def wait(self, seconds: float) -> None:
        """Let time pass without a frame."""
        self.time, self.wall = self.time + seconds, self.wall + seconds
        self._react(tick(self.policy, self.state, self.time))
        if self.unwritten and not self.full:
            self._react(Reaction(written(self.state)))

    def pin(self, whose: str, life: float = 10.0, nonce: str | None = None, retained: bool = False) -> None:
        """Let somebody type a PIN, right or wrong (""), in a new message."""
        self.sent.append(Sent(whose, f"nonce-{len(self.sent):06}" if nonce is None else nonce, self.wall + life, retained))
        self.again(len(self.sent) - 1)

    def again(self, number: int) -> None:
        """Let a message come that was sent, for the first time or again."""
        sent = self.sent[number % len(self.sent)]
        new = sent.nonce not in self.nonces | self.spent
        believed = not sent.retained and len(sent.nonce) >= 8 and self.wall < sent.expires <= self.wall + 60 and new and not self.shut
        if len(sent.nonce) >= 8 and not sent.retained:
            self.nonces.add(sent.nonce)
        if believed and sent.whose:
            self.tokens.append(Token(sent.whose, self.time))
            if not self.full:
                self.spent.add(sent.nonce)
        elif believed:
            self.failures += 1
            self.locked_from = self.time if self.failures % AFTER == 0 else self.locked_from
            self.tokens = [] if self.shut else self.tokens  # what was typed before a lockout is worth nothing after it
        self._react(self.ear(self.policy, self.state, Signal(self.time, self.wall, "pin", "factor", sent.values)))
        self._compare("after a PIN")

    def order(self, number: int | None = None) -> None:
        """Let a person end the lockout, or an old order come again."""
        if number is None or not self.orders:
            self.orders.append(f"order{len(self.orders)}")
        order = self.orders[-1 if number is None else number % len(self.orders)]
        self._react(self.ear(self.policy, self.state, Signal(self.time, self.wall, "a person", "command", {"do": END_LOCKOUT, "order": order})))
        if order not in self.followed and not self.full:  # one that could not be followed for a full disk may come again
            self.followed.add(order)
            self.failures, self.locked_from = 0, -math.inf
        self._compare("after an order")

    def crash(self, boots: bool = False) -> None:
        """Kill the gate and start it again; after a boot the monotonic clock begins anew."""
        self.time = 0.0 if boots else self.time
        # What only memory knew of failures is gone with it: the watch had answered nothing yet.
        self.failures = min(self.failures, self.disk.failures) if self.unwritten else self.failures
        self._boot()

    def set_clock(self, wall: float) -> None:
        """Set the wall clock alone."""
        self.wall = wall


def broken_step(**changes: object) -> Callable[[Policy, State, Glance], Reaction]:
    """Return a step that uses another policy than it was told to."""
    return lambda policy, state, one: step(replace(policy, **changes), state, one)  # type: ignore[arg-type]


def ear_that_sees(change: Callable[[Mapping[str, float | str]], Mapping[str, float | str]]) -> Callable[[Policy, State, Signal], Reaction]:
    """Return a hearing that reads messages wrongly."""
    return lambda policy, state, signal: hear(policy, state, replace(signal, values=change(signal.values)))
