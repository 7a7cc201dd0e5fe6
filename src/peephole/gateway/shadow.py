"""A shadow: another model that is shown the same frames, off the door's path, and says where it would have acted otherwise.

It has a thread, a policy and a state of its own, and no controller. Frames wait in a queue that is bounded by count and by bytes; what finds
no room is dropped and counted, and a visit with a dropped frame is not compared. Whatever goes wrong in here is a fault and nothing else.
"""

import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from peephole.base.errors import GateError, JournalError, PeepholeError, PhotoError
from peephole.base.records import Decision, Prediction
from peephole.gateway.complaint import Complaint
from peephole.gateway.differences import acts_of, difference_of
from peephole.gateway.door import Door
from peephole.gateway.journal import Journal, Record, Remark
from peephole.gateway.policy import Ended, Glance, State, finish, step
from peephole.gateway.quality import poor
from peephole.gateway.reasons import plural
from peephole.gateway.selftest import examine
from peephole.gateway.sensors import Capture
from peephole.gateway.watch import Predict, Witness

__all__ = ["Shadow", "shadows"]

FRAMES = 32  # that wait
BYTES = 64 * 2**20  # of pixels that wait
VISITS = 256  # that may end while the shadow is busy
HANG = 30.0  # seconds for one frame, after which it is given up
PATIENCE = 2.0  # seconds that the end of the gate waits for it
NICE = 10


@dataclass(frozen=True, eq=False)
class _Seen:
    """A frame as the door saw it: pixels uint8 (H, W, C), or None with the `problem` that kept it from being judged."""

    time: float
    wall: float
    pixels: np.ndarray | None
    problem: str
    visit: str


@dataclass(frozen=True)
class _Over:
    """A visit that is over at the door, with what the door decided in it; `lost` frames of it never came here."""

    visit: str
    decisions: tuple[Decision, ...]
    lost: int


