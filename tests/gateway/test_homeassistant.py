"""Home Assistant is told, and devices are believed only when they answer: all through a real Mosquitto."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from paho.mqtt import client as paho

from peephole.base.errors import ActuatorError
from peephole.base.records import Decision
from peephole.gateway.actuators import Command, RecordingActuator
from peephole.gateway.clock import SystemClock
from peephole.gateway.confirmed import ConfirmedActuator, read_state
from peephole.gateway.door import Door
from peephole.gateway.homeassistant import MirroredActuator, Thing
from peephole.gateway.mqtt import BrokerPlace
from peephole.gateway.noticeboard import Noticeboard, plain_id
from peephole.gateway.switchboard import Line, Switchboard, open_switchboard

ON = Command("front", "open", "on", 1.8e9, "v1", "ana", "three frames", 5.0)
OFF = Command("front", "open", "off", 1.8e9)
STATE = "home/lock/state"
# What the documentation of Home Assistant's MQTT lock, binary sensor, event and discovery names (www.home-assistant.io/integrations/lock.mqtt).
COMMON = {"name", "unique_id", "availability_topic", "payload_available", "payload_not_available", "qos", "device", "origin", "state_topic"}
OWN = {
    "lock": {"command_topic", "payload_lock", "payload_unlock", "optimistic", "state_locked", "state_unlocked", "state_locking", "state_unlocking",
             "state_jammed"},
    "binary_sensor": {"payload_on", "payload_off", "device_class"},
    "event": {"event_types"},
}  # fmt: skip


@pytest.fixture
def board(mosquitto: Any) -> Iterator[Callable[..., Noticeboard]]:
    """Return a function that makes a noticeboard of the gate `front`; start it when all is on it."""
    boards = []

    def make(gate: str = "front") -> Noticeboard:
        boards.append(Noticeboard(BrokerPlace("127.0.0.1", mosquitto.port), gate))
        return boards[-1]

    yield make
    for one in boards:
        one.close()


def soon(what: Callable[[], object], within: float = 3.0) -> bool:
    end = time.monotonic() + within
    while not what() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(what())


class Device:
    """A lock on the broker: hears commands, and answers as `answer` says; `state` is what it told last."""

    def __init__(self, port: int, topic: str = "home/lock", answer: Callable[[dict[str, Any]], str | None] | None = None, delay: float = 0.0) -> None:
        self.heard: list[dict[str, Any]] = []
        self._answer = answer or (lambda command: "UNLOCKED" if command["state"] == "on" else "LOCKED")
        self._delay = delay
        ready = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self.client.on_message = self._hear
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe(topic, 1)
        assert ready.wait(5)

    def _hear(self, _client: Any, _data: Any, message: Any) -> None:
        command = json.loads(message.payload)
        self.heard.append(command)
        answer = self._answer(command)
        if answer is not None:
            threading.Timer(self._delay, self.say, (answer,)).start()

    def say(self, text: str | bytes) -> None:
        """Tell a state, retained, as devices do."""
        self.client.publish(STATE, text, qos=1, retain=True).wait_for_publish(2)

    def close(self) -> None:
        """Leave the broker."""
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def device(mosquitto: Any) -> Iterator[Callable[..., Device]]:
    """Return a function that puts a device on the broker."""
    devices = []

    def make(*given: Any, **more: Any) -> Device:
        devices.append(Device(mosquitto.port, *given, **more))
        return devices[-1]

    yield make
    for one in devices:
        one.close()


LOCK = """pulse = "5 s"
[action.lock]
target = "mqtt://home/lock?discovery={kind}&state=home/lock/state"
pulse = "1 s"
timeout = "0.4 s"
[broker]
url = "{url}"
"""


def gate(make_door: Callable[..., Door], url: str, kind: str = "lock") -> Switchboard:
    """Open the controllers of a door whose lock hangs on a broker, its other actions recording."""
    text = LOCK.format(kind=kind, url=url).removeprefix('pulse = "5 s"\n')
    switch = open_switchboard(make_door(more=text))
    switch.lines = {"lock": switch.lines["lock"]}
    return switch


DECISION = Decision("v1", "open", "ana", "three frames in a row were ana", "rule 1", "lock")


def test_a_lock_that_confirms(make_door: Callable[..., Door], mosquitto: Any, listen: Callable[[int], Any], device: Callable[..., Device]) -> None:
    """Announced, unlocked when the device says so, locked when the device says so; the states stay for whoever comes later, commands do not."""
    lock = device()
    lock.say("LOCKED")
    switch = gate(make_door, mosquitto.url)
    ear = listen(mosquitto.port)
    assert switch.make_safe(0.0, time.time()) == ()
    switch.act(DECISION, 0.0, time.time())
    assert soon(lambda: ear.topic("peephole/front-door/lock/state")[-1:] == ["UNLOCKED"])
    assert switch.tick(1.0, time.time()) == ()
    assert soon(lambda: ear.topic("peephole/front-door/lock/state")[-1:] == ["LOCKED"])
    assert [command["state"] for command in lock.heard] == ["off", "on", "off"]
    late = listen(mosquitto.port)
    late.wait("peephole/front-door/lock/state", 1)
    kept = {topic: text for topic, text, retained in late.heard if retained}
    assert kept["peephole/front-door/lock/state"] == "LOCKED" and kept["peephole/front-door/available"] == "online"
    assert "homeassistant/lock/front-door/lock/config" in kept and "home/lock" not in kept
    switch.close()
    assert soon(lambda: late.topic("peephole/front-door/available")[-1] == "offline")


@pytest.mark.parametrize("answer", [None, "LOCKED", "UNLOCKING", "nonsense", "", '{"state": 3}', "[" * 1000, "x" * 5000])
def test_a_lock_that_does_not_confirm(
    make_door: Callable[..., Door], mosquitto: Any, listen: Callable[[int], Any], device: Callable[..., Device], answer: str | None
) -> None:
    """Silence, another state and nonsense are not done: jammed, an error within the timeout, and the half-done opening is taken back."""
    lock = device(answer=lambda command: answer if command["state"] == "on" else "LOCKED")
    lock.say("LOCKED")
    switch = gate(make_door, mosquitto.url)
    ear = listen(mosquitto.port)
    assert switch.make_safe(0.0, time.time()) == ()
    began = time.monotonic()
    with pytest.raises(ActuatorError, match=r"jammed: the device on home/lock/state did not say that it is unlocked within 0\.4 s"):
        switch.act(DECISION, 0.0, time.time())
    assert time.monotonic() - began < 1.5
    assert soon(lambda: ear.topic("peephole/front-door/lock/state")[-1:] == ["JAMMED"])
    assert switch.tick(0.0, time.time()) == () and lock.heard[-1]["state"] == "off"
    assert soon(lambda: ear.topic("peephole/front-door/lock/state")[-1:] == ["LOCKED"])
    switch.close()


class Gullible(ConfirmedActuator):
    """A planted bug: what the broker took is done."""

    def send(self, command: Command) -> None:
        """Command, and believe."""
        self._inner.send(command)


class Nostalgic(ConfirmedActuator):
    """A planted bug: a retained state is as good as a fresh one."""

    def _hear(self, payload: bytes, retained: bool) -> None:
        super()._hear(payload, False)


@pytest.mark.parametrize(("kind", "right"), [(ConfirmedActuator, True), (Gullible, False), (Nostalgic, False)])
def test_an_old_word_opens_nothing(
    board: Callable[..., Noticeboard], device: Callable[..., Device], kind: type[ConfirmedActuator], right: bool
) -> None:
    """A device that died while it was unlocked left UNLOCKED on the broker: that is no answer. The planted bugs take it for one."""
    device(answer=lambda command: None).say("UNLOCKED")
    notices = board()
    inner = RecordingActuator()
    lock = kind(inner, notices, STATE, 0.3)
    notices.start()
    assert soon(lambda: lock._state == "UNLOCKED")
    if right:
        with pytest.raises(ActuatorError, match="did not say"):
            lock.send(ON)
    else:
        lock.send(ON)
    assert inner.state == "on"


def test_a_lock_that_is_jammed(board: Callable[..., Noticeboard], device: Callable[..., Device]) -> None:
    """It says so: at once when it was asked to move, as a fault when it was not; and it is believed when it is well again."""
    lock = device(answer=lambda command: None)
    notices = board()
    confirmed = ConfirmedActuator(RecordingActuator(), notices, STATE, 3.0)
    notices.start()
    assert soon(lambda: notices.connected)
    time.sleep(0.1)
    lock.say("LOCKED")
    assert soon(lambda: confirmed._state == "LOCKED")
    lock.say("JAMMED")
    assert soon(lambda: confirmed._state == "JAMMED")
    assert confirmed.faults() == ("the device on home/lock/state says that it is jammed",) and confirmed.faults() == ()
    began = time.monotonic()
    threading.Timer(0.1, lock.say, ("UNLOCKING",)).start()
    threading.Timer(0.3, lock.say, ("JAMMED",)).start()
    with pytest.raises(ActuatorError, match="says that it is jammed"):
        confirmed.send(ON)
    assert time.monotonic() - began < 2.0 and confirmed.faults() == ()


def test_a_door_that_is_opened_by_hand(
    make_door: Callable[..., Door], mosquitto: Any, listen: Callable[[int], Any], device: Callable[..., Device]
) -> None:
    """A key from inside is nobody's fault and is not taken back: it is shown, and so is its end; nonsense in between changes nothing."""
    lock = device(answer=lambda command: None)
    lock.say("LOCKED")
    switch = gate(make_door, mosquitto.url)
    ear = listen(mosquitto.port)
    assert switch.make_safe(0.0, time.time()) == ()
    for state in ("UNLOCKED", "nonsense", "LOCKED", "{"):
        lock.say(state)
        if state.isupper():
            assert soon(lambda state=state: ear.topic("peephole/front-door/lock/state")[-1:] == [state])
    assert switch.tick(10.0, time.time()) == () and [command["state"] for command in lock.heard] == ["off"]
    assert switch.make_safe(11.0, time.time()) == ()
    switch.close()


