"""The house around the fifty gates of many_gates: Mosquitto with the shipped files, and a reader who counts events."""

import getpass
import json
import shutil
import signal
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho

SHIPPED = Path(__file__).parents[1] / "examples" / "mosquitto"


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
