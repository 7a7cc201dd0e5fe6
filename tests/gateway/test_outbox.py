"""What the gate did is told in order, once each, also when the broker was away (SAFETY test 20)."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from peephole.base.records import Decision
from peephole.gateway.journal import Journal, Remark
from peephole.gateway.mqtt import BrokerPlace, Messenger
from peephole.gateway.outbox import Mark, Outbox, event

TOPIC = "home/front-door/events"
LONG = bool(os.environ.get("PEEPHOLE_LONG"))


class Reader:
    """Somebody who reads the events with a session that the broker keeps, and reconnects."""

    def __init__(self, port: int) -> None:
        self.ids: list[str] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="reader", clean_session=False)
        self._client.reconnect_delay_set(0.05, 0.2)
        self._client.on_connect = lambda *_: self._client.subscribe(TOPIC, qos=1)
        self._client.on_message = lambda _, __, message: self.ids.append(json.loads(message.payload)["id"])
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        """Stop reading."""
        self._client.disconnect()
        self._client.loop_stop()


class Cutter:
    """Stands between the gate and the broker and cuts the line when told: what was on its way is lost, in either direction."""

    def __init__(self, port: int) -> None:
        self._broker = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._lines: list[socket.socket] = []
        self.cuts = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
                far = socket.create_connection(("127.0.0.1", self._broker))
            except OSError:
                return
            self._lines += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for line in (one, other):
            line.close()

    def cut(self) -> None:
        """Reset every line."""
        self.cuts += 1
        lines, self._lines = self._lines, []
        for line in lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Serve no more."""
        self._door.close()
        self.cut()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal on disk."""
    with Journal(tmp_path / "journal.db", "front-door") as book:
        yield book


def named(journal: Journal, number: int) -> str:
    """Return the id of a row's event."""
    return f"front-door/{journal.id[:12]}/{number}"


def decision(number: int) -> Decision:
    """Return the decision that is row `number`."""
    return Decision(f"v{number}", "refuse", None, "nobody was sure", "agreement", None)


def outbox(journal: Journal, port: int, folder: Path) -> Outbox:
    """Return an outbox with a mark beside the journal."""
    messenger = Messenger(BrokerPlace("127.0.0.1", port), "front-door-events", timeout=1.0)
    return Outbox(journal, messenger, TOPIC, Mark(folder / "journal.db.told", journal, TOPIC))


