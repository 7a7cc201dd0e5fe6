"""The Gate tab's addresses: what no page would send is answered with a sentence."""

import json
import socket

import pytest


@pytest.fixture(scope="module")
def owner(live, folder):
    """The owner's headers, in a folder with the settings of a gate."""
    (folder / "door.toml").write_text("[gate]\n", "utf-8")
    return live.owner()


@pytest.mark.parametrize("name", ["", "  ", "-x", "--yes", "a\0b", "a\nb", "\ud800", "\u202ex", "x" * 101, None, 5.5, []], ids=range(12))
@pytest.mark.parametrize("act", ["enrol", "forget"])
def test_names_that_are_none(live, owner, monkeypatch, act, name):
    """No command is started for them, and the server does not stumble."""
    started = []

    async def said(*words):
        started.append(words)
        return "{}", ""

    monkeypatch.setattr("peephole.studio.doors.said", said)
    sent = {"gate": "door.toml", "act": act, "name": name, "set": "nowhere", "label": "x"}
    found = live.ask("POST", "/api/gate/act", owner, json.dumps(sent).encode())
    if name in (5.5, []) or name is None:  # written out these are odd names, but names
        assert found.status in (200, 400)
        return
    assert (found.status, started) == (400, [])
    assert found.json["error"] == "that is no name of a person"


@pytest.mark.parametrize("after", ["9" * 30, "9" * 5000, "-1", "x"], ids=range(4))
def test_numbers_of_rows_that_are_none(live, owner, folder, monkeypatch, after):
    """The stream begins as for somebody who has heard nothing."""
    monkeypatch.setattr("peephole.studio.doors.journal_of", lambda _: folder / "nothing.sqlite")
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as line:
        head = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": live.host, "Last-Event-ID": after} | owner).items())
        line.sendall(f"GET /api/gate/follow?gate=door.toml HTTP/1.1\r\n{head}\r\n".encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 200 ")
