"""Occlusion: what a patch is worth, in logits."""

from types import SimpleNamespace

import numpy as np
import pytest

from peephole.explain.occlusion import occlude


class BrightCorner:
    """A stand-in engine whose one logit is the mean of the top left quarter."""

    def __init__(self) -> None:
        self.seen = 0

    def run(self, images):
        """Return the mean of the top left quarter of each image as its one logit."""
        images = images[None] if images.ndim == 3 else images
        self.seen += len(images)
        quarter = images[:, : -(-images.shape[1] // 2), : -(-images.shape[2] // 2)]
        return SimpleNamespace(logits=quarter.mean(axis=(1, 2, 3), dtype=np.float64)[:, None])


def test_only_what_the_logit_reads_matters():
    """Covering the bright corner costs, covering the rest does not."""
    picture = np.zeros((40, 40, 1), np.uint8)
    picture[:20, :20] = 200
    found = occlude(BrightCorner(), picture, 0)
    assert found.colour == (50,)
    assert (found.deltas[:5, :5] > 0).all()
    assert found.deltas[6:, 6:] == pytest.approx(0)


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (28, 28), (224, 224), (50, 200)])
def test_cost_is_capped(shape):
    """At most about 100 pictures are judged, whatever the shape, and every pixel is covered by some patch."""
    engine = BrightCorner()
    picture = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    found = occlude(engine, picture, 0)
    assert found.evaluations <= 100
    assert engine.seen == found.evaluations + 1
    assert found.deltas.shape[0] <= shape[0]
