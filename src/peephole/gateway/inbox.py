"""What comes from outside while the watch looks at frames, in a queue of its own: PINs and tags, presence, readings, commands.

Listeners put from their threads; the watch empties it once a turn and hands the signals to the policy. Nothing here is believed yet.
"""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["Inbox", "Kind", "Signal"]

Kind = Literal["factor", "presence", "reading", "command"]
ROOM = 64
# Of these only the newest matters, so the oldest makes room; of the others the newcomer is turned away.
REPLACED = ("presence", "reading")


@dataclass(frozen=True)
class Signal:
    """One thing that was heard: `time` is monotonic seconds, `wall` seconds since 1970, both of its arrival; `source` says from where."""

    time: float
    wall: float
    source: str
    kind: Kind
    values: Mapping[str, float | str]


class Inbox:
    """A queue for several threads, of at most `room` signals of each kind: a flood of readings leaves room for a PIN."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._waiting: deque[Signal] = deque()
        self._counts: dict[Kind, int] = dict.fromkeys(get_args(Kind), 0)
        self._lost = 0

    def put(self, signal: Signal) -> bool:
        """Let a signal wait for the watch; False when there was no room, and then it never happened. Never blocks."""
        with self._lock:
            if self._counts[signal.kind] >= self._room:
                self._lost += 1
                if signal.kind not in REPLACED:
                    return False
                oldest = next(old for old in self._waiting if old.kind == signal.kind)
                self._waiting.remove(oldest)
                self._counts[signal.kind] -= 1
            self._waiting.append(signal)
            self._counts[signal.kind] += 1
            return True

    def empty(self) -> tuple[Signal, ...]:
        """Take out everything that waits, in the order of its arrival."""
        with self._lock:
            found = tuple(self._waiting)
            self._waiting.clear()
            self._counts = dict.fromkeys(self._counts, 0)
            return found

    @property
    def lost(self) -> int:
        """How many signals found no room, or had to make some."""
        with self._lock:
            return self._lost
