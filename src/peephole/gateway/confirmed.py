"""A device that says itself what state it is in: a command is done when the device says so, and not when the broker took it."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable

from peephole.base.errors import ActuatorError
from peephole.gateway.actuators import Actuator, Command, drain
from peephole.gateway.homeassistant import State
from peephole.gateway.mqtt import EXPIRY
from peephole.gateway.noticeboard import Noticeboard

__all__ = ["ConfirmedActuator", "read_state"]

# What devices call it: Home Assistant's words, Zigbee2MQTT's, a contact's, a relay's.
WORDS: dict[str, State] = {
    **dict.fromkeys(("locked", "lock", "closed", "off"), "LOCKED"),
    **dict.fromkeys(("unlocked", "unlock", "open", "opened", "on"), "UNLOCKED"),
    **dict.fromkeys(("jammed", "blocked"), "JAMMED"),
    "locking": "LOCKING",
    "unlocking": "UNLOCKING",
}


def read_state(payload: bytes) -> State | None:
    """Return the state that a device's message names, as a word or as `state` of a JSON object; None when it names none."""
    try:
        text = payload.decode("utf-8").strip()
        found = json.loads(text) if text.startswith("{") else {"state": text}
    except (ValueError, RecursionError):
        return None
    word = found.get("state")
    return WORDS.get(word.casefold()) if isinstance(word, str) else None


class ConfirmedActuator:
    """Passes commands on and waits, `timeout` seconds at most, until the device says on its state topic that it did it.

    A command is also done when the device was in that state already, because a device that changes nothing may say nothing. But an
    opening needs a word that the device said while this was listening, which a retained one was not, and a closing waits for a new
    word while an opening that was given up may still come true.
    """

    def __init__(self, inner: Actuator, board: Noticeboard, topic: str, timeout: float, told: Callable[[State], None] = lambda state: None) -> None:
        """`told` hears each state that the device tells, from a thread of the board's own."""
        self._inner, self._topic, self._timeout, self._told = inner, topic, timeout, told
        self._news = threading.Condition()
        self._state: State | None = None
        self._live = False
        self._count = 0
        self._doubt = 0.0
        self._waiting = False
        self._faults: deque[str] = deque(maxlen=20)
        board.follow(topic, self._hear)

    def send(self, command: Command) -> None:
        """Command, and wait for the device's word; raises ActuatorError when it says nothing, or that it is jammed."""
        wanted: State = "UNLOCKED" if command.state == "on" else "LOCKED"
        with self._news:
            before, self._waiting = self._count, True
        try:
            self._inner.send(command)
            with self._news:
                self._news.wait_for(lambda: self._done(wanted, before) or self._jammed(before), self._timeout)
                done, jammed = self._done(wanted, before), self._jammed(before)
        except ActuatorError:
            self._doubt_it(wanted)
            raise
        finally:
            self._waiting = False
        if not done:
            self._doubt_it(wanted)
            what = "says that it is jammed" if jammed else f"did not say that it is {wanted.lower()} within {self._timeout:g} s"
            raise ActuatorError(f"jammed: the device on {self._topic} {what}", "look at the door; timeout = allows it more, 10 s at most")

    def faults(self) -> tuple[str, ...]:
        """Return what the device said of itself that nobody asked for and that is not in order."""
        return drain(self._faults)

    def close(self) -> None:
        """Let go of the inner one."""
        self._inner.close()

    def _done(self, wanted: State, before: int) -> bool:
        if self._state != wanted:
            return False
        if wanted == "UNLOCKED":
            return self._live
        return self._count > before or time.monotonic() >= self._doubt

    def _jammed(self, before: int) -> bool:
        return self._count > before and self._live and self._state == "JAMMED"

    def _doubt_it(self, wanted: State) -> None:
        """Remember that an opening nobody waits for any more may still come true, for as long as its command is good."""
        if wanted == "UNLOCKED":
            self._doubt = time.monotonic() + EXPIRY

    def _hear(self, payload: bytes, retained: bool) -> None:
        state = read_state(payload)
        if state is None:
            return
        with self._news:
            if state == "JAMMED" and not self._waiting and not retained and self._state != "JAMMED":
                self._faults.append(f"the device on {self._topic} says that it is jammed")
            self._state, self._live = state, not retained
            self._count += not retained
            self._news.notify_all()
        self._told(state)