def until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def told_through_cuts(kind: type[Outbox], journal: Journal, port: int, folder: Path, *, rows: int, cuts: int, patience: float) -> list[str]:
    """Write rows while the line is cut again and again; return the ids as a reader who does not lose any got them."""
    cutter = Cutter(port)
    reader = Reader(port)
    assert until(reader._client.is_connected)
    time.sleep(0.2)  # until it has subscribed
    messenger = Messenger(BrokerPlace("127.0.0.1", cutter.port), "front-door-events", timeout=1.0)
    first = (journal.entries(last=1) or [None])[-1]
    start = first.number if first else 0
    mark = Mark(folder / f"{kind.__name__}.told", journal, TOPIC)
    mark.move(start)
    for number in range(rows):
        journal.write(decision(number), 0.0, 1.8e9)
    box = kind(journal, messenger, TOPIC, mark)
    wanted = {named(journal, start + number + 1) for number in range(rows)}
    for cut in range(cuts):  # each in the middle of the talk
        until(lambda share=(cut + 1) * rows // (cuts + 1): len(set(reader.ids)) >= share or not box._journal.after(box._mark.number or 0, 1), 10)
        cutter.cut()
    until(lambda: wanted <= set(reader.ids), patience)
    box.close()
    reader.close()
    cutter.close()
    return [name for name in reader.ids if name in wanted]


class Forgetful(Outbox):
    """The planted bug: it takes what it has sent for told, acknowledged or not."""

    def _tell_some(self) -> bool:
        """Move the mark before the broker has answered."""
        rows = self._journal.after(self._mark.number or 0, 100)
        if rows:
            self._mark.move(rows[-1].number)
        for row in rows:
            self._messenger.publish(self._topic, event(self._journal, row))
        return len(rows) == 100


def test_nothing_is_lost_and_nothing_counts_twice(journal: Journal, mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows told through a line that is cut again and again: every id arrives, in order; a repeat has its old id; the forgetful twin loses some."""
    monkeypatch.setattr("peephole.gateway.outbox.WAIT", 0.05)
    monkeypatch.setattr("peephole.gateway.mqtt.REST", 0.05)
    rows, cuts = (10_000, 50) if LONG else (1_000, 10)
    ids = told_through_cuts(Outbox, journal, mosquitto.port, tmp_path, rows=rows, cuts=cuts, patience=15 + rows / 200)
    once = list(dict.fromkeys(ids))
    assert len(once) == rows
    assert once == sorted(once, key=lambda name: int(name.rpartition("/")[2]))
    assert len(ids) - rows <= cuts  # at most the one row per cut whose acknowledgement was lost
    lost = told_through_cuts(Forgetful, journal, mosquitto.port, tmp_path, rows=300, cuts=5, patience=2.0)
    assert len(set(lost)) < 300


def test_a_broker_that_was_away_hears_it_all(journal: Journal, mosquitto: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rows written while nobody listens come when the broker is back; the outage is logged once and never journaled."""
    mosquitto.kill()
    box = outbox(journal, mosquitto.port, tmp_path)
    for number in range(20):
        box.heard(decision(number), journal.write(decision(number), 0.0, 1.8e9), 0.0, 1.8e9)
    time.sleep(2.5)
    assert [entry.kind for entry in journal.entries()] == ["decision"] * 20
    assert sum("events wait in the journal" in text for text in caplog.messages) == 1
    mosquitto.start()
    reader = Reader(mosquitto.port)
    assert until(lambda: len(reader.ids) == 20)
    box.close()
    reader.close()


def test_a_second_run_goes_on_where_the_first_one_ended(journal: Journal, mosquitto: Any, tmp_path: Path) -> None:
    """The mark outlives the process; a mark of another topic or a broken one begins anew, with nothing old."""
    journal.write(decision(0), 0.0, 1.8e9)
    reader = Reader(mosquitto.port)
    assert until(reader._client.is_connected)
    time.sleep(0.2)
    box = outbox(journal, mosquitto.port, tmp_path)  # what stood there before is old news
    box.heard(decision(1), journal.write(decision(1), 0.0, 1.8e9), 0.0, 1.8e9)
    assert until(lambda: reader.ids == [named(journal, 2)])
    box.close()
    journal.write(decision(2), 0.0, 1.8e9)  # nobody is there to tell it
    box = outbox(journal, mosquitto.port, tmp_path)
    assert until(lambda: reader.ids == [named(journal, 2), named(journal, 3)])
    box.close()
    (tmp_path / "journal.db.told").write_text('{"gate": 5')
    box = outbox(journal, mosquitto.port, tmp_path)
    box.heard(decision(3), journal.write(decision(3), 0.0, 1.8e9), 0.0, 1.8e9)
    assert until(lambda: len(reader.ids) == 3) and reader.ids[-1] == named(journal, 4)
    box.close()
    reader.close()


def test_an_event_says_what_the_row_says(journal: Journal) -> None:
    """Its id is the gate and the row; a clock that was not set gives no date; names cannot break out of the JSON."""
    journal.write(Remark("fault", 'the "lock"\n', "it's <b>jammed</b>"), 3.5, 12.0)
    (row,) = journal.entries()
    told = json.loads(event(journal, row))
    assert told["id"] == named(journal, 1) and told["wall"] is None and told["time"] == 3.5 and told["kind"] == "fault"
    assert told["record"] == {"kind": "fault", "subject": 'the "lock"\n', "text": "it's <b>jammed</b>"}


def test_a_new_journal_is_told_from_its_beginning(mosquitto: Any, tmp_path: Path) -> None:
    """A journal that takes the place of an older, longer one is not taken for told, and its ids are its own."""
    with Journal(tmp_path / "old.db", "front-door") as old:
        for number in range(9):
            old.write(decision(number), 0.0, 1.8e9)
        Mark(tmp_path / "journal.db.told", old, TOPIC).move(9)
        first = json.loads(event(old, old.entries(last=1)[0]))["id"]
    reader = Reader(mosquitto.port)
    assert until(reader._client.is_connected)
    time.sleep(0.2)
    with Journal(tmp_path / "journal.db", "front-door") as journal:
        box = outbox(journal, mosquitto.port, tmp_path)
        for number in range(9):
            box.heard(decision(number), journal.write(decision(number), 0.0, 1.8e9), 0.0, 1.8e9)
        assert until(lambda: len(reader.ids) == 9) and first not in reader.ids
        box.close()
    reader.close()
