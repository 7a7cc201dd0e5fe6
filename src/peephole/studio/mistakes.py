"""Who is taken for whom: a model on a set as a confusion matrix, and the photos behind each of its cells, the worst first.

The examination is that of `peephole evaluate`, so the numbers are; it is kept until the model or a file of the set changes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from peephole.base.errors import DataError, InputError
from peephole.decide.curves import Curves, curves
from peephole.decide.evaluate import Examination, examine
from peephole.decide.judge import judge
from peephole.decide.predictor import Predictor
from peephole.explain.evaluationpage import why
from peephole.explain.words import plain
from peephole.studio.answers import answer
from peephole.studio.gathering import set_of, state_of
from peephole.studio.house import House
from peephole.studio.routes import Address

__all__ = ["ADDRESSES"]

MOST_FILES = 3_000  # of a set that is examined while somebody waits
LABELS = 30  # that have a row of their own
SHOWN = 60  # photos of a cell


@dataclass(frozen=True, eq=False, repr=False)
class Matrix:
    """A confusion matrix that can be read: `labels` with a row of their own, `others` how many more are summed in the row after them.

    `counts` int (n, n): rows true, columns given, n = labels + 1 where there are others + 1 for strangers, the last row and column.
    `group` int (all labels + 1,): the row of each of the model's labels, strangers last, so that -1 finds them.
    """

    labels: tuple[str, ...]
    others: int
    counts: np.ndarray
    group: np.ndarray

    @classmethod
    def of(cls, found: Examination, most: int = LABELS) -> "Matrix":
        """Return the matrix of an examination; the `most` labels with the most mistakes, theirs or into them, stay apart, in the model's order."""
        whole, names = found.evaluation, found.card.labels
        into = np.vstack([whole.confusion, whole.strangers])
        np.fill_diagonal(into, 0)
        busy = into.sum(0)[:-1] + into.sum(1)[:-1]
        own = np.sort(np.argsort(-busy, kind="stable")[:most])
        size = len(own) + (len(own) < len(names)) + 1
        group = np.full(len(names) + 1, len(own))
        group[own], group[-1] = np.arange(len(own)), size - 1
        counts = np.zeros((size, size), np.int64)
        np.add.at(counts, (group[found.truth], group[found.given]), 1)
        return cls(tuple(names[at] for at in own), len(names) - len(own), counts, group)


def _examined(house: House, request: Request) -> tuple[Examination, Curves, Matrix]:
    """Return what the model makes of the set; computed once. Raises InputError, DataError and what reading raises."""
    wanted = request.query_params
    model, folder = house.model(request, wanted.get("model", "")).ours(), set_of(house, wanted.get("set", ""))
    state, files = state_of(folder)
    if files > MOST_FILES:
        raise DataError(f"this set has more than {MOST_FILES:,} files", f"peephole evaluate MODEL {folder.name} --report mistakes.html")

    def make() -> tuple[Examination, Curves, Matrix]:
        found = examine(Predictor(model), folder)
        return found, curves(found), Matrix.of(found)

    kept: tuple[Examination, Curves, Matrix] = house.examined.find((model.sha256, state), make)
    return kept


def _behind(found: Examination, counted: Curves, matrix: Matrix, row: int, column: int) -> tuple[dict[int, str], int]:
    """Return the photos of a cell as {row of the examination: kind of mistake}, and how many there are.

    Mistakes stand as in the report: the surest first. Right answers follow, the nearest to a mistake first, of kind "".
    """
    here = (matrix.group[found.truth] == row) & (matrix.group[found.given] == column)
    own = np.take_along_axis(found.outputs.familiarity, found.outputs.logits.argmax(1)[:, None], 1)[:, 0]
    wrong: dict[int, str] = {each.row: each.kind for each in counted.wrong if here[each.row]}
    right = np.array([at for at in np.flatnonzero(here) if at not in wrong], np.int64)
    near = np.nan_to_num(np.where(found.truth < 0, -own, own))
    rows = wrong | {int(at): "" for at in right[np.argsort(near[right], kind="stable")]}
    return dict([*rows.items()][:SHOWN]), len(rows)


def _photo(found: Examination, row: int, kind: str, language: str) -> dict[str, Any]:
    """Return what is told of one photo."""
    prediction = judge(found.outputs.at(np.array([row])), found.card)[0]
    key, facts = why(found, prediction, row)
    truth = found.card.labels[found.truth[row]] if found.truth[row] >= 0 else ""
    return {
        "id": found.ids[row],
        "what": plain(language, f"eval.{kind}", truth=truth, given=prediction.best) if kind else "",
        "best": prediction.best,
        "probability": prediction.probability,
        "familiarity": prediction.familiarity,
        "why": plain(language, key, **facts),
    }


async def _mistakes(house: House, request: Request) -> Response:
    """Count who is taken for whom."""
    found, _, matrix = await run_in_threadpool(_examined, house, request)
    whole = found.evaluation
    told = {"labels": matrix.labels, "others": matrix.others, "counts": matrix.counts, "notes": whole.notes}
    return answer(told | {name: getattr(whole, name) for name in ("photos", "seen", "duplicates", "refused")})


def _cell(request: Request, size: int) -> tuple[int, int]:
    """Return the row and column that are asked for as ROW,COLUMN; raises InputError."""
    row, _, column = request.query_params.get("cell", "").partition(",")
    if not (
        row.isascii() and row.isdigit() and column.isascii() and column.isdigit() and len(row + column) < 9 and max(int(row), int(column)) < size
    ):
        raise InputError("there is no such cell", "choose one of the matrix")
    return int(row), int(column)


async def _photos(house: House, request: Request) -> Response:
    """List the photos of one cell."""
    language = "ko" if request.query_params.get("language") == "ko" else "en"

    def work() -> dict[str, Any]:
        found, counted, matrix = _examined(house, request)
        rows, total = _behind(found, counted, matrix, *_cell(request, len(matrix.counts)))
        return {"total": total, "photos": [_photo(found, row, kind, language) for row, kind in rows.items()]}

    return answer(await run_in_threadpool(work))


ADDRESSES = (
    Address("GET", "/api/mistakes", "owner", _mistakes, 0),
    Address("GET", "/api/mistakes/photos", "owner", _photos, 0),
)
