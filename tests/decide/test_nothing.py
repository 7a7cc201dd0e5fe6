"""Whom a model takes an empty frame for: told with what helps, and not where nobody is let in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from peephole.base.errors import PhotoError
from peephole.decide.nothing import asked, warning


@dataclass
class Answer:
    """As much of an answer as is read."""

    label: str
    accepted: bool


class Model:
    """Takes frames brighter than `least` for ana; its region finds nothing in those darker than `most_dark`."""

    def __init__(self, least: int, most_dark: int = -1) -> None:
        self.least, self.most_dark = least, most_dark

    def predict(self, pixels: np.ndarray) -> Any:
        """Answer by the mean."""
        if pixels.mean() <= self.most_dark:
            raise PhotoError("no face was found", "look at the camera")
        return Answer("ana", bool(pixels.mean() > self.least))


@pytest.mark.parametrize(("least", "taken"), [(200, ["white"]), (100, ["grey", "white"]), (-1, ["black", "grey", "white"])])
def test_whom_an_empty_frame_is_taken_for(least: int, taken: list[str]) -> None:
    """Every frame that is accepted is named, with what helps."""
    told = warning(Model(least))  # type: ignore[arg-type]
    assert told.startswith("the model takes " + " and ".join(f"an empty {name} frame for ana" for name in taken) + ":")
    assert "one for each picture" in told and "--false-accept 0.005" in told


def test_nobody_is_taken_for_anybody() -> None:
    """Nothing is said where all are refused, or where the region finds nobody."""
    assert warning(Model(255)) == ""  # type: ignore[arg-type]
    assert [name for name, _ in asked(Model(255, most_dark=150))] == ["white"]  # type: ignore[arg-type]
    assert warning(Model(0, most_dark=255)) == ""  # type: ignore[arg-type]
