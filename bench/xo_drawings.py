"""The drawings that teach the shipped X-or-O model and those that judge it: made by lab/hand.py and train/glyphs.py, put on paper of many kinds.

What would make the model's figures unfair: characters that have taught among those that prove. So each use has seeds of its own.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from peephole.lab.hand import STRANGERS, draw
from peephole.train.glyphs import drawings, invent

TAUGHT, KNOWN = 3000, 500  # drawings of each label that teach, and others that become known examples, choose and prove
OTHERS, INVENTED = 100, 3000  # drawings of each kind that is neither, and characters that nobody has ever written
PROVING, PER_KIND = 200, 8  # other invented characters, so many drawings of each: half of them choose the line, half prove


def on_paper(ink: np.ndarray, rng: np.random.Generator, *, light: bool) -> Image.Image:
    """Put ink 0..1 (H, W) on paper: dark on light or light on dark, of other greys, now and then faint, noisy, scratched."""
    paper, pen = (255 if rng.random() < 0.7 else rng.uniform(200, 255)), (0 if rng.random() < 0.5 else rng.uniform(0, 100))
    strength = ink * (rng.uniform(0.7, 1) if rng.random() < 0.2 else 1)
    grey = paper + (pen - paper) * strength
    if rng.random() < 0.2:
        grey += rng.normal(0, rng.uniform(1, 8), ink.shape)
    if rng.random() < 0.1:  # a scratch: one row or column, fainter than the ink
        at = rng.integers(len(ink))
        (grey if rng.random() < 0.5 else grey.T)[at] += (pen - paper) * rng.uniform(0.1, 0.3)
    grey = 255 - grey if light else grey
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))


def by_hand(kind: str, seed: int) -> Image.Image:
    """Draw one of lab/hand's kinds on paper, at one of the sizes that drawings have; every second is light on dark."""
    rng = np.random.default_rng([seed, 1])
    side = int(rng.choice([28, 28, 56, 112]))
    return on_paper(draw(kind, seed, side, least=0.3, most=0.95, pen=(0.01, 0.09)), rng, light=bool(seed % 2))


def invented(seed: int, each: int, count: int) -> list[list[Image.Image]]:
    """Draw `count` invented characters `each` times. Those of one stroke are left out: one in ten of them is an O."""
    found = list[list[Image.Image]]()
    for step in range(count):
        if len(found) == count:
            break
        strokes = invent(64, seed, step)[1]
        for number, drawn in enumerate(drawings(64, each, 56, seed, step)):
            if strokes[number] > 1 and len(found) < count:
                rng = np.random.default_rng([seed, step, number])
                found.append([on_paper(ink.astype(np.float64), rng, light=bool(n % 2)) for n, ink in enumerate(drawn)])
    return found


def blank(seed: int) -> Image.Image:
    """An empty sheet of any grey."""
    return on_paper(np.zeros((28, 28)), np.random.default_rng([seed, 2]), light=bool(seed % 2))


def _save(pictures: list[Image.Image], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, len(list(folder.iterdir()))):
        picture.save(folder / f"{number:04}.png")


def lay_out_teaching(root: Path, seed: int) -> None:
    """Write X, O and neither: what teaches."""
    base = 1_000_000 * seed
    for kind in "XO":
        _save([by_hand(kind, base + n) for n in range(TAUGHT)], root / kind)
    for kind in STRANGERS:
        _save([by_hand(kind, base + n) for n in range(OTHERS)], root / "neither")
    _save([pictures[0] for pictures in invented(2 * seed, 1, INVENTED)], root / "neither")
    _save([blank(base + n) for n in range(OTHERS)], root / "neither")


def lay_out_known(root: Path, seed: int) -> None:
    """Write other X and O, and other invented characters as strangers: what is known, chooses and proves."""
    base = 1_000_000 * seed + 500_000
    for kind in "XO":
        _save([by_hand(kind, base + n) for n in range(KNOWN)], root / kind)
    for number, pictures in enumerate(invented(2 * seed + 1, PER_KIND, PROVING)):
        _save(pictures, root / "unknown" / f"invented {number:03}")
    for number in range(PER_KIND):
        _save([blank(base + number)], root / "unknown" / f"blank {number}")
