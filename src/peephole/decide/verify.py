"""Two model files on the same photos, or a model file on the photos it was made from: how many decisions changed, and by how much.

The file is asked here, by this computer's ONNX Runtime, through this computer's preparation: what it answered where it was made is
in the file itself, as the known examples' embeddings.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from peephole.base.card import Card
from peephole.base.engine import Outputs
from peephole.base.errors import DataError, InputError, PhotoError
from peephole.data.decode import read_bytes
from peephole.data.photos import scan
from peephole.decide.judge import judge
from peephole.decide.predictor import Predictor
from peephole.decide.probes import probes

__all__ = ["Change", "Verification", "against_card", "against_file"]

TOLERANCE = 1e-3  # of a cosine; float32 sums in another order differ by 1e-6, another picture decoder by 1e-4
PROBES = 64
UNJUDGED = "not judged"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Change:
    """A photo that is decided otherwise: by the one file and by the other, in words."""

    photo: str
    one: str
    other: str


@dataclass(frozen=True)
class Verification:
    """What was found: of `n` photos those whose decision changed, and the largest `difference`, of any logit or of a cosine with itself.

    `measured` says which of both; None where the files have different labels, so that nothing can be measured. `notes` qualify it.
    """

    one: str
    other: str
    n: int
    changed: tuple[Change, ...]
    difference: float | None
    measured: str
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether no decision changed."""
        return not self.changed

    @property
    def lines(self) -> tuple[str, ...]:
        """What was found as sentences."""
        far = "" if self.difference is None else f"; {self.measured} by at most {self.difference:.2g}"
        return (f"{self.one} against {self.other}: {len(self.changed)} of {self.n} decisions changed{far}", *self.notes)


def against_file(one: Predictor, other: Predictor, root: Path | None, progress: Progress | None = None) -> Verification:
    """Ask two model files about every photo below `root` (None: about 64 built-in pictures) and count the decisions that changed.

    A decision is the label that is let in, a stranger, or that the region found nothing to judge. Raises DataError without a photo.
    """
    comparable = one.labels == other.labels
    changed: list[Change] = []
    difference, n = 0.0, 0
    for name, mine, theirs in _asked(one, other, root, progress):
        n += 1
        said = _said(one.card, mine), _said(other.card, theirs)
        if said[0] != said[1]:
            changed.append(Change(name, *said))
        if comparable and mine is not None and theirs is not None:
            apart = float(np.nan_to_num(np.abs(mine.logits - theirs.logits).max(), nan=np.inf))  # NaN is the largest of all
            difference = max(difference, apart)
    notes: tuple[str, ...] = () if root is not None else ("on built-in pictures, which show nobody: give a folder of photos for what matters",)
    if not comparable:
        notes += (f"the files have different labels: {', '.join(one.labels[:8])} and {', '.join(other.labels[:8])}",)
    return Verification(one.model.name, other.model.name, n, tuple(changed), difference if comparable else None, "logits differ", notes)


def _asked(one: Predictor, other: Predictor, root: Path | None, progress: Progress | None) -> Iterator[tuple[str, Outputs | None, Outputs | None]]:
    """Yield each photo's name with what both files answer for it; None where there is nothing to judge."""
    if root is None:
        mine, theirs = (probes(side.card.input.shape[1:], PROBES) for side in (one, other))
        for number, (picture, same) in enumerate(zip(mine, theirs, strict=True)):
            yield f"built-in picture {number + 1}", one.engine.run(picture), other.engine.run(same)
        return
    photos = scan(root).photos
    if not photos:
        raise DataError(f"{root} has no photo to compare on", "give a folder laid out like a training folder")
    for number, photo in enumerate(photos):
        yield photo.id, _answer(one, photo.path), _answer(other, photo.path)
        if progress is not None:
            progress(number + 1, len(photos))


def _answer(predictor: Predictor, path: Path) -> Outputs | None:
    try:
        return predictor.engine.run(predictor.prepare(path))
    except PhotoError:
        return None


def _said(card: Card, outputs: Outputs | None) -> str:
    if outputs is None:
        return UNJUDGED
    answer = judge(outputs, card)[0]
    return answer.label if answer.accepted and answer.label is not None else "a stranger"


def against_card(predictor: Predictor, root: Path, progress: Progress | None = None) -> Verification:
    """Ask a model file about its own known examples, found below `root` by their sha256, and compare with what the file holds of them.

    Each must be what it was where the file was made: prepared and run here, its embedding has cosine 1 with the one in the file, to 0.001.
    Raises DataError when none of them is there.
    """
    card = predictor.card
    columns = {digest: column for column, digest in enumerate(card.unknown.known_digests)}
    changed: list[Change] = []
    difference, found = 0.0, set[int]()
    photos = scan(root).photos
    for number, photo in enumerate(photos):
        column = columns.get(_digest(photo.path))
        if column is not None and column not in found:
            found.add(column)
            outputs = _answer(predictor, photo.path)
            apart = 2.0 if outputs is None else abs(float(np.nan_to_num(1 - outputs.similarity[0, column], nan=2.0)))
            difference = max(difference, apart)
            if apart > TOLERANCE:
                changed.append(Change(photo.id, "itself", UNJUDGED if outputs is None else f"like itself by {1 - apart:.4f} only"))
        if progress is not None:
            progress(number + 1, len(photos))
    if not found:
        raise DataError(
            f"{root} has none of the {len(columns)} known examples of {predictor.model.name}",
            "give the folder it was trained on, or another model file to compare with: peephole verify MODEL OTHER.onnx PHOTOS",
        )
    missing = len(columns) - len(found)
    notes = (f"{missing} known examples are not in {root}",) if missing else ()
    return Verification(predictor.model.name, "its own card", len(found), tuple(changed), difference, "cosines differ from 1", notes)


def _digest(path: Path) -> str:
    try:
        return sha256(read_bytes(path)).hexdigest()
    except InputError:  # it went away, or is no photo after all
        return ""
