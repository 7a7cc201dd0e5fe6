"""The Data tab: a person's own examples, drawn, filmed or chosen; put into folders as training reads them, checked, and taken out again.

Nothing is deleted: what is taken out lies in the page's own folder, under the name of its set.
"""

import hashlib
import io
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from peephole.base.errors import InputError, OutputError
from peephole.base.files import write_atomic
from peephole.data.hygiene import check
from peephole.data.layout import label_of, name_fault, walk
from peephole.data.photos import open_photo
from peephole.explain.neighbours import small
from peephole.studio.answers import answer
from peephole.studio.front import body
from peephole.studio.house import House
from peephole.studio.routes import Address
from peephole.studio.seeing import MOST_PICTURE, picture_of
from peephole.studio.workshop import PHOTOS, is_name

__all__ = ["ADDRESSES", "set_of", "state_of"]

MOST_SHOWN = 600  # photos of a set that are listed
LONGEST = 1024  # pixels: what is larger is kept smaller, as no network here sees more
NAME = re.compile(r"[^/\\:*?\"<>|\x00-\x1f.][^/\\:*?\"<>|\x00-\x1f]{0,59}")


def _name(text: object, what: str) -> str:
    """Return a name that is one folder on every system; raises InputError."""
    name = label_of(text.strip()) if isinstance(text, str) else ""
    if not NAME.fullmatch(name) or name_fault(name) or name.endswith("."):
        raise InputError(f"that is no name for a {what}", "use letters, digits and spaces, at most 60, and begin with no dot")
    return name


def set_of(house: House, name: str) -> Path:
    """Return a set's folder; raises InputError."""
    folder = house.workshop.place(name)
    if not folder.is_dir() or folder == house.workshop.folder:
        raise InputError(f"there is no folder {name}", "make one, or choose one from the list")
    return folder


def state_of(folder: Path) -> tuple[str, int]:
    """Return what a folder is now, a digest of its files' names, sizes and times, and how many these are."""
    told, count = hashlib.sha256(os.fsencode(folder)), 0
    for count, entry in enumerate(walk(folder, []), 1):  # noqa: B007  # the last one is the number
        try:
            when = Path(entry.path).stat().st_mtime_ns
        except OSError:
            when = 0
        told.update(os.fsencode(entry.path) + f" {entry.bytes} {when}\n".encode())
    return told.hexdigest(), count


def _photo(folder: Path, name: str) -> Path:
    """Return a photo of a set; raises InputError for one that is not in it."""
    path = (folder / name).resolve() if name and is_name(name) else folder
    if not path.is_relative_to(folder.resolve()) or path.suffix.lower() not in PHOTOS or not path.is_file():
        raise InputError("there is no such photo in this set", "reload the page")
    return path


def _list(folder: Path) -> list[dict[str, Any]]:
    """Return the labels of a set with their photos, by name."""
    found, left = [], MOST_SHOWN
    for label in sorted(each for each in folder.iterdir() if each.is_dir() and not each.is_symlink() and not each.name.startswith(".")):
        photos = sorted(each for each in label.rglob("*") if each.suffix.lower() in PHOTOS and each.is_file() and not each.is_symlink())
        shown = photos[: max(0, left)]
        left -= len(shown)
        found.append({"label": label.name, "count": len(photos), "photos": [each.relative_to(folder).as_posix() for each in shown]})
    return found


async def _show(house: House, request: Request) -> Response:
    """Name the labels and photos of a set."""
    folder = set_of(house, request.query_params.get("set", ""))
    return answer({"labels": await run_in_threadpool(_list, folder)})


async def _make(house: House, request: Request) -> Response:
    """Make a set, or a label in one."""
    asked = await body(request)
    name = _name(asked.get("set"), "set") if "label" not in asked else ""
    place = house.workshop.folder / name if name else set_of(house, str(asked.get("set", ""))) / _name(asked.get("label"), "label")
    try:
        place.mkdir()
    except FileExistsError:
        raise InputError(f"{place.name} is there already", "choose another name") from None
    except OSError as error:
        raise OutputError(f"{place.name} cannot be made: {error.strerror}", "make room, or choose another folder: peephole studio FOLDER") from error
    return answer({"made": place.relative_to(house.workshop.folder).as_posix()})


