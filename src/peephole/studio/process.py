"""A process that outlives the one that started it: whether it still runs, and ending it, without mistaking another for it.

Two marks tell it apart. It holds a lock on a file of its own from its first moment to its last, which the kernel lets go however it ends. Its
number is used for signals alone, and only beside the moment it started at, since numbers are given out again.
"""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Process", "alone", "bury", "is_held", "signalled", "spawn"]

BOOT = Path("/proc/sys/kernel/random/boot_id")

_children: list[subprocess.Popen[bytes]] = []  # that this process started, whoever asked for it: only it can bury them


@dataclass(frozen=True)
class Process:
    """A process's number and the moment it started at, in the computer's own words: both must be the same."""

    pid: int
    began: str


def _moment(pid: int) -> str:
    """Return when a process started: clock ticks since this boot, or what `ps` says; empty for one that is gone or only waits to be buried."""
    try:
        # The name, in brackets, may hold anything; behind it come the state (3rd field) and the start (22nd).
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else f"{BOOT.read_text(encoding='ascii').strip()} {fields[19]}"
    except OSError:
        pass
    if sys.platform == "linux":
        return ""
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock of a file, waiting for whoever has it."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(path: Path) -> bool:
    """Tell whether a process that was given the lock of a file at its start still runs."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def spawn(words: Sequence[str], *, lock: Path, output: Path, folder: Path, environment: Mapping[str, str]) -> Process:
    """Start a program in a session of its own, in a folder; what it says goes to the file `output`. It holds `lock` while it runs; raises OSError."""
    with lock.open("w") as held, output.open("wb") as said:
        fcntl.flock(held, fcntl.LOCK_EX)  # waits for no longer than somebody takes to look whether it is held
        child = subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
            pass_fds=(held.fileno(),),
        )
    _children.append(child)
    return Process(child.pid, _moment(child.pid))


def bury() -> None:
    """Take note of the end of those that were started here, or they would stay as zombies."""
    _children[:] = [child for child in _children if child.poll() is None]


def signalled(process: Process, number: signal.Signals) -> bool:
    """Send a signal to the process and all it started; False, and nothing sent, where the number belongs to another by now or to nobody."""
    if process.pid <= 1 or not process.began or _moment(process.pid) != process.began:
        return False
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
        return True
    return False
