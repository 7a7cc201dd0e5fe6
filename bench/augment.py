"""Images per second of augmentation: noise, scratches, colour and an affine warp, 2 threads, against Albumentations 2.0.8.

At 28x28x1 (handwritten digits) and at 224x224x3 (cats and dogs). Every round measures both, one after the other, on the same images; a
figure is the median over rounds of the ratio within a round. Ours takes a batch as training does, uint8 in, float32 out (4 times the bytes);
Albumentations takes image by image, uint8 in and out, with 1 or 2 threads, whichever is faster in that round.

What would make the figure unfair: other work on the machine; a mix that is not the same (the warp is bilinear with repeated borders in both,
noise has the same deviation, 1 to 3 scratches on each image; theirs are straight, for Albumentations has none of its own); the first call,
which compiles; outputs that are alike (checked here: 1,000 copies become 1,000 pictures).
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from PIL import Image

from bench.peers import Albumentations
from bench.photos import DATA, labelled
from bench.report import Row
from bench.speed import digits
from peephole.train.augment import Augment, Key, augment

HOW = Augment(shift=0.1, scale=0.2, rotate=15, colour=0.2, noise=8, scratch=3)
SIZES = {"28x28x1": 16_384, "224x224x3": 128}
ROUNDS, TIMES = 9, 5


def pets(count: int) -> np.ndarray:
    """Read photos of cats and dogs, enlarged to 224 pixels: uint8 (N, 224, 224, 3)."""
    paths = [path for path, _ in labelled(DATA / "cats-dogs" / "128x128")]
    return np.stack([np.asarray(Image.open(path).convert("RGB").resize((224, 224))) for path in paths[:: max(1, len(paths) // count)][:count]])


def ours(images: torch.Tensor, step: int) -> float:
    """Vary all images a few times, in batches of about 10 MB, and return the images per second."""
    batch = max(16, 10_000_000 // images[0].numel() // 4)
    begun = perf_counter()
    for again in range(TIMES):
        for at in range(0, len(images), batch):
            augment(images[at : at + batch], HOW, Key(again, step, at))
    return TIMES * len(images) / (perf_counter() - begun)


def distinct(images: torch.Tensor) -> int:
    """Count the different pictures among 1,000 varied copies of one."""
    copies = augment(images[:1].expand(1000, -1, -1, -1), HOW, Key(1, 0))
    return len({copy.numpy().tobytes() for copy in copies})


def run(quick: bool) -> list[Row]:
    torch.set_num_threads(2)
    sets = {"28x28x1": digits(2048 if quick else SIZES["28x28x1"])[0][..., None], "224x224x3": pets(16 if quick else SIZES["224x224x3"])}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))) for name, images in sets.items()}
    assert distinct(tensors["28x28x1"]) == 1000, "copies of one image came out alike"
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in sets}
    with TemporaryDirectory() as temporary:
        given = Path(temporary) / "images.npz"
        np.savez(given, **sets)
        peer = Albumentations(given)
        for number in range(2 if quick else ROUNDS):
            for name, images in tensors.items():
                ours(images[:64], number)
                rounds[name].append((ours(images, number), peer.images_per_second(name)))
                print(
                    f"augment: round {number + 1}, {name}: {rounds[name][-1][0]:.0f} images/s, Albumentations {rounds[name][-1][1]:.0f}", flush=True
                )
        peer.close()
    return rows(rounds, peer.versions)


def rows(rounds: dict[str, list[tuple[float, float]]], peers: str) -> list[Row]:
    """Turn the rounds into figures: the ratios, then the images per second themselves."""
    found = [
        Row(
            f"Augmentation, {name}, noise + scratches + colour + affine: peephole / Albumentations",
            tuple(mine / theirs for mine, theirs in rounds[name]),
            *("x", "rounds"),
            least={"28x28x1": 5.0, "224x224x3": 1.0}[name],
            peers=peers,
        )
        for name in rounds
    ]
    for at, who in enumerate(("peephole", "Albumentations")):
        found += [Row(f"Augmentation, {name}: {who}", tuple(r[at] for r in rounds[name]), "images/s", "rounds", peers=peers) for name in rounds]
    return found