def test_an_opening_that_comes_true_late_is_taken_back(board: Callable[..., Noticeboard], device: Callable[..., Device], monkeypatch: Any) -> None:
    """The device obeys after the gate gave up: `locked` from before is not believed until the command can no longer come true."""
    monkeypatch.setattr("peephole.gateway.confirmed.EXPIRY", 1.0)
    lock = device(answer=lambda command: None)
    lock.say("LOCKED")
    notices = board()
    confirmed = ConfirmedActuator(RecordingActuator(), notices, STATE, 0.2)
    notices.start()
    assert soon(lambda: confirmed._state == "LOCKED")
    switch = Switchboard("front", {"lock": Line(confirmed, 5.0)})
    assert switch.tick(0.0, 0.0) == ()
    with pytest.raises(ActuatorError):
        switch.act(DECISION, 10.0, 0.0)
    assert len(switch.tick(10.0, 0.0)) == 1 and switch.lines["lock"].failing
    lock.say("UNLOCKED")
    assert soon(lambda: confirmed._state == "UNLOCKED")
    assert switch.tick(11.0, 0.0) == () and switch.lines["lock"].failing
    lock.say("LOCKED")
    assert soon(lambda: confirmed._state == "LOCKED")
    time.sleep(1.0)
    assert switch.tick(12.0, 0.0) == () and not switch.lines["lock"].failing


