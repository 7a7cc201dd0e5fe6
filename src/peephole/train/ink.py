"""How light the paper is and how dark the ink, read off a set of drawings, so that a network sees paper as 0 and ink as 1 whatever the pen."""

import numpy as np

from peephole.nets.strokes import PAPER, SPREAD

__all__ = ["ink"]

LEAST = 16.0  # grey levels between paper and ink: below it is all noise
MOST_LOOKED_AT = 2000


def ink(images: np.ndarray, among: np.ndarray) -> tuple[float, float]:
    """Return mean and signed std (0..255 units) that map some of uint8 drawings (N, H, W, 1) to what `strokes` practised on.

    Paper is the median of the borders; ink is where the drawings go furthest from it (the 98th percentile of each, their median), on the
    side to which their means lean. Light ink on dark paper gives a positive std, dark ink on light paper a negative one.
    """
    chosen = images[among[:: max(1, len(among) // MOST_LOOKED_AT)], :, :, 0].astype(np.float32)
    paper = float(np.median(np.concatenate([chosen[:, 0], chosen[:, -1], chosen[:, :, 0], chosen[:, :, -1]], 1)))
    side = 1.0 if chosen.mean() >= paper else -1.0
    depth = max(LEAST, float(np.median(np.percentile(side * (chosen - paper), 98, axis=(1, 2)))))
    return paper + side * depth * PAPER, side * depth * SPREAD
