"""A line to an MQTT broker: who we are, whom we believe, and in one sentence what keeps the line from being opened.

Nothing is said over a line before the broker has let us in, and a password goes over TLS wherever the settings ask for it.
"""

import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel

from peephole.base.errors import ActuatorError, InputError
from peephole.gateway.trust import Trust, kind_of, words_of

__all__ = ["KEEPALIVE", "BrokerPlace", "away", "client_of", "good_until", "open_line", "plain"]

KEEPALIVE = 10  # seconds: a line on which nothing comes for half as long again is taken for broken


@dataclass(frozen=True)
class BrokerPlace:
    """Where the broker is, and as whom to speak to it; the password is never printed. With `trust` it is spoken to over TLS alone."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    trust: Trust | None = None

    @property
    def where(self) -> str:
        """Host and port, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address, without whom to speak as."""
        return f"{'mqtt' if self.trust is None else 'mqtts'}://{self.where}"


def client_of(place: BrokerPlace, client_id: str, *, returns: bool) -> paho.Client:
    """Return a client that knows who it is and whom to believe; one that `returns` connects again by itself, others never do.

    Raises InputError for a file of [broker] that cannot be used.
    """
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311, reconnect_on_failure=returns)
    if place.username is not None:
        client.username_pw_set(place.username, place.password)
    if place.trust is not None:
        _believe(client, place.trust)
    return client


def _believe(client: paho.Client, trust: Trust) -> None:
    context = trust.context()
    client.tls_set_context(context)

    def renew(*_: Any) -> None:
        with suppress(InputError):  # files that are just being exchanged: those that were read before may do
            trust.read(context)

    client.on_pre_connect = renew


def open_line(client: paho.Client, place: BrokerPlace, timeout: float) -> None:
    """Connect and wait for the broker's word, `timeout` seconds at most for all of it; raises ActuatorError that says what is wrong."""
    end = time.monotonic() + timeout
    over = threading.Event()
    answers: list[Any] = []
    last_words: list[str] = []

    def on_connect(_client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        answers.append(reason)
        over.set()

    def on_log(_client: paho.Client, _data: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            last_words.append(text)

    client.connect_timeout = 0.9 * timeout  # so that what hangs is told before nobody waits any more
    client.on_connect, client.on_log = on_connect, on_log
    client.on_disconnect = lambda *_: over.set()
    _dial(client, place, timeout)
    client.loop_start()
    heard = over.wait(max(0.0, end - time.monotonic()))
    client.on_disconnect = client.on_log = None
    if not heard:
        raise ActuatorError(f"the broker at {place.where} did not answer within {timeout:g} s", "is it an MQTT broker? see its log")
    if not answers:
        raise _hung_up(place, " ".join(last_words))
    if answers[0].is_failure:
        raise ActuatorError(f"the broker at {place.where} refused: {answers[0]}", _mend(str(answers[0])))


def _dial(client: paho.Client, place: BrokerPlace, timeout: float) -> None:
    """Connect on a thread, because the look-up of a name keeps to no timeout; whoever is connected too late hangs up again."""
    over = threading.Event()
    trouble: list[Exception] = []
    late = threading.Event()

    def dial() -> None:
        try:
            client.connect(place.host, place.port, keepalive=KEEPALIVE)
        except Exception as error:  # whatever it is, it is told by whoever waits
            # Without its frames, which would hold on to the socket of a handshake that failed.
            trouble.append(error.with_traceback(None))
        over.set()
        if late.is_set():
            client.disconnect()

    threading.Thread(target=dial, name="broker", daemon=True).start()
    if not over.wait(timeout):
        late.set()
        raise ActuatorError(f"the broker at {place.where} did not answer within {timeout:g} s", "is it there, and its name server?")
    if trouble:
        raise away(place, trouble[0]) from trouble[0]


def away(place: BrokerPlace, error: Exception) -> ActuatorError:
    """Return the error that says what kept a line from being opened."""
    trust = place.trust
    shaken = isinstance(error, ssl.SSLError | ConnectionResetError) or "handshake" in str(error)
    if trust is None or not shaken:
        return ActuatorError(f"the broker at {place.where} is away: {plain(error)}", "start it, or correct [broker] url")
    hints = {
        "authority": f"is {trust.ca} the certificate of the authority that signed the broker's?"
        if trust.ca
        else 'name the authority that signed it: ca = "ca.crt" under [broker]',
        "name": "write under [broker] url a name that stands in the broker's certificate",
        "early": f"is this computer's clock right? it says {datetime.now():%Y-%m-%d %H:%M}",
        "late": f"renew the broker's certificate, if this computer's clock is right: it says {datetime.now():%Y-%m-%d %H:%M}",
        "plain": f'name the port of its TLS listener, such as 8883; without TLS it is url = "mqtt://{place.where}"',
    }
    return ActuatorError(f"the broker at {place.where}: {words_of(error)}", hints.get(kind_of(error), "see the broker's own log"))


def _hung_up(place: BrokerPlace, said: str) -> ActuatorError:
    """Say that the line was closed before an answer, and why, as far as `said` tells: a broker's last words may be lost on the way."""
    where, trust, kind = place.where, place.trust, kind_of(said)
    if trust is None:
        return ActuatorError(f"the broker at {where} hung up before it answered", f'where it speaks TLS: url = "mqtts://{where}"; see its own log')
    if kind == "asked" or trust.certificate is None:
        hint = 'give the gate one: certificate = "gate.crt" and key = "gate.key" under [broker]'
        return ActuatorError(f"the broker at {where} hung up: it asks for a certificate of this gate's own", hint)
    does_not = "does not" if kind == "ours" else "may not"
    hint = "is certificate under [broker] still good, and signed by an authority that the broker knows? see its own log"
    return ActuatorError(f"the broker at {where} hung up: it {does_not} accept this gate's certificate", hint)


def _mend(reason: str) -> str:
    """Say what mends a refusal."""
    return "correct username and password under [broker]" if reason.lower().startswith(("not auth", "bad user")) else "see the broker's own log"


def good_until(client: paho.Client) -> float | None:
    """Return until when the broker's certificate is good, in seconds since 1970; None without TLS."""
    line = client.socket()
    told = line.getpeercert() if isinstance(line, ssl.SSLSocket) else None
    return ssl.cert_time_to_seconds(str(told["notAfter"])) if told else None


def plain(error: Exception) -> str:
    """Say in one line what an error of the network is."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
