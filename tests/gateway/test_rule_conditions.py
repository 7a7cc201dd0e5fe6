"""Conditions on readings: true of a fresh reading that says so, false of all else, also with !=."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peephole.base.errors import SettingsError
from peephole.gateway.conditions import Row, parse_condition, why_not

FRESH = {"air": 60.0}


def holds(text: str, values: dict[str, float | str], age: float = 1.0) -> bool:
    return not why_not(parse_condition(text), {"air": Row(100.0, values)}, FRESH, 100.0 + age)


@pytest.mark.parametrize(
    ("text", "value", "true"),
    [
        ("air.co2 < 1000", 999.0, True),
        ("air.co2 < 1000", 1000.0, False),
        ("air.co2 <= 1000", 1000.0, True),
        ("air.co2>1000", 1000.5, True),
        ("air.co2 >= 1000", 999.9, False),
        ("air.co2 == 5", 5.0, True),
        ("air.co2 != 5", 5.0, False),
        ("air.co2 != 5", 6.0, True),
        ("air.co2 == open", "open", True),
        ("air.co2 == open", "closed", False),
        ("air.co2 != open", "closed", True),
        ("air.co2 == -3.5e2", -350.0, True),
        ("air.co2 == half open", "half open", True),
    ],
)
def test_signs(text: str, value: float | str, true: bool) -> None:
    """Six signs, numbers and words."""
    assert holds(text, {"co2": value}) is true


@pytest.mark.parametrize("text", ["air.co2 < 1000", "air.co2 != 1000", "air.co2 != open"])
@pytest.mark.parametrize("values", [{}, {"co": 5.0}, {"co2": math.nan}, {"co2": math.inf}])
def test_what_says_nothing_is_false(text: str, values: dict[str, float | str]) -> None:
    """A value that is missing or no number makes every condition false."""
    assert not holds(text, values)


def test_kinds_do_not_mix() -> None:
    """A word is neither less than a number nor different from one, and "5" is not 5."""
    assert not any(holds(f"air.co2 {sign} 5", {"co2": "5"}) for sign in ("<", "<=", ">", ">=", "==", "!="))
    assert not holds("air.co2 != open", {"co2": 5.0})


@given(st.floats(-200, 200) | st.sampled_from([math.nan, math.inf, -math.inf]))
def test_stale_readings_are_false(age: float) -> None:
    """A reading counts for its sixty seconds; on a clock that jumped either way it does not."""
    assert holds("air.co2 < 1000", {"co2": 5.0}, age) is (abs(age) <= 60)


def test_missing_readings_are_false() -> None:
    """A name that never said anything, or that DOOR.toml does not know, makes the condition false and says so."""
    assert why_not(parse_condition("air.co2 != 1"), {}, FRESH, 0.0) == "air has said nothing"
    assert why_not(parse_condition("air.co2 != 1"), {"air": Row(0.0, {"co2": 2.0})}, {}, 5.0) == "air has said nothing for 5 s"


@pytest.mark.parametrize(
    "text", ["", "co2 < 5", "air.co2", "air.co2 =< 5", "air.co2 < five", "air.co2 < inf", "a.b.c < 5", "air.co2 < 5 < 6", 5, None, "x" * 10**5]
)
def test_what_is_no_condition(text: object) -> None:
    """Each is refused with an example of one."""
    with pytest.raises(SettingsError, match=r"(?s)condition|number|compare") as caught:
        parse_condition(text)
    assert len(str(caught.value)) < 300


@given(st.text(max_size=60))
def test_any_text_is_refused_or_understood(text: str) -> None:
    """No text is anything but a condition or a SettingsError."""
    try:
        condition = parse_condition(text)
    except SettingsError:
        return
    assert condition.text == text.strip()
