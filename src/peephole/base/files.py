"""Files: the name of one that nobody named, and writing so that a power cut leaves the old one or the new one, never half of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from peephole.base.disk import DISK, Disk
from peephole.base.errors import OutputError, PeepholeError

__all__ = ["drafted", "output_for", "write_atomic"]


def output_for(root: Path) -> Path:
    """Return the default place of a model file that is trained on the folder `root`: named after it, in the current one."""
    return Path(f"{root.resolve().name or 'model'}.onnx")


def write_atomic(path: Path | str, data: bytes | str, disk: Disk = DISK, *, mode: int = 0o644) -> Path:
    """Write `data` beside `path` with the permissions `mode`, fsync it, rename it over `path` and fsync the folder; raises OutputError."""
    path = Path(path)
    draft: Path | None = None
    try:
        draft = disk.draft(path, data.encode() if isinstance(data, str) else data, mode)
        disk.rename(draft, path)
        draft = None
        disk.sync(path.parent)
    except OSError as error:
        if draft is not None:
            disk.remove(draft)
        raise _refused(path, error) from error
    return path


@contextmanager
def drafted(path: Path | str, disk: Disk = DISK, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Give an open file beside `path` to be written piece by piece, for what memory cannot hold; it takes the name only when all went well.

    After an exception nothing is left of it and the old file stands. Raises OutputError where it cannot be written.
    """
    path = Path(path)
    draft: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        draft = Path(name)
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(mode)
        disk.rename(draft, path)
        draft = None
        disk.sync(path.parent)
    except OSError as error:
        raise error if isinstance(error, PeepholeError) else _refused(path, error) from error
    finally:
        if draft is not None:
            disk.remove(draft)


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path} cannot be written: {error.strerror or error}", "make room there, or choose another place")
