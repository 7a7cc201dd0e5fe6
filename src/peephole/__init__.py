"""Peephole: small neural networks you can see through, from a handful of examples to a device that decides and acts.

    import peephole

    model = peephole.train("photos/")      # a folder of folders of photos; writes photos.onnx
    model.predict("visitor.jpg")           # a Prediction: a label, or None for a stranger
    model = peephole.load("photos.onnx")   # later, on the gateway, without PyTorch

What to call:

    check(photos)               a CheckReport: every file accounted for, copies, leaks, what it can prove
    train(photos, output, ...)  trains, writes one model file, returns its Predictor; the one dial is `seconds`
    load(model)                 a Predictor: .predict(photo or list of them), .labels, .card
    evaluate(model, photos)     an Evaluation: accuracy, strangers let in, known refused, each with its n and bound
    explain(model, photo)       an Explanation: every layer of that answer

What comes back:

    Prediction   .label (None: a stranger) .probability .familiarity .accepted .reason .ranking .nearest
    Evidence     .claim .errors .trials .unit .bound .confidence .role: no rate without its count
    Decision     what a gate makes of a visit: .verdict .label .reason
    Card         what a model file says of itself, field by field in docs/reference/card.md

What may go wrong: every error is a PeepholeError, with .what and .hint: InputError (a ValueError), ModelFileError
(a ValueError), MissingExtra (an ImportError: the pip command is the hint).

help(peephole.train), and so on, says the rest. Importing this costs nothing: each name is looked up when it is first used.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from peephole.base.errors import MissingExtra as _MissingExtra
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
    try:
        value = _resolve(_NAMES[name])
    except _MissingExtra as error:
        return _absent(name, error)
    globals()[name] = value
    return value


def _absent(name: str, error: _MissingExtra) -> Any:
    """Return what stands for a function whose extra is not installed: it can be looked at, and says what is missing when it is called."""

    def absent(*_: Any, **__: Any) -> Any:
        raise error

    absent.__name__ = absent.__qualname__ = name
    absent.__doc__ = f"Not here: {error.what}; {error.hint}."
    return absent


def __dir__() -> list[str]:
    """Return what is called; `__all__` has the records and errors too, whose pages would bury these in help(peephole)."""
    return sorted({"Predictor", "check", "evaluate", "explain", "load", "train"})
