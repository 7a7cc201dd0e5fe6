"""The listener: hears a real broker, comes back after it was away, and is not ended by whoever hears."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from paho.mqtt import publish

from peephole.gateway.clock import SteppedClock, SystemClock
from peephole.gateway.listener import Listener, Message
from peephole.gateway.mqtt import BrokerPlace


def until(what: Callable[[], bool], seconds: float = 8.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def listen_to() -> Iterator[Callable[..., tuple[Listener, list[Message]]]]:
    """Return a function that listens to topics and remembers what it hears."""
    listeners: list[Listener] = []

    def begin(port: int, *topics: str, **place: Any) -> tuple[Listener, list[Message]]:
        listener, heard = Listener(BrokerPlace("127.0.0.1", port, **place), "front-door", SteppedClock(7.0, 1.8e9)), []
        for topic in topics:
            listener.on(topic, heard.append)
        listener.start()
        listeners.append(listener)
        return listener, heard

    yield begin
    for listener in listeners:
        listener.close()
        listener.close()


def say(port: int, topic: str, payload: str, retain: bool = False) -> None:
    publish.single(topic, payload, qos=1, retain=retain, hostname="127.0.0.1", port=port)


def test_it_hears(mosquitto: Any, listen_to: Callable[..., tuple[Listener, list[Message]]]) -> None:
    """Topics and filters, with the time of arrival on the gate's clock, and whether the broker had kept it."""
    say(mosquitto.port, "door/pin", "kept", retain=True)
    listener, heard = listen_to(mosquitto.port, "door/pin", "home/+/phone")
    until(lambda: len(heard) == 1)
    say(mosquitto.port, "home/ana/phone", "here")
    say(mosquitto.port, "home/ana", "not heard")
    say(mosquitto.port, "door/pin", "new")
    until(lambda: len(heard) == 3)
    assert heard == [
        Message("door/pin", b"kept", True, 7.0, 1.8e9),
        Message("home/ana/phone", b"here", False, 7.0, 1.8e9),
        Message("door/pin", b"new", False, 7.0, 1.8e9),
    ]
    assert listener.connected


def test_it_comes_back(mosquitto: Any, listen_to: Callable[..., tuple[Listener, list[Message]]]) -> None:
    """A broker that was away is heard again, without anybody's help, and subscribed to again."""
    listener, heard = listen_to(mosquitto.port, "door/pin")
    until(lambda: listener.connected)
    mosquitto.kill()
    until(lambda: not listener.connected)
    mosquitto.start()
    until(lambda: listener.connected)
    time.sleep(0.2)
    say(mosquitto.port, "door/pin", "again")
    until(lambda: bool(heard))
    assert [message.payload for message in heard] == [b"again"]


def test_it_waits_for_a_broker_that_is_not_there_yet(free_port: int, listen_to: Callable[..., tuple[Listener, list[Message]]]) -> None:
    """To begin before the broker is no error."""
    listener, _ = listen_to(free_port, "door/pin")
    time.sleep(0.1)
    assert not listener.connected


def test_a_hearer_that_fails_ends_nothing(mosquitto: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Its failure is logged, without what was said, and the next message is heard."""
    heard: list[Message] = []

    def hear(message: Message) -> None:
        heard.append(message)
        if len(heard) == 1:
            raise RuntimeError("not understood")

    listener = Listener(BrokerPlace("127.0.0.1", mosquitto.port), "front-door", SystemClock())
    listener.on("door/pin", hear)
    listener.start()
    until(lambda: listener.connected)
    time.sleep(0.2)
    say(mosquitto.port, "door/pin", "246802")
    say(mosquitto.port, "door/pin", "135791")
    until(lambda: len(heard) == 2)
    listener.close()
    assert "not understood" in caplog.text and "246802" not in caplog.text


def test_a_broker_that_demands_a_password(start_mosquitto: Any, listen_to: Callable[..., tuple[Listener, list[Message]]]) -> None:
    """Without it nothing is heard, and nothing breaks."""
    broker = start_mosquitto("allow_anonymous false")
    listener, heard = listen_to(broker.port, "door/pin", username="ana", password="wrong")
    time.sleep(0.4)
    assert not listener.connected and heard == []
