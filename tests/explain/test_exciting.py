"""Patches that excite a unit: found by brute force too, cut where the unit looks."""

import numpy as np
import pytest
from PIL import Image

from peephole.base.errors import DataError, MissingInput
from peephole.decide.predictor import load
from peephole.explain.exciting import OUTSIDE, cut, exciting, filters
from peephole.explain.geometry import Field
from peephole.explain.layers import look


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve seeded photos of 28 x 28 under two labels, one file that is none, and one photo twice."""
    root = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(6)
    for index in range(12):
        pixels = draw.integers(0, 256, (28, 28), dtype=np.uint8)
        path = root / ("ana", "mina")[index % 2] / f"{index:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    (root / "ana" / "copy.png").write_bytes((root / "ana" / "00.png").read_bytes())
    (root / "mina" / "broken.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def asked(make_door):
    """A predictor and the layers behind a seeded picture."""
    predictor = load(make_door())
    picture = np.random.default_rng(2).integers(0, 256, (1, 28, 28, 1), dtype=np.uint8)
    return predictor, look(predictor.model.data, picture)


def test_patches_are_those_of_brute_force(asked, folder):
    """For every unit shown, the strongest answers over all photos, each photo once, are its patches, in order."""
    predictor, seen = asked
    found = exciting(predictor, seen, folder, units=2, patches=3)
    assert (found.photos, found.found, found.left_out) == (13, 14, 1)
    assert [each.layer for each in found.units] == ["conv1", "conv1", "conv2", "conv2"]
    for each in found.units:
        answers = {}
        for path in sorted(folder.rglob("*.png")):
            if path.name not in ("copy.png", "broken.png"):
                values = look(predictor.model.data, predictor.prepare(path)[None]).find(each.layer).values[each.unit]
                answers[path.relative_to(folder).as_posix()] = float(values.max())
        wanted = sorted(answers, key=lambda name: -answers[name])[:3]
        assert [patch.photo for patch in each.patches] == wanted
        assert [patch.value for patch in each.patches] == pytest.approx([answers[name] for name in wanted], abs=1e-4)


def test_a_patch_is_what_the_unit_sees(asked, folder):
    """The kernel of the first layer on the patch, plus the bias, is the answer: the patch is exactly the receptive field."""
    predictor, seen = asked
    conv, normalise = seen.find("conv1"), lambda pixels: (pixels.astype(np.float64) - 128) / 64
    found = [each for each in exciting(predictor, seen, folder, units=4).units if each.layer == "conv1"]
    inside = [(each, patch) for each in found for patch in each.patches if min(patch.box[:2]) >= 0 and max(patch.box[:2]) <= 25]
    assert inside
    for each, patch in inside:
        assert patch.pixels.shape == (3, 3, 1)
        again = float((conv.weight[each.unit] * np.moveaxis(normalise(patch.pixels), 2, 0)).sum() + conv.bias[each.unit])
        assert patch.value == pytest.approx(again, abs=1e-4)


def test_units_are_those_that_the_picture_excites(asked, folder):
    """The filters shown come nearest to their best among the photos, and say how near."""
    predictor, seen = asked
    found = [each for each in exciting(predictor, seen, folder, units=8).units if each.layer == "conv1"]
    assert [each.share for each in found] == sorted((each.share for each in found), reverse=True)
    for each in found:
        assert each.here == pytest.approx(float(seen.find("conv1").values[each.unit].max()))
        assert each.share == pytest.approx(each.here / each.patches[0].value)


def test_cutting_at_the_border():
    """What lies beyond the picture is grey; a field as large as the picture shows all of it."""
    picture = np.arange(1, 26, dtype=np.uint8).reshape(5, 5, 1)
    pixels, box = cut(picture, Field((3, 3), (2, 2), (-1, -1)), (0, 1))
    assert box == (-1, 1, 3, 3)
    assert pixels[..., 0].tolist() == [[OUTSIDE] * 3, [2, 3, 4], [7, 8, 9]]
    pixels, box = cut(picture, Field((7, 9), (1, 1), (-3, -3)), (2, 2))
    assert np.array_equal(pixels, picture)
    assert box == (-1, -1, 7, 9)


def test_layers_are_spread(asked):
    """From the first convolution to the last."""
    assert [layer.name for layer in filters(asked[1])] == ["conv1", "conv2"]
    assert [layer.name for layer in filters(asked[1], 1)] == ["conv1"]


def test_folders_that_are_none(asked, folder, tmp_path):
    """No folder is an input error; an empty one gives no patches; with many photos some are left out, evenly."""
    predictor, seen = asked
    with pytest.raises(MissingInput):
        exciting(predictor, seen, tmp_path / "nowhere")
    with pytest.raises(DataError, match="is a file"):
        exciting(predictor, seen, folder / "ana" / "00.png")
    assert exciting(predictor, seen, tmp_path).units == ()
    few = exciting(predictor, seen, folder, photos=4, units=1)
    assert few.photos + few.left_out == 4
    assert few.found == 14
