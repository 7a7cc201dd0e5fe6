"""What a controller is told, and the simple ones: log:// writes a line, record:// remembers (tests and demos), mqtt:// publishes.

Each takes one command at a time and either did it or raises ActuatorError; when to release is the switchboard's business.
Which address picks which is written in outputs.
"""

import json
import logging
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from peephole.base.errors import ActuatorError
from peephole.gateway.address import require_topic
from peephole.gateway.mqtt import Messenger, payload
from peephole.gateway.rows import is_date

__all__ = ["Actuator", "Attentive", "Command", "LogActuator", "MqttActuator", "RecordingActuator", "drain"]

LOG = logging.getLogger("peephole.gate")


@dataclass(frozen=True)
class Command:
    """What a controller is told: `state` on or off for an action of a gate, since `wall` (seconds since 1970).

    `pulse` is how long `on` lasts in seconds, None for a mere message: a device should release by itself after it.
    """

    gate: str
    action: str
    state: Literal["on", "off"]
    wall: float
    visit: str | None = None
    label: str | None = None
    reason: str = ""
    pulse: float | None = None


class Actuator(Protocol):
    """What the gate asks of a controller."""

    def send(self, command: Command) -> None:
        """Do it and return when it is done; raises ActuatorError when it may not have been."""
        ...

    def close(self) -> None:
        """Let go; never raises."""
        ...


@runtime_checkable
class Attentive(Protocol):
    """A controller that notices by itself when something goes wrong, between two commands."""

    def faults(self) -> tuple[str, ...]:
        """Return what went wrong since this was last asked, a sentence each."""
        ...


class LogActuator:
    """Writes each command as one line of JSON, to a file (log://door.log) or to the program's log (log://).

    `wall` is null while the clock was not set, and in a recording without dates.
    A file that has grown beyond `most` bytes becomes door.log.1, in place of the one before it: a gate that runs for months fills no disk.
    """

    def __init__(self, path: Path | None = None, most: int = 10_000_000) -> None:
        self._path, self._most = path, most

    def send(self, command: Command) -> None:
        """Append the line."""
        line = _one_line({**asdict(command), "wall": command.wall if is_date(command.wall) else None})
        if self._path is None:
            LOG.info("%s", line)
            return
        try:
            if self._path.is_file() and self._path.stat().st_size > self._most:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise ActuatorError(f"{self._path} cannot be written: {error.strerror or error}", "choose another file: log://PATH") from error

    def close(self) -> None:
        """Nothing to let go of."""


def _one_line(facts: dict[str, Any]) -> str:
    """Write facts as JSON that a person can read and no terminal obeys: letters as they are, whatever is not printable escaped."""
    text = json.dumps(facts, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)


def drain(faults: deque[str]) -> tuple[str, ...]:
    """Take all that is in a queue, while others may put more in or take some out."""
    told = []
    with suppress(IndexError):
        while True:
            told.append(faults.popleft())
    return tuple(told)


class RecordingActuator:
    """Remembers every command in `commands`; with `fails` it refuses like a controller that is away."""

    def __init__(self, fails: bool = False) -> None:
        self.commands: list[Command] = []
        self.fails = fails

    @property
    def state(self) -> str:
        """The state it was last told, or an empty string."""
        return self.commands[-1].state if self.commands else ""

    def send(self, command: Command) -> None:
        """Remember, or fail as told."""
        if self.fails:
            raise ActuatorError("the recording lock was told to fail", "set fails = False")
        self.commands.append(command)

    def close(self) -> None:
        """Nothing to let go of."""


class MqttActuator:
    """Publishes commands to one topic: QoS 1, acknowledged, never retained, with expiry and nonce."""

    def __init__(self, messenger: Messenger, topic: str) -> None:
        self._messenger = messenger
        self.topic = require_topic(topic)

    def send(self, command: Command) -> None:
        """Publish and wait for the broker's word; raises ActuatorError when the broker is away."""
        facts = {key: value for key, value in asdict(command).items() if key != "wall"}
        self._messenger.publish(self.topic, payload(command.wall, **facts))

    def close(self) -> None:
        """The messenger is shared and closed by whoever made it."""
