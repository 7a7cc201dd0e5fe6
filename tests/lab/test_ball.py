"""A ball dropped twice: exact numbers, every way, the way back, and what is no distribution."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peephole.base.errors import InputError
from peephole.lab.ball import chances, die, drop, read_chances

CHANCES = st.lists(st.integers(0, 20), min_size=1, max_size=7).filter(any).map(lambda counts: chances([Fraction(n, sum(counts)) for n in counts]))


def test_two_dice_exactly():
    """(1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1) / 36, P(7) = 6/36 in six ways, each of them as likely as the others."""
    found = drop(die(), die())
    assert found.total.places == tuple(range(2, 13))
    assert found.total.values == tuple(Fraction(n, 36) for n in (1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1))
    seven = found.at(7)
    assert seven.chance == Fraction(6, 36) and seven is found.likeliest
    assert [(way.a, way.b) for way in seven.ways] == [(a, 7 - a) for a in range(1, 7)]
    assert {way.share for way in seven.ways} == {Fraction(1, 6)}


def test_the_texts_sum_of_three():
    """The text: f(0) g(3) + f(1) g(2) + f(2) g(1) + f(3) g(0) = 0.2, and the whole row."""
    f = read_chances("0.1,0.2,0.3,0.4")
    found = drop(f, f)
    three = found.at("3")
    assert [way.product for way in three.ways] == [Fraction("0.04"), Fraction("0.06"), Fraction("0.06"), Fraction("0.04")]
    assert three.chance == Fraction("0.2")
    assert found.total.values == tuple(Fraction(word) for word in ("0.01", "0.04", "0.10", "0.20", "0.25", "0.24", "0.16"))
    assert sum(found.total.values) == 1


def test_another_row_and_floats():
    """(0.5, 0.3, 0.2) and (0.6, 0.4): exact from words, to rounding from floats, and each says which."""
    exact = drop(read_chances("0.5,0.3,0.2"), read_chances("0.6,0.4"))
    assert exact.total.exact and exact.total.values == tuple(Fraction(word) for word in ("0.30", "0.38", "0.24", "0.08"))
    floats = drop(chances([0.5, 0.3, 0.2]), read_chances("0.6,0.4"))
    assert not floats.total.exact and floats.total.values == pytest.approx((0.30, 0.38, 0.24, 0.08), abs=1e-16)


@given(CHANCES, CHANCES, CHANCES)
@settings(max_examples=60, deadline=None)
def test_order_does_not_matter(f, g, h):
    """Commutative and associative, to the last digit; the whole stays 1 and the mean adds up."""
    both = drop(f, g)
    assert both.total == drop(g, f).total
    assert drop(both.total, h).total == drop(f, drop(g, h).total).total
    assert sum(both.total.values) == 1 and both.total.mean == f.mean + g.mean


@given(CHANCES, CHANCES)
@settings(max_examples=60, deadline=None)
def test_the_way_back(f, g):
    """P(a | c) is f(a) g(c - a) over the whole: the ways of a place sum to 1, and to f over all places (Bayes)."""
    found = drop(f, g)
    for landing in found.landings:
        assert sum(way.share for way in landing.ways) == (1 if landing.chance else 0)
        assert all(way.a + way.b == landing.c and way.product == f.at(way.a) * g.at(way.b) for way in landing.ways)
    for a, chance in zip(f.places, f.values, strict=True):
        assert sum(landing.chance * way.share for landing in found.landings for way in landing.ways if way.a == a) == chance


def test_places_anywhere():
    """Places may be negative, uneven and fractions; ways that meet are added."""
    found = drop(read_chances("-1:1/2,0.5:1/2"), read_chances("0:1/4,1.5:3/4"))
    assert found.total.places == (-1, Fraction(1, 2), 2)
    assert found.at(0.5).chance == Fraction(1, 8) + Fraction(3, 8) and len(found.at("1/2").ways) == 2


def test_dice_of_any_size():
    """`die` is a die of six; `die:20` has twenty sides."""
    assert read_chances("die") == die() and read_chances("DIE:20").values == (Fraction(1, 20),) * 20


def test_normalised():
    """Counts become chances when asked to."""
    assert read_chances("1,2,3", normalise=True).values == (Fraction(1, 6), Fraction(1, 3), Fraction(1, 2))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("1,2", "sum to 3, not to 1"),
        ("-1,2", "is no chance"),
        ("nan,1", "'nan' is no number"),
        ("inf", "'inf' is no number"),
        ("", "'' is no number"),
        ("1/0", "is no number"),
        ("0:1/2,0:1/2", "place 0 is named twice"),
        ("0:1/2,0.0:1/2", "place 0 is named twice"),
        ("0:1/2,1/2", "neither a list"),
        ("die:0", "a die of 0 sides"),
        ("die:101", "a die of 101 sides"),
        ("die:²", "names no die"),
        ("1e999999999", "more than 100 digits"),
        (f"0.{'1' * 500}", "more than 100 digits"),
        (",".join(["0"] * 1001), "1001 places"),
        ("0,0", "sum to 0"),
    ],
)
def test_what_is_no_distribution(words, said):
    """One sentence and a hint."""
    with pytest.raises(InputError, match=said) as refused:
        read_chances(words)
    assert refused.value.hint


def test_nowhere():
    """A place that no way reaches is told from one of chance 0."""
    with pytest.raises(InputError, match="cannot lie at 13"):
        drop(die(), die()).at(13)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1])
def test_floats_that_are_no_chances(value):
    """NaN, infinity and less than nothing are refused as floats too."""
    with pytest.raises(InputError, match="is no chance"):
        chances([value, 1.0])


def test_a_thousand_places_are_quick():
    """The largest drop, a million ways, is what the cap allows."""
    many = chances([Fraction(1, 200)] * 200)
    assert drop(many, many).at(199).chance == Fraction(1, 200)
