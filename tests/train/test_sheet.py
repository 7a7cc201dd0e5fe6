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