async def _add(house: House, request: Request) -> Response:
    """Keep a picture as an example of a label, as PNG (JPEG where it is a photo), under a name that is not taken."""
    folder = set_of(house, request.query_params.get("set", ""))
    label = folder / _name(request.query_params.get("label"), "label")
    if not label.is_dir():
        raise InputError(f"there is no label {label.name} in this set", "make it first")
    if label.name == "unknown" and request.query_params.get("stranger"):
        # Each stranger has a folder: what is counted is strangers, not pictures of them.
        label = label / _name(request.query_params["stranger"], "stranger")
        label.mkdir(exist_ok=True)
    data = await request.body()

    def keep() -> str:
        picture = picture_of(request, data)
        image = small(Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture, LONGEST)
        drawn = isinstance(picture, np.ndarray)
        held = io.BytesIO()
        image.save(held, "PNG" if drawn else "JPEG", quality=92)
        stem = f"{'drawn' if drawn else 'photo'}-{time.strftime('%Y%m%d-%H%M%S')}"
        path = next(each for number in range(10_000) if _claimed(each := label / f"{stem}-{number:02}.{'png' if drawn else 'jpg'}"))
        try:
            write_atomic(path, held.getvalue())
        except OutputError:
            path.unlink(missing_ok=True)
            raise
        return path.relative_to(folder).as_posix()

    return answer({"photo": await run_in_threadpool(keep)})


def _claimed(path: Path) -> bool:
    """Take a name that nobody has, so that no other picture of the same second gets it; False where somebody has it."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


async def _remove(house: House, request: Request) -> Response:
    """Take a photo out of a set: it is moved, not deleted."""
    asked = await body(request)
    folder = set_of(house, str(asked.get("set", "")))
    path = _photo(folder, str(asked.get("photo", "")))
    aside = house.state / "taken-out" / folder.name / f"{time.time_ns()}-{path.name}"
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        path.rename(aside)
    except OSError as error:
        raise OutputError(f"{path.name} cannot be moved: {error.strerror}", "look at the folder's permissions") from error
    return answer({"kept": aside.relative_to(house.workshop.folder).as_posix()})


async def _thumbnail(house: House, request: Request) -> Response:
    """Send a photo at most 160 pixels long."""
    path = _photo(set_of(house, request.query_params.get("set", "")), request.query_params.get("photo", ""))

    def draw() -> bytes:
        held = io.BytesIO()
        small(open_photo(path), 160).convert("RGB").save(held, "PNG")
        return held.getvalue()

    return Response(await run_in_threadpool(draw), media_type="image/png", headers={"cache-control": "private, max-age=600"})


async def _whole(house: House, request: Request) -> Response:
    """Send a photo upright and without what the camera wrote into it, at most LONGEST pixels long; where it is not larger, no pixel changes."""
    path = _photo(set_of(house, request.query_params.get("set", "")), request.query_params.get("photo", ""))

    def draw() -> bytes:
        held, image = io.BytesIO(), open_photo(path)
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
        image.save(held, "PNG")
        return held.getvalue()

    return Response(await run_in_threadpool(draw), media_type="image/png")


async def _check(house: House, request: Request) -> Response:
    """Check a set as `peephole check` does: copies, conflicts, leaks, what was refused and why, what it can prove."""
    folder = set_of(house, request.query_params.get("set", ""))
    found = await run_in_threadpool(check, folder)
    return answer({"ok": found.ok, "report": found, "verdict": found.verdict})


ADDRESSES = (
    Address("GET", "/api/data", "owner", _show, 0),
    Address("POST", "/api/data/make", "owner", _make, 4_000),
    Address("POST", "/api/data/add", "owner", _add, MOST_PICTURE),
    Address("POST", "/api/data/remove", "owner", _remove, 4_000),
    Address("GET", "/api/data/photo", "owner", _thumbnail, 0),
    Address("GET", "/api/data/whole", "owner", _whole, 0),
    Address("GET", "/api/data/check", "owner", _check, 0),
)
