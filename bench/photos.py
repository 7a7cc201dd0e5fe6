"""Photos for the benchmarks: where they lie, random draws of a few of them, and how many a model file names right."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import peephole

DATA = Path(os.environ.get("PEEPHOLE_DATA", Path(__file__).parents[2] / "shared" / "data"))
BATCH = 500

Labelled = tuple[Path, str]


def labelled(folder: Path) -> list[Labelled]:
    """Return every photo below folder/<label>/ with its label, in the order of names."""
    return [(path, path.parent.name) for path in sorted(folder.glob("*/*")) if path.is_file()]


def draw(photos: Sequence[Labelled], each: int, seed: int) -> tuple[list[Labelled], list[Labelled]]:
    """Draw `each` photos of every label by chance; return them and the rest."""
    rng = np.random.default_rng(seed)
    chosen: set[Path] = set()
    for label in sorted({label for _, label in photos}):
        mine = [path for path, its in photos if its == label]
        chosen.update(mine[i] for i in rng.choice(len(mine), each, replace=False))
    return [p for p in photos if p[0] in chosen], [p for p in photos if p[0] not in chosen]


def lay_out(photos: Sequence[Labelled], folder: Path) -> Path:
    """Copy photos to folder/<label>/, as a user would give them, in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, label in photos:
        (folder / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / label / path.name)
    return folder


def percent_right(model: Path, photos: Sequence[Labelled]) -> float:
    """Return the per cent of photos whose best label, accepted or not, is theirs: the written file, in ONNX Runtime, 2 threads.

    Every photo counts once; none is left out for being hard, or for being a copy of another.
    """
    predictor, right = peephole.load(model, threads=2), 0
    for at in range(0, len(photos), BATCH):
        part = photos[at : at + BATCH]
        answers = predictor.predict([path for path, _ in part])
        right += sum(answer.ranking[0][0] == label for answer, (_, label) in zip(answers, part, strict=True))
    return 100 * right / len(photos)
