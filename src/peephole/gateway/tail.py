"""A table that somebody keeps adding lines to, and its newest line: readings from csv://PATH."""

import csv
import os
import threading
from collections.abc import Callable
from pathlib import Path

from peephole.gateway.letters import Letter, row

__all__ = ["Tail"]

POLL = 0.5
LINE = 64 * 1024  # bytes at the end of the file that are looked at


class Tail:
    """Looks at a file now and then from a thread of its own; `hear` gets its newest whole line whenever that is a new one.

    What was in the file when it began has no age and does not count. A file that is not there, or cannot be read, says nothing.
    """

    def __init__(self, path: Path, hear: Callable[[Letter], None], poll: float = POLL) -> None:
        self._path, self._hear, self._poll = path, hear, poll
        self._stop = threading.Event()
        self._known = self._size()
        self._thread = threading.Thread(target=self._watch, name="tail", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def _watch(self) -> None:
        while not self._stop.wait(self._poll):
            size = self._size()
            if size != self._known:
                self._look()
                self._known = size

    def _look(self) -> None:
        try:
            with self._path.open("rb") as file:
                head = file.readline(LINE)
                file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - LINE))
                lines = file.read(LINE).split(b"\n")[:-1]  # what follows the last newline is still being written
            columns, cells = ((next(csv.reader([line.decode("utf-8-sig").strip()]), [])) for line in (head, lines[-1] if lines else b""))
        except (OSError, ValueError, csv.Error):
            return
        if columns and len(columns) == len(cells):
            self._hear(row(columns, cells))
