"""What is freed while a model is opened goes back to the system."""

import platform
import subprocess
import sys

import pytest

# 300 blocks with something small after each: freed, they are holes in a heap, or gone.
HOLES = """
import ctypes, resource
from peephole.base.heap import opening
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
def left():
    before, blocks, small = resident(), [], []
    for _ in range(300):
        blocks.append(libc.malloc(300_000))
        ctypes.memset(blocks[-1], 1, 300_000)
        small.append(libc.malloc(20_000))
    for block in blocks:
        libc.free(block)
    return resident() - before
with opening():
    inside = left()
print(inside, left())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told how to keep its heap")
def test_large_blocks_leave_no_holes() -> None:
    """90 MB are freed in either case; outside, where frames come and go, the process keeps most of them."""
    said = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True, timeout=60).stdout
    inside, outside = (int(number) / 1e6 for number in said.split())
    assert inside < 5
    assert outside > 50


def test_it_is_quiet_where_there_is_no_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another C library has no `mallopt`, or cannot be asked at all."""
    from peephole.base import heap

    asked: list[type[Exception]] = []
    for error in (AttributeError, OSError, TypeError):

        def refused(_: object, error: type[Exception] = error) -> None:
            asked.append(error)
            raise error

        monkeypatch.setattr(heap.ctypes, "CDLL", refused)
        with heap.opening():
            assert asked[-1] is error
    assert len(asked) == 9, "before once, after twice, for each of the three"
