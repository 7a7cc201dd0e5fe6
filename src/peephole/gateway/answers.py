"""What a person says of a cluster of pictures: read, checked, and kept beside the photo folder, so that naming can go on another day."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from peephole.base.errors import InputError, OutputError, did_you_mean
from peephole.base.files import write_atomic
from peephole.data.layout import is_litter, is_unknown, label_of, name_fault
from peephole.gateway.oneline import one_line
from peephole.gateway.policy import UNKNOWN

__all__ = ["WORDS", "Answer", "Kept", "Word", "check_name", "read_answer", "read_kept", "write_kept"]

Word = Literal["mixed", "skip", "back", "quit"]
WORDS: tuple[Word, ...] = ("mixed", "skip", "back", "quit")
LETTERS, BYTES = 100, 200  # a folder's name has room for 255 bytes
FORMAT = 1
DIGEST = re.compile(r"[0-9a-f]{64}")
HINT = "write a name, unknown, unknown NAME, not NAME, mixed, skip, back or quit"


@dataclass(frozen=True)
class Answer:
    """Who it is: a `label`, or "unknown" with the `stranger` whose sub-folder it is; `named` tells that a person gave the stranger that name.

    `denied` is a label that it was taken for and is not.
    """

    label: str
    stranger: str = ""
    named: bool = False
    denied: str = ""

    @property
    def place(self) -> Path:
        """The folder of such pictures below the photo folder."""
        return Path(UNKNOWN, self.stranger) if self.label == UNKNOWN else Path(self.label)

    @property
    def truth(self) -> str:
        """Whom a recording says it was: a stranger without a name is "unknown", for two of those may be one person."""
        return self.label if self.label != UNKNOWN else self.stranger if self.named else UNKNOWN


@dataclass(frozen=True)
class Kept:
    """What is kept beside the folder: answers by the SHA-256 of pictures, and where below the folder each was written (with /)."""

    gate: str
    answers: Mapping[str, Answer] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)

    def without(self, digests: frozenset[str]) -> "Kept":
        """Return the same without the answers to these pictures; where they were written stays known, until they are removed."""
        return replace(self, answers={digest: answer for digest, answer in self.answers.items() if digest not in digests})


def check_name(text: str, known: Iterable[str]) -> str:
    """Return a name as the folder it becomes, composed (NFC), without spaces at its ends; raises InputError for what is no name of one folder."""
    name = label_of(text.strip())
    shown = one_line(name)[:40]
    if not name:
        raise InputError("that is no name", HINT)
    if len(name) > LETTERS or len(name.encode("utf-8", "replace")) > BYTES:
        raise InputError(f"a name of {len(name):,} letters is too long for a folder: '{shown}...'", f"take at most {LETTERS} letters")
    if "/" in name or "\\" in name or "\0" in name:
        raise InputError(f"'{shown}' holds a slash, so it is no name of one folder", "write it with another letter, such as -")
    if fault := name_fault(name):
        raise InputError(f"'{shown}' is no name: {fault}", HINT)
    if is_litter(name):
        raise InputError(f"'{shown}' would be taken for a hidden or system folder, and left out of training", "take another name")
    if is_unknown(name):
        raise InputError(f"'{shown}' is the word for strangers, not a name", "write unknown, or unknown NAME")
    same = next((other for other in known if other != name and other.casefold() == name.casefold()), None)
    if same is not None:
        raise InputError(f"'{shown}' differs from '{same}' in capitals only; some disks take both for one folder", f"write {same}, or another name")
    return name


def read_answer(text: str, cluster: str, known: Iterable[str]) -> Answer | Word:
    """Read what a person wrote of the cluster with this id; `known` are the names so far. Raises InputError for what is no answer.

    `ana`, `=skip` (a person of that name), `unknown`, `unknown postman`, `not ana`, `not ana: junho`, `mixed`, `skip`, `back`, `quit`.
    """
    text, names = text.strip(), tuple(known)
    first, _, rest = text.partition(" ")
    if text in WORDS:
        return next(word for word in WORDS if word == text)
    if text.startswith("="):
        return Answer(check_name(text[1:], names))
    if first == "unknown":
        return _stranger(rest.strip(), cluster, names)
    if first == "not":
        return _denial(rest.strip(), cluster, names)
    return Answer(check_name(text, names))


def _stranger(name: str, cluster: str, known: tuple[str, ...]) -> Answer:
    if not name:
        return Answer(UNKNOWN, f"stranger-{cluster}")
    name = check_name(name, ())
    if any(name.casefold() == other.casefold() for other in known):
        raise InputError(f"'{one_line(name)}' is a label, so no stranger", f"write {one_line(name)}, or give the stranger another name")
    return Answer(UNKNOWN, name, named=True)


def _denial(text: str, cluster: str, known: tuple[str, ...]) -> Answer:
    denied, _, truth = (label_of(part.strip()) for part in text.partition(":"))
    if denied not in known:
        raise InputError(f"nobody is called '{one_line(denied)[:40]}' here{did_you_mean(denied, known)}", "write for example: not ana")
    if not truth:
        return Answer(UNKNOWN, f"stranger-{cluster}", denied=denied)
    answer = read_answer(truth, cluster, known)
    if not isinstance(answer, Answer) or answer.denied:
        raise InputError(f"'{one_line(truth)[:40]}' does not say who it is", "write for example: not ana: junho")
    if answer.label == denied:
        raise InputError(f"it cannot be {one_line(denied)} and not {one_line(denied)}", HINT)
    return replace(answer, denied=denied)


def read_kept(path: Path, gate: str) -> Kept:
    """Read what was answered before; nothing where there is no file. Raises InputError for a broken file or another gate's."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Kept(gate)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}", "move it away to begin anew") from error
    try:
        found = _kept(value)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise InputError(f"{path} does not hold answers of peephole gate label: {error}", "move it away to begin anew") from error
    if found.gate != gate:
        raise InputError(f"{path} holds answers for the gate '{one_line(found.gate)[:64]}', not for '{gate}'", "write to another folder: -o FOLDER")
    return found


