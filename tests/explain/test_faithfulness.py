"""How far a map can be believed: against scikit-learn, scipy and shapes whose answer is known."""

import numpy as np
import pytest
from scipy.spatial import procrustes as scipy_procrustes
from scipy.stats import spearmanr
from sklearn.manifold import trustworthiness

from peephole.base.errors import InputError
from peephole.explain.faithfulness import distances, faithfulness, mantel, procrustes, ranks, spearman


@pytest.fixture
def points():
    """60 points of 8 numbers and their first two: a poor map, but a map."""
    found = np.random.default_rng(3).normal(size=(60, 8))
    return found, found[:, :2]


def test_as_scikit_learn_counts_it(points):
    """Trustworthiness is scikit-learn's, continuity the same with the two exchanged, Spearman's is scipy's."""
    found = faithfulness(*points, 5)
    assert found.trustworthiness == pytest.approx(trustworthiness(*points, n_neighbors=5), abs=1e-12)
    assert found.continuity == pytest.approx(trustworthiness(*points[::-1], n_neighbors=5), abs=1e-12)
    above = np.triu_indices(60, 1)
    assert found.spearman == pytest.approx(spearmanr(*(distances(each)[above] for each in points)).statistic, abs=1e-12)
    assert (found.n, found.k, found.sampled, found.chance) == (60, 5, False, 5 / 59)
    assert 0.55 < found.trustworthiness < 0.95 and found.chance < found.agreement < 0.6


def test_a_perfect_map_is_perfect(points):
    """The same points, turned, keep everything; points by lot keep no more neighbours than chance."""
    found, _ = points
    flat = found[:, :2]
    turned = 3 * flat @ np.array([[0, 1], [-1, 0]])
    same = faithfulness(flat, turned)
    assert (same.trustworthiness, same.continuity, same.agreement) == (1, 1, 1) and same.spearman == pytest.approx(1)
    lot = faithfulness(found, np.random.default_rng(4).normal(size=(60, 2)))
    assert lot.agreement == pytest.approx(lot.chance, abs=0.08) and abs(lot.spearman) < 0.1


def test_few_points_and_many():
    """With 3 points one neighbour counts; of more than 2,000 a sample is measured, and that is said."""
    few = np.random.default_rng(5).normal(size=(3, 2))
    assert faithfulness(few, few).k == 1
    many = np.random.default_rng(6).normal(size=(2_100, 2))
    found = faithfulness(many, many)
    assert found.sampled and found.n == 2_000 and found.trustworthiness == 1
    for wrong in ((few[:2], few[:2]), (few, few[:2])):
        with pytest.raises(InputError, match="cannot be compared"):
            faithfulness(*wrong)


def test_ties_share_their_rank():
    """Equal values have the mean of their ranks, and what does not vary has no correlation."""
    assert ranks(np.array([5.0, 1, 5, 3])).tolist() == [3.5, 1, 3.5, 2]
    assert spearman(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(-1)
    assert np.isnan(spearman(np.ones(4), np.arange(4.0)))


def test_geography_is_told_from_chance():
    """A shifted, mirrored, noisy copy agrees beyond chance; unrelated places do not, and a p is never zero."""
    draw = np.random.default_rng(7)
    places = draw.normal(size=(12, 2))
    copy = places * [-2, 2] + 5 + draw.normal(0, 0.3, (12, 2))
    for found in (mantel(distances(copy), distances(places)), procrustes(copy, places)):
        assert found.value > 0.9 and found.p == pytest.approx(1 / 10_000) and found.permutations == 9_999
    other = draw.normal(size=(12, 2))
    for found in (mantel(distances(other), distances(places)), procrustes(other, places)):
        assert found.p > 0.05 and found.value < 0.5


def test_procrustes_is_scipys(points):
    """R² is one minus scipy's disparity, and exactly 1 for a mirrored copy."""
    found, flat = points
    other = found[:, 2:4] + 0.5 * flat
    assert procrustes(flat, other).value == pytest.approx(1 - scipy_procrustes(flat, other)[2], abs=1e-12)
    assert procrustes(flat * [1, -1], flat).value == pytest.approx(1)


def test_a_p_is_uniform_where_there_is_nothing():
    """Over 40 pairs of unrelated places about one in ten p is at most 0.1: the test claims no more than it may."""
    draw = np.random.default_rng(8)
    pairs = [(draw.normal(size=(8, 2)), draw.normal(size=(8, 2))) for _ in range(40)]
    assert sum(procrustes(one, two).p <= 0.1 for one, two in pairs) <= 9
    assert sum(mantel(distances(one), distances(two)).p <= 0.1 for one, two in pairs) <= 9


def test_what_cannot_be_tested_is_refused():
    """Too few places, other places, too few permutations, and places that are all the same."""
    places = np.random.default_rng(9).normal(size=(5, 2))
    with pytest.raises(InputError, match="same 4 to 1,000 places"):
        mantel(distances(places), distances(places[:4]))
    with pytest.raises(InputError, match="too few for a p"):
        procrustes(places, places, permutations=999)
    with pytest.raises(InputError, match="one and the same"):
        procrustes(places, np.ones((5, 2)))


@pytest.mark.parametrize("odd", [np.zeros((5, 5)), np.full((5, 5), np.nan)])
def test_distances_that_do_not_differ_have_no_p(odd):
    """Nothing agrees with them, and chance cannot be told: no p is printed."""
    places = distances(np.random.default_rng(1).normal(size=(5, 2)))
    for pair in ((odd, places), (places, odd)):
        with pytest.raises(InputError, match="agree with nothing"):
            mantel(*pair)
    with pytest.raises(InputError, match="no shape"):
        procrustes(np.full((5, 2), np.nan), np.ones((5, 2)) * np.arange(5)[:, None])
