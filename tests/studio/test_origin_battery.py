"""Requests that other sites, names and programs send: none has an effect, whatever Host, Origin, Sec-Fetch-Site and token say."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from live import Live, running
from starlette.responses import Response

from peephole.studio import guard
from peephole.studio.app import ADDRESSES
from peephole.studio.house import House
from peephole.studio.routes import Address

EFFECTS: list[str] = []


async def _effect(_house: House, request: Any) -> Response:
    """Note that something was changed or read."""
    await request.body()
    EFFECTS.append(request.url.path)
    return Response(b"done")


MORE = (
    Address("POST", "/api/effect", "owner", _effect, 100),
    Address("POST", "/api/effect-of-anyone", "anyone", _effect, 100),
    Address("GET", "/api/secret", "owner", _effect, 0),
)


@pytest.fixture(scope="module")
def open_house(tmp_path_factory) -> Iterator[Live]:
    """A server with addresses that note when they are reached."""
    with running(tmp_path_factory.mktemp("battery"), addresses=[*ADDRESSES, *MORE], names=("bench.local",)) as live:
        yield live


@pytest.fixture(scope="module")
def owner(open_house) -> dict[str, str]:
    """The headers of the owner's own page."""
    return open_house.owner()


# Each of these replaces headers of the owner's own page, cookie and token included: the worst case of each attack.
PORT = "{port}"
HOSTS = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example:{port}",
    "127.0.0.1",
    "localhost",
    "localhost:80",
    "127.0.0.1:1",
    "127.0.0.2:{port}",
    "0.0.0.0:{port}",
    "0:{port}",
    "127.1:{port}",
    "2130706433:{port}",
    "0x7f000001:{port}",
    "[::]:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "::1:{port}",
    "[::1]",
    "localhost.:{port}",
    "127.0.0.1:{port}.",
    "127.0.0.1:{port}:{port}",
    "127.0.0.1:0{port}",
    "user@127.0.0.1:{port}",
    "127.0.0.1:{port}@evil.example",
    "127.0.0.1:{port},evil.example",
    "127.0.0.1:{port} evil.example",
    "",
    " ",
    "bench.local",
    "bench.local:1",
    "a.bench.local:{port}",
    "localh\u00f6st:{port}",
]
ORIGINS = [
    "null",
    "http://evil.example",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "http://localhost:{port}",
    "http://[::1]:{port}",
    "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1:{port}@evil.example",
    "file://",
    "chrome-extension://abcdefgh",
    "",
    "http://bench.local:{port}",
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port} http://evil.example",
    "moz-extension://x",
    "data:",
    "127.0.0.1:{port}",
    "HTTP://127.0.0.1.:{port}",
]
SITES = ["cross-site", "same-site", "evil", "", "none, cross-site", "Cross-Site"]
TOKENS = ["", "0", "undefined", "null", "a" * 64, "{token}0", "x{token}", "\u00e9", "{token},{token}"]