def _kept(value: Any) -> Kept:
    if value["format"] != FORMAT:
        raise ValueError(f"its format is {str(value['format'])[:20]}; this version reads {FORMAT}")
    answers: dict[str, Answer] = {}
    for one in value["answers"]:
        answer = Answer(str(one["label"]), str(one["stranger"]), bool(one["named"]), str(one["denied"]))
        for name in (answer.stranger,) if answer.label == UNKNOWN else (answer.label,):
            if check_name(name, ()) != name:
                raise ValueError(f"'{one_line(name)[:40]}' is no name")
        answers |= dict.fromkeys(map(_digest, one["pictures"]), answer)
    return Kept(str(value["gate"]), answers, {_digest(key): _inside(str(place)) for key, place in value["written"].items()})


def _digest(text: str) -> str:
    if not DIGEST.fullmatch(text):
        raise ValueError(f"'{one_line(text)[:20]}' is no SHA-256")
    return text


def _inside(place: str) -> str:
    if Path(place).is_absolute() or ".." in Path(place).parts:
        raise ValueError(f"'{one_line(place)[:40]}' is not a place in the folder")
    return place


def write_kept(path: Path, kept: Kept) -> None:
    """Write answers, readable by their owner alone; raises OutputError, and then the file is as it was."""
    together: dict[Answer, list[str]] = {}
    for digest, answer in kept.answers.items():
        together.setdefault(answer, []).append(digest)
    answers = [asdict(answer) | {"pictures": digests} for answer, digests in together.items()]
    whole = {"format": FORMAT, "gate": kept.gate, "answers": answers, "written": dict(kept.written)}
    write_atomic(path, json.dumps(whole, ensure_ascii=False, indent=1) + "\n")
    try:
        path.chmod(0o600)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be kept from others: {error.strerror or error}", "make room there, correct the permissions, or choose another place"
        ) from error
