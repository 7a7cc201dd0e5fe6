"""docs/reference/broker.md: its settings are read, its tables name every key, and its commands make certificates that gate and broker take."""

import re
import subprocess
import tomllib
from collections.abc import Callable
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
from test_many_page import BASE

from peephole.base.errors import ActuatorError
from peephole.base.settings import check
from peephole.gateway.keys import Broker, DoorSettings, Events
from peephole.gateway.mqtt import BrokerPlace, knock
from peephole.gateway.trust import Trust

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "broker.md").read_text(encoding="utf-8")
GUIDES = [(ROOT / "docs" / "guide" / f"pi-{language}.md").read_text(encoding="utf-8") for language in ("en", "ko")]


def snippets(text: str) -> list[str]:
    return re.findall(r"```toml\n(.*?)```", text, re.S)


def test_the_settings_are_read() -> None:
    """Each snippet completes a DOOR.toml; one speaks TLS."""
    found = [check(DoorSettings, tomllib.loads(BASE + snippet), "broker.md") for snippet in snippets(PAGE)]
    assert [one.broker is not None and one.broker.secure for one in found] == [False, True]


def test_the_table_names_every_key() -> None:
    """All of [broker] and [events], and no other."""
    rows = re.findall(r"^\| `\[(\w+)\] (\w+)`(?:, `(\w+)`)? \|", PAGE, re.M)
    named = {(table, key) for table, *keys in rows for key in keys if key}
    assert named == {*(("broker", key) for key in Broker.model_fields), *(("events", key) for key in Events.model_fields)}


def test_the_guides_show_it() -> None:
    """Both guides have the same settings, and those of the broker are read."""
    english, korean = map(snippets, GUIDES)
    assert english == korean
    brokers = [one for one in english if "[broker]" in one]
    assert [tomllib.loads(one)["broker"]["url"] for one in brokers] == ["mqtt://127.0.0.1:1883", "mqtts://broker.local"]
    for one in brokers:
        Broker.model_validate(tomllib.loads(one)["broker"])


# A handshake that fails leaves its socket to the collector, as in test_broker_tls.
@pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("own", [False, True])
def test_its_commands_make_certificates(start_mosquitto: Callable[..., Any], require_program: Any, tmp_path: Path, own: bool) -> None:
    """Run as they stand, for an address of this computer; they please the strictest check, a gate believes the broker, and it the gate."""
    require_program("openssl")
    commands = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) if "openssl" in block]
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command.replace("192.168.1.5", "127.0.0.1"), shell=True, check=True, capture_output=True, cwd=tmp_path)
    for name in ("broker", "front-door"):
        strict = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.crt", f"{name}.crt"]
        subprocess.run(strict, check=True, capture_output=True, cwd=tmp_path)
        assert (tmp_path / f"{name}.key").stat().st_mode & 0o077 == 0
    files = "".join(f"{key}file {tmp_path}/{name}\n" for key, name in (("ca", "ca.crt"), ("cert", "broker.crt"), ("key", "broker.key")))
    broker = start_mosquitto(f"{files}user {getuser()}\nallow_anonymous true\nrequire_certificate {str(own).lower()}")
    shown = (tmp_path / "front-door.crt", tmp_path / "front-door.key") if own else ()
    assert knock(BrokerPlace("127.0.0.1", broker.port, trust=Trust(tmp_path / "ca.crt", *shown)))
    with pytest.raises(ActuatorError) as caught:
        knock(BrokerPlace("127.0.0.1", broker.port, trust=Trust(None, *shown)))
    assert f"| {caught.value.what.partition(': ')[2]} |" in PAGE
