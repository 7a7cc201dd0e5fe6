"""When each loop of a gate last moved, so that a watchdog can tell one that hangs from one that waits."""

import threading
from collections.abc import Callable

from peephole.gateway.clock import Clock

__all__ = ["Beats"]

DEADLINE = 5.0  # seconds: a controller may keep the release of pulses waiting for two of them


class Beats:
    """When each loop of a gate last moved; may be asked and told from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._moved: dict[str, float] = {}
        self._within: dict[str, float] = {}

    def of(self, name: str, within: float = DEADLINE) -> Callable[[], None]:
        """Expect a loop to move every `within` seconds from now on, and return what it calls when it has."""

        def moved() -> None:
            with self._lock:
                self._moved[name] = self._clock.monotonic()

        with self._lock:
            self._within[name] = within
        moved()
        return moved

    def late(self) -> dict[str, float]:
        """Return the loops that have not moved in time, with the seconds since they last did."""
        now = self._clock.monotonic()
        with self._lock:
            return {name: now - moved for name, moved in self._moved.items() if not 0 <= now - moved <= self._within[name]}
