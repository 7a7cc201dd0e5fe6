"""The Train tab: trainings are started, followed as they go, stopped; each is a process of its own, which outlives this server."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from typing import Any

import numpy as np
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from peephole.base.errors import OutputError
from peephole.lab.hand import STRANGERS, draw
from peephole.studio.answers import answer, last_heard
from peephole.studio.front import body
from peephole.studio.house import House
from peephole.studio.jobs import Job
from peephole.studio.routes import Address
from peephole.studio.training import TrainJob

__all__ = ["ADDRESSES", "DRAWINGS"]

DRAWINGS = "x-or-o-drawings"
EACH, OF_STRANGERS, SIDE = 30, 1, 28  # drawings of a label, of each stranger, and their pixels
RETRY = 1000  # milliseconds after which a browser that lost the stream asks again


def _plain(job: Job) -> dict[str, Any]:
    """Return a job as the page shows it."""
    return asdict(job) | {"ended": job.ended}


async def _list(house: House, _request: Request) -> Response:
    """Name the trainings, the newest first."""
    return answer({"jobs": [_plain(job) for job in await run_in_threadpool(house.jobs.list)]})


async def _start(house: House, request: Request) -> Response:
    """Put a training in the queue."""
    train = TrainJob.of(await body(request))
    return answer(_plain(await run_in_threadpool(house.jobs.start, train)))


async def _job(house: House, request: Request) -> Response:
    """Say how a training is, and the end of what it said on its terminal."""
    name = request.query_params.get("job", "")
    job = await run_in_threadpool(house.jobs.get, name)
    return answer(_plain(job) | {"output": await run_in_threadpool(house.jobs.output, name)})


async def _stop(house: House, request: Request) -> Response:
    """Ask a training to end, or take it off the queue."""
    name = (await body(request)).get("job")
    return answer(_plain(await run_in_threadpool(house.jobs.stop, str(name))))


async def _events(house: House, request: Request) -> Response:
    """Send what a training writes, as it comes: from the line after Last-Event-ID or ?after= on: a browser that was cut off misses nothing."""
    name = request.query_params.get("job", "")
    await run_in_threadpool(house.jobs.get, name)
    after = last_heard(request) or 0

    async def told() -> AsyncIterator[str]:
        yield f"retry: {RETRY}\n\n"
        looked = time.monotonic()
        async for number, line in house.jobs.events(name, after):
            if time.monotonic() - looked > 1:
                looked = time.monotonic()
                if not house.owns(request):  # who has left in another window hears no more here
                    return
            yield f"id: {number}\ndata: {line}\n\n"
        job = await run_in_threadpool(house.jobs.get, name)
        if job.ended:  # else the server ends, and the browser will ask the next one
            yield f"event: end\ndata: {json.dumps(_plain(job))}\n\n"

    return StreamingResponse(told(), media_type="text/event-stream")


async def _drawings(house: House, _request: Request) -> Response:
    """Write drawings of X, O and strangers that a program made into the working folder, unless they are there."""
    place = house.workshop.folder / DRAWINGS
    if not place.is_dir():
        await run_in_threadpool(_draw, place, house.state / f"{DRAWINGS}-{token_hex(4)}")
    return answer({"made": DRAWINGS})


def _draw(place: Path, draft: Path) -> None:
    """Draw beside, then give the folder its name: half a set is never seen."""
    kinds = [("X", "X", EACH), ("O", "O", EACH), *((kind, f"unknown/{kind}", OF_STRANGERS) for kind in STRANGERS)]
    try:
        for kind, folder, count in kinds:
            (draft / folder).mkdir(parents=True)
            for seed in range(count):
                paper = np.round(255 * (1 - draw(kind, seed, SIDE))).astype(np.uint8)
                Image.fromarray(paper).save(draft / folder / f"{seed:02}.png")
        draft.rename(place)
    except OSError as error:
        rmtree(draft, ignore_errors=True)
        if place.is_dir():  # another tab was quicker
            return
        raise OutputError(f"{place.name} cannot be written: {error.strerror or error}", "make room, or choose another folder") from error


ADDRESSES = (
    Address("GET", "/api/jobs", "owner", _list, 0),
    Address("GET", "/api/job", "owner", _job, 0),
    Address("GET", "/api/job/events", "owner", _events, 0),
    Address("POST", "/api/job/stop", "owner", _stop, 1_000),
    Address("POST", "/api/train", "owner", _start, 8_000),
    Address("POST", "/api/train/drawings", "owner", _drawings, 1_000),
)
