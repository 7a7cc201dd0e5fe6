"""How the command line speaks: one console for answers, one for errors, progress on a terminal."""

import json
from dataclasses import asdict, is_dataclass
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from peephole.base.card import Card
from peephole.base.errors import PeepholeError
from peephole.base.evidence import describe
from peephole.base.watch import Watcher
from peephole.decide.wallpaper import lines as told

__all__ = ["ProgressWatcher", "card_lines", "console", "errors", "print_error", "print_json"]

# How a line reads that was drawn by invented characters, and one of how many of them may pass (train/calibrate, which needs PyTorch).
INVENTED, INVENTED_PASS = "invented as strangers", 20

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def print_error(error: PeepholeError) -> None:
    """Say what happened and what fixes it, without Rich reading brackets in file names as markup."""
    errors.print("error: ", style="bold red", end="")
    errors.print(error.what, markup=False, soft_wrap=True)
    if error.hint:
        errors.print("hint:  ", style="bold cyan", end="")
        errors.print(error.hint, markup=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def print_json(value: Any) -> None:
    """Print machine-readable output and nothing else."""
    print(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))  # noqa: T201  # Rich would wrap and colour it


class ProgressWatcher(Watcher):
    """Draws the stages of a build on a terminal; prints plain lines elsewhere. Use as a context manager."""

    def __init__(self) -> None:
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            console=errors,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "ProgressWatcher":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()
        self._bars.stop()

    def _finish(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, total=1, completed=1, note="")
            self._bars.stop_task(self._task)

    def stage(self, text: str) -> None:
        """Begin a new bar."""
        self._finish()
        self._task = self._bars.add_task(text, total=None, note="")

    def progress(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total)

    def learned(self, step: int, steps: int, loss: float, held_out: float | None, learning_rate: float) -> None:
        """Move the bar by a training step and show the loss."""
        if self._task is not None:
            held = f"  held out {held_out:.3f}" if held_out is not None else ""
            self._bars.update(self._task, completed=step, total=steps, note=f"loss {loss:.3f}{held}")

    def said(self, text: str) -> None:
        """Print a line above the bars."""
        errors.print(text, markup=False, style="dim", soft_wrap=True)


def card_lines(card: Card) -> list[str]:
    """Return what a person should know of a model file, line by line."""
    lines = []
    for score in card.scores.values():
        low, high = score.interval
        right = round(score.accuracy * score.n)
        lines.append(
            f"accuracy: {right} of {score.n} held-out sources right ({score.accuracy:.1%}; 95 % interval {low:.1%} to {high:.1%}; {score.role})"
        )
    lines += [describe(found) for found in card.evidence]
    if not any(found.claim == "false accept" for found in card.evidence):
        lines.append("false accept: not measured, no strangers were given (a folder unknown/ with one sub-folder per stranger)")
    lines.append(f"threshold: {card.unknown.threshold:.3f} on familiarity ({card.unknown.how})")
    if INVENTED in card.unknown.how:
        lines.append(
            f"  of these 1 in {INVENTED_PASS} may pass, more only where a quarter of the known would be refused; "
            f"--false-accept {card.unknown.false_accept:g} is another number, for real strangers and labels held out in turn: no stricter line"
        )
    same = card.parity
    lines.append(
        f"parity: {same.changed_decisions} of {same.n} decisions differ between network and file; logits by at most {same.max_difference:.1g}"
    )
    return [*lines, *(told(card.wallpaper) if card.wallpaper else ())]
