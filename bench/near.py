"""Near strangers: how well familiarity tells MNIST's digits from clothes and from Japanese letters of the same size, over 3 seeds.

The network learns the digits of train/ alone, by `build`, for 20 s. The written file is asked, in ONNX Runtime, about all 10,000 test digits, and
about the odd-numbered ones of 10,000 Fashion-MNIST and 10,000 KMNIST test pictures; the even-numbered ones were there to choose by (docs/log.md).
Both embeddings are shown: the maps tell other kinds of things apart better, the hidden layer, the default, unknown digits.
AUROC: how often a digit is more familiar than a stranger (a tie counts half), by the familiarity of the label that is named.

What would make the figure unfair: choosing anything by the odd-numbered pictures; leaving out the digits that are named wrong.
"""

import io
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

from bench.mnist import SEEDS, unpack
from bench.photos import DATA, labelled
from bench.report import Row
from peephole.base.engine import Engine
from peephole.export.build import build
from peephole.train.recipe import Options

SECONDS = 20.0
EMBEDDINGS = {"hidden": "by the hidden layer (the default)", "maps": "by the maps before it (--embedding maps)"}
NAMES = {"clothes": "Fashion-MNIST", "letters": "KMNIST"}


def clothes() -> np.ndarray:
    """Return the 10,000 test pictures of Fashion-MNIST, uint8 (N, 28, 28, 1)."""
    with ZipFile(DATA / "fashion-mnist-png" / "fashion_mnist_png.zip") as packed:
        names = sorted(name for name in packed.namelist() if name.startswith("test/") and name.endswith(".png"))
        return np.stack([np.asarray(Image.open(io.BytesIO(packed.read(name))).convert("L")) for name in names])[..., None]


def letters() -> np.ndarray:
    """Return the 10,000 test pictures of KMNIST, uint8 (N, 28, 28, 1)."""
    return np.asarray(np.load(DATA / "kmnist" / "kmnist-test-imgs.npz")["arr_0"], np.uint8)[..., None]


def familiar(engine: Engine, images: np.ndarray) -> np.ndarray:
    """Return the familiarity (N,) of the label that each picture is named."""
    found = engine.run(images)
    return np.take_along_axis(found.familiarity, found.logits.argmax(1)[:, None], 1)[:, 0]


def run(quick: bool) -> list[Row]:
    strangers = {"clothes": clothes()[1::2], "letters": letters()[1::2]}
    found: dict[tuple[str, str], list[float]] = {(name, embedding): [] for name in strangers for embedding in EMBEDDINGS}
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        unpack(root / "mnist", 60 if quick else 100_000)
        digits = np.stack([np.asarray(Image.open(path)) for path, _ in labelled(root / "mnist" / "test")])[..., None]
        for seed, embedding in product(SEEDS[: 1 if quick else None], EMBEDDINGS):
            options = Options(seconds=2 if quick else SECONDS, seed=seed, threads=2, embedding=embedding)
            engine = Engine(build(root / "mnist" / "train", root / "mnist.onnx", options).model, 2)
            known = familiar(engine, digits)
            for name, pictures in strangers.items():
                scores = np.concatenate([known, familiar(engine, pictures)])
                found[name, embedding].append(100 * float(roc_auc_score(np.arange(len(scores)) < len(known), scores)))
                print(f"near: seed {seed}, {embedding}: {NAMES[name]} {found[name, embedding][-1]:.2f}", flush=True)
    return [
        Row(
            f"near strangers, digits against {NAMES[name]}: AUROC of familiarity, {EMBEDDINGS[embedding]}",
            tuple(values),
            "%",
            "seeds",
            "mean",
            least=98 if embedding == "maps" else None,
        )
        for (name, embedding), values in found.items()
    ]
