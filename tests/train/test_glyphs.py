"""Invented characters: new ones at every step, each drawn by different hands, the same again from the same seed."""

import numpy as np
import pytest

from peephole.train.glyphs import drawings, invent


def test_a_drawing_is_ink_on_paper():
    """Ink between 0 and 1 that reaches 1, paper 0 around it, nothing that touches all four borders."""
    found = drawings(40, 3, 32, seed=1)
    assert found.shape == (40, 3, 32, 32) and found.dtype == np.float32
    assert found.min() == 0 and found.max() <= 1 and np.isfinite(found).all()
    assert (found.max((2, 3)) > 0.5).all()
    assert 0.03 < (found > 0.5).mean() < 0.35


def test_the_same_seed_draws_the_same():
    """Seed and step name the characters and the hands; another step, or another seed, brings others."""
    once = drawings(6, 2, 28, seed=4, step=7)
    np.testing.assert_array_equal(once, drawings(6, 2, 28, seed=4, step=7))
    assert not np.array_equal(once, drawings(6, 2, 28, seed=4, step=8))
    assert not np.array_equal(once, drawings(6, 2, 28, seed=5, step=7))


def test_every_drawing_is_another_one():
    """No two drawings of 200 are alike, of one character or of different ones."""
    found = drawings(50, 4, 32, seed=2).reshape(200, -1)
    assert len({one.tobytes() for one in found}) == 200


def test_characters_fill_their_box():
    """1 to 4 strokes within a box of side 1 about the middle; all numbers of strokes come up."""
    characters, counts = invent(300, seed=3)
    assert set(counts) == {1, 2, 3, 4}
    for strokes, count in zip(characters, counts, strict=True):
        drawn = strokes[:count].reshape(-1, 2)
        assert np.ptp(drawn, axis=0).max() == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose((drawn.max(0) + drawn.min(0)) / 2, 0, atol=1e-6)
        assert not strokes[count:].any()


def test_one_character_looks_like_itself():
    """By bare pixels, a drawing is nearer to others of its character than to those of others far more often than chance (5 %)."""
    found = drawings(20, 2, 32, seed=6, hand=0.3)
    known, asked = (found[:, at].reshape(20, -1) - found.mean() for at in (0, 1))
    known, asked = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (known, asked))
    assert ((asked @ known.T).argmax(1) == np.arange(20)).mean() > 0.25


def test_another_hand_differs_more():
    """What two drawings of a character share falls as `hand` rises."""

    def shared(hand: float) -> float:
        found = drawings(60, 2, 32, seed=8, hand=hand)
        one, two = found[:, 0], found[:, 1]
        return float((np.minimum(one, two).sum((1, 2)) / np.maximum(one, two).sum((1, 2))).mean())

    assert shared(0.0) > shared(1.0) + 0.02
