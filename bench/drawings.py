"""Drawings from one, ten and a hundred examples of each, with the network that practised on invented characters (`strokes`).

Omniglot: the 20 official one-shot runs (Lake et al. 2015), 20 characters of one alphabet, one drawing of each known, 20 asked; no Omniglot
drawing taught anything beforehand. MNIST: draws 100-109 of 1, 10 and 100 training digits of each, asked about all 10,000 test digits. All of
them train: `peephole train` wants two examples of a label, to hold one out, and keeps some of 100 aside, so these figures come from the learner that
it calls; for 10 of each its whole path is measured as well.

What would make the figures unfair: real drawings among the practice (it is a program's: train/glyphs.py); choosing anything on the official
runs, the test digits or these draws. Recipe and practice were chosen on Omniglot's small background sets and on MNIST training digits
(docs/log.md). These are not figures of training from nothing: bench/few.py has those.
"""

import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import numpy as np
from PIL import Image

from bench.mnist import unpack
from bench.photos import DATA, Labelled, draw, labelled, lay_out, percent_right
from bench.report import Row
from peephole.base.card import Input, Resize
from peephole.data.photoset import PhotoSet
from peephole.data.prepare import prepare
from peephole.export.build import build
from peephole.nets.strokes import SIDE
from peephole.train.learner import learner_for
from peephole.train.loop import answers_of
from peephole.train.recipe import Facts, Options, derive

DRAWS = range(100, 110)
SPEC = Input(shape=("N", SIDE, SIDE, 1), resize=Resize(to=(SIDE, SIDE)), colour="grey")
LEAST = {1: 80.0, 10: 98.0, 100: 99.2}  # drawings of each: the target, in per cent
SECONDS = {1: 10.0, 10: 12.0, 100: 25.0}  # of training, within the 60 allowed; for 10 of each 1,000 steps were no better than 300 on tuning draws


def pixels(image: Image.Image) -> np.ndarray:
    """Return a drawing as the network takes it: uint8 (32, 32, 1)."""
    return prepare(image, SPEC)


def taught(known: np.ndarray, labels: np.ndarray) -> PhotoSet:
    """Return drawings (N, 32, 32, 1) with their labels (N,) as a set."""
    count, ids = len(known), tuple(map(str, range(len(known))))
    names, nobody = tuple(map(str, range(labels.max() + 1))), np.full(len(known), -1)
    return PhotoSet(known, labels, names, np.arange(count), nobody, (), ids, ids, ("",) * count, (), 0, ())


def percent_named(photos: PhotoSet, asked: np.ndarray, truth: np.ndarray, options: Options) -> tuple[float, float]:
    """Learn from all of the drawings; return the per cent of others (N, 32, 32, 1) whose label (N,) is named right, and the seconds of training."""
    every, fewest = np.arange(len(photos)), int(np.bincount(photos.labels).min())
    facts = Facts(len(photos), len(photos.names), fewest, SIDE, SIDE, colour=False, drawing=True)
    learner = learner_for(photos, derive(facts, options), every)
    fitted = learner.finish(every, every[:0], None, None)
    logits, _ = answers_of(fitted.network, asked, np.arange(len(asked)))
    return 100 * float((logits.argmax(1) == truth).mean()), fitted.seconds


def runs() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return Omniglot's official runs: the known drawings, those asked, and for each of those which of the known it is."""
    found = []
    with ZipFile(DATA / "omniglot" / "all_runs.zip") as archive:
        names = archive.namelist()
        for number in range(1, 21):
            run = f"run{number:02d}"
            (listing,) = [name for name in names if name.endswith(f"{run}/class_labels.txt") and "MACOSX" not in name]
            root = listing.removesuffix(f"{run}/class_labels.txt")
            pairs = [line.split() for line in archive.read(listing).decode().splitlines() if line.strip()]
            training = sorted({known for _, known in pairs})
            known, asked = (
                np.stack([pixels(Image.open(BytesIO(archive.read(root + name)))) for name in group]) for group in (training, [p[0] for p in pairs])
            )
            found.append((known, asked, np.array([training.index(p[1]) for p in pairs])))
    return found


def read(photos: list[Labelled]) -> tuple[np.ndarray, np.ndarray]:
    """Return digits (N, 32, 32, 1) and what they are (N,)."""
    return np.stack([pixels(Image.open(path)) for path, _ in photos]), np.array([int(label) for _, label in photos])


def digits(quick: bool) -> list[Row]:
    """Measure MNIST: every drawing trains, and for 10 of each the whole path with its holding out as well."""
    rows, draws = [], DRAWS[: 1 if quick else None]
    with TemporaryDirectory() as temporary:
        root = Path(temporary) / "mnist"
        unpack(root, 200 if quick else 100_000)
        photos, test = labelled(root / "train"), labelled(root / "test")
        asked, truth = read(test)
        for each, seconds in SECONDS.items():
            found = list[tuple[float, float]]()
            for seed in draws:
                fit = "finetune" if each > 1 else "frozen"
                options = Options(network="strokes", fit=fit, seconds=2 if quick else seconds, seed=seed, threads=2)
                found.append(percent_named(taught(*read(draw(photos, each, seed)[0])), asked, truth, options))
                print(f"drawings: MNIST, {each} each, draw {seed}: {found[-1][0]:.2f} %, {found[-1][1]:.1f} s", flush=True)
            what = f"MNIST, {each} of each, strokes (practised on invented characters)"
            rows.append(Row(f"{what}: accuracy on the test digits", tuple(one[0] for one in found), "%", "draws", "mean", least=LEAST[each]))
            rows.append(Row(f"{what}: training, the slowest draw", tuple(one[1] for one in found), "s", "draws", "worst", most=60))
        return [*rows, *whole(photos, test, draws, Path(temporary) / "few", quick)]


def whole(photos: list[Labelled], test: list[Labelled], draws: range, folder: Path, quick: bool) -> list[Row]:
    """Measure 10 of each from the folder to the written file, holding out included."""
    accuracy, seconds, model = [], [], folder.with_suffix(".onnx")
    for seed in draws:
        lay_out(draw(photos, 10, seed)[0], folder)
        begun = time.perf_counter()
        build(folder, model, Options(network="strokes", seconds=2 if quick else 30, seed=seed, threads=2))
        seconds.append(time.perf_counter() - begun)
        accuracy.append(percent_right(model, test))
        print(f"drawings: MNIST, 10 each, the whole path, draw {seed}: {accuracy[-1]:.2f} %, {seconds[-1]:.1f} s", flush=True)
    what = "MNIST, 10 of each, strokes, `peephole train` as it is"
    return [
        Row(f"{what}: accuracy on the test digits", tuple(accuracy), "%", "draws", "mean"),
        Row(f"{what}: from the folder to the model file, the slowest draw", tuple(seconds), "s", "draws", "worst", most=60),
    ]


def run(quick: bool) -> list[Row]:
    found = []
    for seed, (known, asked, truth) in enumerate(runs()[: 2 if quick else None]):
        found.append(
            percent_named(taught(known, np.arange(len(known))), asked, truth, Options(network="strokes", fit="frozen", seed=seed, threads=2))[0]
        )
    what = "Omniglot, 20 official runs, 20-way one-shot, strokes (practised on invented characters): accuracy"
    return [Row(what, tuple(found), "%", "runs", "mean", least=80), *digits(quick)]
