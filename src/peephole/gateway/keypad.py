"""A small HTTP endpoint on this computer alone that a keypad or tag reader posts to; it never says whether a PIN was right.

Built on the standard library: one route, one method, short bodies, and no page that a browser could be tricked into posting from.
"""

import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from peephole.base.errors import SensorError
from peephole.gateway.letters import MAX_BYTES

__all__ = ["Keypad"]

TIMEOUT = 2.0
HOSTS = ("127.0.0.1", "localhost", "[::1]")
AT_ONCE = 8  # connections; more are closed at once


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = AT_ONCE


class _Server6(_Server):
    address_family = socket.AF_INET6


class Keypad:
    """Listens on host and port for POST `path` with JSON; `hear` gets each body, from threads of the server's own."""

    def __init__(self, host: str, port: int, path: str, hear: Callable[[bytes], None]) -> None:
        self._place = (host.strip("[]"), port)
        self._handler = type("Handler", (_Handler,), {"path_": path, "hear": staticmethod(hear), "room": threading.BoundedSemaphore(AT_ONCE)})
        self._server: ThreadingHTTPServer | None = None
        self.port = port

    def start(self) -> None:
        """Begin to listen; raises SensorError when the port cannot be had."""
        host, port = self._place
        try:
            self._server = (_Server6 if ":" in host else _Server)((host, port), self._handler)
        except OSError as error:
            raise SensorError(f"the keypad's port {port} cannot be had: {error.strerror or error}", "choose another port in second_factor") from error
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="keypad", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Handler(BaseHTTPRequestHandler):
    """Answers 202 to whatever could be a PIN, and says no to all else."""

    path_: ClassVar[str] = ""
    hear: ClassVar[Any]
    room: ClassVar[Any]
    timeout = TIMEOUT
    server_version = "peephole"
    sys_version = ""

    def handle(self) -> None:
        """Take one request, if not too many are being taken."""
        if not self.room.acquire(blocking=False):
            return
        try:
            super().handle()
        finally:
            self.room.release()

    def do_POST(self) -> None:
        """Hear a PIN or tag."""
        length = self.headers.get("Content-Length", "")
        if self.path != self.path_:
            self._say(HTTPStatus.NOT_FOUND)
        elif self.headers.get("Host", "").rpartition(":")[0] not in HOSTS or self.headers.get("Origin") is not None:
            self._say(HTTPStatus.FORBIDDEN)  # a page in a browser on this computer, whatever name it reached us by
        elif self.headers.get_content_type() != "application/json":
            self._say(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        elif not (length.isascii() and length.isdigit() and len(length) < 8 and 0 < int(length) <= MAX_BYTES):
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                self.hear(body)
            self._say(HTTPStatus.ACCEPTED)

    def _say(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing: a line could hold what somebody typed."""
