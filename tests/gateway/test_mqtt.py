"""Commands over MQTT, through a real Mosquitto and the embedded broker: acknowledged, expiring, never retained, never late."""

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from peephole.base.errors import ActuatorError, GateError, SettingsError
from peephole.base.extras import load
from peephole.gateway.actuators import Command, MqttActuator
from peephole.gateway.mqtt import BrokerPlace, Messenger, knock, payload

# amqtt 0.12 still names things of asyncio and its own that are on their way out; nothing of ours is deprecated.
AMQTT = pytest.mark.filterwarnings("ignore::DeprecationWarning:amqtt")
ON = Command("front", "open", "on", 1_800_000_000.0, "v1", "ana", "three frames in a row were ana", 5.0)


@pytest.fixture(params=["mosquitto", pytest.param("amqtt", marks=AMQTT)])
def port(request: pytest.FixtureRequest) -> Any:
    """The port of a running broker, the real one and the embedded one in turn."""
    if request.param == "mosquitto":
        yield request.getfixturevalue("mosquitto").port
        return
    with load("gateway.broker:EmbeddedBroker")() as broker:
        yield broker.port


def messenger(port: int, name: str = "front", timeout: float = 2.0, farewell: str | None = None, **more: str) -> Messenger:
    return Messenger(BrokerPlace("127.0.0.1", port, **more), name, timeout, farewell=farewell)


def test_a_command_arrives_once_and_is_not_retained(port: int, listen: Callable[[int], Any]) -> None:
    """Everything a device needs to judge a command is in it, and nobody who comes later hears it."""
    ear = listen(port)
    front = messenger(port)
    MqttActuator(front, "home/lock").send(ON)
    (text,) = ear.wait("home/lock", 1)
    told = json.loads(text)
    assert {key: told[key] for key in ("gate", "action", "state", "visit", "label", "pulse")} == {
        "gate": "front", "action": "open", "state": "on", "visit": "v1", "label": "ana", "pulse": 5.0,
    }  # fmt: skip
    assert told["time"] == 1_800_000_000.0 and told["expires"] == 1_800_000_005.0 and len(told["nonce"]) == 16
    late = listen(port)
    MqttActuator(front, "home/other").send(ON)
    late.wait("home/other", 1)
    assert late.topic("home/lock") == []
    front.close()


def test_a_knock_is_heard_by_nobody(port: int, free_port: int, listen: Callable[[int], Any]) -> None:
    """Asking whether a broker answers publishes nothing, so that the status of a running gate stays; a port without one is said."""
    ear = listen(port)
    knock(BrokerPlace("127.0.0.1", port))
    front = messenger(port)
    front.retain("armed")
    ear.wait("peephole/front/status", 1)
    assert {topic for topic, _, _ in ear.heard if not topic.startswith("$")} == {"peephole/front/status"}
    front.close()
    with pytest.raises(ActuatorError, match="is away"):
        knock(BrokerPlace("127.0.0.1", free_port))


def test_who_is_there_is_retained(port: int, listen: Callable[[int], Any]) -> None:
    """The status tells whoever comes later, and the farewell is left after a goodbye; a connection without one changes nothing."""
    front, other = messenger(port, farewell="offline"), messenger(port)
    front.retain("online")
    other.connect()
    other.close()
    # Who subscribes while a broker still hands the message out may hear it twice: retained, and as it passes.
    assert set(listen(port).wait("peephole/front/status", 1)) == {"online"}
    front.close()
    assert set(listen(port).wait("peephole/front/status", 1)) == {"offline"}


def test_the_last_will_is_read(mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """When the gate dies without a goodbye the broker says its farewell for it."""
    ear = listen(mosquitto.port)
    front = messenger(mosquitto.port, farewell="offline")
    front.retain("online")
    ear.wait(front.status, 1)
    assert front._client is not None
    front._client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # as a pulled cable that the broker notices
    assert ear.wait(front.status, 2)[-1] == "offline"
    front.close()


def test_nonces_differ() -> None:
    """No two commands are alike."""
    assert len({json.loads(payload(0.0))["nonce"] for _ in range(1000)}) == 1000


def test_a_broker_that_is_away_is_said(free_port: int) -> None:
    """Nobody listens: an error with the address, quickly, and quicker the second time."""
    front = messenger(free_port)
    with pytest.raises(ActuatorError, match=f"127.0.0.1:{free_port} is away"):
        front.connect()
    with pytest.raises(ActuatorError, match="is away"):
        front.publish("a", "b")
    front.close()


def test_a_server_that_never_answers_is_said() -> None:
    """Something listens but speaks no MQTT: an error within the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        front = messenger(server.getsockname()[1], timeout=0.3)
        began = time.monotonic()
        with pytest.raises(ActuatorError, match=r"did not answer within 0\.3 s"):
            front.connect()
        assert time.monotonic() - began < 2
        front.close()


def test_an_acknowledgement_that_never_comes() -> None:
    """A broker that takes a command and does not acknowledge it loses the connection, so that nothing is sent again later."""
    heard: list[bytes] = []

    def half(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"\x20\x02\x00\x00")  # CONNACK, accepted
            while data := connection.recv(1000):
                heard.append(data)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=half, args=(server,))
        thread.start()
        front = messenger(server.getsockname()[1], timeout=0.5)
        with pytest.raises(ActuatorError, match="did not acknowledge"):
            front.publish("home/lock", "open")
        thread.join(5)
        assert not thread.is_alive() and b"open" in b"".join(heard)
        assert front._client is None
        front.close()


def test_nothing_is_delivered_late(mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """A command that failed while the broker was away is not sent when it comes back; the next one is."""
    front = messenger(mosquitto.port, timeout=0.4)
    front.publish("home/lock", "first")
    mosquitto.kill()
    for text in ("lost", "lost too"):
        with pytest.raises(ActuatorError):
            front.publish("home/lock", text)
    mosquitto.start()
    ear = listen(mosquitto.port)
    time.sleep(1.1)  # the rest after a failure
    front.publish("home/lock", "second")
    assert ear.wait("home/lock", 1) == ["second"]
    front.close()


def test_a_broker_that_wants_a_password(start_mosquitto: Callable[..., Any], tmp_path: Any) -> None:
    """Without the right name and password the refusal says which settings to correct, and the password is not printed."""
    mosquitto = start_mosquitto("allow_anonymous false")
    for more in ({}, {"username": "front", "password": "hunter2"}):
        front = messenger(mosquitto.port, **more)
        with pytest.raises(ActuatorError, match=r"refused: .*\nhint: .*username and password"):
            front.connect()
        assert "hunter2" not in repr(front.place)
        front.close()


def test_closing_twice_and_unconnected_is_fine(free_port: int) -> None:
    """Goodbye never raises."""
    front = messenger(free_port)
    front.close()
    front.close()


@AMQTT
def test_the_embedded_broker_stays_at_home() -> None:
    """It listens on 127.0.0.1 alone, says where, refuses a taken port, and is gone afterwards."""
    kind = load("gateway.broker:EmbeddedBroker")
    with kind() as broker:
        assert broker.url == f"mqtt://127.0.0.1:{broker.port}"
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.2", broker.port)) != 0
        with pytest.raises(GateError, match="cannot start"), kind(broker.port):
            pass
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", broker.port)) != 0


@pytest.mark.parametrize("topic", ["", "a/+", "#", "$SYS/a", "x" * 2000])
def test_topics_are_checked(topic: str, free_port: int) -> None:
    """A command never goes to a wildcard; a label cannot become part of a topic."""
    with pytest.raises(SettingsError):
        MqttActuator(messenger(free_port), topic)
