"""Where the pixels of a set lie: in memory while they fit, else in a file mapped into memory, which goes when the work ends.

On a system that lets an open file lose its name (any but Windows) the file loses it at once: however the work ends, the disk is free again.
"""

import mmap
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from peephole.base.errors import OutputError

__all__ = ["Room", "file_of", "free_memory", "opened", "scattered"]

SPARE = 200_000_000  # bytes of disk that are left to others
UNKNOWN = 4 * 10**9  # bytes of memory taken to be free where the system does not say
# What a container may use and what it uses: cgroup version 2, then 1.
LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def _number(path: str) -> int | None:
    with suppress(OSError, ValueError):
        return int(Path(path).read_text())
    return None


def free_memory() -> int:
    """Return the bytes of memory that are free for new work, by the system and by the container's limit."""
    found = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))))
    for most, used in LIMITS:
        limit, taken = _number(most), _number(used)
        if limit is not None and taken is not None:
            found.append(max(0, limit - taken))
    return min(found, default=UNKNOWN)


@dataclass(frozen=True)
class Room:
    """Where decoded pixels may lie: `memory` bytes at most in memory (None: half of what is free), else in a file in `folder`.

    `said` hears of it. With `named` they always lie in a file, which keeps its name until `opened` is called with `last`: other processes are
    to open it.
    """

    folder: Path
    memory: int | None = None
    named: bool = False
    said: Callable[[str], None] = lambda _: None

    def array(self, shape: tuple[int, ...], what: str) -> np.ndarray:
        """Return uint8 zeros of a shape; `what` names them in errors. Raises OutputError where neither memory nor disk has the room."""
        needed, most = prod(shape), free_memory() // 2 if self.memory is None else self.memory
        if needed <= most and not self.named:
            return np.zeros(shape, np.uint8)
        free = shutil.disk_usage(self.folder).free
        if needed + SPARE > free:
            raise OutputError(
                f"{what} take {needed / 1e9:.1f} GB: more than the {most / 1e9:.1f} GB of memory they may have, and {self.folder} has only "
                f"{free / 1e9:.1f} GB of disk free",
                "a smaller --size, fewer photos, more --memory, or a place with more room: -o DIR/NAME.onnx",
            )
        if needed > most:
            self.said(
                f"{what} take {needed / 1e9:.1f} GB, more than the {most / 1e9:.1f} GB of memory they may have: they lie on disk ({self.folder})"
            )
        return self._mapped(shape, needed)

    def _mapped(self, shape: tuple[int, ...], needed: int) -> np.ndarray:
        """Make the file, with its disk space taken now rather than when it is written to."""
        try:
            handle, name = tempfile.mkstemp(prefix=".pixels-", dir=self.folder)
            os.close(handle)
            try:
                with Path(name).open("r+b") as file:
                    if hasattr(os, "posix_fallocate"):
                        os.posix_fallocate(file.fileno(), 0, max(1, needed))
                    else:
                        file.truncate(max(1, needed))
                    found = np.memmap(file, np.uint8, "r+", shape=shape)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise OutputError(
                f"the pixels cannot be kept in {self.folder}: {error.strerror or error}", "-o DIR/NAME.onnx, on another disk"
            ) from error
        if not self.named:
            with suppress(OSError):  # Windows keeps the name of an open file
                Path(name).unlink()
        return found


def file_of(images: np.ndarray) -> Path | None:
    """Return the file that an array as `load` leaves it lies in; None for one in memory."""
    return Path(str(images.filename)) if isinstance(images, np.memmap) else None


def opened(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Return what another process of this machine put into a file; the memory is shared until this process writes to it."""
    return scattered(np.memmap(path, np.uint8, "c", shape=shape))


def scattered(images: np.ndarray) -> np.ndarray:
    """Tell the system that an array is read here and there, where it lies in a file: reading ahead would fetch what is not asked for."""
    found: object = images
    while isinstance(found, np.ndarray):
        found = found.base
    if isinstance(found, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):
        found.madvise(mmap.MADV_DONTNEED)  # what was written stays in the system's cache, or goes to the disk
        found.madvise(mmap.MADV_RANDOM)
    return images
