"""Whole pictures against their parts: a shifted X looks like an O as a whole, and has all the parts of an X."""

import numpy as np
import pytest

from peephole.base.errors import InputError
from peephole.lab.drawn import cross, ring, rotate, shift, thicken
from peephole.lab.parts import compare, nearest_whole, whole
from peephole.lab.x_or_o import work


def test_pixel_by_pixel_a_shifted_x_fails():
    """Two pixels down, an X has more pixels in common with the O than with the X; the vote of its parts still says X."""
    moved = shift(cross(), 2, 0)
    answer, with_x, with_o = nearest_whole(moved)
    assert answer == "O" and (with_x.equal, with_o.equal) == (61, 62)
    assert with_x.cosine == pytest.approx(41 / 81) and with_o.cosine == pytest.approx(43 / 81)
    assert work(moved).answer == "X"


def test_part_by_part_it_matches():
    """Every part is found perfectly, and every line says the same move."""
    found = compare(cross(), shift(cross(), 1, 1))
    assert found.parts_found == 1.0 and found.moved == (1, 1) and found.whole.share == pytest.approx(67 / 81)
    first, crossing, third = found.parts
    assert all(part.exact for part in found.parts) and [len(part.places) for part in found.parts] == [4, 1, 4]
    (place,) = crossing.places
    assert (place.row_a, place.column_a, place.row_b, place.column_b, place.parts_a, place.parts_b) == (3, 3, 4, 4, 9, 9)
    assert {(p.row_a, p.column_a) for p in first.places} == {(1, 1), (2, 2), (4, 4), (5, 5)}
    assert {(p.row_a, p.column_a) for p in third.places} == {(1, 5), (2, 4), (4, 2), (5, 1)}


def test_what_left_the_picture_has_no_partner():
    """Two pixels down one of four places of each stroke is lost; the others keep their lines."""
    found = compare(cross(), shift(cross(), 2, 0))
    assert [(len(part.places), part.unpaired_a, part.unpaired_b) for part in found.parts] == [(3, 1, 0), (1, 0, 0), (3, 1, 0)]
    assert found.moved == (2, 0)


def test_an_o_lacks_the_crossing():
    """An O has both slanting strokes and no crossing: 5 of 9 at best."""
    found = compare(cross(), ring())
    assert [part.best_b for part in found.parts] == [9, 5, 9] and not found.parts[1].exact and found.moved is None


def test_pictures_of_two_sizes_are_not_compared():
    """There is no pixel by pixel then."""
    with pytest.raises(InputError):
        compare(cross(9), cross(11))


def test_grey_nothing_has_no_direction():
    """A picture of zeros has no cosine; it is 0, not NaN."""
    assert whole(np.zeros((9, 9)), cross()).cosine == 0


def test_shifts_turns_and_pens():
    """A shift and its way back lose only the edge; a quarter turn leaves an X an X; thickness only adds white."""
    assert (shift(shift(cross(), 1, -1), -1, 1) == cross()).all()
    assert (shift(cross(), 9, 0) == -1).all() and (shift(cross(), 0, -40) == -1).all()
    assert (rotate(cross(), 90) == cross()).all() and (rotate(cross(), 0) == cross()).all()
    stroke = np.full((9, 9), -1.0)
    stroke[2, 4:] = 1
    assert (rotate(stroke, 90) == np.rot90(stroke)).all() and (rotate(stroke, -90) == np.rot90(stroke, -1)).all()
    plus = rotate(cross(), 45)
    assert (plus[4] == 1).all() and (plus[:, 4] == 1).all() and (plus == 1).sum() == 17
    thick = thicken(cross())
    sides = [np.roll(cross(), by, axis) for by in (1, -1) for axis in (0, 1)]  # the border is black: nothing comes in from the other side
    assert (thick == np.max([cross(), *sides], axis=0)).all() and (thick == 1).sum() == 41
    with pytest.raises(InputError):
        rotate(cross(), float("nan"))


@pytest.mark.parametrize("side", range(3, 33))
def test_rings_are_round_at_any_size(side):
    """The same upside down and turned, black in the middle and on the border."""
    found = ring(side)
    assert (found == found.T).all() and (found == found[::-1]).all() and (found == 1).any()
    assert found[side // 2, side // 2] == -1
    assert side < 5 or (found[0] == -1).all()
