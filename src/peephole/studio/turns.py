"""Whose turn it is: what computes runs on threads, few at a time, so that many visitors at once neither stop the page nor fill the memory.

The others wait without a thread of their own, up to a number; whoever comes after that is told so. Knows nothing of HTTP.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from peephole.base.errors import PeepholeError

__all__ = ["Busy", "Turns"]

T = TypeVar("T")


class Busy(PeepholeError):
    """As many wait already as may wait."""


class Turns:
    """Lets `at_once` pieces of work run at a time and `waiting` more wait, in the order they came."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._most, self._here = at_once + waiting, 0
        self._places = asyncio.Semaphore(at_once)

    async def take(self, work: Callable[[], T]) -> T:
        """Return what `work` gives on a thread, when its turn has come; raises Busy at once when too many wait, and what the work raises."""
        if self._here >= self._most:
            raise Busy("too many are asking at the same time", "try again in a moment")
        self._here += 1
        try:
            async with self._places:
                return await run_in_threadpool(work)
        finally:
            self._here -= 1
