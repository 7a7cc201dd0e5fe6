"""Where the subjects are and what may stand behind them: every label's backgrounds equally often, none of what is held out or proves."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from drawings import save
from peephole.base.card import Input, Region, Resize
from peephole.base.watch import Watcher
from peephole.data.border import Border
from peephole.data.dataset import load
from peephole.data.photos import scan
from peephole.train import scenery as seeking
from peephole.train.augment import Augment, Key, augment
from peephole.train.recipe import Facts, Options, derive
from peephole.train.scenery import USUAL, Scenery, exchanging, sought

NONE = np.empty(0, np.int64)
WALLS = {"ana": (40, 90, 200), "junho": (200, 120, 30), "minh": (60, 160, 60)}


class Heard(Watcher):
    """Remembers what was said."""

    def __init__(self):
        """Hear everything."""
        self.words = []

    def said(self, text):
        """Note a sentence."""
        self.words.append(text)


def photo(wall, seed, side=48):
    """Return a photo of something striped in the middle of a plain wall, uint8 (side, side, 3)."""
    rng = np.random.default_rng(seed)
    picture = np.clip(np.array(wall) + rng.normal(0, 2, (side, side, 3)), 0, 255)
    low, high = side // 4, side - side // 4
    picture[low:high, low:high] = rng.integers(0, 256, (high - low, high - low, 1))
    return picture.astype(np.uint8)


def rooms(root, each=4, side=48):
    """Fill a folder with photos of three labels, everybody before a wall of their own."""
    for label, wall in WALLS.items():
        for number in range(each):
            save(photo(wall, number + 10 * len(label) + wall[0], side), root / label / f"{number}.png")
    return root


def spec(side=32, channels=3):
    """Return how photos become the network's input."""
    return Input(
        shape=("N", side, side, channels),
        region=Region(),
        resize=Resize(to=(side, side), fit="cover"),
        colour="rgb" if channels == 3 else "grey",
    )


def found(root, how, *, free=NONE, watch=None):
    """Return the photos of a folder and their scenery."""
    listing = scan(root)
    photos = load(listing, how)
    return photos, sought(listing, photos, np.flatnonzero(photos.labels >= 0), how, free=free, watch=watch or Watcher())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 32])
