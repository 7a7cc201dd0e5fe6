"""The shipped X-or-O model on drawings that people made and it has never seen, over three seeds of the script that writes it (bench/ship_xo.py).

Real X and O: drawn (mouse, black on white, 220 x 220), xo_models (28 x 28, white on black), drawn_final (wilder, red on nothing). "Named right" is
the better of X and O, accepted or not; "accepted" is named right and familiar enough; whoever is refused is called a stranger. Other things that
people draw: MNIST's test digits 1 to 9, KMNIST, Omniglot (some of its characters are an X or an O and rightly taken for one), empty sheets.
MNIST's zeros are O as some people write them.

What would make the figures unfair: choosing anything in the generator or the training by these sets. Both were chosen with drawings of the
generator itself and with MNIST's *training* digits, zeros among them; the sets measured here were opened once all was settled.
"""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import numpy as np
from PIL import Image, ImageOps

import peephole
from bench.photos import DATA
from bench.report import Row
from bench.ship_xo import SEED, ship
from peephole.decide.predictor import Predictor

SEEDS = (SEED, SEED + 1, SEED + 2)
MOST = 2000  # of MNIST and KMNIST
SETS = {"drawn": "drawn/*/*", "28 x 28": "xo_models/*/*", "wilder, red": "drawn_final/*/*/*"}


def real() -> dict[str, tuple[list[Image.Image], list[str]]]:
    """Return the sets of real X and O with their labels, and the first of them light on dark."""
    found = {}
    for name, pattern in SETS.items():
        paths = sorted(path for path in (DATA / "xo").glob(pattern) if path.is_file())
        found[name] = ([Image.open(path) for path in paths], [path.parent.name[-1] for path in paths])
    pictures, labels = found["drawn"]
    return found | {"drawn, light on dark": ([ImageOps.invert(picture.convert("L")) for picture in pictures], labels)}


def digits() -> tuple[list[Image.Image], list[Image.Image]]:
    """Return MNIST's test zeros, and 2,000 of its other test digits."""
    with ZipFile(DATA / "mnist" / "mnist_png.zip") as archive:
        names = sorted(name for name in archive.namelist() if "/test/" in f"/{name}" and name.endswith(".png"))
        zeros = [name for name in names if Path(name).parent.name == "0"]
        others = np.random.default_rng(0).permutation([name for name in names if Path(name).parent.name != "0"])[:MOST]
        return tuple([Image.open(BytesIO(archive.read(name))) for name in some] for some in (zeros, others))  # type: ignore[return-value]


def others() -> dict[str, list[Image.Image]]:
    """Return what is neither X nor O."""
    with np.load(next((DATA / "kmnist").glob("*imgs*.npz"))) as file:
        characters = file[file.files[0]][:MOST]
    with ZipFile(DATA / "omniglot" / "all_runs.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png") and "MACOSX" not in name)
        signs = [Image.open(BytesIO(archive.read(name))).convert("L") for name in names]
    sheets = [Image.new("L", (220, 220), grey) for grey in range(256)]
    return {
        "MNIST 1 to 9": digits()[1],
        "KMNIST": [Image.fromarray(one) for one in characters],
        "Omniglot, official runs": signs,
        "empty sheets of every grey": sheets,
    }


def run(quick: bool) -> list[Row]:
    sets, strange, zeros = real(), others(), digits()[0]
    right, taken, refused = ({name: list[float]() for name in group} for group in (sets, sets, strange))
    as_o, kilobytes = list[float](), list[float]()
    with TemporaryDirectory() as temporary:
        for seed in SEEDS[: 1 if quick else None]:
            path = ship(Path(temporary), seed, 60 if quick else None)
            model: Predictor = peephole.load(path, threads=2)
            kilobytes.append(path.stat().st_size / 1000)
            for name, (pictures, labels) in sets.items():
                answers = model.predict(pictures)
                right[name].append(100 * float(np.mean([one.best == label for one, label in zip(answers, labels, strict=True)])))
                taken[name].append(100 * float(np.mean([one.label == label for one, label in zip(answers, labels, strict=True)])))
            for name, pictures in strange.items():
                refused[name].append(100 * float(np.mean([not one.accepted for one in model.predict(pictures)])))
            as_o.append(100 * float(np.mean([one.label == "O" for one in model.predict(zeros)])))
            print(f"shipped: seed {seed}: {right}, {taken}, {refused}", flush=True)
    what = "the shipped X-or-O model"
    return [
        *(Row(f"{what}, {name} (n = {len(sets[name][1])}): named right", tuple(values), "%", "seeds", "mean") for name, values in right.items()),
        *(Row(f"{what}, {name}: named right and accepted", tuple(values), "%", "seeds", "mean") for name, values in taken.items()),
        *(Row(f"{what}, {name} (n = {len(strange[name])}): refused", tuple(values), "%", "seeds", "mean") for name, values in refused.items()),
        Row(f"{what}, MNIST's zeros (n = {len(zeros)}): accepted as O", tuple(as_o), "%", "seeds", "mean"),
        Row(f"{what}: size", tuple(kilobytes), "kB", "seeds", "worst", most=300),
    ]
