"""A ball is dropped twice: (f * g)(c) = the sum over a of f(a) g(c - a), exactly, with every way to split c and the way back.

After Christopher Olah, "Understanding Convolutions" (2014). Chances given as whole numbers, fractions or decimals in words stay fractions to the end;
chances given as floats are floats. For densities instead of chances see lab/density.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational

from peephole.base.errors import InputError

__all__ = ["MOST_PLACES", "Chances", "Drop", "Landing", "Way", "chances", "die", "drop", "read_chances"]

MOST_PLACES = 1000  # of one distribution: a million ways, about a second
MOST_DIGITS = 100  # of a number in words: "1e-999999" would be a fraction of a million digits
MOST_SIDES = 100
CLOSE = 1e-9  # how far floats may be from a sum of one

Number = Fraction | float


@dataclass(frozen=True)
class Chances:
    """Where one drop may land: `places` rising, as fractions; `values` 0..1, one for each, together 1; `exact` when all of them are fractions."""

    places: tuple[Fraction, ...]
    values: tuple[Number, ...]
    exact: bool

    @property
    def mean(self) -> Number:
        """The place that drops average to."""
        return _total(place * value for place, value in zip(self.places, self.values, strict=True))

    def at(self, place: Number) -> Number:
        """Return the chance of a place; zero where none is."""
        return dict(zip(self.places, self.values, strict=True)).get(Fraction(place), Fraction(0) if self.exact else 0.0)


@dataclass(frozen=True)
class Way:
    """One way to land at c: first `a`, then `b` = c - a, with f(a), g(b), their product, and `share` = P(a | c), the product's part of the whole."""

    a: Fraction
    b: Fraction
    first: Number
    second: Number
    product: Number
    share: Number


@dataclass(frozen=True)
class Landing:
    """One place `c`, its `chance` (f * g)(c), and all `ways` to split it, by rising a; the shares of the ways are the way back and sum to 1."""

    c: Fraction
    chance: Number
    ways: tuple[Way, ...]


@dataclass(frozen=True)
class Drop:
    """Two drops, `first` f and `second` g, and where the ball lies in the end: `total` f * g, and each place with its ways in `landings`."""

    first: Chances
    second: Chances
    total: Chances
    landings: tuple[Landing, ...]

    @property
    def likeliest(self) -> Landing:
        """The landing with the largest chance, the first of several."""
        return max(self.landings, key=lambda landing: landing.chance)

    def at(self, c: Number | str) -> Landing:
        """Return how the ball got to `c`; raises InputError where it cannot lie."""
        place = _number(c)
        found = next((landing for landing in self.landings if landing.c == place), None)
        if found is None:
            low, high = self.total.places[0], self.total.places[-1]
            raise InputError(f"the ball cannot lie at {place}", f"name a place between {low} and {high} that both drops together reach")
        return found


def chances(values: Sequence[Number | str] | Mapping[Number | str, Number | str], start: Number | str = 0, *, normalise: bool = False) -> Chances:
    """Return a distribution of `values` at `start`, `start` + 1, ..., or of a mapping from places to values; places of chance 0 are kept.

    Whole numbers, fractions and words ("1/6", "0.2") are exact. `normalise` divides by the sum. Raises InputError for a chance that is negative or no
    number, for none at all, more than MOST_PLACES, or a sum that is not 1 (floats: to within 1e-9).
    """
    pairs = list(values.items()) if isinstance(values, Mapping) else [(_number(start) + at, value) for at, value in enumerate(values)]
    if not 1 <= len(pairs) <= MOST_PLACES:
        raise InputError(f"{len(pairs)} places; there are between 1 and {MOST_PLACES}", "give a chance for each place, as in 1/2,1/3,1/6")
    found: dict[Fraction, Number] = {}
    for place, value in pairs:
        at, chance = _number(place), value if isinstance(value, float) else _number(value)
        if not math.isfinite(chance) or chance < 0:
            raise InputError(f"{value} at place {at} is no chance", "a chance is between 0 and 1")
        if at in found:
            raise InputError(f"place {at} is named twice", "add its chances, or name the other place")
        found[at] = chance
    exact = all(isinstance(chance, Fraction) for chance in found.values())
    places = tuple(sorted(found))
    given = tuple(found[place] if exact else float(found[place]) for place in places)
    return Chances(places, _whole(given, normalise), exact)


