"""The second factor at a real gate: real frames, a real broker and keypad, real files; restarts, full disks and deaf brokers."""

import http.client
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doorworld import FACES
from paho.mqtt import publish
from typer.testing import CliRunner

from peephole.base.errors import JournalError, SensorError
from peephole.base.records import Decision
from peephole.cli.gate import app
from peephole.gateway.agent import Summary, run
from peephole.gateway.clock import SystemClock
from peephole.gateway.door import Door, load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.hearing import began, hear
from peephole.gateway.inbox import Inbox
from peephole.gateway.journal import Journal, Record, Remark
from peephole.gateway.kept import KeptFile
from peephole.gateway.keypad import Keypad
from peephole.gateway.letters import factor
from peephole.gateway.lockout import Kept
from peephole.gateway.pins import Pins, write_pins
from peephole.gateway.policy import Glance, State, step
from peephole.gateway.reception import Reception, open_reception
from peephole.gateway.switchboard import rehearsal
from peephole.gateway.tail import Tail

Paint = Callable[[Path, str], Path]
MakeDoor = Callable[..., Door]
PIN = "246802"


def letter(pin: str = PIN, life: float = 10.0, nonce: str | None = None, **more: object) -> str:
    return json.dumps({"pin": pin, "nonce": nonce or secrets.token_hex(8), "expires": time.time() + life, **more})


