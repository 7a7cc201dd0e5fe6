"""Whom a model takes frames for that show nothing: a hand on the lens, fog, a lamp."""

from collections.abc import Iterator

import numpy as np

from peephole.base.errors import PhotoError
from peephole.base.records import Prediction
from peephole.decide.predictor import Predictor
from peephole.decide.probes import plain

__all__ = ["HELPS", "asked", "warning"]

# A sub-folder of unknown/ is one stranger, who chooses the threshold or proves, by chance: one sub-folder of all empty pictures may only prove.
HELPS = (
    "train again with pictures of the empty scene, also with a hand on the lens, in several sub-folders of unknown/, one for each picture "
    "(all in one count as one stranger, who may choose nothing), or with a stricter --false-accept 0.005"
)


def asked(found: Predictor) -> Iterator[tuple[str, Prediction]]:
    """Yield each plain frame's name with the answer to it as a camera would give it; none where the region rightly finds nobody."""
    for name, pixels in plain():
        answer = _look(found, pixels)
        if answer is not None:
            yield name, answer


def warning(found: Predictor) -> str:
    """Say whom a model takes an empty frame for, and what helps; nothing where it takes none for anybody."""
    taken = [f"an empty {name} frame for {answer.label}" for name, answer in asked(found) if answer.accepted]
    if not taken:
        return ""
    return f"the model takes {' and '.join(taken)}: at a gate a hand on the lens could open the door, so no gate opens to them with it; {HELPS}"


def _look(found: Predictor, pixels: np.ndarray) -> Prediction | None:
    try:
        return found.predict(pixels)
    except PhotoError:
        return None
