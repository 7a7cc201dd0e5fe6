"""A line to a camera on the network that nobody can hold open by sending a byte now and then: every picture has a deadline."""

import io
import ssl
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import HTTPHandler, HTTPSHandler, Request

__all__ = ["HTTP", "HTTPS", "Answer", "renew"]

PATIENCE = 4.0  # seconds for the head of an answer, and for each picture after it


class _Timed(io.RawIOBase):
    """Passes reads on until the deadline; a single read waits as long as the socket's own timeout says."""

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw = raw
        self.deadline = time.monotonic() + PATIENCE

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, room: Any) -> int | None:
        """Read some bytes; raises TimeoutError behind the deadline."""
        if time.monotonic() > self.deadline:
            raise TimeoutError(f"it sends so slowly that a picture takes more than {PATIENCE:g} s")
        return self._raw.readinto(room)  # type: ignore[no-any-return]  # a socket's own figure

    def close(self) -> None:
        """Close the line under it too."""
        self._raw.close()
        super().close()


class Answer(HTTPResponse):
    """An answer whose head and pictures must come in time."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.line = _Timed(self.fp.detach())
        self.fp = io.BufferedReader(self.line)


def renew(answer: HTTPResponse) -> None:
    """Begin a new deadline, for the next picture of a stream."""
    if isinstance(answer, Answer):
        answer.line.deadline = time.monotonic() + PATIENCE


class _Connection(HTTPConnection):
    response_class = Answer


class _SecureConnection(HTTPSConnection):
    response_class = Answer


class HTTP(HTTPHandler):
    """Opens http:// with deadlines."""

    def http_open(self, req: Request) -> HTTPResponse:
        """Open, as urllib asks for it."""
        opened: Callable[..., HTTPResponse] = self.do_open
        return opened(_Connection, req)


class HTTPS(HTTPSHandler):
    """Opens https:// with deadlines; certificates are checked as the given context says."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._checks = context

    def https_open(self, req: Request) -> HTTPResponse:
        """Open, as urllib asks for it."""
        opened: Callable[..., HTTPResponse] = self.do_open
        return opened(_SecureConnection, req, context=self._checks)
