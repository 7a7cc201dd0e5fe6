"""Faces of Yale B to try enrolment with: a model of some people, and what it says of everybody."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import peephole
from peephole.base.engine import Outputs


@dataclass(frozen=True)
class Faces:
    """A model of twelve people, five photos of each; `rest` are the other 26, `answers` what it says of everybody's photos."""

    model: Path
    folder: Path
    known: tuple[str, ...]
    rest: tuple[str, ...]
    answers: dict[str, Outputs]

    def photos(self, name: str) -> list[Path]:
        """Return somebody's photos, each in another light: eight of nearly everybody."""
        return sorted((self.folder / name).glob("*.pgm"))


def trained(folder: Path, root: Path) -> Faces:
    """Train on faces at 96 x 96 pixels, in some 7 s; the draw of people and photos is always the same."""
    from peephole.export.build import build
    from peephole.train.recipe import Options

    draw = np.random.default_rng(3)
    names = [sorted(path.name for path in folder.iterdir())[at] for at in draw.permutation(38)]
    for name in names[:12]:
        for at in draw.permutation(8)[:5]:
            photo = sorted((folder / name).glob("*.pgm"))[at]
            (root / "photos" / name).mkdir(parents=True, exist_ok=True)
            (root / "photos" / name / photo.name).write_bytes(photo.read_bytes())
    build(root / "photos", root / "door.onnx", Options(network="lite0", fit="frozen", size=(96, 96), threads=1))
    predictor = peephole.load(root / "door.onnx")
    answers = {name: predictor.engine.run(np.stack([predictor.prepare(photo) for photo in sorted((folder / name).glob("*.pgm"))])) for name in names}
    return Faces(root / "door.onnx", folder, tuple(sorted(names[:12])), tuple(names[12:]), answers)
