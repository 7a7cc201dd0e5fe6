"""Paired differences: copies count once, intervals hold what they promise, and no difference among few is not taken for none."""

import numpy as np
import pytest

from peephole.base.card import Paired
from peephole.train.paired import LEAST_SOURCES, Turns, by_source, compared, losses, quantile, verdict


@pytest.mark.parametrize(
    ("level", "freedom", "expected"), [(0.975, 1, 12.706), (0.975, 4, 2.776), (0.975, 9, 2.262), (0.995, 30, 2.750), (0.99, 2.5, 5.353)]
)
def test_quantiles_of_students_t(level, freedom, expected):
    """As in the printed tables, for broken degrees of freedom too."""
    assert quantile(level, freedom) == pytest.approx(expected, rel=3e-3)


def test_the_loss_knows_no_boldness():
    """Logits three times as large have the same loss, and answers that know nothing cost no more than a guess."""
    rng = np.random.default_rng(1)
    labels = np.arange(40) % 2
    logits = rng.normal(0, 1, (2, 40, 2)) + 1.5 * np.eye(2)[labels]
    np.testing.assert_allclose(losses(3 * logits, labels).mean(), losses(logits, labels).mean(), rtol=1e-3)
    assert losses(50 * rng.normal(0, 1, (2, 40, 2)), labels).mean() < np.log(2) + 0.02


def test_no_mistake_among_few_is_not_never_wrong():
    """All right: the loss is about what one mistake in N + 2 would bring, and a photo that was nearly mistaken still costs more than the others."""
    labels = np.arange(20) % 2
    logits = 6.0 * np.eye(2)[labels][None].repeat(2, 0)
    assert losses(logits, labels).mean() == pytest.approx(-np.log(1 - 1 / 22), rel=0.1)
    logits[:, 3] /= 6
    assert (losses(logits, labels)[:, 3] > 5 * losses(logits, labels)[:, 4]).all()


def test_copies_of_a_photo_count_once():
    """A source with many copies has the weight of one."""
    values, sources = np.array([[1.0, 0.0, 0.0, 0.0], [0.5, 0.0, 1.0, 0.5]]), np.array([3, 8, 8, 8])
    np.testing.assert_allclose(by_source(values, sources), [[1.0, 0.0], [0.5, 0.5]])
    rng = np.random.default_rng(2)
    scores, other = rng.normal(0, 1, (2, 2, 6))
    trainings = np.array([[0, 0, 0, 1, 1, 1], [2, 3, 2, 3, 2, 3]])
    once = compared(scores, other, Turns(np.arange(6), trainings), 0.9)
    twice = np.array([0, 0, 0, 1, 2, 3, 4, 5])
    assert compared(scores[:, twice], other[:, twice], Turns(twice, trainings[:, twice]), 0.9) == once


def _drawn(rng, sources=16, repeats=3, folds=4, *, own=0.3, luck=0.3, rest=0.2):
    """Return differences (R, S) around 0: a part of each source's own, one that a training's photos share, and the rest; and who asked."""
    trainings = np.stack([repeat * folds + rng.permutation(sources) % folds for repeat in range(repeats)])
    values = own * rng.normal(0, 1, sources) + luck * rng.normal(0, 1, repeats * folds)[trainings] + rest * rng.normal(0, 1, (repeats, sources))
    return values, Turns(np.arange(sources), trainings)


@pytest.mark.parametrize("parts", [{"own": 0.0}, {"luck": 0.0}, {"own": 0.05, "luck": 1.0, "rest": 0.0}, {}])
@pytest.mark.parametrize("repeats", [2, 5])
def test_intervals_hold_the_truth_as_often_as_they_say(parts, repeats):
    """Wherever chance comes from, 90 % intervals miss the true difference, 0, in at most 10 % of draws (and twice its own spread)."""
    rng, missed, draws = np.random.default_rng(4), 0, 400
    for _ in range(draws):
        values, turns = _drawn(rng, repeats=repeats, **parts)
        low, high = compared(values, np.zeros_like(values), turns, 0.9).interval
        missed += low > 0 or high < 0
    assert missed / draws <= 0.1 + 2 * (0.1 * 0.9 / draws) ** 0.5


def test_the_luck_of_trainings_is_counted():
    """The planted twin: where all of a fold go up and down together, the sources' spread alone would miss twice as often as promised."""
    rng, missed, draws = np.random.default_rng(5), 0, 200
    for _ in range(draws):
        values, _ = _drawn(rng, repeats=2, folds=2, own=0.02, luck=1.0, rest=0.0)
        own = values.mean(0)
        missed += abs(own.mean()) > quantile(0.95, 15) * own.std(ddof=1) / 4
    assert missed / draws > 0.2


def test_no_difference_among_few_is_not_none():
    """Right and wrong alike on 10 sources: the accuracies may still differ; on 1,000 by little, and never by more than all."""
    for sources, least, most in ((10, 0.1, 1.0), (1000, 0.001, 0.02)):
        turns = Turns(np.arange(sources), np.repeat([[0], [1]], sources, 1))
        same = compared(np.ones((2, sources)), np.ones((2, sources)), turns, 0.95, counts=True)
        assert same.difference == 0 and least < same.interval[1] < most and same.interval[0] == -same.interval[1]
    turns = Turns(np.arange(3), np.repeat([[0], [1]], 3, 1))
    assert compared(np.ones((2, 3)), np.zeros((2, 3)), turns, 0.999, counts=True).interval[1] == 1.0


def _paired(difference, low, high):
    return Paired(present=0.0, absent=-difference, difference=difference, interval=(low, high))


@pytest.mark.parametrize(
    ("loss", "accuracy", "sources", "expected"),
    [
        ((-0.2, -0.3, -0.1), 0.1, 20, "helped"),
        ((-0.2, -0.3, -0.1), 0.0, 20, "helped"),
        ((0.2, 0.1, 0.3), -0.1, 20, "harmed"),
        ((-0.2, -0.5, 0.1), 0.3, 20, "unclear"),
        ((-0.2, -0.3, -0.1), -0.1, 20, "unclear"),
        ((0.2, 0.1, 0.3), 0.1, 20, "unclear"),
        ((-0.2, -0.3, -0.1), 0.1, LEAST_SOURCES - 1, "unclear"),
        ((-0.001, -0.002, -0.0005), 0.0, 20, "unclear"),
    ],
)
def test_a_verdict_claims_no_more_than_it_may(loss, accuracy, sources, expected):
    """The interval must lie on one side, the accuracy not on the other, the sources suffice and the difference matter."""
    assert verdict(_paired(*loss), _paired(accuracy, -1, 1), sources) == expected
