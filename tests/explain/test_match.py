"""The match of a window with a filter is the cosine between them, whatever their strength."""

import numpy as np
import pytest
from foreign import node, noise, opened

from peephole.base.errors import InputError
from peephole.explain.match import match
from peephole.explain.recompute import recompute
from peephole.explain.trace import trace

KINDS = {
    "plain": ((4, 3, 3, 3), {}),
    "strided, padded": ((4, 3, 3, 2), {"pads": [1, 0, 1, 1], "strides": [2, 3]}),
    "dilated": ((2, 3, 2, 2), {"dilations": [2, 3]}),
    "depthwise": ((6, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_cosine(kind):
    """Every cell equals window . filter / (|window| |filter|), with the padding counted as the zeros it is."""
    shape, attributes = KINDS[kind]
    weight, bias = noise(shape, 1), noise(shape[:1], 2)
    found = trace(opened([node("Conv", "x", "w", "b", name="conv", **attributes)], {"w": weight, "b": bias}), noise((1, 3, 9, 8)))
    matched = match(found, "conv")
    assert matched.shape == found.values("conv").shape and matched.dtype == np.float32
    for index in np.ndindex(matched.shape):
        terms = recompute(found, "conv", index).terms
        window, filter_ = np.array([term.value for term in terms]), np.array([term.weight for term in terms])
        assert matched[index] == pytest.approx(window @ filter_ / np.linalg.norm(window) / np.linalg.norm(filter_), abs=1e-6)


def test_a_filter_cut_from_the_picture_matches_itself():
    """1 where it was cut out, -1 for its negative, whatever its strength; without a common part 0."""
    picture = noise((1, 1, 9, 8))
    patch = picture[0, :, 2:5, 3:6]
    weight = np.stack([patch * 7, -patch / 7, np.zeros_like(patch)])
    found = trace(opened([node("Conv", "x", "w", name="conv")], {"w": weight}, ("N", 1, 9, 8)), picture)
    matched = match(found, "conv")
    assert matched[0, 2, 3] == pytest.approx(1, abs=1e-6) and matched[1, 2, 3] == pytest.approx(-1, abs=1e-6)
    assert np.abs(matched).max() <= 1 and not matched[2].any()
    assert np.argmax(matched[0]) == 2 * 6 + 3


def test_empty_windows_match_nothing():
    """An all-zero window has no direction: 0, not NaN. A NaN stays one."""
    picture = np.zeros((1, 1, 9, 8), np.float32)
    picture[0, 0, 8, 7] = np.nan
    found = trace(opened([node("Conv", "x", "w", name="conv")], {"w": noise((2, 1, 3, 3))}, ("N", 1, 9, 8)), picture)
    matched = match(found, "conv")
    assert np.isnan(matched[:, -1, -1]).all() and not matched[:, :-1].any()


def test_only_convolutions_have_filters():
    """Another layer is named with the reason."""
    found = trace(opened([node("Relu", "x", name="relu")], {}), noise((1, 3, 9, 8)))
    with pytest.raises(InputError, match="'relu' \\(Relu\\) is no convolution"):
        match(found, "relu")
