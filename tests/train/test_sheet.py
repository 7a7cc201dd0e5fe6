"""The contact sheet: the tensors that training makes, and a picture of them with words."""

import numpy as np
import pytest
import torch
from PIL import Image

from drawings import folder
from peephole.base.errors import InputError, MissingInput, OutputError, SettingsError
from peephole.train.augment import EFFECTS, Augment, Key, augment
from peephole.train.recipe import Options
from peephole.train.sheet import COLOURED, sheet, write


def test_the_sheet_shows_what_training_makes(tmp_path):
    """Its variants are those of `augment` for the seed, the recipe's first and then one row for each effect."""
    found = sheet(folder(tmp_path / "photos", 3), strength=0.5, seed=11, columns=4, options=Options(network="plain", seed=11))
    first = found.rows[0]
    assert first.words == "the recipe" and first.original.dtype == torch.uint8
    again = augment(first.original[None].repeat(4, 1, 1, 1), found.recipe.augment, Key(11, 0))
    assert torch.equal(first.variants, again)
    words = [row.words for row in found.rows[3:]]
    assert words == [Augment.of([name], 0.5).sentence() for name in (*EFFECTS, "flip") if name not in COLOURED]
    write(found, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.mode == "RGB" and image.height > len(found.rows) * 72
        assert len(np.unique(np.asarray(image.convert("L")))) > 50


def test_one_photo_and_some_effects_will_do(tmp_path):
    """A single file, two effects by name: two rows and no recipe."""
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)).save(path)
    found = sheet(path, only=("dust", "temperature"), strength=1.0, columns=2, options=Options(size=(40, 56)))
    assert [row.variants.shape for row in found.rows] == [(2, 3, 40, 56)] * 2


def test_one_photo_gets_clouds_and_a_folder_its_own_backgrounds(tmp_path):
    """One label's wall alone would stay with it: no copy has the photo's, or another's; of two labels every corner is one of the two walls."""
    rng = np.random.default_rng(0)
    for label, wall in (("a", (20, 60, 200)), ("b", (220, 130, 20))):
        for number in range(3):
            picture = np.clip(np.array(wall) + rng.normal(0, 3, (40, 40, 3)), 0, 255)
            picture[10:30, 10:30] = rng.integers(0, 255, (20, 20, 1))
            (tmp_path / "two" / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "two" / label / f"{number}.png")
    options = Options(size=(40, 40))
    row = sheet(tmp_path / "two" / "a" / "1.png", only=("background",), strength=1.0, columns=5, options=options).rows[0]
    corners = row.variants[:, :, 0, 0]
    assert ((corners - row.original[:, 0, 0].float()).abs().amax(1) > 15).all() and len(corners.unique(dim=0)) == 5
    row = sheet(tmp_path / "two", only=("background",), strength=1.0, columns=12, options=options).rows[0]
    walls = torch.tensor([(20.0, 60.0, 200.0), (220.0, 130.0, 20.0)])
    apart = torch.cdist(row.variants[:, :, 0, 0], walls)
    assert (apart.amin(1) < 40).all() and set(apart.argmin(1).tolist()) == {0, 1}


def test_what_cannot_be_drawn_is_refused(tmp_path):
    """A missing folder, an unknown effect, a broken photo, a place that cannot be written to."""
    photos = folder(tmp_path / "photos", 2)
    with pytest.raises(MissingInput, match="does not exist"):
        sheet(tmp_path / "none")
    with pytest.raises(SettingsError, match="did you mean 'scratch'"):
        sheet(photos, only=("scrach",))
    for wrong in ({"strength": 2.0}, {"columns": 0}):
        with pytest.raises(SettingsError, match="is between"):
            sheet(photos, **wrong, only=("dust",))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(InputError):
        sheet(broken)
    for place in (tmp_path / "away" / "sheet.png", tmp_path / "sheet.nothing"):
        with pytest.raises(OutputError, match="cannot be written"):
            write(sheet(photos, only=("dust",)), place)
