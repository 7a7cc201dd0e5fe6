"""Hears what a broker passes on, reconnecting by itself: the ear beside mqtt.py's mouth."""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from peephole.gateway.clock import Clock
from peephole.gateway.mqtt import BrokerPlace

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
    """Subscribes with QoS 1 to topic filters, again after every reconnect; an exception of a hearer is logged and ends nothing."""

    def __init__(self, place: BrokerPlace, name: str, clock: Clock) -> None:
        self._place, self._clock = place, clock
        self._hearers: dict[str, Callable[[Message], None]] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"peephole-{name[:32]}-ear-{secrets.token_hex(4)}", protocol=paho.MQTTv311)
        if place.username is not None:
            self._client.username_pw_set(place.username, place.password)
        self._client.on_connect = self._connected
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
        if not reason.is_failure:
            for topic_filter in self._hearers:
                client.subscribe(topic_filter, 1)

    def start(self) -> None:
        """Connect, now or as soon as the broker answers."""
        self._client.connect_async(self._place.host, self._place.port, keepalive=10)
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
        self._client.on_connect = None
        for topic_filter in self._hearers:
            self._client.message_callback_remove(topic_filter)
