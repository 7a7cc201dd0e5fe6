"""The shipped Mosquitto configuration, in a real Mosquitto: what is forbidden is refused, what a gate needs works (SAFETY test 21)."""

import getpass
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from livegate import SECRET, running, until
from paho.mqtt import client as paho

from conftest import free_port
from peephole.gateway.door import Door
from peephole.gateway.mqtt import BrokerPlace, Messenger, knock
from peephole.gateway.remotesend import exchange, ordered
from peephole.gateway.trust import Trust

SHIPPED = Path(__file__).parents[2] / "examples" / "mosquitto"
PEOPLE = ("front-door", "back-door", "operator", "house", "front-door-keypad", "front-door-lock", "visitor", "+", "watcher")
# Not shipped: whoever checks must hear all of it, and say when all was said.
WATCHER = "\nuser watcher\ntopic readwrite #\ntopic read $SYS/#\n"

# Who may not publish where, and whether with the flag that makes the broker keep it.
WRITES = (
    ("front-door", "peephole/back-door/status", True),
    ("front-door", "peephole/back-door/available", True),
    ("front-door", "peephole/back-door/answer", False),
    ("front-door", "peephole/back-door/events", False),
    ("front-door", "peephole/back-door/journal-head", True),
    ("front-door", "peephole/back-door/do/open", False),
    ("front-door", "peephole/back-door/command", False),
    ("front-door", "peephole/front-door/command", False),
    ("front-door", "peephole/front-door/pin", False),
    ("front-door", "peephole/front-door/phone/ana", False),
    ("front-door", "homeassistant/lock/back-door/open/config", True),
    ("front-door", "home/doorbell", False),
    ("front-door", "$SYS/broker/uptime", False),
    ("operator", "peephole/front-door/status", True),
    ("operator", "peephole/front-door/do/open", False),
    ("operator", "peephole/front-door/pin", False),
    ("operator", "peephole/front-door/answer", False),
    ("house", "peephole/front-door/command", False),
    ("house", "peephole/front-door/command", True),
    ("house", "peephole/front-door/do/open", False),
    ("front-door-keypad", "peephole/front-door/command", True),
    ("front-door-keypad", "peephole/back-door/pin", False),
    ("front-door-keypad", "peephole/front-door/do/open", False),
    ("front-door-lock", "peephole/front-door/do/open", False),
    ("visitor", "peephole/front-door/command", True),
    ("visitor", "peephole/front-door/pin", False),
    ("visitor", "anything", False),
    ("+", "peephole/front-door/status", True),
)
# Who may not read what, even by a wildcard; the topic is one that the rightful sender publishes to.
READS = (
    ("front-door", "peephole/back-door/command", "peephole/back-door/command"),
    ("front-door", "peephole/+/command", "peephole/back-door/command"),
    ("front-door", "#", "peephole/back-door/command"),
    ("front-door", "peephole/back-door/#", "peephole/back-door/pin"),
    ("front-door", "$SYS/#", "$SYS/broker/version"),
    ("house", "#", "peephole/front-door/command"),
    ("house", "peephole/front-door/pin", "peephole/front-door/pin"),
    ("house", "peephole/+/answer", "peephole/front-door/answer"),
    ("front-door-keypad", "peephole/front-door/pin", "peephole/front-door/pin"),
    ("front-door-keypad", "peephole/+/status", "peephole/front-door/status"),
    ("front-door-lock", "peephole/+/do/open", "peephole/back-door/do/open"),
    ("visitor", "peephole/+/status", "peephole/front-door/status"),
    ("visitor", "#", "peephole/front-door/events"),
    ("+", "peephole/+/command", "peephole/front-door/command"),
    ("+", "#", "peephole/front-door/pin"),
)
# Who may not come in at all: name, password.
ENTRIES = ((None, None), ("front-door", None), ("front-door", "wrong"), ("nobody", "nobody"), ("", ""), ("front-door", "back-door"))

