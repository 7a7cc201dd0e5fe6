"""Augmentation: nothing at strength 0, its own draw for each image, the same draws on any number of threads."""

import numpy as np
import pytest
import torch

from peephole.base.errors import SettingsError
from peephole.train.augment import EFFECTS, Augment, Key, augment

ALL = Augment(shift=0.1, scale=0.2, rotate=20, colour=0.3, noise=8, flip=True)


def pictures(count=8, channels=1, height=16, width=16):
    """Return float pictures (count, channels, height, width) in 0..255, no two alike."""
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(5)) * 255


def test_strength_zero_is_the_identity_to_the_bit():
    """Nothing is resampled, clamped or moved."""
    images = pictures()
    assert torch.equal(augment(images.clone(), Augment(), Key(1, 1)), images)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_range_is_kept(channels):
    """Whatever the strengths, pixels stay in 0..255 and the shape stays."""
    images = pictures(32, channels)
    varied = augment(images, Augment(flip=True, **{name: effect.most for name, effect in EFFECTS.items()}), Key(1, 1))
    assert varied.shape == images.shape
    assert varied.min() >= 0 and varied.max() <= 255 and torch.isfinite(varied).all()


@pytest.mark.parametrize("how", [Augment(shift=0.2), Augment(scale=0.3), Augment(rotate=30), Augment(colour=0.4), Augment(noise=10), ALL])
def test_each_image_has_its_own_draw(how):
    """Eight copies of one picture become eight different ones."""
    varied = augment(pictures(1).repeat(8, 1, 1, 1), how, Key(1, 1))
    for one in range(8):
        for other in range(one):
            assert not torch.equal(varied[one], varied[other])


def test_flips_mirror_about_half_of_them():
    """A mirrored picture is the mirror image, to rounding; the others are as they were."""
    images = pictures(1).repeat(64, 1, 1, 1)
    varied = augment(images, Augment(flip=True), Key(3, 1))
    mirrored = (varied - images.flip(3)).abs().amax((1, 2, 3)) < 1e-2
    same = (varied - images).abs().amax((1, 2, 3)) < 1e-2
    assert (mirrored ^ same).all() and 16 <= mirrored.sum() <= 48


def test_the_draws_are_the_seed_and_the_step():
    """Same seed and step, same pictures; another step or seed, others."""
    images = pictures()
    once = augment(images, ALL, Key(7, 3))
    assert torch.equal(once, augment(images, ALL, Key(7, 3)))
    assert not torch.equal(once, augment(images, ALL, Key(7, 4)))
    assert not torch.equal(once, augment(images, ALL, Key(8, 3)))


def test_threads_change_nothing():
    """One thread and two give the same bits."""
    images, before = pictures(64, 3, 24, 20), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = augment(images, ALL, Key(7, 3))
        torch.set_num_threads(2)
        assert torch.equal(augment(images, ALL, Key(7, 3)), one)
    finally:
        torch.set_num_threads(before)


def spread(picture):
    """Return the covariance (2, 2) of a bright blob's place, in pixels squared."""
    height, width = picture.shape
    y, x = np.mgrid[:height, :width].astype(float)
    weight = picture / picture.sum()
    dx, dy = x - (weight * x).sum(), y - (weight * y).sum()
    return np.array([[(weight * dx * dx).sum(), (weight * dx * dy).sum()], [(weight * dx * dy).sum(), (weight * dy * dy).sum()]])


def test_a_rotation_does_not_shear_a_picture_that_is_not_square():
    """A round blob on a 24 x 60 picture stays round however it is turned, and a turned bar keeps its length and width."""
    y, x = np.mgrid[:24, :60].astype(np.float32)
    dx, dy = x - 29.5, y - 11.5
    for blob in (np.exp(-(dx**2 + dy**2) / 8), np.exp(-(dx**2 / 18 + dy**2 / 4))):
        image = torch.from_numpy(255 * blob.astype(np.float32))[None, None].repeat(16, 1, 1, 1)
        before = np.linalg.eigvalsh(spread(image[0, 0].numpy()))
        for turned in augment(image, Augment(rotate=90), Key(2, 1)):
            np.testing.assert_allclose(np.linalg.eigvalsh(spread(turned[0].numpy())), before, rtol=0.12)


