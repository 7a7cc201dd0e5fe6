"""Recorded visits with a truth -> error rates per visit; a recording says how far its figures go."""

from dataclasses import dataclass, field
from pathlib import Path

from peephole.base.evidence import measure
from peephole.base.records import Decision, Evidence, Prediction, Role
from peephole.gateway.journal import Record
from peephole.gateway.policy import UNKNOWN, Ended
from peephole.gateway.recording import Recording
from peephole.gateway.sensors import Capture

__all__ = ["Tally", "Visited", "is_journal", "rates", "role_of"]

# A refusal for these reasons recognised somebody all the same: it was not the picture that kept the door shut.
RECOGNISED = ("hours", "no rule", "cool-down", "second factor", "lockout")


@dataclass
class Visited:
    """One visit as it went: who it really was ("": not known), and for whom it was taken by frames that agreed."""

    truth: str = ""
    taken_for: set[str] = field(default_factory=set)


class Tally:
    """A witness that keeps every visit's truth and outcome; without limit, unlike the summary of a watch."""

    name = "tally"

    def __init__(self) -> None:
        self.visits: dict[str, Visited] = {}

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Keep who a frame is said to show."""
        if visit and capture.truth:
            self.visits.setdefault(visit, Visited()).truth = capture.truth

    def heard(self, record: Record, number: int, time: float, wall: float) -> None:
        """Keep for whom a visitor was taken."""
        if isinstance(record, Decision):
            visit = self.visits.setdefault(record.visit, Visited())
            if record.label and (record.verdict != "refuse" or record.rule in RECOGNISED):
                visit.taken_for.add(record.label)
        elif isinstance(record, Ended):
            self.visits.setdefault(record.visit.id, Visited())

    def passed(self, time: float, wall: float) -> None:
        """Nothing to keep."""

    def close(self) -> None:
        """Nothing to let go."""


def rates(tally: Tally, labels: tuple[str, ...], role: Role) -> tuple[Evidence, ...]:
    """Return the rates of the visits whose truth is known: strangers taken for somebody (also per stranger where they are named), people not known.

    A truth that no label of the gate has is a stranger; "unknown" is a stranger without a name. What counts is whom the frames agreed on, also where
    hours, a second factor or a lockout kept the door shut.
    """
    known = [visit for visit in tally.visits.values() if visit.truth]
    strange = [visit for visit in known if visit.truth not in labels]
    mine = [visit for visit in known if visit.truth in labels]
    found = []
    if strange:
        found.append(measure("false accept", sum(bool(visit.taken_for) for visit in strange), len(strange), "visit", role))
        names = {visit.truth for visit in strange}
        if UNKNOWN not in names:
            found.append(measure("false accept", len({visit.truth for visit in strange if visit.taken_for}), len(names), "stranger", role))
    if mine:
        found.append(measure("false reject", sum(visit.truth not in visit.taken_for for visit in mine), len(mine), "visit", role))
        wrong = sum(bool(visit.taken_for - {visit.truth}) for visit in mine)
        found.append(measure("taken for somebody else", wrong, len(mine), "visit", role))
    return tuple(found)


def role_of(recording: Recording, path: Path) -> tuple[Role, str]:
    """Return what a recording can show, and why: only frames that were really recorded in visits prove a rate per visit.

    Folders give their pictures made-up times; a picture that stands in it twice, or times that are no dates, are photos that pose as frames.
    """
    if path.is_dir():
        return "simulated", "a folder gives its pictures made-up times: single photos that pose as frames"
    if not recording.dated:
        return "simulated", "the table's times are no dates: single photos that pose as frames"
    files = [shot.path for shot in recording.shots]
    if len(set(files)) < len(files):
        return "simulated", "the table names a picture twice: single photos that pose as frames"
    alone = {shot.visit for shot in recording.shots} - {
        shot.visit for shot, after in zip(recording.shots, recording.shots[1:], strict=False) if shot.visit == after.visit
    }
    if alone:
        return "simulated", "a visit of the table has a single frame: single photos that pose as frames"
    return "proof", "recorded visits, each counted once; visits of one person are counted as if they were independent"


def is_journal(path: Path) -> bool:
    """Say whether a file is a database, such as a journal."""
    try:
        with path.open("rb") as file:
            return file.read(15) == b"SQLite format 3"
    except OSError:
        return False
