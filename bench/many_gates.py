"""Fifty gates on one Mosquitto: events lost, and how long an event and the answer to a command take, with the shipped access list.

Each gate is the whole agent (watch, journal on disk, outbox, status, remote commands) in a thread of one of five processes; only its
camera and model are fakes: somebody in red comes every second. A reader who logs in as the house counts every event by its id against
the journals. In the second half the broker is stopped and started again, with its sessions kept on disk.

What would make the figures unfair: a network in between (this is loopback), a slower disk (every row is synced before the lock moves), other
work on the machine: latencies are this machine's and are shown to be understood; the events lost are what counts.
"""

import getpass
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from paho.mqtt import client as paho

from bench.report import Row
from peephole.base.records import Frame, Quality
from peephole.gateway.agent import run as live
from peephole.gateway.door import load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal
from peephole.gateway.mqtt import Messenger
from peephole.gateway.outbox import Mark, Outbox
from peephole.gateway.remote import read_answer, topics, write_order
from peephole.gateway.remotesend import ordered
from peephole.gateway.sensors import Capture, Idle
from peephole.gateway.switchboard import broker_place, rehearsal

PROCESSES, GATES, VISITS = 5, 10, 100
SHIPPED = Path(__file__).parents[1] / "examples" / "mosquitto"
SECRET = "0123456789abcdef" * 4
RED = {"ana": (200, 30, 30)}
DOOR = """
[gate]
name = "{name}"
model = "door.onnx"
low_risk = true
[sensor]
source = "folder://frames"
[decide]
agree = 3
gap = "0.3 s"
cool_down = "0 s"
false_accept = 0.01
[[rule]]
who = ["ana"]
do = "open"
[action.open]
target = "record://"
pulse = "0.2 s"
[broker]
url = "mqtt://127.0.0.1:{port}"
username = "{name}"
password = {{file = "broker.secret"}}
[remote]
secret = {{file = "remote.secret"}}
"""


class Visitors:
    """A camera in front of which somebody comes every second, from `first` seconds after the start; three frames each time."""

    recorded, dated, notes = False, True, ()

    def __init__(self, visits: int, first: float) -> None:
        self._visits, self._first = visits, first

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield visits until there were enough, and a little longer."""
        pixels = np.full((32, 32, 3), RED["ana"], np.uint8)
        began, frame = time.monotonic() + self._first, 0
        while not stop.wait(0.02) and time.monotonic() < began + self._visits + 1:
            now, wall = time.monotonic(), time.time()
            visit, number = divmod(frame, 3)
            if visit < self._visits and now >= began + visit + 0.05 * number:
                frame += 1
                yield Capture(now, wall, "camera", Frame(now, wall, "camera", pixels, Quality(0.5, 0.5)))
            else:
                yield Idle(now, wall)


def gate(folder: Path, visits: int, first: float, rows: dict[str, int]) -> None:
    """Run one gate from start to stop and note how many rows its journal has."""
    door = load_door(folder / "DOOR.toml")
    name, topic = folder.name, f"peephole/{folder.name}/events"
    model = ColourPredictor(RED)
    with Journal(door.journal, name) as journal:
        outbox = Outbox(journal, Messenger(broker_place(door), f"{name}-events"), topic, Mark(folder / "told", name, topic))
        live(door, model.predict, model.card, sensor=Visitors(visits, first), switchboard=rehearsal(door), journal=journal, witnesses=[outbox])
        rows[name] = journal.entries(last=1)[-1].number


def member(folders: list[Path], visits: int) -> None:
    """Run some gates in threads of this process, staggered over a second; print the rows of each journal."""
    rows: dict[str, int] = {}
    threads = [threading.Thread(target=gate, args=(folder, visits, 2 + number / len(folders), rows)) for number, folder in enumerate(folders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(rows))


class Broker:
    """Mosquitto with the shipped files, and its sessions on disk."""

    def __init__(self, folder: Path, port: int, users: list[str]) -> None:
        passwords = folder / "passwords"
        passwords.write_text("".join(f"{name}:{name}-password\n" for name in users))
        subprocess.run([_program("mosquitto_passwd"), "-U", str(passwords)], check=True, capture_output=True)
        shutil.copy(SHIPPED / "acl", folder / "acl")
        conf = (SHIPPED / "mosquitto.conf").read_text().replace("/etc/mosquitto/", f"{folder}/")
        here = f"listener {port} 127.0.0.1\nuser {getpass.getuser()}\nlog_dest none\npersistence true\npersistence_location {folder}/\n"
        (folder / "mosquitto.conf").write_text(conf.replace("listener 1883 127.0.0.1\n", here))
        self._command = [_program("mosquitto"), "-c", str(folder / "mosquitto.conf")]
        self.start()

    def start(self) -> None:
        """Start."""
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        time.sleep(0.5)

    def stop(self) -> None:
        """Stop in good order, as a service manager does."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


