"""Cameras over https://: the certificate and the name in it are always verified, and nothing is said to a camera that is not believed."""

import http.server
import io
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import Authority
from PIL import Image

from peephole.gateway.clock import SystemClock
from peephole.gateway.sensors import Capture
from peephole.gateway.web import WebSensor
from peephole.gateway.webline import HTTPS


class Camera(http.server.BaseHTTPRequestHandler):
    """Gives one noisy picture after the other to whoever logs in."""

    def do_GET(self) -> None:
        """Give a picture."""
        self.server.asked += 1  # type: ignore[attr-defined]
        if self.headers.get("Authorization") is None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        picture = io.BytesIO()
        noise = np.random.default_rng().integers(0, 255, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(noise).save(picture, "PNG")
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(picture.getvalue())))
        self.end_headers()
        self.wfile.write(picture.getvalue())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Return a function that starts a camera with a certificate; it is this computer's authority that signed it where it is `known`."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def begin(*names: str, known: bool = True, days: tuple[float, float] = (-1, 9)) -> Any:
        authority = Authority(tmp_path)
        if known:
            monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*authority.issue("camera", *names, days=days))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client broke off, as it should
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.asked = 0  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def seen(server: Any, seconds: float = 4.0, host: str = "127.0.0.1") -> tuple[int, list[str]]:
    """Return how many pictures a camera gave, two at most, and what was told of it."""
    sensor = WebSensor(f"https://{host}:{server.server_address[1]}/snapshot", SystemClock(), 0.05, ("gate", "hunter2"))
    stop, pictures, told = threading.Event(), 0, []
    end = time.monotonic() + seconds
    for item in sensor.captures(stop):
        if isinstance(item, Capture):
            pictures += item.frame is not None
            told += [item.problem] if item.problem else []
        if pictures == 2 or told or time.monotonic() > end:
            stop.set()
    return pictures, told


def test_a_camera_that_is_believed(start: Callable[..., Any]) -> None:
    """Pictures come from one whose authority is known, under a name that stands in its certificate."""
    assert seen(start("127.0.0.1")) == (2, [])


@pytest.mark.parametrize(
    ("names", "more", "says"),
    [
        (("127.0.0.1",), {"known": False}, "SSL_CERT_FILE"),
        (("camera.local",), {}, "IP address mismatch"),
        (("127.0.0.1",), {"days": (-9, -1)}, "expired"),
        (("127.0.0.1",), {"days": (1, 9)}, "not yet valid"),
    ],
)
def test_a_camera_that_is_not(start: Callable[..., Any], names: tuple[str, ...], more: dict[str, Any], says: str) -> None:
    """It gives no picture, is asked nothing and told no password, and the journal hears why."""
    server = start(*names, **more)
    pictures, (told,) = seen(server)
    assert pictures == server.asked == 0
    assert "its certificate is not trusted" in told and says in told and "_ssl.c" not in told and len(told) < 220


class Gullible(HTTPS):
    """A planted bug: whoever answers is believed."""

    def __init__(self, context: ssl.SSLContext) -> None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(context)


def test_a_planted_bug_is_seen(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that nobody knows gives pictures to whoever leaves the check out."""
    monkeypatch.setattr("peephole.gateway.web.HTTPS", Gullible)
    assert seen(start("camera.local", known=False))[0] == 2
