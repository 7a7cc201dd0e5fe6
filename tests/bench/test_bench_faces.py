"""A person whose photos count as one is left out of the benchmark by the name that the refusal gives."""

from pathlib import Path

import numpy as np
import pytest
from bench.faces import to_skip
from PIL import Image

from peephole.base.errors import DataError
from peephole.export.build import build
from peephole.train.recipe import Options


def test_the_label_to_leave_out_is_read_from_the_refusal(tmp_path: Path) -> None:
    """Three copies of one photo of ana, eight photos of ben: ana is offered to be left out."""
    rng = np.random.default_rng(0)
    blurred = [np.kron(rng.integers(0, 256, (8, 8), dtype=np.uint8), np.ones((8, 8), np.uint8)) for _ in range(9)]
    for name, pictures in {"ana": [blurred[0]] * 3, "ben": blurred[1:]}.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number, pixels in enumerate(pictures):
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    with pytest.raises(DataError) as refused:
        build(tmp_path / "photos", tmp_path / "model.onnx", Options(network="plain", steps=10))
    assert to_skip(refused.value) == "ana"
    assert not to_skip(DataError("there is nothing to learn from", "add photos"))