def battery(live: Live, owner: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Return the headers of each attack by its name."""
    fill = {"port": live.port, "token": owner["x-peephole-token"]}
    own = [("Host", live.host), *owner.items()]

    def changed(name: str, *values: str | None) -> list[tuple[str, str]]:
        kept = [each for each in own if each[0].lower() != name.lower()]
        return kept + [(name, value.format(**fill)) for value in values if value is not None]

    found = {f"Host {value!r}": changed("Host", value) for value in HOSTS}
    found |= {f"Origin {value!r}": changed("Origin", value) for value in ORIGINS}
    found |= {f"Sec-Fetch-Site {value!r}": changed("Sec-Fetch-Site", value) for value in SITES}
    found |= {f"token {value!r}": changed("x-peephole-token", value) for value in TOKENS}
    found |= {
        "two hosts": changed("Host", live.host, "evil.example"),
        "two hosts, the right one last": changed("Host", "evil.example", live.host),
        "two hosts, both right": changed("Host", live.host, live.host),
        "two origins": changed("Origin", f"http://{live.host}", "http://evil.example"),
        "two sites": changed("Sec-Fetch-Site", "same-origin", "cross-site"),
        "no token": changed("x-peephole-token", None),
        "no cookie": changed("Cookie", None),
        "another port's cookie": changed("Cookie", owner["Cookie"].replace(str(live.port), "8707")),
        "another's cookie first": changed("Cookie", f"peephole-{live.port}=x; {owner['Cookie']}"),
        "a cookie without a name": changed("Cookie", owner["Cookie"].partition("=")[2]),
        "a form of another site": [*changed("Origin", "http://evil.example"), ("Content-Type", "text/plain")],
        "navigation by a form": [*changed("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
        "host of a proxy": [*changed("Host", "evil.example"), ("X-Forwarded-Host", live.host), ("X-Forwarded-For", "127.0.0.1")],
        "method by header": [*changed("x-peephole-token", None), ("X-HTTP-Method-Override", "POST")],
    }
    return found


def effects(live: Live, owner: dict[str, str]) -> list[str]:
    """Send the whole battery and return the attacks that had an effect."""
    reached = []
    for name, headers in battery(live, owner).items():
        for path in ("/api/effect", "/api/effect-of-anyone"):
            before = len(EFFECTS)
            answer = live.ask("POST", path, headers, b"{}")
            # An address for anyone takes anyone's token: there the attack on it is none.
            if len(EFFECTS) > before or answer.status == 200:
                reached.append(f"{name}: {path}")
    return reached


def test_the_owner_is_heard(open_house, owner):
    """Without an attack all three are reached: the battery fails for the right reasons."""
    before = len(EFFECTS)
    assert [open_house.ask("POST", path, owner, b"{}").status for path in ("/api/effect", "/api/effect-of-anyone")] == [200, 200]
    assert open_house.ask("GET", "/api/secret", owner).status == 200
    for name in ("localhost", "[::1]", "bench.local"):
        there = owner | {"Host": f"{name}:{open_house.port}", "Origin": f"http://{name}:{open_house.port}"}
        assert open_house.ask("POST", "/api/effect", there, b"{}").status == 200
    without = {name: value for name, value in owner.items() if name in ("Cookie", "x-peephole-token")}
    assert open_house.ask("POST", "/api/effect", without, b"{}").status == 200  # a program of the owner's own, with cookie and token
    assert len(EFFECTS) == before + 7


def test_no_attack_has_an_effect(open_house, owner):
    """At least 40 values; nothing happens, and the answer is a refusal."""
    assert len(battery(open_house, owner)) >= 40
    assert effects(open_house, owner) == []


@pytest.mark.parametrize("bug", ["host", "origin", "token"])
def test_the_battery_finds_a_guard_that_forgets(open_house, owner, monkeypatch, bug):
    """Planted bugs: without one of the three checks some attack has an effect."""
    right = guard.Guard._refusal

    def forgetful(self: Any, *given: Any) -> Any:
        found = right(self, *given)
        return None if found and found[1] == bug else found

    monkeypatch.setattr(guard.Guard, "_refusal", forgetful)
    assert effects(open_house, owner)


def test_reading_is_refused_to_other_sites(open_house, owner):
    """A GET with the owner's cookie, as an <img> or fetch of another site would send it."""
    before = len(EFFECTS)
    for headers in (
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Host": f"rebound.example:{open_house.port}", "Sec-Fetch-Site": "same-origin"},
    ):
        assert open_house.ask("GET", "/api/secret", {"Cookie": owner["Cookie"]} | headers).status in (403, 421)
    assert len(EFFECTS) == before
    # Following a link of another site to the page itself is no attack.
    assert open_house.ask("GET", "/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status == 200


def test_every_answer_carries_the_strict_headers(open_house):
    """Pages, refusals and errors alike."""
    for method, target in (
        ("GET", "/"),
        ("GET", "/page/app.js"),
        ("GET", "/nowhere"),
        ("POST", "/api/login"),
        ("GET", "/api/hello"),
        ("GET", "/api/secret"),
    ):
        found = open_house.ask(method, target).headers
        assert found["content-security-policy"] == guard.POLICY and "'unsafe" not in guard.POLICY
        assert found["x-content-type-options"] == "nosniff" and found["referrer-policy"] == "no-referrer"
        assert found["cache-control"] in ("no-store", "no-cache") and "server" not in found and "access-control-allow-origin" not in found


def test_cookies_are_strict(open_house):
    """No script reads them, no other site sends them."""
    cookie = open_house.ask("GET", "/").headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and f"peephole-{open_house.port}=" in cookie


def head(owner: dict[str, str], live: Live, *lines: str, version: str = "1.1", host: bool = True) -> bytes:
    """Return the head of a POST to the owner's effect."""
    own = [f"Host: {live.host}"] if host else []
    return "\r\n".join([f"POST /api/effect HTTP/{version}", *own, *(f"{name}: {value}" for name, value in owner.items()), *lines, "", ""]).encode(
        "latin-1"
    )


def test_broken_requests_have_no_effect(open_house, owner):
    """HTTP/1.0 without Host, bodies longer than they say or than is taken, contradictory lengths, smuggled requests."""
    before = len(EFFECTS)
    chunk = b"%x\r\n%s\r\n" % (60, b"a" * 60)
    requests = {
        "HTTP/1.0 without a host": (head(owner, open_house, "Content-Length: 2", version="1.0", host=False) + b"{}", {421}),
        "chunks over the cap": (head(owner, open_house, "Transfer-Encoding: chunked") + chunk * 2 + b"0\r\n\r\n", {413}),
        "endless chunks": (head(owner, open_house, "Transfer-Encoding: chunked") + chunk * 2000, {413}),
        "a length over the cap": (head(owner, open_house, "Content-Length: 101") + b"a" * 101, {413}),
        "a negative length": (head(owner, open_house, "Content-Length: -2") + b"{}", {400}),
        "a length in words": (head(owner, open_house, "Content-Length: two") + b"{}", {400}),
        "a length of 30 digits": (head(owner, open_house, f"Content-Length: {'9' * 30}") + b"{}", {400, 413}),
        "a superscript length": (head(owner, open_house, "Content-Length: \u00b2") + b"{}", {400, 413}),
        "two lengths": (head(owner, open_house, "Content-Length: 2", "Content-Length: 3") + b"{}", {400}),
        "a head of 200 kB": (head(owner, open_house, f"X: {'a' * 200_000}", "Content-Length: 2") + b"{}", {0, 400, 431}),
        "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {0, 400}),
        "a WebSocket": (
            f"GET /api/secret HTTP/1.1\r\nHost: {open_house.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode(),
            {400, 401, 403, 426},
        ),
    }
    for name, (sent, wanted) in requests.items():
        assert open_house.raw(sent).status in wanted, name
    assert len(EFFECTS) == before
    # Both a length and chunks: the chunks count, and nothing is left over that could be a second request.
    both = head(owner, open_house, "Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\nGET /api/secret HTTP/1.1\r\n\r\n"
    open_house.raw(both)
    assert "/api/secret" not in EFFECTS[before:]


def test_absolute_targets_do_not_speak_for_the_host(open_house, owner):
    """A request line with another name in it changes nothing: the header must be right."""
    before = len(EFFECTS)
    lines = {name: value for name, value in owner.items() if name != "Host"}
    assert open_house.ask("POST", f"http://{open_house.host}/api/effect", {**lines, "Host": "evil.example"}, b"{}").status >= 400
    assert open_house.ask("POST", "//evil.example/api/effect", lines, b"{}").status >= 400
    assert len(EFFECTS) == before


def test_paths_are_not_bent(open_house, owner):
    """What is nearly an address is none."""
    for path in (
        "/api/secret/",
        "/api//secret",
        "/api/./secret",
        "/API/secret",
        "/api/secret%00",
        "/api/secret%2f",
        "/page/../api/secret",
        "/page/%2e%2e/app.py",
    ):
        assert open_house.ask("GET", path, owner).status in (400, 404), path


def test_slow_bodies_are_cut_off(tmp_path, monkeypatch):
    """A body that never ends has no effect and is given up; others are answered meanwhile."""
    monkeypatch.setattr(guard, "PATIENT", 0.3)
    with running(tmp_path, addresses=[*ADDRESSES, *MORE]) as live:
        owner, before, answers = live.owner(), len(EFFECTS), []
        slow = threading.Thread(target=lambda: answers.append(live.raw(head(owner, live, "Content-Length: 50") + b"{", wait=5)))
        slow.start()
        begun = time.monotonic()
        assert live.ask("GET", "/api/hello").status == 200 and time.monotonic() - begun < 0.3
        slow.join(5)
        assert [each.status for each in answers] == [408] and len(EFFECTS) == before


def test_a_body_shorter_than_it_says_has_no_effect(open_house, owner):
    """The line is cut before the body is whole."""
    before = len(EFFECTS)
    sent = head(owner, open_house, "Content-Length: 90", "Connection: close") + json.dumps({}).encode()
    assert open_house.raw(sent, wait=0.3).status == 0
    time.sleep(0.2)
    assert len(EFFECTS) == before