def listens(at: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", at)) == 0


class Gate:
    """A gate that runs in a thread, with whatever it told."""

    def __init__(self, door: Door, paint: Paint, model: ColourPredictor, **parts: Any) -> None:
        self.door, self.told = door, []
        self._paint, self._model, self._parts = paint, model, parts
        self._stop, self._number, self._result = threading.Event(), 0, []
        self.board = rehearsal(door)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.until(lambda: any(isinstance(record, Remark) and record.kind == "start" for record in self.told))
        self.until(lambda: "http" not in door.settings.decide.second_factor or listens(port(door)))

    def _run(self) -> None:
        told: Callable[[Record], None] = self.told.append
        self._result.append(run(self.door, self._model.predict, self._model.card, switchboard=self.board, stop=self._stop, tell=told, **self._parts))

    def until(self, what: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, self.told
            time.sleep(0.01)

    def decisions(self, rule: str = "") -> list[Decision]:
        """Return what it decided so far, or what was decided by a rule."""
        return [record for record in self.told if isinstance(record, Decision) and (not rule or record.rule == rule)]

    @property
    def opened(self) -> int:
        """How often it opened."""
        return sum(decision.verdict == "open" for decision in self.decisions())

    def come(self, who: str, frames: int = 3) -> None:
        """Drop pictures of somebody."""
        for _ in range(frames):
            self._number += 1
            self._paint(self.door.folder / "frames" / f"{self._number:05}.png", who)

    def stop(self) -> Summary:
        """End it."""
        self._stop.set()
        self.thread.join(5)
        assert not self.thread.is_alive()
        (summary,) = self._result
        return summary


@pytest.fixture
def start(paint: Paint, model: ColourPredictor) -> Iterator[Callable[..., Gate]]:
    """Return a function that starts a gate."""
    gates: list[Gate] = []

    def begin(door: Door, **parts: Any) -> Gate:
        (door.folder / "frames").mkdir(exist_ok=True)
        gates.append(Gate(door, paint, model, **parts))
        return gates[-1]

    yield begin
    for gate in gates:
        if gate.thread.is_alive():
            gate.stop()


def with_pins(door: Door) -> Door:
    write_pins(door.factors, Pins().given("ana", "pin", PIN).given("junho", "pin", "135791"))
    return door


@pytest.fixture
def keypad_door(make_door: MakeDoor, free_port: int) -> Door:
    """A door whose keypad posts to a free port."""
    decide = f'second_factor = "http://127.0.0.1:{free_port}/pin"\ncool_down = "100 ms"\ngap = "300 ms"'
    return with_pins(make_door("folder://frames?poll=0.02", decide=decide))


@pytest.fixture
def mqtt_door(make_door: MakeDoor, mosquitto: Any) -> Door:
    """A door whose keypad speaks MQTT."""
    decide = 'second_factor = "mqtt://door/pin"\ncool_down = "100 ms"\ngap = "300 ms"'
    return with_pins(make_door("folder://frames?poll=0.02", decide=decide, more=f'[broker]\nurl = "{mosquitto.url}"'))


def port(door: Door) -> int:
    return int(door.settings.decide.second_factor.rpartition(":")[2].partition("/")[0])


def post(door: Door, body: str | bytes, path: str = "/pin", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port(door), timeout=5)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        with connection.getresponse() as answer:
            return answer.status
    finally:
        connection.close()


def say(door: Door, payload: str, retain: bool = False) -> None:
    assert door.settings.broker is not None
    publish.single("door/pin", payload, qos=1, retain=retain, hostname="127.0.0.1", port=door.settings.broker.place[1])


def test_a_pin_on_the_keypad_opens(keypad_door: Door, start: Callable[..., Gate]) -> None:
    """Ana is recognised and asked; her PIN opens, long after her frames ended; junho's does not."""
    gate = start(keypad_door)
    gate.come("ana")
    gate.until(lambda: bool(gate.decisions("second factor")))
    assert "ana's PIN or tag is awaited for 20 s" in gate.decisions("second factor")[0].reason
    assert post(keypad_door, letter("135791")) == 202
    time.sleep(0.5)
    assert gate.opened == 0
    assert post(keypad_door, letter()) == 202
    gate.until(lambda: gate.opened == 1)
    (opening,) = (one for one in gate.decisions() if one.verdict == "open")
    assert opening.label == "ana" and "ana's PIN or tag came 0.0 s before" in opening.reason
    summary = gate.stop()
    assert (summary.opened, summary.visits, summary.faults) == (1, 1, 0)
    assert PIN not in keypad_door.journal.read_bytes().decode("latin-1") and PIN not in str(gate.told)


def test_a_pin_first_opens_too(keypad_door: Door, start: Callable[..., Gate]) -> None:
    """The PIN came before the face: once, for one opening."""
    gate = start(keypad_door)
    assert post(keypad_door, letter()) == 202
    gate.come("ana")
    gate.until(lambda: gate.opened == 1)
    time.sleep(0.6)
    gate.come("ana")
    gate.until(lambda: bool(gate.decisions("second factor")))
    assert gate.opened == 1


def test_five_wrong_pins_a_restart_and_a_person(keypad_door: Door, start: Callable[..., Gate]) -> None:
    """The lockout outlives the gate, and ends when a person says so to the running gate."""
    gate = start(keypad_door)
    for number in range(5):
        post(keypad_door, letter(f"00000{number}"))
    gate.until(lambda: len(gate.decisions("second factor")) == 5)
    assert "number 5 in a row; after 5 wrong PINs or tags in a row the door stays shut for another 30.0 s" in gate.decisions()[-1].reason
    gate.stop()
    assert KeptFile(keypad_door.lockout, "front-door").read().failures == 5
    gate = start(keypad_door)
    gate.come("ana")
    gate.until(lambda: bool(gate.decisions("lockout")))
    post(keypad_door, letter())
    time.sleep(0.3)
    assert gate.opened == 0
    told = CliRunner().invoke(app, ["unlock", str(keypad_door.path)], catch_exceptions=False)
    assert told.exit_code == 0 and "5 failures in a row" in told.output
    gate.until(lambda: any("a person ended the lockout" in one.reason for one in gate.decisions("lockout")))
    ended = gate.decisions("lockout")[-1]
    assert (ended.visit, ended.verdict, ended.reason) == ("-", "note", "a person ended the lockout; 5 failures forgotten")
    post(keypad_door, letter())
    gate.come("ana")
    gate.until(lambda: gate.opened == 1)
    gate.stop()
    assert start(keypad_door).decisions() == []  # the order is spent: the next start follows it no more


def test_a_lockout_file_that_is_broken_disables(keypad_door: Door, start: Callable[..., Gate]) -> None:
    """Half a file lets nobody in, says so as a fault, and an order that lay there already does not help."""
    KeptFile(keypad_door.lockout, "front-door").give_order()
    keypad_door.lockout.write_text("{")
    gate = start(keypad_door)
    gate.come("ana")
    post(keypad_door, letter())
    gate.until(lambda: bool(gate.decisions("lockout")))
    assert gate.opened == 0 and "disabled until a person says" in gate.decisions("lockout")[0].reason
    assert any(isinstance(record, Remark) and record.kind == "fault" and "disabled" in record.text for record in gate.told)
    KeptFile(keypad_door.lockout, "front-door").give_order()
    gate.until(lambda: any("a person ended" in one.reason for one in gate.decisions("lockout")))


class Full(KeptFile):
    """A lockout's file on a disk that is full while it is told so."""

    full = True

    def write(self, kept: Kept) -> None:
        """Refuse, or write."""
        if self.full:
            raise JournalError(f"{self.path} cannot be written: No space left on device", "make room on the disk")
        super().write(kept)


@pytest.mark.parametrize("careless", [False, True], ids=["real", "planted bug"])
def test_a_full_disk_lets_nobody_in(keypad_door: Door, start: Callable[..., Gate], careless: bool) -> None:
    """What cannot be counted does not open; with room again it does. A gate that goes on regardless opens, and is found."""
    file = Full(keypad_door.lockout, "front-door")
    inbox, clock = Inbox(), SystemClock()
    ears = open_reception(keypad_door, clock, inbox)._ears
    reception = Reception(clock, inbox, file, 50, ears)
    if careless:
        file.write = lambda kept: None  # type: ignore[method-assign]
    gate = start(keypad_door, reception=reception)
    post(keypad_door, letter())
    gate.come("ana")
    gate.until(lambda: len(gate.decisions()) >= 1)
    time.sleep(0.3)
    assert (gate.opened == 1) is careless
    if not careless:
        assert "cannot be counted on disk" in gate.decisions("lockout")[0].reason
        assert sum(isinstance(record, Remark) and record.subject == "the lockout" for record in gate.told) == 1
        file.full = False
        gate.come("ana")
        gate.until(lambda: gate.opened == 1)
        assert len(KeptFile(keypad_door.lockout, "front-door").read().spent) == 1
    gate.stop()
    reception.close()


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/", {}, letter(), 404),
        ("/pin/", {}, letter(), 404),
        ("/pin", {"Host": "evil.example"}, letter(), 403),
        ("/pin", {"Origin": "http://127.0.0.1"}, letter(), 403),
        ("/pin", {"Content-Type": "text/plain"}, letter(), 415),
        ("/pin", {}, "x" * 5000, 413),
        ("/pin", {"Content-Length": "-1"}, "", 413),
        ("/pin", {}, "no json", 202),
    ],
    ids=range(8),  # a letter is another one each time, and a test's name must not be
)
def test_what_the_keypad_refuses(path: str, headers: dict[str, str], body: str, status: int) -> None:
    """Other routes, pages in a browser, forms, long bodies; and it never says whether a PIN was right."""
    heard: list[bytes] = []
    keypad = Keypad("127.0.0.1", 0, "/pin", heard.append)
    keypad.start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", keypad.port, timeout=5)
        connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        with connection.getresponse() as answer:
            assert answer.status == status
        connection.request("GET", "/pin")
        with connection.getresponse() as answer:
            assert answer.status == 501
        connection.close()
    finally:
        keypad.close()
    assert heard == ([body.encode()] if status == 202 else [])


