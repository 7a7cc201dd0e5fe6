"""All controllers of a gate: who is on, until when, and back to safe at start, stop and any fault."""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from peephole.base.errors import ActuatorError, SettingsError
from peephole.base.records import Decision
from peephole.gateway.actuators import Actuator, Attentive, Command, RecordingActuator
from peephole.gateway.clock import Clock
from peephole.gateway.door import Door
from peephole.gateway.keys import Broker
from peephole.gateway.mqtt import BrokerPlace
from peephole.gateway.outputs import Outputs
from peephole.gateway.secret import read_secret
from peephole.gateway.trust import Trust

__all__ = ["Line", "Switchboard", "open_switchboard", "rehearsal"]

LOG = logging.getLogger("peephole.gate")
RETRY = 1.0
BEAT = 0.05


@dataclass
class Line:
    """One action's controller; `opens` says that it lets people in.

    `due` is when it must go back to `safe` (monotonic seconds), None when it is there; `since` when it was last told to be on. `seen`: it
    was opened for somebody before the camera, so its pulse goes on only while somebody vouches for it (see Switchboard.vouch).
    """

    actuator: Actuator
    pulse: float | None = None
    safe: Literal["off", "on"] = "off"
    opens: bool = False
    seen: bool = False
    due: float | None = None
    since: float = -math.inf
    failing: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Switchboard:
    """Turns decisions into commands and ends every pulse, also while the deciding loop is busy (see `watch`).

    A release that fails is tried again every second. The threads live in this process: a relay and whatever hears a command outlive
    it, which is why each `on` says how long it lasts. An opening for somebody who was seen is a dead man's handle besides: whoever
    sees must say again and again that he still does, or it ends before its pulse is over.
    """

    def __init__(self, gate: str, lines: Mapping[str, Line], outputs: Outputs | None = None) -> None:
        """`outputs` made the lines' controllers and is closed with them."""
        self._gate = gate
        self.lines = dict(lines)
        self._outputs = outputs
        self._stop = threading.Event()
        self._threads: tuple[threading.Thread, ...] = ()
        self._vouched = (math.inf, "")
        self._busy = False

    def vouch(self, until: float, otherwise: str = "") -> None:
        """Let openings for somebody who was seen go on until then (monotonic seconds), or their end; what ends them after it is said `otherwise`."""
        self._vouched = (until, otherwise)

    def doubt(self, why: str) -> None:
        """Say why nobody vouches at the moment; what was vouched for stands."""
        self._vouched = (self._vouched[0], why)

    def act(self, decision: Decision, now: float, wall: float) -> None:
        """Do what a decision says; raises ActuatorError, and then sees to it that a half-done opening is taken back."""
        assert decision.action is not None, "only a decision with an action can be done"
        line = self.lines[decision.action]
        command = Command(self._gate, decision.action, "on", wall, decision.visit, decision.label, decision.reason, line.pulse)
        began, self._busy = time.monotonic(), True
        try:
            with line.lock:
                try:
                    line.actuator.send(command)
                except ActuatorError:
                    line.since = now
                    # The acknowledgement may be what got lost, so the door may be open: shut it.
                    line.due = now
                    raise
                line.due, line.since, line.seen = None if line.pulse is None else now + line.pulse, now, line.opens and decision.visit != "-"
        finally:
            # While a slow controller keeps whoever sees waiting nobody can vouch, and a bell whose broker is away shuts no door.
            self._vouched = (self._vouched[0] + time.monotonic() - began, self._vouched[1])
            self._busy = False

    def tick(self, now: float, wall: float, *names: str) -> tuple[str, ...]:
        """End the pulses whose time has come, whose clock went backwards or that nobody vouches for, of the lines named or of all.

        Returns what failed, each outage once, and what the controllers noticed by themselves.
        """
        lines = [(name, line) for name, line in self.lines.items() if not names or name in names]
        return tuple(problem for name, line in lines for problem in self._release(name, line, now, wall, at_once=False))

    def make_safe(self, now: float, wall: float) -> tuple[str, ...]:
        """Put every controller into its safe state at once; returns what failed, each outage once. Never raises.

        Each has a thread of its own, so that none waits for another that is slow; without threads one is released after the other.
        """
        told: dict[str, tuple[str, ...]] = dict.fromkeys(self.lines, ())

        def release(name: str, line: Line) -> None:
            told[name] = self._release(name, line, now, wall, at_once=True)

        threads = []
        for name, line in self.lines.items():
            thread = threading.Thread(target=release, args=(name, line), name=f"safe {name}")
            try:
                thread.start()
            except RuntimeError:  # the computer has no thread left, which must not keep a door open
                release(name, line)
            else:
                threads.append(thread)
        for thread in threads:
            thread.join()
        return tuple(problem for problems in told.values() for problem in problems)

    def _release(self, name: str, line: Line, now: float, wall: float, at_once: bool) -> tuple[str, ...]:
        """Make one line safe when its time has come, or at once; returns what is to be told of it."""
        problems: list[str] = []
        with line.lock:
            over = line.due is not None and not line.since <= now < line.due
            doubt = "" if at_once or over else self._doubted(line, now)
            if at_once or over or doubt:
                problems += [doubt] if doubt else []
                try:
                    line.actuator.send(Command(self._gate, name, line.safe, wall))
                    line.due, line.failing = None, False
                except Exception as error:  # whatever a controller raises, the others must still become safe
                    if not line.failing:
                        problems.append(error.what if isinstance(error, ActuatorError) else repr(error))
                    line.due, line.since, line.failing = now + RETRY, now, True
        if isinstance(line.actuator, Attentive):  # after the release, which comes first
            problems = [*line.actuator.faults(), *problems]
        return tuple(f"{name}: {problem}" for problem in problems)

    def _doubted(self, line: Line, now: float) -> str:
        """Say that a pulse ends because nobody vouches for it, or nothing."""
        until, otherwise = self._vouched
        if line.due is None or not line.seen or line.failing or self._busy or now <= until:
            return ""
        return f"ended {line.due - now:.1f} s before its pulse was over: {otherwise or 'nobody looks any more'}"

    @property
    def due(self) -> float | None:
        """When the next pulse ends (monotonic seconds), None when none is under way; a controller that fails ends none."""
        return min((line.due for line in self.lines.values() if line.due is not None and not line.failing), default=None)

    def underway(self, now: float) -> tuple[tuple[str, float], ...]:
        """Return each action whose pulse is not over, with the seconds that are left of it."""
        lines = ((name, line.due, line) for name, line in self.lines.items())
        return tuple((name, due - now) for name, due, line in lines if due is not None and not line.failing and line.since <= now < due)

    def watch(self, clock: Clock, report: Callable[[str], None], moving: Callable[[str], Callable[[], None]] | None = None) -> None:
        """End pulses from threads of their own, one for each line, on `clock`, until `close`; one that is slow delays no other.

        `moving` gives, for a thread's name, what it calls at each of its turns.
        """

        def beat(name: str) -> None:
            moved = moving(f"the release of '{name}'") if moving is not None else lambda: None
            while not self._stop.wait(BEAT):
                moved()
                try:
                    for problem in self.tick(clock.monotonic(), clock.wall(), name):
                        report(problem)
                except Exception:  # whoever is told may fail; the pulses still end
                    LOG.exception("what happened to '%s' could not be told", name)

        self._threads = tuple(threading.Thread(target=beat, args=(name,), name=f"release {name}", daemon=True) for name in self.lines)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop the threads and let go of the controllers; call make_safe first."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for line in self.lines.values():
            line.actuator.close()
        if self._outputs is not None:
            self._outputs.close()