class Shadow:
    """A witness that runs another model; `predict` takes uint8 pixels (H, W, C), `named` is the model's name in the journal."""

    name = "shadow"

    def __init__(
        self,
        named: str,
        predict: Predict,
        door: Door,
        journal: Journal,
        *,
        frames: int = FRAMES,
        hang: float = HANG,
        patience: float = PATIENCE,
    ) -> None:
        self._named, self._predict, self._policy, self._journal = named, predict, door.policy(), journal
        self._limits = door.settings.sensor.quality
        self._frames, self._hang, self._patience = frames, hang, patience
        self._state = State(prefix="shadow-")
        self._waiting: deque[_Seen | _Over] = deque()
        self._room = threading.Condition()
        self._seen = self._bytes = self._overs = 0
        self._lost: dict[str, int] = {}
        self._live: list[Decision] = []
        self._mine: list[Decision] = []
        self._error: Exception | None = None
        self._since: float | None = None
        self._now = (0.0, 0.0)
        self._ending = self._told = False
        self.dropped = self.compared = self.differing = self.opened = self.skipped = 0
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Let a frame wait for the shadow, or drop it; raises what the shadow failed with."""
        self._require_well()
        frame = capture.frame
        if frame is None and not visit:
            return  # no picture, and nobody's visit
        # Where the door's own region found nobody or its model failed, the shadow may do better; a poor frame is poor for both.
        refused = problem if frame is None or prediction is not None else poor(frame.quality, self._limits)
        pixels = frame.pixels if frame is not None and not refused else None
        item = _Seen(capture.time, capture.wall, pixels, refused, visit)
        size = 0 if pixels is None else pixels.nbytes
        with self._room:
            if self._seen >= self._frames or (self._bytes and self._bytes + size > BYTES):
                self.dropped += 1
                self._lost[visit] = self._lost.get(visit, 0) + 1
                return
            self._waiting.append(item)
            self._seen += 1
            self._bytes += size
            self._room.notify()

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Remember what the door decided; at the end of a visit the shadow ends it too."""
        self._now = (time, wall)
        if isinstance(record, Decision):
            self._live.append(record)
        elif isinstance(record, Ended):
            with self._room:
                decided = tuple(decision for decision in self._live if decision.visit == record.visit.id)
                over = _Over(record.visit.id, decided, self._lost.pop(record.visit.id, 0))
                self._live = []
                if self._overs >= VISITS:
                    self.skipped += 1
                    return
                self._overs += 1
                self._waiting.append(over)
                self._room.notify()

    def passed(self, time: float, wall: float) -> None:
        """Look whether the shadow is still well; raises what it failed with."""
        self._now = (time, wall)
        self._require_well()

    def close(self) -> None:
        """Let it finish what waits, for two seconds at most, and write down how it compared; a shadow that hangs is left behind."""
        with self._room:
            self._ending = True
            self._room.notify()
        self._thread.join(self._patience)
        if self._thread.is_alive() and self._error is None:
            self._error = GateError(f"{self._named} did not end and was left behind", "try it with: peephole gate replay")
        if self._error is not None and not self._told:
            with suppress(JournalError):
                what = self._error.what if isinstance(self._error, PeepholeError) else repr(self._error)
                self._journal.write(Remark("fault", "the shadow", what[:2000]), *self._now)

    def _require_well(self) -> None:
        since = self._since
        if since is not None and self._error is None and time.monotonic() - since > self._hang:
            self._error = GateError(
                f"{self._named} has not answered for {self._hang:g} s and is not asked again", "try it with: peephole gate replay"
            )
        if self._error is not None:
            self._ending = self._told = True
            raise self._error

    def _work(self) -> None:
        """The shadow's thread: nicer than the door's, until it is told to end or fails."""
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            while (item := self._next()) is not None:
                self._take(item)
            self._report()
        except Exception as error:  # told by the next turn of the watch
            self._error = self._error or error
        with self._room:
            self._waiting.clear()

    def _next(self) -> _Seen | _Over | None:
        with self._room:
            while not self._waiting and not self._ending:
                self._room.wait()
            if not self._waiting or self._error is not None:
                return None
            item = self._waiting.popleft()
            if isinstance(item, _Seen):
                self._seen -= 1
                self._bytes -= 0 if item.pixels is None else item.pixels.nbytes
            else:
                self._overs -= 1
            return item

    def _take(self, item: _Seen | _Over) -> None:
        if isinstance(item, _Over):
            self._compare(item)
            return
        self._since = time.monotonic()
        problem, prediction = item.problem, None
        if item.pixels is not None:
            try:
                prediction = self._predict(item.pixels)
            except PhotoError as error:  # no fault: the region found nobody to judge
                problem = error.what
        self._since = None
        # The door says which visit a frame belongs to, so that both cut the night alike.
        reaction = step(self._policy, self._state, Glance(item.time, item.wall, prediction, problem, item.visit or None))
        self._state = reaction.state
        self._mine += [event for event in reaction.events if isinstance(event, Decision)]

    def _compare(self, over: _Over) -> None:
        """End the visit and write down how the shadow would have acted, where that differs."""
        ended = finish(self._policy, self._state)
        self._state = ended.state
        decisions = [*self._mine, *(event for event in ended.events if isinstance(event, Decision))]
        mine = acts_of(over.visit, [decision for decision in decisions if decision.visit == over.visit])
        self._mine = []
        if over.lost:
            self.skipped += 1
            return
        self.compared += 1
        found = difference_of(acts_of(over.visit, over.decisions), mine)
        if found is not None:
            self.differing += 1
            self.opened += found.opened
            told = f"the door: {found.then}; {self._named}: {found.now}; {found.why}"
            self._journal.write(Remark("shadow", over.visit, told[:2000]), *self._now)

    def _report(self) -> None:
        """Write down how the shadow compared, once, at the end."""
        left = f", {plural(self.skipped, 'visit')} not compared ({plural(self.dropped, 'frame')} dropped)" if self.skipped or self.dropped else ""
        found = f"{plural(self.compared, 'visit')} compared, {self.differing} would have gone otherwise, {self.opened} of them with an opening"
        self._journal.write(Remark("shadow", self._named, f"{found} that the door did not make{left}"), *self._now)


def shadows(door: Door, journal: Journal) -> tuple[Witness, ...]:
    """Return the shadow that a door's settings name, or a complaint where it is not fit: the door needs no shadow to do its work."""
    path = door.shadow
    if path is None:
        return ()
    try:
        fit = examine(door, path)
    except PeepholeError as error:
        return (Complaint("shadow", error),)
    return (Shadow(fit.named, fit.predictor.follow, door, journal),)
