"""The program that reads a camera or a video file: a process of its own, because reading can hang for ever or fall over a bad file.

`python -m peephole.gateway.eye ADDRESS` writes one picture after the other to standard output: a header (HEADER: magic, monotonic
seconds, height, width, channels) and the pixels, uint8 RGB. A last word on standard error says why it ended. It ends with whoever
reads from it, however hard a driver hangs: the next gate needs the camera.
"""

import ctypes
import os
import select
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from peephole.base.errors import PeepholeError
from peephole.base.extras import load

__all__ = ["HEADER", "MAGIC", "MOST", "end_with", "main", "pack"]

HEADER = struct.Struct("<4sdIII")
MAGIC = b"EYE1"
MOST = 25_000_000  # pixels of a picture
PR_SET_PDEATHSIG = 1  # prctl(2): what the kernel sends this process when the one that started it is gone


def pack(seconds: float, pixels: Any) -> bytes:
    """Write a header for uint8 pixels (H, W, C) taken at so many monotonic seconds, without the pixels."""
    return HEADER.pack(MAGIC, seconds, *pixels.shape)


def end_with(line: int) -> None:
    """End this process as soon as nobody can read from the pipe `line` any more, whatever it is doing then.

    A thread waits for that while a driver hangs outside Python's lock; one that holds the lock is ended by Linux itself.
    """
    with suppress(OSError, AttributeError):  # only Linux has it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_await_end, args=(line,), name="end", daemon=True).start()


def _await_end(line: int) -> None:
    end = select.poll()
    end.register(line, 0)  # an error and the other side's end are always told
    end.poll()
    os._exit(0)


def _write(pictures: Iterator[tuple[float, Any]], line: int) -> None:
    """Write pictures until they end or nobody reads."""
    for seconds, pixels in pictures:
        for part in (pack(seconds, pixels), pixels.tobytes()):
            view = memoryview(part)
            while view:
                view = view[os.write(line, view) :]


def main(words: list[str]) -> int:
    """Read the camera or file that the words name: `camera PLACE WIDTH HEIGHT FPS`, `video PATH FPS`; 0 at its end, 1 with a reason."""
    line = os.dup(1)
    os.dup2(2, 1)  # whatever a driver prints must not stand among the pixels
    end_with(line)
    try:
        if words[:1] == ["camera"] and len(words) == 5:
            place, width, height, fps = words[1], int(words[2]), int(words[3]), float(words[4])
            _write(load("gateway.opencv:camera")(place, width, height, fps), line)
        elif words[:1] == ["video"] and len(words) == 3:
            _write(load("gateway.opencv:video")(words[1], float(words[2])), line)
        else:
            print("usage: eye camera PLACE WIDTH HEIGHT FPS | video PATH FPS", file=sys.stderr)  # noqa: T201  # the parent reads it
            return 2
    except BrokenPipeError:
        return 0
    except PeepholeError as error:
        print(f"{error.what}; {error.hint}", file=sys.stderr)  # noqa: T201  # the parent reads it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
