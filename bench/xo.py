"""X or O from 12 drawings of each: accuracy on the other drawings, on 40 wilder red ones, and seconds, over 10 draws.

Draws 100-109 are reported; draws 0-99 are for choosing recipes. The red ones (drawn_final, RGBA) are never trained on,
but there are only these 40, and they were looked at while recipes were compared on other draws (docs/log.md): their figure is not a proof.
The seconds are those of all of `build`, from the folder to the written file.

What would make the figure unfair: choosing anything on these draws or on the red drawings; a drawing kept in two copies.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.photos import DATA, draw, labelled, lay_out, percent_right
from bench.report import Row
from peephole.export.build import build
from peephole.train.recipe import Options

DRAWS = range(100, 110)
SECONDS = 10.0


def run(quick: bool) -> list[Row]:
    drawn = labelled(DATA / "xo" / "drawn")
    wilder = labelled(DATA / "xo" / "drawn_final" / "dataset") + labelled(DATA / "xo" / "drawn_final" / "testset")
    rest_right, wilder_right, seconds = [], [], []
    with TemporaryDirectory() as temporary:
        root, model = Path(temporary) / "xo", Path(temporary) / "xo.onnx"
        for seed in DRAWS[: 1 if quick else None]:
            chosen, rest = draw(drawn, 12, seed)
            lay_out(chosen, root)
            begun = time.perf_counter()
            build(root, model, Options(seconds=2 if quick else SECONDS, seed=seed, threads=2))
            seconds.append(time.perf_counter() - begun)
            rest_right.append(percent_right(model, rest))
            wilder_right.append(percent_right(model, wilder))
            print(
                f"xo: draw {seed}: {rest_right[-1]:.2f} % of {len(rest)}, {wilder_right[-1]:.0f} % of {len(wilder)} red, {seconds[-1]:.1f} s",
                flush=True,
            )
    return [
        Row("X or O, 12 drawings of each: accuracy on the other 336", tuple(rest_right), "%", "draws", "mean", least=98),
        Row(
            "X or O, 12 drawings of each: accuracy on 40 wilder red ones, seen when the recipe was chosen",
            tuple(wilder_right),
            "%",
            "draws",
            "mean",
            least=90,
        ),
        Row("X or O: from the folder to the model file, the slowest draw", tuple(seconds), "s", "draws", "worst", most=10),
    ]
