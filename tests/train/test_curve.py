"""The learning curve: a known law is found again, its interval holds the truth, and few photos are not believed."""

from itertools import pairwise

import numpy as np
import pytest

from peephole.train.curve import Asked, forecast, powers, reach

SIZES = np.array([2.0, 4, 6, 9])


def asked(rng, law, labels=2, each=10, times=8):
    """Draw what held-out photos were answered when the true error of a photo at size n is law(n), some photos harder than others."""
    count = labels * each
    hard = rng.beta(0.5, 0.5 / 0.15 - 0.5, count) / 0.15  # mean 1
    chance = np.clip(hard[:, None] * law(SIZES), 0, 1)
    return Asked(
        SIZES,
        rng.binomial(times, chance).astype(float),
        np.full((count, len(SIZES)), float(times)),
        np.repeat(np.arange(labels), each),
        np.arange(count),
    )


def test_an_exact_law_is_found():
    """Errors that lie on a n^-b + c give these numbers back, within the grid of b."""
    errors = (0.8 * SIZES**-0.7 + 0.05)[None].repeat(50, 0)
    fits = powers(SIZES, errors, np.full(4, 1e-4), np.random.default_rng(0))
    np.testing.assert_allclose(fits, [[0.8, 0.7, 0.05]] * 50, atol=1e-6)


def test_no_fit_rises():
    """Errors that grow with the photos, as chance may have it, are taken for level: more photos never promise harm."""
    fits = powers(SIZES, np.array([[0.1, 0.2, 0.3, 0.4]]), np.full(4, 0.05), np.random.default_rng(0))
    assert fits[0, 0] == 0 and fits[0, 2] > 0


def test_the_interval_holds_the_truth():
    """In 60 draws with a known law the 90 % interval of the error with ten more holds the true one in at least 80 %."""
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        whole, _ = forecast(asked(rng, lambda n: 0.5 * n**-0.6), 10, 10, 2, seed)
        inside.append(whole.then.low <= 0.5 * 20**-0.6 <= whole.then.high)
    assert np.mean(inside) >= 0.8


def test_no_error_among_few_is_not_none_at_all():
    """20 photos without an error still allow some, and the interval narrows with more photos."""
    highs = []
    for each in (5, 50):
        found = asked(np.random.default_rng(0), lambda n: 0 * n, each=each)
        whole, labels = forecast(found, each, 10, 2, 7)
        assert whole.now.high > 0 and len(labels) == 2
        highs.append(whole.now.high)
    assert highs[1] < 0.3 * highs[0]


def test_the_label_that_errs_more_gains_more():
    """Of two labels, one with four times the error, that one stands to gain more."""
    easy, hard = asked(np.random.default_rng(1), lambda n: 0.1 * n**-0.5), asked(np.random.default_rng(2), lambda n: 0.9 * n**-0.5)
    wrong = np.where((easy.labels == 0)[:, None], easy.wrong, hard.wrong)
    _, (first, second) = forecast(Asked(SIZES, wrong, easy.asked, easy.labels, easy.sources), 10, 10, 2, 7)
    assert second.now.middle > first.now.middle and second.gain.middle > first.gain.middle


def test_copies_count_once():
    """Twenty photos that are copies of four originals are as uncertain as four."""
    found = asked(np.random.default_rng(3), lambda n: 0.3 + 0 * n)
    copies = Asked(SIZES, found.wrong[found.sources % 5 * 0 + found.labels * 10], found.asked, found.labels, found.labels)
    single = forecast(found, 10, 10, 2, 7)[0].now
    few = forecast(copies, 10, 10, 2, 7)[0].now
    assert few.high - few.low > 1.5 * (single.high - single.low)


def test_the_same_seed_gives_the_same():
    """A forecast is a function of what was asked and the seed."""
    found = asked(np.random.default_rng(4), lambda n: 0.4 * n**-0.5)
    assert forecast(found, 10, 10, 2, 7) == forecast(found, 10, 10, 2, 7)


def test_the_drawn_curve_is_that_of_the_forecast():
    """At the photos there are and would be it says what the forecast says, but for the luck of the draw; it never rises."""
    found = asked(np.random.default_rng(1), lambda n: 0.5 * n**-0.6)
    whole, _ = forecast(found, 10, 10, 2, 7)
    line = reach(found, 20, 2, 7)
    assert line[0].photos == found.sizes.min() and line[-1].photos == pytest.approx(20)
    assert line[-1].error.middle == pytest.approx(whole.then.middle, rel=0.1) and line[-1].error.high == pytest.approx(whole.then.high, rel=0.2)
    middles = [at.error.middle for at in line]
    assert all(after <= before + 0.003 for before, after in pairwise(middles))
    assert all(0 <= at.error.low <= at.error.middle <= at.error.high <= 1 for at in line)
