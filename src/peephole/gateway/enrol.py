"""Taking somebody in at the gate, without PyTorch: photos -> what is in order, what counts once, what looks like poison -> a person confirms.

No gallery grows by itself: this module proposes, and only what a named person confirmed is taken.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np

from peephole.base.engine import Outputs
from peephole.base.errors import DataError, InputError, PhotoError
from peephole.base.records import Neighbour
from peephole.data.copies import group, thumbnail
from peephole.data.decode import open_bytes, read_bytes
from peephole.data.layout import Entry, is_unknown, label_of, name_fault, walk
from peephole.data.layout import Place as Where
from peephole.data.photos import Photo, look
from peephole.data.prepare import placed
from peephole.decide.known import compared, require_same
from peephole.decide.predictor import Predictor
from peephole.gateway.keys import Limits
from peephole.gateway.people import Example, People
from peephole.gateway.quality import measure, poor
from peephole.gateway.reasons import plural
from peephole.gateway.suspicion import flags, near_twin

__all__ = ["Candidate", "LeftOut", "Proposal", "begun", "enrol", "prepared", "propose", "require_name"]

SIDE = 64  # of the small pictures by which copies are found
MOST = 500  # photos of one person at a time


@dataclass(frozen=True)
class LeftOut:
    """A file that is not taken in, and why."""

    file: str
    why: str


@dataclass(frozen=True, eq=False)
class Candidate:
    """A photo that could be taken in, and what the model answered for it.

    `nearest` is the nearest known example of somebody else, if anybody is known; `flags` say in words why it should not be taken.
    """

    file: str
    digest: str
    outputs: Outputs
    nearest: Neighbour | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Proposal:
    """Who would be taken in with which photos; `before` counts the examples of that name that the gate knows already."""

    name: str
    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    before: int
    least: int

    @property
    def clean(self) -> tuple[Candidate, ...]:
        """The candidates without a flag."""
        return tuple(candidate for candidate in self.candidates if not candidate.flags)

    def require_enough(self, taken: tuple[Candidate, ...]) -> None:
        """Raise DataError when with these the name has fewer examples than are compared with: its region would be wider than anybody's."""
        if not taken:
            raise DataError(f"none of these photos adds anything to {self.name}", "give other photos, taken at another time")
        if self.before + len(taken) < self.least:
            raise DataError(
                f"{plural(len(taken), 'different photo')} of {self.name}; at least {self.least} are needed: so many are compared",
                "add photos taken at another time or in other light; five are a good start",
            )


@dataclass(frozen=True, eq=False)
class _Read:
    """One file that could be read: as a photo of the listing, its digests, its prepared pixels, a small grey picture, the region's remark."""

    photo: Photo
    digest: str
    content: bytes
    pixels: np.ndarray
    small: np.ndarray
    note: str


def require_name(name: str, labels: Iterable[str]) -> str:
    """Return a name as a label; raises InputError for one that cannot be one, or that differs in capitals or spaces only from one that is known."""
    name, labels = label_of(name), tuple(labels)
    wrong = name_fault(name) or ("it is empty" if not name.strip() else "it begins or ends with a space" if name != name.strip() else "")
    if wrong or len(name) > 200 or "/" in name or not name.isprintable():
        raise InputError(f"{name[:40]!a} cannot be a name: {wrong or 'at most 200 printable letters, without /'}", "give a plain name")
    if is_unknown(name):
        raise InputError(f"'{name}' is the word for strangers", "strangers are measured with: peephole gate evidence DOOR.toml --strangers FOLDER")
    alike = [label for label in labels if label != name and label.casefold() == name.casefold()]
    if alike:
        raise InputError(f"'{name}' differs from '{alike[0]}' in capitals only", f"write {alike[0]}, or another name")
    return name


def begun(predictor: Predictor) -> People:
    """Return an empty gallery for a model file; raises ModelFileError for one beside which nobody can be enrolled."""
    return People(predictor.model.sha256, compared(predictor.model).centre)


def prepared(predictor: Predictor, files: Iterable[Path], limits: Limits) -> tuple[list[_Read], list[LeftOut]]:
    """Read photos and folders of photos as the door would: its quality limits, the card's region; exact copies count once."""
    good: dict[bytes, _Read] = {}
    left: list[LeftOut] = []
    for entry in _entries(files):
        found = look(entry, Where(label="person"))
        if not isinstance(found, Photo):
            left.append(LeftOut(entry.path, found.reason))
            continue
        try:
            read = _read(predictor, found, limits)
        except InputError as error:
            left.append(LeftOut(entry.path, error.what))
            continue
        if read.content in good:
            left.append(LeftOut(entry.path, f"the same picture as {good[read.content].photo.path}: counts once"))
        else:
            good[read.content] = read
    if len(good) > MOST:
        raise DataError(f"{len(good)} photos at a time; at most {MOST}", "five to twenty different ones of a person are a good start")
    return list(good.values()), left


def _entries(files: Iterable[Path]) -> Iterator[Entry]:
    for file in files:
        if file.is_dir():
            yield from (replace(entry, parts=(str(file), *entry.parts)) for entry in walk(file, []))
        else:
            try:
                yield Entry(str(file), (str(file),), file.stat().st_size, "")
            except OSError as error:
                yield Entry(str(file), (str(file),), 0, error.strerror or "cannot be read")


