"""The evidence: exact bounds against scipy, and no rate without its n, unit and role."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from peephole.base.errors import EvidenceError
from peephole.base.evidence import describe, holds, interval, measure, needed, percent, upper_bound

COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENCES = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.975, 0.99, 0.999])


@pytest.mark.parametrize(("trials", "told"), [(5, "45.1 %"), (20, "13.9 %"), (40, "7.2 %"), (299, "1 %"), (2995, "0.1 %")])
def test_no_error_still_allows(trials, told):
    """0 of 5 allows 45.1 %, 0 of 20 13.9, 0 of 40 7.2, 0 of 299 1 and 0 of 2,995 0.1 %."""
    bound = upper_bound(0, trials)
    assert percent(bound) == told
    assert bound == pytest.approx(1 - 0.05 ** (1 / trials), rel=1e-9)


@given(COUNTS, CONFIDENCES)
def test_the_bound_is_scipys(counts, confidence):
    """The one-sided bound is the beta quantile, and binomtest says the same."""
    errors, trials = counts
    bound = upper_bound(errors, trials, confidence)
    assert bound == pytest.approx(1.0 if errors == trials else beta.ppf(confidence, errors + 1, trials - errors), rel=1e-9)
    test = binomtest(errors, trials, alternative="less").proportion_ci(confidence, "exact")
    assert bound == pytest.approx(test.high, rel=1e-9)


@given(COUNTS)
def test_the_interval_is_scipys(counts):
    """The two-sided interval is binomtest's, and holds the share itself."""
    right, trials = counts
    low, high = interval(right, trials)
    exact = binomtest(right, trials).proportion_ci(0.95, "exact")
    assert (low, high) == (pytest.approx(exact.low, abs=1e-9), pytest.approx(exact.high, abs=1e-9))
    assert low <= right / trials <= high


@given(COUNTS, CONFIDENCES)
def test_bounds_move_the_right_way(counts, confidence):
    """More errors and more confidence raise the bound, more trials lower it, and it never lies below the share itself."""
    errors, trials = counts
    bound = upper_bound(errors, trials, confidence)
    assert errors / trials <= bound <= 1
    assert upper_bound(errors, trials + 1, confidence) <= bound
    if errors < trials:
        assert bound <= upper_bound(errors + 1, trials, confidence)
        assert bound <= upper_bound(errors, trials, (1 + confidence) / 2)


def test_large_counts_stay_exact():
    """A hundred thousand visits are counted without overflow."""
    assert upper_bound(120, 100_000) == pytest.approx(beta.ppf(0.95, 121, 99_880), rel=1e-8)


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.01, 0.001])
def test_how_many_strangers_a_claim_needs(rate):
    """`needed` is the smallest number whose bound reaches the rate: 299 for 1 %, 2,995 for 0.1 %."""
    count = needed(rate)
    assert upper_bound(0, count) <= rate
    assert count == 1 or upper_bound(0, count - 1) > rate
    assert needed(0.01) == 299
    assert needed(0.001) == 2995


def test_a_thousand_deployments_are_covered():
    """Of 1,000 simulated deployments with a known truth at least 94 % print a bound above it; and it is not idle: some do not."""
    dice = np.random.default_rng(20261101)
    truths = dice.uniform(0.005, 0.3, 1000)
    trials = dice.integers(20, 400, 1000)
    errors = dice.binomial(trials, truths)
    covered = [
        measure("false accept", int(e), int(n), "stranger", "proof").bound >= truth for e, n, truth in zip(errors, trials, truths, strict=True)
    ]
    assert 0.94 <= np.mean(covered) < 1


@pytest.mark.parametrize(("errors", "trials", "confidence"), [(0, 0, 0.95), (1, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (0, 5, 0.0), (0, 5, 1.0)])
def test_impossible_counts_are_refused(errors, trials, confidence):
    """No rate of nothing, none of more than all, none with certainty."""
    with pytest.raises(EvidenceError):
        upper_bound(errors, trials, confidence)
    with pytest.raises(EvidenceError):
        interval(errors, trials, confidence)
    with pytest.raises(EvidenceError):
        measure("false accept", errors, trials, "stranger", "proof", confidence=confidence)


def test_a_rate_needs_unit_and_role():
    """An unknown unit or role is refused, with the word that was given."""
    with pytest.raises(EvidenceError, match="frame"):
        measure("false accept", 0, 40, "frame", "proof")  # type: ignore[arg-type]
    with pytest.raises(EvidenceError, match="guess"):
        measure("false accept", 0, 40, "stranger", "guess")  # type: ignore[arg-type]
    for rate in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(EvidenceError):
            needed(rate)


def test_evidence_is_told_with_everything():
    """The sentence has n, unit, bound, confidence, method and role."""
    told = describe(measure("false accept", 0, 40, "stranger", "proof"))
    assert told == "false accept: 0 of 40 strangers; the true rate is at most 7.2 % (95 % confidence, clopper-pearson one-sided; proof)"
    assert "1 of 1 kind;" in describe(measure("false accept", 1, 1, "kind", "estimate"))


@given(st.floats(1e-12, 1))
def test_no_small_rate_becomes_nought(rate):
    """Whatever is not zero is not printed as 0, 0.0 or 0.00 %."""
    told = percent(rate)
    assert told.endswith(" %")
    assert float(told[:-2]) > 0
    assert float(told[:-2]) == pytest.approx(100 * rate, rel=0.06)


@given(COUNTS)
def test_evidence_of_others_is_checked(counts):
    """Our own evidence holds, also when rounded; a bound that flatters does not."""
    errors, trials = counts
    ours = measure("false accept", errors, trials, "stranger", "proof")
    assert holds(ours)
    assert holds(replace(ours, bound=1.0))
    assert not holds(replace(ours, bound=ours.bound * 0.95)) or errors == trials
    for nonsense in ({"bound": 0.0}, {"bound": 1.5}, {"bound": math.nan}, {"trials": 0}, {"errors": -1}, {"errors": trials + 1}, {"confidence": 0.1}):
        assert not holds(replace(ours, **nonsense))
