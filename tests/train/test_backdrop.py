"""The subject before other backgrounds: soft edges, its own draw for each image, nothing where nothing is asked."""

import numpy as np
import pytest
import torch

from peephole.base.errors import InputError, SettingsError
from peephole.train.augment import Augment, Key, augment
from peephole.train.backdrop import Behind, before, clouds, laid, middle


def scene(count=40, channels=3, height=32, width=48):
    """Return images of a bright square (200) on dark (50) ground, its masks, and three plain backdrops."""
    images = torch.full((count, channels, height, width), 50, dtype=torch.uint8)
    images[:, :, 8:24, 12:36] = 200
    masks = torch.zeros(count, height, width, dtype=torch.bool)
    masks[:, 8:24, 12:36] = True
    backdrops = torch.tensor([10.0, 120.0, 250.0]).view(3, 1, 1, 1).expand(3, channels, height, width)
    return images, masks, backdrops


def test_the_subject_stays_and_the_ground_changes():
    """Inside the subject is as it was, far outside is a backdrop, every backdrop occurs, and between them lies a soft edge."""
    images, masks, backdrops = scene()
    composed = before(images, masks, backdrops, Key(1, 1), share=1.0, soft=0.04)
    assert composed.dtype == torch.float32 and composed.shape == images.shape
    assert (composed[:, :, 12:20, 16:32] == 200).all()
    assert set(composed[:, :, 0, 0].unique().tolist()) == {10.0, 120.0, 250.0}
    edge = composed[composed[:, 0, 0, 0] == 10][0, 0, 16, 6:18]
    assert (edge.diff() >= 0).all() and ((edge > 10) & (edge < 200)).sum() >= 4
    hard = before(images, masks, backdrops, Key(1, 1), share=1.0, soft=0.0)
    assert set(hard.unique().tolist()) == {10.0, 120.0, 200.0, 250.0}


def test_a_share_of_the_images_changes():
    """0 changes none, 0.5 about half; the draws are the key's however the batch is split."""
    images, masks, backdrops = scene(400, 1)
    assert torch.equal(before(images, masks, backdrops, Key(1, 1), share=0.0), images.float())
    composed = before(images, masks, backdrops, Key(1, 1), share=0.5)
    changed = (composed != images).flatten(1).any(1)
    assert 160 < changed.sum() < 240
    halves = [before(images[at : at + 200], masks[at : at + 200], backdrops, Key(1, 1, at), share=0.5) for at in (0, 200)]
    assert torch.equal(torch.cat(halves), composed)
    assert not torch.equal(before(images, masks, backdrops, Key(1, 2), share=0.5), composed)


def test_weights_say_how_often_a_backdrop_is_taken():
    """None with weight 0, four times as many with four times the weight; where all are 0, clouds."""
    images, masks, backdrops = scene(2000, 1)
    taken = laid(images, Behind(masks, backdrops, torch.tensor([1.0, 0.0, 4.0])), Key(1, 1), share=1.0)[:, 0, 0, 0]
    assert set(taken.tolist()) == {10.0, 250.0} and 330 < (taken == 10).sum() < 470
    cloudy = laid(images[:9], Behind(masks[:9], backdrops, torch.zeros(3)), Key(1, 1), share=1.0)
    assert len({one.numpy().tobytes() for one in cloudy}) == 9 and (cloudy[:, :, 12:20, 16:32] == 200).all()


def test_masks_in_bytes_are_masks_in_shares():
    """255 is 1."""
    images, masks, backdrops = scene()
    one, two = (before(images, each, backdrops, Key(1, 1), share=1.0) for each in (masks, masks.to(torch.uint8) * 255))
    assert torch.equal(one, two)


def test_the_background_comes_first_of_all():
    """Augmentation with all else on is that of the images that were laid before other backgrounds."""
    images, masks, backdrops = scene(30)
    behind, rest = Behind(masks, backdrops, torch.ones(3)), {"rotate": 20.0, "shift": 0.1, "noise": 8.0}
    together = augment(images, Augment(background=0.7, **rest), Key(4, 2), behind)
    assert torch.equal(together, augment(laid(images, behind, Key(4, 2), share=0.7), Augment(**rest), Key(4, 2)))
    assert torch.equal(augment(images, Augment(background=0.0, **rest), Key(4, 2), behind), augment(images, Augment(**rest), Key(4, 2)))


