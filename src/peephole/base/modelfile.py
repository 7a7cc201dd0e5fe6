"""The model file: one ordinary ONNX file with a card in its metadata, read as if a stranger had sent it.

Knows nothing of ONNX Runtime. Sizes are checked before anything is allocated, and the bytes that were checked
are the bytes that run: nobody reads the file a second time.
"""

import json
import math
import mmap
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from peephole.base.card import CARD_VERSION, Card
from peephole.base.errors import HostileModelFile, MissingInput, ModelFileError, NewerModelFile, did_you_mean
from peephole.base.evidence import holds
from peephole.base.graph import FLOAT32, UINT8, Graph, Port, check
from peephole.base.seal import SEAL_KEY, SEALED, digest
from peephole.base.work import measure

__all__ = ["CARD_KEY", "MAX_BYTES", "ModelFile", "looks_like", "raw", "read", "read_bytes", "too_big"]

CARD_KEY = "peephole.card"
MAX_BYTES = 200 * 10**6
SCREENED = 32 * 2**20  # bytes above which a file is looked through on the disk before it is read into memory
MAX_CARD_PARTS = 250_000
MAX_EVIDENCE = 20
HOSTILE_HINT = "use the file as it came out of peephole train, or train again"
NEWER_HINT = "pip install -U peephole"
SWAPPED = "did you swap the arguments? peephole predict MODEL PHOTOS, peephole evaluate MODEL FOLDER"
# An ONNX file begins with its first field, the version of the format; the others are files that are given by mistake.
IR_VERSION = 0x08
PICTURES = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG", "PNG"), (b"GIF8", "GIF"), (b"BM", "BMP"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"))
OTHERS = (
    (b"PK\x03\x04", "a zip archive (or a PyTorch file)"),
    (b"\x80\x02", "a pickle, which is a program and never opened"),
    (b"\x80\x03", "a pickle, which is a program and never opened"),
    (b"\x80\x04", "a pickle, which is a program and never opened"),
    (b"\x80\x05", "a pickle, which is a program and never opened"),
    (b"\x89HDF", "an HDF5 file (Keras)"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "a database, such as a door's journal"),
    (b"\x1f\x8b", "a gzip archive"),
)


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A checked model file: `data` are its bytes, `sha256` their digest in hex, `name` the file's name without its folder."""

    name: str
    card: Card
    sha256: str
    data: bytes


def read(path: Path | str) -> ModelFile:
    """Read and check a model file.

    Raises MissingInput when it is not there, HostileModelFile when it is no plain file, over a cap or broken,
    NewerModelFile when a later version wrote it, ModelFileError for all else that is wrong with it.
    """
    return read_bytes(raw(path, _checked), Path(path).name)


def raw(path: Path | str, screen: Callable[[mmap.mmap, str], object]) -> bytes:
    """Return the bytes of a model file, unread but for its size; `screen` looks through a large one on the disk first, and may raise.

    Raises as `read` does, for what is wrong with the path, the kind of file and its size.
    """
    path = Path(path)
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if path.is_symlink():
            raise HostileModelFile(f"{path} is a symbolic link, not a file", f"give the file it points to: {_target(path)}")
        if path.is_dir():
            raise HostileModelFile(f"{path} is a folder, not a model file{_beside(path / 'model.onnx')}", f"give the .onnx file itself; {SWAPPED}")
        with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
            return _whole(file.fileno(), path, screen)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingInput(f"there is no model file {path}{_beside(path)}", "make one: peephole train PHOTOS -o door.onnx") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelFileError(f"{path} cannot be read: {reason}", "check the path and its permissions") from error


def read_bytes(data: bytes, name: str) -> ModelFile:
    """Check the bytes of a model file that is called `name`; raises as `read` does."""
    return ModelFile(name, *_checked(data, name), data)


def _checked(data: bytes | mmap.mmap, name: str) -> tuple[Card, str]:
    """Return the card and the sha256 of the bytes, or raise."""
    if len(data) > MAX_BYTES:
        too_big(name, len(data))
    if looks := looks_like(data, Path(name).suffix.lower()):
        raise HostileModelFile(f"{name} {looks[0]}, not a model file", looks[1])
    try:
        graph = check(data)
        card = _card(graph)
        _agree(card, graph)
        measure(graph, {str(card.input.name): card.input.shape})
        sha256 = _unbroken(graph, data)
    except ModelFileError as error:
        raise type(error)(f"{name} {error.what}", error.hint or HOSTILE_HINT) from error
    return card, sha256


