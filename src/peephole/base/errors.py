"""Every error that Peephole raises on purpose: what happened, why, and the command that fixes it.

    PeepholeError
    ├── InputError          (ValueError)          what the user gave cannot be used
    │   ├── MissingInput    (FileNotFoundError)   a file or folder is not there
    │   ├── PhotoError                            one photo is refused, with its reason
    │   ├── DataError                             a set of examples cannot be learned from
    │   └── SettingsError                         a setting is unknown or out of range
    ├── ModelFileError      (ValueError)          a model file is refused
    │   ├── HostileModelFile                      over a cap, external data, NaN, not ONNX
    │   ├── NewerModelFile                        written by a later version
    │   └── NotSigned                             no signature of the key that was asked for
    ├── EvidenceError       (ValueError)          a rate without its n, unit or role
    ├── MissingExtra        (ImportError)         an optional part is not installed
    ├── TrainingError       (RuntimeError)        training cannot go on
    │   ├── NotANumber      (ArithmeticError)     the loss became NaN or infinite
    │   └── TrainingStopped                       Ctrl-C or SIGTERM; a checkpoint is kept
    ├── ParityError         (RuntimeError)        the file would not answer as the network does
    ├── OutputError         (OSError)             a result cannot be written where it was asked for
    └── GateError           (RuntimeError)        the agent at the door cannot do its work
        ├── SensorError     (OSError)
        ├── ActuatorError   (OSError)
        ├── JournalError    (OSError)
        │   └── DamagedJournal                    its file is no whole database any more
        ├── GalleryError    (OSError)
        └── NotArmed        (PermissionError)     the evidence does not carry the requested rate

Each error has two parents, ours and the fitting builtin, so that a caller who has never
heard of Peephole can still catch it. `hint` is one line: the command or the change that helps.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "ActuatorError",
    "DamagedJournal",
    "DataError",
    "EvidenceError",
    "GalleryError",
    "GateError",
    "HostileModelFile",
    "InputError",
    "JournalError",
    "MissingExtra",
    "MissingInput",
    "ModelFileError",
    "NewerModelFile",
    "NotANumber",
    "NotArmed",
    "NotSigned",
    "OutputError",
    "ParityError",
    "PeepholeError",
    "PhotoError",
    "SensorError",
    "SettingsError",
    "TrainingError",
    "TrainingStopped",
    "did_you_mean",
]


class PeepholeError(Exception):
    """The root of the tree; carries a sentence and a hint."""

    def __init__(self, what: str, hint: str = "") -> None:
        """Say `what` happened and why, and in `hint` the command or change that fixes it."""
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """Return the sentence and, on its own line, the hint."""
        return f"{self.what}\nhint:  {self.hint}" if self.hint else self.what

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        """Survive the trip between processes (OSError would drop the hint)."""
        return type(self), (self.what, self.hint)


class InputError(PeepholeError, ValueError):
    """What the user gave cannot be used."""


class MissingInput(InputError, FileNotFoundError):
    """A file or folder is not there."""


class PhotoError(InputError):
    """One photo is refused; the message is the reason alone, without the file's name."""


class DataError(InputError):
    """A set of examples cannot be learned from."""


class SettingsError(InputError):
    """A setting is unknown, of the wrong type or out of range."""


class ModelFileError(PeepholeError, ValueError):
    """A model file is refused."""


class HostileModelFile(ModelFileError):
    """A model file is broken, over a cap, holds NaN or points outside itself."""


class NewerModelFile(ModelFileError):
    """A model file was written by a later version of Peephole."""


class NotSigned(ModelFileError):
    """A model file has no signature that the key in question made over these very bytes."""


class EvidenceError(PeepholeError, ValueError):
    """A rate was asked for without the count, the unit or the role that make it honest."""


class MissingExtra(PeepholeError, ImportError):
    """An optional part is not installed; the hint is the pip command."""


class TrainingError(PeepholeError, RuntimeError):
    """Training cannot go on."""


class NotANumber(TrainingError, ArithmeticError):
    """The loss became NaN or infinite; nothing is exported."""


class TrainingStopped(TrainingError):
    """Training was interrupted; the hint says how to resume from the checkpoint."""


class ParityError(PeepholeError, RuntimeError):
    """The exported file would not give the trained network's answers, so it is not written."""


class OutputError(PeepholeError, OSError):
    """A result cannot be written where it was asked for."""


class GateError(PeepholeError, RuntimeError):
    """The agent at the door cannot do its work."""


class SensorError(GateError, OSError):
    """A sensor gives nothing that can be judged."""


class ActuatorError(GateError, OSError):
    """A controller did not take a command."""


class JournalError(GateError, OSError):
    """The journal cannot be written or does not verify."""


class DamagedJournal(JournalError):
    """The journal's file is damaged: cut, or overwritten in part."""


class GalleryError(GateError, OSError):
    """The gallery of enrolled people cannot be used or written."""


class NotArmed(GateError, PermissionError):
    """The gate refuses to arm: its evidence does not carry the requested rate."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the closest known word, or an empty string."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""
