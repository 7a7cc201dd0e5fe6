"""The page's own files, read from the package: HTML, style, scripts, words; each an address of its own."""

import gzip
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from peephole.studio.guard import cookie_of, visitor_of
from peephole.studio.house import House
from peephole.studio.routes import Address

__all__ = ["ADDRESSES", "PAGE"]

PAGE = files("peephole.studio").joinpath("page")
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml"}


def _all(folder: Traversable, below: str = "") -> Iterator[tuple[str, Traversable]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            yield from _all(each, f"{below}{each.name}/")
        elif any(each.name.endswith(ending) for ending in KINDS):
            yield below + each.name, each


def _address(name: str, file: Traversable) -> Address:
    kind = KINDS["." + name.rpartition(".")[2]]

    async def give(_house: House, request: Request) -> Response:
        held = file.read_bytes()
        headers = {"cache-control": "no-cache", "vary": "accept-encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            held, headers["content-encoding"] = _small(held), "gzip"
        return Response(held, media_type=kind, headers=headers)

    return Address("GET", f"/page/{name}", "anyone", give, 0)


@cache
def _small(held: bytes) -> bytes:
    """Return a file as it travels: nothing of it is secret, so compressing tells nobody anything."""
    return gzip.compress(held, mtime=0)


async def _index(house: House, request: Request) -> Response:
    """The page itself; a new visitor gets an id, which is nothing by itself."""
    response = Response(PAGE.joinpath("index.html").read_bytes(), media_type="text/html")
    if not visitor_of(request.headers):
        response.set_cookie(cookie_of(request.headers), house.auth.fresh(), max_age=30 * 86400, httponly=True, samesite="strict", path="/")
    return response


async def _icon(_house: House, _request: Request) -> Response:
    return Response(PAGE.joinpath("icon.svg").read_bytes(), media_type="image/svg+xml")


ADDRESSES = (
    Address("GET", "/", "anyone", _index, 0),
    Address("GET", "/favicon.ico", "anyone", _icon, 0),
    *(_address(name, file) for name, file in _all(PAGE)),
)
