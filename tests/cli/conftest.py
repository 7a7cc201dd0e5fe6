"""The command line in this process: exit code, answers and errors of one call."""

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from peephole.cli.main import main

SMALL = ("--network", "plain", "--filters", "4", "--hidden", "12", "--threads", "1")


@dataclass(frozen=True)
class Said:
    """What a call of `peephole` left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The sentence after `error: `; empty when there is none."""
        return next((line.removeprefix("error: ") for line in self.err.splitlines() if line.startswith("error: ")), "")

    @property
    def hint(self) -> str:
        """The line after `hint:  `; empty when there is none."""
        return next((line.removeprefix("hint:  ") for line in self.err.splitlines() if line.startswith("hint:  ")), "")


@pytest.fixture
def peep(monkeypatch, capsys) -> Callable[..., Said]:
    """Return a function that runs `peephole WORDS...` in this process."""

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["peephole", *map(str, words)])
        before = signal.getsignal(signal.SIGTERM)
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            signal.signal(signal.SIGTERM, before)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(code, said.out, said.err)

    return run


@pytest.fixture
def refused(peep) -> Callable[..., Said]:
    """Return a function that runs what must fail because of the user's input: exit code 1, nothing answered, a sentence and a hint."""

    def run(*words: object) -> Said:
        said = peep(*words)
        assert (said.code, said.out) == (1, ""), said
        assert said.error and said.hint and said.err.rstrip().splitlines()[-1].startswith("hint:  ")
        return said

    return run
