"""A camera's process ends with its gate, also while its driver hangs: the next gate needs the camera (one that is open belongs to one program)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

# A gate as far as its camera is concerned.
GATE = """
import sys, time
from peephole.gateway.camera import Eye
eye = Eye(sys.argv[1:])
print(eye._child.pid, flush=True)
time.sleep(60)
"""
# The real program, with what `harm` takes away; a film that is a pipe nobody writes to hangs in FFmpeg, outside Python's lock.
FILM = """
import sys
from peephole.gateway import eye
{harm}
sys.exit(eye.main(["video", sys.argv[1], "5"]))
"""
# A driver that hangs and keeps Python's lock, so that no other thread of Python's gets a turn.
LOCKED = """
import ctypes, sys
from peephole.gateway import eye
{harm}
eye.end_with(1)
open(sys.argv[1], "rb")
ctypes.PyDLL(None).sleep(60)
"""
NOTHING = ""
NO_SIGNAL = "eye.ctypes.CDLL = lambda name: None"
NO_CARE = "eye.end_with = lambda line: None"


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A named pipe; what is returned waits until somebody has opened it to read, and keeps him waiting for the first byte."""
    os.mkfifo(tmp_path / "film.avi")
    writing: list[int] = []

    def wait() -> None:
        end = time.monotonic() + 20
        while not writing:
            assert time.monotonic() < end, "nobody reads"
            with suppress(OSError):
                writing.append(os.open(tmp_path / "film.avi", os.O_WRONLY | os.O_NONBLOCK))
            time.sleep(0.02)
        time.sleep(0.3)

    yield wait
    for one in writing:
        os.close(one)


def gone(process: int) -> bool:
    """Say whether a process is there no more, or only its exit code is."""
    with suppress(OSError):
        return not Path(f"/proc/{process}/cmdline").read_bytes()
    return True


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="whether somebody else's child is there is read from Linux's /proc")
@pytest.mark.parametrize(
    ("program", "harm", "ends"),
    [(FILM, NOTHING, True), (FILM, NO_SIGNAL, True), (FILM, NO_CARE, False), (LOCKED, NOTHING, True), (LOCKED, NO_SIGNAL, False)],
    ids=["hangs", "hangs, by its thread alone", "hangs, a careless twin", "hangs with the lock", "hangs with the lock, by its thread alone"],
)
def test_it_ends_with_a_killed_gate(tmp_path: Path, pipe: Callable[[], None], program: str, harm: str, ends: bool) -> None:
    """A gate killed with -9 while its camera hangs: the child is gone within two seconds; each twin that leaves out what helps stays."""
    words = [sys.executable, "-c", GATE, sys.executable, "-c", program.format(harm=harm), str(tmp_path / "film.avi")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as gate:
        assert gate.stdout is not None
        child = int(gate.stdout.readline())
        try:
            pipe()
            assert not gone(child)
            gate.kill()
            end = time.monotonic() + 2
            while not gone(child) and time.monotonic() < end:
                time.sleep(0.02)
            assert gone(child) is ends
        finally:
            gate.kill()
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def test_it_stays_while_somebody_reads(tmp_path: Path, pipe: Callable[[], None]) -> None:
    """With its gate there a camera that hangs is the gate's to end."""
    words = [sys.executable, "-c", FILM.format(harm=NOTHING), str(tmp_path / "film.avi")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        pipe()
        assert child.poll() is None
        child.kill()
