"""Fifty gates on one Mosquitto: events lost, and how long an event and the answer to a command take, with the shipped access list.

Each gate is the whole agent (watch, journal on disk, outbox, status, remote commands) in a thread of one of five processes; only its
camera and model are fakes: somebody in red comes every second. A reader who logs in as the house counts every event by its id against
the journals. In the second half the broker is stopped and started again, with its sessions kept on disk.

What would make the figures unfair: a network in between (this is loopback), a slower disk (every row is synced before the lock moves), other
work on the machine: latencies are this machine's and are shown to be understood; the events lost are what counts.
"""

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from paho.mqtt import client as paho

from bench.house import Broker, Reader
from bench.report import Row
from peephole.gateway.remote import read_answer, topics, write_order
from peephole.gateway.remotesend import ordered

PROCESSES, GATES, VISITS = 5, 10, 100
SECRET = "0123456789abcdef" * 4
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
    command = [sys.executable, "-m", "bench.fleet", str(visits)]
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
    wanted = {f"{name}/{journal}/{number}" for name, (last, journal) in rows.items() for number in range(1, last + 1)}
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
