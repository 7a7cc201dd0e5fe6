"""The far end of remote commands: signs one, publishes it unretained, and waits for the gate's own answer."""

import threading
import time
import unicodedata
from collections.abc import Mapping

from peephole.base.errors import ActuatorError, InputError, did_you_mean
from peephole.gateway.address import require_topic
from peephole.gateway.clock import Clock, SystemClock
from peephole.gateway.listener import Listener, Message
from peephole.gateway.mqtt import BrokerPlace, Messenger
from peephole.gateway.remote import COMMANDS, LIFE, Answer, Order, Refused, read_answer, read_order, topics, write_order

__all__ = ["exchange", "ordered"]

NAME = "sender"
SETTLE = 0.3  # seconds for the broker to take note that we listen to the answers


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
