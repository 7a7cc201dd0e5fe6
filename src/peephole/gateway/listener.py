"""Hears what a broker passes on, reconnecting by itself: the ear beside mqtt.py's mouth."""

import logging
import secrets
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as paho

from peephole.gateway.actuators import drain
from peephole.gateway.brokerline import KEEPALIVE, BrokerPlace, away, client_of
from peephole.gateway.clock import Clock

__all__ = ["Listener", "Message"]

LOG = logging.getLogger("peephole.gate")


@dataclass(frozen=True)
class Message:
    """One message: `retained` when the broker had kept it; `time` monotonic and `wall` seconds of its arrival."""

    topic: str
    payload: bytes
    retained: bool
    time: float
    wall: float


class Listener:
    """Subscribes with QoS 1 to topic filters, again after every reconnect; an exception of a hearer is logged and ends nothing.

    What keeps it from hearing is logged, and told of once for each outage by `faults`: PINs that do not come would otherwise be missing in silence.
    """

    def __init__(self, place: BrokerPlace, name: str, clock: Clock) -> None:
        self._place, self._clock = place, clock
        self._hearers: dict[str, Callable[[Message], None]] = {}
        self._client = client_of(place, f"peephole-{name[:32]}-ear-{secrets.token_hex(4)}", returns=True)
        self._client.on_connect, self._client.on_connect_fail = self._connected, self._failed
        self._client.on_subscribe = self._subscribed
        self._deaf = ""
        self._faults: deque[str] = deque(maxlen=20)
        self._client.reconnect_delay_set(1, 5)

    def on(self, topic_filter: str, hear: Callable[[Message], None]) -> None:
        """Call `hear` with every message on a topic filter, from the listener's thread; to be said before start."""

        def heard(_client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
            try:
                hear(Message(message.topic, bytes(message.payload), message.retain, self._clock.monotonic(), self._clock.wall()))
            except Exception:  # whoever hears must not end the hearing
                LOG.exception("a message on %s was not understood", topic_filter)

        self._hearers[topic_filter] = hear
        self._client.message_callback_add(topic_filter, heard)

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._deafened(f"the broker at {self._place.where} refused: {reason}")
            return
        self._deaf = ""
        for topic_filter in self._hearers:
            client.subscribe(topic_filter, 1)

    def _failed(self, *_: Any) -> None:
        error = sys.exception()  # paho calls while it handles the error, and does not pass it on
        if isinstance(error, Exception):
            self._deafened(away(self._place, error).what)

    def _subscribed(self, _client: paho.Client, _data: Any, _number: int, reasons: list[Any], _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._deafened(f"the broker at {self._place.where} lets {self._place.username or 'nobody'} read none of {', '.join(self._hearers)}")

    def _deafened(self, why: str) -> None:
        if why != self._deaf:
            LOG.warning("nothing is heard: %s", why)
        if not self._deaf:
            self._faults.append(f"nothing is heard: {why}")
        self._deaf = why

    def faults(self) -> tuple[str, ...]:
        """Return each outage that began since this was last asked, a sentence each."""
        return drain(self._faults)

    def start(self) -> None:
        """Connect, now or as soon as the broker answers."""
        self._client.connect_async(self._place.host, self._place.port, keepalive=KEEPALIVE)
        self._client.loop_start()

    @property
    def connected(self) -> bool:
        """Whether the broker can be heard."""
        return self._client.is_connected()

    def close(self) -> None:
        """Stop hearing."""
        self._client.disconnect()
        self._client.loop_stop()
        # The client's sockets are closed when it is let go of, which a circle of references would leave to chance.
        self._client.on_connect = self._client.on_connect_fail = self._client.on_subscribe = None
        for topic_filter in self._hearers:
            self._client.message_callback_remove(topic_filter)
