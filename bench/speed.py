"""Images per second of training the lab-11 network, batch 128, 2 threads: peephole against a tutorial loop and against Keras.

Every round measures all five ways once, one after the other on the same images, warm; a figure is the median over rounds of the ratio
within a round, so that a slow moment of the machine falls on both sides. Keras counts with the better of its two precisions in
each round. Ours is `train.loop.fit` with the recipe that `peephole train` derives for MNIST: with its augmentation (more work than
the others do) and without (the same work).

What would make the figure unfair: other work on the machine; ratios across runs; a peer without its own fast way (Keras in bfloat16).
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from zipfile import ZipFile

import numpy as np
import torch
from PIL import Image

from bench import tutorial
from bench.peers import Keras
from bench.photos import DATA
from bench.report import Row
from peephole.nets.blocks import Shape
from peephole.nets.cnn import plain
from peephole.train.augment import Augment
from peephole.train.loop import Examples, fit
from peephole.train.recipe import Facts, Options, Recipe, derive

BATCH, STEPS, ROUNDS = 128, 100, 9
MNIST = Facts(examples=60_000, labels=10, fewest=5_421, height=28, width=28, colour=False, drawing=True)
WAYS = ("tutorial", "varied", "bare", "float32", "mixed_bfloat16")


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Read `count` training digits by chance: images uint8 (N, 28, 28), labels (N,)."""
    with ZipFile(DATA / "mnist" / "mnist_png.zip") as archive:
        names = [name for name in archive.namelist() if name.startswith("train/") and name.endswith(".png")]
        chosen = [names[i] for i in np.random.default_rng(0).choice(len(names), count, replace=False)]
        images = np.stack([np.asarray(Image.open(archive.open(name))) for name in chosen])
    return images, np.array([int(name.split("/")[1]) for name in chosen], np.int64)


def ours(examples: Examples, recipe: Recipe) -> float:
    """Train for the recipe's steps and return the images per second, everything that `fit` does included."""
    network = plain(recipe.plain, Shape(1, 28, 28), 10, (33.3,), (78.6,))
    begun = perf_counter()
    fit(network, examples, recipe)
    return recipe.steps * recipe.batch / (perf_counter() - begun)


def one_round(images: np.ndarray, labels: np.ndarray, keras: Keras) -> dict[str, float]:
    """Measure every way once over the same images."""
    examples = Examples.of(images[..., None], labels)
    varied = derive(MNIST, Options(network="plain", batch=BATCH, steps=len(labels) // BATCH, threads=2))
    return {
        "tutorial": tutorial.train(images, labels, BATCH),
        "varied": ours(examples, varied),
        "bare": ours(examples, replace(varied, augment=Augment())),
        "float32": keras.images_per_second("float32"),
        "mixed_bfloat16": keras.images_per_second("mixed_bfloat16"),
    }


def run(quick: bool) -> list[Row]:
    torch.set_num_threads(2)
    images, labels = digits(BATCH * (10 if quick else STEPS))
    with TemporaryDirectory() as temporary:
        given = Path(temporary) / "digits.npz"
        np.savez(given, images=images, labels=labels)
        keras = Keras(given)
        one_round(images[: 10 * BATCH], labels[: 10 * BATCH], keras)  # warm-up
        rounds = []
        for number in range(2 if quick else ROUNDS):
            rounds.append(one_round(images, labels, keras))
            print(f"speed: round {number + 1}: {', '.join(f'{way} {rounds[-1][way]:.0f}' for way in WAYS)} images/s", flush=True)
        keras.close()
    return rows(rounds, keras.versions)


def rows(rounds: list[dict[str, float]], peers: str) -> list[Row]:
    """Turn the rounds into figures: the four ratios, then the images per second themselves."""

    def ratio(what: str, way: str, *others: str, least: float) -> Row:
        return Row(what, tuple(r[way] / max(r[other] for other in others) for r in rounds), "x", "rounds", least=least, peers=peers)

    keras = ("float32", "mixed_bfloat16")
    found = [
        ratio("Training speed, lab-11: peephole with augmentation / tutorial PyTorch loop", "varied", "tutorial", least=2.5),
        ratio("Training speed, lab-11: peephole without augmentation / tutorial PyTorch loop", "bare", "tutorial", least=2.5),
        ratio("Training speed, lab-11: peephole with augmentation / Keras, best of float32 and bfloat16", "varied", *keras, least=1.3),
        ratio("Training speed, lab-11: peephole without augmentation / Keras, best of float32 and bfloat16", "bare", *keras, least=1.3),
    ]
    names = ("tutorial PyTorch loop", "peephole with augmentation", "peephole without augmentation", "Keras float32", "Keras bfloat16")
    for way, name in zip(WAYS, names, strict=True):
        found.append(Row(f"Training speed, lab-11: {name}", tuple(r[way] for r in rounds), "images/s", "rounds", peers=peers))
    return found