class Reader:
    """Who counts the events, with a session that the broker keeps; `late` holds the milliseconds of each gate's."""

    def __init__(self, port: int) -> None:
        self.ids: set[str] = set()
        self.twice = 0
        self.late: defaultdict[str, list[float]] = defaultdict(list)
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="reader", clean_session=False)
        self._client.username_pw_set("house", "house-password")
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda *_: self._client.subscribe("peephole/+/events", 1)
        self._client.on_message = self._heard
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _heard(self, _client: Any, _data: Any, message: Any) -> None:
        now, event = time.time(), json.loads(message.payload)
        self.twice += event["id"] in self.ids
        self.ids.add(event["id"])
        if event["kind"] == "decision":
            self.late[event["gate"]].append(1000 * (now - event["wall"]))

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise SystemExit(f"{name} is not here: apt-get install mosquitto")
    return found


def ask(port: int, names: list[str]) -> list[float]:
    """Ask each gate how it is, one after the other; return the milliseconds from the command to its signed answer."""
    came, nonces, taken = threading.Event(), set(), []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.username_pw_set("operator", "operator-password")

    def hear(_client: Any, _data: Any, message: Any) -> None:
        if read_answer(SECRET, message.payload).nonce in nonces:
            came.set()

    client.on_message = hear
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("peephole/+/answer", 1)
    for name in names:
        for _ in range(30):  # it may not be there yet
            time.sleep(0.1)  # so that nothing waits for the acknowledgement of what was sent before
            order = ordered(name, "status", {}, 10)
            nonces.add(order.nonce)
            came.clear()
            began = time.monotonic()
            client.publish(topics(name)[0], write_order(SECRET, order), 1)
            if came.wait(3):
                taken.append(1000 * (time.monotonic() - began))
                break
        else:
            raise RuntimeError(f"{name} does not answer")
    client.disconnect()
    client.loop_stop()
    return taken


def half(root: Path, gates: int, visits: int, restart: bool) -> tuple[Reader, list[float], int, int]:
    """Let all gates live once; return the reader, the answers' milliseconds, all rows, and the events lost."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folders = [root / f"gate-{number:02}" for number in range(PROCESSES * gates)]
    names = [folder.name for folder in folders]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "frames").mkdir()
        (folder / "DOOR.toml").write_text(DOOR.format(name=folder.name, port=port))
        (folder / "broker.secret").write_text(f"{folder.name}-password")
        (folder / "remote.secret").write_text(SECRET)
    broker = Broker(root, port, [*names, "house", "operator"])
    reader = Reader(port)
    command = [sys.executable, "-m", "bench.many_gates", str(visits)]
    shares = [folders[number::PROCESSES] for number in range(PROCESSES)]
    running = [subprocess.Popen([*command, *map(str, share)], stdout=subprocess.PIPE, text=True) for share in shares]
    taken, rows = [], {}
    try:
        if restart:
            time.sleep(5 + visits / 3)
            broker.stop()
            time.sleep(3)
            broker.start()
        else:
            taken = ask(port, names)
        for process in running:
            rows |= json.loads(process.communicate(timeout=visits * 10 + 120)[0])
    finally:
        for process in running:
            process.kill()
        if sys.exc_info()[0] is not None:
            broker.stop()
    wanted = {f"{name}/{number}" for name, last in rows.items() for number in range(1, last + 1)}
    for _ in range(100):
        if wanted <= reader.ids:
            break
        time.sleep(0.1)
    reader.close()
    broker.stop()
    return reader, taken, len(wanted), len(wanted - reader.ids)


def run(quick: bool) -> list[Row]:
    gates, visits = (2, 8) if quick else (GATES, VISITS)
    many = f"{PROCESSES * gates} gates"
    with TemporaryDirectory() as temporary:
        steady, taken, rows, lost = half(Path(temporary) / "steady", gates, visits, restart=False)
        cut, _, cut_rows, cut_lost = half(Path(temporary) / "cut", gates, visits, restart=True)
    print(f"many_gates: {rows} events, {lost} lost, {steady.twice} twice; with a restart {cut_rows}, {cut_lost} lost, {cut.twice} twice", flush=True)
    late = list(steady.late.values())
    return [
        Row(f"{many}: events lost of {rows}", (float(lost),), "events", "runs", most=0),
        Row(f"{many}: events lost of {cut_rows}, the broker restarted", (float(cut_lost),), "events", "runs", most=0),
        Row(f"{many}: from the frame to who reads the event, median", tuple(float(np.percentile(one, 50)) for one in late), "ms", "gates"),
        Row(f"{many}: from the frame to who reads the event, 99th per cent", tuple(float(np.percentile(one, 99)) for one in late), "ms", "gates"),
        Row(f"{many}: from a command to its signed answer", tuple(taken), "ms", "gates"),
    ]


if __name__ == "__main__":
    member([Path(name) for name in sys.argv[2:]], int(sys.argv[1]))