def _read(predictor: Predictor, photo: Photo, limits: Limits) -> _Read:
    """Decode one photo; raises PhotoError with what keeps it from being judged."""
    data = read_bytes(photo.path)
    image = open_bytes(data)
    pixels = np.asarray(image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    problem = poor(measure(pixels), limits)
    if problem:
        raise PhotoError(problem, "take it again in better light")
    judged, where = placed(image, predictor.model.card.input)
    content = blake2b(f"{image.mode} {image.size}".encode() + image.tobytes(), digest_size=16).digest()
    return _Read(photo, sha256(data).hexdigest(), content, judged, thumbnail(image, SIDE), where.note)


def propose(predictor: Predictor, people: People, name: str, files: Iterable[Path], limits: Limits) -> Proposal:
    """Look at photos of somebody and say what would be taken in; `predictor` is the model alone or with its gallery. Changes nothing.

    Raises InputError for a name that cannot be one, or for a path that is not there, DataError when no photo can be used.
    """
    card = predictor.model.card
    name = require_name(name, people.gallery.labels(card.labels))
    files = tuple(files)
    _require_there(files)
    read, left = prepared(predictor, files, limits)
    if not read:
        raise _none_usable(name, files, left, "give photos that can be opened and that the door could judge: what is wrong stands behind each")
    read, more = _once(read, people, predictor, name)
    left += more
    if not read:
        raise _none_usable(name, files, more, "give photos that are different from those already known")
    outputs = predictor.engine.run(np.stack([one.pixels for one in read]))
    require_same(compared(predictor.model), outputs)
    answers = [outputs.at(slice(at, at + 1)) for at in range(len(read))]
    twins = [near_twin(answer, name, people) for answer in answers]
    left += [LeftOut(str(one.photo.path), f"almost the same picture as {twin}: counts once") for one, twin in zip(read, twins, strict=True) if twin]
    kept = [(one, answer) for one, answer, twin in zip(read, answers, twins, strict=True) if not twin]
    found = flags([answer for _, answer in kept], name, card, people, predictor.engine.run(_nothing(predictor.engine.shape)))
    noted = [((*why, one.note) if one.note else why) for (one, _), (_, why) in zip(kept, found, strict=True)]
    candidates = tuple(
        Candidate(str(one.photo.path), one.digest, answer, nearest, why) for (one, answer), (nearest, _), why in zip(kept, found, noted, strict=True)
    )
    before = sum(example.who == name for example in people.persons)
    before += sum(card.labels[label] == name for label in card.unknown.known_labels)
    return Proposal(name, candidates, tuple(left), before, card.unknown.k)


def _require_there(files: tuple[Path, ...]) -> None:
    """Raise InputError for what is not there at all: nobody means to enrol with it."""
    for file in files:
        try:
            file.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(f"{file} is not there", "correct the path; it is taken from the folder in which the command is given") from error
        except OSError:
            continue  # told with the photos that are left out


def _none_usable(name: str, files: tuple[Path, ...], left: list[LeftOut], hint: str) -> DataError:
    """Return the error of photos of which none can be taken in, with the first reason; an empty folder has none."""
    if not left:
        return DataError(f"no photo of {name} can be taken in: {', '.join(map(str, files[:3]))} holds no file", "put photos of that person there")
    return DataError(f"no photo of {name} can be taken in (first: {left[0].file}: {left[0].why})", hint)


def _nothing(shape: tuple[int, int, int]) -> np.ndarray:
    """Return pictures that show nothing, uint8 (4, H, W, C): black, grey, white, and the noise of a sensor in the dark."""
    noise = np.random.default_rng(0).integers(0, 12, shape, np.uint8)
    return np.stack([*(np.full(shape, level, np.uint8) for level in (0, 127, 255)), noise])


def _once(read: list[_Read], people: People, predictor: Predictor, name: str) -> tuple[list[_Read], list[LeftOut]]:
    """Leave out what is known already and near copies of one original; the first of each stays."""
    left = [LeftOut(str(one.photo.path), why) for one in read if (why := _known_already(one.digest, people, predictor, name))]
    out = {each.file for each in left}
    read = [one for one in read if str(one.photo.path) not in out]
    if len(read) > 1:
        grouping = group([one.photo for one in read], np.stack([one.small for one in read]))
        first = {int(source): at for at, source in reversed(list(enumerate(grouping.sources)))}
        copies = {at: first[int(source)] for at, source in enumerate(grouping.sources) if first[int(source)] != at}
        left += [LeftOut(str(read[at].photo.path), f"a near copy of {read[original].photo.path}: counts once") for at, original in copies.items()]
        read = [one for at, one in enumerate(read) if at not in copies]
    return read, left


def _known_already(digest: str, people: People, predictor: Predictor, name: str) -> str:
    """Say that a file is known already, and as whose, or nothing."""
    unknown, labels = predictor.model.card.unknown, predictor.model.card.labels
    whose = {example.digest: example.who if example.role == "person" else "a stranger" for example in people.examples}
    whose |= {known: labels[label] for label, known in zip(unknown.known_labels, unknown.known_digests, strict=True)}
    if digest in whose:
        return "known already" if whose[digest] == name else f"this very file is known as {whose[digest]}"
    if digest in predictor.model.card.training.digests:
        return "the model was trained with this very file"
    return ""


def enrol(people: People, name: str, taken: Iterable[Candidate], *, confirmed_by: str, wall: float) -> People:
    """Return the people with somebody's photos taken in, as a named person confirmed; raises InputError when nobody did."""
    if not confirmed_by.strip():
        raise InputError("nobody confirmed this", "say who does: --confirmed-by NAME")
    return people.plus(Example(0, "person", name, one.digest, confirmed_by.strip()[:200], wall, one.outputs) for one in taken)
