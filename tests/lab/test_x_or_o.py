"""Rohrer's X and O, number by number: what stands in his figures, recomputed from the picture."""

import time
from fractions import Fraction

import numpy as np
import pytest

from peephole.base.errors import InputError
from peephole.lab.drawn import cross, ring, shift, thicken
from peephole.lab.parts import nearest_whole
from peephole.lab.x_or_o import FILTERS, as_printed, work, work_cell

S1 = """ 7 -1  1  3  5 -1  3
        -1  9 -1  3 -1  1 -1
         1 -1  9 -3  1 -1  5
         3  3 -3  5 -3  3  3
         5 -1  1 -3  9 -1  1
        -1  1 -1  3 -1  9 -1
         3 -1  5  3  1 -1  7"""
S2 = """ 3 -5  1 -1  1 -5  3
        -5  5 -5  3 -5  5 -5
         1 -5  5 -7  5 -5  1
        -1  3 -7  9 -7  3 -1
         1 -5  5 -7  5 -5  1
        -5  5 -5  3 -5  5 -5
         3 -5  1 -1  1 -5  3"""
ROHRER = """0.77 -0.11 0.11 0.33 0.55 -0.11 0.33 / -0.11 1.00 -0.11 0.33 -0.11 0.11 -0.11 / 0.11 -0.11 1.00 -0.33 0.11 -0.11 0.55
 / 0.33 0.33 -0.33 0.55 -0.33 0.33 0.33 / 0.55 -0.11 0.11 -0.33 1.00 -0.11 0.11 / -0.11 0.11 -0.11 0.33 -0.11 1.00 -0.11
 / 0.33 -0.11 0.55 0.33 0.11 -0.11 0.77"""
P1, P2, P3 = (
    [[9, 3, 5, 3], [3, 9, 3, 5], [5, 3, 9, 1], [3, 5, 1, 7]],
    [[5, 3, 5, 3], [3, 9, 5, 1], [5, 5, 5, 1], [3, 1, 1, 3]],
    [[3, 5, 9, 7], [5, 5, 9, 3], [9, 9, 1, 5], [7, 3, 5, 3]],
)


def numbers(text):
    return np.array([[int(word) for word in line.split()] for line in text.splitlines()])


@pytest.fixture(scope="module")
def worked():
    """The X of the example, worked through."""
    return work(cross())


@pytest.fixture(scope="module")
def sums(worked):
    """The three maps in ninths."""
    assert worked.whole == 9
    return [one.matches.parts for one in worked.maps]


def test_the_picture_is_rohrers():
    """White where row = column or row + column = 8 for rows 1 to 7, a black border."""
    wanted = [[1 if 1 <= row <= 7 and column in (row, 8 - row) else -1 for column in range(9)] for row in range(9)]
    assert cross().tolist() == wanted


def test_the_three_maps_in_ninths(sums):
    """S1 and S2 as they stand in the table; S3 is S1 seen in a mirror."""
    assert (sums[0] == numbers(S1)).all() and (sums[1] == numbers(S2)).all() and (sums[2] == np.fliplr(numbers(S1))).all()


