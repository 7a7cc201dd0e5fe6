"""Two model files to measure a gateway with; what they weigh and cost matters here, not how right they are."""

from pathlib import Path

from bench.cats_dogs import PHOTOS, named
from bench.mnist import LAB_11, unpack
from bench.photos import draw, labelled, lay_out
from peephole.export.build import build
from peephole.train.recipe import Options


def plain_model(folder: Path) -> tuple[Path, Path]:
    """Train the lab-11 network on 100 photos of each digit; return the model file and a photo to ask it about."""
    unpack(folder / "mnist", 100)
    build(folder / "mnist" / "train", folder / "plain.onnx", Options(network="plain", plain=LAB_11, steps=50, threads=2))
    return folder / "plain.onnx", labelled(folder / "mnist" / "test")[0][0]


def lite0_model(folder: Path) -> tuple[Path, Path]:
    """Fit lite0 on 10 cats and 10 dogs; return the model file and a photo to ask it about."""
    chosen, rest = draw(named(PHOTOS / "1000"), 10, 0)
    build(lay_out(chosen, folder / "photos"), folder / "lite0.onnx", Options(network="lite0", threads=2))
    return folder / "lite0.onnx", rest[0][0]
