"""The lab's addresses: X or O in exact ninths, filters that learn, the ball dropped twice; computed by `peephole.lab`, capped in every size."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from peephole.base.errors import InputError
from peephole.lab import ball, drawn, hand, learn, parts, window, x_or_o
from peephole.studio.answers import answer
from peephole.studio.front import body
from peephole.studio.house import House
from peephole.studio.routes import Address

__all__ = ["ADDRESSES", "numbers", "whole"]

MOST_STEPS = 200
MOST_WAYS = 24  # places of one drop: 576 ways
DRAWN, SIDE = 20, 12  # drawings of each kind that the filters learn from, and their pixels
SHOWN = 4
MOST_GRID = 16


def _number(values: dict[str, Any], name: str, least: float, most: float, usual: float) -> float:
    """Return a number that was sent, `usual` where none was; raises InputError outside least..most."""
    found = values.get(name, usual)
    if isinstance(found, bool) or not isinstance(found, int | float) or not least <= found <= most:
        raise InputError(f"{name} must be a number from {least:g} to {most:g}", "change it on the page")
    return found


def whole(values: dict[str, Any], name: str, least: int, most: int, usual: int) -> int:
    """Return a whole number that was sent, `usual` where none was; raises InputError outside least..most."""
    found = _number(values, name, least, most, usual)
    if not isinstance(found, int):
        raise InputError(f"{name} must be a whole number from {least} to {most}", "change it on the page")
    return found


def numbers(given: Any, what: str, axes: int, most: int) -> np.ndarray:
    """Return lists in lists of finite numbers as float64 of `axes` axes, at most `most` of each; raises InputError for anything else."""
    try:
        found = np.array(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.zeros(0)
    if found.ndim != axes or not found.size or max(found.shape) > most or not np.isfinite(found).all():
        raise InputError(f"the {what} is not made of rows of numbers, at most {most} of each", "reload the page")
    return found


def _drawn(picture: np.ndarray, change: Any) -> np.ndarray:
    """Return the picture after one of the page's buttons; raises InputError for one that is none."""
    side = max(picture.shape)
    changes: dict[Any, Callable[[], np.ndarray]] = {
        None: lambda: picture,
        "x": lambda: drawn.cross(side),
        "o": lambda: drawn.ring(side),
        "clear": lambda: np.full_like(picture, drawn.BLACK),
        "up": lambda: drawn.shift(picture, -1, 0),
        "down": lambda: drawn.shift(picture, 1, 0),
        "left": lambda: drawn.shift(picture, 0, -1),
        "right": lambda: drawn.shift(picture, 0, 1),
        "rotate": lambda: drawn.rotate(picture, 15),
        "thicken": lambda: drawn.thicken(picture),
    }
    if change is not None and (not isinstance(change, str) or change not in changes):
        raise InputError("there is no such change of a picture", "reload the page")
    return changes[change]()


async def _x_or_o(house: House, request: Request) -> Response:
    """Work a picture through the filters, every number exact; and compare it, moved, with the X of its size, as a whole and by its parts."""
    given = await body(request)
    picture = numbers(given.get("picture"), "picture", 2, 32)
    filters = numbers(given.get("filters", x_or_o.FILTERS.tolist()), "set of filters", 3, 9)
    move = numbers(given.get("move", [0, 0]), "move", 1, 32)
    if picture.shape[0] != picture.shape[1] or len(move) != 2 or (move != np.rint(move)).any():
        raise InputError("a picture has as many rows as columns, and is moved by whole pixels", "reload the page")

    def work() -> Response:
        changed = _drawn(picture, given.get("change"))
        moved = drawn.shift(changed, int(move[0]), int(move[1]))
        nearest, with_x, with_o = parts.nearest_whole(moved)
        told = {
            "worked": x_or_o.work(changed, filters),
            "moved": moved,
            "moved_answer": x_or_o.work(moved, filters).answer,
            "whole": {"answer": nearest, "x": with_x, "o": with_o},
            "example": drawn.cross(len(changed)),
            "parts": parts.compare(drawn.cross(len(changed)), moved, filters),
        }
        return answer(told)

    return await house.compute(request, work)


def _short(values: np.ndarray) -> list[float | None]:
    """Filters as seven significant digits each; None for what has run away to no number."""
    return [float(f"{value:.7g}") if math.isfinite(value) else None for value in values.ravel()]


