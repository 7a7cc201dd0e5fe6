"""Looks at what a target of gate check leads to, as far as that is possible without moving or sending anything."""

import os
from collections.abc import Iterator
from pathlib import Path

from peephole.base.errors import MissingExtra, PeepholeError
from peephole.base.extras import load
from peephole.gateway.address import Address
from peephole.gateway.keys import Action
from peephole.gateway.outputs import SECRET
from peephole.gateway.secret import read_by_others, read_secret
from peephole.gateway.sentences import Part, problem
from peephole.gateway.targets import TARGETS
from peephole.gateway.weburl import require_url

__all__ = ["look"]

DEVICES = Path("/dev")
MODULES = Path("/sys/module")


def look(name: str, action: Action, folder: Path) -> Part | None:
    """Return what was found of a pin or a webhook, None for any other target; relative paths begin at `folder`."""
    address = Address.parse(action.target, TARGETS)
    if address.scheme == "gpio":
        return _pin(name, address, folder)
    return _webhook(name, address, action, folder) if address.scheme in ("http", "https") else None


def _pin(name: str, address: Address, folder: Path) -> Part:
    """Say whether gpiozero and a pin are there; a pin is not tried, because trying it would move it."""
    fake = dict(address.options).get("fake")
    if fake is not None:
        where = (folder / fake).parent
        if not where.is_dir() or not os.access(where, os.W_OK):
            return Part(name, "problem", f"{address.text}: {where} is no folder that may be written", "choose another file")
        return Part(name, "ok", f"{address.text} moves no pin: its levels are written to {folder / fake}")
    try:
        load("gateway.gpio:GpioPin")
    except MissingExtra as error:
        return problem(name, error)
    chips = sorted(DEVICES.glob("gpiochip*"))
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        why = "may not be used by you" if chips else "are not on this computer"
        hint = "sudo usermod -aG gpio $USER, then log in again" if chips else "run the gate on a Raspberry Pi, or try it here with ?fake=pin.txt"
        return Part(name, "problem", f"{address.text}: the pins (/dev/gpiochip*) {why}", hint)
    return Part(name, "not tried", f"{address.text} is there; it is not tried, for that would move it{''.join(_kept())}")


def _kept() -> Iterator[str]:
    """Say so when the kernel lets a pin stay as it is after its process was killed."""
    for switch in MODULES.glob("pinctrl_*/parameters/persist_gpio_outputs"):
        try:
            if switch.read_text().strip().upper() in ("Y", "1"):
                yield (
                    ". This kernel leaves a pin as it is when its process is killed: add the line dtparam=strict_gpiod to "
                    "/boot/firmware/config.txt, so that a door is shut even when gate and relay are killed at once"
                )
        except OSError:
            continue
        return


def _webhook(name: str, address: Address, action: Action, folder: Path) -> Part:
    """Say whether the secret is there and kept; nothing is sent, because whatever is sent is a command."""
    place = require_url(address.text).place
    if action.secret is None:
        return Part(name, "problem", f"{place} has no secret to sign with", 'add secret = {file = "webhook.secret"}')
    path = folder / action.secret.file
    try:
        read_secret(path, f"the secret of '{name.removeprefix('action ')}'", SECRET)
    except PeepholeError as error:
        return problem(name, error)
    if read_by_others(path):
        return Part(name, "problem", f"{path} may be read by others on this computer", f"chmod 600 {path}")
    return Part(name, "not tried", f"{place} is a well-formed address and its secret is there; nothing was sent, for that would be a command")
