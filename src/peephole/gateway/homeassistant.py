"""What Home Assistant is told: that there is a lock, a sensor or an event, what state it is in, and whether the gate is there at all.

A mirror and no more: it hangs behind the commands, never holds one up, and takes none (docs/reference/targets.md says why).
"""

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from peephole.base.errors import ActuatorError
from peephole.gateway.actuators import Actuator, Attentive, Command
from peephole.gateway.address import require_topic
from peephole.gateway.noticeboard import Noticeboard, available, plain_id

__all__ = ["MirroredActuator", "State", "Thing"]

State = Literal["LOCKED", "UNLOCKED", "LOCKING", "UNLOCKING", "JAMMED"]
UNSURE = "None"  # Home Assistant's word for a state that is not known
PREFIX = "homeassistant"


@dataclass(frozen=True)
class Thing:
    """One action of a gate as Home Assistant sees it; keys as in its documentation of MQTT lock, binary sensor and event."""

    gate: str
    action: str
    kind: str  # lock, binary_sensor or event
    opens: bool

    @property
    def base(self) -> str:
        """Where its topics begin."""
        return require_topic(f"peephole/{self.gate}/{self.action}")

    @property
    def topic(self) -> str:
        """Where it is announced."""
        return f"{PREFIX}/{self.kind}/{plain_id(self.gate)}/{plain_id(self.action)}/config"

    @property
    def state_topic(self) -> str:
        """Where its state, or what happens, is told."""
        return f"{self.base}/{'event' if self.kind == 'event' else 'state'}"

    @property
    def announcement(self) -> str:
        """What is announced, as JSON."""
        there = available(self.gate)
        common = {
            "name": self.action,
            "unique_id": f"peephole_{plain_id(self.gate)}_{plain_id(self.action)}_{self.kind}",
            "availability_topic": there,
            "payload_available": "online",
            "payload_not_available": "offline",
            "qos": 1,
            "device": {"identifiers": [f"peephole_{plain_id(self.gate)}"], "name": self.gate, "manufacturer": "Peephole", "sw_version": _version()},
            "origin": {"name": "Peephole", "sw_version": _version()},
        }
        return json.dumps({**common, **self._own()})

    def _own(self) -> dict[str, Any]:
        if self.kind == "event":
            return {"state_topic": self.state_topic, "event_types": ["on", "off", "failed"]}
        state = {"state_topic": self.state_topic}
        if self.kind == "binary_sensor":
            # Of a lock `on` means open in Home Assistant.
            return {**state, "payload_on": "ON", "payload_off": "OFF", **({"device_class": "lock"} if self.opens else {})}
        words = {f"state_{word.lower()}": word for word in ("LOCKED", "UNLOCKED", "LOCKING", "UNLOCKING", "JAMMED")}
        # Home Assistant insists on a topic for its own commands. Nobody listens to this one: it would be a way round the gate.
        asked = {"command_topic": f"{self.base}/nobody-listens", "payload_lock": "LOCK", "payload_unlock": "UNLOCK", "optimistic": False}
        return {**state, **words, **asked}

    def told(self, state: State) -> str:
        """Return how its state topic says a lock's state."""
        if self.kind == "lock":
            return state
        return {"LOCKED": "OFF", "UNLOCKED": "ON"}.get(state, UNSURE)


class MirroredActuator:
    """Passes commands on to another controller, and shows Home Assistant what became of them."""

    def __init__(self, inner: Actuator, thing: Thing, board: Noticeboard) -> None:
        """Announce the thing; nothing is known of its state before the first command."""
        self._inner, self._thing, self._board = inner, thing, board
        self._shown = ""
        self._on = False
        board.keep(thing.topic, thing.announcement)

    def send(self, command: Command) -> None:
        """Do as the inner one does, and raise what it raises."""
        on = command.state == "on"
        if self._shown != "JAMMED":  # which is tried again every second, and stays what it is until it works
            self.show("UNLOCKING" if on else "LOCKING")
        try:
            self._inner.send(command)
        except ActuatorError:
            self.show("JAMMED")
            self._happen(command, "failed")
            raise
        self.show("UNLOCKED" if on else "LOCKED")
        if on or self._on:
            self._happen(command, command.state)
        self._on = on

    def show(self, state: State) -> None:
        """Show a state, which may also be what the device said of itself."""
        if self._thing.kind != "event" and state != self._shown:
            self._board.keep(self._thing.state_topic, self._thing.told(state))
        self._shown = state

    def faults(self) -> tuple[str, ...]:
        """Return what the inner one noticed."""
        return self._inner.faults() if isinstance(self._inner, Attentive) else ()

    def close(self) -> None:
        """Let go of the inner one; the board is closed by whoever made it."""
        self._inner.close()

    def _happen(self, command: Command, what: str) -> None:
        if self._thing.kind == "event":
            facts = {"visit": command.visit, "label": command.label, "reason": command.reason}
            self._board.tell(self._thing.state_topic, json.dumps({"event_type": what, **facts, "time": command.wall}))


def _version() -> str:
    try:
        return version("peephole")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"