@pytest.mark.parametrize("kind", ["lock", "binary_sensor", "event"])
def test_it_is_announced_in_home_assistants_words(make_door: Callable[..., Door], mosquitto: Any, listen: Callable[[int], Any], kind: str) -> None:
    """Every key is one of its documentation, none is missing, and the topic for its own commands is one that nobody hears."""
    switch = gate(make_door, mosquitto.url, kind)
    ear = listen(mosquitto.port)
    (text,) = ear.wait(f"homeassistant/{kind}/front-door/lock/config", 1)[:1]
    told = json.loads(text)
    assert set(told) == COMMON | OWN[kind]
    assert told["availability_topic"] == "peephole/front-door/available" and told["device"]["identifiers"] == ["peephole_front-door"]
    assert told["unique_id"] == f"peephole_front-door_lock_{kind}"
    if kind == "lock":
        assert told["state_jammed"] == "JAMMED" and told["optimistic"] is False and told["command_topic"].endswith("/nobody-listens")
        follows = {topic for line in switch.lines.values() for topic in line.actuator._board._followed}  # type: ignore[attr-defined]
        assert follows == {STATE}
    switch.close()


def test_a_binary_sensor_is_on_off_or_unsure() -> None:
    """It has no word for jammed."""
    thing = Thing("front", "open", "binary_sensor", True)
    assert [thing.told(state) for state in ("UNLOCKED", "LOCKED", "JAMMED", "LOCKING")] == ["ON", "OFF", "None", "None"]
    assert json.loads(thing.announcement)["device_class"] == "lock"
    assert "device_class" not in json.loads(Thing("front", "light", "binary_sensor", False).announcement)