def test_maps_are_odd_and_count_the_pixels_that_agree(worked, sums):
    """Every S is odd and at most 9; 7 ninths are 8 of 9 pixels, 5 are 7, -7 are 1."""
    for one, s in zip(worked.maps, sums, strict=True):
        assert (s % 2 == 1).all() and (np.abs(s) <= 9).all()
        assert (one.agreeing == (s + 9) // 2).all()
    assert {s: (s + 9) // 2 for s in (7, 5, -7)} == {7: 8, 5: 7, -7: 1}
    assert worked.maps[0].agreeing[0, 0] == 8 and worked.maps[1].agreeing[2, 3] == 1


def test_symmetries_and_negatives(worked, sums):
    """S1 is its own transpose, S2 its own quarter turn; 20, 24 and 20 of 49 cells are negative."""
    assert (sums[0] == sums[0].T).all() and (sums[1] == np.rot90(sums[1])).all() and (sums[2] == np.fliplr(sums[0])).all()
    assert [one.negatives for one in worked.maps] == [20, 24, 20]


def test_rohrers_figure_is_cut_off_not_rounded(worked):
    """His 0.77 and 0.55 are 7/9 and 5/9 cut off after two decimals; rounded they are 0.78 and 0.56."""
    printed = tuple(tuple(row.split()) for row in ROHRER.replace("\n", " ").split("/"))
    first = worked.maps[0].matches
    assert first.truncated == printed
    assert first.rounded != printed and first.rounded[0][0] == "0.78" and first.rounded[0][4] == "0.56"
    wanted = [[f"{round(value, 2):.2f}" for value in row] for row in (first.parts / 9).tolist()]
    assert [list(row) for row in first.rounded] == wanted


def test_pooling_with_and_without_partial_windows(worked):
    """ReLU and 2 x 2 max pooling: 7 -> 4 with the windows that the edge cuts, 7 -> 3 without."""
    for one, wanted in zip(worked.maps, (P1, P2, P3), strict=True):
        assert one.pooled.parts.tolist() == wanted
        assert one.pooled_floor.parts.shape == (3, 3) and one.pooled_floor.parts.tolist() == [row[:3] for row in wanted[:3]]
        rows, columns = one.winners[..., 0], one.winners[..., 1]
        assert (one.rectified.parts[rows, columns] == one.pooled.parts).all()
        assert (rows // 2 == np.arange(4)[:, None]).all() and (columns // 2 == np.arange(4)).all()


def test_pooling_and_relu_may_change_places(sums, worked):
    """pool(ReLU(M)) = ReLU(pool(M)): both only ever go up."""
    for s, one in zip(sums, worked.maps, strict=True):
        padded = np.pad(s, ((0, 1), (0, 1)), constant_values=-9)
        assert (np.maximum(padded.reshape(4, 2, 4, 2).max((1, 3)), 0) == one.pooled.parts).all()


def test_pooled_twice_and_flattened(worked):
    """The three 2 x 2 squares of his figure, and the twelve values that vote."""
    squares = [one.pooled_twice.truncated for one in worked.maps]
    one, five = "1.00", "0.55"
    assert squares == [((one, five), (five, one)), ((one, five), (five, five)), ((five, one), (one, five))]
    assert worked.flat.tolist() == [9, 5, 5, 9, 9, 5, 5, 5, 5, 9, 9, 5]


def test_who_votes_is_found_from_the_templates(worked):
    """Places where the X has more than the O vote for X: the thick lines of Rohrer's figure, found from the pictures alone."""
    printed = as_printed()
    assert worked.votes[0].voters == printed.voters_x == (0, 3, 4, 9, 10)
    assert worked.votes[1].voters == printed.voters_o == (1, 2, 8, 11)
    assert (worked.votes[0].share, worked.votes[1].share) == (1.0, 5 / 9) and worked.answer == "X"
    assert work(ring()).answer == "O"


def test_the_vote_as_printed():
    """Equal votes give .912 and .5175: .51 is that, cut off; .92 is not, and is shown as printed only."""
    printed = as_printed()
    assert printed.mean_x == pytest.approx(0.912) and printed.mean_o == pytest.approx(0.5175)
    assert int(100 * printed.mean_o) / 100 == printed.printed_o == 0.51
    assert f"{printed.mean_x:.2f}" != f"{printed.printed_x:.2f}" and int(100 * printed.mean_x) / 100 != printed.printed_x
    assert printed.printed_x + printed.printed_o == pytest.approx(1.43)
    assert printed.shares == pytest.approx((0.601088, 0.398912), abs=1e-6)
    assert printed.shares[0] == pytest.approx(1 / (1 + np.exp(-0.41)))
    assert abs(1 - 0.92) + abs(0 - 0.51) == pytest.approx(0.59)


def test_one_cell_by_hand(worked):
    """Cell (0,0): eight products are 1 and one is -1; (1,1) is perfect; (3,3) is 5/9."""
    cell = work_cell(worked, 0, 0, 0)
    assert sorted(product.product for product in cell.products) == [-1, *[1] * 8]
    assert (cell.total, cell.parts, cell.whole, cell.truncated, cell.rounded) == (7, 7, 9, "0.77", "0.78")
    assert [work_cell(worked, 0, at, at).parts for at in (1, 3)] == [9, 5]
    assert [product.pixel for product in cell.products] == [-1, -1, -1, -1, 1, -1, -1, -1, 1]


def test_his_filters_may_be_turned_others_not():
    """F1 to F3 are the same turned by half: convolution and cross-correlation agree for them, and for no filter without that symmetry."""
    assert all((one == np.rot90(one, 2)).all() for one in FILTERS)
    kernel, image = np.array([[0, 0, 0], [-1, 1, 0], [0, 0, 0]]), np.arange(25).reshape(5, 5) ** 2
    worked, turned = (work(image / 576, one) for one in (kernel[None], kernel[None, ::-1, ::-1]))
    # 576 = 24^2 brings the picture into -1..1, and a match is the ninth part of the sum.
    first = [one.maps[0].matches.parts[0, 0] / one.whole * 9 * 576 for one in (worked, turned)]
    assert first == pytest.approx([11, -13], abs=0.01)


def test_an_edited_filter_gives_its_own_ninths(worked):
    """K[0,0]: 1 -> -1 makes S[0][0] go from 7 to 9."""
    edited = FILTERS.copy()
    edited[0, 0, 0] = -1
    assert work(cross(), edited).maps[0].matches.parts[0, 0] == 9


@pytest.mark.parametrize("seed", range(6))
def test_any_picture_equals_an_independent_computation(seed):
    """Random pictures of random sizes, black and white and grey: every number against one computed with fractions, cell by cell."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(3, 12, 2) if seed < 3 else (9, 9)
    picture = rng.choice([-1, 1], (height, width)) if seed % 2 else rng.integers(-10, 11, (height, width)) / 10
    worked = work(picture)
    exact = [[Fraction(str(value)) for value in row] for row in picture.tolist()]
    flat = list[Fraction]()
    for one, kernel in zip(worked.maps, FILTERS.astype(int).tolist(), strict=True):
        matches = [
            [sum(exact[r + i][c + j] * kernel[i][j] for i in range(3) for j in range(3)) / 9 for c in range(width - 2)] for r in range(height - 2)
        ]
        assert [[Fraction(int(n), worked.whole) for n in row] for row in one.matches.parts] == matches
        assert one.matches.truncated == tuple(tuple(f"{int(m * 100) / 100:.2f}".replace("-0.00", "0.00") for m in row) for row in matches)
        for _ in range(2):
            matches = [
                [max(max(m, 0) for line in matches[r : r + 2] for m in line[c : c + 2]) for c in range(0, len(matches[0]), 2)]
                for r in range(0, len(matches), 2)
            ]
        flat += [value for row in matches for value in row]
    assert [Fraction(int(n), worked.whole) for n in worked.flat] == flat
    side = max(height, width)
    if height == width:  # the templates count in the parts that the picture counts in
        assert (worked.flat_x / worked.whole == work(cross(side)).flat / 9).all() and (
            worked.flat_o / worked.whole == work(ring(side)).flat / 9
        ).all()
    for vote in worked.votes:
        assert vote.share == pytest.approx(float(np.mean([float(flat[place]) for place in vote.voters])) if vote.voters else 0)


def test_the_vote_survives_a_shift_that_the_whole_picture_does_not():
    """Shifted by up to one pixel every X and O gets the right vote; pixel by pixel four O would be an X. Two pixels may fool the vote."""
    near = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert all(work(shift(cross(), *by)).answer == "X" and work(shift(ring(), *by)).answer == "O" for by in near)
    assert sum(nearest_whole(shift(ring(), *by))[0] == "X" for by in near) == 4
    assert work(shift(cross(), -2, 1)).answer == "O"


def test_a_thick_x_fits_worse():
    """The filters look for strokes of one pixel: a thick X still gets more votes than an O would, but a third of them."""
    found = work(thicken(cross()))
    assert (found.answer, found.votes[0].parts, found.votes[1].parts) == ("X", 15, 10)


def test_small_pictures_have_small_maps():
    """3 x 3 has one match; its window is partial, and without partial windows nothing is left."""
    one = work(cross(3)).maps[0]
    assert one.matches.parts.shape == one.pooled.parts.shape == one.pooled_twice.parts.shape == (1, 1)
    assert one.pooled_floor.parts.size == 0 and one.pooled_floor.truncated == ()


def test_working_is_fast_enough_to_follow_the_pen():
    """A picture is worked in a few milliseconds at most; the best of five, as a busy machine slows some."""
    best, picture = 1.0, cross()
    for _ in range(5):
        begun = time.perf_counter()
        work(picture)
        best = min(best, time.perf_counter() - begun)
    assert best < 0.005


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        ([[1, 2, 1]] * 3, "outside -1..1"),
        ([[1, float("nan"), 1]] * 3, "outside -1..1"),
        ([[1, 1], [1, 1]], "3 to 32 rows"),
        ([[1] * 33] * 33, "3 to 32 rows"),
        ([1, 1, 1], "3 to 32 rows"),
        ([[1, 1, 1], [1]], "rows of numbers"),
        ("X", "rows of numbers"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(picture, says):
    """One sentence says what is wrong, a hint what is wanted."""
    with pytest.raises(InputError, match=says) as refused:
        work(picture)
    assert refused.value.hint


@pytest.mark.parametrize("filters", [np.zeros((0, 3, 3)), np.zeros((9, 3, 3)), np.zeros((1, 10, 10)), np.zeros((3, 3)), np.full((1, 3, 3), 1.5)])
def test_filters_that_cannot_be_used_are_refused(filters):
    """None, too many, larger than the picture, or numbers outside -1..1."""
    with pytest.raises(InputError):
        work(cross(), filters)


@pytest.mark.parametrize("at", [(3, 0, 0), (-1, 0, 0), (0, 7, 0), (0, 0, -1)])
def test_cells_outside_the_maps_are_refused(worked, at):
    """There is nothing to work out there."""
    with pytest.raises(InputError):
        work_cell(worked, *at)
