"""Optional parts by name: resolved late, and their absence told in one line.

The only place that imports by string. A name is "folder.module:Name"; which pip extra
brings the libraries of a folder or module is written in EXTRAS.
"""

from importlib import import_module
from typing import Any

from peephole.base.errors import MissingExtra

__all__ = ["load"]

# What a third-party module is installed by; a module of ours that is missing is a defect and raises as it is.
EXTRAS = {
    "torch": "train",
    "numba": "train",
    "scipy": "explore",
    "sklearn": "explore",
    "openTSNE": "explore",
    "matplotlib": "explore",
    "polars": "explore",
    "soundfile": "explore",
    "mlxtend": "demo",
    "amqtt": "demo",
    "cv2": "camera",
    "gpiozero": "gpio",
}
# What a gateway may need too.
DOOR = ("camera", "gpio")


def load(name: str) -> Any:
    """Return the object that "folder.module:Name" names inside peephole; raises MissingExtra with the pip command."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(f"peephole.{module}"), attribute)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS:
            raise
        extra = EXTRAS[missing]
        aside = "" if extra in DOOR else " (a gateway does without it)"
        raise MissingExtra(f"this needs {missing}, which is not installed{aside}", f'pip install "peephole[{extra}]"') from error
