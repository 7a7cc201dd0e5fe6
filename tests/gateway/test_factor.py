"""The second factor by itself: which message is believed, and whose PIN backs whom for how long; every limit on both of its sides."""

import math

import pytest

from peephole.gateway.factor import Asked, Heard, Shown, backing, doubt, mark, remembered, taken, whose
from peephole.gateway.lockout import Patience

ASKED = Asked("secret", 20.0)
GOOD: dict[str, float | str] = {"nonce": "nonce-01", "expires": 105.0}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"nonce": "x" * 8}, ""),
        ({"nonce": "x" * 200}, ""),
        ({"nonce": "x" * 7}, "no nonce"),
        ({"nonce": "x" * 201}, "no nonce"),
        ({"nonce": 12345678.0}, "no nonce"),
        ({"nonce": "\udcff" * 8}, ""),
        ({"retained": 1.0}, "retained"),
        ({"expires": 100.0}, "it expired 0 s ago"),
        ({"expires": 100.1}, ""),
        ({"expires": 99.0}, "it expired 1 s ago"),
        ({"expires": 160.0}, ""),
        ({"expires": 160.5}, "it expires in 60.5 s; 60 s at most"),
        ({"expires": math.nan}, "does not say when"),
        ({"expires": math.inf}, "does not say when"),
        ({"expires": "105"}, "does not say when"),
        ({"expires": ""}, "does not say when"),
    ],
)
def test_what_is_believed(change: dict[str, float | str], says: str) -> None:
    """The envelope at a hundred seconds on the wall."""
    told = doubt({**GOOD, **change}, 100.0, Heard(), ())
    assert (says in told) if says else told == ""


@pytest.mark.parametrize("wall", [math.nan, math.inf, -math.inf, 1e300])
def test_without_a_time_nothing_is_believed(wall: float) -> None:
    """A clock that is no number, or nowhere near, believes nobody."""
    assert doubt(GOOD, wall, Heard(), ())


def test_what_is_asked_unless_the_settings_say_otherwise() -> None:
    """Twenty seconds for a PIN, five minutes for a phone; five wrong PINs shut for thirty seconds, fifty until a person acts."""
    assert Asked("secret") == Asked("secret", 20.0, 300.0, Patience(5, 30.0, 50)) and Asked("secret") != Asked("presence")


def test_each_nonce_once() -> None:
    """Whether memory or the disk knows it."""
    digest = mark(GOOD)
    assert doubt(GOOD, 100.0, remembered(Heard(), digest), ()) == doubt(GOOD, 100.0, Heard(), (digest,)) == "it came before"
    heard = Heard()
    for number in range(1001):
        heard = remembered(heard, f"{number:016}")
    assert len(heard.nonces) == 1000 and heard.nonces[-1] == f"{1000:016}"


@pytest.mark.parametrize(
    ("text", "names"),
    [('["ana", "min"]', {"ana", "min"}), ("[]", set()), ("{}", set()), ("ana", set()), ('"ana"', set()), ("[1, null]", set()), ("[", set())],
)
def test_whose(text: str, names: set[str]) -> None:
    """A list of names, or nobody's."""
    assert whose({"whose": text}) == names
    assert whose({}) == set()


@pytest.mark.parametrize(("time", "backs"), [(100.0, True), (120.0, True), (120.1, False), (80.0, True), (79.9, False), (math.nan, False)])
def test_how_long_a_pin_backs(time: float, backs: bool) -> None:
    """Twenty seconds before and after, exactly; and nobody but its owner."""
    heard = Heard((Shown(frozenset({"ana"}), 100.0),))
    assert bool(backing(ASKED, heard, "ana", time)) is backs
    assert not backing(ASKED, heard, "junho", time)


@pytest.mark.parametrize(
    ("time", "says"),
    [(400.0, "300 s before"), (400.5, ""), (100.0, "0 s before"), (100.25, "0 s before"), (99.0, "0 s before"), (-200.0, "0 s before"), (-200.5, "")],
)
def test_how_long_a_phone_backs(time: float, says: str) -> None:
    """Five minutes to either side, exactly; a phone that was heard a moment after the frame is here now."""
    told = backing(Asked("presence"), Heard(phones=(("junho", time), ("ana", 100.0))), "ana", time)
    assert told == (f"ana's phone was here {says}" if says else "")
    assert not backing(Asked("presence"), Heard(phones=(("junho", time),)), "ana", time)


def test_a_pin_is_used_up_and_others_are_not() -> None:
    """Of two PINs of ana one is taken; junho's stays, and one that is too old goes."""
    shown = tuple(Shown(frozenset({who}), time) for who, time in (("ana", 100.0), ("junho", 101.0), ("ana", 102.0), ("junho", 50.0)))
    left = taken(ASKED, Heard(shown), "ana", 103.0).shown
    assert [(sorted(one.whose), one.time) for one in left] == [(["junho"], 101.0), (["ana"], 102.0)]
    assert taken(ASKED, Heard(shown[:1]), "junho", 103.0).shown == shown[:1]


def test_the_words() -> None:
    """How long before, or after."""
    heard = Heard((Shown(frozenset({"ana"}), 100.0),))
    assert backing(ASKED, heard, "ana", 103.25) == "ana's PIN or tag came 3.2 s before"
    assert backing(ASKED, heard, "ana", 100.0) == "ana's PIN or tag came 0.0 s before"
    assert backing(ASKED, heard, "ana", 99.5) == "ana's PIN or tag came 0.5 s after"
    assert backing(Asked("presence"), Heard(phones=(("ana", 100.0),)), "ana", 130.0) == "ana's phone was here 30 s before"
