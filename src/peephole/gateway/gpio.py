"""A real output pin by gpiozero, on a Raspberry Pi's header; needs the gpio extra."""

from typing import Any

from gpiozero import OutputDevice  # type: ignore[import-untyped]  # gpiozero ships no types

from peephole.base.errors import ActuatorError

__all__ = ["GpioPin"]


class GpioPin:
    """Drives one pin, numbered as Broadcom does (GPIO17 is 17, the eleventh of the header)."""

    def __init__(self, number: int, active_high: bool, on: bool, factory: Any = None) -> None:
        """Take the pin and drive it at once, without a moment at the other level; raises ActuatorError when it cannot be had."""
        self._name = f"GPIO{number}"
        try:
            self._device = OutputDevice(number, active_high=active_high, initial_value=on, pin_factory=factory)
        except Exception as error:  # gpiozero and the libraries below it share no base class
            raise ActuatorError(
                f"{self._name} cannot be taken: {type(error).__name__}: {error}",
                "is this a Raspberry Pi, is lgpio installed, does another program hold the pin? see docs/reference/targets.md",
            ) from error

    def write(self, on: bool) -> None:
        """Drive the pin; raises ActuatorError when that failed."""
        try:
            self._device.value = on
        except Exception as error:
            raise ActuatorError(f"{self._name} cannot be driven: {type(error).__name__}: {error}", "see the kernel's log: dmesg") from error
