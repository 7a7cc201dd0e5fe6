"""The disk as a part that can be exchanged: the computer's own, or one that tests cut the power of between any two steps."""

import os
import tempfile
from pathlib import Path
from typing import Protocol

__all__ = ["DISK", "Disk", "SystemDisk"]


class Disk(Protocol):
    """What is asked of a disk to exchange a file whole; every method raises OSError."""

    def read(self, path: Path) -> bytes:
        """Return the bytes of a file."""
        ...

    def draft(self, path: Path, data: bytes, mode: int) -> Path:
        """Write `data` to a new file beside `path` with the permissions `mode`, see it onto the disk itself, and return its path."""
        ...

    def rename(self, draft: Path, path: Path) -> None:
        """Give a draft its name; whoever opens `path` sees the old file or the new one, never half of one."""
        ...

    def sync(self, folder: Path) -> None:
        """See the names of a folder's files onto the disk itself: before that, a power cut may undo a rename."""
        ...

    def remove(self, path: Path) -> None:
        """Take a file away, if it is there."""
        ...


class SystemDisk:
    """The computer's own disk."""

    def read(self, path: Path) -> bytes:
        """Return the bytes of a file."""
        return path.read_bytes()

    def draft(self, path: Path, data: bytes, mode: int) -> Path:
        """Write a new file beside `path` that only its name tells apart; nothing is left of one that fails."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        return Path(name)

    def rename(self, draft: Path, path: Path) -> None:
        """Give a draft its name."""
        draft.replace(path)

    def sync(self, folder: Path) -> None:
        """Wait until the folder itself is on the disk."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove(self, path: Path) -> None:
        """Take a file away, if it is there."""
        path.unlink(missing_ok=True)


DISK = SystemDisk()
