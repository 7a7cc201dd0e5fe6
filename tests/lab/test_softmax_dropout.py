"""Softmax, cross-entropy, their derivatives and dropout, against the numbers of the textbook."""

import numpy as np
import pytest

from peephole.base.errors import InputError
from peephole.lab.softmax import cross_entropy, dropout, jacobian, slope, softmax

Z = np.array([2.0, 1.0, 0.0])
P = (0.66524096, 0.24472847, 0.09003057)


def test_shares_loss_and_gradient():
    """The logits (2, 1, 0) with the first label true."""
    np.testing.assert_allclose(np.exp(Z), (7.3891, 2.7183, 1), atol=1e-4)
    assert np.exp(Z).sum() == pytest.approx(11.107337927, abs=1e-9)
    np.testing.assert_allclose(softmax(Z), P, atol=1e-8)
    assert cross_entropy(Z, 0) == pytest.approx(0.40760596, abs=1e-8)
    np.testing.assert_allclose(slope(Z, 0), (-0.33475904, 0.24472847, 0.09003057), atol=1e-8)


@pytest.mark.parametrize(("temperature", "wanted"), [(2, (0.506480, 0.307196, 0.186324)), (0.5, (0.866813, 0.117310, 0.015876))])
def test_temperature(temperature, wanted):
    """Warm shares are even, cold ones sharp."""
    np.testing.assert_allclose(softmax(Z, temperature), wanted, atol=1e-6)


def test_large_logits_do_not_overflow():
    """softmax(z + 1000) is softmax(z), with no warning; a share of 0 costs a finite loss."""
    np.testing.assert_allclose(softmax(Z + 1000), softmax(Z), atol=1e-15)
    assert cross_entropy(np.array([2000.0, 0.0]), 1) == 2000


def test_uniform_over_ten():
    """Knowing nothing about ten labels costs log 10."""
    assert cross_entropy(np.zeros(10), 3) == pytest.approx(2.302585, abs=1e-6)


def test_jacobian():
    """diag(p) - p p^T: rows add up to 0, and it is what small changes of the logits do."""
    rows = jacobian(Z)
    np.testing.assert_allclose(rows.sum(1), 0, atol=1e-15)
    for label in range(3):
        by = 1e-6 * np.eye(3)[label]
        np.testing.assert_allclose((softmax(Z + by) - softmax(Z - by)) / 2e-6, rows[:, label], atol=1e-9)
        assert (cross_entropy(Z + by, 1) - cross_entropy(Z - by, 1)) / 2e-6 == pytest.approx(slope(Z, 1)[label], abs=1e-8)


def test_inverted_dropout():
    """What stays is divided by the share that stays; the mean over masks is the input; nothing dropped changes nothing."""
    x = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(dropout(x, np.array([1, 0, 1, 1, 0]), 0.4), (0.3333, 0, 1, 1.3333, 0), atol=1e-4)
    masks = np.random.default_rng(0).random((20_000, 5)) >= 0.4
    np.testing.assert_allclose(np.mean([dropout(x, mask, 0.4) for mask in masks], 0), x, rtol=0.03)
    assert (dropout(x, np.ones(5), 0.0) == x).all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: softmax(Z, 0),
        lambda: softmax(Z, float("nan")),
        lambda: softmax(np.array([])),
        lambda: cross_entropy(Z, 3),
        lambda: slope(Z, -1),
        lambda: dropout(Z, np.ones(3), 1.0),
        lambda: dropout(Z, np.array([1, 2, 0]), 0.5),
        lambda: dropout(Z, np.ones(2), 0.5),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    """A temperature of 0, no numbers, a label that is none, a mask that is none."""
    with pytest.raises(InputError):
        wrong()
