"""What stands before every request: the right host, the right origin, a token for every change, a cap on what is sent, and strict headers.

A page of another site can send requests to 127.0.0.1, and a name of its own can point there (DNS rebinding); here none of them has an effect.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from peephole.studio.auth import Auth
from peephole.studio.routes import Address

__all__ = ["POLICY", "TOKEN", "Guard", "cookie_of", "visitor_of"]

COOKIE, TOKEN = "peephole", "x-peephole-token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    # Elements are never made from text: a browser that knows how refuses it.
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
# Seconds that the next piece of a body may take, and all of it: whoever sends slower holds a line open for nothing.
PATIENT, LONGEST = 30.0, 180.0
# Bytes of bodies in memory at a time, of all together who did not give the code: twenty pictures of 20 MB are more than a small computer has.
MOST_HELD = 100_000_000


class _NotHeard(Exception):
    """More was sent than the address takes, or nothing more came."""


class Guard:
    """An ASGI wrapper round the page's application; `hosts` are the Host headers that it answers to."""

    def __init__(self, app: ASGIApp, auth: Auth, hosts: frozenset[str], addresses: Mapping[tuple[str, str], Address]) -> None:
        self._app, self._auth, self._hosts, self._addresses = app, auth, hosts, addresses
        self._held = _Held()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no WebSocket is spoken here
        headers = Headers(scope=scope)
        address = self._addresses.get(("GET" if scope["method"] == "HEAD" else scope["method"], scope["path"]))
        refused = self._refusal(scope, headers, address)
        if refused:
            told = {"error": refused[1]} | ({"most": address.most} if address and refused[0] == 413 else {})
            await JSONResponse(told, refused[0], headers=HEADERS)(scope, receive, send)
            return
        most = address.most if address else 0
        shared = None if not most or self._auth.is_owner(visitor_of(headers)) else self._held
        line = _Line(most, shared, receive, send)
        try:
            await self._app(scope, line.hear, line.answer)
        except _NotHeard:
            if line.refused and not line.started:
                await JSONResponse(*line.refused, headers=HEADERS | {"connection": "close"})(scope, receive, send)
        finally:
            line.let_go()

    def _refusal(self, scope: Scope, headers: Headers, address: Address | None) -> tuple[int, str] | None:
        """Say with which status and sentence a request is refused; None when it may go on."""
        return self._from_elsewhere(scope, headers) or ((404, "nowhere") if address is None else self._not_theirs(headers, address))

    def _from_elsewhere(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Refuse what was sent to another name, or by a page of another site."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 421, "host"
        sites, navigates = headers.getlist("sec-fetch-site"), headers.get("sec-fetch-mode") == "navigate"
        led_here = navigates and scope["path"] == "/" and scope["method"] == "GET"
        foreign = any(origin.lower() != f"http://{hosts[0].lower()}" for origin in origins) or len(origins) > 1
        return (403, "origin") if foreign or (any(site not in ("same-origin", "none") for site in sites) and not led_here) else None

    def _not_theirs(self, headers: Headers, address: Address) -> tuple[int, str] | None:
        """Refuse what this visitor may not do, a change without its token, and what is too long."""
        visitor, said = visitor_of(headers), headers.get("content-length", "0")
        if address.who == "owner" and not self._auth.is_owner(visitor):
            return 401, "login"
        if address.method == "POST" and not self._auth.fits(visitor, headers.get(TOKEN, "")):
            return 403, "token"
        # More than 15 digits are no length of anything, and int() of 5,000 digits raises.
        return None if said.isascii() and said.isdecimal() and len(said) < 16 and int(said) <= address.most else (413, "too.much")


@dataclass
class _Held:
    """How many bytes of bodies are in memory."""

    bytes: int = 0


class _Line:
    """What is heard and said between a visitor and an address that takes at most `most` bytes, counted in `shared` with those of others."""

    def __init__(self, most: int, shared: _Held | None, receive: Receive, send: Send) -> None:
        self._most, self._shared, self._receive, self._send = most, shared or _Held(), receive, send
        self._taken, self._whole, self._end = 0, False, time.monotonic() + LONGEST
        self.started = False
        self.refused: tuple[dict[str, object], int] | None = None

    async def hear(self) -> Message:
        """Return the next piece of the body; raises _NotHeard."""
        try:
            async with asyncio.timeout(None if self._whole else min(PATIENT, self._end - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            self.refused = {"error": "too.slow"}, 408
            raise _NotHeard from None
        came = len(message.get("body", b""))
        self._taken += came
        self._shared.bytes += came
        self._whole = self._whole or not message.get("more_body", False)
        if self._taken > self._most:
            self.refused = {"error": "too.much", "most": self._most}, 413
            raise _NotHeard
        if self._shared.bytes > MOST_HELD:
            self.refused = {"error": "busy"}, 503
            raise _NotHeard
        return message

    def let_go(self) -> None:
        """Say that what was heard is in memory no more."""
        self._shared.bytes -= self._taken

    async def answer(self, message: Message) -> None:
        """Send a piece of the answer, with the strict headers; nothing once the visitor is refused (the application would say that it broke)."""
        if self.refused and not self.started:
            return
        if message["type"] == "http.response.start":
            self.started = True
            kept = MutableHeaders(raw=message["headers"])
            for name, value in HEADERS.items():
                kept.setdefault(name, value)
        await self._send(message)


def cookie_of(headers: Headers) -> str:
    """Return the cookie's name: cookies know no ports, and two pages on one computer are two."""
    return f"{COOKIE}-{headers.get('host', '').rpartition(':')[2]}"


def visitor_of(headers: Headers) -> str:
    """Return the visitor's id from the cookie, or nothing."""
    wanted = cookie_of(headers)
    for line in headers.getlist("cookie"):
        for part in line.split(";"):
            name, _, value = part.strip().partition("=")
            if name == wanted:
                return value
    return ""
