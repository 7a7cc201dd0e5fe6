"""The line between known and stranger: who may pass, and what is promised about the next one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peephole.base.errors import DataError
from peephole.decide.threshold import as_good_as, clear_of, draw_line, refused_share

GENUINE = np.linspace(0.6, 0.99, 40)


@given(n=st.integers(1, 400), rate=st.sampled_from((0.001, 0.01, 0.05, 0.1, 0.5)), seed=st.integers(0, 99))
def test_no_more_than_the_rank_pass(n, rate, seed):
    """One less than floor(rate * (n + 1)) of n impostors at most reach the threshold; with fewer than 2 / rate none does."""
    impostors = np.random.default_rng(seed).normal(0.3, 0.2, n)
    line = draw_line(GENUINE, impostors, rate, "strangers")
    passing = int((impostors >= line.threshold).sum())
    assert passing <= max(0, np.floor(rate * (n + 1) + 1e-9) - 1)
    if n + 1 < 2 / rate - 1e-9:
        assert passing == 0 and line.how.startswith("none of")
    assert line.refused == pytest.approx(np.mean(line.threshold > GENUINE))


def test_it_is_the_lowest_such_line():
    """With 100 impostors and 5 % four pass (a new one with probability 5 / 101); any lower, and a fifth would (6 / 101)."""
    impostors = np.linspace(0, 1, 100)
    line = draw_line(GENUINE, impostors, 0.05, "strangers")
    assert (impostors >= line.threshold).sum() == 4
    assert (impostors >= line.threshold - 1 / 99).sum() == 5


def test_no_score_stands_on_the_line():
    """In float32, as the graph answers, the line stands in the middle of a gap: rounding carries nobody across, known or stranger."""
    known, impostors = GENUINE.astype(np.float32), np.linspace(0, 0.9, 200).astype(np.float32)
    line = draw_line(known, impostors, 0.02, "strangers")
    assert (impostors >= line.threshold).sum() == 3
    for scores in (known, impostors):
        assert np.abs(scores - line.threshold).min() > 1e-5
    for share in (0.0, 0.05, 0.5, 1.0):
        carried = as_good_as(replace(line, refused=share), known)
        assert np.abs(known - carried.threshold).min() > 1e-5
        assert carried.refused == pytest.approx(share)
    assert np.abs(known - draw_line(known, np.empty(0), 0.01, "nobody").threshold).min() > 1e-5


def test_a_line_is_cleared_of_scores_that_come_later():
    """Raised by a few millionths at most, past every score within rounding, and left alone where none is."""
    assert clear_of(0.5, np.array([0.4, 0.6])) == 0.5
    scores = np.array([0.5 - 1e-6, 0.5 + 1e-6, 0.5 + 4e-6, 0.6])
    line = clear_of(0.5, scores)
    assert 0.5 < line < 0.5 + 1e-5
    assert np.abs(scores - line).min() > 2e-6


def test_none_may_pass_leaves_a_gap():
    """The line stands a tenth of the way from the best impostor to the median genuine score, never below the impostor."""
    line = draw_line(np.array([0.8, 0.9, 1.0]), np.array([0.1, 0.4]), 0.01, "strangers")
    assert line.threshold == pytest.approx(0.4 + 0.1 * 0.5)
    above = draw_line(np.array([0.1, 0.2]), np.array([0.7]), 0.01, "strangers")
    assert above.threshold > 0.7 and above.refused == 1


def test_no_impostors_promise_nothing():
    """About one in twenty known examples is refused, and the sentence says that no stranger was there."""
    line = draw_line(GENUINE, np.empty(0), 0.01, "nobody")
    assert refused_share(GENUINE, line.threshold) == line.refused <= 0.06
    assert "no stranger was there to choose by" in line.how


def test_nobody_known_is_refused():
    """Without genuine scores there is no line."""
    with pytest.raises(DataError, match="no threshold can be chosen"):
        draw_line(np.empty(0), np.array([0.5]), 0.01, "strangers")


@pytest.mark.parametrize(("n", "rate"), [(19, 0.05), (99, 0.05), (50, 0.1), (9, 0.01)])
def test_the_next_stranger_passes_no_more_often_than_asked(n, rate):
    """4,000 simulated doors: a stranger who was not there when the line was drawn passes with the requested probability at most.

    Nine strangers cannot carry 1 %: there it is one in ten.
    """
    rng = np.random.default_rng(11)
    passed = 0
    for _ in range(4000):
        scores = rng.beta(2, 3, n + 1)
        passed += scores[-1] >= draw_line(np.array([0.5, 0.9]), scores[:-1], rate, "strangers").threshold
    rate = max(rate, 1 / (n + 1))
    assert passed / 4000 <= rate + 3 * np.sqrt(rate * (1 - rate) / 4000)


def test_a_line_carries_over_by_the_share_refused():
    """Another training's scores are spread differently: the same share of its known examples is refused."""
    line = draw_line(GENUINE, np.array([0.65] * 5), 0.01, "labels")
    other = 0.5 * GENUINE + 0.1
    carried = as_good_as(line, other)
    assert carried.refused == pytest.approx(line.refused, abs=1.5 / len(GENUINE))
    assert "carried over" in carried.how and line.how in carried.how
    assert as_good_as(line, np.empty(0)) == line
