"""The watch at the door, turn by turn: judge a frame, let the policy decide, journal, act; in doubt, and on any fault, shut.

Knows the model only as a function from pixels to a prediction, and its bystanders only as witnesses, who may look and never decide.
"""

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import gmtime, strftime
from typing import Protocol

import numpy as np

from peephole.base.errors import ActuatorError, JournalError, PeepholeError, PhotoError
from peephole.base.records import Decision, Prediction, Verdict
from peephole.gateway.arming import Armed
from peephole.gateway.beats import Beats
from peephole.gateway.clock import Clock
from peephole.gateway.door import Door
from peephole.gateway.hearing import began
from peephole.gateway.journal import Journal, Record, Remark
from peephole.gateway.judging import doubt
from peephole.gateway.lockout import held
from peephole.gateway.oneline import one_line
from peephole.gateway.policy import Ended, Glance, Policy, Reaction, State, finish, step, tick
from peephole.gateway.quality import poor, unfit
from peephole.gateway.reception import Reception, heard, kept, unheard
from peephole.gateway.remotedesk import Deed
from peephole.gateway.sensors import Capture, Idle, Sensor
from peephole.gateway.sight import Sight, require_fresh
from peephole.gateway.state import RANK
from peephole.gateway.summary import Outcome, Summary
from peephole.gateway.switchboard import Switchboard

__all__ = ["Outcome", "Predict", "Summary", "Watch", "Witness"]

LOG = logging.getLogger("peephole.gate")
REMEMBERED = 1000
MINUTE = 60.0
WAIT = 0.2  # seconds at most between two looks at the pulses
STALE = 1.0  # seconds: an older frame shows who was at the door, not who is

Predict = Callable[[np.ndarray], Prediction]


class Witness(Protocol):
    """Who may look on and never decides: a shadow model, a keeper of pictures, a status board, a watchdog.

    One that raises is told of as a fault and not asked again; the door does not care. `heard` may come from the thread that ends pulses.
    """

    name: str

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Hear of a frame, what the model said (None: nothing) or what kept it from being judged, and the visit it was counted into."""
        ...

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Hear of a record that stands in the journal under `number`; times as the journal has them."""
        ...

    def passed(self, time: float, wall: float) -> None:
        """Hear that a turn of the watch is over, with or without a frame."""
        ...

    def close(self) -> None:
        """Let go; the watch is over."""
        ...


