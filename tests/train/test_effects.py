"""Every effect of augmentation: range, shape, own draws, the same on any number of threads, and what physics says of it."""

import ast
import io
import math
import pathlib

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from peephole.train import jpeg
from peephole.train.augment import EFFECTS, Augment, Key, augment
from peephole.train.chance import uniform

NAMES = (*EFFECTS, "flip")
# A grey picture has no colours to change.
COLOURED = ("temperature", "channels")
SIZES = [(1, 28, 28), (3, 224, 160), (3, 33, 47), (1, 1, 1), (3, 1, 5000), (1, 5000, 1), (3, 2, 3)]
FOLDER = pathlib.Path(augment.__code__.co_filename).parent


def pictures(count=6, channels=1, height=28, width=28, seed=5):
    """Return smooth uint8 pictures (count, C, H, W) with something to see in them, no two alike."""
    chance = np.random.default_rng(seed).integers(0, 256, (count, 5, 5, channels), np.uint8)
    grown = [cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, channels) for one in chance]
    return torch.from_numpy(np.stack(grown)).permute(0, 3, 1, 2).contiguous()


@pytest.fixture
def threads():
    """Set the number of threads, and put it back afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", NAMES)
def test_strength_zero_is_the_identity(name):
    """To the bit, whatever the type."""
    images = pictures(channels=3)
    assert torch.equal(augment(images, Augment.of([name], 0.0), Key(1, 1)), images.float())


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_fades_to_nothing(name):
    """A hundredth of the full strength changes a smooth picture by less than four grey levels on average: strength is continuous at 0."""
    images = pictures(32, 3)
    changed = (augment(images, Augment.of([name], 0.01), Key(1, 1)) - images.float()).abs().mean()
    full = (augment(images, Augment.of([name], 1.0), Key(1, 1)) - images.float()).abs().mean()
    assert changed < min(4, full) and full > 0.1


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_any_size_keeps_its_range_and_shape(name, size):
    """From one pixel to a line of 5,000: float32 of the same shape in 0..255, from bytes and from floats alike."""
    images = pictures(2, *size)
    varied = augment(images, Augment.of([name], 1.0), Key(3, 1))
    assert varied.shape == images.shape and varied.dtype == torch.float32
    assert torch.isfinite(varied).all() and varied.min() >= 0 and varied.max() <= 255
    for same in (images.float(), images.double(), images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)):
        assert torch.equal(augment(same, Augment.of([name], 1.0), Key(3, 1)), varied)


@pytest.mark.parametrize("level", [0, 255])
def test_an_empty_set_stays_finite(level):
    """All-black and all-white pictures, everything on at its most."""
    everything = Augment(flip=True, **{name: effect.most for name, effect in EFFECTS.items()})
    for channels in (1, 3):
        varied = augment(torch.full((8, channels, 28, 28), level, dtype=torch.uint8), everything, Key(1, 1))
        assert torch.isfinite(varied).all() and varied.min() >= 0 and varied.max() <= 255
    assert augment(torch.empty(0, 1, 28, 28), everything, Key(1, 1)).shape == (0, 1, 28, 28)


@pytest.mark.parametrize("name", NAMES)
def test_threads_and_splits_change_nothing(name, threads):
    """One, two or four threads, the batch whole or in three parts: the same bits."""
    how, images = Augment.of([name], 1.0), pictures(300, 1 if name not in COLOURED else 3)
    threads(1)
    whole = augment(images, how, Key(7, 3))
    parts = [augment(images[at : at + many], how, Key(7, 3, at)) for at, many in ((0, 1), (1, 130), (131, 169))]
    assert torch.equal(torch.cat(parts), whole)
    for many in (2, 4):
        threads(many)
        assert torch.equal(augment(images, how, Key(7, 3)), whole)
    assert not torch.equal(augment(images, how, Key(7, 4)), whole)
    assert not torch.equal(augment(images, how, Key(-8, 3)), whole)


@pytest.mark.parametrize("name", [name for name in EFFECTS if name != "jpeg"])
def test_a_thousand_copies_become_a_thousand_pictures(name):
    """No two copies of one picture take the same draw."""
    copies = pictures(1, 3, 28, 28).expand(1000, -1, -1, -1)
    varied = augment(copies, Augment.of([name], 1.0), Key(1, 1)).reshape(1000, -1)
    alike = 1000 - len({row.numpy().tobytes() for row in varied})
    # A share of a thousandth of 784 pixels is often none of them, and a speck may cover nothing. Of a thousand single numbers of 24 bits, two
    # are equal once in 30 seeds.
    assert alike <= {"salt": 40, "dust": 5, "rain": 5, "scratch": 5, "smear": 5}.get(name, 1)


def test_a_thousand_copies_of_a_usual_mix_are_all_distinct():
    """To the last, as the benchmark asks."""
    how = Augment(shift=0.1, scale=0.2, rotate=15, colour=0.2, noise=8, scratch=3)
    varied = augment(pictures(1).expand(1000, -1, -1, -1), how, Key(1, 1))
    assert len({row.numpy().tobytes() for row in varied}) == 1000


def test_mirroring_and_jpeg_have_few_outcomes_but_all_of_them():
    """Half of the copies are mirrored; qualities from the lowest on all occur."""
    copies = pictures(1).expand(1000, -1, -1, -1)
    flipped = augment(copies, Augment(flip=True), Key(1, 1))
    assert 440 < sum(torch.equal(one, copies[0].float()) for one in flipped) < 560
    tables = jpeg.draw(Augment(jpeg=50), Key(1, 1).images(1000))
    assert len({table.tobytes() for table in tables}) == 51


def test_noise_is_gaussian_and_knows_no_neighbour():
    """The stated deviation, no skewness, a kurtosis of 3; no correlation between neighbours, rows, channels and images."""
    noise = (augment(torch.full((200, 3, 64, 64), 128.0), Augment(noise=10), Key(1, 1)) - 128).numpy()
    one = noise / noise.std()
    assert abs(noise.mean()) < 0.03 and noise.std() == pytest.approx(10, rel=0.005)
    assert abs((one**3).mean()) < 0.01 and (one**4).mean() == pytest.approx(3, abs=0.02)
    pairs = {
        "right": (one[..., 1:], one[..., :-1]),
        "below": (one[:, :, 1:], one[:, :, :-1]),
        "channel": (one[:, 0], one[:, 1]),
        "image": (one[:-1], one[1:]),
        "far": (one[:100], one[100:]),
    }
    for name, (a, b) in pairs.items():
        assert abs(float((a * b).mean())) < 5 / math.sqrt(a.size), name


def test_shot_noise_grows_with_the_root_of_the_light():
    """Poisson: the variance is in proportion to the light, the mean stays, black stays black, and few photons are skewed."""
    for level in (0, 16, 64, 200):
        varied = augment(torch.full((60, 1, 64, 64), float(level)), Augment(shot=16), Key(1, 1)).numpy()
        expected = 16 * math.sqrt(level / 255)
        assert varied.mean() == pytest.approx(level, abs=0.2)
        assert varied.std() == pytest.approx(expected, rel=0.02, abs=1e-6)
        if level == 64:
            skewed = (((varied - varied.mean()) / varied.std()) ** 3).mean()
            assert skewed == pytest.approx(1 / math.sqrt((level / 16) * (255 / 16)), abs=0.02)


def test_salt_and_pepper_take_their_share():
    """About half of the most on average, as many black as white, all channels of a pixel together."""
    varied = augment(torch.full((400, 3, 32, 32), 100.0), Augment(salt=0.2), Key(1, 1))
    hit = (varied != 100).all(1)
    assert torch.equal(hit, (varied != 100).any(1)) and 0.09 < hit.float().mean() < 0.11
    assert set(varied.unique().tolist()) == {0.0, 100.0, 255.0} and 0.48 < (varied[:, 0][hit] == 255).float().mean() < 0.52


def test_uniform_numbers_are_even_and_their_uses_do_not_meet():
    """Mean, variance and tenths as they should be; two uses of one image have nothing in common."""
    keys = Key(1, 1).images(20_000)
    numbers = uniform(keys, "a", 4)
    assert numbers.min() >= 0 and numbers.max() < 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.005) and numbers.var() == pytest.approx(1 / 12, rel=0.02)
    assert np.abs(np.histogram(numbers, 10, (0, 1))[0] / numbers.size - 0.1).max() < 0.005
    assert np.abs(np.corrcoef(np.concatenate([numbers, uniform(keys, "b", 4)], 1).T) - np.eye(8)).max() < 0.03


def _places(how, count=40, height=48, width=64):
    """Return where the pixels of ramps come from: across and down, each (count, H, W), in pixels from the middle."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ramps = np.stack([x / (width - 1) * 255, y / (height - 1) * 255, np.zeros_like(x)])
    varied = augment(torch.from_numpy(ramps)[None].repeat(count, 1, 1, 1), how, Key(5, 1)).numpy()
    return varied[:, 0] / 255 * (width - 1), varied[:, 1] / 255 * (height - 1)


