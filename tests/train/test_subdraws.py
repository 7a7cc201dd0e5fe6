"""Sub-draws: models of parts of the photos are asked about the rest alone, by source, and within the time."""

import time
from dataclasses import dataclass, field, replace

import numpy as np
from toys import recipe

from drawings import photo_set
from peephole.train.subdraws import sizes_of, sub_draws

PHOTOS = photo_set(6, "XO=")


@dataclass(eq=False)
class Noting:
    """A learner that notes what it is given and asked, and answers everything right."""

    recipe: object = field(default_factory=recipe)
    calls: list = field(default_factory=list)

    def learn(self, indices, labels, share):
        """Note the photos."""
        self.calls.append([np.asarray(indices), None])
        return self

    def answers(self, indices):
        """Note what was asked; name every photo right."""
        self.calls[-1][1] = np.asarray(indices)
        return np.eye(3)[PHOTOS.labels[indices]], np.zeros((len(indices), 2))


def nothing(done, total):
    """Note nothing."""


def test_what_is_asked_was_not_taught():
    """No photo, and no copy of one, stands on both sides; every label is taught; all answers are counted."""
    sources = np.where(np.arange(18) < 2, 0, np.arange(18))
    photos, learner = replace(PHOTOS, sources=sources), Noting()
    asked, turns = sub_draws(learner, photos, end=time.perf_counter() + 60, seed=1, note=nothing)
    assert turns == 6 and len(learner.calls) == 6 * len(asked.sizes) and not asked.wrong.any()
    for taught, rest in learner.calls:
        assert not np.intersect1d(sources[taught], sources[rest]).size and set(PHOTOS.labels[taught]) == {0, 1, 2}
    assert asked.asked.sum() == sum(len(rest) for _, rest in learner.calls)


def test_out_of_time_one_turn_is_made():
    """A budget that is spent already buys one draw of each size, and no more."""
    learner = Noting()
    asked, turns = sub_draws(learner, PHOTOS, end=time.perf_counter(), seed=1, note=nothing)
    assert turns == 1 and len(learner.calls) == len(asked.sizes) == 3


def test_sizes_leave_one_to_ask():
    """With two of each label there is one size, one photo; with ten there are as many as the learner affords, never all ten."""
    assert [size.tolist() for size in sizes_of(photo_set(2), "train")] == [[1, 1]]
    many = sizes_of(photo_set(10), "frozen")
    assert len(many) == 5 and max(size.max() for size in many) == 9
