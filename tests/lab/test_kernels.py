"""A kernel over a picture: the text's step, the flip, padding, stride, dilation, every pixel's sum, and the patch that finds itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from peephole.base.errors import InputError
from peephole.lab.catalogue import NAMES, Kernel, cut, named, read_box, read_matrix
from peephole.lab.kernels import PADS, Slide, apply, match, picture, size_after, work_cell

STEP = np.tile([0, 0, 0, 9, 9], (5, 1))
SCIPYS = {"zero": "constant", "reflect": "mirror", "edge": "nearest", "wrap": "wrap"}


def own(values):
    return Kernel("own", np.array(values, np.float64), "")


def test_the_texts_step():
    """0|9: blurred by 1/9 each row reads 0 3 6, the edge (-1, 1) reads 0 0 9 0."""
    assert apply(STEP, named("box"), Slide(pad="valid")).values == pytest.approx(np.tile([0, 3, 6], (3, 1)), abs=1e-14)
    assert apply(STEP, named("edge"), Slide(flip=False, pad="valid")).values.tolist() == [[0, 0, 9, 0]] * 5


def test_the_flip():
    """The counter-example: 11 as cross-correlation, -13 as convolution, and each pixel's arithmetic says why."""
    image, kernel = np.arange(25).reshape(5, 5) ** 2, read_matrix("0,0,0; -1,1,0; 0,0,0")
    for flip, wanted, slid in ((False, 11, [-1, 1, 0]), (True, -13, [0, 1, -1])):
        slide = Slide(flip=flip, pad="valid")
        assert apply(image, kernel, slide).values[0, 0] == wanted
        cell = work_cell(image, kernel, (0, 0), slide)
        assert cell.total == wanted and cell.kernel[1].tolist() == slid and cell.patch[1].tolist() == [25, 36, 49]
    assert not kernel.symmetric and named("gaussian", 5).symmetric


@given(
    st.integers(0, 10**6),
    st.sampled_from(PADS),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([(a, b) for a in (True, False) for b in (True, False)]),
)
@settings(max_examples=120, deadline=None)
def test_every_pixel_is_the_sum_it_says(seed, pad, stride, dilation, flip_colour):
    """For any picture, kernel and slide the output is what its cell's products sum to, and has the size of the formula."""
    (flip, colour), chance = flip_colour, np.random.default_rng(seed)
    shape = (*chance.integers(1, 12, 2), 3) if colour else tuple(chance.integers(1, 12, 2))
    image, kernel = chance.integers(0, 256, shape).astype(np.uint8), own(chance.integers(-4, 5, chance.integers(1, 5, 2)))
    slide = Slide(flip, pad, stride, dilation)
    size = tuple(size_after(n, k, slide) for n, k in zip(shape[:2], kernel.values.shape, strict=True))
    if not all(size):
        with pytest.raises(InputError, match="lies nowhere"):
            apply(image, kernel, slide)
        return
    found = apply(image, kernel, slide).values
    assert found.shape == (size if not colour else (*size, 3))
    for at in np.ndindex(size):
        for channel in range(3 if colour else 1):
            cell = work_cell(image, kernel, at, slide, channel)
            assert cell.total == pytest.approx(found[(*at, channel)] if colour else found[at], abs=1e-9)
            assert cell.products.sum() == cell.total and np.array_equal(cell.products, cell.patch * cell.kernel)


@pytest.mark.parametrize("pad", SCIPYS)
@pytest.mark.parametrize("name", NAMES)
def test_named_kernels_agree_with_scipy(name, pad):
    """Each kernel with an odd side over a picture is what SciPy's ndimage makes of it, in its words for the padding."""
    image = np.random.default_rng(1).integers(0, 256, (17, 23)).astype(np.float64)
    kernel = named(name)
    if name == "edge":
        return
    assert apply(image, kernel, Slide(pad=pad)).values == pytest.approx(ndimage.convolve(image, kernel.values, mode=SCIPYS[pad]), abs=1e-9)
    assert apply(image, kernel, Slide(False, pad)).values == pytest.approx(ndimage.correlate(image, kernel.values, mode=SCIPYS[pad]), abs=1e-9)


