"""Familiarity in numpy: equal to the sum written out, and to what the exported graph computes (tests/export)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peephole.decide.familiarity import K, centre_of, choose_known, familiarity, margin, similarity


def by_hand(embedding, known, labels, count, k):
    """Mean of the k largest cosines to each label's known examples, one by one."""
    middle = np.mean([known[labels == label].mean(0) for label in np.unique(labels)], 0) if len(np.unique(labels)) > 1 else 0 * known[0]
    out = np.zeros((len(embedding), count))
    for row, one in enumerate(embedding):
        for label in range(count):
            cosines = []
            for other in known[labels == label]:
                a, b = one - middle, other - middle
                cosines.append(a @ b / max(np.sqrt(a @ a) * np.sqrt(b @ b), 1e-12))
            best = sorted(cosines, reverse=True)[:k]
            out[row, label] = sum(best) / len(best)
    return out


@given(seed=st.integers(0, 10_000), k=st.integers(1, 6), counts=st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_it_is_the_sum_written_out(seed, k, counts):
    """For any numbers of known examples, also fewer than k, and any k."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    known, asked = rng.normal(1, 1, (len(labels), 5)), rng.normal(1, 1, (4, 5))
    similar = similarity(asked, known, centre_of(known, labels))
    assert similar.shape == (4, len(labels)) and np.abs(similar).max() <= 1 + 1e-6
    np.testing.assert_allclose(familiarity(similar, labels, len(counts), k), by_hand(asked, known, labels, len(counts), k), atol=1e-5)


def test_a_known_example_is_most_familiar_with_itself():
    """Cosine 1 with itself; a label that has no known example is below every cosine."""
    known = np.eye(4, dtype=np.float32)
    similar = similarity(known, known, centre_of(known, np.arange(4)))
    np.testing.assert_allclose(np.diag(similar), 1, atol=1e-6)
    assert (familiarity(similar, np.array([0, 0, 1, 1]), 3)[:, 2] == -2).all()


def test_the_centre_does_not_follow_the_larger_label():
    """The middle of the labels' means: a hundred more examples of one label do not pull it. One label has no middle."""
    few = np.array([[0.0, 0], [4, 4]])
    many = np.concatenate([np.zeros((100, 2)), [[4.0, 4]]])
    np.testing.assert_allclose(centre_of(many, np.array([0] * 100 + [1])), centre_of(few, np.array([0, 1])))
    assert not centre_of(few, np.array([0, 0])).any()


def test_nothing_is_divided_by_zero():
    """An embedding that lies on the centre has cosine 0 with everybody."""
    known = np.array([[1.0, 0], [-1, 0]])
    assert (similarity(np.zeros((1, 2)), known, centre_of(known, np.array([0, 1]))) == 0).all()


def test_margin_leads_and_trails():
    """The best label minus the next; negative when another is nearer; 2 where there is one label."""
    familiar = np.array([[0.9, 0.5, 0.2], [0.1, 0.4, 0.6]])
    np.testing.assert_allclose(margin(familiar, np.array([0, 1])), [0.4, -0.2])
    np.testing.assert_allclose(margin(familiar[:, :1], np.array([0, 0])), [2, 2])
    assert familiar[0, 0] == 0.9, "the scores themselves are left as they were"


@pytest.mark.parametrize(("per_label", "most", "each"), [(3, 100, 3), (50, 100, 10), (50, 6, 2), (50, 2, 1)])
def test_the_known_are_dealt_evenly(per_label, most, each):
    """As many of every label as both caps allow, at least one, the same for the same seed."""
    labels = np.repeat([0, 1, 2], 10)
    chosen = choose_known(labels, np.arange(30), per_label, most, 7)
    assert np.bincount(labels[chosen]).tolist() == [each] * 3
    assert len(set(chosen.tolist())) == len(chosen) and (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, choose_known(labels, np.arange(30), per_label, most, 7))


def test_every_source_before_a_second_copy():
    """Ten photos of a burst do not crowd out the others."""
    labels, sources = np.zeros(14, int), np.array([0] * 10 + [1, 2, 3, 4])
    chosen = choose_known(labels, sources, 5, 100, 7)
    assert sorted(sources[chosen].tolist()) == [0, 1, 2, 3, 4]


def test_three_neighbours_count():
    """As the card's k says."""
    assert K == 3
