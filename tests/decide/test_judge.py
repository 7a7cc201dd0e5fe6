"""From answers to predictions: softmax to the printed digit, and nobody is let in by NaN."""

import math

import numpy as np
import pytest

from peephole.base.engine import Outputs
from peephole.decide.judge import accepts, judge, softmax


def test_softmax_by_the_book():
    """Z = (2, 1, 0) at temperatures 1, 2 and 0.5."""
    z = np.array([2.0, 1.0, 0.0])
    np.testing.assert_allclose(softmax(z), [0.66524096, 0.24472847, 0.09003057], atol=5e-9)
    np.testing.assert_allclose(softmax(z, 2.0), [0.506480, 0.307196, 0.186324], atol=5e-7)
    np.testing.assert_allclose(softmax(z, 0.5), [0.866813, 0.117310, 0.015876], atol=5e-7)


def test_softmax_of_two_votes():
    """.92 and .51 are votes; their softmax is the sigmoid of the difference."""
    np.testing.assert_allclose(softmax(np.array([0.92, 0.51])), [0.601088, 0.398912], atol=5e-7)


def test_softmax_does_not_overflow():
    """Adding 1,000 to every logit changes nothing; a difference of 10,000 is a certainty, not a NaN."""
    z = np.array([[2.0, 1.0, 0.0]])
    np.testing.assert_allclose(softmax(z + 1000), softmax(z), atol=1e-12)
    assert softmax(np.array([1e4, -1e4], np.float32)).tolist() == [1.0, 0.0]
    np.testing.assert_allclose(softmax(np.zeros((3, 10))), 0.1)


def one(logits, familiar, threshold=0.7, margin=0.1):
    return bool(accepts(np.array([logits], np.float32), np.array([familiar], np.float32), threshold, margin)[0])


def test_familiar_and_clearly_first_is_accepted():
    """At the threshold itself too."""
    assert one([2, 1], [0.9, 0.1])
    assert one([2, 1], [0.5, 0.1], threshold=0.5)


def test_a_stranger_is_not():
    """Too little familiarity, however sure the softmax is."""
    assert not one([1000, 0], [0.69, -0.5])


def test_in_doubt_is_not():
    """Two labels about equally near, or another label nearer than the best by logits."""
    assert not one([2, 1], [0.9, 0.85])
    assert not one([2, 1], [0.8, 0.95])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_never_accepted(bad):
    """NaN or infinity in any logit, NaN in any familiarity, NaN as threshold or margin."""
    assert not one([bad, 1], [0.9, 0.1])
    assert not one([2, bad], [0.9, 0.1])
    if math.isnan(bad):
        assert not one([2, 1], [bad, 0.1])
        assert not one([2, 1], [0.9, bad])
        assert not one([2, 1], [0.9, 0.1], threshold=bad)
        assert not one([2, 1], [0.9, 0.1], margin=bad)


def outputs(logits, familiar, similar):
    return Outputs(np.array([logits], np.float32), np.zeros((1, 4), np.float32), np.array([familiar], np.float32), np.array([similar], np.float32))


def test_a_prediction_says_who_how_sure_and_why(tiny_card):
    """Label, calibrated probability, familiarity, margin, ranking and the nearest known examples, nearest first."""
    card = tiny_card.model_copy(update={"temperature": 2.0})
    (found,) = judge(outputs([2, 0], [0.95, 0.2], [0.93, 0.97, 0.2]), card)
    assert found.label == found.best == "left" and found.accepted and found.threshold == 0.9
    assert found.probability == pytest.approx(1 / (1 + math.exp(-1))) and found.margin == pytest.approx(0.75)
    assert [name for name, _ in found.ranking] == ["left", "top"] and sum(p for _, p in found.ranking) == pytest.approx(1)
    assert [(n.id, n.label) for n in found.nearest] == [("left-2", "left"), ("left-1", "left"), ("top-1", "top")]
    assert found.nearest[0].distance == pytest.approx(0.03, abs=1e-6)


def test_a_stranger_has_no_label_but_a_likeness(tiny_card):
    """The label is None, and still it looks most like somebody."""
    (found,) = judge(outputs([2, 0], [0.5, 0.2], [0.4, 0.5, 0.2]), tiny_card)
    assert found.label is None and not found.accepted and found.best == "left"
    assert "a stranger" in found.reason


def test_nan_is_a_stranger_with_a_reason(tiny_card):
    """The sentence says that the answer is no number."""
    (found,) = judge(outputs([2, 0], [math.nan, 0.2], [math.nan, 0.5, 0.2]), tiny_card)
    assert found.label is None and "not a number" in found.reason