def _unbroken(graph: Graph, data: bytes | mmap.mmap) -> str:
    """Return the sha256 of all bytes; raises when a file that has a seal is not what was sealed. Files from before there were seals have none."""
    sha256, fits = digest(data)
    if not fits and (graph.version == SEALED or any(key == SEAL_KEY for key, _ in graph.metadata)):
        raise HostileModelFile("was changed after it was made: its seal does not fit", "copy it again from where it came from, and check the disk")
    return sha256


def looks_like(data: bytes | mmap.mmap, suffix: str) -> tuple[str, str] | None:
    """Say what a file is that begins as no ONNX file does, and what to do; None when it may be one."""
    head = data[:512]
    kind = next((what for begins, what in PICTURES if head.startswith(begins)), "")
    kind = "WebP" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else "HEIC or MP4" if head[4:8] == b"ftyp" else kind
    other = next((what for begins, what in OTHERS if head.startswith(begins)), "")
    if not data:
        return "is empty", "copy it again from where it came from, or make one: peephole train PHOTOS -o door.onnx"
    if kind or other:
        return (f"is a {kind} picture", SWAPPED) if kind else (f"is {other}", HOSTILE_HINT)
    if head[0] == IR_VERSION:
        return None
    words = head.decode(errors="ignore")
    if len(words.encode()) < len(head) - 3 or any(ord(letter) < 32 and letter not in "\t\r\n\f" for letter in words):
        return "is no ONNX file", HOSTILE_HINT
    if suffix == ".toml" or re.search(r"^\s*\[\[?[\w.]+\]\]?\s*$", words, re.M):
        return "is a text of settings (TOML)", "a door's settings go with: peephole gate check DOOR.toml; the model file is the .onnx that it names"
    return "is a text", "the model file comes first, it ends in .onnx: peephole predict MODEL PHOTOS"


def _whole(handle: int, path: Path, screen: Callable[[mmap.mmap, str], object]) -> bytes:
    """Return the bytes behind an open file; its kind and size are asked before anything is read."""
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        raise HostileModelFile(f"{path} is no plain file", "give the .onnx file itself")
    if facts.st_size > MAX_BYTES:
        too_big(str(path), facts.st_size)
    os.set_blocking(handle, True)
    if facts.st_size > SCREENED:
        # What is refused is refused without taking its size in memory. The bytes that run are read, and checked, below: a mapped file may change.
        screen(mmap.mmap(handle, 0, access=mmap.ACCESS_READ), path.name)
    parts, left = [], facts.st_size
    while left and (part := os.read(handle, left)):
        parts.append(part)
        left -= len(part)
    # Joining a single part makes no copy.
    return b"".join(parts)


def too_big(name: str, size: int) -> NoReturn:
    """Refuse a file of `size` bytes."""
    raise HostileModelFile(f"{name} has {size / 1e6:,.0f} MB; at most {MAX_BYTES / 1e6:,.0f} MB are read", HOSTILE_HINT)


def _target(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return "PATH"


def _beside(path: Path) -> str:
    """Return the near miss among the model files of the same folder, or all of them when there are few."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix == ".onnx")
    except OSError:
        return ""
    if not names:
        return ""
    return did_you_mean(path.name, names) or f" (beside it: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''})"


def _card(graph: Graph) -> Card:
    """Take the card out of the metadata."""
    texts = [value for key, value in graph.metadata if key == CARD_KEY]
    if not texts:
        raise ModelFileError("is an ONNX file without a Peephole card", "make a model file with: peephole train PHOTOS -o door.onnx")
    if len(texts) > 1:
        raise HostileModelFile("has two cards")
    values = _json(bytes(texts[0]))
    version = values.get("card")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError(f"has a card without a version number (it says {str(version)[:40]!r})")
    if version > CARD_VERSION:
        raise NewerModelFile(f"has a card of version {version}; this Peephole reads version {CARD_VERSION}", NEWER_HINT)
    try:
        return Card.model_validate(values)
    except ValidationError as error:
        _explain(error)


def _json(text: bytes) -> dict[str, Any]:
    """Return the card's JSON object: UTF-8, no key twice, no NaN, not too many parts to hold in memory."""
    # 4 MB of "[]," would become 100 MB of Python lists; real cards have some ten thousand parts.
    if text.count(b",") + text.count(b"[") + text.count(b"{") > MAX_CARD_PARTS:
        raise HostileModelFile(f"has a card of more than {MAX_CARD_PARTS:,} parts")
    try:
        values = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_constant, parse_float=_float)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"has a card that is not JSON ({str(error)[:80]})") from None
    if not isinstance(values, dict):
        raise ModelFileError("has a card that is not a JSON object")
    return values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise HostileModelFile("has a card that says the same thing twice")
    return found


