"""A window slides over a grid: sizes by the formula, values as another library pools them."""

import itertools

import numpy as np
import pytest

from peephole.base.errors import InputError
from peephole.lab.window import Steps, slide


@pytest.mark.parametrize(
    ("side", "steps", "places"),
    [(227, Steps(11, 4), 55), (224, Steps(7, 2, 3), 112), (7, Steps(2, 2), 3), (7, Steps(2, 2, partial=True), 4), (5, Steps(3, dilation=3), 0)],
)
def test_places(side, steps, places):
    """AlexNet's 227 and 55, 224 and 112; 7 pooled by 2 with and without the cut window; a window that fits nowhere has no place."""
    assert steps.count(side) == places


def test_largest_is_that_of_another_library():
    """All small sizes, strides, paddings and dilations agree with PyTorch's max pooling, with cut windows and without."""
    torch = pytest.importorskip("torch")
    checked = 0
    for side, k, s, p, d, partial in itertools.product((5, 6, 7), (1, 2, 3), (1, 2, 3), (0, 1), (1, 2), (False, True)):
        steps = Steps(k, s, p, d, partial)
        if p > k / 2 or not steps.count(side):
            continue
        grid = np.random.default_rng(side).normal(size=(side, side))
        wanted = torch.nn.functional.max_pool2d(torch.from_numpy(grid)[None, None], k, s, p, d, partial)[0, 0].numpy()
        assert np.array_equal(slide(grid, steps, "max").values, wanted), steps
        checked += 1
    assert checked > 100


def test_sum_and_mean_count_what_is_inside():
    """At a corner of the padding four of nine cells count."""
    found = slide(np.ones((4, 4)), Steps(3, 1, 1))
    assert (found.values[0, 0], found.inside[0, 0], found.values[1, 1]) == (4, 4, 9)
    assert (slide(np.ones((4, 4)), Steps(3, 1, 1), "mean").values == 1).all()
    assert slide(np.ones((2, 2)), Steps(1, 1, 1)).values[0, 0] == 0


@pytest.mark.parametrize("bad", [{"kernel": 0}, {"kernel": 2, "stride": 0}, {"kernel": 2, "padding": -1}, {"kernel": 2, "dilation": 0}])
def test_no_window(bad):
    """Sizes that no window has are refused."""
    with pytest.raises(InputError):
        Steps(**bad)


@pytest.mark.parametrize(("grid", "how"), [([[1, 2]], "sum"), ([[1]], "median"), ([1, 2], "sum"), ([[float("nan")] * 3] * 3, "sum")])
def test_no_grid(grid, how):
    """What a window cannot lie on, or give, is refused."""
    with pytest.raises(InputError):
        slide(np.array(grid), Steps(2 if how == "sum" else 1), how)
