"""Cats or dogs from 10 and from 50 photos of each: accuracy on 1,000 test photos, and seconds, over 10 draws.

Draws 100-109 of the folder 1000/ are reported; draws 0-99, judged on the rest of 1000/, are for choosing recipes.
The seconds are those of all of `build`, from the folder to the written file; asking it about the test photos comes on top.

What would make the figure unfair: choosing anything on test/ or on these draws. What it cannot show: the ImageNet photos that the
network was pretrained on hold many cats and dogs, so other subjects will do worse.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.photos import DATA, Labelled, draw, lay_out, percent_right
from bench.report import Row
from peephole.export.build import build
from peephole.train.recipe import Options

DRAWS = range(100, 110)
LEAST = {10: 97.0, 50: 98.0}  # photos of each: the target, in per cent
NETWORKS = {"lite0": "auto", "lite2": "lite2"}  # what a row calls it, and --network
PHOTOS = DATA / "cats-dogs" / "128x128"


def named(folder: Path) -> list[Labelled]:
    """Return the photos of a folder that carry their label in their name: cat.123.jpg."""
    return [(path, path.name.partition(".")[0]) for path in sorted(folder.glob("*.jpg"))]


def measure(each: int, name: str, draws: range, quick: bool) -> list[Row]:
    """Train the network of that name and ask it, for every draw of so many photos of each."""
    accuracy, seconds = [], []
    asked = named(PHOTOS / "test")[:: 25 if quick else 1]
    with TemporaryDirectory() as temporary:
        root, model = Path(temporary) / "photos", Path(temporary) / "cats-dogs.onnx"
        for seed in draws:
            lay_out(draw(named(PHOTOS / "1000"), each, seed)[0], root)
            begun = time.perf_counter()
            build(root, model, Options(network=NETWORKS[name], seed=seed, threads=2))
            seconds.append(time.perf_counter() - begun)
            accuracy.append(percent_right(model, asked))
            print(f"cats_dogs: {name}, {each} each, draw {seed}: {accuracy[-1]:.1f} % of {len(asked)}, {seconds[-1]:.1f} s", flush=True)
    return [
        Row(f"Cats or dogs, {each} photos of each, {name}: accuracy on 1,000 test photos", tuple(accuracy), "%", "draws", "mean", least=LEAST[each]),
        Row(
            f"Cats or dogs, {each} photos of each, {name}: from the folder to the model file, the slowest draw",
            tuple(seconds),
            "s",
            "draws",
            "worst",
            most=60,
        ),
    ]


def run(quick: bool) -> list[Row]:
    return [row for each in LEAST for name in NETWORKS for row in measure(each, name, DRAWS[: 1 if quick else None], quick)]