# What each needs: who publishes, where, and who hears it.
NEEDED = (
    ("front-door", "peephole/front-door/status", "house"),
    ("front-door", "peephole/front-door/available", "house"),
    ("front-door", "peephole/front-door/answer", "operator"),
    ("front-door", "peephole/front-door/events", "house"),
    ("front-door", "peephole/front-door/journal-head", "front-door"),
    ("front-door", "peephole/front-door/do/open", "front-door-lock"),
    ("front-door", "homeassistant/lock/front-door/open/config", "house"),
    ("operator", "peephole/front-door/command", "front-door"),
    ("operator", "peephole/back-door/command", "back-door"),
    ("front-door-keypad", "peephole/front-door/pin", "front-door"),
    ("front-door-lock", "peephole/front-door/sense/open", "front-door"),
)


@pytest.fixture
def start(tmp_path: Path, require_program: Any) -> Iterator[Callable[..., int]]:
    """Return a function that starts a Mosquitto with the shipped files, after a change to them, and returns its port."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(change: Callable[[str, str], tuple[str, str]] = lambda conf, acl: (conf, acl)) -> int:
        passwords, port = tmp_path / "passwords", free_port()
        passwords.write_text("".join(f"{name}:{name}-password\n" for name in PEOPLE))
        subprocess.run([require_program("mosquitto_passwd"), "-U", str(passwords)], check=True, capture_output=True)
        conf, acl = change(*((SHIPPED / name).read_text() for name in ("mosquitto.conf", "acl")))
        (tmp_path / "acl").write_text(acl + WATCHER)
        assert "listener 1883 127.0.0.1\n" in conf
        # As whoever runs the test: Mosquitto would give up root and could not read the files any more.
        here = f"listener {port} 127.0.0.1\nuser {getpass.getuser()}\nsys_interval 1\nlog_dest none\n"
        conf = conf.replace("listener 1883 127.0.0.1\n", here)
        (tmp_path / "mosquitto.conf").write_text(conf.replace("/etc/mosquitto/", f"{tmp_path}/"))
        running.append(subprocess.Popen([require_program("mosquitto"), "-c", str(tmp_path / "mosquitto.conf")]))
        assert until(lambda: enters(port, "watcher", "watcher-password"))
        return port

    yield begin
    for process in running:
        process.kill()
        process.wait()


@dataclass
class Client:
    """One user's connection, and what they heard."""

    user: str
    port: int
    will: tuple[str, str] | None = None
    ca: Path | None = None

    def __post_init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._done = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        self.client.username_pw_set(self.user, f"{self.user}-password")
        if self.ca is not None:
            self.client.tls_set(str(self.ca))
        self.client.on_message = lambda _c, _d, message: self.heard.append((message.topic, bytes(message.payload)))
        self.client.on_connect = self.client.on_subscribe = self.client.on_unsubscribe = lambda *_: self._done.set()
        if self.will is not None:
            self.client.will_set(self.will[0], self.will[1], qos=1)
        self._ask(lambda: (self.client.connect("127.0.0.1", self.port), self.client.loop_start()))

    def _ask(self, question: Callable[[], Any]) -> None:
        self._done.clear()
        question()
        assert self._done.wait(5), f"{self.user} gets no answer"

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        """Publish; Mosquitto acknowledges also what it then drops."""
        self.client.publish(topic, payload, 1, retain).wait_for_publish(5)

    def subscribe(self, topic: str) -> None:
        """Subscribe; Mosquitto grants also what it then never delivers."""
        self._ask(lambda: self.client.subscribe(topic, 1))

    def settle(self) -> None:
        """Wait until everything that was on its way has come: the broker answers in order."""
        self._ask(lambda: self.client.unsubscribe("nothing/at/all"))

    def close(self) -> None:
        """Leave."""
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_message = self.client.on_connect = self.client.on_subscribe = self.client.on_unsubscribe = None


def enters(port: int, user: str | None, password: str | None, ca: Path | None = None) -> bool:
    """Say whether a broker lets somebody in."""
    answers: list[bool] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
    client.on_connect = lambda _c, _d, _f, reason, _p: answers.append(not reason.is_failure)
    if user is not None:
        client.username_pw_set(user, password)
    if ca is not None:
        client.tls_set(str(ca))
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return False
    client.loop_start()
    until(lambda: answers, 3)
    client.disconnect()
    client.loop_stop()
    return answers == [True]


