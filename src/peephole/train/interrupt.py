"""Ctrl-C between two steps: a signal waits for the end of the step at hand, so that no half step is ever kept."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["signals_wait"]


@contextmanager
def signals_wait() -> Iterator[Callable[[], None]]:
    """Hold SIGINT and SIGTERM back; the function it yields lets one that came do what it did before.

    A second one is not held back. Outside the main thread, which alone hears signals, nothing changes.
    """
    came: list[tuple[int, FrameType | None]] = []
    before: dict[int, Callable[[int, FrameType | None], object]] = {}

    def hold(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))
        if len(came) > 1:
            before[number](number, frame)

    def release() -> None:
        if came:
            number, frame = came[0]
            before[number](number, frame)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):  # the default of SIGTERM is not: it ends the process, and goes on doing so
                before[number] = handler
                signal.signal(number, hold)
    try:
        yield release
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
