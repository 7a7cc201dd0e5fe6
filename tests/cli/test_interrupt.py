"""Ctrl-C at any moment of a command ends it without a traceback: a real process, interrupted while it still imports."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

MOMENTS = (0.0, 0.02, 0.05, 0.1, 0.15)  # at 0.3 s a fast computer is done
BEGUN = " peephole.cli.main"  # the last module that is imported before the command begins


@contextmanager
def begun(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command, and go on at the moment when it begins: Python tells of every import."""
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stderr is not None
        assert any(line.rstrip().endswith(BEGUN) for line in process.stderr), "it never began"
        yield process


def ended(process: subprocess.Popen[str], moment: float, number: int = signal.SIGINT) -> tuple[int, str]:
    """Interrupt a command so many seconds later; return the exit code that a shell reports of it, and what it wrote."""
    time.sleep(moment)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    code = (
        process.returncode if process.returncode >= 0 else 128 - process.returncode
    )  # ended by the signal: Python does that once one came within an exec, caught or not
    return code, "".join(line for line in said.splitlines(keepends=True) if not line.startswith("import time:"))


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_while_it_imports(moment: float) -> None:
    """One exit code, and not a word: nothing had been done yet."""
    with begun("-m", "peephole", "gate", "check", "nothing.toml") as process:
        assert ended(process, moment) == (130, "")


def test_a_service_manager_stops_it_while_it_imports() -> None:
    """SIGTERM is heeded just as early."""
    with begun("-m", "peephole", "gate", "check", "nothing.toml") as process:
        assert ended(process, 0.03, signal.SIGTERM) == (130, "")


def test_imports_outside_would_be_seen() -> None:
    """The planted bug: whoever imports the verbs before the command begins shows a traceback."""
    late = "import peephole.cli.main\nimport peephole.cli.verbs\npeephole.cli.main.main()"
    with begun("-c", late) as process:
        assert "Traceback" in ended(process, 0.03)[1]