def successes(port: int, system: bool = True, ca: Path | None = None) -> list[str]:
    """Try everything that is forbidden, `system` also what the broker itself says once a second; return what succeeded, in words."""
    people = {name: Client(name, port, ca=ca) for name in PEOPLE}
    watcher = people["watcher"]
    for topic in ("#", "$SYS/#"):
        watcher.subscribe(topic)
    found = [f"{user} came in with {password}" for user, password in ENTRIES if enters(port, user, password, ca)]
    for number, (user, topic, retain) in enumerate(WRITES):
        people[user].publish(topic, f"forbidden {number}", retain)
    dying = Client("front-door", port, ("peephole/back-door/status", "forbidden will"), ca)
    dying.client.socket().shutdown(2)  # type: ignore[union-attr]  # so that its last will is read
    watcher.publish("the/end", "of it")
    assert until(lambda: ("the/end", b"of it") in watcher.heard)
    time.sleep(0.2)  # for the last will
    told = {payload for _, payload in watcher.heard}
    found += [f"{user} published to {topic}" for number, (user, topic, _) in enumerate(WRITES) if f"forbidden {number}".encode() in told]
    found += ["front-door left another's last will"] * (b"forbidden will" in told)
    for number, (user, wanted, topic) in enumerate(READS):
        if topic.startswith("$SYS") and not system:
            continue
        spy = Client(user, port, ca=ca)
        spy.subscribe(wanted)
        watcher.publish(topic, f"secret {number}")
        if topic.startswith("$SYS"):
            assert until(lambda: any(name.startswith("$SYS") for name, _ in watcher.heard), 5)
            time.sleep(1.2)  # the broker says it once a second here
        spy.settle()
        overheard = any(
            topic.startswith("$SYS") if name.startswith("$SYS") else payload == f"secret {number}".encode() for name, payload in spy.heard
        )
        found += [f"{user} read {topic}"] * overheard
        spy.close()
    for one in (*people.values(), dying):
        one.close()
    return found


def test_what_is_forbidden_is_refused(start: Callable[..., int]) -> None:
    """All of it, and it is more than twenty things."""
    assert len(WRITES) + len(READS) + len(ENTRIES) + 1 == 50
    assert successes(start()) == []


def with_tls(port: int, *more: str) -> Callable[[str, str], tuple[str, str]]:
    """Return a change that takes the # from the lines of TLS, and from `more` lines."""

    def change(conf: str, acl: str) -> tuple[str, str]:
        for line in ("listener 8883", "cafile", "certfile", "keyfile", *more):
            assert conf.count(f"\n#{line}") == 1, line
            conf = conf.replace(f"\n#{line}", f"\n{line}")
        return conf.replace("listener 8883", f"listener {port} 127.0.0.1"), acl

    return change


def certified(folder: Path) -> Authority:
    """Put a broker's certificate where the shipped configuration looks for it, and its authority's."""
    (folder / "certs").mkdir()
    authority = Authority(folder / "certs", "ca")
    authority.issue("broker", "127.0.0.1")
    return authority


def test_the_same_over_tls(start: Callable[..., int], tmp_path: Path) -> None:
    """The shipped lines of TLS work as they stand; what is forbidden is refused there too, and without TLS nobody is let in there."""
    authority, port = certified(tmp_path), free_port()
    start(with_tls(port))
    assert successes(port, system=False, ca=authority.ca) == []
    assert not enters(port, "front-door", "front-door-password")
    gate = BrokerPlace("127.0.0.1", port, "front-door", "front-door-password", Trust(authority.ca))
    knock(gate)


def test_a_gates_own_certificate_is_its_name(start: Callable[..., int], tmp_path: Path) -> None:
    """With the lines for certificates of gates one needs no password, and the list holds for the name in the certificate."""
    authority, port = certified(tmp_path), free_port()
    plain = start(with_tls(port, "require_certificate true", "use_identity_as_username true"))
    house = Client("house", plain)
    house.subscribe("peephole/+/status")
    shown = authority.issue("front-door", client=True)
    gate = Messenger(BrokerPlace("127.0.0.1", port, trust=Trust(authority.ca, *shown)), "front-door")
    gate.publish("peephole/back-door/status", "forbidden")
    gate.publish("peephole/front-door/status", "armed")
    assert until(lambda: house.heard)
    assert house.heard == [("peephole/front-door/status", b"armed")]
    gate.close()
    house.close()