def test_sums_of_kernels():
    """Blurs and sharpening keep an even grey, edges make it zero."""
    assert {name for name in NAMES if named(name).sum == pytest.approx(1, abs=1e-12)} == {"identity", "box", "gaussian", "sharpen", "emboss"}
    assert {name for name in NAMES if named(name).sum == pytest.approx(0, abs=1e-12)} == {"sobel-x", "sobel-y", "laplace", "edge"}
    assert named("gaussian", 21, 3.0).sum == pytest.approx(1, abs=1e-12)


def test_a_patch_finds_itself():
    """Where it was cut the cosine is 1, of its negative -1, and brightness and contrast do not count."""
    image = np.random.default_rng(5).integers(60, 180, (40, 50, 3)).astype(np.uint8)
    patch = cut(image, (20, 10, 9, 7))
    for seen in (image, image.astype(np.float64) * 0.5 + 30):
        found = match(seen, patch)
        assert found.best == (10, 20) and found.score == pytest.approx(1, abs=1e-9)
    assert match(255.0 - image, patch).values[10, 20] == pytest.approx(-1, abs=1e-9)
    assert match(image, patch).values.min() >= -1 and match(np.full((20, 20, 3), 7), patch).values.any() == np.False_


def test_a_match_is_the_cosine():
    """Every window by NumPy alone, with and without the mean taken off."""
    image = np.random.default_rng(2).integers(0, 256, (9, 11)).astype(np.float64)
    patch = cut(image, (3, 2, 4, 3), centred=False)
    for centred in (True, False):
        found = match(image, patch, centred=centred)
        p = patch.values - centred * patch.values.mean()
        for at in np.ndindex(found.values.shape):
            window = image[at[0] : at[0] + 3, at[1] : at[1] + 4]
            window = window - centred * window.mean()
            assert found.values[at] == pytest.approx((p * window).sum() / np.sqrt((p**2).sum() * (window**2).sum()), abs=1e-9)


def test_as_a_picture():
    """Plain values are cut to 0..255; signed ones show zero as 128 and their limits as 1 and 255."""
    assert picture(np.array([-5.0, 99.6, 300]), signed=False).tolist() == [0, 100, 255]
    assert picture(np.array([-2.0, 0, 4]), signed=True, limit=4).tolist() == [64, 128, 255]
    assert picture(np.zeros(2), signed=True).tolist() == [128, 128]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: named("sobelx"), "did you mean 'sobel-x'"), (lambda: named("box", 4), "a box of 4 pixels"), (lambda: named("box", 129), "129"),
        (lambda: named("laplace", 5), "one size"), (lambda: named("gaussian", 5, float("nan")), "sigma"), (lambda: read_matrix(""), "empty"),
        (lambda: read_matrix("1,2;3"), "no matrix"), (lambda: read_matrix("a"), "'a' is no number"), (lambda: read_matrix("nan"), "no number"),
        (lambda: read_matrix("1/0"), "no number"), (lambda: read_matrix(";".join(["1"] * 128)), "128 x 1"), (lambda: read_box("1,2,3"), "no part"),
        (lambda: cut(STEP, (0, 0, 9, 9)), "not inside"), (lambda: cut(STEP, (0, 0, 2, 2)), "one colour"),
        (lambda: Slide(pad="zeros"), "did you mean"),
        (lambda: Slide(stride=0), "stride"), (lambda: Slide(dilation=65), "dilation"),
        (lambda: work_cell(STEP, named("box"), (5, 0)), "no output pixel"),
        (lambda: apply(np.array([[np.nan]]), named("box")), "NaN"), (lambda: apply(np.zeros((0, 3)), named("box")), "no picture"),
        (lambda: apply(np.zeros((2, 2)), named("box"), Slide(pad="valid")), "lies nowhere"), (lambda: match(STEP, own([[1, 1]])), "one colour"),
    ],
)  # fmt: skip
def test_what_it_refuses(make, said):
    """One sentence and a hint."""
    with pytest.raises(InputError, match=said) as refused:
        make()
    assert refused.value.hint


def test_one_pixel():
    """A picture of one pixel is a picture: every padding but "valid" has something to say about it."""
    for pad in PADS[:-1]:
        assert apply(np.array([[8]]), named("box"), Slide(pad=pad)).values[0, 0] == pytest.approx(8 / 9 if pad == "zero" else 8)
