"""The photo budget: how often the 90 % interval for ten more photos of each holds what ten more photos then do.

From 10 photos of cats and dogs each, `peephole budget` foretells the error with 20; the same 10 and ten others are then trained on, and asked about
the 1,000 test photos. Draws 100-109 are reported; draws 0-39 chose the curve's constants (docs/log.md).

What would make the figures unfair: choosing anything on these draws. The truth is that of one training, on photos that the forecast has not seen.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.cats_dogs import PHOTOS, named
from bench.photos import draw, lay_out, percent_right
from bench.report import Row
from peephole.export.budget import budget
from peephole.export.build import build
from peephole.train.recipe import Options

DRAWS = range(100, 110)
NOW, MORE = 10, 10


def run(quick: bool) -> list[Row]:
    photos, asked = named(PHOTOS / "1000"), named(PHOTOS / "test")[:: 25 if quick else 1]
    inside, apart, wide = list[float](), list[float](), list[float]()
    with TemporaryDirectory() as temporary:
        root, model = Path(temporary) / "photos", Path(temporary) / "photos.onnx"
        for seed in DRAWS[: 1 if quick else None]:
            now, rest = draw(photos, NOW, seed)
            more, _ = draw(rest, MORE, seed)
            found = budget(lay_out(now, root), Options(seconds=30 if quick else 60, seed=seed), more=MORE).forecast
            build(lay_out([*now, *more], root), model, Options(seconds=30 if quick else 60, seed=seed, threads=2))
            truth = 100 - percent_right(model, asked)
            if found is None:
                raise RuntimeError("the time was too short for a forecast; run it on a quiet machine")
            low, middle, high = (100 * value for value in (found.then.low, found.then.middle, found.then.high))
            inside.append(100.0 * (low <= truth <= high))
            apart.append(abs(middle - truth))
            wide.append(high - low)
            print(f"budget: draw {seed}: {middle:.1f} % ({low:.1f} to {high:.1f}) foretold, {truth:.1f} % found", flush=True)
    print(f"budget: inside {np.mean(inside):.0f} % of draws")
    return [
        Row("Photo budget, cats or dogs, 10 to 20 of each: the truth lies in the 90 % interval", tuple(inside), "%", "draws", "mean", least=80),
        Row("Photo budget, cats or dogs, 10 to 20 of each: forecast and truth differ by", tuple(apart), "points", "draws", "mean"),
        Row("Photo budget, cats or dogs, 10 to 20 of each: width of the interval", tuple(wide), "points", "draws", "mean"),
    ]
