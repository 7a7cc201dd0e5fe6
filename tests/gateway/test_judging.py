"""One frame by itself: whom it counts for, and every limit on both of its sides."""

import math
from dataclasses import replace

import pytest

from peephole.base.records import Prediction
from peephole.gateway.judging import Glance, Judged, judge
from peephole.gateway.rules import UNKNOWN

ANA = Prediction("ana", 0.95, 0.7, 0.3, (("ana", 0.95), ("x", 0.05)), (), True, 0.67)
NAN, INF = math.nan, math.inf


def judged(asked: float | None = None, problem: str = "", **changes: object) -> Judged:
    glance = Glance(0.0, 0.0, replace(ANA, **changes), problem)  # type: ignore[arg-type]
    return judge(glance) if asked is None else judge(glance, asked)


def test_somebody_known() -> None:
    """A label that was accepted, with its prediction, and no problem."""
    assert judged() == Judged("ana", ANA, "")


@pytest.mark.parametrize(
    ("changes", "who"),
    [
        ({"familiarity": 0.67}, "ana"),
        ({"margin": 0.0}, "ana"),
        ({"margin": INF}, "ana"),
        ({"label": None, "accepted": False, "familiarity": 0.1}, UNKNOWN),
        ({"label": "ana", "accepted": False}, UNKNOWN),
        ({"label": None, "accepted": False, "margin": -0.2}, UNKNOWN),
    ],
)
def test_what_counts(changes: dict[str, object], who: str) -> None:
    """At the threshold and with no lead at all it is somebody; whoever was not accepted is a stranger, whatever the label says."""
    assert (judged(**changes).who, judged(**changes).problem) == (who, "")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        *[({name: value}, "is not a number") for name in ("probability", "familiarity", "threshold") for value in (NAN, INF, -INF)],
        ({"margin": NAN}, "is not a number"),
        ({"label": None}, "contradicts itself"),
        ({"label": ""}, "contradicts itself"),
        ({"label": UNKNOWN}, "contradicts itself"),
        ({"familiarity": 0.669}, "contradicts itself"),
        ({"margin": -0.001}, "contradicts itself"),
        ({"margin": -INF}, "contradicts itself"),
    ],
)
def test_what_is_not_trusted(changes: dict[str, object], problem: str) -> None:
    """Nobody, with the prediction kept, for whoever asks what the model said."""
    found = judged(**changes)
    assert found.who == "" and found.problem == f"the model's answer {problem}" and found.prediction is not None


@pytest.mark.parametrize(("lead", "asked", "who"), [(0.05, 0.05, "ana"), (0.0499, 0.05, ""), (0.0, 0.0, "ana"), (0.0, None, "ana")])
def test_the_lead_that_is_asked(lead: float, asked: float | None, who: str) -> None:
    """Exactly as much is enough; without a word none is asked."""
    assert judged(asked, margin=lead).who == who


def test_a_stranger_needs_no_lead() -> None:
    """Between whom a stranger lies does not matter."""
    assert judged(0.5, label=None, accepted=False, margin=0.0).who == UNKNOWN


def test_a_problem_goes_before_everything() -> None:
    """A frame that could not be judged is nobody's, also when there is an answer; without one it says so itself."""
    assert judged(problem="too dark") == Judged("", ANA, "too dark")
    assert judged(problem="too dark", margin=NAN).problem == "too dark"
    assert judge(Glance(0.0, 0.0, None, "too dark")) == Judged("", None, "too dark")
    assert judge(Glance(0.0, 0.0, None)) == Judged("", None, "it was not judged")
