"""Records: frozen, JSON both ways, and safe to show in a notebook."""

import dataclasses
import math

import numpy as np
import pytest
from pydantic import ValidationError

from peephole.base.records import Decision, Evidence, Frame, Neighbour, Prediction, Quality, Reading, Visit, from_json, to_json

NEAR = Neighbour("ana/1.png", "ana", 0.125)
PREDICTION = Prediction("ana", 0.9, 0.8, 0.3, (("ana", 0.9), ("junho", 0.1)), (NEAR,), True, 0.7)
STRANGER = Prediction(None, 0.6, 0.2, 0.1, (("한글", 0.6), ("junho", 0.4)), (), False, 0.7)
RECORDS = [
    NEAR,
    PREDICTION,
    STRANGER,
    Quality(0.5, 0.01),
    Reading(1.5, 1.7e9, "csv://a", {"temperature": 21.5, "room": "küche"}),
    Visit("v1", 0.0, 2.5, (PREDICTION, STRANGER)),
    Decision("v1", "refuse", None, "two of the last three frames were not ana", "rule 1", None),
    Evidence("false accept", "stranger", 40, 0, 0.0722, 0.95, "clopper-pearson one-sided", "proof"),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_json_both_ways(record):
    """What is written is read back equal, in one line."""
    text = to_json(record)
    assert "\n" not in text
    assert from_json(type(record), text) == record
    assert from_json(type(record), text.encode()) == record


@pytest.mark.parametrize("shape", [(3, 4, 1), (2, 5, 3), (0, 4, 3)])
def test_frames_keep_their_pixels(shape):
    """A frame's pixels come back bit by bit, also from a view that is not contiguous."""
    pixels = np.random.default_rng(1).integers(0, 256, (*shape[:2], 6), np.uint8)[..., : shape[2]]
    frame = Frame(1.0, 2.0, "camera://0", pixels, Quality(0.5, 0.25))
    again = from_json(Frame, to_json(frame))
    assert again.pixels.dtype == np.uint8
    assert np.array_equal(again.pixels, pixels)
    assert (again.time, again.wall, again.source, again.quality) == (1.0, 2.0, "camera://0", Quality(0.5, 0.25))


def test_nan_and_infinity_are_kept():
    """A broken model's NaN stays NaN on paper; it does not become null or 0."""
    broken = dataclasses.replace(STRANGER, familiarity=math.nan, margin=-math.inf, probability=math.inf)
    again = from_json(Prediction, to_json(broken))
    assert math.isnan(again.familiarity)
    assert again.margin == -math.inf
    assert again.probability == math.inf


def test_reasons():
    """Each way to be refused has its own sentence."""
    assert "at or above the threshold" in PREDICTION.reason
    assert "below the threshold" in STRANGER.reason
    assert "leads the next label by 0.10 only" in dataclasses.replace(STRANGER, familiarity=0.9).reason
    assert "another label's known examples are nearer by 0.05" in dataclasses.replace(STRANGER, familiarity=0.9, margin=-0.05).reason
    assert "0.6996, below the threshold 0.7000" in dataclasses.replace(STRANGER, familiarity=0.6996).reason
    assert "not a number" in dataclasses.replace(STRANGER, familiarity=math.nan).reason
    assert PREDICTION.best == "ana"
    assert STRANGER.best == "한글"


def test_records_are_frozen():
    """Nobody changes a verdict after it was given."""
    for record in RECORDS:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, dataclasses.fields(record)[0].name, "other")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "null", "[1]", '{"id": "a", "label": "b"}', '{"id": "a", "label": "b", "distance": "far"}', '{"id": 1, "label": "b", "distance": 1}'],
)
def test_other_json_is_refused(text):
    """What is no record raises a ValueError."""
    with pytest.raises(ValidationError):
        from_json(Neighbour, text)


def test_a_verdict_has_three_words():
    """`maybe` opens no door."""
    text = to_json(RECORDS[6]).replace("refuse", "maybe")
    with pytest.raises(ValidationError, match="verdict"):
        from_json(Decision, text)


def test_the_notebook_view_escapes():
    """Labels and file names are folder names, which anybody may choose."""
    evil = "<script>alert(1)</script>"
    prediction = Prediction(evil, 0.9, 0.8, 0.3, ((evil, 0.9),), (Neighbour(evil, evil, 0.1),), True, 0.7)
    shown = prediction._repr_html_()
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") == 4
    assert "stranger" in STRANGER._repr_html_()
