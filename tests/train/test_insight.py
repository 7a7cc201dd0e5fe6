"""Looks inside a training: the sum of a weight's step closes, points move and do not flip, and nobody's look changes a bit."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from toys import halves, network, recipe

from drawings import photo_set
from peephole.nets.blocks import Shape
from peephole.nets.cnn import Plain, plain
from peephole.nets.team import Team
from peephole.train import insight
from peephole.train.insight import Insight, axes_of, beside
from peephole.train.learner import Frozen
from peephole.train.loop import answers, fit


def looked(steps=40, net=None, examples=None, **changes):
    """Train the toy under the eyes of an Insight; return what came out and what was seen."""
    seen = []
    fitted = fit(net or network(), examples or halves(20), recipe(steps, **changes), onlooker=Insight(("left", "right"), seen.append))
    return fitted, seen


def test_looks_change_no_bit():
    """Batch norm, dropout, augmentation, average: the weights are the same with and without somebody who looks."""
    watched, seen = looked(30)
    alone = fit(network(), halves(20), recipe(30))
    ours, theirs = watched.network.state_dict(), alone.network.state_dict()
    assert len(seen) > 5 and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_when_it_looks():
    """At steps 1, 2 and 5, at every 12th of the training, and at its end."""
    assert [each.step for each in looked(61)[1]] == [1, 2, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 61]
    assert [each.step for each in looked(3)[1]] == [1, 2, 3]


@pytest.mark.parametrize("decay", [0.0, 0.02, 0.5])
def test_the_sum_of_an_update_closes(decay):
    """The printed terms give the next value to float32's rounding, and the moments go on from where they were."""
    _, seen = looked(40, weight_decay=decay)
    for each in seen:
        told = each.update
        assert told.count == each.step and told.weight == "conv1.weight" and told.weight_decay == decay
        mean = told.beta1 * told.mean_before + (1 - told.beta1) * told.gradient
        square = told.beta2 * told.square_before + (1 - told.beta2) * told.gradient**2
        fair = mean / (1 - told.beta1**told.count), square / (1 - told.beta2**told.count)
        move = told.learning_rate * fair[0] / (fair[1] ** 0.5 + told.epsilon)
        assert told.decay == pytest.approx(told.learning_rate * decay * told.before) and told.move == pytest.approx(move)
        rounding = 2 * float(np.spacing(np.float32(max(abs(told.before), abs(told.after)))))
        assert abs(told.before - told.decay - told.move - told.after) <= rounding
        assert each.filters[told.index] == np.float32(told.after)
    for before, after in pairwise(seen):
        if after.step == before.step + 1:
            assert (after.update.before, after.update.index) == (before.update.after, before.update.index)
            assert after.update.mean_before == pytest.approx(before.update.mean, rel=1e-5)
    assert any(abs(each.update.move) > 1e-4 for each in seen)


def test_it_follows_the_weight_that_moves_most():
    """The one with the largest slope at the first look; of a fresh network in its first step all move by the learning rate."""
    _, seen = looked(12)
    first = seen[0].update
    assert first.gradient != 0 and first.move == pytest.approx(np.sign(first.gradient) * first.learning_rate, rel=1e-3)
    assert len({each.update.index for each in seen}) == 1


def test_how_many_it_names_right():
    """Counted on the shown examples as they are: the last look agrees with the network's own answers."""
    examples = halves(20)
    shown = looked(40, examples=examples, average=0.0)
    logits, _ = answers(shown[0].network, examples.images)
    assert shown[1][-1].right == pytest.approx((logits.argmax(1) == examples.labels).float().mean().item()) and shown[1][-1].right > 0.9


def test_the_same_examples_of_each_label():
    """Up to 200 in all, fewer in a short training, the labels even, named, and the same ones at each look."""
    for steps, shown in ((3, 64), (150, 75), (400, 200)):
        seen = looked(steps, examples=halves(130), batch=2)[1]
        assert all(each.labels == seen[0].labels and each.positions.shape == (shown, 2) for each in seen)
        assert abs(seen[0].labels.count("left") - seen[0].labels.count("right")) <= 1
    rare = halves(130)
    rare.labels[:] = torch.tensor([0] * 255 + [1] * 5)
    assert looked(1, examples=rare)[1][0].labels.count("right") == 5


