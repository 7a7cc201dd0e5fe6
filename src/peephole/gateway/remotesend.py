"""The far end of remote commands: signs one, publishes it unretained, and waits for the gate's own answer."""

import threading
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from peephole.base.errors import ActuatorError, InputError, SettingsError, did_you_mean
from peephole.base.settings import Section, load_tables
from peephole.gateway.address import require_topic
from peephole.gateway.clock import Clock, SystemClock
from peephole.gateway.keys import Broker, Gate
from peephole.gateway.listener import Listener, Message
from peephole.gateway.mqtt import BrokerPlace, Messenger
from peephole.gateway.remote import COMMANDS, LIFE, Answer, Order, Refused, read_answer, read_order, topics, write_order
from peephole.gateway.remotekeys import Remote
from peephole.gateway.switchboard import place_of

__all__ = ["FarEnd", "exchange", "load_far_end", "ordered"]

NAME = "sender"
SETTLE = 0.3  # seconds for the broker to take note that we listen to the answers


class Addressee(Gate):
    """A gate's [gate], of which whoever sends needs the name alone."""

    model: str = ""


class Tables(Section):
    """The tables of DOOR.toml that whoever sends commands needs; the gate's own file has them too, beside all others."""

    gate: Addressee | None = None
    broker: Broker | None = None
    remote: Remote | None = None


@dataclass(frozen=True)
class FarEnd:
    """What whoever sends commands knows: the file at `path`, and its tables; needs no camera, no model and no rule."""

    path: Path
    tables: Tables

    @property
    def gate(self) -> str:
        """The gate's name; raises SettingsError where there is none."""
        if self.tables.gate is None:
            raise SettingsError(f"{self.path} has no [gate]", 'add [gate] with name = "front-door", or say which with --gate')
        return self.tables.gate.name

    @property
    def secret(self) -> Path:
        """Where the secret stands that commands are signed with; raises SettingsError without [remote]."""
        if self.tables.remote is None:
            raise SettingsError(f"{self.path} has no [remote]", 'add [remote] with secret = {file = "remote.secret"}')
        return self.path.parent / self.tables.remote.secret.file

    @property
    def broker(self) -> BrokerPlace:
        """Where the broker is; raises SettingsError without [broker], InputError for a file of it that cannot be used."""
        if self.tables.broker is None:
            raise SettingsError(f"{self.path} has no [broker]", 'add [broker] with url = "mqtt://127.0.0.1:1883"')
        return place_of(self.tables.broker, self.path.parent)


def load_far_end(path: Path | str) -> FarEnd:
    """Read [gate] name, [broker] and [remote] of a DOOR.toml, whatever else it holds; raises as load_door does."""
    path = Path(path)
    return FarEnd(path, load_tables(path, Tables))


def ordered(gate: str, command: str, args: Mapping[str, str], life: float, clock: Clock | None = None) -> Order:
    """Return a new command for a gate, good for `life` seconds; raises InputError for one that no gate would take."""
    if command not in COMMANDS:
        raise InputError(f"'{command[:40]}' is no command{did_you_mean(command, COMMANDS)}", f"write one of {', '.join(COMMANDS)}")
    now = int((clock or SystemClock()).wall())
    require_topic(topics(gate)[0])
    if "/" in gate:
        raise InputError(f"'{gate[:60]}' is not a gate's name", "write the name under [gate]")
    order = Order(unicodedata.normalize("NFC", gate), command, now, now + max(1, min(LIFE, round(life))), args)
    try:
        return read_order("a try", order.gate, write_order("a try", order).encode())
    except Refused as refused:
        raise InputError(f"no gate takes this command: {refused}", "shorten --why, or leave out what the command does not take") from refused


def exchange(place: BrokerPlace, secret: str, order: Order, wait: float) -> Answer | None:
    """Send a command and return its answer, None when none came within `wait` seconds; raises ActuatorError when the broker is away."""
    heard, answers = topics(order.gate)
    found: list[Answer] = []
    came = threading.Event()

    def hear(message: Message) -> None:
        try:
            answer = read_answer(secret, message.payload)
        except Refused:
            return
        if (answer.nonce, answer.gate) == (order.nonce, order.gate) and not message.retained:
            found.append(answer)
            came.set()

    mouth, ear = Messenger(place, NAME), Listener(place, NAME, SystemClock())
    ear.on(answers, hear)
    try:
        mouth.connect()
        ear.start()
        _until_connected(ear)
        mouth.publish(heard, write_order(secret, order))
        came.wait(wait)
    finally:
        mouth.close()
        ear.close()
    return found[0] if found else None


def _until_connected(ear: Listener) -> None:
    """Wait until answers can be heard: an answer that comes before is lost."""
    end = time.monotonic() + 3.0
    while not ear.connected:
        if time.monotonic() > end:
            raise ActuatorError("the broker takes commands, but answers cannot be heard", "see the broker's own log")
        time.sleep(0.02)
    time.sleep(SETTLE)
