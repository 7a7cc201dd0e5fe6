"""Coming in: who the visitor is, the code, and what lies in the working folder."""

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from peephole.base.errors import InputError
from peephole.studio.answers import answer, failure
from peephole.studio.auth import Refusal
from peephole.studio.guard import cookie_of, visitor_of
from peephole.studio.house import House
from peephole.studio.routes import Address
from peephole.studio.workshop import SHIPPED

__all__ = ["ADDRESSES", "body"]

MONTH = 30 * 86400


async def body(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent; raises InputError for anything else."""
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise InputError("what was sent is no JSON", "reload the page") from None
    if not isinstance(found, dict):
        raise InputError("what was sent is no JSON object", "reload the page")
    return found


async def _hello(house: House, request: Request) -> Response:
    """Say who the visitor is, the token for changes, and which models there are: the shipped ones, and the owner's own."""
    return answer(await run_in_threadpool(_here, house, request))


def _here(house: House, request: Request) -> dict[str, Any]:
    """Look into the folder, which may take a moment."""
    visitor = visitor_of(request.headers)
    owner = house.owns(request)
    shop = house.workshop
    found: dict[str, Any] = {
        "owner": owner,
        "token": house.auth.token(visitor) if visitor else "",
        "models": [{"id": SHIPPED + name, "bytes": path.stat().st_size} for name, path in sorted(shop.shipped.items())],
        "folder": "",
        "photos": [],
        "gates": [],
    }
    if owner:
        found["folder"] = shop.folder.name
        found["models"] += [{"id": each.id, "bytes": each.bytes} for each in shop.models()]
        found["photos"] = [{"id": each.id, "photos": each.bytes} for each in shop.photo_folders()]
        found["gates"] = [each.id for each in shop.gates()]
    return found


async def _login(house: House, request: Request) -> Response:
    """Exchange the code for an owner's cookie."""
    code = (await body(request)).get("code")
    given = house.auth.let_in(code) if isinstance(code, str) and len(code) <= 100 else Refusal("login.wrong")
    if isinstance(given, Refusal):
        return answer({"error": given.key, "seconds": given.seconds}, 403)
    response = answer({"owner": True, "token": house.auth.token(given)})
    response.set_cookie(cookie_of(request.headers), given, max_age=MONTH, httponly=True, samesite="strict", path="/")
    return response


async def _logout(house: House, request: Request) -> Response:
    """Forget the visitor's session."""
    visitor = visitor_of(request.headers)
    if not visitor:
        return failure("nobody was logged in")
    house.auth.let_out(visitor)
    response = answer({"owner": False})
    response.headers["clear-site-data"] = '"cache"'  # small pictures of photos may lie there
    response.set_cookie(cookie_of(request.headers), house.auth.fresh(), max_age=MONTH, httponly=True, samesite="strict", path="/")
    return response


ADDRESSES = (
    Address("GET", "/api/hello", "anyone", _hello, 0),
    Address("POST", "/api/login", "anyone", _login, 1_000),
    Address("POST", "/api/logout", "owner", _logout, 1_000),
)
