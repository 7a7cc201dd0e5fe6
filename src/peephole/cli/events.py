"""What happens in a training as JSON, one object a line, written as it happens: for a page, or any other program that follows along.

Every line has `event` and `at`, the seconds since the command began. What is no number (a loss that became infinite) is null.
"""

import json
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from peephole.base.card import Card
from peephole.base.errors import OutputError, PeepholeError, SettingsError
from peephole.base.watch import Inside, Watcher

__all__ = ["EventsWatcher"]

DIGITS = 5  # significant digits of filters and positions, which are looked at; the numbers of an update stay whole
OFTEN = 0.2  # seconds between two lines of progress


def _round(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _json(value: Any) -> Any:
    """Return a value as JSON can hold it: arrays as lists of rounded numbers, what is no number as null."""
    if isinstance(value, np.ndarray):
        return [_json(row) if isinstance(row, np.ndarray) else _round(float(row)) for row in value]
    if isinstance(value, dict):
        return {name: _json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class EventsWatcher(Watcher):
    """Writes events to a file as a context manager, which tells the end of a training that failed too; without a path it is silent.

    A file that takes no more (a full disk, a reader that went away) does not end the training: `complain` hears of it, once.
    """

    def __init__(self, path: Path | None, complain: Callable[[str], None] | None = None) -> None:
        """Open the file anew; raises OutputError where that cannot be."""
        self.path, self.complain, self.curious = path, complain, path is not None
        self._begun, self._progress = time.monotonic(), 0.0
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8")
            except OSError as error:
                raise OutputError(f"{path} cannot be written: {error.strerror or error}", "--events FILE in a folder that is there") from error

    @classmethod
    def of(cls, path: Path | None, output: Path, complain: Callable[[str], None]) -> "EventsWatcher":
        """Return what writes to `path` beside a model file `output`; of torchrun's processes only the first writes."""
        if path is not None and path.resolve() == output.resolve():
            raise SettingsError(f"--events and --output are the same file, {path}", f"--events {output.with_suffix('.jsonl')}")
        follows = "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0"
        return cls(None if follows else path, complain)

    def __enter__(self) -> "EventsWatcher":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, PeepholeError):
            self._write("failed", what=error.what, hint=error.hint)
        elif isinstance(error, KeyboardInterrupt):
            self._write("failed", what="it was stopped", hint="start it again")
        elif error is not None:
            self._write("failed", what=f"{type(error).__name__}: {error}", hint="this is a defect of Peephole: please report it")
        if self._file:
            with suppress(OSError):
                self._file.close()

    def _write(self, event: str, **facts: Any) -> None:
        if self._file is None:
            return
        line = {"event": event, "at": round(time.monotonic() - self._begun, 3)} | {name: _json(fact) for name, fact in facts.items()}
        try:
            self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")
            self._file.flush()
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            self._file = None
            if self.complain:
                self.complain(f"{self.path} takes no more events: {error.strerror or error}; the training goes on")

    def stage(self, text: str) -> None:
        """Write that a stage begins."""
        self._progress = 0.0
        self._write("stage", text=text)

    def said(self, text: str) -> None:
        """Write a sentence."""
        self._write("said", text=text)

    def progress(self, done: int, total: int) -> None:
        """Write how far the stage is, a few times a second."""
        now = time.monotonic()
        if done >= total or now - self._progress > OFTEN:
            self._progress = now
            self._write("progress", done=done, total=total)

    def learned(self, step: int, steps: int, loss: float, held_out: float | None, learning_rate: float) -> None:
        """Write how the training is."""
        self._write("learned", step=step, steps=steps, loss=loss, learning_rate=learning_rate, held_out=held_out)

    def inside(self, seen: Inside) -> None:
        """Write what the network looks like."""
        filters = {"layer": seen.layer, "shape": seen.shape, "shown": seen.filters.shape, "weights": seen.filters}
        embedding = {"positions": seen.positions, "share": seen.share, "labels": seen.labels}
        update = asdict(seen.update) if seen.update else None
        self._write("inside", step=seen.step, steps=seen.steps, filters=filters, update=update, embedding=embedding, right=seen.right)

    def done(self, path: Path, card: Card, seconds: float) -> None:
        """Write that the model file is there, and what its card says it can do."""
        self._write(
            "done",
            model=str(path),
            labels=card.labels,
            seconds=round(seconds, 3),
            scores={name: score.model_dump(mode="json") for name, score in card.scores.items()},
            evidence=[asdict(found) for found in card.evidence],
            recipe=card.training.sentence,
        )