def test_many_filters_and_large_ones_are_cut():
    """No more numbers than a page can show; the whole shape is told."""
    for plan in (Plain(filters=(64,), kernel=7, hidden=8), Plain(filters=(64,), kernel=3, hidden=8)):
        seen = looked(1, plain(plan, Shape(1, 8, 8), 2, (100.0,), (50.0,)))[1][0]
        assert seen.shape == (64, 1, plan.kernel, plan.kernel) and seen.filters.size <= insight.WEIGHTS and len(seen.filters) == 32


def test_a_team_is_looked_at_too():
    """The first member's filters."""
    told = looked(2, Team([network(1), network(2)]))[1][0]
    assert told.layer == "member1.conv1" and told.update.weight == "member1.conv1.weight" and told.filters.shape == (4, 1, 3, 3)


def test_axes_are_the_principal_ones():
    """Spread along a known direction is found; the share is that of the variance; a turn of the embedding changes nothing but signs."""
    rng = np.random.default_rng(1)
    points = rng.normal(size=(50, 3)) * (5, 2, 0.1)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    positions, share = axes_of(points @ turn)
    variances = np.square(points - points.mean(0)).sum(0)
    assert share == pytest.approx(variances[:2].sum() / variances.sum(), abs=0.01) and share < 1
    np.testing.assert_allclose(np.square(positions).sum(0), np.sort(np.linalg.eigvalsh(np.cov(points.T)) * 49)[::-1][:2], rtol=1e-9)


@pytest.mark.parametrize(("points", "share"), [(np.ones((1, 5)), 0.0), (np.ones((4, 5)), 0.0), (np.arange(6.0)[:, None], 1.0)])
def test_what_has_no_second_axis_is_flat(points, share):
    """One example, equal ones, one feature: zeros where there is nothing, no error."""
    positions, found = axes_of(points)
    assert positions.shape == (len(points), 2) and np.isfinite(positions).all() and found == share


def test_points_move_and_do_not_flip():
    """Turned or mirrored positions come back to where they lay; those that moved a little end up near it."""
    before = np.random.default_rng(2).normal(size=(40, 2))
    for turn in (np.diag([-1.0, 1.0]), np.array([[0, 1.0], [1, 0]]), np.array([[0.6, 0.8], [-0.8, 0.6]])):
        np.testing.assert_allclose(beside(before @ turn, before), before, atol=1e-12)
    _, seen = looked(40)
    for one, two in pairwise(seen[3:]):
        moved, flipped = np.square(two.positions - one.positions).sum(), np.square(two.positions + one.positions).sum()
        assert moved < flipped


def test_an_embedding_that_is_no_number_has_no_place():
    """NaN instead of an error from the decomposition; the place before it is kept for the next look."""
    seen, broken = [], network()
    look = Insight(("left", "right"), seen.append)
    look.look(broken, halves(4), 1, 9)
    with torch.no_grad():
        broken.body.get_submodule("dense1").bias.fill_(float("nan"))
    look.look(broken, halves(4), 2, 9)
    assert np.isnan(seen[1].positions).all() and seen[1].share == 0.0
    look.look(network(), halves(4), 3, 9)
    np.testing.assert_allclose(seen[2].positions, seen[0].positions, atol=1e-5)


def test_frozen_features_are_looked_at_once():
    """No step is taken there: filters and embedding, no update."""
    photos, seen = photo_set(6), []
    large = replace(photos, images=photos.images.repeat(2, 1).repeat(2, 2))
    everything = np.arange(len(photos))
    frozen = recipe(network="strokes", fit="frozen", height=32, width=32, views=1)
    learner = Frozen(large, frozen, everything)
    learner.finish(everything, np.empty(0, np.int64), None, None, Insight(("X", "O"), seen.append))
    (only,) = seen
    assert (only.step, only.steps, only.update, only.layer) == (0, 0, None, "block1_conv1")
    assert len(only.labels) == 12 and np.ptp(only.positions) > 0