def _constant(word: str) -> NoReturn:
    raise HostileModelFile(f"has {word} in its card")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise HostileModelFile("has infinity in its card")
    return value


def _explain(error: ValidationError) -> NoReturn:
    """Turn pydantic's list into one error: unknown keys and unknown words come from a later version, all else is wrong."""
    found = [(".".join(str(part) for part in item["loc"])[:80], item["type"], item["msg"]) for item in error.errors()[:5]]
    newer = [place for place, kind, _ in found if kind in ("extra_forbidden", "unexpected_keyword_argument", "literal_error")]
    if newer:
        raise NewerModelFile(f"has a card with settings that this Peephole does not know: {', '.join(newer)}", NEWER_HINT) from None
    raise ModelFileError(f"has a card that is wrong: {'; '.join(f'{place}: {message}' for place, _, message in found)}") from None


def _agree(card: Card, graph: Graph) -> None:
    """Check the card against itself and against the graph."""
    known = card.unknown
    if not len(known.known_labels) == len(known.known_digests) == len(known.known_ids):
        raise ModelFileError("has a card whose known_labels, known_digests and known_ids differ in length")
    if any(not 0 <= label < len(card.labels) for label in known.known_labels):
        raise ModelFileError("has a card with a known example of a label that does not exist")
    if "unknown" in card.labels or not all(card.labels):
        raise ModelFileError("has a card with an empty label or one called 'unknown', the word for strangers")
    if len(card.evidence) > MAX_EVIDENCE or not all(holds(evidence) for evidence in card.evidence):
        raise ModelFileError("has a card whose evidence is better than its counts allow")
    _, height, width, channels = card.input.shape
    if (height, width) != card.input.resize.to or channels != (1 if card.input.colour == "grey" else 3):
        raise ModelFileError("has a card whose input shape does not fit its resize rule and colour")
    if not card.input.region.complete:
        raise ModelFileError(f"has a card whose region, {card.input.region.how}, lacks what it needs or has what belongs to another kind")
    _ports(graph.inputs, {str(card.input.name): card.input.shape}, UINT8, "input")
    widths = {"logits": len(card.labels), "familiarity": len(card.labels), "similarity": len(known.known_labels)}
    if set(card.outputs) != {*widths, "embedding"}:
        raise ModelFileError(f"has a card with the outputs {_names(card.outputs)}, not {_names({*widths, 'embedding'})}")
    for name, shape in card.outputs.items():
        if len(shape) != 2 or not isinstance(shape[1], int) or shape[1] != widths.get(name, shape[1]) or shape[1] < 1:
            raise ModelFileError(f"has a card whose output {name} has the shape {shape}, which does not fit its labels")
    _ports(graph.outputs, card.outputs, FLOAT32, "output")


def _ports(ports: tuple[Port, ...], promised: Mapping[str, tuple[str | int, ...]], kind: int, what: str) -> None:
    """Check names, type and every size but the batch; a free dimension of the graph may be anything."""
    if sorted(port.name for port in ports) != sorted(promised):
        raise ModelFileError(f"has the {what}s {_names(port.name for port in ports)}; its card promises {_names(promised)}")
    for port in ports:
        shape = promised[port.name]
        sizes = zip(port.shape[1:], shape[1:], strict=False)
        if port.type != kind or len(port.shape) != len(shape) or any(isinstance(size, int) and size != said for size, said in sizes):
            raise ModelFileError(f"has an {what} {port.name} of type {port.type} and shape {port.shape}; its card promises {tuple(shape)}")
        if isinstance(port.shape[0], int):
            raise ModelFileError(f"has an {what} {port.name} with a fixed batch of {port.shape[0]}")


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(name[:40] for name in names)) or "none"
