"""One gate at a time: a second one on the same journal would end the first one's openings and write between its rows."""

import fcntl
from pathlib import Path
from typing import IO

from peephole.base.errors import JournalError

__all__ = ["only_one", "runs"]


def only_one(journal: Path) -> IO[bytes]:
    """Take the lock of a journal's gate, a file beside it that is let go when closed or when the process ends, however it ends.

    Raises JournalError when another gate holds it, or when it cannot be made.
    """
    path = _lock_of(journal)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror or error}", "correct [journal] path and its permissions") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise JournalError(f"another gate is running with the journal {journal}", "stop it first, or give this one another [journal] path") from error
    return file


def runs(journal: Path) -> bool:
    """Say whether a gate runs with a journal; nothing is made, and False where that cannot be told."""
    try:
        # Shared, so that two who look do not see each other, and let go at once.
        with _lock_of(journal).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock_of(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.running")
