"""A door to try things at: painted people, settings as text, and real brokers."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from faces import Faces, trained
from paho.mqtt import client as paho
from PIL import Image

from peephole.base.engine import Outputs
from peephole.decide.predictor import Predictor, load
from peephole.gateway.door import Door, load_door
from peephole.gateway.fakes import ColourPredictor

COLOURS = {"ana": (200, 30, 30), "junho": (30, 30, 200)}
PAINT = {**COLOURS, "stranger": (30, 200, 30), "dark": (2, 2, 2)}

SETTINGS = """
[gate]
name = "front-door"
model = "door.onnx"
low_risk = true

[sensor]
source = "{source}"

[decide]
false_accept = 0.01
{decide}

[[rule]]
who = ["ana", "junho"]
do = "open"

[[rule]]
who = ["unknown"]
do = "call"

[action.open]
target = "{target}"
pulse = "5 s"

[action.call]
target = "{target}"
{more}
"""


@pytest.fixture
def paint() -> Callable[[Path, str], Path]:
    """Return a function that paints a picture of somebody, with a little noise, at a path."""
    random = np.random.default_rng(5)

    def draw(path: Path, who: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.clip(np.array(PAINT[who]) + random.integers(-2, 3, (24, 32, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        return path

    return draw


@pytest.fixture
def model() -> ColourPredictor:
    """The shipped fake model, which knows ana and junho by their colours."""
    return ColourPredictor(COLOURS)


@pytest.fixture
def predictor(tiny_model_path: Path) -> Predictor:
    """The tiny model, which was trained on left and top."""
    return load(tiny_model_path)


@pytest.fixture
def answers(predictor: Predictor, tiny_photos: dict[str, np.ndarray]) -> Outputs:
    """What it says of its stranger."""
    return predictor.engine.run(tiny_photos["stranger"])


@pytest.fixture
def make_door(tmp_path: Path) -> Callable[..., Door]:
    """Return a function that writes a DOOR.toml and reads it."""

    def make(source: str = "replay://night", target: str = "record://", decide: str = "", more: str = "") -> Door:
        path = tmp_path / "DOOR.toml"
        path.write_text(SETTINGS.format(source=source, target=target, decide=decide, more=more), encoding="utf-8")
        return load_door(path)

    return make


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A real broker on a loopback port, which can be killed and started again."""

    def __init__(self, program: str, folder: Path, extra: str = "allow_anonymous true") -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\n{extra}\npersistence false\nlog_dest none\n")
        self._command = [program, "-c", str(self._config)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for [broker] url."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it listens."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("mosquitto does not listen")

    def kill(self) -> None:
        """End it at once, as a pulled plug does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def start_mosquitto(require_program, tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Return a function that starts a Mosquitto with extra lines of settings."""
    brokers = []

    def start(extra: str = "allow_anonymous true") -> Mosquitto:
        brokers.append(Mosquitto(require_program("mosquitto"), tmp_path, extra))
        brokers[-1].start()
        return brokers[-1]

    yield start
    for broker in brokers:
        broker.kill()


@pytest.fixture
def mosquitto(start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A running Mosquitto of this test's own."""
    return start_mosquitto()


class Listener:
    """Hears everything that a broker passes on."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, str, bool]] = []
        ready = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self._client.on_message = lambda _c, _d, message: self.heard.append((message.topic, message.payload.decode(), message.retain))
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("#", 1)
        assert ready.wait(5)

    def topic(self, topic: str) -> list[str]:
        """Return what was said on a topic."""
        return [text for heard, text, _ in self.heard if heard == topic]

    def wait(self, topic: str, count: int) -> list[str]:
        """Return what was said on a topic, once it is `count` messages or 3 s are over."""
        for _ in range(150):
            if len(self.topic(topic)) >= count:
                break
            time.sleep(0.02)
        return self.topic(topic)

    def close(self) -> None:
        """Stop listening."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_message = self._client.on_subscribe = None  # no circle of references: its sockets are closed at once


@pytest.fixture
def listen() -> Iterator[Callable[[int], Listener]]:
    """Return a function that listens to all topics of the broker on a port."""
    listeners = []

    def start(port: int) -> Listener:
        listeners.append(Listener(port))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


@pytest.fixture(name="free_port")
def _free_port() -> int:
    """A port that nobody listens on."""
    return free_port()


@pytest.fixture
def mosquitto_url(mosquitto: Mosquitto) -> str:
    """The address of a running Mosquitto."""
    return mosquitto.url


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Faces:
    """A model that was really trained on twelve faces; needs PyTorch."""
    return trained(shared_data / "yaleb" / "cropped", tmp_path_factory.mktemp("faces"))
