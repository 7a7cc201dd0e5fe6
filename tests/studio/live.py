"""The real server for tests: in a thread, on a free port; and requests to it byte by byte, as no browser would send them."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peephole.studio.app import ADDRESSES, Served, prepared
from peephole.studio.auth import Auth
from peephole.studio.routes import Address


def until(page: Any, expression: str, *, seconds: float = 10.0) -> Any:
    """Wait until JavaScript is true on a page, and return what it gave; the page's own policy forbids playwright's way, which evaluates text."""
    end = time.monotonic() + seconds
    while not (found := page.evaluate(expression)):
        assert time.monotonic() < end, f"not so after {seconds} s: {expression}"
        page.wait_for_timeout(20)
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Answer:
    """What the server said: status 0 when it closed the line without a word."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Live:
    """A running server."""

    port: int
    folder: Path
    auth: Auth
    name: str = "127.0.0.1"

    @property
    def host(self) -> str:
        """What belongs into the header Host."""
        return f"{self.name}:{self.port}"

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{self.host}/"

    def raw(self, data: bytes, *, wait: float = 5.0) -> Answer:
        """Send bytes and return the first answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as line:
            with suppress(BrokenPipeError, ConnectionResetError):
                line.sendall(data)
            found = http.client.HTTPResponse(line)
            try:
                found.begin()
                return Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
            except (http.client.HTTPException, ConnectionError, TimeoutError, ValueError):
                return Answer(0, {}, b"")
            finally:
                found.close()

    def ask(
        self, method: str, target: str, headers: Mapping[str, str] | Sequence[tuple[str, str]] = (), body: bytes | None = None, *, wait: float = 5.0
    ) -> Answer:
        """Send a request as a program would; Host and Content-Length are added where they are not given."""
        lines = [*(headers.items() if isinstance(headers, Mapping) else headers)]
        given = {name.lower() for name, _ in lines}
        if "host" not in given:
            lines.insert(0, ("Host", self.host))
        if body is not None and not given & {"content-length", "transfer-encoding"}:
            lines.append(("Content-Length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in [*lines, ("Connection", "close")])
        return self.raw(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b""), wait=wait)

    def visitor(self) -> dict[str, str]:
        """Return the headers of a new visitor: cookie, token and origin."""
        cookie = self.ask("GET", "/").headers["set-cookie"].split(";")[0]
        token = self.ask("GET", "/api/hello", {"Cookie": cookie}).json["token"]
        return {"Cookie": cookie, "x-peephole-token": token, "Origin": f"http://{self.host}", "Sec-Fetch-Site": "same-origin"}

    def login(self, code: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Give a code."""
        return self.ask("POST", "/api/login", headers or self.visitor(), json.dumps({"code": code}).encode())

    def owner(self) -> dict[str, str]:
        """Return the headers of the owner."""
        found = self.login(self.auth.code)
        assert found.status == 200, found
        cookie = found.headers["set-cookie"].split(";")[0]
        return {"Cookie": cookie, "x-peephole-token": found.json["token"], "Origin": f"http://{self.host}", "Sec-Fetch-Site": "same-origin"}


@contextmanager
def running(
    folder: Path, *, port: int = 0, names: tuple[str, ...] = (), addresses: Sequence[Address] = ADDRESSES, unlock: bool = False
) -> Iterator[Live]:
    """Run the server of a folder in a thread."""
    port = port or free_port()
    server, listening, auth = prepared(folder, Served(port=port, names=names), unlock=unlock, addresses=addresses)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    end = time.monotonic() + 10
    while not server.started and time.monotonic() < end:
        time.sleep(0.01)
    assert server.started
    try:
        yield Live(port, folder, auth)
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
