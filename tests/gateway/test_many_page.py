"""docs/reference/many-gates.md: its settings are read, its messages are the code's, its tables name every key, state and command."""

import hashlib
import hmac
import json
import re
import tomllib
from pathlib import Path

from doors import PAGE as PAGE_DOOR

from peephole.base.settings import check
from peephole.gateway.clock import SteppedClock
from peephole.gateway.keys import DoorSettings
from peephole.gateway.mqtt import BrokerPlace
from peephole.gateway.remote import COMMANDS, LIFE, MAX_BYTES, read_order
from peephole.gateway.remotekeys import Remote
from peephole.gateway.remotesend import Tables
from peephole.gateway.status import HANGS, OFTEN, StatusBoard

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "many-gates.md").read_text(encoding="utf-8")
BASE = f'{PAGE_DOOR}[[rule]]\nwho = ["ana"]\ndo = "open"\n'


def test_the_settings_are_read() -> None:
    """Each snippet completes a DOOR.toml, but that of whoever sends, which is whole, and logs in as the list lets send commands."""
    at_gate, at_desk, over_tls = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    remote, tls = (check(DoorSettings, tomllib.loads(BASE + snippet), "many-gates.md") for snippet in (at_gate, over_tls))
    sender = check(Tables, tomllib.loads(at_desk), "desk.toml")
    assert sender.broker is not None and sender.remote is not None and sender.gate is not None and sender.gate.name == "front-door"
    acl = (ROOT / "examples" / "mosquitto" / "acl").read_text(encoding="utf-8")
    assert f"user {sender.broker.username}\ntopic write peephole/+/command\n" in acl
    assert remote.remote == Remote(secret={"file": "remote.secret"})  # type: ignore[arg-type]
    assert tls.broker is not None and tls.broker.secure and tls.broker.place == ("broker.local", 8883)


def test_the_table_names_every_key() -> None:
    """All of [remote], and no other."""
    assert set(re.findall(r"^\| `\[remote\] (\w+)` \|", PAGE, re.M)) == set(Remote.model_fields)


def test_commands_and_what_they_take() -> None:
    """Every command with its arguments."""
    rows = re.findall(r"^\| `(\w+)` \| .* \| ?(.*?) ?\|$", PAGE.partition("| command | does | takes |")[2].partition("\n\n")[0], re.M)
    assert {name: tuple(re.findall(r"`(\w+)`", takes)) for name, takes in rows} == COMMANDS


def test_the_messages_are_the_codes() -> None:
    """The status has these facts; the command, once signed as the page says, is believed."""
    status, command = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.S))
    board = StatusBoard(BrokerPlace("127.0.0.1", 1), "front-door", {"armed": "proof", "model": None}, SteppedClock())
    assert set(json.loads(board.status())) == set(status)
    del command["hmac"]
    text = "peephole command 1\n" + json.dumps(command, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert text.startswith(PAGE[(at := PAGE.index("peephole command 1")) : at + 18])
    signed = {**command, "hmac": hmac.new(b"secret", text.encode(), hashlib.sha256).hexdigest()}
    assert read_order("secret", "front-door", json.dumps(signed).encode()).command == "lock"


def test_its_figures_are_the_codes() -> None:
    """Seconds and bytes."""
    for figure in (f"for more than {LIFE} s", f"over {MAX_BYTES // 1024} KB", f"every {OFTEN:g} s", f"not moved for {HANGS:g} s"):
        assert figure in PAGE, figure


def test_the_topics_are_those_of_the_list() -> None:
    """Each topic of the table stands in the shipped list, with who may publish and read it."""
    acl = (ROOT / "examples" / "mosquitto" / "acl").read_text(encoding="utf-8")
    named = {
        word for row in re.findall(r"^\| (`(?:peephole|homeassistant)/.*?) \|", PAGE, re.M) for word in re.findall(r"[\w-]+(?=`|/…|/ACTION)", row)
    }
    listed = set(re.findall(r"^pattern \w+ (?:peephole|homeassistant)/(?:%u|\+)/([\w%-]+)", acl, re.M)) - {"%u"}
    assert listed <= named, listed - named
