"""Retained notices on a broker for as long as the gate runs, and what devices say of themselves there; never a command.

It has a connection and a thread of its own, comes back by itself, and never holds anybody up. What is lost here is no opening.
"""

import hashlib
import logging
import re
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from paho.mqtt import client as paho

from peephole.gateway.address import require_topic
from peephole.gateway.brokerline import KEEPALIVE, BrokerPlace, client_of

__all__ = ["Hear", "Noticeboard", "available", "plain_id"]

LOG = logging.getLogger("peephole.gate")
LONGEST = 1024  # bytes that a device may need to say how it is

Hear = Callable[[bytes, bool], None]
"""Takes a payload, and whether it is a retained one, which may be older than the device's last breath."""


def plain_id(name: str) -> str:
    """Return a name as Home Assistant takes it in topics (letters, digits, - and _); two names never become the same."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return plain if plain == name else f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def available(gate: str) -> str:
    """Return the topic that says whether a gate is there: online or offline."""
    return require_topic(f"peephole/{gate}/available")


class Noticeboard:
    """One gate's notices. Its last will says `offline` on peephole/GATE/available."""

    def __init__(self, place: BrokerPlace, gate: str) -> None:
        """Nothing is sent before `start`."""
        self._place = place
        self._available = available(gate)
        self._lock = threading.Lock()
        self._kept: dict[str, str] = {}
        self._followed: dict[str, Hear] = {}
        self._started = False
        client = self._client = client_of(place, f"peephole-{plain_id(gate)[:32]}-{secrets.token_hex(4)}", returns=True)
        client.reconnect_delay_set(1, 30)
        client.will_set(self._available, "offline", qos=1, retain=True)
        client.on_connect = lambda *_: self._greet()
        client.on_message = self._heard

    def start(self) -> None:
        """Connect in the background, now and whenever the broker comes back; never raises, never waits."""
        if not self._started:
            self._started = True
            self._client.connect_async(self._place.host, self._place.port, keepalive=KEEPALIVE)
            self._client.loop_start()

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return bool(self._client.is_connected())

    def keep(self, topic: str, text: str) -> None:
        """Have a topic say `text`, retained, now and after every new connection."""
        with self._lock:
            self._kept[topic] = text
            self._say(topic, text, retain=True)

    def tell(self, topic: str, text: str) -> None:
        """Say something once, to whoever listens now; it is lost when the broker is away."""
        with self._lock:
            self._say(topic, text, retain=False)

    def follow(self, topic: str, hear: Hear) -> None:
        """Have `hear` called, on this board's thread, for whatever is said on one topic; call it before `start`."""
        self._followed[require_topic(topic)] = hear

    def close(self) -> None:
        """Say that the gate is gone, and go; never raises."""
        if self._started:
            if self.connected:
                with suppress(ValueError, RuntimeError):
                    self._client.publish(self._available, "offline", qos=1, retain=True).wait_for_publish(1.0)
            self._client.disconnect()
            self._client.loop_stop()

    def _greet(self) -> None:
        for topic in self._followed:
            self._client.subscribe(topic, 1)
        with self._lock:
            for topic, text in self._kept.items():
                self._say(topic, text, retain=True)
            self._say(self._available, "online", retain=True)

    def _say(self, topic: str, text: str, retain: bool) -> None:
        """Send unless the broker is away: what is kept is said after the next connection, and what is not kept would come too late."""
        if self.connected:
            with suppress(ValueError, RuntimeError):
                # QoS 0: everything kept is said again after a new connection, and paho would send what was not acknowledged after it.
                self._client.publish(topic, text, qos=0, retain=retain)

    def _heard(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        hear = self._followed.get(message.topic)
        if hear is None or len(message.payload) > LONGEST:
            LOG.warning("%d bytes on %s are no state of a device", len(message.payload), ascii(message.topic[:100]))
            return
        try:
            hear(bytes(message.payload), message.retain)
        except Exception:  # whatever a device says, the board goes on
            LOG.exception("what came on %s could not be understood", ascii(message.topic[:100]))
