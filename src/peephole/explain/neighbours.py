"""The known examples nearest to a picture, and the familiarity of each label that follows from them.

Pictures of known examples are people's pictures: they are shown only when their folder is given, and only files
whose sha256 is that of an example on the card.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from peephole.base.card import Unknown
from peephole.base.errors import DataError, InputError, MissingInput
from peephole.data.decode import open_bytes, read_bytes
from peephole.data.layout import walk

__all__ = ["Familiarity", "Known", "familiarities", "find_pictures", "nearest"]

SIDE = 96


@dataclass(frozen=True, eq=False)
class Known:
    """A known example: its place in the card, id, label (index), cosine `similarity` -1..1, `distance` 1 - similarity, sha256, picture if found."""

    index: int
    id: str
    label: int
    similarity: float
    distance: float
    digest: str
    picture: Image.Image | None


@dataclass(frozen=True)
class Familiarity:
    """A label's familiarity as the graph gives it, and the similarities (its k nearest known examples) whose mean it is."""

    label: int
    value: float
    similarities: tuple[float, ...]
    ids: tuple[str, ...]

    @property
    def mean(self) -> float:
        """The mean of the similarities, recomputed; NaN without any."""
        return sum(self.similarities) / len(self.similarities) if self.similarities else float("nan")


def nearest(similarity: np.ndarray, card: Unknown, pictures: dict[str, Image.Image], most: int = 9) -> tuple[Known, ...]:
    """Return the `most` known examples nearest by cosine similarity (M,), nearest first."""
    order = np.argsort(-np.nan_to_num(similarity, nan=-2.0), kind="stable")[:most]
    found = []
    for index in (int(each) for each in order):
        cosine, digest = float(similarity[index]), card.known_digests[index]
        found.append(Known(index, card.known_ids[index], card.known_labels[index], cosine, 1 - cosine, digest, pictures.get(digest)))
    return tuple(found)


def familiarities(similarity: np.ndarray, familiarity: np.ndarray, card: Unknown) -> tuple[Familiarity, ...]:
    """Return every label's familiarity (labels,), most familiar first, with the similarities (M,) behind it."""
    labels = np.asarray(card.known_labels)
    found = []
    for label in np.argsort(-np.nan_to_num(familiarity, nan=-2.0), kind="stable"):
        mine = np.flatnonzero(labels == label)
        top = mine[np.argsort(-similarity[mine], kind="stable")][: card.k]
        near, ids = tuple(float(similarity[each]) for each in top), tuple(card.known_ids[each] for each in top)
        found.append(Familiarity(int(label), float(familiarity[label]), near, ids))
    return tuple(found)


def find_pictures(folder: Path, digests: set[str]) -> dict[str, Image.Image]:
    """Return small pictures by sha256 of their files, for those files below `folder` whose digest is asked for.

    Raises MissingInput or DataError when `folder` is no folder; files that cannot be read or decoded are left out.
    """
    if not folder.exists():
        raise MissingInput(f"{folder} is not there", "give the folder of photos the model was trained on, or leave --photos out")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file, not a folder of photos", "give the folder that the model was trained on")
    found: dict[str, Image.Image] = {}
    for entry in walk(folder, []):
        if len(found) == len(digests):
            break
        if entry.reason:
            continue
        try:
            data = read_bytes(entry.path)
            digest = hashlib.sha256(data).hexdigest()
            if digest in digests and digest not in found:
                found[digest] = small(open_bytes(data), SIDE)
        except InputError:
            continue
    return found


def small(image: Image.Image, side: int) -> Image.Image:
    """Return a picture in RGB, on white, at most `side` pixels in each direction."""
    if image.mode in ("RGBA", "LA"):
        sheet = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(sheet, image.convert("RGBA"))
    image = image.convert("RGB")
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.BOX)
    return image
