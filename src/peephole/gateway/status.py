"""Tells a broker how the gate is: a retained status, on change and every half minute, with a last will for when the gate is gone.

Its thread has a connection of its own and never holds up the door. It asks whether the watch still moves: a status that a timer
repeats would praise a gate that hangs. Answers to remote commands leave by the same connection.
"""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from peephole.base.errors import ActuatorError
from peephole.base.records import Prediction
from peephole.gateway.clock import Clock
from peephole.gateway.journal import Record, Remark
from peephole.gateway.mqtt import BrokerPlace, Messenger
from peephole.gateway.policy import CLOCK_IS_SET
from peephole.gateway.sensors import Capture

__all__ = ["Condition", "Snapshot", "StatusBoard", "condition"]

LOG = logging.getLogger("peephole.gate")
OFTEN = 30.0  # seconds between two statuses that say the same
SHORT = 1.0  # seconds between two statuses at least: whatever flickers must not flood the broker
WAIT = 0.5  # seconds between two looks
HANGS = 5.0  # seconds without a turn of the watch
FRESH = 60.0  # seconds that a fault is told of
LATE = 10.0  # seconds after which an answer is of no use any more
ROOM = 64  # answers that wait at most

State = Literal["armed", "locked out", "degraded", "offline"]


@dataclass(frozen=True)
class Snapshot:
    """What the watch was like when it last told of itself: `moved` and the other times are monotonic seconds, `shut` why nobody may come in."""

    moved: float
    shut: str = ""
    blind: str = ""
    seen: float | None = None
    fault: str = ""
    failed: float = float("-inf")


@dataclass(frozen=True)
class Condition:
    """How a gate is, and why."""

    state: State
    why: str = ""


def condition(snapshot: Snapshot, now: float) -> Condition:
    """Judge a snapshot at `now` (monotonic seconds): hanging or blind goes before locked out, and that before a fault of the last minute."""
    if not 0 <= now - snapshot.moved <= HANGS:
        return Condition("degraded", f"the watch has not moved for {now - snapshot.moved:.0f} s")
    if snapshot.shut:
        return Condition("locked out", snapshot.shut)
    if snapshot.blind:
        return Condition("degraded", f"the last picture could not be had: {snapshot.blind}")
    if 0 <= now - snapshot.failed <= FRESH:
        return Condition("degraded", snapshot.fault)
    return Condition("armed")


class StatusBoard:
    """A witness that keeps peephole/NAME/status; `about` are facts that never change: how it was armed, the model's digest."""

    name = "status board"

    def __init__(self, place: BrokerPlace, gate: str, about: dict[str, str | None], clock: Clock) -> None:
        """Nothing is sent before `follow`."""
        self._clock, self._began = clock, clock.monotonic()
        self._about = {"gate": gate, **about, "version": _version()}
        self._messenger = Messenger(place, gate, farewell=json.dumps({**self._about, "state": "offline"}, ensure_ascii=False))
        self._shut: Callable[[], str] = lambda: ""
        self._now = Snapshot(self._began)
        self._answers: deque[tuple[float, str, str]] = deque(maxlen=ROOM)
        self._wake, self._stop = threading.Event(), threading.Event()
        self._told: State | None = None
        self._told_at = float("-inf")
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def follow(self, shut: Callable[[], str]) -> None:
        """Begin to tell; `shut` says why nobody may come in, and is asked at each turn of the watch, in its thread."""
        self._shut = shut
        self._thread.start()

    def say(self, topic: str, message: str) -> None:
        """Publish an answer soon, and the status with it; never blocks."""
        self._answers.append((self._clock.monotonic(), topic, message))
        self._wake.set()

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Note when there was a picture, or why there was none."""
        self._now = replace(self._now, blind="" if capture.frame is not None else capture.problem or "there is no picture")
        if capture.frame is not None:
            self._now = replace(self._now, seen=self._clock.monotonic())

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Note a fault."""
        if isinstance(record, Remark) and record.kind == "fault":
            self._now = replace(self._now, fault=f"{record.subject}: {record.text}"[:300], failed=self._clock.monotonic())

    def passed(self, time: float, wall: float) -> None:
        """Note that the watch moves, and whether anybody may come in."""
        shut = self._shut()
        changed = bool(shut) != bool(self._now.shut)
        self._now = replace(self._now, moved=self._clock.monotonic(), shut=shut)
        if changed:
            self._wake.set()

    def close(self) -> None:
        """Say what is left to say, and goodbye."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._shut = lambda: ""  # lets go of the watch, which knows this board: no circle keeps its sockets open
        self._messenger.close()

    def status(self) -> str:
        """Return the status as JSON: ages and `uptime` in seconds, `time` in seconds since 1970, null where the clock was not set."""
        now, wall, seen = self._clock.monotonic(), self._clock.wall(), self._now.seen
        found = condition(self._now, now)
        age = None if seen is None else round(now - seen, 1)
        facts = {"state": found.state, "why": found.why, "uptime": round(now - self._began), "frame_age": age}
        return json.dumps({**self._about, **facts, "time": round(wall, 3) if wall >= CLOCK_IS_SET else None}, ensure_ascii=False)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._turn()
            self._wake.wait(WAIT)
            self._wake.clear()
        self._turn()

    def _turn(self) -> None:
        try:
            asked = self._speak()
            now = self._clock.monotonic()
            state, since = condition(self._now, now).state, now - self._told_at
            news = state != self._told or not self._messenger.connected or asked
            if not 0 <= since < OFTEN or (news and since >= SHORT):
                self._messenger.retain(self.status())
                self._told, self._told_at = state, now
            self._trouble = ""
        except ActuatorError as error:
            # Once an outage; not in the journal, which is told of by others.
            if not self._trouble:
                LOG.warning("the status is not told: %s", error.what)
            self._trouble, self._told = error.what, None
        except Exception:  # whatever happens in here, the next turn tries again
            LOG.exception("the status could not be told")

    def _speak(self) -> bool:
        """Publish the answers that are still of use; says whether there were any."""
        asked = False
        while self._answers:
            since, topic, message = self._answers.popleft()
            asked = True
            if 0 <= self._clock.monotonic() - since < LATE:
                self._messenger.publish(topic, message)
        return asked


def _version() -> str:
    try:
        return version("peephole")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"
