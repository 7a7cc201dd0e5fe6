"""Commands over HTTP: one signed POST, answered within a deadline or taken for not done; no redirect, no proxy, TLS always verified."""

import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from peephole.base.errors import ActuatorError
from peephole.gateway.actuators import Command
from peephole.gateway.mqtt import EXPIRY
from peephole.gateway.signing import signed_headers
from peephole.gateway.trust import AUTHORITY, Kind, Trust, kind_of, words_of
from peephole.gateway.weburl import Webhook

__all__ = ["WebhookActuator"]

HINTS: dict[Kind, str] = {
    "authority": AUTHORITY,
    "name": "write the name that stands in its certificate",
    "early": "is this computer's clock right?",
    "late": "renew it, if this computer's clock is right",
    "plain": "is it there that the server speaks TLS? without TLS it is http://",
}


@dataclass
class _Attempt:
    """One request on its thread, until its deadline; `over` is set once it answered or failed, or was given up."""

    over: threading.Event = field(default_factory=threading.Event)
    status: int = 0
    problem: str = ""
    hint: str = "see the log of that server"
    connection: http.client.HTTPConnection | None = None
    given_up: bool = False


class WebhookActuator:
    """Posts each command as one JSON object; anything but a status of 2xx within `timeout` seconds counts as not done."""

    def __init__(self, hook: Webhook, secret: bytes, timeout: float = 2.0) -> None:
        self._hook, self._secret, self._timeout = hook, secret, timeout
        self._thread: threading.Thread | None = None
        # The computer's own authorities, or those that SSL_CERT_FILE names; host names are compared.
        self._tls = Trust().context() if hook.secure else None

    def send(self, command: Command) -> None:
        """Post it and wait for the answer, never longer than the deadline; raises ActuatorError when it may not have been done."""
        if self._thread is not None and self._thread.is_alive():
            raise ActuatorError(f"{self._hook.place}: the request before this one still hangs", "is its name server there?")
        facts = {**asdict(command), "time": command.wall, "expires": command.wall + EXPIRY}
        del facts["wall"]
        body = json.dumps(facts).encode("ascii")
        attempt = _Attempt()
        # A thread, because neither the look-up of a name nor a server that sends a byte now and then keeps to a socket's timeout.
        self._thread = threading.Thread(target=self._post, args=(attempt, body, command.wall), name="webhook", daemon=True)
        self._thread.start()
        if not attempt.over.wait(self._timeout):
            attempt.given_up = True
            _cut(attempt.connection)
            raise ActuatorError(
                f"{self._hook.place} did not answer within {self._timeout:g} s", "is it there? timeout = allows it more, 10 s at most"
            )
        if attempt.problem:
            raise ActuatorError(f"{self._hook.place}: {attempt.problem}", attempt.hint)
        if not 200 <= attempt.status < 300:
            aside = ", and redirects are not followed" if 300 <= attempt.status < 400 else ""
            raise ActuatorError(f"{self._hook.place} answered {attempt.status}{aside}", "see the log of that server")

    def close(self) -> None:
        """Nothing is held between two commands."""

    def _post(self, attempt: _Attempt, body: bytes, wall: float) -> None:
        hook = self._hook
        connection = attempt.connection = (
            http.client.HTTPConnection(hook.host, hook.port, timeout=self._timeout)
            if self._tls is None
            else http.client.HTTPSConnection(hook.host, hook.port, timeout=self._timeout, context=self._tls)
        )
        try:
            connection.connect()
            if not attempt.given_up:  # a command must not go out when nobody waits for it any more
                headers = {"Content-Type": "application/json", "User-Agent": "peephole", **signed_headers(self._secret, wall, body)}
                connection.request("POST", hook.path, body, headers)
                attempt.status = connection.getresponse().status
        except (OSError, http.client.HTTPException, ValueError) as error:
            attempt.problem = _plain(error)
            attempt.hint = HINTS.get(kind_of(error), attempt.hint) if isinstance(error, ssl.SSLError) else attempt.hint
        finally:
            with suppress(OSError):
                connection.close()
            attempt.over.set()


def _cut(connection: http.client.HTTPConnection | None) -> None:
    """Break a connection off from outside, so that its thread ends."""
    sock = connection.sock if connection is not None else None
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _plain(error: Exception) -> str:
    """Say what went wrong, on one line, whatever the server wrote."""
    if isinstance(error, ssl.SSLError):
        return words_of(error)
    if isinstance(error, http.client.HTTPException):
        return f"that is no HTTP answer ({type(error).__name__})"
    return (getattr(error, "strerror", None) or type(error).__name__).splitlines()[0][:200]
