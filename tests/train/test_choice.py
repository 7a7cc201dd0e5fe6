"""Which frames to name next: between the labels, many of their kind, unlike what is known, and no two alike."""

import numpy as np

from peephole.train.choice import pick


def test_between_the_labels_and_apart():
    """Of a sure frame, two copies of a torn one and another torn one, the torn ones come first, and the copy never."""
    frames = np.array([[1.0, 0.1, 0], [0.1, 0.1, 1], [0.1, 0.1, 1.001], [0.3, -1, 0.5], [1, 0.12, 0]])
    chances = np.array([[0.99, 0.01], [0.5, 0.5], [0.5, 0.5], [0.55, 0.45], [0.99, 0.01]])
    known = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    found = pick(chances, frames, known, np.zeros(3), count=5, apart=0.02)
    indices = [one.index for one in found]
    assert set(indices[:2]) in ({1, 3}, {2, 3}) and not {1, 2} <= set(indices)
    assert found[0].first in (0, 1) and found[0].shares[0] >= found[0].shares[1]


def test_what_is_known_already_is_not_picked():
    """A frame on top of a known example teaches nothing."""
    known = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    assert not pick(np.full((2, 2), 0.5), known, known, np.zeros(3), count=2, apart=0.02)


def test_no_frames():
    """Nothing comes of nothing; one frame is a crowd of its own."""
    known = np.eye(3)[:2]
    assert pick(np.empty((0, 2)), np.empty((0, 3)), known, np.zeros(3), count=3, apart=0.02) == ()
    assert len(pick(np.array([[0.5, 0.5]]), np.array([[0, 0, 1.0]]), known, np.zeros(3), count=3, apart=0.02)) == 1
