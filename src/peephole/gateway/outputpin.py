"""The pin that moves a relay, behind one small method; the fake writes the pin's history to a file that outlives any process.

Knows nothing of pulses: when to write what is the relay's business.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from peephole.base.errors import ActuatorError
from peephole.base.extras import load
from peephole.gateway.address import Address

__all__ = ["FilePin", "Pin", "Written", "history", "open_pin"]


class Pin(Protocol):
    """What a relay asks of its pin."""

    def write(self, on: bool) -> None:
        """Drive the relay on or off; raises OSError when it may not have moved."""
        ...


@dataclass(frozen=True)
class Written:
    """One line of a fake pin's history: when (monotonic seconds), by which process, the level that was driven and what it meant."""

    time: float
    process: int
    level: str
    on: bool


class FilePin:
    """A fake: appends each level to a file instead of driving it. What was written stays when the process is killed."""

    def __init__(self, path: Path, active_high: bool = True) -> None:
        """Raise OSError when the file cannot be written."""
        self._active_high = active_high
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, on: bool) -> None:
        """Append one line in one write, so that a reader never sees half of it."""
        level = "high" if on == self._active_high else "low"
        os.write(self._file, f"{time.monotonic():.6f} {os.getpid()} {level} {'on' if on else 'off'}\n".encode())


def history(path: Path) -> tuple[Written, ...]:
    """Return what a fake pin was told, oldest first; nothing when the file is not there."""
    if not path.exists():
        return ()
    rows = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return tuple(Written(float(when), int(process), level, state == "on") for when, process, level, state in rows)


def open_pin(address: Address, folder: Path, on: bool) -> Pin:
    """Take the pin of gpio://17?active=high|low and drive it `on` or off at once.

    ?fake=PATH takes the fake in its place. Raises ActuatorError when the pin cannot be had, MissingExtra without gpiozero.
    """
    active, fake = address.take("active", "fake")
    try:
        if fake is None:
            pin: Pin = load("gateway.gpio:GpioPin")(int(address.place), active != "low", on)
        else:
            pin = FilePin(folder / fake, active != "low")
        pin.write(on)
    except OSError as error:
        if isinstance(error, ActuatorError):
            raise
        raise ActuatorError(f"{address.text}: {error.strerror or error}", "choose another file, or check its permissions") from error
    return pin
