"""Files: the name of one that nobody named, and writing so that a power cut leaves the old one or the new one, never half of one."""

from pathlib import Path

from peephole.base.disk import DISK, Disk
from peephole.base.errors import OutputError

__all__ = ["output_for", "write_atomic"]


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
        raise OutputError(f"{path} cannot be written: {error.strerror or error}", "make room there, or choose another place") from error
    return path