def open_switchboard(door: Door) -> Switchboard:
    """Return the controllers that a door's settings name; relays are started, a broker is only spoken to when there is something to say.

    Raises SettingsError, MissingExtra, InputError or ActuatorError, and then has let go of those that were there already.
    """
    settings = door.settings
    outputs = Outputs(settings.gate.name, door.folder, broker_place(door) if settings.broker else None)
    lines: dict[str, Line] = {}
    try:
        for name, action in settings.action.items():
            pulse = door.pulse(name)
            lines[name] = Line(outputs.open(name, action, pulse), pulse, action.safe, settings.opens(name))
        outputs.start()
    except BaseException:
        Switchboard(settings.gate.name, lines, outputs).close()
        raise
    return Switchboard(settings.gate.name, lines, outputs)


def rehearsal(door: Door) -> Switchboard:
    """Return recording controllers in place of a door's own: nothing moves."""
    return Switchboard(
        door.settings.gate.name,
        {name: Line(RecordingActuator(), door.pulse(name), action.safe, door.settings.opens(name)) for name, action in door.settings.action.items()},
    )


def broker_place(door: Door) -> BrokerPlace:
    """Return where the broker is, with the password read from its file; raises SettingsError, or InputError for a file that cannot be used."""
    broker = door.settings.broker
    if broker is None:
        raise SettingsError(f"{door.path} has no [broker]", 'add [broker] with url = "mqtt://127.0.0.1:1883"')
    return place_of(broker, door.folder)


def place_of(broker: Broker, folder: Path) -> BrokerPlace:
    """Return where a broker is whose files stand in `folder`; raises InputError for one that cannot be used."""
    host, port = broker.place
    password = None if broker.password is None else read_secret(folder / broker.password.file, "the broker's password")
    return BrokerPlace(host, port, broker.username, password, _trust(folder, broker) if broker.secure else None)


def _trust(folder: Path, broker: Broker) -> Trust:
    trust = Trust(*(None if path is None else folder / path for path in (broker.ca, broker.certificate, broker.key)))
    trust.context()  # a file that cannot be used is told before anything opens
    return trust
