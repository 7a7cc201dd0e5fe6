"""Runs tests against a folder of sources again and again, each time in a fork of this process: what is slow to import is imported once.

`python mutantrun.py SOURCES SECONDS TEST.py ...` runs them for every line on its standard input, and answers each with `passed`,
`failed`, or `hangs` when they came to no end in SECONDS.
"""

import importlib
import os
import resource
import signal
import sys
import time
from contextlib import suppress

import pytest

# Whatever the tests import that is not ours.
SLOW = ("hypothesis.stateful", "numpy", "onnx", "onnxruntime", "PIL.Image", "paho.mqtt.client", "pydantic", "typer.testing")
CPU = 120  # seconds of one core for any process: a mutant may leave one behind, such as a relay that never hears that its gate is gone


def outcome(sources: str, seconds: float, tests: list[str]) -> str:
    """Run the tests once, in a process of their own, and return the answer."""
    child = os.fork()
    if child == 0:
        _try(sources, tests)
    end, status = time.monotonic() + seconds, None
    while status is None and time.monotonic() < end:
        time.sleep(0.02)
        done, code = os.waitpid(child, os.WNOHANG)
        status = code if done else None
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if status is None:
        os.waitpid(child, 0)
        return "hangs"
    return "failed" if status else "passed"


def _try(sources: str, tests: list[str]) -> None:
    """Become the process that runs the tests; never returns."""
    code = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        sys.path.insert(0, sources)
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", *tests]))  # nobody reads why
    finally:
        os._exit(code)


def main() -> None:
    """Answer each line."""
    sources, seconds, *tests = sys.argv[1:]
    for name in SLOW:
        importlib.import_module(name)
    for _ in sys.stdin:
        print(outcome(sources, float(seconds), tests), flush=True)


if __name__ == "__main__":
    main()
