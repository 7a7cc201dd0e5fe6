"""All controllers of a gate: who is on, until when, and back to safe at start, stop and any fault."""

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from peephole.base.errors import ActuatorError, InputError, SettingsError
from peephole.base.records import Decision
from peephole.gateway.actuators import Actuator, Command, RecordingActuator, open_actuator
from peephole.gateway.clock import Clock
from peephole.gateway.door import Door
from peephole.gateway.mqtt import BrokerPlace, Messenger

__all__ = ["Line", "Switchboard", "open_switchboard", "rehearsal"]

RETRY = 1.0
BEAT = 0.05


@dataclass
class Line:
    """One action's controller.

    `due` is when it must go back to `safe` (monotonic seconds), None when it is there; `since` when it was last told to be on.
    """

    actuator: Actuator
    pulse: float | None = None
    safe: Literal["off", "on"] = "off"
    due: float | None = None
    since: float = -math.inf
    failing: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Switchboard:
    """Turns decisions into commands and ends every pulse, also while the deciding loop is busy (see `watch`).

    A release that fails is tried again every second. The thread lives in this process: a relay that outlives it comes later,
    which is why each `on` says how long it lasts.
    """

    def __init__(self, gate: str, lines: Mapping[str, Line], messenger: Messenger | None = None) -> None:
        self._gate = gate
        self.lines = dict(lines)
        self._messenger = messenger
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def act(self, decision: Decision, now: float, wall: float) -> None:
        """Do what a decision says; raises ActuatorError, and then sees to it that a half-done opening is taken back."""
        assert decision.action is not None, "only a decision with an action can be done"
        line = self.lines[decision.action]
        command = Command(self._gate, decision.action, "on", wall, decision.visit, decision.label, decision.reason, line.pulse)
        with line.lock:
            try:
                line.actuator.send(command)
            except ActuatorError:
                line.since = now
                # The acknowledgement may be what got lost, so the door may be open: shut it.
                line.due = now
                raise
            line.due, line.since = None if line.pulse is None else now + line.pulse, now

    def tick(self, now: float, wall: float) -> tuple[str, ...]:
        """End the pulses whose time has come, or whose clock went backwards; returns what failed, each outage once."""
        return self._release(now, wall, lambda line: line.due is not None and not line.since <= now < line.due)

    def make_safe(self, now: float, wall: float) -> tuple[str, ...]:
        """Put every controller into its safe state at once; returns what failed, each outage once. Never raises."""
        return self._release(now, wall, lambda line: True)

    def _release(self, now: float, wall: float, wanted: Callable[[Line], bool]) -> tuple[str, ...]:
        problems = []
        for name, line in self.lines.items():
            with line.lock:
                if not wanted(line):
                    continue
                try:
                    line.actuator.send(Command(self._gate, name, line.safe, wall))
                    line.due, line.failing = None, False
                except Exception as error:  # whatever a controller raises, the others must still become safe
                    if not line.failing:
                        problems.append(f"{name}: {error.what if isinstance(error, ActuatorError) else repr(error)}")
                    line.due, line.since, line.failing = now + RETRY, now, True
        return tuple(problems)

    @property
    def due(self) -> float | None:
        """When the next pulse ends (monotonic seconds), None when none is under way; a controller that fails ends none."""
        return min((line.due for line in self.lines.values() if line.due is not None and not line.failing), default=None)

    def underway(self, now: float) -> tuple[tuple[str, float], ...]:
        """Return each action whose pulse is not over, with the seconds that are left of it."""
        lines = ((name, line.due, line) for name, line in self.lines.items())
        return tuple((name, due - now) for name, due, line in lines if due is not None and not line.failing and line.since <= now < due)

    def watch(self, clock: Clock, report: Callable[[str], None], moved: Callable[[], None] = lambda: None) -> None:
        """End pulses from a thread of their own, on `clock`, until `close`; `moved` is called at each of its turns."""

        def beat() -> None:
            while not self._stop.wait(BEAT):
                moved()
                for problem in self.tick(clock.monotonic(), clock.wall()):
                    report(problem)

        self._thread = threading.Thread(target=beat, name="release", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and let go of the controllers; call make_safe first."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for line in self.lines.values():
            line.actuator.close()
        if self._messenger is not None:
            self._messenger.close()


def open_switchboard(door: Door) -> Switchboard:
    """Return the controllers that a door's settings name; the broker is only spoken to when there is something to say."""
    settings = door.settings
    messenger = Messenger(broker_place(door), settings.gate.name) if settings.broker else None
    lines = {
        name: Line(open_actuator(action.target, door.folder, messenger), door.pulse(name), action.safe) for name, action in settings.action.items()
    }
    return Switchboard(settings.gate.name, lines, messenger)


def rehearsal(door: Door) -> Switchboard:
    """Return recording controllers in place of a door's own: nothing moves."""
    return Switchboard(
        door.settings.gate.name,
        {name: Line(RecordingActuator(), door.pulse(name), action.safe) for name, action in door.settings.action.items()},
    )


def broker_place(door: Door) -> BrokerPlace:
    """Return where the broker is, with the password read from its file."""
    broker = door.settings.broker
    if broker is None:
        raise SettingsError(f"{door.path} has no [broker]", 'add [broker] with url = "mqtt://127.0.0.1:1883"')
    host, port = broker.place
    return BrokerPlace(host, port, broker.username, None if broker.password is None else _secret(door.folder / broker.password.file))


def _secret(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise InputError(
            f"the broker's password cannot be read from {path}: {getattr(error, 'strerror', None) or error}", "write it there"
        ) from error
    if not text or len(text) > 1000:
        raise InputError(f"{path} should hold the broker's password and nothing else", "write it there, on one line")
    return text