def test_subjects_are_found_and_painted_over(tmp_path, side, channels):
    """The middle is masked and the corners are not; a backdrop is its wall's colour all over. In grey and at 8 pixels too."""
    photos, scenery = found(rooms(tmp_path), spec(side, channels))
    assert scenery.masks.shape == (12, side, side) and scenery.masks.dtype == torch.uint8
    assert (scenery.masks[:, side // 2, side // 2] > 200).all() and (scenery.masks[:, 0, 0] < 50).all()
    assert scenery.backdrops.shape == (12, channels, side, side) and scenery.lenders.tolist() == list(range(12))
    for at in range(12):
        corner = photos.images[at, 0, 0].astype(float)
        assert np.abs(scenery.backdrops[at].permute(1, 2, 0).numpy() - corner).mean() < 12


def test_every_label_lends_equally_often():
    """However many photos a label has: the background then tells nothing of who stands before it."""
    labels = np.repeat([0, 1, 2], [12, 3, 1])
    images = np.repeat(labels * 100, 32 * 32 * 3).reshape(16, 32, 32, 3).astype(np.uint8)
    masks = np.zeros((16, 32, 32), np.uint8)
    scenery = Scenery.of(images, masks, labels, np.arange(16), NONE)
    for row in (0, 15):
        behind = scenery.behind(torch.full((3000,), row))
        shown = augment(torch.from_numpy(images[row]).permute(2, 0, 1).expand(3000, 3, 32, 32), Augment(background=1.0), Key(1, row), behind)
        counts = [(shown[:, 0, 5, 5] == level).sum().item() for level in (0, 100, 200)]
        assert sum(counts) == 3000 and all(abs(count - 1000) < 100 for count in counts), counts


def test_what_is_held_out_lends_nothing():
    """Only photos that may be learned from, and scenes without anybody."""
    labels = np.array([0, 0, 1, 1, -1])
    images = np.arange(5, dtype=np.uint8).repeat(8 * 8).reshape(5, 8, 8, 1) * 50
    scenery = Scenery.of(images, np.zeros((5, 8, 8), np.uint8), labels, np.arange(4), np.array([4])).lent_by(np.array([0, 2]))
    behind = scenery.behind(torch.arange(5))
    assert behind.weights.tolist() == [1, 0, 1, 0, 1]
    shown = augment(torch.zeros(400, 1, 8, 8), Augment(background=1.0), Key(1, 1), behind._replace(masks=torch.zeros(400, 8, 8)))
    assert set(shown.unique().tolist()) == {0, 100, 200}


def test_a_photo_that_is_all_subject_lends_nothing_and_stays_as_it_is(tmp_path, monkeypatch):
    """Nothing of a room is seen in it; where no photo shows one, clouds take their place, and that is said."""
    images = np.stack([photo(wall, 1, 32) for wall in WALLS.values()])
    masks = np.full((3, 32, 32), 255, np.uint8)
    scenery = Scenery.of(images, masks, np.arange(3), np.arange(3), NONE)
    assert len(scenery.lenders) == 0
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    assert torch.equal(augment(batch, Augment(background=1.0), Key(1, 1), scenery.behind(torch.arange(3))), batch.float())
    masks[:, :, :16] = 0
    scenery = replace(scenery, masks=torch.from_numpy(masks))
    cloudy = augment(batch, Augment(background=1.0), Key(1, 1), scenery.behind(torch.arange(3)))
    assert torch.equal(cloudy[:, :, :, 17:], batch[:, :, :, 17:].float()) and (cloudy[:, :, :, :15] != batch[:, :, :, :15]).float().mean() > 0.9
    listing, heard = scan(rooms(tmp_path)), Heard()
    photos = load(listing, spec())
    monkeypatch.setattr(seeking, "masks", lambda _, ids, how, progress: np.full((len(ids), *how.resize.to), 255, np.uint8))
    sought(listing, photos, np.arange(12), spec(), free=NONE, watch=heard)
    assert heard.words and "soft clouds" in heard.words[0]


def test_empty_scenes_lend_all_of_their_picture_unless_they_prove(tmp_path):
    """A photo in unknown/empty/ that is free is a backdrop as it is; one that proves, and strangers with somebody in them, are not."""
    root = rooms(tmp_path)
    save(np.full((48, 48, 3), 77, np.uint8), root / "unknown" / "empty" / "1.png")
    save(photo((9, 9, 9), 3), root / "unknown" / "tom" / "1.png")
    listing = scan(root)
    strangers = np.flatnonzero(load(listing, spec()).labels < 0)
    assert len(strangers) == 2
    photos, scenery = found(root, spec(), free=strangers)
    lent = scenery.lenders[12:]
    assert len(lent) == 1 and photos.ids[lent[0]].startswith("unknown/empty") and (scenery.backdrops[12] == 77).all()
    assert len(found(root, spec())[1].lenders) == 12
    (root / "unknown" / "empty" / "1.png").unlink()
    assert len(found(root, spec())[1].lenders) == 12  # the folder is there, and nothing in it


def test_backgrounds_are_exchanged_by_themselves_only_where_it_helps():
    """Frozen features, the whole frame, telling borders, photos of things; a strength that was given is left alone."""
    facts = Facts(examples=24, labels=3, fewest=8, height=240, width=320, colour=True, drawing=False)
    telling, quiet = Border(24, 24, 0.33, 0.85, 1.0), Border(9, 24, 0.33, 0.2, 0.55)
    images = np.stack([photo(wall, 1, 32) for wall in WALLS.values()])
    options, region = Options(), Region()
    recipe = derive(facts, options)
    assert recipe.fit == "frozen" and recipe.augment.background == 0
    helped = exchanging(recipe, options, region, telling, images)
    assert helped.augment == replace(recipe.augment, background=USUAL) and "another background behind 100 %" in helped.sentence()
    sheets = np.full_like(images, 255)
    given = Options(vary={"background": 0.0})
    for case in (
        (derive(facts, given), given, region, telling, images),
        (replace(recipe, fit="finetune"), options, region, telling, images),
        (recipe, options, Region(how="rectangle", box=(0.1, 0.1, 0.5, 0.5)), telling, images),
        (recipe, options, region, quiet, images),
        (recipe, options, region, None, images),
        (recipe, options, region, telling, sheets),
    ):
        assert exchanging(*case) == case[0]


def test_a_mask_says_what_stays():
    """What GrabCut or the ellipse found stays to the bit, far from its edge, when the wall behind it changes."""
    images = np.stack([photo(wall, 5, 64) for wall in WALLS.values()])
    masks = np.zeros((3, 64, 64), np.uint8)
    masks[:, 16:48, 16:48] = 255
    scenery = Scenery.of(images, masks, np.arange(3), np.arange(3), NONE)
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    shown = augment(batch, Augment(background=1.0), Key(2, 1), scenery.behind(torch.arange(3)))
    assert torch.equal(shown[:, :, 20:44, 20:44], batch[:, :, 20:44, 20:44].float())
    walls = torch.tensor(list(WALLS.values())).float()
    corners = shown[:, :, :4, :4].mean((2, 3))
    assert (torch.cdist(corners, walls).amin(1) < 6).all()
    assert Image.fromarray(scenery.backdrops[0].permute(1, 2, 0).numpy()).size == (64, 64)
