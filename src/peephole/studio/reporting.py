"""The Report tab: one self-contained page of an answer, the same that `peephole explain` writes, and one of a whole set."""

import secrets
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from peephole.base.errors import MissingInput
from peephole.decide.predictor import Predictor
from peephole.explain.report import explain, render, to_json
from peephole.studio.answers import answer
from peephole.studio.front import body
from peephole.studio.gathering import set_of
from peephole.studio.house import House
from peephole.studio.routes import Address
from peephole.studio.seeing import MOST_PICTURE, picture_of
from peephole.studio.tools import said

__all__ = ["ADDRESSES"]

# A report is a page of its own: its script and style stand in it, named by their hashes in its own policy; here it has no origin.
ALONE = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def _keep(house: House, page: str, numbers: str, *, open_to_all: bool) -> str:
    """Keep a report and return its id; visitors' reports push out none of the owner's."""
    name = secrets.token_hex(12)
    house.reports.put(name, (page, numbers, open_to_all), group=open_to_all)
    return name


async def _make(house: House, request: Request) -> Response:
    """Write the report of the picture that was sent."""
    raw = await request.body()

    def work() -> dict[str, Any]:
        model = house.model(request, request.query_params.get("model", ""))
        predictor = Predictor(model.ours())
        picture = picture_of(request, raw)
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "picture.png"
            if isinstance(picture, np.ndarray):
                Image.fromarray(picture).save(path)
            else:
                path.write_bytes(raw)
            found = explain(predictor, path)
        numbers = to_json(found)
        return {"id": _keep(house, render(found), numbers, open_to_all=not house.owns(request)), "reason": found.prediction.reason}

    return await house.compute(request, lambda: answer(work()), long=True)


async def _whole(house: House, request: Request) -> Response:
    """Write the report of a model on a whole set: confusion, bounds, calibration, worst mistakes."""
    asked = await body(request)
    model, folder = house.workshop.model(str(asked.get("model", ""))), set_of(house, str(asked.get("set", "")))
    with tempfile.TemporaryDirectory() as place:
        page = Path(place) / "report.html"
        told, _ = await said("evaluate", str(model), str(folder), "--report", str(page), "--json")
        return answer({"id": _keep(house, page.read_text("utf-8"), told, open_to_all=False)})


def _find(house: House, request: Request) -> tuple[str, str]:
    page, numbers, open_to_all = house.reports.get(request.query_params.get("id", "")) or ("", "", False)
    if not page or not (open_to_all or house.owns(request)):
        raise MissingInput("this report is no longer in memory", "make it again")
    return page, numbers


async def _page(house: House, request: Request) -> Response:
    """Send a report as a page, to look at or, with ?save=1, to keep."""
    headers = {"content-security-policy": ALONE}
    if request.query_params.get("save"):
        headers["content-disposition"] = 'attachment; filename="report.html"'
    return Response(_find(house, request)[0], media_type="text/html", headers=headers)


async def _numbers(house: House, request: Request) -> Response:
    """Send a report's numbers, to keep."""
    return Response(_find(house, request)[1], media_type="application/json", headers={"content-disposition": 'attachment; filename="report.json"'})


ADDRESSES = (
    Address("POST", "/api/report", "anyone", _make, MOST_PICTURE),
    Address("POST", "/api/report/set", "owner", _whole, 4_000),
    Address("GET", "/api/report/page", "anyone", _page, 0),
    Address("GET", "/api/report/json", "anyone", _numbers, 0),
)
