"""TLS to the broker, against a real Mosquitto: the certificate and the name are always checked, and whatever is wrong is said with what mends it."""

import getpass
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from livegate import SECRET, running, until

from peephole.base.errors import ActuatorError, InputError
from peephole.gateway.brokerline import BrokerPlace
from peephole.gateway.clock import SystemClock
from peephole.gateway.door import Door
from peephole.gateway.inspection import inspect
from peephole.gateway.listener import Listener, Message
from peephole.gateway.mqtt import Messenger, knock, leave, left
from peephole.gateway.noticeboard import Noticeboard, available
from peephole.gateway.parts import Part
from peephole.gateway.remotesend import exchange, ordered
from peephole.gateway.sentences import check
from peephole.gateway.trust import Trust, kind_of

# paho leaves the socket of a handshake that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority of this test's own."""
    return Authority(tmp_path)


@pytest.fixture
def start_tls(start_mosquitto: Callable[..., Any], authority: Authority) -> Callable[..., Any]:
    """Return a function that starts a Mosquitto with a certificate for some names, and more lines of settings."""

    def start(*names: str, days: tuple[float, float] = (-1, 60), more: str = "") -> Any:
        certificate, key = authority.issue("broker", *(names or ("localhost", "127.0.0.1")), days=days)
        # As whoever runs the test: Mosquitto would give up root and could not read the key.
        whose = f"user {getpass.getuser()}\nallow_anonymous true"
        return start_mosquitto(f"cafile {authority.ca}\ncertfile {certificate}\nkeyfile {key}\n{whose}\n{more}")

    return start


def place(port: int, ca: Path | None, host: str = "127.0.0.1", **more: Any) -> BrokerPlace:
    return BrokerPlace(host, port, trust=Trust(ca, **more))


def refusal(where: BrokerPlace, timeout: float = 2.0) -> str:
    """Return what a knock is refused with, and its hint; it never takes longer than it may."""
    began = time.monotonic()
    with pytest.raises(ActuatorError) as caught:
        knock(where, timeout)
    assert time.monotonic() - began < timeout + 1
    assert "\n" not in caught.value.what and "_ssl.c" not in caught.value.what and caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_everything_is_said_and_heard(start_tls: Callable[..., Any], authority: Authority, host: str) -> None:
    """Commands, status, head, what is listened to and what Home Assistant is told go over TLS, by name and by address."""
    where = place(start_tls().port, authority.ca, host)
    heard: list[Message] = []
    ear, board, mouth = Listener(where, "front", SystemClock()), Noticeboard(where, "front"), Messenger(where, "front")
    ear.on("#", heard.append)
    ear.start()
    board.start()
    assert until(lambda: ear.connected and board.connected)
    until(lambda: any(message.topic == available("front") for message in heard))
    mouth.publish("home/lock", "open")
    leave(where, "home/head", "17")
    assert until(lambda: {b"open", b"17", b"online"} <= {message.payload for message in heard})
    assert left(where, "home/head") == b"17"
    end = knock(where)
    assert end is not None and 59 < (end - time.time()) / 86_400 < 61
    for part in (mouth, board, ear):
        part.close()


def test_nobody_reads_along(start_tls: Callable[..., Any], authority: Authority) -> None:
    """On the wire there is neither the password nor the message."""
    broker = start_tls()
    spy = Spy(broker.port)
    mouth = Messenger(BrokerPlace("127.0.0.1", spy.port, "front", "hunter2", Trust(authority.ca)), "front")
    mouth.publish("home/lock", "wide open")
    mouth.close()
    spy.close()
    assert len(spy.said) > 500 and not any(word in spy.said for word in (b"hunter2", b"wide open", b"home/lock", b"front"))


class Spy:
    """Passes everything on to a port, and keeps it."""

    def __init__(self, port: int) -> None:
        self.said = b""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._to = port
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        near, _ = self._server.accept()
        far = socket.create_connection(("127.0.0.1", self._to))
        back = threading.Thread(target=self._pass, args=(far, near), daemon=True)
        back.start()
        self._pass(near, far)
        back.join(5)
        near.close()
        far.close()

    def _pass(self, source: socket.socket, to: socket.socket) -> None:
        try:
            while data := source.recv(10_000):
                self.said += data
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        """Wait until all was said."""
        self._thread.join(5)
        self._server.close()


