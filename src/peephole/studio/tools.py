"""What only training knows of a set: doubtful labels, what more photos would bring, what augmentation makes of them.

The page never imports what trains: a child runs `peephole doubt`, `budget` or `augment`, one at a time, and its answer is passed on.
"""

import asyncio
import json
import shlex
import sys
import tempfile
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from peephole.base.errors import InputError, OutputError
from peephole.studio.answers import answer
from peephole.studio.front import body
from peephole.studio.gathering import set_of
from peephole.studio.house import House
from peephole.studio.routes import Address

__all__ = ["ADDRESSES", "said"]

PATIENCE = 300.0
SECONDS = {"doubt": "30", "budget": "5"}


async def said(*words: str) -> tuple[str, str]:
    """Run the command line and return what it printed and what it said beside; raises OutputError with its own sentence."""
    # -P: nothing that lies in the folder it starts in is imported.
    typed = shlex.join(("peephole", *words))
    called = (sys.executable, "-P", "-m", "peephole", *words)
    child = await asyncio.create_subprocess_exec(*called, stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=PIPE)
    try:
        told, beside = await asyncio.wait_for(child.communicate(), PATIENCE)
    except TimeoutError:
        raise OutputError(f"this took longer than {PATIENCE:.0f} s and was ended", f"run it by hand: {typed}") from None
    finally:
        if child.returncode is None:
            child.kill()
    if child.returncode not in (0, 3):
        lines = [line.partition(":")[2].strip() for line in beside.decode(errors="replace").splitlines() if line.startswith(("error:", "hint:"))]
        raise OutputError(lines[0] if lines else "the command failed", lines[1] if len(lines) > 1 else f"run it by hand: {typed}")
    return told.decode(), beside.decode(errors="replace")


async def _ask(house: House, request: Request) -> Response:
    """Ask which labels are doubtful, or what more photos would bring."""
    asked = await body(request)
    tool = asked.get("tool")
    if tool not in SECONDS:
        raise InputError("there is no such tool", "reload the page")
    folder = set_of(house, str(asked.get("set", "")))
    async with house.tools:
        told, _ = await said(tool, str(folder), "--seconds", SECONDS[tool], "--json")
    found: Any = json.loads(told)
    return answer(found)


async def _augment(house: House, request: Request) -> Response:
    """Send what training sees of a set: the very tensors, as a sheet (PNG)."""
    folder = set_of(house, request.query_params.get("set", ""))
    with tempfile.TemporaryDirectory() as place:
        sheet = Path(place) / "sheet.png"
        async with house.tools:
            await said("augment", str(folder), "-o", str(sheet))
        return Response(sheet.read_bytes(), media_type="image/png")


ADDRESSES = (
    Address("POST", "/api/data/ask", "owner", _ask, 4_000),
    Address("GET", "/api/data/augment", "owner", _augment, 0),
)
