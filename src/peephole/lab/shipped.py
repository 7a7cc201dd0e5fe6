"""The X-or-O model that comes with the package, trained on drawings that a program made; bench/ship_xo.py writes it."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

__all__ = ["MODEL", "PICTURES", "SIDE", "Known", "known", "shipped"]

MODEL, PICTURES, SIDE = "x-or-o.onnx", "x-or-o.npz", 28
FOLDER = Path(str(resources.files("peephole.lab"))) / "models"


@dataclass(frozen=True, eq=False)
class Known:
    """The known drawings of the shipped model, as the network sees them: uint8 (M, 28, 28); `digests` are those of its card, in its order."""

    pictures: np.ndarray
    digests: tuple[str, ...]


def shipped() -> Path:
    """Return where the shipped model file lies: labels X and O, any drawing of one sign, dark on light or light on dark."""
    return FOLDER / MODEL


def known() -> Known:
    """Return the drawings that the shipped model knows, for whoever shows the nearest examples."""
    with np.load(FOLDER / PICTURES, allow_pickle=False) as file:
        return Known(file["pictures"], tuple(str(digest) for digest in file["digests"]))
