"""Cross-fitting: what is scored was never known to the model that scores it; a leak would show at once."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from toys import recipe

from drawings import photo_set
from peephole.train.crossfit import held_out, labels_in_turn, score

PHOTOS = photo_set(6, "XO=IL")
FOLDS = tuple(np.flatnonzero(np.arange(len(PHOTOS)) % 3 == fold) for fold in range(3))
EVERYTHING = np.arange(len(PHOTOS))


@dataclass(eq=False)
class Memory:
    """A learner that only remembers: a photo's embedding is like its own label's, and exactly like itself alone.

    Two different photos of a label have a cosine of about 0.5, a photo and itself one of 1: a held-out photo among the known
    examples cannot hide.
    """

    recipe: object = field(default_factory=recipe)
    learned: list = field(default_factory=list)

    def learn(self, indices, labels, share):
        """Note what is learned from."""
        self.learned.append((np.asarray(indices), labels.copy(), share))
        self.count = int(labels[indices].max()) + 1
        return self

    def answers(self, indices):
        """Return logits for the label the photo truly has, and an embedding with a part of its own."""
        embedding = np.zeros((len(indices), 5 + len(PHOTOS)), np.float32)
        embedding[np.arange(len(indices)), PHOTOS.labels[indices]] = 1
        embedding[np.arange(len(indices)), 5 + np.asarray(indices)] = 1
        logits = np.zeros((len(indices), self.count), np.float32)
        logits[np.arange(len(indices)), np.minimum(PHOTOS.labels[indices], self.count - 1)] = 4
        return logits, embedding


def nothing():
    """Note nothing."""


def test_each_is_held_out_once_and_never_known():
    """Every photo is scored once by a model that did not learn it, and nearest to others, not to itself."""
    learner = Memory()
    found = held_out(learner, PHOTOS, FOLDS, share=0.3, note=nothing)
    assert sorted(found.indices.tolist()) == EVERYTHING.tolist()
    np.testing.assert_array_equal(found.labels, PHOTOS.labels[found.indices])
    for fold, (indices, _, share) in zip(FOLDS, learner.learned, strict=True):
        assert not np.intersect1d(fold, indices).size and share == 0.3
        assert len(fold) + len(indices) == len(PHOTOS)
    assert found.genuine.max() < 0.75
    assert found.right.all()


def test_a_leak_would_show():
    """The planted twin: with the asked photos among the known ones, familiarity rises to where the test above fails."""
    model = Memory().learn(EVERYTHING, PHOTOS.labels, 1.0)
    _, honest = score(model, FOLDS[1], PHOTOS.labels[FOLDS[1]], FOLDS[0], 5)
    _, leaked = score(model, EVERYTHING, PHOTOS.labels, FOLDS[0], 5)
    own = PHOTOS.labels[FOLDS[0]]
    rows = np.arange(len(own))
    assert honest[rows, own].max() < 0.75
    assert (leaked[rows, own] > honest[rows, own] + 0.1).all()
    assert leaked[rows, own].max() > 0.6


def test_labels_in_turn_have_never_been_seen():
    """A group of labels is away from the learning and from the known examples, and so is the fold that gives the genuine scores."""
    learner = Memory()
    found = labels_in_turn(learner, PHOTOS, EVERYTHING, FOLDS[0], share=0.4, note=nothing)
    assert found.labels == 5
    seen_as_strangers = []
    for indices, renumbered, share in learner.learned:
        present = np.unique(PHOTOS.labels[indices])
        assert not np.intersect1d(indices, FOLDS[0]).size
        assert np.unique(renumbered[indices]).tolist() == list(range(len(present)))
        assert (renumbered[~np.isin(PHOTOS.labels, present)] == -1).all()
        seen_as_strangers += np.setdiff1d(np.arange(5), present).tolist()
        assert share == pytest.approx(0.4 / len(learner.learned))
    assert sorted(seen_as_strangers) == [0, 1, 2, 3, 4]
    assert len(found.impostors) == len(PHOTOS)
    assert found.impostors.max() < 0.3 < found.genuine.min()
    assert found.genuine.max() < 0.75


@pytest.mark.parametrize(("signs", "enough"), [("XO", False), ("XO=", True)])
def test_too_few_labels_are_said_to_be_too_few(signs, enough):
    """With two labels nothing can be held out and still be told apart; with three it can."""
    photos = photo_set(4, signs)
    every = np.arange(len(photos))
    found = labels_in_turn(Memory(), photos, every, every[::4], share=0.4, note=nothing)
    assert (found is not None) == enough


def test_one_note_for_each_learning():
    """Whoever watches hears every fold and every group."""
    notes = []
    learner = Memory()
    held_out(learner, PHOTOS, FOLDS, share=0.3, note=lambda: notes.append(1))
    labels_in_turn(learner, PHOTOS, EVERYTHING, FOLDS[0], share=0.3, note=lambda: notes.append(1))
    assert len(notes) == len(learner.learned)
