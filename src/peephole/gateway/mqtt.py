"""A thin MQTT 3.1.1 client: one message, acknowledged or an error; nothing waits in a queue to open a door later.

Version 5 would carry the expiry itself, but the embedded broker refuses it, so the expiry is part of the payload.
"""

import json
import secrets
import threading
import time
from contextlib import suppress
from typing import Any

from paho.mqtt import client as paho

from peephole.base.errors import ActuatorError, InputError
from peephole.gateway.address import require_topic
from peephole.gateway.brokerline import BrokerPlace, client_of, good_until, open_line, plain

__all__ = ["BrokerPlace", "Messenger", "knock", "leave", "left", "payload"]

EXPIRY = 5.0
REST = 1.0  # seconds after a failure in which nobody waits for the broker again


def payload(wall: float, **facts: str | float | bool | None) -> str:
    """Write facts as one JSON object with `time`, `expires` (both seconds since 1970) and a `nonce` of 64 random bits."""
    return json.dumps({**facts, "time": wall, "expires": wall + EXPIRY, "nonce": secrets.token_hex(8)}, ensure_ascii=False)


class Messenger:
    """Speaks to one broker; connects when there is something to say and says so when the broker is away.

    A message whose acknowledgement does not come in time takes its connection with it: an unacknowledged command would be
    sent again after the next connect, when nobody stands at the door any more.
    """

    def __init__(self, place: BrokerPlace, name: str, timeout: float = 2.0, *, farewell: str | None = None) -> None:
        """`name` becomes part of the client id and of the status topic peephole/NAME/status; `timeout` in seconds.

        A `farewell` is what the broker keeps as the status when this connection ends, in whatever way; without one it says nothing there.
        """
        self.place = place
        self.status = require_topic(f"peephole/{name}/status")
        self._name = name
        self._timeout = timeout
        self._farewell = farewell
        self._lock = threading.Lock()
        self._client: paho.Client | None = None
        self._rests_until = 0.0
        self._trouble: ActuatorError | None = None

    def connect(self) -> None:
        """Connect unless connected; raises ActuatorError that says what is wrong with the broker."""
        with self._lock:
            self._connected()

    def publish(self, topic: str, message: str) -> None:
        """Send a command with QoS 1, never retained, and wait for the acknowledgement; raises ActuatorError."""
        with self._lock:
            self._send(self._connected(), topic, message, retain=False)

    def retain(self, message: str) -> None:
        """Leave a status with the broker for whoever comes later, and wait for the acknowledgement; raises ActuatorError."""
        with self._lock:
            self._send(self._connected(), self.status, message, retain=True)

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as anybody knows."""
        client = self._client
        return client is not None and client.is_connected()

    def close(self) -> None:
        """Say goodbye, so that the last will is not read; never raises."""
        with self._lock:
            if self._farewell is not None and self._client is not None and self._client.is_connected():
                with suppress(ActuatorError):  # the last will says the same
                    self._send(self._client, self.status, self._farewell, retain=True)
            self._drop()

    def _connected(self) -> paho.Client:
        if self._client is not None and self._client.is_connected():
            return self._client
        if self._trouble is not None and time.monotonic() < self._rests_until:
            raise ActuatorError(self._trouble.what, self._trouble.hint)
        self._drop()
        try:
            self._client = self._greet()
        except ActuatorError as error:
            self._drop()
            self._trouble, self._rests_until = error, time.monotonic() + REST
            raise
        self._trouble = None
        return self._client

    def _greet(self) -> paho.Client:
        """Open a connection; on failure the half-open client is left in `_client` for `_drop`."""
        client = _client(self.place, self._name)
        if self._farewell is not None:
            client.will_set(self.status, self._farewell, qos=1, retain=True)
        self._client = client
        open_line(client, self.place, self._timeout)
        return client

    def _send(self, client: paho.Client, topic: str, message: str, retain: bool) -> None:
        try:
            sent = client.publish(topic, message, qos=1, retain=retain)
            sent.wait_for_publish(self._timeout)
            done = sent.is_published()
        except (OSError, ValueError, RuntimeError) as error:
            self._drop()
            raise ActuatorError(f"the broker at {self.place.where} is away: {plain(error)}", "start it, or correct [broker] url") from error
        if not done:
            self._drop()
            raise ActuatorError(
                f"the broker at {self.place.where} did not acknowledge a message within {self._timeout:g} s", "see the broker's own log"
            )

    def _drop(self) -> None:
        """Forget the connection, with whatever it had not delivered."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()


def knock(place: BrokerPlace, timeout: float = 2.0) -> float | None:
    """Connect to a broker and leave again, without a word that anybody else hears; raises ActuatorError that says what is wrong.

    Returns until when its certificate is good, in seconds since 1970; None without TLS.
    """
    client = _client(place, "check")
    try:
        open_line(client, place, timeout)
        return good_until(client)
    finally:
        client.disconnect()
        client.loop_stop()


def leave(place: BrokerPlace, topic: str, message: str, timeout: float = 2.0) -> None:
    """Leave a message that commands nothing with a broker, retained, and go; raises ActuatorError unless it was acknowledged."""
    client = _client(place, "head")
    where = place.where
    try:
        open_line(client, place, timeout)
        sent = client.publish(topic, message, qos=1, retain=True)
        sent.wait_for_publish(timeout)
        done = sent.is_published()
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, ActuatorError):
            raise
        raise ActuatorError(f"the broker at {where} is away: {plain(error)}", "start it, or correct [broker] url") from error
    finally:
        client.disconnect()
        client.loop_stop()
    if not done:
        raise ActuatorError(f"the broker at {where} did not acknowledge a message within {timeout:g} s", "see the broker's own log")


def left(place: BrokerPlace, topic: str, timeout: float = 2.0) -> bytes | None:
    """Return the message that a broker retains on a topic, None when there is none; raises ActuatorError."""
    client = _client(place, "head")
    found: list[bytes] = []
    granted, heard = threading.Event(), threading.Event()
    refused: list[Any] = []

    def on_message(_client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.retain:
            found.append(bytes(message.payload))
            heard.set()

    def on_subscribe(_client: paho.Client, _data: Any, _number: int, reasons: list[Any], _properties: Any) -> None:
        refused.extend(reason for reason in reasons if reason.is_failure)
        granted.set()

    client.on_message, client.on_subscribe = on_message, on_subscribe
    try:
        open_line(client, place, timeout)
        client.subscribe(topic, 1)
        if not granted.wait(timeout) or refused:
            raise ActuatorError(f"the broker at {place.where} lets nobody read {topic}", "see the broker's access list")
        heard.wait(min(0.5, timeout))  # retained messages come right after the grant
    finally:
        client.disconnect()
        client.loop_stop()
    return found[-1] if found else None


def _client(place: BrokerPlace, name: str) -> paho.Client:
    """Return a client without paho's own reconnecting: it would send again what was not acknowledged. Raises ActuatorError."""
    try:
        return client_of(place, f"peephole-{name[:32]}-{secrets.token_hex(4)}", returns=False)
    except InputError as error:
        raise ActuatorError(error.what, error.hint) from error
