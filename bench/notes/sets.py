"""Draws of few photos for the claims: 28x28 pictures of ten labels, straight from their archives into memory.

A draw of 20 of each holds the draw of 10 of each with the same seed. What is trained on comes from train/, what is judged on from test/.
"""

import io
from dataclasses import dataclass
from functools import lru_cache
from zipfile import ZipFile

import numpy as np
import torch
from PIL import Image

from bench.photos import DATA
from peephole.train.loop import Examples

ARCHIVES = {"mnist": "mnist/mnist_png.zip", "fashion": "fashion-mnist-png/fashion_mnist_png.zip"}
LABELS = 10
MOST = 150  # of each label in one draw of train/
JUDGED = 200  # of each label in one draw of test/


@dataclass(frozen=True, eq=False)
class Drawn:
    """Photos of one draw: to learn from, to judge by, and others of train/ that no network has learned from."""

    train: Examples
    test: Examples
    others: Examples

    @property
    def mean(self) -> tuple[float]:
        """The mean of the photos learned from, in 0..255."""
        return (float(self.train.images.float().mean()),)

    @property
    def std(self) -> tuple[float]:
        """Their standard deviation, in 0..255."""
        return (float(self.train.images.float().std()),)


@lru_cache(maxsize=2)
def _names(name: str) -> dict[tuple[str, int], list[str]]:
    """Return the names in an archive by (train or test, label)."""
    found: dict[tuple[str, int], list[str]] = {}
    with ZipFile(DATA / ARCHIVES[name]) as archive:
        for path in sorted(archive.namelist()):
            if path.endswith(".png"):
                part, label, _ = path.split("/")
                found.setdefault((part, int(label)), []).append(path)
    return found


def _read(name: str, part: str, each: int, seed: int) -> np.ndarray:
    """Return uint8 (labels, each, 28, 28): a random choice of each label."""
    rng = np.random.default_rng([seed, int(part == "test")])
    with ZipFile(DATA / ARCHIVES[name]) as archive:

        def picture(path: str) -> np.ndarray:
            return np.asarray(Image.open(io.BytesIO(archive.read(path))).convert("L"))

        of_label = [_names(name)[part, label] for label in range(LABELS)]
        return np.stack([[picture(paths[at]) for at in rng.permutation(len(paths))[:each]] for paths in of_label])


@lru_cache(maxsize=24)
def _drawn(name: str, seed: int, judged: int) -> tuple[np.ndarray, np.ndarray]:
    return _read(name, "train", MOST, seed), _read(name, "test", judged, seed)


def _examples(pictures: np.ndarray) -> Examples:
    labels, each = pictures.shape[:2]
    return Examples.of(pictures.reshape(labels * each, *pictures.shape[2:], 1), np.repeat(np.arange(labels), each))


def draw(name: str, each: int, seed: int, judged: int = JUDGED) -> Drawn:
    """Draw `each` photos of every label to learn from and `judged` of every label to judge by; `name` is mnist or fashion."""
    train, test = _drawn(name, seed, judged)
    return Drawn(_examples(train[:, :each]), _examples(test), _examples(train[:, each:]))


def halved(examples: Examples) -> Examples:
    """Return the pictures at half their height and width, each pixel the mean of four."""
    smaller = torch.nn.functional.avg_pool2d(examples.images.float(), 2)
    return Examples(smaller.round().to(torch.uint8), examples.labels)
