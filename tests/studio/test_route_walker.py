"""Every address x every method x every role: refused unless it is listed here; a server with an unmarked address does not start."""

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.responses import Response

from peephole.base.errors import SettingsError
from peephole.studio.app import ADDRESSES, Served, build
from peephole.studio.auth import Auth
from peephole.studio.guard import Guard
from peephole.studio.house import House
from peephole.studio.routes import Address

# What whoever reaches the server may do. A new address for anyone is a decision: it is written down here as well.
FOR_ANYONE = {
    ("GET", "/"),
    ("GET", "/favicon.ico"),
    ("GET", "/api/hello"),
    ("POST", "/api/login"),
    # These show shipped models to anyone and the owner's to the owner alone: test_guests.py sees to it.
    ("POST", "/api/trace"),
    ("GET", "/api/values"),
    ("GET", "/api/tensor"),
    ("GET", "/api/model"),
    ("GET", "/api/match"),
    ("GET", "/api/inside/heat"),
    ("GET", "/api/inside/rebuilt"),
    ("GET", "/api/inside/dropout"),
    ("GET", "/api/inside/nearest"),
    # A set is the owner's here too.
    ("GET", "/api/map"),
    ("POST", "/api/map/place"),
    # A visitor's own report, by an id that nobody guesses; the owner's are the owner's.
    ("POST", "/api/report"),
    ("GET", "/api/report/page"),
    ("GET", "/api/report/json"),
    # The lab computes on what is sent and keeps nothing: test_lab_addresses.py sees to its caps.
    ("POST", "/api/lab/x-or-o"),
    ("POST", "/api/lab/learn"),
    ("POST", "/api/lab/scalar"),
    ("POST", "/api/lab/ball"),
    ("POST", "/api/lab/window"),
    ("POST", "/api/lab/kernel"),
    ("GET", "/api/lab/drawing"),
    ("POST", "/api/lab/echo"),
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", "")
SERVED = Served(port=8707)
Calls = list[tuple[str, str]]


def listed(method: str, path: str) -> bool:
    return (method, path) in FOR_ANYONE or (method == "GET" and path.startswith("/page/"))


class Walk:
    """The application with every answer replaced by a record that it was given; `roles` are headers by who sends them."""

    def __init__(
        self, house: House, guard: Callable[[Guard], None] = lambda _: None, marks: Callable[[Address], Address] = lambda each: each
    ) -> None:
        self.calls: Calls = []
        self.auth = Auth(house.state)
        addresses = [marks(dataclasses.replace(each, answer=self._recorder(each))) for each in ADDRESSES]
        self.app = build(house, self.auth, SERVED, addresses)
        guard(self.app)
        owner = self.auth.let_in(self.auth.code)
        assert isinstance(owner, str)
        visitor, other = self.auth.fresh(), self.auth.fresh()
        token = self.auth.token
        self.roles = {
            "nobody": {},
            "a visitor without a token": {"cookie": visitor},
            "a visitor with another's token": {"cookie": visitor, "token": token(other)},
            "a visitor with the owner's token": {"cookie": visitor, "token": token(owner)},
            "a token without a visitor": {"token": token("")},
            "a visitor": {"cookie": visitor, "token": token(visitor)},
            "the owner without a token": {"cookie": owner},
            "the owner with another's token": {"cookie": owner, "token": token(visitor)},
            "the owner": {"cookie": owner, "token": token(owner)},
        }

    def _recorder(self, address: Address) -> Callable[..., Any]:
        async def record(_house: House, _request: Any) -> Response:
            self.calls.append((address.method, address.path))
            return Response(b"done")

        return record

    def status(self, method: str, path: str, role: str) -> int:
        """Send a request and return the answer's status."""
        given, sent = self.roles[role], []
        headers = [(b"host", b"127.0.0.1:8707")]
        if "cookie" in given:
            headers.append((b"cookie", f"peephole-8707={given['cookie']}".encode()))
        if "token" in given:
            headers.append((b"x-peephole-token", given["token"].encode()))
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode()}
        scope |= {
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": headers,
            "server": ("127.0.0.1", 8707),
            "client": ("127.0.0.1", 5),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        return int(sent[0]["status"])

    def wrong(self) -> Iterator[str]:
        """Walk all of it and yield what was given or refused against the list."""
        for address in ADDRESSES:
            for method in METHODS:
                for role in self.roles:
                    before = len(self.calls)
                    status = self.status(method, address.path, role)
                    given = self.calls[before:]
                    read = "GET" if method == "HEAD" else method
                    theirs = (
                        role == "the owner"
                        or (read == "GET" and role.startswith("the owner"))
                        or (listed(read, address.path) and (read == "GET" or role == "a visitor"))
                    )
                    wanted = [(read, address.path)] if theirs and any((each.method, each.path) == (read, address.path) for each in ADDRESSES) else []
                    if given != wanted or (not wanted and status < 400):
                        yield f"{method} {address.path} by {role}: {status}, {len(given)} answers, {len(wanted)} wanted"


@pytest.fixture
def house(tmp_path):
    """A house on an empty folder."""
    return House.open(tmp_path)


def test_all_that_is_not_listed_is_refused(house):
    """Every address, 12 methods, 9 roles: nothing is answered that is not listed, and what is listed is answered."""
    walk = Walk(house)
    assert len(ADDRESSES) * len(METHODS) * len(walk.roles) > 2000
    assert [*walk.wrong()] == []


def skip(name: str, wanted: int) -> Callable[[Guard], None]:
    """Return a planted bug: refusals of that status are forgotten."""

    def plant(guard: Guard) -> None:
        right = getattr(guard, name)

        def forgetful(*given: Any) -> Any:
            found = right(*given)
            return None if found and found[0] == wanted else found

        setattr(guard, name, forgetful)

    return plant


BUGS: dict[str, dict[str, Any]] = {
    "who is not asked": {"guard": skip("_not_theirs", 401)},
    "tokens are not asked": {"guard": skip("_not_theirs", 403)},
    "the owner's address is marked for anyone": {
        "marks": lambda each: dataclasses.replace(each, who="anyone") if each.path == "/api/logout" else each
    },
    "anyone's address is marked for the owner": {"marks": lambda each: dataclasses.replace(each, who="owner") if each.path == "/api/hello" else each},
    "a change can be read": {"marks": lambda each: dataclasses.replace(each, method="GET") if each.path == "/api/login" else each},
    "any token will do": {"guard": lambda guard: setattr(guard._auth, "fits", lambda _visitor, token: bool(token))},
    "an empty visitor has a token": {"guard": lambda guard: setattr(guard._auth, "fits", lambda visitor, token: token == guard._auth.token(visitor))},
    "every visitor is the owner": {"guard": lambda guard: setattr(guard._auth, "is_owner", bool)},
}


@pytest.mark.parametrize("bug", BUGS)
def test_the_walk_finds_planted_bugs(house, bug):
    """Each of these variants is broken on purpose, and the walk must say so."""
    assert next(Walk(house, **BUGS[bug]).wrong(), None)


async def nothing(_house: House, _request: Any) -> Response:
    return Response(b"")


UNMARKED = {
    "no mark": Address("GET", "/api/new", "", nothing),  # type: ignore[arg-type]
    "an unknown mark": Address("GET", "/api/new", "everyone", nothing),  # type: ignore[arg-type]
    "None": Address("GET", "/api/new", None, nothing),  # type: ignore[arg-type]
    "another method": Address("PUT", "/api/new", "owner", nothing),  # type: ignore[arg-type]
    "a negative cap": Address("POST", "/api/new", "owner", nothing, -1),
    "there twice": ADDRESSES[0],
}


@pytest.mark.parametrize("kind", UNMARKED)
def test_a_server_with_an_unmarked_address_does_not_start(house, kind):
    """Whoever adds an address says who may call it, or nothing runs."""
    with pytest.raises(SettingsError):
        build(house, Auth(house.state), SERVED, [*ADDRESSES, UNMARKED[kind]])


def test_an_address_needs_a_mark_to_exist():
    """The mark has no default: leaving it out is an error where it is written."""
    with pytest.raises(TypeError):
        Address("GET", "/api/new", answer=nothing)  # type: ignore[call-arg]
