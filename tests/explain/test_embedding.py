"""The map of embeddings: which view stands first and why, new points, groups, and what is refused."""

from dataclasses import fields

import numpy as np
import pytest

from peephole.base.errors import DataError, InputError, SettingsError
from peephole.explain.clusters import groups
from peephole.explain.embedding import draw_map, project
from peephole.explain.words import LANGUAGES


def blobs(n, seed=0, kinds=3, wide=16):
    """Return points of `kinds` groups, their names and labels."""
    draw = np.random.default_rng(seed)
    kind = np.arange(n) % kinds
    centres = 4 * draw.normal(size=(kinds, wide))
    return centres[kind] + draw.normal(size=(n, wide)), [f"point {i}" for i in range(n)], [f"kind {i}" for i in kind]


@pytest.fixture(scope="module")
def ninety():
    """A map of 90 points that can take more, with what it was drawn of."""
    vectors, names, labels = blobs(90)
    return project(vectors, names, labels, seed=3), vectors, names, labels


def test_many_points_are_shown_by_tsne(ninety):
    """t-SNE first and principal components beside it, both measured; groups are the labels and hold."""
    found = ninety[0].map
    assert [view.method for view in found.views] == ["t-sne", "pca"] and found.points.shape == found.beside.points.shape == (90, 2)
    assert found.perplexity == pytest.approx(89 / 3) and 0 < found.divergence < 1 and found.faithfulness.trustworthiness > 0.9
    assert [reason.key for reason in found.reasons] == ["many", "perplexity"]
    for cluster in found.clusters:
        assert (cluster.count, cluster.noise, cluster.labels_agree, cluster.stability) == (3, 0, 1, 1) and cluster.beyond_chance
    labels = np.array(found.labels)
    assert (labels[found.neighbours] == labels[:, None]).all()
    assert not (found.neighbours == np.arange(90)[:, None]).any() and (np.diff(found.distances, axis=1) >= 0).all() and found.distances.min() > 0
    assert found.find("POINT 12") == (12,) and len(found.find("kind 1")) == 30


def test_few_points_are_shown_by_principal_components():
    """Below 50 points PCA stands first, below 8 alone, and the reason is said in both languages."""
    few, fewer = (draw_map(*blobs(n)) for n in (49, 5))
    assert [view.method for view in few.views] == ["pca", "t-sne"] and [view.method for view in fewer.views] == ["pca"]
    assert few.shares[0] > few.shares[1] and few.divergence is None
    assert "49 points" in few.reasons[0].said() and "MDS" in few.reasons[0].said() and "49개" in few.reasons[0].said("ko")
    assert fewer.reasons[0].key == "toofew"


def test_the_same_seed_gives_the_same_map(ninety):
    """To the last bit, groups and their stability too; another seed another map."""
    once, vectors, names, labels = ninety
    again, other = (draw_map(vectors, names, labels, seed=seed) for seed in (3, 4))

    def numbers(found):
        inner = [getattr(found, field.name) for field in fields(found)] + [getattr(each, f.name) for each in found.clusters for f in fields(each)]
        return b"".join(value.tobytes() for value in inner if isinstance(value, np.ndarray))

    assert numbers(once.map) == numbers(again) != numbers(other)
    assert once.map.faithfulness == again.faithfulness and once.map.divergence == again.divergence


def test_new_points_do_not_move_the_map(ninety):
    """A known point laid in again lies on itself in both views, whoever comes with it; a point far from all is said to be."""
    projection, vectors, names, labels = ninety
    before = projection.map.points.copy()
    together = projection.place(vectors[:6], names[:6], labels[:6])
    alone = projection.place(vectors[2:3], names[2:3])
    np.testing.assert_array_equal(projection.map.points, before)
    np.testing.assert_allclose(together.points[2], alone.points[0], rtol=1e-9)
    assert together.nearest.tolist() == list(range(6)) and not together.far.any() and together.distances.max() == 0
    assert np.linalg.norm(together.points - before[:6], axis=1).max() < 0.1 * before.std()
    np.testing.assert_allclose(together.beside, projection.map.beside.points[:6], atol=1e-9)
    strange = projection.place(vectors[:1] + 50, ["strange"], [None])
    assert strange.far.tolist() == [True] and np.isfinite(strange.points).all()
    assert projection.place(np.empty((0, 16)), []).points.shape == (0, 2)


def test_new_points_of_another_kind_are_refused(ninety):
    """Another width, or what is not a number."""
    projection, vectors, *_ = ninety
    with pytest.raises(InputError, match="of 3 numbers do not fit on a map of 16"):
        projection.place(vectors[:1, :3], ["a"])
    with pytest.raises(InputError, match="b has an embedding that is not a number"):
        projection.place(vectors[:2] * [[1], [np.nan]], ["a", "b"])


def test_noise_has_no_groups_beyond_chance():
    """k-means finds groups in plain noise; beside its shuffles they are nothing, and they do not hold."""
    noise = np.random.default_rng(11).normal(size=(120, 8))
    found = groups(noise)
    assert [each.method for each in found] == ["k-means", "hdbscan"] and not any(each.beyond_chance for each in found)
    assert found[0].count >= 2 and found[0].stability < 0.6 and found[0].labels_agree is None


@pytest.mark.parametrize(
    ("vectors", "says"), [(np.ones((1, 4)), "1 point has no map"), (np.ones((9, 4)), "the same embedding"), (np.eye(2), "2 points")]
)
def test_what_has_no_map_is_refused(vectors, says):
    """One photo, two, and embeddings that are all equal."""
    with pytest.raises(DataError, match=says):
        draw_map(vectors, [f"{i}" for i in range(len(vectors))])


def test_what_is_not_a_number_is_left_out():
    """A row of NaN is left out by name and the others are drawn; rows and names must belong together; a perplexity must be one."""
    vectors, names, labels = blobs(20)
    vectors[4, 2], vectors[7] = np.nan, np.inf
    found = draw_map(vectors, names, labels)
    assert len(found.names) == 18 and "point 4" not in found.names and found.chosen.tolist() == [i for i in range(20) if i not in (4, 7)]
    assert all("point 4" in found.reasons[0].said(language) for language in LANGUAGES)
    with pytest.raises(InputError, match="do not belong together"):
        draw_map(vectors, names[:3])
    for wrong in (0.5, float("nan"), -3, float("inf")):
        with pytest.raises(SettingsError, match="perplexity"):
            draw_map(vectors, names, perplexity=wrong)


def test_odd_points_are_drawn():
    """One label, two, points that repeat, one dimension, and a perplexity that is too large: a map all the same."""
    draw = np.random.default_rng(2)
    twice = np.repeat(draw.normal(size=(5, 4)), 12, axis=0)
    for vectors in (twice, draw.normal(size=(60, 1)), draw.normal(size=(60, 70)) * 1e-6):
        found = draw_map(vectors, [f"{i}" for i in range(60)], ["a"] * 60, perplexity=500)
        assert np.isfinite(found.points).all() and found.perplexity == pytest.approx(59 / 3) and found.points.std() > 0
        assert all(each.labels_agree is None for each in found.clusters)
    assert found.reasons[-1].key == "reduced"
