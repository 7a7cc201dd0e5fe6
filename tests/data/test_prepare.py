"""The same picture is prepared alike in training and at the door."""

import io

import numpy as np
import pytest
from pictures import scene, spec
from PIL import Image

from peephole.base.card import Region, Resize
from peephole.base.errors import InputError
from peephole.data.photos import open_bytes
from peephole.data.prepare import prepare, prepare_array
from peephole.data.region import cut


@pytest.mark.parametrize("fit", ["cover", "contain", "stretch"])
@pytest.mark.parametrize("colour", ["rgb", "grey"])
@pytest.mark.parametrize("size", [(128, 96), (30, 200), (1, 500), (17, 1), (32, 24)])
def test_every_size_gives_the_card_s_shape(fit, colour, size):
    """Any picture becomes (24, 32, C), wider or taller, larger or smaller."""
    wanted = spec(32, colour, resize=Resize(to=(24, 32), fit=fit))
    pixels = prepare(scene(1, *size), wanted)
    assert pixels.shape == (24, 32, 3 if colour == "rgb" else 1)
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable


def test_a_frame_and_its_lossless_file_are_prepared_alike():
    """An array from a camera and the PNG of it give the same bytes, in grey and in colour."""
    for colour in ("rgb", "grey"):
        frame = np.asarray(scene(3, 200, 150))
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "PNG")
        assert np.array_equal(prepare_array(frame, spec(40, colour)), prepare(open_bytes(buffer.getvalue()), spec(40, colour)))


def test_cover_cuts_the_middle_and_contain_pads_with_the_background():
    """A picture that is white only in its middle third is all white under cover and has black bars under contain."""
    image = Image.new("L", (90, 30), 0)
    image.paste(255, (30, 0, 60, 30))
    assert prepare(image, spec(30, "grey")).min() == 255
    padded = prepare(Image.new("L", (90, 30), 255), spec(30, "grey", resize=Resize(to=(30, 30), fit="contain"), alpha="black"))[:, :, 0]
    assert padded[:9].max() == 0
    assert padded[11:19].min() == 255


def test_alpha_is_laid_onto_the_sheet_the_card_names():
    """What is clear becomes white or black, whatever colour hides under it; half clear becomes the mean."""
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert prepare(clear, spec(8)).min() == 255
    assert prepare(clear, spec(8, alpha="black")).max() == 0
    assert abs(int(prepare(Image.new("LA", (8, 8), (0, 128)), spec(8, "grey"))[0, 0, 0]) - 127) <= 1


def test_shrinking_averages_every_pixel():
    """A fine checkerboard becomes even grey instead of aliasing."""
    board = np.indices((256, 256)).sum(0) % 2 * 255
    pixels = prepare_array(board.astype(np.uint8), spec(32, "grey"))
    assert np.abs(pixels.astype(int) - 127).max() <= 3


def test_a_rectangle_cuts_its_fractions():
    """The lower right quarter is exactly that, and a vanishing box still holds a pixel."""
    image = scene(4, 100, 60)
    quarter = cut(image, Region(how="rectangle", box=(0.5, 0.5, 0.5, 0.5)))
    assert np.array_equal(np.asarray(quarter), np.asarray(image)[30:, 50:])
    assert cut(image, Region(how="rectangle", box=(1, 1, 0, 0))).size == (1, 1)
    assert cut(image, Region()) is image
    with pytest.raises(InputError):
        cut(image, Region(how="rectangle"))


def test_nothing_outside_the_region_is_judged():
    """Painting over all that is outside the rectangle changes no byte of the input."""
    wanted = spec(24, region=Region(how="rectangle", box=(0.25, 0.25, 0.5, 0.5)))
    image = np.asarray(scene(5, 80, 80)).copy()
    before = prepare_array(image, wanted)
    image[:20] = 0
    image[60:] = 255
    image[:, :20] = 9
    assert np.array_equal(prepare_array(image, wanted), before)


@pytest.mark.parametrize("frame", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros(4, np.uint8)])
def test_what_is_no_frame_is_refused(frame):
    """Floats, two channels, no pixels and one dimension are refused with what is wanted."""
    with pytest.raises(InputError, match="uint8"):
        prepare_array(frame, spec(8))
