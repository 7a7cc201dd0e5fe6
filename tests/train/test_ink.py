"""Paper and ink, read off the drawings."""

import numpy as np
import pytest

from peephole.nets.strokes import PAPER, SPREAD
from peephole.train.ink import LEAST, ink


def sheet(paper: int, pen: int, count: int = 6) -> np.ndarray:
    """Return drawings of a cross, uint8 (count, 32, 32, 1)."""
    images = np.full((count, 32, 32, 1), paper, np.uint8)
    images[:, 14:18, 6:26] = pen
    images[:, 6:26, 14:18] = pen
    return images


@pytest.mark.parametrize(("paper", "pen"), [(0, 255), (255, 0), (240, 60), (30, 200), (120, 180)])
def test_paper_is_zero_and_ink_is_one(paper, pen):
    """Light on dark or dark on light: what the network takes is the same."""
    mean, std = ink(sheet(paper, pen), np.arange(6))
    assert (std > 0) == (pen > paper)
    assert (paper - mean) / std == pytest.approx(-PAPER / SPREAD, abs=1e-4)
    assert (pen - mean) / std == pytest.approx((1 - PAPER) / SPREAD, abs=1e-4)


def test_only_those_named_are_looked_at():
    """What is held out does not set the scale."""
    both = np.concatenate([sheet(0, 200), sheet(255, 0)])
    assert ink(both, np.arange(6)) == ink(sheet(0, 200), np.arange(6))


def test_blank_sheets_are_no_division_by_nothing():
    """All black, all white, or nearly even grey: a depth of 16 grey levels at least."""
    for level in (0, 128, 255):
        _, std = ink(np.full((3, 32, 32, 1), level, np.uint8), np.arange(3))
        assert abs(std) == pytest.approx(LEAST * SPREAD)