def test_what_is_needed_works(start: Callable[..., int]) -> None:
    """Every line of the list is there for somebody: who publishes is heard by whom it is for."""
    port = start()
    for number, (user, topic, reader) in enumerate(NEEDED):
        ear, mouth = Client(reader, port), Client(user, port)
        ear.subscribe(topic)
        mouth.publish(topic, f"needed {number}")
        assert until(lambda ear=ear, topic=topic, number=number: (topic, f"needed {number}".encode()) in ear.heard), f"{user} to {reader}: {topic}"
        ear.close()
        mouth.close()


def test_a_message_that_is_too_large_goes_nowhere(start: Callable[..., int]) -> None:
    """A picture, or an attack, costs its sender the connection, and nobody hears it."""
    port = start()
    watcher, gate = Client("watcher", port), Client("front-door", port)
    watcher.subscribe("#")
    gate.client.publish("peephole/front-door/events", "x" * 100_000, 1)
    assert until(lambda: not gate.client.is_connected())
    watcher.settle()
    assert watcher.heard == []
    watcher.close()
    gate.close()


def test_a_whole_gate_lives_with_it(start: Callable[..., int], make_door: Callable[..., Door], tmp_path: Path) -> None:
    """A gate that logs in under its own name tells its status, hears the operator's command and answers it."""
    port = start()
    (tmp_path / "remote.secret").write_text(SECRET)
    (tmp_path / "broker.secret").write_text("front-door-password")
    broker = f'[broker]\nurl = "mqtt://127.0.0.1:{port}"\nusername = "front-door"\npassword = {{file = "broker.secret"}}'
    operator = BrokerPlace("127.0.0.1", port, "operator", "operator-password")
    house = Client("house", port)
    house.subscribe("peephole/+/status")
    with running(make_door(more=f'{broker}\n[remote]\nsecret = {{file = "remote.secret"}}')) as gate:
        assert until(lambda: exchange(operator, SECRET, ordered("front-door", "status", {}, 5), 1))
        answer = exchange(operator, SECRET, ordered("front-door", "lock", {}, 5), 5)
        assert answer is not None and answer.done and gate.rules()[-1] == "remote lock"
        assert until(lambda: b"locked out" in house.heard[-1][1])
    house.close()


def replaced(old: str, new: str) -> Callable[[str, str], tuple[str, str]]:
    """Return a change to the shipped files, whichever of the two holds it."""

    def change(conf: str, acl: str) -> tuple[str, str]:
        assert (conf + acl).count(old) == 1
        return conf.replace(old, new), acl.replace(old, new)

    return change


PLANTED = {
    "everybody may come in": replaced("allow_anonymous false", "allow_anonymous true"),
    "there is no list": replaced("acl_file /etc", "# acl_file /etc"),
    "a gate speaks for others": replaced("pattern write peephole/%u/status", "pattern write peephole/+/status"),
    "a gate reads others' commands": replaced("pattern read peephole/%u/command", "pattern read peephole/+/command"),
    "a gate commands itself": replaced("pattern read peephole/%u/command", "pattern readwrite peephole/%u/command"),
    "the house commands": replaced("user house\n", "user house\ntopic write peephole/+/command\n"),
    "a keypad hears PINs": replaced("topic write peephole/front-door/pin", "topic readwrite peephole/front-door/pin"),
    "everybody reads everything": replaced("pattern read peephole/%u/pin", "pattern read #"),
}


LONG = os.environ.get("PEEPHOLE_LONG") == "1"


@pytest.mark.parametrize("name", list(PLANTED) if LONG else ["everybody may come in", "a gate reads others' commands", "the house commands"])
def test_planted_bugs_are_caught(start: Callable[..., int], name: str) -> None:
    """One careless line in the shipped files, and the tests above find what it lets through."""
    assert successes(start(PLANTED[name]), system=False) != []