def test_an_authority_that_nobody_knows(start_tls: Callable[..., Any], authority: Authority, tmp_path: Path) -> None:
    """Another authority's certificate and this computer's own authorities do not vouch for it; each says which key to look at."""
    port = start_tls().port
    other = Authority(tmp_path, "somebody else")
    said = refusal(place(port, other.ca))
    assert "its certificate is not trusted" in said and f"is {other.ca} the certificate of the authority" in said
    said = refusal(place(port, None))
    assert "its certificate is not trusted" in said and 'ca = "ca.crt" under [broker]' in said


def test_a_certificate_for_somebody_else(start_tls: Callable[..., Any], authority: Authority) -> None:
    """A good certificate of a good authority, and another name: not believed, and the name that was asked for is said."""
    port = start_tls("broker.local").port
    for host in ("127.0.0.1", "localhost"):
        said = refusal(place(port, authority.ca, host))
        assert "its certificate is not trusted" in said and host in said and "write under [broker] url a name that stands in" in said


class Gullible(Trust):
    """A planted bug: whoever answers is believed."""

    def context(self) -> ssl.SSLContext:
        """Check nothing."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


class Nameless(Trust):
    """A planted bug: any name will do."""

    def context(self) -> ssl.SSLContext:
        """Check the signature alone."""
        context = super().context()
        context.check_hostname = False
        return context


@pytest.mark.parametrize(("planted", "names", "days"), [(Gullible, ("localhost",), (-9, -1)), (Nameless, ("broker.local",), (-1, 9))])
def test_planted_bugs_are_let_in(
    start_tls: Callable[..., Any], authority: Authority, planted: type[Trust], names: tuple[str, ...], days: tuple[float, float]
) -> None:
    """The same brokers as above; whoever left a check out would be let in, so the tests above would be red."""
    port = start_tls(*names, days=days).port
    knock(BrokerPlace("127.0.0.1", port, trust=planted(authority.ca)))
    assert refusal(BrokerPlace("127.0.0.1", port, trust=Trust(authority.ca))), "the real one says why it is refused"


@pytest.mark.parametrize(("days", "says", "hint"), [((-9, -1), "expired", "renew"), ((1, 9), "not yet valid", "clock right")])
def test_a_certificate_out_of_its_time(start_tls: Callable[..., Any], authority: Authority, days: tuple[float, float], says: str, hint: str) -> None:
    """One that has ended, or that this computer's clock has not come to yet: the clock is told of, for it may be the clock that is wrong."""
    said = refusal(place(start_tls(days=days).port, authority.ca))
    assert says in said and hint in said and "it says 20" in said


def test_no_tls_where_it_is_asked_for(mosquitto: Any, authority: Authority) -> None:
    """A broker without TLS is never spoken to without: no password goes out, and the hint says both ways to mend it."""
    spy = Spy(mosquitto.port)
    said = refusal(BrokerPlace("127.0.0.1", spy.port, "front", "hunter2", Trust(authority.ca)))
    spy.close()
    assert "does not speak TLS there" in said and "8883" in said and f'"mqtt://127.0.0.1:{spy.port}"' in said
    assert b"hunter2" not in spy.said


