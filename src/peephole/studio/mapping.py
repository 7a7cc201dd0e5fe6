"""The Map tab: embeddings as points, how far to believe them, and where the picture at hand would lie among them."""

from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from peephole.base.errors import InputError
from peephole.base.extras import load as part
from peephole.decide.predictor import Predictor
from peephole.explain.openmodel import OpenModel
from peephole.explain.points import Points, known_points, photo_points
from peephole.studio.answers import answer
from peephole.studio.gathering import set_of, state_of
from peephole.studio.house import House
from peephole.studio.routes import Address
from peephole.studio.seeing import MOST_PICTURE, picture_of

__all__ = ["ADDRESSES"]


def _found(house: House, request: Request, model: OpenModel) -> tuple[Any, Points, Predictor]:
    """Return a projection, its points and the predictor; drawn once."""
    wanted = request.query_params
    # Asked before the maps that are kept: the owner may have drawn this one.
    if wanted.get("set") and not house.owns(request):
        raise InputError("only whoever gave the code may see photos", "give the code that stands in the terminal")
    folder = set_of(house, wanted["set"]) if wanted.get("set") else None
    key = (model.sha256, state_of(folder)[0] if folder else "", wanted.get("perplexity", ""), wanted.get("seed", "7"))
    predictor = Predictor(model.ours())
    # Visitors' maps, which are of no folder, push out none of the owner's.
    projection, points = house.maps.find(key, lambda: _drawn(request, predictor, folder), group=folder is None)
    return projection, points, predictor


def _drawn(request: Request, predictor: Predictor, folder: Path | None) -> tuple[Any, Points]:
    wanted = request.query_params
    seed = int(_number(wanted.get("seed", "7"), 0, 2**31))
    perplexity = _number(wanted["perplexity"], 2, 200) if wanted.get("perplexity") else None
    points = photo_points(predictor, folder, seed=seed) if folder else known_points(predictor)
    return part("explain.embedding:project")(points.vectors, points.names, points.labels, perplexity=perplexity, seed=seed), points


def _number(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise InputError(f"a number from {least:g} to {most:g} is asked for", "reload the page")
    return value


async def _map(house: House, request: Request) -> Response:
    """Draw the map of a model's known examples, or of a set's photos."""
    language = request.query_params.get("language", "en")

    def work() -> dict[str, Any]:
        model = house.model(request, request.query_params.get("model", ""))
        projection, points, _ = _found(house, request, model)
        found = projection.map
        return {
            "map": found,
            "views": found.views,
            "reasons": [reason.said("ko" if language == "ko" else "en") for reason in found.reasons],
            "notes": points.notes,
            "beyond": [each.beyond_chance for each in found.clusters],
            "photos": bool(points.paths),
        }

    return await house.compute(request, lambda: answer(work()), long=True)


async def _place(house: House, request: Request) -> Response:
    """Lay the picture that was sent into a map that is there, without moving anything on it."""
    data = await request.body()

    def work() -> Any:
        model = house.model(request, request.query_params.get("model", ""))
        picture = picture_of(request, data)
        projection, points, predictor = _found(house, request, model)
        outputs = predictor.engine.run(predictor.prepare(picture))
        vectors = outputs.embedding
        if points.centred:
            centre = part("decide.known:compared")(predictor.model).centre
            vectors = (vectors - centre) / np.maximum(np.linalg.norm(vectors - centre, axis=1, keepdims=True), 1e-12)
        return projection.place(vectors, ["picture"])

    return await house.compute(request, lambda: answer(work()), long=True)


ADDRESSES = (
    Address("GET", "/api/map", "anyone", _map, 0),
    Address("POST", "/api/map/place", "anyone", _place, MOST_PICTURE),
)
