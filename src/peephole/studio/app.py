"""The page's application: a table of addresses behind a guard; a server that listens on this computer alone unless told otherwise.

Every address is in one table, each says who may call it, and the server does not start when one does not.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from peephole.base.errors import InputError, MissingInput, OutputError, PeepholeError
from peephole.studio import doors, files, front, gathering, inside, lab, labfiles, learning, mapping, mistakes, reporting, seeing, tools
from peephole.studio.answers import failure
from peephole.studio.auth import Auth
from peephole.studio.guard import Guard
from peephole.studio.house import House
from peephole.studio.routes import Address, require_marked
from peephole.studio.turns import Busy

__all__ = ["ADDRESSES", "Served", "Server", "build", "prepared", "serve"]

ADDRESSES: tuple[Address, ...] = (
    *files.ADDRESSES,
    *front.ADDRESSES,
    *seeing.ADDRESSES,
    *inside.ADDRESSES,
    *gathering.ADDRESSES,
    *tools.ADDRESSES,
    *mapping.ADDRESSES,
    *mistakes.ADDRESSES,
    *reporting.ADDRESSES,
    *doors.ADDRESSES,
    *learning.ADDRESSES,
    *lab.ADDRESSES,
    *labfiles.ADDRESSES,
)


@dataclass(frozen=True)
class Served:
    """Where the page is: `host` and `port` that the server listens on, `names` that the address bar may show instead."""

    host: str = "127.0.0.1"
    port: int = 8707
    names: tuple[str, ...] = ()

    @property
    def hosts(self) -> frozenset[str]:
        """The Host headers that are answered."""
        here = {_bracketed(name).lower() for name in (self.host, *self.names)} | ({"localhost", "127.0.0.1", "[::1]"} if self.loopback else set())
        # Browsers leave the port of http out.
        return frozenset({f"{name}:{self.port}" for name in here} | (here if self.port == 80 else set()))

    @property
    def address(self) -> str:
        """What stands in the address bar of this computer: name and port."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this computer can reach the server."""
        return self.host == "localhost" or (_is_address(self.host) and ipaddress.ip_address(self.host.strip("[]")).is_loopback)


def _bracketed(host: str) -> str:
    """Return a host as addresses write it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _endpoint(house: House, address: Address) -> Callable[[Request], Awaitable[Response]]:
    """Return what Starlette calls: errors of ours become one sentence and a hint."""

    async def call(request: Request) -> Response:
        try:
            response: Response = await address.answer(house, request)
        except Busy:
            return failure("busy", status=503)
        except PeepholeError as error:
            return failure(error.what, error.hint or "", 404 if isinstance(error, MissingInput) else 400)
        except FileNotFoundError:  # taken away between looking and reading
            return failure("this is no longer there", "reload the page", 404)
        except OSError as error:
            return failure(
                f"a file cannot be read or written: {error.strerror or error}", "look at the disk's room and the folder's permissions", 500
            )
        return response

    return call


def build(house: House, auth: Auth, served: Served, addresses: Sequence[Address] = ADDRESSES) -> ASGIApp:
    """Return the whole application; raises SettingsError when an address does not say who may call it."""
    require_marked(addresses)
    house.auth = auth
    routes = [Route(each.path, _endpoint(house, each), methods=[each.method]) for each in addresses]
    return Guard(Starlette(routes=routes), auth, served.hosts, {(each.method, each.path): each for each in addresses})


class Server(uvicorn.Server):
    """A server that ends its streams of events when it ends: by themselves they would go on as long as their trainings, which go on without it."""

    def __init__(self, config: uvicorn.Config, house: House) -> None:
        super().__init__(config)
        self.house = house

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the streams go, then the connections."""
        self.house.jobs.close()
        await super().shutdown(sockets)


def prepared(folder: Path, served: Served, *, unlock: bool = False, addresses: Sequence[Address] = ADDRESSES) -> tuple[Server, socket.socket, Auth]:
    """Return the server of a working folder, the socket that it will listen on, and who holds the code. Raises InputError and OutputError."""
    if not served.loopback and not served.names and not _is_address(served.host):
        raise InputError(f"{served.host} is no address of this computer", "leave --host out: the page is then for this computer alone")
    house = House.open(folder)
    auth = Auth(house.state, unlock=unlock)
    config = uvicorn.Config(
        build(house, auth, served, addresses),
        host=served.host.strip("[]"),
        port=served.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Nobody stands before this server who could say who asks.
        proxy_headers=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=3,
    )
    try:
        listening = config.bind_socket()
    except SystemExit as error:
        raise OutputError(
            f"port {served.port} of {served.host} cannot be used; is the page open already?", f"peephole studio --port {served.port + 1}"
        ) from error
    return Server(config, house), listening, auth


def serve(folder: Path, served: Served, *, unlock: bool = False, told: Callable[[str], None] = print) -> None:
    """Serve the page of a working folder until Ctrl-C; `told` hears the address with its code. Raises InputError and OutputError."""
    server, listening, auth = prepared(folder, served, unlock=unlock)
    told(f"http://{served.address}/#code={auth.code}")
    try:
        server.run([listening])
    finally:
        server.house.jobs.close()