def _whole(values: tuple[Number, ...], normalise: bool) -> tuple[Number, ...]:
    """See that chances sum to 1, or make them."""
    total = _total(values)
    if normalise and total > 0 and math.isfinite(total):
        return tuple(value / total for value in values)
    if (abs(total - 1) > CLOSE) if isinstance(total, float) else total != 1:
        raise InputError(f"the chances sum to {total}, not to 1", "correct them, or divide by their sum: --normalise")
    return values


def _total(values: Iterable[Number]) -> Number:
    """Return the sum: exact for fractions, correctly rounded for floats."""
    found = tuple(values)
    return math.fsum(found) if any(isinstance(value, float) for value in found) else sum(found, Fraction(0))


def _number(value: object) -> Fraction:
    """Return a whole number, a fraction, a float or a number in words as the fraction that it is; raises InputError."""
    if isinstance(value, str) and (len(value) > MOST_DIGITS or abs(_exponent(value)) > MOST_DIGITS):
        raise InputError(f"{value[:20]} ... has more than {MOST_DIGITS} digits", "give a shorter number, as in 1/6 or 0.25")
    if isinstance(value, str | Rational | float):
        try:
            return Fraction(value)
        except (ValueError, ZeroDivisionError, OverflowError):
            pass
    raise InputError(f"'{value}' is no number", "write 3, 1/6 or 0.25")


def _exponent(value: str) -> int:
    """Return the power of ten at the end of a number in words."""
    power = value.lower().rpartition("e")[2] if "e" in value.lower() else "0"
    try:
        return int(power)
    except ValueError:
        return 0


def die(sides: int = 6) -> Chances:
    """Return a fair die: 1 .. `sides`, each with the chance 1/`sides`; raises InputError outside 1..100."""
    if not 1 <= sides <= MOST_SIDES:
        raise InputError(f"a die of {sides} sides", f"a die has between 1 and {MOST_SIDES} sides, as in die:6")
    return chances([Fraction(1, sides)] * sides, start=1)


def read_chances(text: str, *, normalise: bool = False) -> Chances:
    """Read a distribution in words: `die`, `die:20`, `1/2,1/3,1/6` (at 0, 1, 2), or `-1:1/4,0:1/2,2.5:1/4` (place:chance); raises InputError."""
    words = text.strip()
    kind, _, rest = words.partition(":")
    if kind.lower() == "die":
        if rest and not (rest.isascii() and rest.isdecimal() and len(rest) < 9):
            raise InputError(f"'{text}' names no die", "write die:6")
        return die(int(rest or 6))
    parts = [part.strip() for part in words.split(",")]
    if len(parts) > MOST_PLACES:
        return chances(parts)  # says how many there may be
    if not any(":" in part for part in parts):
        return chances(parts, normalise=normalise)
    pairs = [part.partition(":")[::2] for part in parts]
    if any(not place or not value for place, value in pairs):
        raise InputError(f"'{text}' is neither a list of chances nor of place:chance", "write 1/2,1/3,1/6 or 0:1/2,3:1/2")
    twice = [place for place, _ in pairs if sum(place == other for other, _ in pairs) > 1]
    if twice:
        raise InputError(f"place {twice[0]} is named twice", "add its chances, or name the other place")
    return chances(dict(pairs), normalise=normalise)


def drop(first: Chances, second: Chances) -> Drop:
    """Drop the ball by `first`, then by `second` from where it lies: the convolution, with every way to every place.

    Every pair (a, b) is one way to c = a + b. Exact when both are.
    """
    exact = first.exact and second.exact
    pairs: dict[Fraction, list[tuple[Fraction, Fraction, Number, Number]]] = {}
    for a, f in zip(first.places, first.values, strict=True):
        for b, g in zip(second.places, second.values, strict=True):
            pairs.setdefault(a + b, []).append((a, b, f if exact else float(f), g if exact else float(g)))
    landings = tuple(_landing(c, pairs[c]) for c in sorted(pairs))
    total = Chances(tuple(landing.c for landing in landings), tuple(landing.chance for landing in landings), exact)
    return Drop(first, second, total, landings)


def _landing(c: Fraction, pairs: list[tuple[Fraction, Fraction, Number, Number]]) -> Landing:
    chance = _total(f * g for _, _, f, g in pairs)
    return Landing(c, chance, tuple(Way(a, b, f, g, f * g, f * g / chance if chance else chance) for a, b, f, g in pairs))
