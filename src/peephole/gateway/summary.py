"""What a gate did from start to stop: how each visit ended, the counts, and the false accepts that a recording can show."""

from dataclasses import dataclass

from peephole.base.evidence import measure
from peephole.base.records import Evidence, Verdict
from peephole.gateway.arming import Armed
from peephole.gateway.policy import UNKNOWN

__all__ = ["Outcome", "Summary"]


@dataclass(frozen=True)
class Outcome:
    """How a visit ended: `acted` is False when the verdict could not be carried out; `truth` where the recording knows it."""

    visit: str
    verdict: Verdict
    label: str | None
    reason: str
    acted: bool
    truth: str | None


@dataclass(frozen=True)
class Summary:
    """What a gate did from start to stop; `outcomes` are the latest thousand visits."""

    gate: str
    armed: Armed
    frames: int
    refused_frames: int
    visits: int
    opened: int
    asked: int
    shut: int
    faults: int
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()

    @property
    def false_accepts(self) -> Evidence | None:
        """Visits of strangers that opened, where the recording says who they were; simulated, because photos posed as frames."""
        strangers = [outcome for outcome in self.outcomes if outcome.truth == UNKNOWN]
        wrong = sum(outcome.verdict == "open" and outcome.acted for outcome in strangers)
        return measure("false accept", wrong, len(strangers), "visit", "simulated") if strangers else None
