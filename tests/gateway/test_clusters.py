"""Pictures are put together by what they show: linkage against its definition, visits first, odd embeddings, taking apart."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from peephole.gateway.clusters import clusters, halves, linked


def people(counts: list[int], spread: float = 0.05, wide: int = 24, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings of so many pictures of each person, around orthogonal directions, and whose they are."""
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(len(counts)), counts)
    return (np.eye(wide)[who] + random.normal(0, spread, (len(who), wide))) * random.uniform(0.5, 20, (len(who), 1)), who


def slow(unit: np.ndarray, cut: float) -> set[frozenset[int]]:
    """Average linkage by its definition: of all pairs of clusters, join the one with the smallest mean of all distances, again and again."""
    groups = [frozenset([at]) for at in range(len(unit))]
    while len(groups) > 1:
        means = {(a, b): np.mean([1 - unit[i] @ unit[j] for i in a for j in b]) for a, b in combinations(groups, 2)}
        (a, b), least = min(means.items(), key=lambda item: item[1])
        if least > cut:
            break
        groups = [group for group in groups if group not in (a, b)] + [a | b]
    return set(groups)


def compare(link: Callable[..., list[list[int]]]) -> bool:
    """Say whether a linkage finds what the definition finds, over many small draws."""
    for seed in range(30):
        random = np.random.default_rng(seed)
        unit = random.normal(size=(random.integers(1, 14), 3))
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        cut = random.uniform(0.1, 1.2)
        if {frozenset(group) for group in link(unit, np.ones(len(unit)), cut)} != slow(unit, cut):
            return False
    return True


def forgetful(means: np.ndarray, weights: np.ndarray, cut: float) -> list[list[int]]:
    """A planted bug: single linkage, which chains strangers together."""
    groups = [[at] for at in range(len(means))]
    near = 1 - means @ means.T
    for one, other in zip(*np.nonzero(near <= cut), strict=True):
        first = next(group for group in groups if one in group)
        second = next(group for group in groups if other in group)
        if first is not second:
            groups.remove(second)
            first += second
    return groups


def test_it_is_average_linkage() -> None:
    """The fast way finds what the definition finds; a single linkage is caught."""
    assert compare(linked) and not compare(forgetful)


def test_each_person_is_one_question() -> None:
    """Five people in visits of four pictures: five clusters, the largest first, lengths do not count."""
    embeddings, who = people([20, 16, 12, 8, 4])
    found = clusters(embeddings, [f"v{at // 4}" for at in range(len(who))])
    assert [len(group) for group in found] == [20, 16, 12, 8, 4]
    assert all(len(set(who[list(group)])) == 1 for group in found)


def test_a_visit_stays_together_unless_it_clearly_differs() -> None:
    """Two looks of one person, 0.4 apart, are one cluster within a visit, two across visits; two people in one visit are always two."""
    near = np.array([[1.0, 0, 0], [0.6, 0.8, 0]])
    assert clusters(near, ["v", "v"]) == ((0, 1),) and clusters(near, ["v", "w"]) == ((0,), (1,))
    assert clusters(np.eye(3)[[0, 0, 1]], ["v"] * 3) == ((0, 1), (2,))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_odd_embeddings_are_alone(value: float) -> None:
    """What is not a number, or nothing at all, belongs to nobody and disturbs nobody."""
    embeddings, _ = people([4, 4])
    embeddings[5] = value
    with np.errstate(invalid="ignore"):
        assert clusters(embeddings, ["v"] * 4 + ["w"] * 4) == ((0, 1, 2, 3), (4, 6, 7), (5,))


def test_few() -> None:
    """Nothing makes no question, one picture one."""
    assert clusters(np.empty((0, 8)), []) == () and clusters(np.ones((1, 8)), ["v"]) == ((0,),)


def test_a_mixed_cluster_is_taken_apart() -> None:
    """The two who were put together are two again; one picture cannot be."""
    embeddings, who = people([3, 5], spread=0.2)
    assert [set(who[list(group)]) for group in halves(embeddings)] == [{1}, {0}]
    assert halves(embeddings[:1]) == ((0,),)


def test_many_pictures_of_one_person() -> None:
    """A thousand visits are one cluster."""
    embeddings, _ = people([1000])
    assert len(clusters(embeddings, [str(at) for at in range(1000)])) == 1
