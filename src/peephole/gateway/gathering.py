"""The journal's pictures, gathered for naming: those that are there and whole, seen as the live model sees them."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from peephole.base.errors import InputError, JournalError, PhotoError
from peephole.data.decode import open_bytes
from peephole.decide.familiarity import centre_of
from peephole.decide.predictor import Predictor
from peephole.gateway.door import Door
from peephole.gateway.erasure import erased_pictures
from peephole.gateway.journal import Journal, Kept
from peephole.gateway.pictures import digest_of
from peephole.gateway.reasons import plural

__all__ = ["Gathered", "Looked", "Seen", "gather", "look", "read_picture", "require_pictures"]

MOST = 3_000  # pictures at a time: their distances are a table of 36 MB
BATCH = 8  # pictures in the network at once: more would be no faster on one core, and cost memory
CENTRE = "familiarity.centre"


@dataclass(frozen=True)
class Seen:
    """A picture that is still there: its SHA-256, when (wall, seconds since 1970), whom the gate took it for and what it was most `like`."""

    digest: str
    visit: str
    wall: float
    label: str | None
    like: str | None
    path: Path


@dataclass(frozen=True)
class Gathered:
    """All pictures that are there, as the journal lists them, a still scene's repetitions too; `erased` are digests that must be nowhere.

    `told` were kept once, `gone` of them by age, size or erasure.
    """

    gate: str
    seen: tuple[Seen, ...]
    erased: frozenset[str]
    told: int
    gone: int


@dataclass(frozen=True, eq=False)
class Looked:
    """Pictures with what the model's last hidden layer says of them, `embeddings` float32 (N, D), centred; `refused` counts the others by reason."""

    seen: tuple[Seen, ...]
    embeddings: np.ndarray
    refused: Counter[str] = field(default_factory=Counter)
    left: int = 0


def gather(door: Door) -> Gathered:
    """Read which pictures the door's journal kept; raises MissingInput without a journal, JournalError for another gate's."""
    with Journal.read(door.journal) as journal:
        if journal.gate != door.settings.gate.name:
            raise JournalError(
                f"{door.journal} is the journal of the gate '{journal.gate[:64]}', not of '{door.settings.gate.name}'", "correct [journal] path"
            )
        erased = erased_pictures(journal)
        rows = [entry.record for entry in journal.entries("pictures") if isinstance(entry.record, Kept)]
    files = {digest_of(path): path for path in sorted(door.pictures.glob("*.jpg"))} if door.pictures.is_dir() else {}
    told = [(row.visit, picture) for row in rows for picture in row.pictures]
    seen = tuple(
        Seen(picture.digest, visit, picture.wall, picture.label, picture.like, files[picture.digest])
        for visit, picture in told
        if picture.digest in files and picture.digest not in erased
    )
    return Gathered(journal.gate, seen, erased, len(told), len(told) - len(seen))


def require_pictures(gathered: Gathered, door: Door) -> None:
    """Raise InputError, saying why, when there is no picture to ask about."""
    if gathered.seen:
        return
    if gathered.told:
        what, hint = f"all {plural(gathered.told, 'picture')} that were kept are gone by age, size or erasure", "keep them longer: [journal] pictures"
    elif door.settings.journal.pictures is None:
        what, hint = "no pictures are kept", f"add to {door.path}: [journal] pictures = {{days = 14, megabytes = 500}}, and run the gate"
    else:
        what, hint = "no visit was recorded with pictures yet", f"run the gate first: peephole gate run {door.path}"
    raise InputError(f"{door.path}: {what}", hint)


def read_picture(seen: Seen) -> bytes:
    """Return a picture's bytes; raises PhotoError when it went meanwhile, or when it is not what the journal told of."""
    try:
        data = seen.path.read_bytes()
    except FileNotFoundError as error:
        raise PhotoError("it is gone") from error
    except OSError as error:
        raise PhotoError(f"it cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != seen.digest:
        raise PhotoError("it was changed since it was kept", "see: peephole gate journal DOOR.toml --verify")
    return data


def look(seen: Sequence[Seen], eye: Predictor, tell: Callable[[int, int], None] | None = None) -> Looked:
    """Look at pictures, each digest once, as the door would: the same region, preparation and model; at most 3,000, the oldest ones.

    `tell` hears how many of how many are done. Pictures that cannot be read, or in which the region finds nobody, are counted by reason.
    """
    single = list({one.digest: one for one in reversed(seen)}.values())[::-1]
    chosen, refused = single[:MOST], Counter[str]()
    good: list[Seen] = []
    parts: list[np.ndarray] = []
    for at in range(0, len(chosen), BATCH):
        prepared = list(_prepared(chosen[at : at + BATCH], eye, refused))
        if prepared:
            good += [one for one, _ in prepared]
            parts.append(eye.engine.run(np.stack([pixels for _, pixels in prepared])).embedding)
        if tell is not None:
            tell(min(at + BATCH, len(chosen)), len(chosen))
    embeddings = np.concatenate(parts).astype(np.float32) if parts else np.empty((0, 1), np.float32)
    return Looked(tuple(good), embeddings - _centre(eye, good, embeddings), refused, len(single) - len(chosen))


def _prepared(seen: Sequence[Seen], eye: Predictor, refused: Counter[str]) -> Iterator[tuple[Seen, np.ndarray]]:
    for one in seen:
        try:
            yield one, eye.prepare(open_bytes(read_picture(one)))
        except PhotoError as error:
            refused[error.what] += 1


def _centre(eye: Predictor, seen: Sequence[Seen], embeddings: np.ndarray) -> np.ndarray:
    """Return what the model takes from an embedding before its cosines; where its file does not show it, the middle of those the gate took alike."""
    wide = embeddings.shape[1]
    initial = onnx.load_from_string(eye.model.data).graph.initializer if eye.model.data else ()
    for tensor in initial:
        if tensor.name == CENTRE and tuple(tensor.dims) == (wide,):
            return np.asarray(numpy_helper.to_array(tensor), np.float32)
    names = sorted({one.like or "" for one in seen})
    return centre_of(embeddings, np.array([names.index(one.like or "") for one in seen]))
