"""Ctrl-C between two steps: a signal waits for the end of the step at hand, so that no half step is ever kept."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Held", "signals_wait"]


class Held:
    """The signals that came; calling it lets the first of them do what it did before."""

    def __init__(self) -> None:
        self.came: list[tuple[int, FrameType | None]] = []
        self.before: dict[int, Callable[[int, FrameType | None], object]] = {}

    def __call__(self) -> None:
        """Let a signal that came act now."""
        if self.came:
            number, frame = self.came[0]
            self.before[number](number, frame)


@contextmanager
def signals_wait(*, patient: bool = False) -> Iterator[Held]:
    """Hold SIGINT and SIGTERM back; what it yields lets one that came do what it did before.

    A second one is not held back, unless `patient`: many processes stop at the same step or not at all. Outside the main thread, which
    alone hears signals, nothing changes.
    """
    held = Held()

    def hold(number: int, frame: FrameType | None) -> None:
        held.came.append((number, frame))
        if len(held.came) > 1 and not patient:
            held.before[number](number, frame)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):  # the default of SIGTERM is not: it ends the process, and goes on doing so
                held.before[number] = handler
                signal.signal(number, hold)
    try:
        yield held
    finally:
        for waiting, before in held.before.items():
            signal.signal(waiting, before)
