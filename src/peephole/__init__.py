"""Peephole: small neural networks you can see through, from a handful of examples to a device that decides and acts.

    import peephole

    model = peephole.train("photos/")      # a folder of folders of photos; writes photos.onnx
    model.predict("visitor.jpg")           # a Prediction: a label, or None for a stranger
    model = peephole.load("photos.onnx")   # later, on the gateway, without PyTorch

Importing this costs nothing: each name is looked up when it is first used.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from peephole.base.extras import load as _resolve

if TYPE_CHECKING:
    from peephole.base.card import Card
    from peephole.base.errors import InputError, MissingExtra, ModelFileError, PeepholeError
    from peephole.base.records import Decision, Evidence, Prediction
    from peephole.data.hygiene import check
    from peephole.decide.evaluate import evaluate
    from peephole.decide.predictor import Predictor, load
    from peephole.explain.report import explain
    from peephole.export.train import train

_NAMES = {
    "Card": "base.card:Card",
    "Decision": "base.records:Decision",
    "Evidence": "base.records:Evidence",
    "InputError": "base.errors:InputError",
    "MissingExtra": "base.errors:MissingExtra",
    "ModelFileError": "base.errors:ModelFileError",
    "PeepholeError": "base.errors:PeepholeError",
    "Prediction": "base.records:Prediction",
    "Predictor": "decide.predictor:Predictor",
    "check": "data.hygiene:check",
    "evaluate": "decide.evaluate:evaluate",
    "explain": "explain.report:explain",
    "load": "decide.predictor:load",
    "train": "export.train:train",
}

__all__ = [
    "Card",
    "Decision",
    "Evidence",
    "InputError",
    "MissingExtra",
    "ModelFileError",
    "PeepholeError",
    "Prediction",
    "Predictor",
    "check",
    "evaluate",
    "explain",
    "load",
    "train",
]


class _Front(ModuleType):
    """Keeps the functions `train` and `explain` from being hidden by the folders of the same names once these are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _NAMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front


def __getattr__(name: str) -> Any:
    """Look a public name up when it is first used."""
    if name not in _NAMES:
        raise AttributeError(f"module 'peephole' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = _resolve(_NAMES[name])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
