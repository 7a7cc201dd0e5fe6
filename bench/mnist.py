"""All of MNIST: the lab-11 network in a minute, a small one in 4 s of training; test accuracy and seconds, mean of 3 seeds.

The path is a user's: a folder with train/ and test/, `build`, the written file asked in ONNX Runtime about all 10,000 test photos.
The recipe was chosen on part of train/ (docs/log.md); nothing is chosen here. `build` sees test/ as well: it counts proof on it and
looks for copies of training photos among it; it learns and stops early by photos of train/ alone.

What would make the figure unfair: trying seeds until three are good; choosing anything by the test photos; leaving some of them out.
"""

import time
from collections import Counter
from dataclasses import replace
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
# The same file but for its weights and five places that it looks at: batch norm is folded away (docs/log.md, all of MNIST).
BEST = Options(network="plain", plain=replace(LAB_11, norm="batch"), batch=256, learning_rate=5e-3, glances=True, seconds=60)
# A quarter of lab-11's multiplications: in 4 s it does not meet every training photo once; hence the high rate and the light dropout (docs/log.md).
SHORT = Options(network="plain", plain=Plain(filters=(16, 32, 64), hidden=256, keep_prob=0.9, norm="batch"), seconds=3.9, learning_rate=2e-2)


def unpack(folder: Path, most: int) -> None:
    """Unpack train/<digit>/ and test/<digit>/, at most so many photos of each."""
    taken: Counter[str] = Counter()
    with ZipFile(DATA / "mnist" / "mnist_png.zip") as archive:
        for name in archive.namelist():
            where = name.rpartition("/")[0]
            if name.endswith(".png") and taken[where] < most:
                archive.extract(name, folder)
                taken[where] += 1


def trained(root: Path, seed: int, options: Options) -> tuple[float, float, float]:
    """Build from root/train and root/test; return the per cent of test photos named right, the seconds of training, and those of all of `build`."""
    model = root.with_suffix(".onnx")
    begun = time.perf_counter()
    built = build(root, model, replace(options, seed=seed, threads=2))
    whole = time.perf_counter() - begun
    accuracy = percent_right(model, labelled(root / "test"))
    print(f"mnist: seed {seed}: {accuracy:.2f} %, {built.training_seconds:.1f} s of {whole:.1f} s, {built.recipe.sentence()}", flush=True)
    return accuracy, built.training_seconds, whole


def run(quick: bool) -> list[Row]:
    seeds = SEEDS[: 1 if quick else None]
    full = Options(network="plain", plain=LAB_11, seconds=2 if quick else 60)
    best, short = (replace(options, seconds=2) if quick else options for options in (BEST, SHORT))
    with TemporaryDirectory() as temporary:
        root = Path(temporary) / "mnist"
        unpack(root, 60 if quick else 100_000)
        accuracy, training, whole = zip(*(trained(root, seed, full) for seed in seeds), strict=True)
        accuracy_best, training_best, _ = zip(*(trained(root, seed, best) for seed in seeds), strict=True)
        accuracy_short, training_short, _ = zip(*(trained(root, seed, short) for seed in seeds), strict=True)
    return [
        Row("MNIST, lab-11, all training photos: accuracy on the test photos", accuracy, "%", "seeds", "mean", least=99.4),
        Row("MNIST, one network, batch norm, five glances: accuracy on the test photos", accuracy_best, "%", "seeds", "mean", least=99.6),
        Row("MNIST, one network, batch norm, five glances: training, the slowest seed", training_best, "s", "seeds", "worst", most=60),
        Row("MNIST, lab-11: training the network, the slowest seed", training, "s", "seeds", "worst", most=60),
        Row("MNIST, lab-11: from 70,000 files to the model file, reading, judging and exporting included", whole, "s", "seeds", "mean"),
        Row("MNIST, a small network, 4 s: accuracy on the test photos", accuracy_short, "%", "seeds", "mean", least=99.0),
        Row("MNIST, a small network, 4 s: training, the slowest seed", training_short, "s", "seeds", "worst", most=4),
    ]
