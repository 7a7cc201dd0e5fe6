"""Durations and opening hours, as people write them."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peephole.base.errors import SettingsError
from peephole.gateway.hours import ALWAYS, parse_hours, seconds

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(("text", "value"), [("2 s", 2), ("500 ms", 0.5), ("1.5 min", 90), ("1h", 3600), (" 5 s ", 5)])
def test_durations(text: str, value: float) -> None:
    """A number and a unit, with or without a space."""
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text", [2, 2.0, None, "2", "s", "-1 s", "1e3 s", "nan s", "inf s", "2 sec", "2 S", "٢ s", "1 s 2 s", "9" * 5000 + " s", True]
)
def test_what_is_no_duration(text: object) -> None:
    """Numbers without a unit and everything else are refused with the way to write it."""
    with pytest.raises(SettingsError) as caught:
        seconds(text)
    assert "hint" in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "day", "hour", "minute", "holds"),
    [
        ("Mo-Fr 07:00-20:00", 0, 7, 0, True),
        ("Mo-Fr 07:00-20:00", 0, 6, 59, False),
        ("Mo-Fr 07:00-20:00", 4, 20, 0, False),
        ("Mo-Fr 07:00-20:00", 5, 12, 0, False),
        ("Mo-Fr 07:00-20:00; Sa 09:00-12:00", 5, 9, 30, True),
        ("Mo,We 07:00-08:00,12:00-13:00", 2, 12, 30, True),
        ("Mo,We 07:00-08:00,12:00-13:00", 1, 12, 30, False),
        ("Sa-Mo 10:00-11:00", 6, 10, 0, True),
        ("Sa-Mo 10:00-11:00", 1, 10, 0, False),
        ("22:00-06:00", 3, 23, 0, True),
        ("22:00-06:00", 3, 5, 59, True),
        ("Fr 22:00-06:00", 5, 5, 0, True),
        ("Fr 22:00-06:00", 4, 5, 0, False),
        ("Su 22:00-06:00", 0, 5, 0, True),
        ("Sa", 5, 23, 59, True),
        ("Sa", 6, 0, 0, False),
        ("00:00-24:00", 6, 23, 59, True),
        ("always", 6, 3, 0, True),
    ],
)
def test_hours(text: str, day: int, hour: int, minute: int, holds: bool) -> None:
    """Spans include their start and not their end, reach over midnight and over the end of the week."""
    assert parse_hours(text).hold(MONDAY.replace(day=2 + day, hour=hour, minute=minute)) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mo-Fr 7:00-20:00",
        "Mon 07:00-20:00",
        "Mo-Fr 07:00",
        "Mo 07:00-07:00",
        "Mo 07:00-24:01",
        "25:00-26:00",
        "Mo Fr 07:00-08:00",
        "07:00-08:00 Mo",
        "mo",
        ";",
        "Mo-",
    ],
)
def test_what_are_no_hours(text: str) -> None:
    """Anything else is refused; hours are never guessed."""
    with pytest.raises(SettingsError):
        parse_hours(text)


def test_a_near_miss_is_named() -> None:
    """A day in small letters gets its right spelling."""
    with pytest.raises(SettingsError, match="did you mean 'Mo'"):
        parse_hours("mo 07:00-08:00")


@given(st.datetimes())
def test_always_holds(moment: datetime) -> None:
    """No hours at all means always."""
    assert ALWAYS.hold(moment)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text gives hours or a SettingsError."""
    for read, kind in ((parse_hours, type(ALWAYS)), (seconds, float)):
        with suppress(SettingsError):
            assert isinstance(read(text), kind)
