"""The relay's own process: on for so long and then off by itself, whatever became of the gate that asked for it.

Started as `python -m peephole.gateway.relay gpio://17 --longest 5`, it reads orders from its standard input, one a line. It trusts
nobody: a pulse has an end from its beginning, and without a word for half a second, at the end of the input, on anything that it does
not understand, the pin goes back to its safe state. It never waits for whoever listens to it.
"""

import argparse
import math
import os
import re
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from peephole.base.errors import PeepholeError
from peephole.gateway.address import Address
from peephole.gateway.outputpin import Pin, open_pin

__all__ = ["BEAT", "SILENCE", "Relay", "Unreadable", "main", "serve"]

BEAT = 0.1  # seconds between two words of the gate
SILENCE = 0.5  # seconds without a word after which the gate is taken for gone
STALE = 0.5  # seconds: an older order to open was meant for somebody who is gone
LONGEST_LINE = 80
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGABRT, signal.SIGQUIT)  # SIGABRT is how systemd's watchdog ends all of a unit
IDLE = 5.0  # seconds at most between two looks at the clock
# The gate's words: beat N; on N SECONDS SENT (monotonic seconds); safe N; bye. N counts up.
ORDER = re.compile(r"(?:(beat|safe) (\d{1,15})|on (\d{1,15}) (\d{1,6}\.\d{1,6}) (\d{1,12}\.\d{1,6})|(bye))", re.ASCII)


class Unreadable(Exception):
    """Something came that no gate of ours says; the relay ends, safe."""


class Relay:
    """One pin with its deadlines; knows neither pipes nor clocks, which is why every call says what time it is (monotonic seconds)."""

    def __init__(self, pin: Pin, safe_on: bool, longest: float, now: float) -> None:
        """`pin` has been driven to its safe state, `safe_on`; `longest` is the longest pulse in seconds that is ever allowed."""
        self._pin, self._safe_on, self._longest = pin, safe_on, longest
        self._heard = now
        self._number = 0
        self.due: float | None = None
        self.over = False

    def hear(self, line: str, now: float) -> str:
        """Obey one line and return the answer to it; raises Unreadable for whatever the gate never says."""
        match = ORDER.fullmatch(line)
        if match is None:
            raise Unreadable("an order that is none")
        word, number, on_number, seconds, sent, bye = match.groups()
        if bye:
            self.over = True
            return ""
        self._count(int(number or on_number))
        self._heard = now
        if word == "beat":
            return f"beat {self._number} {'safe' if self.due is None else 'on'}"
        if word == "safe":
            self.release()
            return f"did {self._number}"
        return self._open(float(seconds), float(sent), now)

    def _count(self, number: int) -> None:
        """Take an order's number; one that was there before is a repetition, which no gate makes."""
        if number <= self._number:
            raise Unreadable("an order that was there before")
        self._number = number

    def _open(self, seconds: float, sent: float, now: float) -> str:
        if not 0 < seconds <= self._longest:
            raise Unreadable("a pulse longer than the settings allow")
        if not -STALE <= now - sent <= STALE:
            return f"refused {self._number} it was {now - sent:.1f} s old"
        # The deadline stands before the pin moves: nothing that happens in between leaves a pulse without an end.
        self.due = now + seconds
        self._pin.write(True)
        return f"did {self._number}"

    def tick(self, now: float) -> str:
        """Let go when the pulse is over or the gate is silent; returns what to tell of it, or nothing."""
        if self.due is None:
            return ""
        if now >= self.due:
            self.release()
            return "released pulse"
        if now - self._heard > SILENCE:
            self.release()
            return "released silence"
        return ""

    def patience(self, now: float) -> float:
        """Return for how many seconds nothing needs to be looked at."""
        return IDLE if self.due is None else max(0.0, min(self.due, self._heard + SILENCE + 0.001) - now)

    def release(self) -> None:
        """Put the pin into its safe state; the deadline only goes when that was done."""
        self._pin.write(self._safe_on)
        self.due = None


def serve(relay: Relay, reading: int, writing: int) -> str:
    """Obey the orders that come on one file descriptor and answer on another, until one of them ends; returns why it ended.

    Whatever ends it, an exception too, the pin was put into its safe state first.
    """
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    rest = b""
    try:
        _say(writing, "ready")
        while not relay.over:
            came = select.select([reading], [], [], relay.patience(time.monotonic()))[0]
            # Before the orders: after a long stop of this process the pulse may be over, and what waits in the pipe is old.
            _say(writing, relay.tick(time.monotonic()))
            if not came:
                continue
            data = os.read(reading, 4096)
            if not data:
                return "the gate is gone"
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _say(writing, relay.hear(line.decode("ascii", "replace"), time.monotonic()))
            if len(rest) > LONGEST_LINE:
                raise Unreadable("a line without an end")
        return "it was told to"
    finally:
        relay.release()


def _say(writing: int, text: str) -> None:
    """Tell the gate something, unless it does not listen: a full pipe must not hold up the relay."""
    if text:
        with suppress(BlockingIOError):
            os.write(writing, f"{text}\n".encode())


class _Told(BaseException):
    """A signal asks this process to end."""


def _end(number: int, _frame: FrameType | None) -> None:
    _deaf()
    raise _Told(f"signal {number}")


def _deaf() -> None:
    """Hear no further signals: a second one must not break off what the first one asked for."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a relay's process; returns its exit code: 0 when it was told to end or the gate is gone, 3 on anything unheard of."""
    given = _given(arguments)
    reading, writing = sys.stdin.fileno(), sys.stdout.fileno()
    for number in SIGNALS:
        signal.signal(number, _end)
    safe_on = given.safe == "on"
    # The one below gpiozero whose pins belong to one process: the kernel knows when it dies, and no other program can drive them.
    os.environ.setdefault("GPIOZERO_PIN_FACTORY", "lgpio")
    try:
        pin = open_pin(Address.parse(given.target, ("gpio",)), Path(given.folder), safe_on)
    except PeepholeError as error:
        _say(writing, f"end cannot start: {' '.join(error.what.split())} | {' '.join(error.hint.split())}")
        return 3
    code, why = 3, ""
    try:
        code, why = 0, serve(Relay(pin, safe_on, given.longest, time.monotonic()), reading, writing)
    except (_Told, BrokenPipeError) as error:
        code, why = 0, str(error) if isinstance(error, _Told) else "the gate is gone"
    except Exception as error:  # whatever happened, the pin comes first
        why = f"{type(error).__name__}: {error}" if not isinstance(error, Unreadable) else str(error)
    finally:
        _deaf()
        pin.write(safe_on)  # again: a signal may have broken off the first time
    with suppress(OSError):  # nobody may be there to hear it
        _say(writing, f"end {' '.join(why.split())}")
    return code


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m peephole.gateway.relay", description="Put a pin into its safe state and keep it there, but for pulses."
    )
    parser.add_argument("target", help="gpio://17?active=high")
    parser.add_argument("--safe", choices=("off", "on"), default="off")
    parser.add_argument("--longest", type=float, default=0.0, help="the longest pulse in seconds; 0: none is allowed")
    parser.add_argument("--folder", default="/", help="where a relative path of ?fake= begins")
    given = parser.parse_args(arguments)
    if not math.isfinite(given.longest):
        parser.error("--longest must be a number of seconds")
    return given


def _run() -> NoReturn:
    """End without Python's farewell: gpiozero would make the pin a floating input on its way out, and a floating relay may pull."""
    code = 4
    try:
        code = main()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _run()
