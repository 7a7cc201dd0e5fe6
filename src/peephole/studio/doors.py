"""The Gate tab: what a door did and why, as it does it; its pictures, layer by layer elsewhere; and what may be asked of it.

The gate runs in a process of its own and goes on when this page is closed. Its journal is only read here; whatever changes something goes through
the command line as a child, with all its checks.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from peephole.base.errors import InputError, MissingInput, PeepholeError
from peephole.base.records import Decision
from peephole.gateway.door import Door, journal_of, load_door, pictures_of
from peephole.gateway.journal import Journal
from peephole.gateway.listing import Wanted, pictures_of_visit, select, what
from peephole.gateway.rows import Entry
from peephole.studio.answers import answer, last_heard, plain
from peephole.studio.front import body
from peephole.studio.gathering import set_of
from peephole.studio.house import House
from peephole.studio.routes import Address
from peephole.studio.tools import said

__all__ = ["ADDRESSES"]

LAST = 200
EVERY = 0.5  # seconds between two looks at a journal
ASKED = ("check", "evidence", "people")
ORDERS = ("lock", "unlock", "status")


def _settings(house: House, name: str) -> Path:
    """Return the DOOR.toml of that id; raises InputError."""
    path = house.workshop.place(name)
    if path.suffix != ".toml" or not path.is_file():
        raise InputError(f"there is no gate {name}", "choose one from the list")
    return path


def _path(house: House, request: Request) -> Path:
    return _settings(house, request.query_params.get("gate", ""))


def _row(entry: Entry) -> dict[str, Any]:
    """Return a row as the page shows it."""
    record = entry.record
    told = {"number": entry.number, "kind": entry.kind, "wall": entry.wall, "trusted": entry.trusted, "what": what(record)}
    if isinstance(record, Decision):
        told |= {"visit": record.visit, "verdict": record.verdict, "label": record.label, "reason": record.reason, "rule": record.rule}
    elif visit := getattr(record, "visit", None):
        told["visit"] = visit if isinstance(visit, str) else visit.id
    return told


def _rows(path: Path, wanted: Wanted) -> list[dict[str, Any]]:
    with Journal.read(journal_of(path)) as book:
        return [_row(entry) for entry in select(book, wanted)]


async def _journal(house: House, request: Request) -> Response:
    """List the latest rows, or those of one visit."""
    path, visit = _path(house, request), request.query_params.get("visit") or None
    return answer(await run_in_threadpool(_rows, path, Wanted(kind=request.query_params.get("kind") or None, visit=visit, last=LAST)))


async def _about(house: House, request: Request) -> Response:
    """Say what a gate is: its model as the page knows it, whether there is a journal, what may be done from here."""
    path = _path(house, request)
    door: Door = await run_in_threadpool(load_door, path)
    model = door.model.resolve()
    inside = model.is_relative_to(house.workshop.folder) and model.is_file()
    return answer(
        {
            "name": door.settings.gate.name,
            "model": model.relative_to(house.workshop.folder).as_posix() if inside else "",
            "journal": door.journal.is_file(),
            "low_risk": door.settings.gate.low_risk,
            "remote": door.settings.remote is not None,
        }
    )


async def _pictures(house: House, request: Request) -> Response:
    """List the pictures kept of a visit; those that are gone or changed are named as such."""
    journal, visit = journal_of(_path(house, request)), request.query_params.get("visit", "")

    def work() -> list[dict[str, Any]]:
        with Journal.read(journal) as book:
            return [
                {
                    "digest": each.picture.digest,
                    "wall": each.picture.wall,
                    "label": each.picture.label,
                    "like": each.picture.like,
                    "state": each.state,
                }
                for each in pictures_of_visit(book, visit, pictures_of(journal))
            ]

    return answer(await run_in_threadpool(work))


async def _picture(house: House, request: Request) -> Response:
    """Send one kept picture as it was kept."""
    journal, wanted = journal_of(_path(house, request)), request.query_params

    def work() -> Response:
        with Journal.read(journal) as book:
            for each in pictures_of_visit(book, wanted.get("visit", ""), pictures_of(journal)):
                if each.picture.digest == wanted.get("digest") and each.state == "kept":
                    return Response(each.data, media_type="image/jpeg")
        raise MissingInput("this picture is gone", "pictures are kept as long as DOOR.toml says: [journal] pictures")

    return await run_in_threadpool(work)


async def _follow(house: House, request: Request) -> Response:
    """Send rows as they are written (server-sent events); a reconnect goes on after the last one that was heard."""
    journal = journal_of(_path(house, request))
    after = last_heard(request)

    def since(number: int | None) -> list[dict[str, Any]]:
        if not journal.is_file():
            return []
        with Journal.read(journal) as book:
            return [_row(each) for each in (book.entries(last=1) if number is None else book.after(number, LAST))]

    async def events() -> AsyncIterator[str]:
        nonlocal after
        yield "retry: 1000\n\n"
        while not await request.is_disconnected() and house.owns(request):  # who has left in another window hears no more here
            try:
                for row in await run_in_threadpool(since, after):
                    after = row["number"]
                    yield f"id: {after}\ndata: {json.dumps(plain(row), ensure_ascii=False)}\n\n"
            except PeepholeError as error:
                yield f"data: {json.dumps({'error': error.what}, ensure_ascii=False)}\n\n"
            await asyncio.sleep(EVERY)

    return StreamingResponse(events(), media_type="text/event-stream")


async def _ask(house: House, request: Request) -> Response:
    """Ask whether the gate may arm, what its evidence is worth, or who is known."""
    asked = request.query_params.get("what", "")
    if asked not in ASKED:
        raise InputError("there is no such question", "reload the page")
    told, _ = await said("gate", asked, str(_path(house, request)), "--json")
    return answer(json.loads(told))


async def _verify(house: House, request: Request) -> Response:
    """Verify the journal's chain."""
    told, _ = await said("gate", "journal", str(_path(house, request)), "--verify", "--json")
    return answer(json.loads(told))


async def _act(house: House, request: Request) -> Response:
    """Take somebody in, forget somebody, or send the gate an order."""
    asked = await body(request)
    path, act, name = str(_settings(house, str(asked.get("gate", "")))), asked.get("act"), str(asked.get("name", "")).strip()
    if act in ORDERS:
        told, beside = await said("gate", "send", path, str(act), "--why", "from the page")
        return answer({"told": (told or beside).strip()})
    if not name.isprintable() or not name or name.startswith("-") or len(name) > 100:
        raise InputError("that is no name of a person", "give the name as the gate is to know it")
    if act == "enrol":
        label = set_of(house, f"{asked.get('set', '')}/{asked.get('label', '')}")
        told, beside = await said("gate", "enrol", path, name, str(label), "--yes", "--confirmed-by", "the page", "--json")
    elif act == "forget":
        told, beside = await said("gate", "forget", path, name, "--yes", "--json")
    else:
        raise InputError("there is no such act", "reload the page")
    return answer({"told": json.loads(told) if told.strip() else beside})


ADDRESSES = (
    Address("GET", "/api/gate", "owner", _about, 0),
    Address("GET", "/api/gate/journal", "owner", _journal, 0),
    Address("GET", "/api/gate/pictures", "owner", _pictures, 0),
    Address("GET", "/api/gate/picture", "owner", _picture, 0),
    Address("GET", "/api/gate/follow", "owner", _follow, 0),
    Address("GET", "/api/gate/ask", "owner", _ask, 0),
    Address("GET", "/api/gate/verify", "owner", _verify, 0),
    Address("POST", "/api/gate/act", "owner", _act, 4_000),
)
