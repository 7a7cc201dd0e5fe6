"""Occlusion: what a patch is worth, in logits."""

from types import SimpleNamespace

import numpy as np
import pytest

from peephole.base.errors import SettingsError
from peephole.explain.attribution import BASELINES, baseline
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


def test_the_baseline_is_a_choice():
    """MATH 8: delta = F(x) - F(x with the patch at the baseline), for each baseline, recomputed here for one patch; black is 0, as Rohrer's -1."""
    picture = np.random.default_rng(3).integers(0, 256, (8, 8, 1), dtype=np.uint8)
    for how in BASELINES:
        found = occlude(BrightCorner(), picture, 0, most=4, how=how)
        assert found.deltas.shape == (2, 2)
        covered = picture.astype(float)
        covered[:6, :6] = baseline(picture, how).round()[:6, :6]
        assert found.deltas[0, 0] == pytest.approx(picture[:4, :4].mean() - covered[:4, :4].mean())
        assert found.baseline == how
    assert occlude(BrightCorner(), picture, 0, how="black").colour == (0,)
    assert occlude(BrightCorner(), picture, 0).colour == (round(float(picture.mean())),)
    with pytest.raises(SettingsError, match="baseline is one of"):
        occlude(BrightCorner(), picture, 0, how="grey")


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (28, 28), (224, 224), (50, 200)])
def test_cost_is_capped(shape):
    """At most about 100 pictures are judged, whatever the shape, and every pixel is covered by some patch."""
    engine = BrightCorner()
    picture = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    found = occlude(engine, picture, 0)
    assert found.evaluations <= 100
    assert engine.seen == found.evaluations + 1
    assert found.deltas.shape[0] <= shape[0]
