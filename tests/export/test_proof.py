"""Proof is counted on the exported graph: per stranger, per source, and never better than the answers."""

from dataclasses import replace

import numpy as np
import pytest

import peephole
from peephole.base.engine import Outputs
from peephole.export import proof
from peephole.train.crossfit import HeldOut


@pytest.fixture
def card(tiny_card):
    """A card with a threshold of 0.5 and no margin."""
    return tiny_card.model_copy(update={"unknown": tiny_card.unknown.model_copy(update={"threshold": 0.5, "margin": 0.0})})


def outputs(familiar):
    """Return answers whose logits say what is most familiar."""
    familiar = np.array(familiar, np.float32)
    empty = np.zeros((len(familiar), 1), np.float32)
    return Outputs(familiar.copy(), empty, familiar, empty)


def test_a_stranger_let_in_twice_is_one_error(card):
    """Five photos of three strangers: the first was let in with both, the third with none."""
    who = np.array([4, 4, 7, 7, 9])
    found = proof._false_accept(card, who, outputs([[0.9, 0], [0.8, 0], [0.1, 0.6], [0.1, 0.2], [0.4, 0.4]]), "stranger")
    assert (found.errors, found.trials, found.unit, found.role) == (2, 3, "stranger", "proof")


def test_copies_are_judged_once(card, drawn_photos, drawn_model):
    """Of a burst only the first counts, in the score and in the false rejects; the wrong label is a reject too."""
    from drawings import photo_set

    photos = replace(photo_set(3), sources=np.array([0, 0, 1, 2, 3, 3]))
    familiar = np.array([[0.9, 0], [0, 0.9], [0, 0.9], [0, 0.3], [0, 0.9], [0, 0.9]], np.float32)
    held = HeldOut(familiar, photos.labels, familiar, np.arange(6))
    found = proof._false_reject(card, photos, held, "estimate")
    assert (found.errors, found.trials, found.role) == (2, 4, "estimate")
    score = proof._score(held.right[proof._first_of_sources(photos, held.indices)], "estimate")
    assert (score.n, score.accuracy) == (4, 0.75)


def test_the_file_answers_as_its_card_says(drawn_photos, drawn_model):
    """The false accepts that the card proves are those the file shows when its own strangers come again."""
    predictor = peephole.load(drawn_model)
    said = next(e for e in predictor.card.evidence if e.claim == "false accept")
    found = peephole.evaluate(predictor, drawn_photos)
    counted = next(e for e in found.evidence if e.claim == "false accept")
    assert (counted.errors, counted.trials, counted.bound) == (said.errors, said.trials, said.bound)