def test_the_strengths_are_physical():
    """The middle of a blob moves by at most shift * side on each axis, and by about that; its size changes by at most 1 + scale."""
    y, x = np.mgrid[:40, :80].astype(np.float32)
    blob = torch.from_numpy(255 * np.exp(-((x - 39.5) ** 2 + (y - 19.5) ** 2) / 12).astype(np.float32))[None, None].repeat(200, 1, 1, 1)
    moved = augment(blob, Augment(shift=0.1), Key(1, 1))[:, 0].numpy()
    total = moved.sum((1, 2))
    across, down = (moved * x).sum((1, 2)) / total - 39.5, (moved * y).sum((1, 2)) / total - 19.5
    assert 7 < np.abs(across).max() <= 8.1 and 3.5 < np.abs(down).max() <= 4.1
    scaled = augment(blob, Augment(scale=0.3), Key(1, 1))[:, 0].numpy()
    sizes = [np.sqrt(spread(one)[0, 0] / spread(blob[0, 0].numpy())[0, 0]) for one in scaled]
    assert 1.2 < max(sizes) < 1.33 and 1 / 1.33 < min(sizes) < 1 / 1.2
    noisy = augment(torch.full((4, 1, 64, 64), 128.0), Augment(noise=10), Key(1, 1))
    assert noisy.std().item() == pytest.approx(10, rel=0.05)


def test_the_border_repeats_and_does_not_turn_black():
    """What a shift or a turn brings in is the paper of the drawing, not black."""
    paper = torch.full((16, 1, 12, 16), 250.0)
    moved = augment(paper, Augment(shift=0.4, scale=0.4, rotate=90), Key(1, 1))
    torch.testing.assert_close(moved, paper)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shift", 0.6),
        ("shift", -0.1),
        ("scale", 0.51),
        ("rotate", 181),
        ("colour", 1.5),
        ("noise", 65),
        ("shift", float("nan")),
        ("noise", float("inf")),
        ("scratch", 21),
        ("jpeg", -1),
        ("defocus", 0.06),
    ],
)
def test_strengths_out_of_range_are_refused(name, value):
    """With the range in the sentence and a working option in the hint."""
    with pytest.raises(SettingsError, match=f"{name} is between 0 and") as refused:
        Augment(**{name: value})
    assert refused.value.hint.startswith((f"--{name} ", f"--vary {name}="))


@pytest.mark.parametrize("value", ["strong", None, True, (1,)])
def test_a_strength_that_is_no_number_is_refused(value):
    """It says so instead of failing inside."""
    with pytest.raises(SettingsError, match="scratch is a number, not"):
        Augment(scratch=value)


def test_the_sentence_names_what_is_on():
    """For the card and for people: everything that is on, and nothing else."""
    assert Augment().sentence() == "nothing" and Augment().on() == ()
    assert ALL.sentence() == "shift up to 10 %, scale up to 20 %, rotation up to 20 degrees, colour up to 30 %, noise of 8/255, left-right flips"
    everything = Augment.of([*EFFECTS, "flip"], 1.0)
    assert len(everything.sentence().split(", ")) == len(everything.on()) == len(EFFECTS) + 1 == len(Augment.__dataclass_fields__)
    assert "JPEG down to quality 15" in everything.sentence()


def test_the_dial_goes_from_nothing_to_full():
    """Strength 0 is the identity, 1 the full strength of each name, and what is wrong is refused."""
    assert Augment.of([*EFFECTS, "flip"], 0.0) == Augment()
    assert Augment.of(["scratch", "flip"], 0.5) == Augment(scratch=EFFECTS["scratch"].full / 2, flip=True)
    assert all(0 < effect.full <= effect.most for effect in EFFECTS.values())
    with pytest.raises(SettingsError, match="did you mean 'scratch'") as refused:
        Augment.of(["scrach"], 0.5)
    assert "dust" in refused.value.hint
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(SettingsError, match="strength is between 0 and 1"):
            Augment.of(["dust"], strength)