def test_events_happen_and_are_over(board: Callable[..., Noticeboard], mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """Each with its type and its facts, in ASCII on one line, never retained; making safe what is safe is no event."""
    notices = board()
    inner = RecordingActuator()
    bell = MirroredActuator(inner, Thing("front", "call", "event", False), notices)
    notices.start()
    assert soon(lambda: notices.connected)
    ear = listen(mosquitto.port)
    bell.send(OFF)
    bell.send(Command("front", "call", "on", 1.0, "v1", 'ana"\n지우', "a\r\nb"))
    bell.send(OFF)
    inner.fails = True
    with pytest.raises(ActuatorError):
        bell.send(ON)
    texts = ear.wait("peephole/front/call/event", 3)
    assert [json.loads(text)["event_type"] for text in texts] == ["on", "off", "failed"]
    assert json.loads(texts[0])["label"] == 'ana"\n지우' and all(text.isascii() and "\n" not in text for text in texts)
    assert not any(retained for topic, _, retained in listen(mosquitto.port).heard if topic.endswith("/event"))


@pytest.mark.parametrize("name", ["front-door", "앞문", "front door", "a" * 64, 'a"b', "front.door", "../x", "front_door"])
def test_no_name_leaves_its_place(name: str) -> None:
    """SAFETY 28: whatever a gate or action is called, its topics have as many levels as they should, and no two are the same."""
    if "/" in name:
        assert "/" not in plain_id(name)
        return
    thing = Thing(name, name, "lock", True)
    assert thing.topic.count("/") == 4 and thing.topic.isascii() and " " not in thing.topic
    assert thing.state_topic.count("/") == 3 and not set(thing.topic) & set('+#"$')
    assert json.loads(thing.announcement)["device"]["name"] == name
    assert len({plain_id(other) for other in ("front door", "front_door", "front-door", "front.door", "앞문", "뒷문")}) == 6


def test_a_broker_that_comes_back_is_told_everything_again(board: Callable[..., Noticeboard], mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """It forgot what it kept; announcement and the state of now are there again, the states in between and the events are not."""
    notices = board()
    mirrored = MirroredActuator(RecordingActuator(), Thing("front", "open", "lock", True), notices)
    notices.start()
    assert soon(lambda: notices.connected)
    mirrored.send(OFF)
    mosquitto.kill()
    assert soon(lambda: not notices.connected)
    mirrored.send(ON)
    mirrored.send(OFF)
    mosquitto.start()
    assert soon(lambda: notices.connected, 10)
    ear = listen(mosquitto.port)
    ear.wait("peephole/front/open/state", 1)
    assert set(ear.topic("peephole/front/open/state")) == {"LOCKED"} and set(ear.topic("peephole/front/available")) == {"online"}
    assert ear.topic("homeassistant/lock/front/open/config")


def test_the_last_will_says_that_the_gate_is_gone(board: Callable[..., Noticeboard], mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """A gate that is killed is unavailable to Home Assistant, and so is its lock."""
    notices = board()
    notices.start()
    ear = listen(mosquitto.port)
    assert ear.wait("peephole/front/available", 1) and ear.topic("peephole/front/available")[-1] == "online"
    notices._client.socket().shutdown(2)  # type: ignore[union-attr]  # as a killed process leaves it
    assert soon(lambda: "offline" in ear.topic("peephole/front/available"))


def test_a_broker_that_is_away_holds_nobody_up(free_port: int) -> None:
    """Telling is instantaneous and silent, with or without anybody there."""
    notices = Noticeboard(BrokerPlace("127.0.0.1", free_port), "front")
    notices.start()
    began = time.monotonic()
    for number in range(1000):
        notices.keep("a/b", str(number))
        notices.tell("a/c", str(number))
    assert time.monotonic() - began < 0.5 and notices._kept == {"a/b": "999"}
    notices.close()


@pytest.mark.parametrize(
    ("payload", "state"),
    [
        (b"LOCKED", "LOCKED"), (b" Unlocked\n", "UNLOCKED"), (b'{"state": "UNLOCK", "battery": 80}', "UNLOCKED"), (b"jammed", "JAMMED"),
        (b"ON", "UNLOCKED"),
        (b"off", "LOCKED"), (b"", None), (b"\xff", None), (b"{", None), (b'{"state": ["on"]}', None), (b"[1]", None), (b'{"state": null}', None),
        (b'{"a":' * 200, None), (b"unlockedd", None), (b"1", None),
    ],
)  # fmt: skip
def test_what_devices_say(payload: bytes, state: str | None) -> None:
    """Their words, plain or in JSON; whatever else comes is no state."""
    assert read_state(payload) == state


def test_a_reader_that_fails_does_not_end_the_board(board: Callable[..., Noticeboard], device: Callable[..., Device]) -> None:
    """What one message breaks the next one finds mended."""
    heard: list[bytes] = []

    def hear(payload: bytes, _retained: bool) -> None:
        heard.append(payload)
        raise ZeroDivisionError("odd")

    notices = board()
    notices.follow(STATE, hear)
    notices.start()
    assert soon(lambda: notices.connected)
    lock = device()
    assert soon(lambda: lock.say("LOCKED") or len(heard) > 1)


def test_the_clock_thread_takes_it_back(make_door: Callable[..., Door], mosquitto: Any, device: Callable[..., Device]) -> None:
    """With nobody in the deciding loop, an opening that was not confirmed is taken back, and told once."""
    lock = device(answer=lambda command: "LOCKED" if command["state"] == "off" else None)
    switch = gate(make_door, mosquitto.url)
    told: list[str] = []
    clock = SystemClock()
    switch.watch(clock, told.append)
    with pytest.raises(ActuatorError):
        switch.act(DECISION, clock.monotonic(), time.time())
    assert soon(lambda: [command["state"] for command in lock.heard] == ["on", "off"])
    assert told == []
    switch.close()
