"""Doubtful labels: one wrong label among 5 or 10 photos of each, over 20 draws: how often it is among the three most in doubt, and how often flagged.

Draws 100-119 are reported; draws 0-59 chose the features, the mixes and the line (docs/log.md). Clean labels of the same draws tell the false flags.
The pictures are judged as `peephole doubt` does, from the folder on.

What would make the figures unfair: choosing anything on these draws; counting a photo that is wrong in the public set itself as clean.
"""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from scipy.io import loadmat

from bench.cats_dogs import PHOTOS, named
from bench.photos import DATA
from bench.report import Row
from peephole.export.doubts import doubts

DRAWS = range(100, 120)
Pictures = dict[str, list[Image.Image]]


def mnist() -> Pictures:
    """Return 60 training digits of each label."""
    with zipfile.ZipFile(DATA / "mnist" / "mnist_png.zip") as packed:
        names = sorted(name for name in packed.namelist() if name.startswith("train/") and name.endswith(".png"))
        chosen = {digit: [name for name in names if name.split("/")[1] == digit][:60] for digit in map(str, range(10))}
        return {digit: [Image.open(io.BytesIO(packed.read(name))).convert("L") for name in own] for digit, own in chosen.items()}


def omniglot() -> Pictures:
    """Return all 20 drawings of 20 characters."""
    with zipfile.ZipFile(DATA / "omniglot" / "images_background_small1.zip") as packed:
        names = sorted(name for name in packed.namelist() if name.endswith(".png"))
        characters = sorted({name.rsplit("/", 1)[0] for name in names})[::6][:20]
        return {
            f"character {i}": [Image.open(io.BytesIO(packed.read(name))).convert("L") for name in names if name.startswith(f"{character}/")]
            for i, character in enumerate(characters)
        }


def yale() -> Pictures:
    """Return all pictures, 32 x 32, of the first 10 people of Yale B."""
    found = loadmat(DATA / "yaleb" / "YaleB_32x32.mat")
    people, pixels = found["Label"].ravel(), found["features"].T.reshape(-1, 32, 32).transpose(0, 2, 1).astype(np.uint8)
    return {f"person {who}": [Image.fromarray(one) for one in pixels[people == who]] for who in np.unique(people)[:10]}


def cats_dogs() -> Pictures:
    """Return the 1,000 photos at 128 x 128."""
    found: Pictures = {"cat": [], "dog": []}
    for path, label in named(PHOTOS / "1000"):
        found[label].append(Image.open(path).convert("RGB"))
    return found


SETS: dict[str, Callable[[], Pictures]] = {"MNIST": mnist, "Omniglot": omniglot, "Yale B": yale, "Cats or dogs": cats_dogs}


def lay_out(pictures: Pictures, each: int, seed: int, root: Path, *, wrong: bool) -> str:
    """Save a draw as a folder, one label of it changed if `wrong`; return the id of that photo."""
    rng, labels = np.random.default_rng(seed), sorted(pictures)
    drawn = [(label, int(at)) for label in labels for at in rng.choice(len(pictures[label]), each, replace=False)]
    flipped, other = int(rng.integers(len(drawn))), int(rng.integers(1, len(labels)))
    found = ""
    for number, (label, at) in enumerate(drawn):
        given = labels[(labels.index(label) + other) % len(labels)] if wrong and number == flipped else label
        path = root / given / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pictures[label][at].save(path)
        found = f"{given}/{path.name}" if number == flipped else found
    return found


def run(quick: bool) -> list[Row]:
    rows = []
    for name, read in SETS.items():
        pictures = read()
        for each in (5, 10):
            first, flagged, false = list[float](), list[float](), list[float]()
            for seed in DRAWS[: 1 if quick else None]:
                with TemporaryDirectory() as temporary:
                    root = Path(temporary)
                    wrong = lay_out(pictures, each, seed, root / "wrong", wrong=True)
                    lay_out(pictures, each, seed, root / "clean", wrong=False)
                    found, clean = doubts(root / "wrong"), doubts(root / "clean")
                first.append(100.0 * (wrong in [one.id for one in found.ranked[:3]]))
                flagged.append(100.0 * (wrong in [one.id for one in found.doubtful]))
                false.append(100 * len(clean.doubtful) / clean.photos)
            print(f"doubt: {name}, {each} each: {np.mean(first):.0f} % in the top 3, {np.mean(flagged):.0f} % flagged, {np.mean(false):.1f} % false")
            rows += [
                Row(f"{name}, {each} of each, one label wrong: it is among the three most in doubt", tuple(first), "%", "draws", "mean", least=90),
                Row(f"{name}, {each} of each, one label wrong: it is flagged", tuple(flagged), "%", "draws", "mean"),
                Row(f"{name}, {each} of each, labels right: photos flagged", tuple(false), "%", "draws", "mean", most=5),
            ]
    return rows
