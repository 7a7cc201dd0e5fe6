"""Drawings from one, ten and a hundred examples of each, with the network that practised on invented characters (`strokes`).

Omniglot: the 20 official one-shot runs (Lake et al. 2015), 20 characters of one alphabet, one drawing of each known, 20 asked; no Omniglot
drawing taught anything beforehand. MNIST: draws 100-109 of 1, 10 and 100 training digits of each, asked about all 10,000 test digits. `peephole
train` wants two examples of a label, to hold one out; so the figures for one of each come from the learner that it calls, those for 10 and
100 from its whole path and the written file.

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
from peephole.train.learner import Frozen
from peephole.train.loop import answers_of
from peephole.train.recipe import Facts, Options, derive

DRAWS = range(100, 110)
SPEC = Input(shape=("N", SIDE, SIDE, 1), resize=Resize(to=(SIDE, SIDE)), colour="grey")
LEAST = {1: 80.0, 10: 98.0, 100: 99.2}  # drawings of each: the target, in per cent
SECONDS = {10: 30.0, 100: 20.0}  # of all of `build`


def pixels(image: Image.Image) -> np.ndarray:
    """Return a drawing as the network takes it: uint8 (32, 32, 1)."""
    return prepare(image, SPEC)


def one_of_each(known: np.ndarray, labels: list[str], seed: int) -> PhotoSet:
    """Return one drawing (L, 32, 32, 1) of every label as a set."""
    count = len(labels)
    ids = tuple(labels)
    nobody = np.full(count, -1)
    return PhotoSet(known, np.arange(count), ids, np.arange(count), nobody, (), ids, ids, ("",) * count, (), 0, ())


def percent_named(known: np.ndarray, asked: np.ndarray, truth: np.ndarray, seed: int) -> float:
    """Learn from one drawing of each label, and return the per cent of others (N, 32, 32, 1) whose label (N,) is named right."""
    photos = one_of_each(known, [str(at) for at in range(len(known))], seed)
    facts = Facts(len(known), len(known), 1, SIDE, SIDE, colour=False, drawing=True)
    learner = Frozen(photos, derive(facts, Options(network="strokes", fit="frozen", seed=seed, threads=2)), np.arange(len(known)))
    fitted = learner.finish(np.arange(len(known)), np.arange(0), None, None)
    logits, _ = answers_of(fitted.network, asked, np.arange(len(asked)))
    return 100 * float((logits.argmax(1) == truth).mean())


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


def single_digits(photos: list[Labelled], test: list[Labelled], draws: range) -> list[float]:
    """Return the per cent of test digits named right from one training digit of each, draw by draw."""
    names = sorted({label for _, label in photos})
    asked, truth = np.stack([pixels(Image.open(path)) for path, _ in test]), np.array([names.index(label) for _, label in test])
    found = []
    for seed in draws:
        known = sorted(draw(photos, 1, seed)[0], key=lambda one: one[1])
        found.append(percent_named(np.stack([pixels(Image.open(path)) for path, _ in known]), asked, truth, seed))
    return found


def digits(quick: bool) -> list[Row]:
    """Measure MNIST."""
    rows, draws = [], DRAWS[: 1 if quick else None]
    with TemporaryDirectory() as temporary:
        root, model = Path(temporary) / "mnist", Path(temporary) / "digits.onnx"
        unpack(root, 200 if quick else 100_000)
        photos, test = labelled(root / "train"), labelled(root / "test")
        rows.append(_digits(1, single_digits(photos, test, draws)))
        for each in (10, 100):
            accuracy, seconds = [], []
            for seed in draws:
                lay_out(draw(photos, each, seed)[0], Path(temporary) / "few")
                begun = time.perf_counter()
                build(Path(temporary) / "few", model, Options(network="strokes", seconds=2 if quick else SECONDS[each], seed=seed, threads=2))
                seconds.append(time.perf_counter() - begun)
                accuracy.append(percent_right(model, test))
                print(f"drawings: MNIST, {each} each, draw {seed}: {accuracy[-1]:.2f} %, {seconds[-1]:.1f} s", flush=True)
            rows += [
                _digits(each, accuracy),
                Row(
                    f"MNIST, {each} of each, strokes: from the folder to the model file, the slowest", tuple(seconds), "s", "draws", "worst", most=60
                ),
            ]
    return rows


def _digits(each: int, accuracy: list[float]) -> Row:
    what = f"MNIST, {each} of each, strokes (practised on invented characters): accuracy on the test digits"
    return Row(what, tuple(accuracy), "%", "draws", "mean", least=LEAST[each])


def run(quick: bool) -> list[Row]:
    found = [percent_named(*run, seed) for seed, run in enumerate(runs()[: 2 if quick else None])]
    what = "Omniglot, 20 official runs, 20-way one-shot, strokes (practised on invented characters): accuracy"
    return [Row(what, tuple(found), "%", "runs", "mean", least=80), *digits(quick)]
