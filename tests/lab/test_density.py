"""The ball where it can land anywhere: known convolutions, the estimated error above the true one, the way back."""

import math

import numpy as np
import pytest

from peephole.base.errors import InputError
from peephole.lab.density import drop, exponential, normal, read_density, sampled, triangle, uniform

ERF = np.vectorize(math.erf)


def bell(mean, deviation):
    return lambda x: np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))


KNOWN = {
    "two even ones": (uniform(0, 1), uniform(0, 1), lambda x: np.clip(1 - np.abs(x - 1), 0, None)),
    "two bells": (normal(0, 1), normal(1, 2), bell(1, math.sqrt(5))),
    "a wide and a narrow bell": (normal(0, 1), normal(1, 0.001), bell(1, math.sqrt(1.000001))),
    "two waits": (exponential(2), exponential(2), lambda x: 4 * x * np.exp(-2 * x)),
    "two other waits": (exponential(2), exponential(1), lambda x: 2 * (np.exp(-x) - np.exp(-2 * x))),
    "even and bell": (uniform(-1, 1), normal(0, 1), lambda x: (ERF((x + 1) / math.sqrt(2)) - ERF((x - 1) / math.sqrt(2))) / 4),
    "a tent as samples": (sampled([0, 1, 2], [0, 5, 0]), uniform(0, 1), lambda x: drop(triangle(0, 1, 2), uniform(0, 1)).values),
}


@pytest.mark.parametrize(("first", "second", "law"), KNOWN.values(), ids=KNOWN)
def test_known_convolutions(first, second, law):
    """Right to 1e-12, and off by no more than it says."""
    found = drop(first, second)
    off = np.abs(found.values - law(found.places))
    assert off.max() < 1e-12 and (off <= found.errors).all() and found.errors.max() < 1e-9


def test_the_way_back_is_a_density():
    """p(a | c) holds 1; after two even drops it is even over what is possible."""
    spot = drop(uniform(0, 1), uniform(0, 1)).at("0.5")
    assert spot.density == pytest.approx(0.5) and spot.places[[0, -1]].tolist() == [0, 0.5] and spot.came_from == pytest.approx(2)
    spot = drop(normal(0, 1), exponential(1)).at(1.5)
    assert np.trapezoid(spot.came_from, spot.places) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize(
    "words", ["uniform:1,0", "uniform:0", "normal:0,nan", "normal:0,-1", "exponential:0", "triangle:0,3,2", "uniform:0,inf", "cauchy:0,1", "normal"]
)
def test_what_is_no_density(words):
    """One sentence and a hint."""
    with pytest.raises(InputError) as refused:
        read_density(words)
    assert refused.value.hint


@pytest.mark.parametrize(("places", "values"), [([0], [1]), ([1, 0], [1, 1]), ([0, 1], [0, 0]), ([0, 1], [-1, 2]), ([0, np.nan], [1, 1])])
def test_samples_that_are_none(places, values):
    """Falling places, negative, missing or all-zero values are refused."""
    with pytest.raises(InputError):
        sampled(np.array(places), np.array(values))


def test_nowhere():
    """A place beyond both is told as such."""
    with pytest.raises(InputError, match="cannot lie at 5"):
        drop(uniform(0, 1), uniform(0, 1)).at(5)