def test_a_keypads_port_that_is_taken(keypad_door: Door, start: Callable[..., Gate], model: ColourPredictor) -> None:
    """The gate does not run without its keypad, and says why."""
    start(keypad_door)
    another = keypad_door.path.with_name("ANOTHER.toml")  # with a journal of its own: two gates on one are refused before
    another.write_text(keypad_door.path.read_text(encoding="utf-8") + '\n[journal]\npath = "another.db"\n', encoding="utf-8")
    with pytest.raises(SensorError, match="choose another port"):
        run(load_door(another), model.predict, model.card, switchboard=rehearsal(keypad_door))


def test_through_mosquitto(mqtt_door: Door, start: Callable[..., Gate]) -> None:
    """A PIN over MQTT opens once; the same message again, a retained one and an expired one do not; a doubled one is no failure."""
    say(mqtt_door, letter(life=50.0), retain=True)
    gate = start(mqtt_door)
    gate.come("ana")
    gate.until(lambda: any("retained" in one.reason for one in gate.decisions("second factor")))
    gate.until(lambda: any("is awaited" in one.reason for one in gate.decisions("second factor")))
    say(mqtt_door, letter(life=-1.0))
    say(mqtt_door, json.dumps({"pin": PIN, "expires": time.time() + 5}))
    time.sleep(0.4)
    assert gate.opened == 0
    again = letter()
    say(mqtt_door, again)
    gate.until(lambda: gate.opened == 1)
    time.sleep(0.5)
    gate.come("ana")
    time.sleep(0.3)
    for _ in range(5):
        say(mqtt_door, again)
    time.sleep(0.4)
    assert gate.opened == 1
    gate.stop()
    kept = KeptFile(mqtt_door.lockout, "front-door").read()
    assert kept.failures == 0 and len(kept.spent) == 1
    gate = start(mqtt_door)
    gate.come("ana")
    say(mqtt_door, again)
    time.sleep(0.6)
    assert gate.opened == 0