def test_what_was_given_is_not_written_to():
    """Floats would share their memory."""
    images, masks, backdrops = scene(8)
    given = images.float()
    laid(given, Behind(masks, backdrops, torch.ones(3)), Key(1, 1), share=1.0)
    assert torch.equal(given, images.float())


def test_known_scenes_do_not_depend_on_threads_or_splits():
    """Three parts, one or two threads: the same bits."""
    images, masks, backdrops = scene(300)
    how, before_count = Augment(background=0.6, rotate=10.0), torch.get_num_threads()
    weights = torch.tensor([1.0, 0.5, 0.25])
    try:
        torch.set_num_threads(1)
        whole = augment(images, how, Key(7, 3), Behind(masks, backdrops, weights))
        parts = [slice(0, 1), slice(1, 131), slice(131, 300)]
        split = [augment(images[at], how, Key(7, 3, at.start), Behind(masks[at], backdrops, weights)) for at in parts]
        torch.set_num_threads(2)
        again = augment(images, how, Key(7, 3), Behind(masks, backdrops, weights))
    finally:
        torch.set_num_threads(before_count)
    assert torch.equal(torch.cat(split), whole) and torch.equal(again, whole)


def test_strengths_out_of_range_are_refused():
    """A share is 0..1, whatever the name is spelled like."""
    for wrong in (-0.1, 1.1, float("nan"), True, "half"):
        with pytest.raises(SettingsError, match="augmentation background is"):
            Augment(background=wrong)
    assert Augment(background=np.float32(0.25)).sentence() == "another background behind 25 %"


def test_backdrops_are_mirrored_by_chance():
    """About half of them, so that one wall looks like two."""
    images, masks, _ = scene(200, 1)
    ramp = torch.arange(48.0).expand(1, 1, 32, 48)
    corner = before(images, masks, ramp, Key(1, 1), share=1.0)[:, 0, 0, 0]
    assert set(corner.tolist()) == {0.0, 47.0} and 70 < (corner == 0).sum() < 130


def test_those_without_backgrounds_get_clouds():
    """Soft fields in 0..255, no two alike, the same for the same key, of any size."""
    fields = clouds(20, 3, 24, 40, Key(1, 1))
    assert fields.shape == (20, 3, 24, 40) and fields.min() >= 0 and fields.max() <= 255
    assert len({field.numpy().tobytes() for field in fields}) == 20 and torch.equal(fields, clouds(20, 3, 24, 40, Key(1, 1)))
    assert fields.diff(dim=3).abs().max() < 80 and fields.std() > 30
    assert clouds(2, 1, 1, 50, Key(1, 1)).shape == (2, 1, 1, 50)


def test_without_a_mask_the_middle_is_the_subject():
    """An upright ellipse over half of the frame: all of the middle, none of the corners."""
    masks = middle(2, 30, 50)
    assert masks.shape == (2, 30, 50) and masks[0, 15, 25] == 1 and masks[0, 0, 0] == 0 and 0.45 < masks.mean() < 0.55
    assert middle(1, 1, 1).shape == (1, 1, 1)


def test_what_does_not_fit_is_refused():
    """Masks or backdrops of another size, none at all, shares out of range: a sentence and a hint."""
    images, masks, backdrops = scene(4)
    for bad in ((images, masks[:2], backdrops), (images, masks, backdrops[:0]), (images, masks, backdrops[:, :1]), (images, masks[:, 1:], backdrops)):
        with pytest.raises(InputError, match="do not fit") as refused:
            before(*bad, Key(1, 1))
        assert "(N, H, W)" in refused.value.hint
    for wrong in ({"share": 1.1}, {"share": float("nan")}, {"soft": -0.1}):
        with pytest.raises(InputError, match="is between"):
            before(images, masks, backdrops, Key(1, 1), **wrong)