async def _learn(house: House, request: Request) -> Response:
    """Let filters learn from drawings, and tell every step: error, accuracy, the filters, one weight's update with its numbers."""
    given = await body(request)
    steps, rate = whole(given, "steps", 1, MOST_STEPS, 120), _number(given, "rate", 0.001, 100, 0.2)
    filters, seed = whole(given, "filters", 1, 8, 3), whole(given, "seed", 0, 10_000, 0)
    follow = tuple(whole({"follow": at}, "follow", 0, 8, 0) for at in numbers(given.get("follow", [0, 1, 1]), "weight", 1, 9).astype(int).tolist())
    if len(follow) != 3:
        raise InputError("a weight has a filter, a row and a column", "reload the page")

    def work() -> dict[str, Any]:
        drawings, others = hand.drawings(DRAWN, seed, SIDE), hand.drawings(DRAWN, seed + 20_000, SIDE)
        with np.errstate(all="ignore"):  # a rate that is too large overflows; that is what is shown
            done = list(learn.train(drawings, steps=steps, learning_rate=rate, filters=filters, seed=seed, follow=follow, held_out=others))
        shown = [kind * DRAWN + each for kind in (0, 1) for each in range(SHOWN)]
        told = [
            {"number": step.number, "error": step.error, "accuracy": step.accuracy, "held_out": step.held_out, "update": step.update}
            | {"filters": _short(step.net.filters)}
            for step in done
        ]
        begun = learn.begin(SIDE, filters=filters, seed=seed)
        return {
            "steps": told,
            "filters": _short(begun.filters),
            "error": learn.error(begun, drawings),
            "accuracy": learn.accuracy(begun, drawings),
            "drawings": drawings.pictures[shown],
            "count": 2 * DRAWN,
        }

    return await house.compute(request, lambda: answer(work()), long=True)


async def _scalar(_house: House, request: Request) -> Response:
    """Take one step of the smallest network there is, y = w x."""
    given = await body(request)
    w, x, target = (_number(given, name, -1000, 1000, usual) for name, usual in (("w", 0.2), ("x", 2.0), ("target", 1.0)))
    return answer(learn.scalar_step(w, x, target, _number(given, "rate", 0, 100, 0.1)))


def _chances(given: dict[str, Any], name: str) -> ball.Chances:
    """Read one drop: {start, weights}, the weights as words, divided by their sum."""
    found = given.get(name)
    weights = found.get("weights") if isinstance(found, dict) else None
    if (
        not isinstance(found, dict)
        or not isinstance(weights, list)
        or not 1 <= len(weights) <= MOST_WAYS
        or not all(isinstance(each, str) and len(each) <= 20 for each in weights)
    ):
        raise InputError(f"a drop has 1 to {MOST_WAYS} places, each with a number", "change it on the page")
    return ball.chances(weights, whole(found, "start", -100, 100, 0), normalise=True)


async def _ball(house: House, request: Request) -> Response:
    """Drop a ball twice: every place, every way to it and back, in fractions."""
    given = await body(request)
    return await house.compute(request, lambda: answer(ball.drop(_chances(given, "first"), _chances(given, "second"))))


async def _window(house: House, request: Request) -> Response:
    """Slide a window over a small grid, by stride, padding and dilation."""
    given = await body(request)
    grid = numbers(given.get("grid"), "grid", 2, MOST_GRID)
    kernel, stride, dilation = (whole(given, name, 1, MOST_GRID, 1) for name in ("kernel", "stride", "dilation"))
    steps = window.Steps(kernel, stride, whole(given, "padding", 0, MOST_GRID, 0), dilation, bool(given.get("partial")))
    return await house.compute(request, lambda: answer({"slid": window.slide(grid, steps, given.get("how", "sum")), "reach": steps.reach}))


ADDRESSES = (
    Address("POST", "/api/lab/x-or-o", "anyone", _x_or_o),
    Address("POST", "/api/lab/learn", "anyone", _learn, 1_000),
    Address("POST", "/api/lab/scalar", "anyone", _scalar, 1_000),
    Address("POST", "/api/lab/ball", "anyone", _ball, 4_000),
    Address("POST", "/api/lab/window", "anyone", _window, 8_000),
)
