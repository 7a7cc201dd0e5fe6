"""Faces in lights that were not learned from: 8 and all 38 people of Yale B, 3 or 5 photos of each, the other lightings asked; and strangers.

Draws 100-109 are reported; draws 0-19 chose the recipe. For strangers the 38 people are dealt into four groups once, and each group in turn is
unknown to a model of all others, so every person is a stranger once: AUROC of familiarity between the known people's test photos and
the strangers' photos, and how many strangers were let in by any photo at the line that the training chose, with its one-sided 95 % bound.

Two neighbouring lightings of one face can look like copies of one photo; a person of whom nothing else is left is refused by `build`, left out
here, and what is asked about them counts as named wrong.

What would make the figure unfair: test lightings among the training ones, or choosing the line by these strangers. What it cannot show: all
photos of a person were taken within a second, so head, hair and expression are the same in all, and the crops are aligned by hand; at a
door they are not. The faces are for research only and stay in a temporary folder.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.metrics import roc_auc_score

import peephole
from bench.photos import DATA, Labelled, lay_out, percent_right
from bench.report import Row
from peephole.base.errors import DataError
from peephole.base.evidence import upper_bound
from peephole.export.build import build
from peephole.train.recipe import Options

DRAWS = range(100, 110)
LEAST = {3: 95.0, 5: 98.0}  # photos of each: the target, in per cent
CROWDS = (8, 38)
STRANGERS = 10  # in a group; the last group has the 8 that are left


def people() -> dict[str, list[Path]]:
    """Return each person's photos, by name."""
    return {folder.name: sorted(folder.glob("*.pgm")) for folder in sorted((DATA / "yaleb" / "cropped").iterdir())}


def lights(each: int, seed: int) -> set[str]:
    """Draw the lightings to learn from."""
    every = sorted({path.stem.split("_")[1] for photos in people().values() for path in photos})
    return {every[i] for i in np.random.default_rng(seed).permutation(len(every))[:each]}


def divided(names: list[str], learned: set[str]) -> tuple[list[Labelled], list[Labelled]]:
    """Return the photos of some people in the lightings to learn from, and in the others."""
    photos = [(path, name) for name in names for path in people()[name]]
    return [p for p in photos if p[0].stem.split("_")[1] in learned], [p for p in photos if p[0].stem.split("_")[1] not in learned]


def to_skip(error: DataError) -> str:
    """Return the label that a refusal offers to leave out, or nothing."""
    found = re.search(r"--skip ([^\s;,]+)", error.hint)
    return found[1] if found else ""


def fit(photos: list[Labelled], folder: Path, seed: int, quick: bool) -> Path:
    """Train on some photos; return the model file. People whose photos are taken for copies of one are refused: left out, and so named wrong."""
    model, root = folder / "faces.onnx", lay_out(photos, folder / "photos")
    skip: tuple[str, ...] = ()
    while True:
        try:
            build(root, model, Options(seed=seed, threads=2, size=(96, 96) if quick else None), skip=skip)
        except DataError as error:
            refused = to_skip(error)
            if not refused or refused in skip:
                raise
            print(f"faces: {error.what} {refused} is left out, and counts as named wrong", flush=True)
            skip = (*skip, refused)
        else:
            return model


def accuracy(each: int, crowd: int, draws: range, quick: bool) -> Row:
    """Ask about the other lightings, for every draw of people and lightings."""
    right = []
    for seed in draws:
        names = [list(people())[i] for i in np.random.default_rng(1000 + seed).permutation(len(people()))[:crowd]]
        learned, asked = divided(names, lights(each, seed))
        with TemporaryDirectory() as temporary:
            right.append(percent_right(fit(learned, Path(temporary), seed, quick), asked))
        print(f"faces: {crowd} people, {each} photos of each, draw {seed}: {right[-1]:.1f} % of {len(asked)}", flush=True)
    return Row(f"Yale B, {crowd} people, {each} photos of each, lightings unseen: accuracy", tuple(right), "%", "draws", "mean", least=LEAST[each])


def strangers(each: int, quick: bool) -> list[Row]:
    """Hold every person out once, in groups."""
    dealt = np.random.default_rng(DRAWS[0]).permutation(sorted(people()))
    areas, let_in, seen = [], 0, 0
    for turn, at in enumerate(range(0, STRANGERS if quick else len(dealt), STRANGERS)):
        away = sorted(dealt[at : at + STRANGERS].tolist())
        learned, asked = divided([name for name in people() if name not in away], lights(each, DRAWS[turn]))
        with TemporaryDirectory() as temporary:
            predictor = peephole.load(fit(learned, Path(temporary), DRAWS[turn], quick), threads=2)
        known = [predictor.predict(path).familiarity for path, _ in asked]
        strange = {name: [predictor.predict(path) for path in people()[name]] for name in away}
        scores = [answer.familiarity for answers in strange.values() for answer in answers]
        areas.append(float(roc_auc_score([1] * len(known) + [0] * len(scores), [*known, *scores])))
        let_in += sum(any(answer.accepted for answer in answers) for answers in strange.values())
        seen += len(away)
        print(f"faces: {each} photos of each, strangers {turn + 1}: AUROC {areas[-1]:.4f}; {let_in} of {seen} strangers let in so far", flush=True)
    what = f"Yale B, {each} photos of each, strangers"
    bound = 100 * upper_bound(let_in, seen)
    return [
        Row(f"{what}: AUROC of familiarity", tuple(areas), "", "turns", "mean", least=0.99),
        Row(f"{what} let in by any of their 8 photos", (float(let_in),), f"of {seen}", "count"),
        Row(f"{what} let in, at most (one-sided 95 % Clopper-Pearson bound over strangers)", (bound,), "%", "bound"),
    ]


def run(quick: bool) -> list[Row]:
    """Measure both numbers of photos."""
    draws, rows = DRAWS[: 1 if quick else None], list[Row]()
    for each in LEAST:
        rows += [accuracy(each, crowd, draws, quick) for crowd in (CROWDS[:1] if quick else CROWDS)]
        rows += strangers(each, quick)
    return rows
