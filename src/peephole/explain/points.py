"""What a map is drawn of: the embeddings of a folder of photos, or of the known examples inside a model file, as the model compares them.

A model compares directions from its own centre, by cosine; between directions of length 1 Euclidean distance says the same (d² = 2 - 2 cos), so
a map of these shows what the answers rest on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peephole.base.errors import DataError, MissingInput, ModelFileError, PhotoError
from peephole.base.evidence import counted
from peephole.data.layout import label_of, name_fault, place, split_folders, walk
from peephole.decide.known import compared
from peephole.decide.predictor import Predictor

__all__ = ["MOST", "Points", "known_points", "photo_points"]

MOST = 20_000  # photos of one map
BATCH = 64


@dataclass(frozen=True, eq=False)
class Points:
    """n embeddings: `vectors` float32 (n, d), `names`, `labels` (None: a stranger, "" where no folder names one) and the `paths` of photos, if any.

    `notes` are English sentences on what was left out; `centred` tells whether the vectors are directions from the model's centre.
    """

    vectors: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    paths: tuple[Path, ...]
    notes: tuple[str, ...]
    centred: bool


def _directions(predictor: Predictor, embeddings: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return embeddings (n, d) as directions of length 1 from the model's centre; as they are, and False, where the file does not show its centre."""
    try:
        centre = compared(predictor.model).centre
    except ModelFileError:
        return embeddings, False
    centred = embeddings - centre
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)), True


def known_points(predictor: Predictor) -> Points:
    """Return the known examples that a model file carries; raises ModelFileError where its graph does not show them."""
    unknown = predictor.card.unknown
    try:
        found = compared(predictor.model)
    except ModelFileError as error:
        name = predictor.model.name
        raise ModelFileError(f"{name} does not show its known examples, so they have no map", f"give photos: peephole map {name} PHOTOS") from error
    labels = tuple(predictor.labels[label] for label in unknown.known_labels)
    return Points(found.directions, tuple(unknown.known_ids), labels, (), (), centred=True)


def _listed(root: Path) -> list[tuple[Path, str, str | None, str]]:
    """Return path, name, label and the reason against it, of every file below a folder; a file in no label's folder has the label ""."""
    if not root.exists():
        raise MissingInput(f"{root} is not there", "give a folder of photos, or leave it out: the map is then of the known examples in the model")
    if not root.is_dir():
        raise DataError(f"{root} is a file, not a folder of photos", f"give its folder: {root.parent}")
    splits, found = split_folders(root), []
    for entry in walk(root, []):
        where = place(entry.parts, splits, False)
        loose = len(entry.parts) == 1 and not name_fault(entry.parts[0])
        label = "" if loose else None if where.label == "unknown" else label_of(where.label)
        found.append((Path(entry.path), "/".join(entry.parts), label, entry.reason or ("" if loose else where.reason)))
    return found


def photo_points(predictor: Predictor, root: Path | str, *, seed: int = 7, progress: Callable[[int, int], None] | None = None) -> Points:
    """Return the embeddings of every photo below a folder; sub-folders are labels, loose photos have none, `unknown/` holds strangers.

    Over 20,000 files a sample is drawn by `seed`. Raises MissingInput or DataError for a folder that is none or has no photo that can be used.
    """
    root = Path(root)
    listed, notes = _listed(root), []
    files = [each for each in listed if not each[3]]
    refused = [f"{name}: {reason}" for _, name, _, reason in listed if reason]
    if len(files) > MOST:
        notes.append(f"{len(files):,} files are more than a map of {MOST:,}: that many were drawn by lot")
        files = [files[at] for at in np.sort(np.random.default_rng(seed).choice(len(files), MOST, replace=False))]
    used: list[tuple[Path, str, str | None]] = []
    vectors: list[np.ndarray] = []
    waiting: list[np.ndarray] = []
    for done, (path, name, label, _) in enumerate(files, 1):
        try:
            waiting.append(predictor.prepare(path))
            used.append((path, name, label))
        except (PhotoError, MissingInput) as error:
            refused.append(f"{name}: {error.what.removeprefix(f'{path}: ')}")
        if len(waiting) == BATCH or (done == len(files) and waiting):
            vectors.append(predictor.engine.run(np.stack(waiting)).embedding)
            waiting = []
            if progress:
                progress(done, len(files))
    embeddings = np.concatenate(vectors) if vectors else np.empty((0, 1), np.float32)
    told = np.asarray(np.isfinite(embeddings).all(axis=1))
    refused += [f"{name}: its embedding is not a number" for (_, name, _), good in zip(used, told, strict=True) if not good]
    used = [each for each, good in zip(used, told, strict=True) if good]
    if not used:
        first = f"; {counted(len(refused), 'file')} refused, the first one: {refused[0]}" if refused else ""
        raise DataError(f"{root} has no photo to put on a map{first}", "give a folder of photos; with sub-folders these are the labels")
    if refused:
        notes.append(f"{counted(len(refused), 'file')} left out; {refused[0]}")
    found, centred = _directions(predictor, embeddings[told])
    paths, names, labels = zip(*used, strict=True)
    return Points(found, names, labels, paths, tuple(notes), centred)
