"""What takes seconds to make and is asked for again: the last few of a kind stay, by what they were made of."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Shelf"]

T = TypeVar("T")


class Shelf(Generic[T]):
    """Keeps the `most` things of each group that were asked for last, so that one group never pushes out another's."""

    def __init__(self, most: int) -> None:
        self._most, self._turn = most, threading.Lock()
        self._held = OrderedDict[Hashable, tuple[Hashable, T]]()

    def find(self, key: Hashable, make: Callable[[], T], *, group: Hashable = None) -> T:
        """Return what is kept under a key; what is not there is made, while nobody waits for it here, and kept."""
        held = self.get(key)
        if held is None:
            held = make()
            self.put(key, held, group=group)
        return held

    def put(self, key: Hashable, value: T, *, group: Hashable = None) -> None:
        """Keep something, and let the oldest of its group go where they are too many."""
        with self._turn:
            self._held[key] = (group, value)
            for old in [each for each, (other, _) in self._held.items() if other == group][: -self._most]:
                del self._held[old]

    def get(self, key: Hashable) -> T | None:
        """Return what is kept under a key, or None."""
        with self._turn:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][1]