def test_tls_where_none_is_spoken(start_tls: Callable[..., Any]) -> None:
    """The other way round: the broker hangs up, and the hint is the url with TLS."""
    broker = start_tls()
    said = refusal(BrokerPlace("127.0.0.1", broker.port))
    assert "hung up" in said and f'url = "mqtts://127.0.0.1:{broker.port}"' in said


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_a_broker_that_asks_for_a_certificate(start_tls: Callable[..., Any], authority: Authority, tmp_path: Path, version: str) -> None:
    """Without one, with an expired one or another authority's the gate is not let in, and is told; with its own it is, under that name."""
    acl = tmp_path / "list"
    acl.write_text("pattern write peephole/%u/status\nuser operator\ntopic read #\n")
    port = start_tls(more=f"require_certificate true\nuse_identity_as_username true\nacl_file {acl}\ntls_version {version}").port
    assert "asks for a certificate of this gate's own" in refusal(place(port, authority.ca))
    expired, key = authority.issue("late-door", days=(-9, -1), client=True)
    assert "accept this gate's certificate" in refusal(place(port, authority.ca, certificate=expired, key=key))
    stranger, key = Authority(tmp_path, "somebody else").issue("strange-door", client=True)
    assert "accept this gate's certificate" in refusal(place(port, authority.ca, certificate=stranger, key=key))
    mine, key = authority.issue("front-door", client=True)
    theirs = authority.issue("operator", client=True)
    heard: list[Message] = []
    ear = Listener(place(port, authority.ca, certificate=theirs[0], key=theirs[1]), "operator", SystemClock())
    ear.on("peephole/#", heard.append)
    ear.start()
    assert until(lambda: ear.connected)
    time.sleep(0.2)
    mouth = Messenger(place(port, authority.ca, certificate=mine, key=key), "front-door")
    mouth.publish("peephole/back-door/status", "not mine")  # which the list does not allow
    mouth.publish("peephole/front-door/status", "mine")
    assert until(lambda: heard)
    assert [message.payload for message in heard] == [b"mine"]
    mouth.close()
    ear.close()


def test_old_versions_are_not_spoken(authority: Authority) -> None:
    """TLS 1.2 is the least, whatever OpenSSL's own settings are."""
    for trust in (Trust(), Trust(authority.ca)):
        context = trust.context()
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname


def test_an_authority_of_ones_own_is_the_only_one(authority: Authority) -> None:
    """With `ca` none of this computer's authorities can vouch for a broker."""
    assert len(Trust(authority.ca).context().get_ca_certs()) == 1


def _files(authority: Authority, tmp_path: Path) -> dict[str, tuple[Trust, str]]:
    mine, key = authority.issue("front", client=True)
    other_key = authority.issue("other", client=True)[1]
    shut = authority.issue("shut", client=True, passphrase=b"open sesame")
    (tmp_path / "text").write_text("not a certificate")
    ca = authority.ca
    return {
        "no authority": (Trust(tmp_path / "none.crt"), "the authority's certificate cannot be read from"),
        "a folder": (Trust(tmp_path), "cannot be read from"),
        "a text": (Trust(tmp_path / "text"), "holds no certificate"),
        "no certificate": (Trust(ca, tmp_path / "none.crt", key), "this gate's certificate cannot be read from"),
        "no key": (Trust(ca, mine, tmp_path / "none.key"), "the key of this gate's certificate cannot be read from"),
        "another's key": (Trust(ca, mine, other_key), "are not a certificate and its key: key values mismatch"),
        "a text for a key": (Trust(ca, mine, tmp_path / "text"), "are not a certificate and its key"),
        "a passphrase": (Trust(ca, *shut), "has a passphrase"),
    }


@pytest.mark.parametrize(
    "name", ["no authority", "a folder", "a text", "no certificate", "no key", "another's key", "a text for a key", "a passphrase"]
)
def test_files_that_cannot_be_used(authority: Authority, tmp_path: Path, name: str) -> None:
    """Each is said by name, with what to do, and nobody is asked for a passphrase at a gate that nobody watches; a command is not done."""
    trust, says = _files(authority, tmp_path)[name]
    with pytest.raises(InputError) as caught:
        trust.context()
    assert says in caught.value.what and caught.value.hint
    with pytest.raises(ActuatorError, match=r"cannot|holds no|are not|passphrase"):
        Messenger(BrokerPlace("127.0.0.1", 1, trust=trust), "front").publish("home/lock", "open")


