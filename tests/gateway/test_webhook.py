"""Webhooks against real servers: signed, within a deadline, and not done whenever anything is odd."""

import json
import random
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from peephole.base.errors import ActuatorError, InputError, SettingsError
from peephole.gateway.actuators import Command
from peephole.gateway.secret import read_secret
from peephole.gateway.signing import Receiver, sign, signed_headers
from peephole.gateway.trust import AUTHORITY
from peephole.gateway.webhook import WebhookActuator
from peephole.gateway.weburl import require_url

SECRET = b"a secret of more than 16 letters"
NASTY = 'ana\r\nX-Evil: 1\r\n\r\n<script>"\u2028\x00지우'


def on(label: str | None = "ana", pulse: float = 5.0) -> Command:
    return Command("front", "open", "on", time.time(), "v1", label, "three frames in a row", pulse)


class Server:
    """A web server on a loopback port that keeps what it was sent and answers as it is told."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None] | int = 200, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append((self.path, dict(self.headers.items()), body))
                if callable(answer):
                    answer(self)
                else:
                    self.send_response(answer)
                    self.end_headers()

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client broke off, as it should
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Return a function that starts a web server."""
    servers = []

    def start(*given: Any, **more: Any) -> Server:
        servers.append(Server(*given, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def hook(
    port: int, path: str = "/door", timeout: float = 1.0, scheme: str = "http", kind: type[WebhookActuator] = WebhookActuator
) -> WebhookActuator:
    return kind(require_url(f"{scheme}://127.0.0.1:{port}{path}"), SECRET, timeout)


def test_a_command_arrives_signed_and_once(serve: Callable[..., Server]) -> None:
    """The receiver accepts it, and then never again; a changed body, an older time and another secret are refused."""
    server = serve()
    command = on()
    hook(server.port, "/door?to=hall").send(command)
    ((path, headers, body),) = server.requests
    told = json.loads(body)
    assert path == "/door?to=hall" and headers["Content-Type"] == "application/json"
    assert (told["gate"], told["action"], told["state"], told["pulse"], told["label"]) == ("front", "open", "on", 5.0, "ana")
    assert told["expires"] == command.wall + 5.0
    receiver = Receiver(SECRET)
    assert receiver.problem(headers, body.replace(b"front", b"other"), time.time()) == "the signature is wrong"
    assert Receiver(SECRET + b"x").problem(headers, body, time.time()) == "the signature is wrong"
    assert Receiver(SECRET).problem(headers, body, time.time() + 11) == "it is too old, or from the future"
    assert Receiver(SECRET).problem(headers, body, time.time() - 11) == "it is too old, or from the future"
    assert receiver.problem(headers, body, time.time()) == ""
    assert receiver.problem({name.lower(): value for name, value in headers.items()}, body, time.time()) == "it came before"


class Trusting(Receiver):
    """A planted bug: the signature is enough, whenever and however often it comes."""

    def problem(self, headers: Any, body: bytes, wall: float) -> str:
        """Only look at the signature."""
        problem = super().problem(headers, body, wall)
        return problem if "signature" in problem else ""


@pytest.mark.parametrize(("kind", "effects"), [(Receiver, 1), (Trusting, 1002)])
def test_a_thousand_replays(kind: type[Receiver], effects: int) -> None:
    """SAFETY 4 for webhooks: of one command and a thousand repetitions one has an effect; the planted bug obeys them all."""
    receiver, body = kind(SECRET), b'{"state": "on"}'
    headers = signed_headers(SECRET, 1_800_000_000.0, body)
    took = sum(receiver.problem(headers, body, 1_800_000_000.0 + number / 200) == "" for number in range(1001))
    assert took + (receiver.problem(headers, body, 1_800_000_100.0) == "") == effects


def test_what_a_receiver_remembers_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nonces are forgotten, the oldest first, once their messages are too old to be taken, or when there are too many; young ones are not."""
    monkeypatch.setattr("peephole.gateway.signing.REMEMBERED", 50)
    receiver = Receiver(SECRET)
    sent = [(signed_headers(SECRET, 1000.0 + number, b""), 1000.0 + number) for number in range(100)]
    assert [receiver.problem(headers, b"", wall) for headers, wall in sent] == [""] * 100
    assert len(receiver._seen) == 21 and receiver.problem(sent[95][0], b"", 1099.0) == "it came before"
    crowd = [signed_headers(SECRET, 2000.0, b"") for _ in range(60)]
    assert [receiver.problem(headers, b"", 2000.0) for headers in crowd] == [""] * 60
    assert len(receiver._seen) == 50 and receiver.problem(crowd[-1], b"", 2000.0) == "it came before"
    assert receiver.problem(signed_headers(SECRET, 3000.0, b""), b"", 3010.0) == ""


def test_the_parts_of_a_signature_cannot_be_shifted() -> None:
    """Time, nonce and body have their limits: a digit moved from one to the next is another signature."""
    assert len({sign(SECRET, *parts) for parts in (("1", "23", b"4"), ("12", "3", b"4"), ("1", "2", b"34"), ("1", "23\n", b"4"))}) == 4


def test_headers_that_are_none() -> None:
    """Nothing, nonsense and letters beyond ASCII are a wrong signature, not an error."""
    receiver = Receiver(SECRET)
    for headers in ({}, {"X-Peephole-Time": "x"}, {"X-Peephole-Signature": "sha256=é", "X-Peephole-Time": "nan"}):
        assert receiver.problem(headers, b"", 0.0) == "the signature is wrong"
    assert SECRET.decode() not in repr(receiver)


def test_no_label_becomes_a_header_or_a_path(serve: Callable[..., Server]) -> None:
    """SAFETY 28: whatever a label or a reason holds stays inside the JSON, in ASCII."""
    server = serve()
    hook(server.port).send(Command("front\r\n", "open", "on", time.time(), NASTY, NASTY, NASTY, 1.0))
    ((path, headers, body),) = server.requests
    assert path == "/door" and "X-Evil" not in headers and len(headers) == 8, headers
    assert body.isascii() and b"\n" not in body and json.loads(body)["label"] == NASTY


@pytest.mark.parametrize("status", [100, 204, 301, 302, 307, 308, 400, 401, 403, 404, 500, 503])
def test_only_2xx_is_done(serve: Callable[..., Server], status: int) -> None:
    """Everything else is an error that names the place and the status; where a redirect leads nobody goes."""
    elsewhere = serve()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", f"http://127.0.0.1:{elsewhere.port}/")
        handler.end_headers()

    server = serve(answer)
    if status == 204:
        hook(server.port).send(on())
    else:
        with pytest.raises(ActuatorError, match=rf"127.0.0.1:{server.port}" + ("" if status == 100 else f" answered {status}")):
            hook(server.port, "/secret-path").send(on())
    assert len(server.requests) == 1 and elsewhere.requests == []


class Raw:
    """A server that speaks whatever `talk` makes of a connection."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._talk, self._open = talk, []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection = self._server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._talk(connection)
            except OSError:
                return

    def close(self) -> None:
        """Take no more connections."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


def drip(connection: socket.socket) -> None:
    """Answer a byte at a time, which no timeout of a socket ever notices."""
    connection.recv(10_000)
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40:
        connection.sendall(bytes([byte]))
        time.sleep(0.03)


def mute(connection: socket.socket) -> None:
    """Take the request and say nothing."""
    while connection.recv(10_000):
        pass


def reset(connection: socket.socket) -> None:
    """Break off in the middle, as a server that crashes."""
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def close_at_once(connection: socket.socket) -> None:
    """Close without a word."""


def half(connection: socket.socket) -> None:
    """Close after half a status line."""
    connection.recv(10_000)
    connection.sendall(b"HTTP/1.1 2")


def garbage(connection: socket.socket) -> None:
    """Speak no HTTP."""
    connection.recv(10_000)
    connection.sendall(b"\x00\xffSSH-2.0-door\r\n" * 10)


def flood(connection: socket.socket) -> None:
    """Send headers without an end."""
    connection.recv(10_000)
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500)


CHAOS = (drip, mute, reset, close_at_once, half, garbage, flood)


@pytest.mark.parametrize("talk", CHAOS, ids=lambda talk: talk.__name__)
def test_an_odd_server_is_an_error_in_time(talk: Callable[[socket.socket], None]) -> None:
    """Slow, mute, half-open, resetting, babbling: not done, within the deadline, in one line without what the server wrote."""
    server = Raw(talk)
    began = time.monotonic()
    with pytest.raises(ActuatorError) as caught:
        hook(server.port, timeout=0.4).send(on())
    assert time.monotonic() - began < 0.4 + 0.3
    assert "\n" not in caught.value.what and "SSH" not in caught.value.what
    server.close()


class Patient(WebhookActuator):
    """A planted bug: it has a timeout for each read and none for the whole."""

    def send(self, command: Command) -> None:
        """Post without a deadline."""
        from peephole.gateway.webhook import _Attempt

        attempt = _Attempt()
        self._post(attempt, b"{}", command.wall)


def test_a_timeout_for_each_read_is_found() -> None:
    """The planted bug: the same dripping server holds it for far longer."""
    server = Raw(drip)
    began = time.monotonic()
    hook(server.port, timeout=0.4, kind=Patient).send(on())
    assert time.monotonic() - began > 0.4 + 0.3
    server.close()


def test_chaos_leaves_nothing_behind(serve: Callable[..., Server]) -> None:
    """SAFETY 20's manner: fifty commands to servers that turn odd and sane in turn; each done or not done, in time, none twice."""
    dice, good = random.Random(3), serve()
    odd = [Raw(talk) for talk in CHAOS]
    before = threading.active_count()
    sane = 0
    for _ in range(50):
        port = good.port if dice.random() < 0.5 else dice.choice(odd).port
        began = time.monotonic()
        try:
            hook(port, timeout=0.15).send(on())
            assert port == good.port
            sane += 1
        except ActuatorError:
            assert port != good.port
        assert time.monotonic() - began < 0.5
    assert len(good.requests) == sane == len({headers["X-Peephole-Nonce"] for _, headers, _ in good.requests}) > 10
    for server in odd:
        server.close()
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_nobody_there_and_no_such_name(free_port: int) -> None:
    """A refused connection and a name that does not exist are said, the path is not."""
    for url in (f"http://127.0.0.1:{free_port}/secret", "http://no-such-host.invalid/secret"):
        with pytest.raises(ActuatorError) as caught:
            WebhookActuator(require_url(url), SECRET, 3.0).send(on())
        assert "secret" not in str(caught.value)


def test_one_that_still_hangs_is_not_joined_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that never answers cannot be cut off: the next command is refused at once instead of waiting behind it."""
    asked = threading.Event()
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: asked.wait(5) and (_ for _ in ()).throw(OSError("too late")))
    one = WebhookActuator(require_url("http://home.example/x"), SECRET, 0.1)
    with pytest.raises(ActuatorError, match=r"within 0\.1 s"):
        one.send(on())
    began = time.monotonic()
    with pytest.raises(ActuatorError, match="still hangs"):
        one.send(on())
    assert time.monotonic() - began < 0.1
    asked.set()
    assert one._thread is not None
    one._thread.join(5)


@pytest.fixture(scope="module")
def certificate(require_program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, with its key."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [require_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", *names]
    subprocess.run([*command, "-keyout", str(path), "-out", f"{path}.crt"], check=True, capture_output=True)
    with path.open("a") as file:
        file.write(Path(f"{path}.crt").read_text())
    return path


@pytest.mark.parametrize(("trusted", "host"), [(False, "127.0.0.1"), (True, "127.0.0.1"), (True, "localhost")])
def test_certificates_are_verified(
    serve: Callable[..., Server], certificate: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool, host: str
) -> None:
    """Nobody's certificate is refused, and so is somebody else's; one of an authority in SSL_CERT_FILE is taken."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server = serve(tls=tls)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    one = WebhookActuator(require_url(f"https://{host}:{server.port}/x"), SECRET, 2.0)
    if trusted and host == "127.0.0.1":
        one.send(on())
        assert len(server.requests) == 1
    else:
        with pytest.raises(ActuatorError, match=r"certificate is not trusted") as caught:
            one.send(on())
        assert caught.value.hint == ("write the name that stands in its certificate" if trusted else AUTHORITY)
        assert server.requests == []


def test_tls_where_none_is_spoken(serve: Callable[..., Server]) -> None:
    """A server without TLS is told from one whose certificate is wrong; nothing of the command is sent in clear."""
    server = serve()
    with pytest.raises(ActuatorError, match=r"does not speak TLS there\nhint: .*http://"):
        hook(server.port, scheme="https").send(on())
    assert server.requests == []


def test_no_proxy_is_asked(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """A proxy in the environment would read who came; it is left out."""
    server = serve()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
    hook(server.port).send(on())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    ["", "http://", "ftp://a/", "http:///x", "http://a:b/", "http://a:99999/", "http://u:p@a/", "http://a/#", "http://a/\n", "http://a/\t", "http://ä/",
     "http://a/\\b", "http://a/{x}", "http://a/'", "http://[::1", "http://a/" + "x" * 3000],
)  # fmt: skip
def test_urls_are_read_strictly(url: str) -> None:
    """What is odd is refused in one short sentence, never mended."""
    with pytest.raises(SettingsError) as caught:
        require_url(url)
    assert len(str(caught.value)) < 300


def test_a_url_in_its_parts() -> None:
    """Ports by scheme, an empty path, a query that is sent as it is, an address in brackets."""
    assert [(hook.secure, hook.host, hook.port, hook.path) for hook in map(require_url, (
        "http://a", "https://a.b:8443/c/d?e=f%20g&h", "https://[::1]/x",
    ))] == [(False, "a", 80, "/"), (True, "a.b", 8443, "/c/d?e=f%20g&h"), (True, "::1", 443, "/x")]  # fmt: skip


def test_secrets_are_read_and_never_shown(tmp_path: Path) -> None:
    """A secret has one line and 16 letters at least; none of the errors repeats it."""
    path = tmp_path / "webhook.secret"
    with pytest.raises(InputError, match="the secret of 'bell' cannot be read"):
        read_secret(path, "the secret of 'bell'", 16)
    for text in ("", "\n", "hunter2\nhunter3hunter4hunter5", "hunter2" * 1000, "hunter2"):
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            read_secret(path, "the secret of 'bell'", 16)
        assert "hunter2" not in str(caught.value)
    path.write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(InputError, match="cannot be read"):
        read_secret(path, "the secret", 16)
    path.write_text("hunter2hunter2hunter2\n")
    assert read_secret(path, "the secret", 16) == "hunter2hunter2hunter2"
