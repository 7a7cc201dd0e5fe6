"""Pictures for the data tests, made from seeds: rich enough that two of them are never alike."""

from pathlib import Path

import numpy as np
from PIL import Image

from peephole.base.card import Input, Resize


def spec(side: int = 32, colour: str = "rgb", **more: object) -> Input:
    """Return a card's input of side x side pixels."""
    channels = 3 if colour == "rgb" else 1
    return Input.model_validate({"shape": ("N", side, side, channels), "resize": Resize(to=(side, side)), "colour": colour, **more})


def scene(seed: int, width: int = 128, height: int = 96) -> Image.Image:
    """Return an RGB picture with structure at every size, as a photo has: summed noise of falling strength."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cells in (3, 6, 12, 24, 48):
        noise = rng.normal(size=(cells, cells, 3))
        layer = [np.asarray(Image.fromarray(noise[:, :, c].astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)) for c in range(3)]
        total += np.stack(layer, 2) * (6 / cells) ** 0.6
    total = (total - total.mean()) / total.std()
    return Image.fromarray(np.clip(128 + 45 * total, 0, 255).astype(np.uint8))


def save(image: Image.Image, path: Path, **options: object) -> Path:
    """Save a picture, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def folder(root: Path, labels: dict[str, int], start: int = 0, kind: str = "png") -> Path:
    """Fill root/<label>/ with so many different scenes each."""
    seed = start
    for label, count in labels.items():
        for i in range(count):
            save(scene(seed), root / label / f"p{seed:04d}x{i}.{kind}")
            seed += 5
    return root