def test_renewed_files_need_no_restart(start_tls: Callable[..., Any], authority: Authority) -> None:
    """A gate whose own certificate ended, and was renewed in place, comes back by itself: ear and mouth read the files anew."""
    port = start_tls(more="require_certificate true").port
    mine, key = authority.issue("front", days=(-9, -1), client=True)
    where = place(port, authority.ca, certificate=mine, key=key)
    ear, mouth = Listener(where, "front", SystemClock()), Messenger(where, "front")
    ear.on("a", lambda _: None)
    ear.start()
    with pytest.raises(ActuatorError, match="accept this gate's certificate"):
        mouth.publish("a", "b")
    mine.write_text("half a certifi")  # as it is being written
    time.sleep(1.2)
    authority.issue("front", client=True)
    assert until(lambda: ear.connected, 10)
    time.sleep(1.1)  # the rest after a failure
    mouth.publish("a", "b")
    mouth.close()
    ear.close()


def test_an_ear_that_hears_nothing_says_so(
    start_tls: Callable[..., Any], start_mosquitto: Callable[..., Any], authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each outage: PINs and readings would be missing without a word."""
    caplog.set_level(logging.WARNING)
    wrong = place(start_tls().port, Authority(tmp_path, "somebody else").ca)
    strict = BrokerPlace("127.0.0.1", start_mosquitto("allow_anonymous false").port, "front", "hunter2")
    for where, says in ((wrong, "its certificate is not trusted"), (strict, "refused"), (BrokerPlace("127.0.0.1", 1), "is away")):
        caplog.clear()
        ear = Listener(where, "front", SystemClock())
        ear.on("a", lambda _: None)
        ear.start()
        assert until(lambda: "nothing is heard" in caplog.text), where
        time.sleep(1.4)  # the second try comes after a second
        ear.close()
        assert caplog.text.count("nothing is heard") == 1 and says in caplog.text and "hunter2" not in caplog.text


@contextmanager
def trickling() -> Iterator[int]:
    """Serve a handshake that never ends: a byte now and then."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            try:
                line, _ = server.accept()
                with line:
                    line.recv(1000)
                    for byte in b"\x16\x03\x03\x40\x00" + b"\x02" * 100:
                        line.sendall(bytes([byte]))
                        time.sleep(0.1)
            except OSError:
                return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join(15)


def test_a_handshake_that_never_ends(authority: Authority) -> None:
    """A server that sends a byte now and then does not hold up a command for longer than it may take."""
    with trickling() as port:
        began = time.monotonic()
        with pytest.raises(ActuatorError, match="or not in time"):
            Messenger(place(port, authority.ca), "front", 0.5).publish("home/lock", "open")
        assert time.monotonic() - began < 1.0


def test_a_name_that_nobody_looks_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer does not hold up a command either; whoever is connected too late hangs up."""
    real = socket.getaddrinfo
    done = threading.Event()

    def slow(*given: Any, **more: Any) -> Any:
        time.sleep(1.5)
        try:
            return real(*given, **more)
        finally:
            done.set()

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with socket.create_server(("127.0.0.1", 0)) as server:
        mouth = Messenger(BrokerPlace("localhost", server.getsockname()[1]), "front", 0.3)
        began = time.monotonic()
        with pytest.raises(ActuatorError, match=r"did not answer within 0\.3 s.*\nhint:.*name server"):
            mouth.publish("home/lock", "open")
        assert time.monotonic() - began < 1.0
        mouth.close()
        assert done.wait(5)
        line, _ = server.accept()
        line.settimeout(5)
        said = b""
        while data := line.recv(1000):
            said += data
        line.close()
    assert b"open" not in said


def door_with(make_door: Callable[..., Door], port: int, more: str, scheme: str = "mqtts", host: str = "127.0.0.1") -> Door:
    return make_door(source="folder://.", target="mqtt://home/lock", more=f'[broker]\nurl = "{scheme}://{host}:{port}"\n{more}')


def parts(door: Door, broker: bool = True) -> dict[str, Part]:
    return {part.name: part for part in inspect(door, broker)}


def test_gate_check_tells(make_door: Callable[..., Door], start_tls: Callable[..., Any], authority: Authority) -> None:
    """Until when the certificates are good, that a key is not for others to read, and what is wrong; in a sentence whom it believes."""
    port = start_tls(days=(-1, 60), more="require_certificate true").port
    authority.issue("front", client=True, days=(-1, 60))
    ours = f'ca = "{authority.ca.name}"\ncertificate = "front.crt"\nkey = "front.key"'
    door = door_with(make_door, port, ours)
    found = parts(door)
    assert found["broker"].state == "ok" and f"mqtts://127.0.0.1:{port} answers; its certificate is good until 20" in found["broker"].text
    assert found["certificate"].state == "ok" and "is good until 20" in found["certificate"].text and "network" not in found
    (sentence,) = [one for one in check(door, None).sentences if "TLS" in one]
    assert "TLS alone" in sentence and "'127.0.0.1'" in sentence and authority.ca.name in sentence and "front.crt" in sentence
    (door.folder / "front.key").chmod(0o644)
    assert parts(door)["certificate"].hint.startswith("chmod 600")
    authority.issue("front", client=True, days=(-1, 9))
    assert parts(door)["certificate"].state == "note"
    authority.issue("front", client=True, days=(-9, -1))
    found = parts(door)
    assert found["certificate"].state == found["broker"].state == "problem" and "accept this" in found["broker"].text
    (door.folder / "front.key").unlink()
    assert "cannot be read" in parts(door, broker=False)["broker"].text


def test_gate_check_tells_of_a_certificate_that_ends(make_door: Callable[..., Door], start_tls: Callable[..., Any], authority: Authority) -> None:
    """The broker's own, in time: nobody looks at it for years, and then every gate is alone."""
    door = door_with(make_door, start_tls(days=(-1, 20)).port, f'ca = "{authority.ca.name}"')
    assert (found := parts(door)["broker"]).state == "note" and "renew" in found.hint


def test_gate_check_tells_without_tls(make_door: Callable[..., Door]) -> None:
    """Over a network passwords and PINs are readable: a note, no problem, for many a home is like that; on this computer there is none."""
    for host in ("192.168.1.5", "broker.local"):
        door = door_with(make_door, 1883, 'username = "me"\npassword = {file = "DOOR.toml"}', "mqtt", host)
        found = parts(door, broker=False)["network"]
        assert found.state == "note" and "reads who comes and the broker's password" in found.text and "mqtts://" in found.hint
        assert any("without TLS" in one and host in one for one in check(door, None).sentences)
        assert not check(door, None).problems
    for host in ("127.0.0.1", "127.8.8.8", "localhost", "[::1]"):
        door = door_with(make_door, 1883, "", "mqtt", host)
        assert "network" not in parts(door, broker=False) and not any("TLS" in one for one in check(door, None).sentences)


def test_a_whole_gate_over_tls(make_door: Callable[..., Door], start_tls: Callable[..., Any], authority: Authority, tmp_path: Path) -> None:
    """It tells its status, hears a signed command and answers it, and its events are told; with the wrong authority it does not start."""
    port = start_tls().port
    (tmp_path / "remote.secret").write_text(SECRET)
    (tmp_path / "frames").mkdir()
    remote = '[remote]\nsecret = {file = "remote.secret"}\n[events]\ntarget = "mqtt://home/events"'
    more = f'[broker]\nurl = "mqtts://localhost:{port}"\nca = "{authority.ca.name}"\n{remote}'
    heard: list[Message] = []
    ear = Listener(place(port, authority.ca), "house", SystemClock())
    ear.on("#", heard.append)
    ear.start()
    with running(make_door(more=more)) as gate:
        assert until(lambda: exchange(place(port, authority.ca), SECRET, ordered("front-door", "status", {}, 5), 1))
        answer = exchange(place(port, authority.ca), SECRET, ordered("front-door", "lock", {}, 5), 5)
        assert answer is not None and answer.done and gate.rules()[-1] == "remote lock"
        assert until(lambda: any(message.topic == "home/events" and b"remote lock" in message.payload for message in heard))
    ear.close()
    with pytest.raises(AssertionError, match="holds no certificate"), running(make_door(more=more.replace(authority.ca.name, "DOOR.toml"))):
        pass


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("failed to receive on socket: [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)", "asked"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "ours"),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert certificate expired", "ours"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "plain"),
        ("[Errno 113] No route to host", "other"),
    ],
)
def test_openssls_words(text: str, kind: str) -> None:
    """What it writes of an alert says whose fault it is."""
    assert kind_of(text) == kind
