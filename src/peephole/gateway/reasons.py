"""Why the gate decided as it did, in sentences a person can read; pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from peephole.base.records import Prediction

__all__ = ["agreed", "count", "farewell", "figures", "plural"]

SHORTEST = 0.05  # seconds: pictures that were taken together, or without a time, took none
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


class Seen(Protocol):
    """What a sentence needs of a judged frame: `who` is a label, "unknown" for a stranger, "" for a frame with a `problem`."""

    @property
    def who(self) -> str: ...
    @property
    def prediction(self) -> Prediction | None: ...
    @property
    def problem(self) -> str: ...


def count(number: int) -> str:
    """Write a small number as a word."""
    return WORDS[number] if number < len(WORDS) else str(number)


def plural(number: int, noun: str) -> str:
    """Write a number with its noun: 1 visit, 2 visits."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def agreed(run: Sequence[float], label: str | None) -> str:
    """Say that frames at these times (seconds) all show the same label, or a stranger."""
    frames = f"{count(len(run))} frames in a row were" if len(run) > 1 else "one frame was"
    took = run[-1] - run[0]
    return f"{frames} {label or 'a stranger'}{f' within {took:.1f} s' if took >= SHORTEST else ''}"


def farewell(agree: int, within: float, latest: Sequence[Seen], run: Sequence[float]) -> str:
    """Say why a visit ended shut: `latest` are its last frames, `run` the times of those that agreed at the end."""
    judged = [seen for seen in latest if seen.who]
    if not judged:
        return f"{_of(len(latest), len(latest))} could not be judged; the last one: {latest[-1].problem}" if latest else "there was no frame to judge"
    known = Counter(seen.who for seen in judged if seen.who != "unknown")
    if not known:
        return f"{_of(len(latest) - len(judged), len(latest), 'unjudged')}{_nobody(len(judged), judged[-1].prediction)}"
    who, times = known.most_common(1)[0]
    if len(known) > 1:
        return f"{' and '.join(sorted(known))} were both seen, and neither in {count(agree)} frames in a row"
    if times < len(latest):
        other = next((seen for seen in reversed(latest) if seen.who != who), latest[-1])
        why = other.problem or f"the last of these: {figures(other.prediction)}"
        return f"{_of(len(latest) - times, len(latest))} {'was' if len(latest) - times == 1 else 'were'} not {who}; {why}"
    if times < agree:
        return f"only {count(times)} {'frame' if times == 1 else 'frames in a row'} showed {who}, {count(agree)} are needed"
    return f"{count(agree)} frames in a row were {who}, but they took {run[-1] - run[0]:.1f} s; {within:.1f} s are allowed"


def figures(prediction: Prediction | None) -> str:
    """Say what decided about one frame, in the words of `peephole predict`."""
    if prediction is None:
        return "it was not judged"
    if not prediction.ranking:
        return f"its familiarity is {prediction.familiarity:.2f}, the threshold {prediction.threshold:.2f}"
    return prediction.reason


def _of(some: int, total: int, unjudged: str = "") -> str:
    if unjudged:
        return f"{_of(some, total)} could not be judged; " if some else ""
    if total == 1:
        return "the only frame"
    return f"{count(some)} of the last {count(total)} frames"


def _nobody(judged: int, last: Prediction | None) -> str:
    frames = f"the last {count(judged)} frames showed nobody known; the last one:" if judged > 1 else "the frame showed nobody known:"
    return f"{frames} {figures(last)}"
