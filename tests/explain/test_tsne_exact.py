"""t-SNE by hand: the numbers of MATH section 6, and openTSNE's map measured with the same ruler."""

import numpy as np
import pytest

from peephole.base.errors import InputError
from peephole.explain.tsne import lay
from peephole.explain.tsne_exact import bandwidths, conditional, divergence, gradient, joint, perplexities, squared_distances, student
from peephole.explain.tsnelesson import lesson, lesson_section

LINE = np.array([0.0, 1.0, 3.0])
FLAT = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])


def test_the_numbers_of_the_lesson():
    """Three points on a line and their map: shares, perplexities, P, Q, the divergence and its gradient, to the printed digit."""
    shares = conditional(squared_distances(LINE), 1.0)
    np.testing.assert_allclose(shares, [[0, 0.982014, 0.017986], [0.817574, 0, 0.182426], [0.075858, 0.924142, 0]], atol=5e-7)
    np.testing.assert_allclose(perplexities(shares), [1.0943, 1.6081, 1.3080], atol=5e-5)
    wanted, shown = joint(shares), student(FLAT)
    above = np.triu_indices(3, 1)
    np.testing.assert_allclose(wanted[above], [0.299931, 0.015641, 0.184428], atol=5e-7)
    np.testing.assert_allclose(shown[above], [0.288462, 0.115385, 0.096154], atol=5e-7)
    assert wanted.sum() == pytest.approx(1) and shown.sum() == pytest.approx(1) and (wanted == wanted.T).all()
    assert divergence(wanted, shown) == pytest.approx(0.201116, abs=5e-7)
    slope = gradient(wanted, FLAT)
    np.testing.assert_allclose(slope, [[-0.022940, 0.159590], [0.081789, -0.117699], [-0.058849, -0.041891]], atol=5e-7)
    np.testing.assert_allclose(slope.sum(axis=0), 0, atol=1e-15)


def test_the_gradient_is_the_slope():
    """Finite differences of the divergence give the gradient."""
    wanted = joint(conditional(squared_distances(LINE), 1.0))
    for place in np.ndindex(FLAT.shape):
        step = np.zeros_like(FLAT)
        step[place] = 1e-6
        slope = (divergence(wanted, student(FLAT + step)) - divergence(wanted, student(FLAT - step))) / 2e-6
        assert gradient(wanted, FLAT)[place] == pytest.approx(slope, abs=1e-8)


def test_each_width_gives_the_perplexity_that_was_asked_for():
    """Also beside a point far away, and between points that are the same."""
    points = np.random.default_rng(0).normal(size=(12, 3))
    points[0] += 100
    points[2] = points[1]
    squared = squared_distances(points)
    np.testing.assert_allclose(perplexities(conditional(squared, bandwidths(squared, 4.0))), 4.0, rtol=1e-6)
    for wrong in (1.0, 11.0, float("nan")):
        with pytest.raises(InputError, match="not between 1 and 11 for 12 points"):
            bandwidths(squared, wrong)


def test_opentsne_finds_what_the_formula_says():
    """The divergence that openTSNE reports is that of its map by the formula, and its map lies where the slope is almost nothing."""
    draw = np.random.default_rng(1)
    points = draw.normal(size=(60, 6)) + 4 * draw.integers(0, 2, (60, 1))
    laid = lay(points, 15.0, seed=3)
    squared = squared_distances(points)
    wanted = joint(conditional(squared, bandwidths(squared, 15.0)))
    assert laid.divergence == pytest.approx(divergence(wanted, student(laid.points)), rel=0.02)
    assert np.abs(gradient(wanted, laid.points)).max() < 0.002 < np.abs(gradient(wanted, 0.5 * laid.points)).max()
    other = np.random.default_rng(2).permutation(laid.points)
    assert divergence(wanted, student(other)) > 3 * laid.divergence


def test_the_lesson_shows_these_numbers():
    """What the page prints are the numbers of MATH, and they lead downhill: a small step against the slope loses less."""
    shown = lesson_section()
    for printed in (
        "0.982014",
        "0.075858",
        "1.0943",
        "1.3080",
        "0.299931",
        "0.184428",
        "0.288462",
        "0.096154",
        "0.201116",
        "−0.022940",
        "0.159590",
        "−0.041891",
    ):
        assert printed in shown, printed
    found = lesson()
    pull = (found.wanted - found.shown)[np.triu_indices(3, 1)]  # A and B, A and C, B and C: as the sentence says
    assert pull[2] == pull.max() > pull[0] > 0 > pull[1]
    moved = lesson(places=tuple(map(tuple, found.places - 0.1 * found.slope)))
    assert moved.lost < found.lost
