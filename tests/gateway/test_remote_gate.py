"""A whole gate and a real Mosquitto: commands that are retained, replayed, forged or late open nothing (SAFETY test 4)."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from livegate import SECRET, LiveGate, running, until
from paho.mqtt import client as paho

from peephole.base.errors import JournalError
from peephole.gateway.clock import SystemClock
from peephole.gateway.door import Door
from peephole.gateway.inbox import Signal
from peephole.gateway.kept import KeptFile
from peephole.gateway.listener import Message
from peephole.gateway.lockout import Kept
from peephole.gateway.mqtt import BrokerPlace
from peephole.gateway.remote import Answer, Order, read_answer, topics, write_order
from peephole.gateway.remotedesk import Desk
from peephole.gateway.remotesend import exchange, ordered
from peephole.gateway.remotestate import Standing

LONG = os.environ.get("PEEPHOLE_LONG") == "1"
RESTARTS, REPLAYS = (50, 1000) if LONG else (5, 100)
TOPIC, ANSWERS = topics("front-door")
MORE = '[broker]\nurl = "{url}"\n[remote]\nsecret = {{file = "remote.secret"}}\nmay_open = {may}'


class Sender:
    """Somebody on the broker, and what they hear of the gate."""

    def __init__(self, port: int) -> None:
        self.answers: list[Answer] = []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _c, _d, message: self.answers.append(read_answer(SECRET, message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe(ANSWERS, 1)

    def send(self, payload: str, retain: bool = False) -> None:
        """Publish and wait for the broker's acknowledgement."""
        sent = self._client.publish(TOPIC, payload, 1, retain)
        sent.wait_for_publish(5)
        assert sent.is_published()

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_message = None


@pytest.fixture
def make_remote(make_door: Callable[..., Door], tmp_path: Path, mosquitto: Any) -> Callable[..., Door]:
    """Return a function that makes a door which hears remote commands over a real broker."""
    (tmp_path / "remote.secret").write_text(SECRET)
    return lambda may="true": make_door(decide='cool_down = "0 s"', more=MORE.format(url=mosquitto.url, may=may))


@pytest.fixture
def sender(mosquitto: Any) -> Any:
    """Somebody on the same broker."""
    someone = Sender(mosquitto.port)
    yield someone
    someone.close()


def message(command: str = "open", life: int = 60, **args: str) -> str:
    """Return a command that is sent now."""
    now = int(time.time())
    return write_order(SECRET, Order("front-door", command, now, now + life, args))


def ready(gate: LiveGate, sender: Sender) -> None:
    """Wait until a gate hears commands."""
    for _ in range(50):
        asked = len(sender.answers)
        sender.send(message("status"))
        if until(lambda asked=asked: len(sender.answers) > asked, 0.3):
            return
    raise AssertionError(f"the gate does not answer: {gate.rules()}")


def test_lock_unlock_open(make_remote: Callable[..., Door], sender: Sender) -> None:
    """Each command is written down, done, and answered with its nonce; a lock outlives a restart; an opening is cut short by a lock."""
    door = make_remote()
    with running(door) as gate:
        ready(gate, sender)
        for command, rule in (("open", "remote open"), ("lock", "remote lock"), ("open", "remote refused")):
            payload = message(command, why="a try")
            sender.send(payload)
            assert until(lambda rule=rule: gate.rules()[-1] == rule), gate.rules()
            assert until(lambda payload=payload: sender.answers[-1].nonce in payload), command
            assert sender.answers[-1].done is (rule != "remote refused")
        assert [command.state for command in gate.lock.commands] == ["off", "on", "off"]
        assert any("before its pulse was over, because of the command" in getattr(row, "text", "") for row in gate.rows)
    with running(door) as gate:
        ready(gate, sender)
        assert "locked from afar ('a try')" in sender.answers[-1].text
        sender.send(message("unlock"))
        assert until(lambda: gate.rules()[-1] == "remote unlock")
        sender.send(message("open"))
        assert until(lambda: gate.openings == 1)


def test_an_opening_that_fails_is_answered(make_remote: Callable[..., Door], sender: Sender) -> None:
    """A lock that does not obey is told of as not done, and the gate goes on."""
    with running(make_remote()) as gate:
        ready(gate, sender)
        gate.lock.fails = True
        sender.send(message())
        assert until(lambda: sender.answers[-1].command == "open") and not sender.answers[-1].done
        assert "could not be carried out" in sender.answers[-1].text


def test_what_is_no_command_moves_nothing(make_remote: Callable[..., Door], sender: Sender) -> None:
    """Unsigned, wrongly signed, for another gate, expired, from the future, oversize: shut, unanswered where nobody signed it."""
    now = int(time.time())
    bad = [
        '{"command": "open"}',
        write_order("f" * 64, Order("front-door", "open", now, now + 30)),
        write_order(SECRET, Order("back-door", "open", now, now + 30)),
        write_order(SECRET, Order("front-door", "open", now - 100, now - 50)),
        write_order(SECRET, Order("front-door", "open", now + 600, now + 630)),
        message() + " " * 5000,
        "\x00" * 100_000,
    ]
    with running(make_remote()) as gate:
        ready(gate, sender)
        for payload in bad:
            sender.send(payload)
        ready(gate, sender)
        assert gate.openings == 0 and gate.rules().count("remote disbelieved") == 1
        assert {answer.command for answer in sender.answers} <= {"status", "open"} and not any(a.done for a in sender.answers if a.command == "open")