class Watch:
    """One run of the gate: the parts, the policy's state and the counts."""

    def __init__(
        self,
        door: Door,
        predict: Predict,
        armed: Armed,
        *,
        sensor: Sensor,
        board: Switchboard,
        journal: Journal,
        clock: Clock,
        witnesses: Sequence[Witness] = (),
        reception: Reception | None = None,
        beats: Beats | None = None,
        notes: Sequence[str] = (),
        tell: Callable[[Record], None] | None,
    ) -> None:
        self._witnesses, self._beats, self._reception = list(witnesses), beats or Beats(clock), reception
        self._door, self._predict, self._armed, self._sensor = door, predict, armed, sensor
        self._board, self._journal, self._clock, self._tell = board, journal, clock, tell
        self._policy: Policy = door.policy()
        self._sight = Sight(None if sensor.recorded else board)
        self._time, self._wall = (0.0, 0.0) if sensor.recorded else (clock.monotonic(), clock.wall())
        self._state = State(prefix=f"{strftime('%Y%m%d-%H%M%S', gmtime(clock.wall()))}-{secrets.token_hex(2)}-")
        self._frames = self._refused = self._unwritten = 0
        self._faults_before = journal.faults
        self._counts = {"open": 0, "ask": 0, "refuse": 0}
        self._outcomes: deque[Outcome] = deque(maxlen=REMEMBERED)
        self._truth: str | None = None
        self._reason = self._noted = ""
        self._told: Verdict = "refuse"
        self._undone = False
        self._failed = ("", 0.0)  # what the model raised last, and when that was written down
        hours = [rule.name for rule in self._policy.rules if rule.hours.spans]
        undated = (
            f"the recording has no dates, so the hours of {' and '.join(hours)} never hold in it; "
            "say when a folder's began: ?start=2026-11-02T08:00, or gate replay --start"
        )
        unasked = unheard(door) if reception is None else ()
        self._notes = (*notes, *sensor.notes, *([undated] if hours and not sensor.dated else []), *unasked)

    def run(self, stop: threading.Event) -> Summary:
        """Safe, watch, safe."""
        ending = "a fault ended the watch"
        try:
            self._make_safe()
            self._remark("start", self._door.settings.gate.model, "; ".join((self._armed.sentence, *self._unended(), *self._notes)), must=True)
            if not self._sensor.recorded:
                self._board.watch(self._clock, self._controller_fault, self._beats.of)
            self._open_ears()
            for item in self._sensor.captures(stop):
                self._take(item)
                self._witnessed(lambda witness: witness.passed(self._time, self._wall))
            self._happen(finish(self._policy, self._state))
            self._sight.close()
            self._let_pulses_end(stop)
            ending = "it was told to stop" if stop.is_set() else "the recording ended"
        except BaseException as error:
            self._fault("the gate", error)
            raise
        finally:
            cut = self._make_safe()
            self._remark("stop", self._door.settings.gate.model, "; ".join((ending, *cut, self._armed.short)))
        return self._summary()

    def _open_ears(self) -> None:
        """Take up the lockout where it was, then begin to listen."""
        if self._reception is None:
            return
        self._state = began(self._policy, self._state, self._reception.kept, self._time)
        if self._reception.problem:
            self._fault("the lockout", JournalError(self._reception.problem))
        self._reception.start()

    def _listen(self) -> None:
        """Let the policy hear what came in beside the frames, and how time passes; say what cannot be heard."""
        for what in self._reception.faults() if self._reception is not None else ():
            self._fault("the broker", ActuatorError(what))
        for signal, reaction in heard(self._reception, self._policy, lambda: self._state, self._time):
            locked = self._state.lockout.kept.standing.locked
            deeds = self._happen(reaction)
            if self._state.lockout.kept.standing.locked and not locked:
                self._cut_short("because of the command before this row")
            if signal is not None and self._reception is not None:
                self._reception.answer(signal, deeds)

    def _unended(self) -> tuple[str, ...]:
        """Say so when the run before this one never wrote its stop: what was open then is shut only now."""
        try:
            gone, _ = self._journal.begins()  # a start that was removed with its rows was the last one of them at the latest
            began, ended = (
                max((row.number for row in self._journal.entries(kind, 1)), default=last) for kind, last in (("start", gone), ("stop", 0))
            )
        except JournalError as error:
            return (f"the run before it is not known: {error.what}",)
        return ("the run before it wrote no stop (killed, a power cut, or still running)",) if began > ended else ()

    def _let_pulses_end(self, stop: threading.Event) -> None:
        """Wait on the sensor's own clock until every pulse is over."""
        while (due := self._board.due) is not None and not stop.is_set():
            if self._sensor.recorded:
                self._time, self._wall = due, self._wall + max(0.0, due - self._time)
            else:
                self._clock.wait(min(WAIT, max(0.01, due - self._clock.monotonic())), stop)
                self._time, self._wall = self._clock.monotonic(), self._clock.wall()
            self._release()

    def _take(self, item: Capture | Idle) -> None:
        self._time, self._wall = item.time, item.wall
        self._release()
        self._listen()
        if isinstance(item, Idle):
            self._sight.idle(item)
            self._happen(tick(self._policy, self._state, item.time))
            return
        self._frames += 1
        problem, prediction, blind = self._judge(item)
        self._sight.frame(item.time, blind)
        self._refused += bool(problem)
        if item.problem:
            self._remark("frame", item.source, item.problem)
        glance = Glance(item.time, item.wall, prediction, problem, item.visit, taken=item.frame is not None)
        self._happen(step(self._policy, self._state, glance), item.truth)
        visit = self._state.visit.id if self._state.visit is not None else ""
        self._witnessed(lambda witness: witness.saw(item, prediction, problem, visit))
        if prediction is not None and prediction.note not in ("", self._noted):  # once a visit, not ten times a second
            self._noted = prediction.note
            self._remark("frame", item.source, prediction.note)

    def _judge(self, item: Capture) -> tuple[str, Prediction | None, str]:
        """Return what keeps a frame from being judged or from counting, the model's answer, and what kept the door from being seen at all."""
        limits = self._door.settings.sensor.quality
        problem = (item.problem or "there is no picture") if item.frame is None else poor(item.frame.quality, limits)
        if problem or item.frame is None:
            return problem, None, problem
        try:
            prediction = self._predict(item.frame.pixels)
        except PhotoError as error:  # no fault: the region found nobody to judge
            return error.what, None, ""
        except Exception as error:  # a model that fails on one frame must not end the watch over the door
            problem = self._model_failed(_plain(error), error)
            return problem, None, problem
        if not self._sensor.recorded and self._clock.monotonic() - item.time > STALE:
            problem = f"it was {self._clock.monotonic() - item.time:.1f} s old when it was judged"
            return problem, prediction, problem
        return unfit(prediction, limits), prediction, doubt(prediction)

    def _model_failed(self, text: str, error: Exception) -> str:
        """Make safe and return the problem; live, the same one is written down once a minute: one at every frame must not fill the journal."""
        before, time = self._failed
        if self._sensor.recorded or text != before or not 0 <= self._time - time < MINUTE:
            self._failed = (text, self._time)
            self._fault("the model", error)
        else:
            self._unwritten += 1
        self._cut_short()
        return f"the model failed: {text}"

    @property
    def faults(self) -> int:
        """How many faults there were: all rows of the run, also those that witnesses wrote, and what could not or need not be written again."""
        return self._unwritten + self._journal.faults - self._faults_before

    @property
    def shut(self) -> str:
        """Why nobody may come in, whoever they are, or nothing; for the watch's own thread."""
        return held(self._policy.patience, self._state.lockout, self._time)

    def _happen(self, reaction: Reaction, truth: str | None = None) -> list[Deed]:
        """Carry out what the policy says, in order, and return what was done; `truth` belongs to the visit that is going on afterwards."""
        deeds: list[Deed] = []
        reaction, trouble = kept(self._reception, self._state, reaction)
        if trouble is not None:
            self._fault("the lockout", trouble)
        self._state = reaction.state
        for event in reaction.events:
            if isinstance(event, Decision):
                deeds.append((event, self._carry_out(event)))
            else:
                self._close(event)
        if self._state.visit is not None:
            self._truth = truth or self._truth
        return deeds

    def _carry_out(self, decision: Decision) -> bool:
        """Journal, then act, and say whether that went well; what is not in the journal does not happen."""
        if decision.visit != "-" and RANK.index(decision.verdict) >= RANK.index(self._told):  # of the strongest, the latest
            self._told, self._reason = decision.verdict, decision.reason
        try:
            self._write(decision)
        except JournalError as error:
            self._fault("the journal", error)
            self._cut_short()
            self._undone = self._undone or (decision.action is not None and decision.visit != "-")
            return False
        if decision.action is None:
            return True
        try:
            if self._door.settings.opens(decision.action):
                require_fresh(self._time, self._now)
            self._board.act(decision, self._now, self._wall)
        except ActuatorError as error:
            self._undone = self._undone or decision.visit != "-"
            self._fault(decision.action, error)
            self._release()
            return False
        return True

    def _close(self, ended: Ended) -> None:
        """Count and journal a visit that is over."""
        acted = not (self._undone and ended.verdict != "refuse")
        outcome = Outcome(ended.visit.id, ended.verdict, ended.label, self._reason, acted, self._truth)
        self._counts[ended.verdict if acted else "refuse"] += 1
        self._outcomes.append(outcome)
        self._truth, self._told, self._reason, self._noted, self._undone = None, "refuse", "", "", False
        try:
            self._write(ended if acted else replace(ended, verdict="refuse"))
        except JournalError as error:
            self._fault("the journal", error)

    @property
    def _now(self) -> float:
        """The time that pulses are counted on: a recording's own, or the clock's."""
        return self._time if self._sensor.recorded else self._clock.monotonic()

    def _release(self) -> None:
        for problem in self._board.tick(self._now, self._wall):
            self._controller_fault(problem)

    def _make_safe(self) -> tuple[str, ...]:
        """Put every controller into its safe state and say whose pulse that cut short."""
        cut = tuple(f"'{name}' was ended {left:.1f} s before its pulse was over" for name, left in self._board.underway(self._now))
        for problem in self._board.make_safe(self._now, self._wall):
            self._controller_fault(problem)
        return cut

    def _cut_short(self, why: str = "because of the fault before this row") -> None:
        """Make safe because of the fault or command that was just written down."""
        for sentence in self._make_safe():
            self._remark("fault", self._door.settings.gate.name, f"{sentence}, {why}")

    def _controller_fault(self, problem: str) -> None:
        name, _, what = problem.partition(": ")
        self._fault(name, ActuatorError(what))

    def _fault(self, subject: str, error: BaseException) -> None:
        told = self._remark("fault", subject, _plain(error))
        self._unwritten += not told
        LOG.error("%s", one_line(f"{subject}: {_plain(error)}"), extra={"told": told})

    def _remark(self, kind: str, subject: str, text: str, must: bool = False) -> bool:
        """Journal a remark and say whether it stands there; only one that `must` be there raises."""
        remark = Remark(kind, subject[:200], text[:2000])  # type: ignore[arg-type]  # the callers above name the kinds
        try:
            self._write(remark)
        except JournalError as error:
            if must:
                raise
            if text != _plain(error):  # which whoever calls is about to say
                LOG.error("%s", one_line(_plain(error)))
            return False
        return True

    def _write(self, record: Record) -> None:
        number, time, wall = self._journal.write(record, self._time, self._wall), self._time, self._wall
        if self._tell is not None:
            self._tell(record)
        self._witnessed(lambda witness: witness.heard(record, number, time, wall))

    def _witnessed(self, tell: Callable[[Witness], None]) -> None:
        """Tell every witness; one that raises is told of as a fault and let go, for nobody who merely looks on may hold up the door."""
        for witness in tuple(self._witnesses):
            try:
                tell(witness)
            except Exception as error:
                self._witnesses = [other for other in self._witnesses if other is not witness]
                self._fault(f"the {witness.name}", error)

    def _summary(self) -> Summary:
        counts = self._counts
        return Summary(
            self._door.settings.gate.name,
            self._armed,
            self._frames,
            self._refused,
            sum(counts.values()),
            counts["open"],
            counts["ask"],
            counts["refuse"],
            self.faults,
            tuple(self._outcomes),
            self._notes,
        )


def _plain(error: BaseException) -> str:
    return error.what if isinstance(error, PeepholeError) else f"{type(error).__name__}: {error}"
