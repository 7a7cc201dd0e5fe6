"""Tells a service manager that the gate is alive, only while every one of its loops moves (systemd's notify protocol, sd_notify(3)).

A watchdog that is petted by a timer proves that the timer lives. Here the watch itself pets it, at the end of a turn, after it has asked
whether the others have moved as well: one loop that hangs, and the service manager ends the gate and starts it anew, shut.
"""

import logging
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from peephole.base.records import Prediction
from peephole.gateway.beats import Beats
from peephole.gateway.clock import Clock
from peephole.gateway.journal import Record
from peephole.gateway.sensors import Capture

__all__ = ["Heart", "Notifier"]

LOG = logging.getLogger("peephole.gate")
OFTEN = 4  # how many times within the watchdog's own time it is petted


class Notifier:
    """Speaks to the service manager that started this process; silent where there is none."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Read NOTIFY_SOCKET and WATCHDOG_USEC (microseconds), which systemd sets for a service of Type=notify."""
        self._address = environment.get("NOTIFY_SOCKET", "")
        asked = environment.get("WATCHDOG_USEC", "")
        self.watchdog = int(asked) / 1e6 if asked.isascii() and asked.isdigit() and len(asked) < 20 and int(asked) else None

    def say(self, *facts: str) -> None:
        """Send facts such as READY=1; never raises: a manager that does not listen will restart the gate, which is its business."""
        if not self._address.startswith(("/", "@")):
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(0.2)
            line.sendto("\n".join(fact.replace("\n", " ") for fact in facts).encode(), address)


class Heart:
    """A witness that pets the service manager's watchdog at the end of a turn, if no loop is late.

    The first loop that is late is logged once; from then on nothing is petted until it moves again.
    """

    name = "watchdog"

    def __init__(self, beats: Beats, notifier: Notifier, clock: Clock) -> None:
        self._beats, self._notifier, self._clock = beats, notifier, clock
        self._watch = beats.of("the watch")
        self._petted = float("-inf")
        self._told = False
        self._ready = False

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Nothing: a frame alone does not say that the turn was finished."""

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Nothing."""

    def passed(self, time: float, wall: float) -> None:
        """Pet, if every loop has moved."""
        self._watch()
        late = self._beats.late()
        if late:
            if not self._told:
                LOG.error("not moving: %s; the watchdog is not petted any more", ", ".join(f"{name} for {age:.1f} s" for name, age in late.items()))
            self._told = True
            return
        self._told = False
        now = self._clock.monotonic()
        if now - self._petted < (self._notifier.watchdog or 4.0) / OFTEN and now >= self._petted:
            return
        self._petted = now
        self._notifier.say("WATCHDOG=1", *([] if self._ready else ["READY=1", "STATUS=watching the door"]))
        self._ready = True

    def close(self) -> None:
        """Say that the gate is ending in good order."""
        self._notifier.say("STOPPING=1")
