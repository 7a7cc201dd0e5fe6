"""Receipts of augmentations: what is needed comes out as helping, what destroys the label as harm, and noise as nothing."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from toys import recipe

from drawings import draw, photo_set
from peephole.data.splits import Split, dealt, split
from peephole.train import ablation
from peephole.train.ablation import LEAST_REPEATS, MOST_REPEATS, TRIED, Plan, ablate, planned, sides_of
from peephole.train.augment import Augment, Key, augment
from peephole.train.learner import Frozen, Scratch
from peephole.train.loop import LEAST_STEPS, Examples

NONE = np.empty(0, np.int64)
VIEWS, WIDTH = 8, 20.0


@dataclass(eq=False)
class Pixels:
    """A learner for tests that need hundreds of trainings: ridge regression with a Gaussian kernel on the pixels of really augmented views."""

    photos: object
    recipe: object
    learned: list

    def other(self, how):
        """Return a learner by another recipe."""
        return Pixels(self.photos, how, self.learned)

    def learn(self, indices, labels, share, seed=None):
        """Fit the views of some photos."""
        self.learned.append((np.asarray(indices), share, seed))
        images = Examples.of(self.photos.images, self.photos.labels).images[indices]
        views = [augment(images, self.recipe.augment, Key(self.recipe.seed, view)).numpy() / 255 for view in range(VIEWS)]
        self.rows = np.concatenate(views).reshape(VIEWS * len(indices), -1)
        targets = np.eye(len(self.photos.names))[np.tile(labels[indices], VIEWS)]
        self.weights = np.linalg.solve(self._alike(self.rows) + np.eye(len(self.rows)), targets - targets.mean(0))
        return self

    def _alike(self, rows):
        apart = (rows**2).sum(1)[:, None] + (self.rows**2).sum(1) - 2 * rows @ self.rows.T
        return np.exp(-apart / WIDTH)

    def answers(self, indices):
        """Return logits; nobody asks for embeddings here."""
        return self._alike(self.photos.images[indices].reshape(len(indices), -1) / 255) @ self.weights * 8, None


def pixels(photos, how, seed=3):
    """Return the quick learner for a set, varied as `how` says."""
    return Pixels(photos, recipe(augment=how, seed=seed), [])


def plan(parts, repeats=3):
    """Return a plan of all parts."""
    return Plan(1 if len(parts.choose) else len(parts.folds), repeats, 1.0, 0, VIEWS, 10_000)


def by_effect(found):
    """Return the rows by the name of their effect."""
    return {row.effect: row for row in found.rows}


def test_what_is_compared():
    """Each effect that is on is left out, those of the notes that are off are added, and all are left out together."""
    how = Augment(shift=0.1, rotate=9, flip=True)
    sides = {side.effect: side for side in sides_of(how)}
    assert list(sides) == ["shift", "rotate", "flip", "noise", "scratch", "colour", "all"]
    assert sides["shift"].augment == replace(how, shift=0) and sides["shift"].strength == "shift up to 10 %" and sides["shift"].used
    assert sides["flip"].augment == replace(how, flip=False) and sides["all"].augment == Augment()
    assert sides["noise"].augment == replace(how, noise=10) and not sides["noise"].used and sides["noise"].strength == "noise of 10/255"


def test_with_nothing_on_only_additions_are_left():
    """A recipe without augmentation has nothing to leave out; with one effect, all of them are that one."""
    assert [(side.effect, side.used) for side in sides_of(Augment())] == [(name, False) for name in TRIED]
    assert "all" not in [side.effect for side in sides_of(Augment(rotate=5))]
    photos = photo_set(5)
    found = ablate(pixels(photos, Augment()), photos, parts := split(photos, 3), plan(parts))
    assert len(found.rows) == len(TRIED) and not any(row.used for row in found.rows)


def test_everyone_is_asked_in_every_repeat_and_never_taught():
    """What is held out is not learned from, each way learns from the very same photos with the same seed, and each repeat deals anew."""
    photos = photo_set(6)
    learner, parts = pixels(photos, Augment(rotate=9)), split(photos, 3)
    found = ablate(learner, photos, parts, plan(parts, 2))
    assert (found.n, found.parts, found.repeats, found.steps, found.stopped) == (12, 5, 2, 0, False)
    ways, folds = 1 + len(found.rows), len(parts.folds)
    turns = [learner.learned[at * ways * folds : (at + 1) * ways * folds] for at in range(2)]
    for turn in turns:
        away = [np.setdiff1d(np.arange(12), taught) for taught, _, _ in turn[:folds]]
        assert np.concatenate(away).size == 12 and np.unique(np.concatenate(away)).size == 12
        for way in range(ways):
            for one, other in zip(turn[:folds], turn[way * folds : (way + 1) * folds], strict=True):
                assert one[0].tolist() == other[0].tolist() and one[1:] == other[1:]
    assert len({seed for turn in turns for _, _, seed in turn}) == 2 * folds
    assert [taught.tolist() for taught, _, _ in turns[0][:folds]] != [taught.tolist() for taught, _, _ in turns[1][:folds]]


def test_what_proves_is_never_asked():
    """Where a part chooses, it is held out, and what is kept for proof is neither learned from nor asked about."""
    photos = photo_set(30)
    parts = split(photos, 3)
    assert parts.role == "proof" and len(parts.prove)
    other = photos.take(np.arange(len(photos)))
    other.images[parts.prove] = 0
    learner = pixels(photos, Augment(shift=0.1))
    found = ablate(learner, photos, parts, plan(parts, 2))
    assert found == ablate(pixels(other, Augment(shift=0.1)), other, parts, plan(parts, 2))
    assert found.n == len(parts.choose) and found.parts == 1
    assert all(taught.tolist() == parts.train.tolist() for taught, _, _ in learner.learned)


def _centred_then_moved(by, each=24):
    """X and O where every photo to learn from stands in the middle, and every photo to choose by is moved by one of `by` pixels both ways."""
    photos = photo_set(2 * each)
    rng = np.random.default_rng(5)
    for at in np.flatnonzero(np.arange(len(photos)) % 2):
        photos.images[at] = np.roll(photos.images[at], rng.choice(by, 2), (0, 1))
    still, moved = np.flatnonzero(np.arange(len(photos)) % 2 == 0), np.flatnonzero(np.arange(len(photos)) % 2)
    return photos, Split(still, moved, NONE, "proof", dealt(photos, still, 0))


def test_a_shift_that_the_door_needs_helps():
    """Taught in the middle, asked aside: shift comes out as helping, in the recipe or added to it; what has nothing to do with it does not."""
    photos, parts = _centred_then_moved([-4, -3, 3, 4])
    used = by_effect(ablate(pixels(photos, Augment(shift=0.25, noise=6)), photos, parts, plan(parts)))
    assert used["shift"].verdict == "helped" == used["all"].verdict and used["noise"].verdict == "unclear"
    assert used["shift"].accuracy.difference > 0.1 and used["shift"].loss.interval[1] < 0
    photos, parts = _centred_then_moved([-2, 2])
    added = by_effect(ablate(pixels(photos, Augment(noise=6)), photos, parts, plan(parts)))["shift"]
    assert added.verdict == "helped" and not added.used and added.loss.present < added.loss.absent


def test_a_flip_that_destroys_the_label_does_harm():
    """Bright on the left or on the right: mirrored at random nothing is left to learn, and the receipts say so."""
    photos = photo_set(10)
    for at, label in enumerate(photos.labels):
        photos.images[at] = np.roll(draw("I", at)[..., None], -4 if label else 4, 1)
    parts = split(photos, 3)
    found = by_effect(ablate(pixels(photos, Augment(flip=True, noise=6)), photos, parts, plan(parts)))
    assert found["flip"].verdict == "harmed" and found["flip"].used and found["noise"].verdict == "unclear"
    assert found["flip"].accuracy.absent > 0.95 and found["flip"].accuracy.difference < -0.2


def test_a_colour_that_is_the_label_is_harmed_by_colour():
    """Dark and bright pictures of one sign: strong changes of brightness hide which is which."""
    photos = photo_set(10)
    for at, label in enumerate(photos.labels):
        photos.images[at] = np.clip(draw("I", at)[..., None] * 0.2 + (100 if label else 70), 0, 255)
    parts = split(photos, 3)
    assert by_effect(ablate(pixels(photos, Augment(colour=0.9)), photos, parts, plan(parts)))["colour"].verdict == "harmed"


def test_more_rows_need_wider_intervals(monkeypatch):
    """Whoever looks at six rows is fooled by chance more easily than who looks at one: the same comparison is made wider."""
    photos = photo_set(6)
    parts, widths = split(photos, 3), []
    for tried in ((), TRIED):
        monkeypatch.setattr(ablation, "TRIED", tried)
        row = by_effect(ablate(pixels(photos, Augment(shift=0.2)), photos, parts, plan(parts)))["shift"]
        widths.append([np.diff(score.interval)[0] for score in (row.loss, row.accuracy)])
    assert (np.array(widths[1]) > 1.15 * np.array(widths[0])).all()


def test_noise_claims_nothing():
    """Labels by the toss of a coin, 25 draws: 5 % of tables may hold a claim, more than 4 would be beyond chance."""
    claims = 0
    for seed in range(25):
        photos = photo_set(8)
        photos = replace(photos, labels=np.random.default_rng(seed).permutation(photos.labels))
        parts = split(photos, seed)
        found = ablate(pixels(photos, Augment(shift=0.12, rotate=20, noise=8), seed), photos, parts, plan(parts, 2))
        claims += any(row.verdict != "unclear" for row in found.rows)
    assert claims <= 4


def test_two_of_each_claim_nothing():
    """The fewest photos that can be trained on: a table with its n, and no verdict, however large the difference."""
    photos = photo_set(2)
    parts = split(photos, 3)
    found = ablate(pixels(photos, Augment(shift=0.4, rotate=90)), photos, parts, plan(parts))
    assert found.n == 4 and found.role == "estimate" and {row.verdict for row in found.rows} == {"unclear"}


def test_the_same_seed_gives_the_same_receipts():
    """To the last digit; another seed gives others."""
    photos = photo_set(5)
    parts = split(photos, 3)
    one, two, three = (ablate(pixels(photos, Augment(shift=0.1), seed), photos, parts, plan(parts)) for seed in (3, 3, 4))
    assert one == two != three


@pytest.mark.parametrize(("trainings", "repeats"), [(30, None), (55, 2)])
def test_a_stop_keeps_whole_repeats(trainings, repeats):
    """Ctrl-C: the repeats that were done are compared; fewer than two are nothing."""
    photos = photo_set(5)
    parts = split(photos, 3)

    def pressed(done, total):
        if done == trainings:
            raise KeyboardInterrupt

    found = ablate(pixels(photos, Augment(shift=0.1)), photos, parts, plan(parts), note=pressed)
    assert found is None if repeats is None else (found.repeats, found.stopped) == (repeats, True)


def test_the_clock_ends_it_after_two_repeats():
    """A time that is over allows the least there is."""
    photos = photo_set(5)
    parts = split(photos, 3)
    assert ablate(pixels(photos, Augment(shift=0.1)), photos, parts, plan(parts, 5), until=0.0).repeats == LEAST_REPEATS


@pytest.mark.parametrize("room", [1, 4, 12, 40, 400])
@pytest.mark.parametrize("sides", [1, 4, 10])
@pytest.mark.parametrize("steps", [20, 60, 1000])
def test_the_plan_keeps_within_its_room(room, sides, steps):
    """All steps together take no more than `room` final trainings, or are the fewest there can be; no training is longer than the network's own."""
    photos = photo_set(6)
    parts = split(photos, 3)
    found = planned(Scratch(photos, recipe(steps), np.arange(12)), parts, sides, room)
    least = found.steps == LEAST_STEPS // 2 and found.repeats == LEAST_REPEATS and found.parts == 2
    assert found.trainings == found.repeats * found.parts * (sides + 1)
    assert found.trainings * found.steps <= 1.02 * room * steps or least
    assert found.steps <= max(steps, LEAST_STEPS // 2) and LEAST_REPEATS <= found.repeats <= MOST_REPEATS and 2 <= found.parts <= 5


def test_the_plan_for_frozen_features_takes_fewer_views():
    """Where all views do not fit, fewer are made, at least one."""
    photos = photo_set(6)
    learner = object.__new__(Frozen)
    learner.each, learner.recipe = 0.05, replace(recipe(0), views=8, seconds=10.0)
    plans = [planned(learner, split(photos, 3), 8, room) for room in (100, 10, 4.5, 0.01)]
    assert [(found.views, found.repeats, found.steps) for found in plans] == [(8, 5, 0), (8, 2, 0), (4, 2, 0), (1, 2, 0)]


def test_a_real_network_can_be_asked():
    """Trained from nothing, a few steps each: every row has its numbers, and the network's own learner is as it was."""
    photos = photo_set(3)
    parts = split(photos, 3)
    learner = Scratch(photos, recipe(60, height=16, width=16, augment=Augment(shift=0.1)), np.arange(6))
    before = learner.recipe
    found = ablate(learner, photos, parts, Plan(3, 2, 0.0, 30, 8, 1000))
    assert found.steps == 30 and found.n == 6 and learner.recipe == before
    assert all(np.isfinite([row.loss.difference, *row.loss.interval, *row.accuracy.interval]).all() for row in found.rows)