def test_a_turn_equals_opencv():
    """At the angle that the picture tells of itself, each pixel is what OpenCV's warp gives."""
    image = pictures(1, 1, 48, 64)[0, 0].float().numpy()
    across, down = _places(Augment(rotate=20))
    turned = augment(torch.from_numpy(image)[None, None].repeat(40, 1, 1, 1), Augment(rotate=20), Key(5, 1)).numpy()
    for i in range(40):
        middle = (slice(20, 28), slice(28, 36))
        angle = math.atan2(np.diff(down[i][middle], axis=1).mean(), np.diff(across[i][middle], axis=1).mean())
        assert abs(angle) <= math.radians(20.01)
        matrix = cv2.getRotationMatrix2D((31.5, 23.5), math.degrees(angle), 1)
        expected = cv2.warpAffine(image, matrix, (64, 48), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        assert np.abs(turned[i, 0] - expected).mean() < 0.5  # OpenCV rounds places to 1/32 pixel


def test_shear_perspective_and_elastic_keep_to_their_strengths():
    """A slant of at most the angle, edges that differ by at most the share, moves of at most the share of the side, and nearly that much."""
    middle = (slice(None), slice(16, 32), slice(22, 42))
    across, down = _places(Augment(shear=20), 200)
    slant = np.degrees(np.arctan(np.diff(across[middle], axis=1).mean((1, 2))))
    assert 17 < np.abs(slant).max() <= 20.1 and np.abs(np.diff(down[middle], axis=1) - 1).max() < 0.01
    across, _ = _places(Augment(perspective=0.4), 200)
    steps = np.diff(across, axis=2)[:, :, 24:40].mean(2)
    ratio = np.log(steps[:, 2] / steps[:, -3])
    assert 0.3 < np.abs(ratio).max() < 2 * math.log(1.25)
    across, down = _places(Augment(elastic=0.05), 200)
    y, x = np.mgrid[:48, :64]
    inner = (slice(None), slice(6, -6), slice(6, -6))
    assert 0.01 * 64 < np.abs(across - x)[inner].max() <= 0.05 * 64 + 0.1
    assert 0.01 * 48 < np.abs(down - y)[inner].max() <= 0.05 * 48 + 0.1


def test_one_warp_resamples_once():
    """Shift, scale and turn together blur a fine pattern no more than one of them alone."""
    stripes = torch.from_numpy(np.tile(np.array([60.0, 200.0], np.float32), (64, 32)))[None, None].repeat(100, 1, 1, 1)
    alone, together = (augment(stripes, how, Key(1, 1)).std() for how in (Augment(shift=0.1), Augment(shift=0.1, scale=0.05, rotate=3)))
    assert together > 0.9 * alone


def test_light_does_what_its_units_say():
    """Brightness adds, exposure doubles per stop, gamma leaves black and white, temperature parts red from blue, a shadow only takes."""
    grey = torch.full((200, 3, 16, 16), 100.0)
    added = augment(grey, Augment(brightness=40), Key(1, 1)) - 100
    assert 37 < added.max() <= 40 and -40 <= added.min() < -37 and added.std((1, 2, 3)).max() < 1e-3
    exposed = augment(grey, Augment(exposure=1), Key(1, 1)) / 100
    assert 1 <= exposed.min() < 1.05 and 1.9 < exposed.max() <= 2
    ends = torch.tensor([0.0, 255.0]).view(1, 1, 1, 2).expand(20, 1, 4, 2)
    torch.testing.assert_close(augment(ends, Augment(gamma=1.5), Key(1, 1)), ends)
    bent = augment(grey, Augment(gamma=1), Key(1, 1))[:, 0, 0, 0] / 255
    exponents = torch.log(bent) / math.log(100 / 255)
    assert 0.5 <= exponents.min() < 0.55 and 1.9 < exponents.max() <= 2.01
    red, green, blue = augment(grey, Augment(temperature=179), Key(1, 1)).mean((2, 3)).T
    warmest = red.argmax()
    assert torch.allclose(green, torch.tensor(100.0)) and red[warmest] == pytest.approx(142, abs=4) and blue[warmest] == pytest.approx(60, abs=4)
    shaded = augment(grey, Augment(shadow=0.5), Key(1, 1))
    assert shaded.max() <= 100.01 and 49 < shaded.min() < 55 and (shaded.amax((1, 2, 3)) > 90).float().mean() > 0.8


@pytest.mark.parametrize("ground", [0, 255])
def test_strokes_grow_and_shrink_on_either_paper(ground):
    """A bar of six pixels becomes up to two pixels wider or narrower on each side, dark on white and white on dark alike."""
    images = torch.full((200, 1, 50, 50), float(ground))
    images[:, :, 5:45, 22:28] = 255 - ground
    varied = augment(images, Augment(thickness=0.04), Key(1, 1))
    width = (varied[:, 0, 25] - ground).abs().sum(1) / 255
    assert 9.6 < width.max() <= 10.01 and 1.99 <= width.min() < 2.4
    torch.testing.assert_close(255 - augment(255 - images, Augment(thickness=0.04), Key(1, 1)), varied)


def test_a_stretch_keeps_the_area():
    """A disc becomes an ellipse up to half wider than high, or higher than wide, of the same area and in the same place."""
    y, x = torch.meshgrid(torch.arange(61.0) - 30, torch.arange(61.0) - 30, indexing="ij")
    disc = (200 * (torch.hypot(x, y) < 12)).expand(200, 1, 61, 61)
    varied = augment(disc, Augment(stretch=0.5), Key(1, 1))[:, 0].double()
    light = varied.sum((1, 2))
    wide, high = (((varied * axis**2).sum((1, 2)) / light).sqrt() for axis in (x, y))
    assert 1.45 < (wide / high).max() < 1.52 and 1.45 < (high / wide).max() < 1.52
    torch.testing.assert_close(light / light.mean(), torch.ones(200, dtype=torch.float64), rtol=0, atol=0.03)
    assert all(((varied * axis).sum((1, 2)) / light).abs().max() < 0.05 for axis in (x, y))


def test_blur_keeps_the_light_and_spreads_a_point():
    """A point becomes a disc or a line of the same sum, no wider than the strength says, and a plain picture stays as it is."""
    point = torch.zeros(60, 1, 61, 61)
    point[:, :, 30, 30] = 200
    y, x = torch.meshgrid(torch.arange(61.0) - 30, torch.arange(61.0) - 30, indexing="ij")
    for how, reach in ((Augment(defocus=0.05), 0.05 * 61), (Augment(motion=0.2), 0.1 * 61)):
        spread = augment(point, how, Key(1, 1))[:, 0]
        torch.testing.assert_close(spread.sum((1, 2)), torch.full((60,), 200.0), rtol=1e-4, atol=1e-2)
        far = torch.hypot(x, y)[(spread > 0).any(0)].max()
        assert reach - 1 < far <= reach + 1.5
        plain = torch.full((4, 1, 20, 20), 77.0)
        torch.testing.assert_close(augment(plain, how, Key(1, 1)), plain)
    across = (augment(point, Augment(motion=0.2), Key(1, 1))[:, 0] > 0).float()
    assert across.sum((1, 2)).max() < 60  # a line, not a disc of 120


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90])
def test_jpeg_loses_what_a_jpeg_file_loses(quality):
    """Grey and colour: what comes out is within a fifth of the loss, and 1.2 grey levels, of Pillow's own JPEG at that quality."""
    for channels in (1, 3):
        image = pictures(1, channels, 61, 83)
        image = (image.float() + 20 * torch.randn(image.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 255).round()
        keys = Key(1, 1).images(1)
        tables = jpeg.draw(Augment(jpeg=95), keys)
        percent = 5000 / quality if quality < 50 else 200 - 2 * quality
        tables[0] = np.floor((np.stack([jpeg.LUMINANCE, jpeg.CHROMINANCE]) * percent + 50) / 100).clip(1, 255)
        ours = image.numpy().copy()
        jpeg.jpeg(ours, tables)
        pixels = image[0].permute(1, 2, 0).to(torch.uint8).numpy()
        file = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(file, "JPEG", quality=quality, subsampling=0)
        theirs = np.asarray(Image.open(file), np.float32).reshape(61, 83, channels).transpose(2, 0, 1)
        apart, loss = np.abs(ours[0] - theirs).mean(), np.abs(theirs - image[0].numpy()).mean()
        assert apart < 0.2 * loss and apart < 1.2, (apart, loss)


def test_a_drop_magnifies_and_a_smear_takes_detail():
    """Behind a drop the pattern is coarser; behind a smear its contrast is lower; a scratch touches few pixels, a patch its share."""
    grey = torch.full((200, 1, 100, 100), 128.0)
    touched = (augment(grey, Augment(scratch=1), Key(1, 1)) != 128).float().mean((1, 2, 3))
    assert 0.003 < touched.median() < 0.03
    hidden = (augment(grey, Augment(patch=0.3), Key(1, 1)) != 128).float().mean((1, 2, 3))
    assert 0.27 < hidden.max() < 0.33 and hidden.mean() == pytest.approx(0.15, abs=0.02)
    ramp = torch.arange(100.0).expand(100, 1, 100, 100) * 2.5
    slopes = augment(ramp, Augment(rain=3), Key(1, 1)).diff(dim=3)
    inside = (slopes - 2.5).abs() > 0.3
    assert inside.any() and (slopes[(slopes > 0.4) & (slopes < 1.6)]).numel() > 1000
    stripes = torch.from_numpy(np.tile(np.array([60.0, 200.0], np.float32), (100, 50)))[None, None].repeat(50, 1, 1, 1)
    detail = augment(stripes, Augment(smear=1), Key(1, 1)).diff(dim=3).abs().amin((1, 2, 3))
    assert detail.min() < 30 and detail.max() <= 140


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_compiled_functions_stay_in_their_file(path):
    """Numba's cache notices a change of a function's own file alone: a compiled function that called another file's would run its old code."""
    tree = ast.parse(path.read_text())
    compiled = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and any("compiled" in ast.unparse(d) for d in node.decorator_list)
    }
    brought = {alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names if node.module != "numpy"}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in compiled:
            called = {ast.unparse(call.func).partition(".")[0] for call in ast.walk(node) if isinstance(call, ast.Call)}
            assert not called & brought, f"{node.name} calls {called & brought}"
