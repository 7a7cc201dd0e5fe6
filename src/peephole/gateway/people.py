"""The gallery file: whom a gate got to know after its model was trained, and strangers to measure it with; SQLite, written whole or not at all.

Bound to one model file by its sha256: embeddings of another mean nothing. It is read into memory and replaced by a new file, so nothing that was
erased is left in it, no log lies beside it, and a power cut leaves the old gallery or the new one.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from peephole.base.engine import NAMES, Outputs
from peephole.base.errors import GalleryError, OutputError
from peephole.base.files import write_atomic
from peephole.base.modelfile import ModelFile
from peephole.decide.gallery import Gallery

__all__ = ["MAX_BYTES", "Example", "People", "Place", "join", "lies_at", "read_people", "write_people"]

FORMAT = "1"
MAX_BYTES = 200 * 10**6
SCHEMA = (
    "CREATE TABLE about (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE example (number INTEGER PRIMARY KEY, role TEXT NOT NULL, who TEXT NOT NULL, digest TEXT NOT NULL, confirmed_by TEXT NOT NULL, "
    "wall REAL NOT NULL, logits BLOB NOT NULL, embedding BLOB NOT NULL, familiarity BLOB NOT NULL, similarity BLOB NOT NULL)",
)
ROLES = ("person", "stranger")
ERASED = "erased"
ANEW = "bring the gallery that belongs to this model, or move it away (keep it with its model) and enrol everybody again"


@dataclass(frozen=True, eq=False)
class Example:
    """One photo that was taken in: `role` person or stranger, `who` (a label; of a stranger a number that tells them apart), the file's sha256.

    `outputs` is what the engine answered for it, one row each; `confirmed_by` a person, at `wall` (seconds since 1970 by the gate's clock).
    """

    number: int
    role: str
    who: str
    digest: str
    confirmed_by: str
    wall: float
    outputs: Outputs

    @property
    def id(self) -> str:
        """What it is called in answers."""
        return f"{self.who}/enrolled-{self.number}"


@dataclass(frozen=True, eq=False)
class People:
    """All of a gallery: the sha256 of its model file, the centre float32 (D,), its examples by number, and the number that comes next."""

    model: str
    centre: np.ndarray
    examples: tuple[Example, ...] = ()
    following: int = 1

    @property
    def persons(self) -> tuple[Example, ...]:
        """The examples of people who are known."""
        return tuple(example for example in self.examples if example.role == "person")

    @property
    def strangers(self) -> tuple[Example, ...]:
        """The examples of strangers; no frame is ever compared with them."""
        return tuple(example for example in self.examples if example.role == "stranger")

    @property
    def gallery(self) -> Gallery:
        """Those who are known, as the predictor needs them."""
        known = self.persons
        inside = np.stack([example.outputs.embedding[0] for example in known]) if known else np.empty((0, len(self.centre)), np.float32)
        return Gallery(inside, tuple(example.who for example in known), tuple(example.id for example in known), self.centre)

    def plus(self, examples: Iterable[Example]) -> "People":
        """Return the people with more examples; they are numbered here, and no number is given twice."""
        numbered = tuple(replace(example, number=self.following + at) for at, example in enumerate(examples))
        return replace(self, examples=(*self.examples, *numbered), following=self.following + len(numbered))

    def minus(self, role: str, who: str | None = None) -> "People":
        """Return the people without somebody, or without everybody of a role."""
        return replace(self, examples=tuple(example for example in self.examples if example.role != role or who not in (None, example.who)))

    def unsigned(self, who: str) -> "People":
        """Return the people with somebody's name taken out wherever they confirmed another; that somebody did is kept."""
        return replace(self, examples=tuple(replace(one, confirmed_by=ERASED) if one.confirmed_by == who else one for one in self.examples))


@dataclass(frozen=True)
class Place:
    """Where a gallery lies, and the sha256 of what was read there ("" where there was nothing)."""

    path: Path
    read: str = ""


def read_people(path: Path, model: ModelFile) -> tuple[People, Place] | None:
    """Read the gallery of a model file; None where there is none. Raises GalleryError for anything else, also for another model's gallery."""
    data = _bytes(path)
    if data is None:
        return None
    if not data:
        raise GalleryError(f"{path} is empty", "restore it, or move it away and enrol everybody again")
    try:
        with closing(sqlite3.connect(":memory:")) as database:
            database.deserialize(data)
            people = _people(path, database, model)
    except (sqlite3.Error, KeyError, ValueError, TypeError, OverflowError) as error:
        raise GalleryError(f"{path} is no gallery of this version: {str(error)[:100]}", "correct [gallery] path, or enrol everybody again") from error
    return people, Place(path, sha256(data).hexdigest())


def lies_at(path: Path) -> bool:
    """Say whether anything lies where a gallery would; raises GalleryError where that cannot be found out, because nobody would then be known."""
    try:
        return path.exists() or path.is_symlink()
    except OSError as error:
        raise GalleryError(f"{path} cannot be looked for: {error.strerror or error}", "correct [gallery] path and its permissions") from error


def _bytes(path: Path) -> bytes | None:
    if not lies_at(path):
        return None
    try:
        if not path.is_file():
            raise GalleryError(f"{path} is no plain file", "correct [gallery] path")
        if path.stat().st_size > MAX_BYTES:
            raise GalleryError(f"{path} is larger than {MAX_BYTES // 10**6} MB", "is it the right file? correct [gallery] path")
        return path.read_bytes()
    except OSError as error:
        if isinstance(error, GalleryError):
            raise
        raise GalleryError(f"{path} cannot be read: {error.strerror or error}", "correct [gallery] path and its permissions") from error


def _people(path: Path, database: sqlite3.Connection, model: ModelFile) -> People:
    database.execute("PRAGMA trusted_schema=OFF")
    found = sorted(sql for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
    if found != sorted(SCHEMA):
        raise GalleryError(f"{path} is another program's database, not a gallery", "correct [gallery] path")
    about = dict(database.execute("SELECT key, value FROM about"))
    if about["format"] != FORMAT:
        raise GalleryError(f"{path} has format {str(about['format'])[:20]}; this version reads {FORMAT}", "update peephole")
    if about["model"] != model.sha256:
        raise GalleryError(f"{path} belongs to another model file (sha256 {str(about['model'])[:12]}...), not to {model.name}", ANEW)
    sizes = {name: int(shape[1]) for name, shape in model.card.outputs.items()}
    centre = _floats(about["centre"], sizes["embedding"])[0]
    rows = database.execute(
        "SELECT number, role, who, digest, confirmed_by, wall, logits, embedding, familiarity, similarity FROM example ORDER BY number"
    )
    people = People(model.sha256, centre, tuple(_examples(rows, sizes)), int(about["following"]))
    if about["checksum"] != _checksum(people):
        raise GalleryError(f"{path} is damaged: it is not what was written", "restore it from a copy, or enrol everybody again")
    return people


def _checksum(people: People) -> str:
    """Return the sha256 of all that a gallery holds; finds damage, not somebody who can write the file."""
    found = sha256(repr((people.model, people.following)).encode() + people.centre.astype("<f4").tobytes())
    for example in people.examples:
        *plain, logits, embedding, familiarity, similarity = _row(example)
        found.update(repr(plain).encode())
        for blob in (logits, embedding, familiarity, similarity):
            found.update(bytes(blob))  # type: ignore[call-overload]  # _row ends in four blobs
    return found.hexdigest()


def _examples(rows: Iterable[tuple[object, ...]], sizes: dict[str, int]) -> Iterator[Example]:
    for number, role, who, digest, by, wall, *blobs in rows:
        if role not in ROLES or not (isinstance(number, int) and isinstance(wall, float)) or not all(isinstance(t, str) and t for t in (who, digest)):
            raise ValueError(f"row {number} is not in order")
        outputs = Outputs(*(_floats(blob, sizes[name]) for blob, name in zip(blobs, NAMES, strict=True)))
        yield Example(number, str(role), str(who), str(digest), str(by), wall, outputs)


def _floats(blob: object, size: int) -> np.ndarray:
    """Return float32 (1, size); raises ValueError for anything else, NaN and infinity too."""
    if not isinstance(blob, bytes) or len(blob) != 4 * size:
        raise ValueError(f"{size} numbers were expected")
    values = np.frombuffer(blob, "<f4").astype(np.float32)[None]
    if not np.isfinite(values).all():
        raise ValueError("a number is not finite")
    return values


def write_people(people: People, place: Place) -> None:
    """Put a gallery in place of the one that was read, or of none: whole, on disk, readable by its owner alone.

    Raises GalleryError when another one lies there by now, and when it cannot be written; then nothing has changed.
    """
    now = _bytes(place.path)
    if (sha256(now).hexdigest() if now is not None else "") != place.read:
        raise GalleryError(f"{place.path} was changed by somebody else meanwhile; nothing was written", "do it again")
    with closing(sqlite3.connect(":memory:")) as database:
        for statement in SCHEMA:
            database.execute(statement)
        about = {"format": FORMAT, "model": people.model, "centre": people.centre.astype("<f4").tobytes(), "following": str(people.following)}
        about["checksum"] = _checksum(people)
        database.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        database.executemany("INSERT INTO example VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_row, people.examples))
        database.commit()
        data = database.serialize()
    if len(data) > MAX_BYTES:
        raise GalleryError(f"{place.path} would be larger than {MAX_BYTES // 10**6} MB", "train a model with these people instead")
    try:
        write_atomic(place.path, data, mode=0o600)
    except OutputError as error:
        raise GalleryError(f"{error.what}; nothing has changed", "make room, or correct [gallery] path and its permissions") from error


def _row(example: Example) -> tuple[object, ...]:
    answers = (getattr(example.outputs, name) for name in NAMES)
    plain = (example.number, example.role, example.who, example.digest, example.confirmed_by, float(example.wall))
    return (*plain, *(answer.astype("<f4").tobytes() for answer in answers))


def join(answers: Iterable[Outputs]) -> Outputs:
    """Return several answers as one batch; there must be one at least."""
    found = list(answers)
    return Outputs(*(np.concatenate([getattr(one, name) for one in found]) for name in NAMES))
