"""Durations such as "2 s" and opening hours such as "Mo-Fr 07:00-20:00", read and judged; no clock here."""

import re
from dataclasses import dataclass
from datetime import datetime

from peephole.base.errors import SettingsError, did_you_mean

__all__ = ["ALWAYS", "DAYS", "Hours", "parse_hours", "seconds"]

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
DAY = 24 * 60
WEEK = 7 * DAY
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([a-zA-Z]+)", re.ASCII)
SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
HINT = 'write for example when = "Mo-Fr 07:00-20:00; Sa,Su 09:00-12:00", or leave `when` out'


def seconds(text: object) -> float:
    """Read "2 s", "500 ms", "1.5 min" or "1 h" into seconds; raises SettingsError for anything else, numbers without a unit too."""
    match = DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise SettingsError(f"{str(text)[:40]!r} is not a duration", 'write a number and its unit, in quotes: "2 s", "500 ms", "1 min"')
    if match[2] not in UNITS:
        raise SettingsError(f"'{match[2][:20]}' is not a unit of time{did_you_mean(match[2], UNITS)}", f"use one of {', '.join(UNITS)}")
    return float(match[1]) * UNITS[match[2]]


@dataclass(frozen=True)
class Hours:
    """Opening hours: spans [start, end) in minutes of the week, Monday 00:00 = 0; no spans at all means always."""

    text: str
    spans: tuple[tuple[int, int], ...]

    def hold(self, moment: datetime) -> bool:
        """Say whether a local moment lies inside; 22:00-06:00 reaches into the next day, and Sunday's into Monday."""
        if not self.spans:
            return True
        minute = moment.weekday() * DAY + moment.hour * 60 + moment.minute
        return any(start <= minute < end or start <= minute + WEEK < end for start, end in self.spans)


ALWAYS = Hours("always", ())


def parse_hours(text: str) -> Hours:
    """Read opening hours in the OpenStreetMap manner, parts joined by `;`; raises SettingsError with the near miss."""
    if text.strip() == ALWAYS.text:
        return ALWAYS
    spans: list[tuple[int, int]] = []
    for part in text.split(";"):
        words = part.split()
        if not 1 <= len(words) <= 2:
            raise SettingsError(f"'{part.strip()[:60]}' is not one set of days and hours", HINT)
        days = tuple(range(7)) if ":" in words[0] else _days(words[0])
        hours = ((0, DAY),) if ":" not in words[-1] else tuple(_span(span) for span in words[-1].split(","))
        if len(words) == 2 and (":" in words[0] or ":" not in words[1]):
            raise SettingsError(f"'{part.strip()[:60]}' is not days followed by hours", HINT)
        spans += [(day * DAY + start, day * DAY + end) for day in days for start, end in hours]
    return Hours(text.strip(), tuple(spans))


def _days(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start = _day(first)
        end = _day(last) if dash else start
        found += [(start + n) % 7 for n in range((end - start) % 7 + 1)]
    return tuple(found)


def _day(name: str) -> int:
    if name not in DAYS:
        raise SettingsError(f"'{name[:20]}' is not a day{did_you_mean(name.title(), DAYS)}", f"the days are {' '.join(DAYS)}")
    return DAYS.index(name)


def _span(text: str) -> tuple[int, int]:
    match = SPAN.fullmatch(text)
    start, end = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
    if match is None or end > DAY or start == end:
        raise SettingsError(f"'{text[:40]}' are not hours", "write HH:MM-HH:MM with two digits each, 24:00 at the latest")
    return start, end if end > start else end + DAY