@pytest.mark.parametrize("bug", [False, True], ids=["real", "planted bug"])
def test_fifty_restarts_and_a_thousand_replays(mqtt_door: Door, bug: bool) -> None:
    """SAFETY test 4: fifty starts that each hear a retained PIN, and a thousand replays of a spent one, open nothing.

    The planted bug believes whatever came from the broker, and opens.
    """
    policy, opened, number = mqtt_door.policy(), 0, 0
    spent = factor(mqtt_door.factors, "door/pin", letter(life=50.0).encode(), False, (0.0, time.time()))
    file = KeptFile(mqtt_door.lockout, "front-door")
    for restart in range(1 if bug else 50):
        state, now = began(policy, State(prefix=f"{restart}-"), file.read(), 0.0), 0.0
        for _ in range(21 if bug or restart else 1):
            for face in range(3):
                state = step(policy, state, Glance(now + face * 0.1, time.time(), FACES["ana"])).state
            values = {**spent.values, "retained": 1.0} if number % 2 and not bug else dict(spent.values)
            values = {**values, "nonce": f"another-{number}"} if bug else values
            reaction = hear(policy, state, replace(spent, time=now + 0.3, values=values))
            if reaction.state.lockout.kept != state.lockout.kept:
                file.write(reaction.state.lockout.kept)
            state, now, number = reaction.state, now + 30.0, number + 1
            opened += any(isinstance(event, Decision) and event.verdict == "open" for event in reaction.events)
    assert opened == 21 if bug else (opened == 1 and number > 1000)


def test_a_broker_that_is_away_lets_nobody_in(make_door: MakeDoor, free_port: int, start: Callable[..., Gate]) -> None:
    """Nobody listens on the broker's port: the gate runs, asks for the PIN, stays shut, and says once that nothing is heard."""
    door = with_pins(
        make_door("folder://frames?poll=0.02", decide='second_factor = "mqtt://door/pin"', more=f'[broker]\nurl = "mqtt://127.0.0.1:{free_port}"')
    )
    gate = start(door)
    gate.come("ana")
    gate.until(lambda: bool(gate.decisions("second factor")))
    time.sleep(2.5)  # the listener tries again after a second
    assert gate.opened == 0 and gate.stop().faults == 1
    with Journal.read(door.journal) as journal:
        (fault,) = (str(row.record) for row in journal.entries("fault"))
    assert "nothing is heard: the broker at" in fault


def test_a_phone_over_mosquitto(make_door: MakeDoor, mosquitto: Any, start: Callable[..., Gate]) -> None:
    """Ana's phone says that it is here, and she comes in; junho's face with ana's phone does not."""
    more = f'[factor]\nphones = {{ana = "home/phones/ana", junho = "home/phones/junho"}}\nfresh = "5 s"\n[broker]\nurl = "{mosquitto.url}"'
    door = make_door("folder://frames?poll=0.02", decide='second_factor = "presence"\ncool_down = "0 s"\ngap = "300 ms"', more=more)
    gate = start(door)
    time.sleep(0.3)

    def phone(present: bool) -> None:
        body = {"present": present, "nonce": secrets.token_hex(8), "expires": time.time() + 5}
        publish.single("home/phones/ana", json.dumps(body), qos=1, hostname="127.0.0.1", port=mosquitto.port)

    phone(True)
    time.sleep(0.2)
    gate.come("junho")
    gate.until(lambda: bool(gate.decisions("second factor")))
    assert "junho's phone is not here" in gate.decisions()[0].reason
    gate.come("ana")
    gate.until(lambda: gate.opened == 1)
    assert gate.decisions()[-1].label == "ana" and "ana's phone was here" in gate.decisions()[-1].reason
    assert not door.lockout.exists()


def test_a_table_that_grows(tmp_path: Path) -> None:
    """The newest whole line is a reading; what was there before, half a line and rubbish are none."""
    path, heard = tmp_path / "air.csv", []
    path.write_text("time,co2,window\n1,400,closed\n")
    tail = Tail(path, heard.append, poll=0.01)
    tail.start()

    def until(count: int) -> None:
        end = time.monotonic() + 3
        while len(heard) < count and time.monotonic() < end:
            time.sleep(0.01)

    time.sleep(0.05)
    assert heard == []
    with path.open("a") as file:
        file.write("2,1300.5,open\n3,140")
    until(1)
    with path.open("a") as file:
        file.write("0,open\n")
    until(2)
    with path.open("ab") as file:
        file.write(b"too,few\n\xff\xfe,,\n")
    time.sleep(0.1)
    path.unlink()
    time.sleep(0.05)
    tail.close()
    assert heard == [{"time": 2.0, "co2": 1300.5, "window": "open"}, {"time": 3.0, "co2": 1400.0, "window": "open"}]


def test_a_recording_says_that_it_holds_no_pins(keypad_door: Door, paint: Paint, model: ColourPredictor) -> None:
    """A replayed night asks for the second factor and stays shut; the note says why."""
    for number in range(3):
        paint(keypad_door.folder / "night" / "v1" / f"{number}.png", "ana")
    text = keypad_door.path.read_text().replace("folder://frames?poll=0.02", "replay://night")
    keypad_door.path.write_text(text)
    summary = run(load_door(keypad_door.path), model.predict, model.card)
    assert summary.opened == 0 and any("holds no PIN" in note for note in summary.notes)
