"""The lab-11 network on all of MNIST: test accuracy and seconds of training, mean of 3 seeds.

The path is a user's: a folder with train/ and test/, `build`, the written file asked in ONNX Runtime about all 10,000 test photos.
The recipe was chosen on part of train/ (docs/log.md); nothing is chosen here. `build` sees test/ as well: it counts proof on it and
looks for copies of training photos among it; it learns and stops early by photos of train/ alone.

What would make the figure unfair: trying seeds until three are good; choosing anything by the test photos; leaving some of them out.
"""

import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from bench.photos import DATA, labelled, percent_right
from bench.report import Row
from peephole.export.build import build
from peephole.nets.cnn import Plain
from peephole.train.recipe import Options

SEEDS = (1, 2, 3)
LAB_11 = Plain(filters=(32, 64, 128), kernel=3, pool=2, hidden=625)


def unpack(folder: Path, most: int) -> None:
    """Unpack train/<digit>/ and test/<digit>/, at most so many photos of each."""
    taken: Counter[str] = Counter()
    with ZipFile(DATA / "mnist" / "mnist_png.zip") as archive:
        for name in archive.namelist():
            where = name.rpartition("/")[0]
            if name.endswith(".png") and taken[where] < most:
                archive.extract(name, folder)
                taken[where] += 1


def run(quick: bool) -> list[Row]:
    accuracy, training, whole = [], [], []
    with TemporaryDirectory() as temporary:
        root, model = Path(temporary) / "mnist", Path(temporary) / "mnist.onnx"
        unpack(root, 60 if quick else 100_000)
        for seed in SEEDS[: 1 if quick else None]:
            begun = time.perf_counter()
            built = build(root, model, Options(network="plain", plain=LAB_11, seconds=2 if quick else 60, seed=seed, threads=2))
            whole.append(time.perf_counter() - begun)
            training.append(built.training_seconds)
            accuracy.append(percent_right(model, labelled(root / "test")))
            print(f"mnist: seed {seed}: {accuracy[-1]:.2f} %, {training[-1]:.1f} s of {whole[-1]:.1f} s, {built.recipe.sentence()}", flush=True)
    return [
        Row("MNIST, lab-11, all training photos: accuracy on the test photos", tuple(accuracy), "%", "seeds", "mean", least=99.4),
        Row("MNIST, lab-11: training the network, the slowest seed", tuple(training), "s", "seeds", "worst", most=60),
        Row("MNIST, lab-11: from 70,000 files to the model file, reading, judging and exporting included", tuple(whole), "s", "seeds", "mean"),
    ]