def test_may_open_is_off_by_default(make_remote: Callable[..., Door], sender: Sender) -> None:
    """Without the word in the settings nobody opens from afar."""
    with running(make_remote("false")) as gate:
        ready(gate, sender)
        sender.send(message())
        assert until(lambda: sender.answers[-1].command == "open") and not sender.answers[-1].done and gate.openings == 0


def test_without_a_clock_nothing_remote(make_remote: Callable[..., Door], sender: Sender) -> None:
    """A gate that booted in 1970 says so, and follows nothing."""

    class Booted(SystemClock):
        """The computer's clock before anybody set it."""

        def wall(self) -> float:
            """Seconds since 1970, of which there were few."""
            return 60.0

    with running(make_remote(), Booted()) as gate:
        assert until(lambda: sender.send(message("open")) or "remote refused" in gate.rules(), 20)
        assert "clock is not set" in next(row.reason for row in gate.rows if getattr(row, "rule", "") == "remote refused")
        assert gate.openings == 0


def attack(door: Door, sender: Sender, restarts: int, replays: int) -> tuple[int, int]:
    """Open once, then leave that and another opening with the broker, retained, and send them again and again; return openings, messages.

    The other one was never heard by a running gate. All are still good for nearly a minute when the gate starts anew.
    """
    openings = sent = 0
    captured = message()
    with running(door) as gate:
        ready(gate, sender)
        sender.send(captured)
        assert until(lambda: gate.openings == 1)
    for number in range(restarts):
        sender.send(captured if number % 2 else message(), retain=True)
        with running(door) as gate:
            ready(gate, sender)
            for _ in range(replays // restarts):
                sender.send(captured)
            ready(gate, sender)
            openings += gate.openings
            sent += 1 + replays // restarts
    sender.send("", retain=True)
    return openings, sent


def test_retained_and_replayed_commands_open_nothing(make_remote: Callable[..., Door], sender: Sender) -> None:
    """SAFETY test 4: 0 openings in 50 restarts and 1,000 replays (a tenth of it in every run)."""
    openings, sent = attack(make_remote(), sender, RESTARTS, REPLAYS)
    assert openings == 0 and sent == RESTARTS + REPLAYS


def believes_retained(desk: Desk, heard: Message) -> Signal:
    """Planted: does not look whether a message was retained."""
    return ORIGINAL(desk, replace(heard, retained=False))


ORIGINAL = Desk.signal


def test_planted_bugs_are_caught(make_remote: Callable[..., Door], sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that believes retained messages opens to the same attack, and so does one whose memory does not survive a restart."""
    door = make_remote()
    with monkeypatch.context() as patch:
        patch.setattr(Desk, "signal", believes_retained)
        assert attack(door, sender, 1, 2)[0] > 0
    with monkeypatch.context() as patch:
        read = KeptFile.read
        patch.setattr(KeptFile, "read", lambda file: replace(read(file), standing=Standing()))
        assert attack(door, sender, 1, 2)[0] > 0


def test_sending_and_its_answer(make_remote: Callable[..., Door], sender: Sender, mosquitto: Any) -> None:
    """The far end's own way: sign, publish, wait. A gate that is away gives no answer, and another's secret neither."""
    place = BrokerPlace("127.0.0.1", mosquitto.port)
    with running(make_remote()) as gate:
        ready(gate, sender)
        answer = exchange(place, SECRET, ordered("front-door", "lock", {"why": "a try"}, 10), 5)
        assert answer is not None and answer.done and "locked from afar" in answer.text
        assert exchange(place, "f" * 64, ordered("front-door", "unlock", {}, 1), 1) is None
        assert gate.rules().count("remote unlock") == 0
    assert exchange(place, SECRET, ordered("front-door", "status", {}, 1), 1) is None


def test_a_full_disk(make_remote: Callable[..., Door], sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be remembered does not happen: no opening, but a lock shuts all the same."""
    with running(make_remote()) as gate:
        ready(gate, sender)

        def full(_file: KeptFile, _kept: Kept) -> None:
            raise JournalError("it is full", "make room")

        monkeypatch.setattr(KeptFile, "write", full)
        sender.send(message())
        assert until(lambda: not sender.answers[-1].done) and gate.openings == 0
        sender.send(message("lock"))
        time.sleep(0.3)
        monkeypatch.undo()
        sender.send(message())
        assert until(lambda: "locked from afar" in sender.answers[-1].text) and gate.openings == 0


def test_a_command_that_waited_is_not_followed(make_remote: Callable[..., Door], sender: Sender) -> None:
    """A watch that hung for three seconds does not open afterwards for somebody who has gone."""
    with running(make_remote()) as gate:
        ready(gate, sender)
        gate.sensor.hang.set()
        sender.send(message())
        time.sleep(2.4)
        gate.sensor.hang.clear()
        assert until(lambda: "remote refused" in gate.rules()) and gate.openings == 0
        assert "waited" in next(row.reason for row in gate.rows if getattr(row, "rule", "") == "remote refused")
