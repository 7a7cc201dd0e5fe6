"""Filters learned by hand: gradients against finite differences, one weight's update, the nudge, and the smallest network there is."""

from dataclasses import replace

import numpy as np
import pytest

from peephole.base.errors import DataError, SettingsError
from peephole.lab.hand import Drawings, drawings
from peephole.lab.learn import Net, accuracy, begin, error, gradient, scalar_step, train


@pytest.mark.parametrize("side", [9, 12, 16])
def test_gradients_equal_finite_differences(side):
    """Every weight of every layer, on sizes with and without partial windows."""
    given = drawings(4, 3, side)
    rng = np.random.default_rng(side)
    net = replace(begin(side, seed=side), bias=rng.normal(0, 0.1, 3), dense_bias=rng.normal(0, 0.1, 2))
    slopes = gradient(net, given)
    for name in Net.__dataclass_fields__:
        weights = getattr(net, name)
        for at in [tuple(int(rng.integers(n)) for n in weights.shape) for _ in range(12)]:
            both = []
            for by in (1e-6, -1e-6):
                moved = weights.copy()
                moved[at] += by
                both.append(error(replace(net, **{name: moved}), given))
            assert (both[0] - both[1]) / 2e-6 == pytest.approx(getattr(slopes, name)[at], abs=1e-7, rel=1e-5), (name, at)


def test_the_scalar_example_exactly():
    """With y = wx, x = 2, target 1, w = .2: loss .36, slope -2.4, a step of .1 gives w = .44 and loss .0144; at w = .5 the slope is 0."""
    step = scalar_step()
    assert (step.old, step.output, step.error_before, step.slope) == pytest.approx((0.2, 0.4, 0.36, -2.4))
    assert (step.new, step.error_after) == pytest.approx((0.44, 0.0144))
    assert step.nudge.kept == "up" and step.nudge.error_up < 0.36 < step.nudge.error_down
    assert step.nudge.slope == pytest.approx(-2.4)
    there = scalar_step(0.5)
    assert there.slope == 0 and there.new == 0.5 and there.nudge.kept == "as it was"


def test_training_learns_and_is_a_function_of_its_seed():
    """The error falls, all drawings are named right, others nearly all; the same seed gives the same bytes, another one others."""
    given, others = drawings(20, 0), drawings(30, 1)
    runs = [list(train(given, steps=60, seed=seed, held_out=others)) for seed in (1, 1, 2)]
    first, last = runs[0][0], runs[0][-1]
    assert last.error < 0.3 * first.error and last.accuracy == 1.0
    assert last.held_out >= 0.9 and last.held_out == accuracy(last.net, others)
    assert [step.number for step in runs[0]] == list(range(1, 61))
    assert runs[0][-1].net.filters.tobytes() == runs[1][-1].net.filters.tobytes() != runs[2][-1].net.filters.tobytes()


def test_one_weights_update_has_its_numbers():
    """It is new = old - rate * slope, in the net that comes next; the errors are those of the nets they name; the nudge finds the same slope."""
    given = drawings(6, 0, 12)
    steps = list(train(given, steps=3, learning_rate=0.3, seed=4, follow=(2, 0, 1)))
    net = begin(12, seed=4)
    for step in steps:
        told, at = step.update, (2, 0, 1)
        assert (told.filter, told.row, told.column) == at
        assert told.old == net.filters[at] and told.new == step.net.filters[at] == told.old - 0.3 * told.slope
        assert told.error_before == error(net, given) and told.error_after == step.error == error(step.net, given)
        moved = net.filters.copy()
        moved[at] = told.new
        assert told.error_alone == error(replace(net, filters=moved), given)
        assert told.nudge.slope == pytest.approx(told.slope, abs=5e-4)  # a window may change hands between the two nudges
        assert told.nudge.kept == ("down" if told.slope > 0 else "up")
        net = step.net


def test_drawings_differ_and_do_not_depend_on_the_side():
    """A drawing is a function of its seed; of any two, at least one pixel differs."""
    given = drawings(10, 5, 16)
    assert given.pictures.shape == (20, 16, 16) and given.labels.tolist() == [0] * 10 + [1] * 10
    assert len({one.tobytes() for one in given.pictures}) == 20
    assert (drawings(10, 5, 16).pictures == given.pictures).all()
    assert given.pictures.min() == -1 and given.pictures.max() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        Drawings(np.zeros((4, 9, 9)), np.zeros(4, int)),
        Drawings(np.zeros((4, 9, 9)), np.array([0, 1, 2, 0])),
        Drawings(np.zeros((4, 9, 8)), np.array([0, 1, 1, 0])),
        Drawings(np.full((4, 9, 9), np.nan), np.array([0, 1, 1, 0])),
        Drawings(np.zeros((4, 9, 9)), np.array([0, 1])),
    ],
)
def test_drawings_that_cannot_be_learned_from_are_refused(wrong):
    """One label only, an unknown label, a picture that is not square, NaN, labels missing."""
    with pytest.raises(DataError):
        next(train(wrong))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"learning_rate": 0}, {"filters": 0}, {"kernel": 17}, {"follow": (3, 0, 0)}])
def test_numbers_no_training_can_have_are_refused(wrong):
    """No steps, no rate, no filters, a filter larger than the picture, a weight that is not there."""
    with pytest.raises(SettingsError):
        next(train(drawings(2), **wrong))
