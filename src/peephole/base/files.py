"""Writing a file so that a power cut leaves the old one or the new one, never half of one."""

import os
import tempfile
from pathlib import Path

from peephole.base.errors import OutputError

__all__ = ["write_atomic"]


def write_atomic(path: Path | str, data: bytes | str, mode: int = 0o644) -> Path:
    """Write `data` beside `path`, fsync it, rename it over `path` and fsync the folder; raises OutputError."""
    path = Path(path)
    payload = data.encode() if isinstance(data, str) else data
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror or error}", "choose another place with -o PATH") from error
    return path
