"""Softmax term by term, against the numbers of the textbook."""

import numpy as np
import pytest

from peephole.explain.softmax import work_out


def test_textbook_numbers():
    """The logits (2, 1, 0): the exponentials, their sum and the shares."""
    found = work_out(np.array([2.0, 1.0, 0.0]))
    assert [term.share for term in found.terms] == pytest.approx([0.66524096, 0.24472847, 0.09003057], abs=1e-8)
    assert found.sum * np.exp(2) == pytest.approx(11.107337927, abs=1e-8)


@pytest.mark.parametrize(("temperature", "wanted"), [(2, (0.506480, 0.307196, 0.186324)), (0.5, (0.866813, 0.117310, 0.015876))])
def test_temperature(temperature, wanted):
    """A temperature above 1 evens the shares out, one below 1 sharpens them."""
    assert [term.share for term in work_out(np.array([2.0, 1.0, 0.0]), temperature).terms] == pytest.approx(wanted, abs=1e-6)


def test_large_logits_do_not_overflow():
    """softmax(z + 1000) is softmax(z)."""
    assert [term.share for term in work_out(np.array([1002.0, 1001.0, 1000.0])).terms] == pytest.approx([0.66524096, 0.24472847, 0.09003057])


@pytest.mark.parametrize("labels", [1, 2, 10, 1000])
def test_what_is_printed_adds_up(labels):
    """With the digits printed, exponentials and shares add up to their sums within what is stated."""
    found = work_out(np.random.default_rng(labels).normal(0, 3, labels))
    powers = sum(round(term.power, found.places) for term in found.terms)
    shares = sum(round(term.share, found.places) for term in found.terms)
    assert powers + found.power_residue == pytest.approx(round(found.sum, found.places), abs=1e-9)
    assert shares + found.share_residue == pytest.approx(1, abs=1e-9)
    assert abs(found.share_residue) <= 1e-5
