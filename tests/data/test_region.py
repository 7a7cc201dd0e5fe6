"""What is judged: a rectangle, what moved before a fixed camera, a face; the same at the door, and a plain reason where there is nothing."""

import base64
import io

import numpy as np
import pytest
from pictures import scene, spec
from PIL import Image

from peephole.base.card import Region
from peephole.base.errors import DataError, InputError, PhotoError
from peephole.data import motion
from peephole.data.border import glances
from peephole.data.prepare import prepare, prepare_part
from peephole.data.region import NO_FACE, cut, place, require_ready

WALL = scene(40, 160, 120)


def visit(at: tuple[int, int] | None = None, *, gain: float = 1.0, seed: int = 0, who: int | None = None) -> Image.Image:
    """Return the wall with somebody 40 x 60 pixels large standing `at` (left, top), at another exposure and with sensor noise."""
    image = WALL.copy()
    if at is not None:
        image.paste(Image.eval(scene(77 + (seed if who is None else who), 40, 60), lambda value: 255 - value // 2), at)
    noisy = np.asarray(image, np.float32) * gain + np.random.default_rng(seed).normal(0, 2, (image.height, image.width, 1))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def learned(pictures: list[Image.Image]) -> Region:
    found = motion.learn([motion.small(picture) for picture in pictures])
    return Region(how="motion", motion=motion.as_card(found, len(pictures)))


@pytest.fixture(scope="module")
def moving() -> Region:
    """A region whose scene was learned from photos of somebody who stands elsewhere in each."""
    places = [(5, 5), (60, 10), (110, 55), (10, 55), (60, 60), (115, 5), (30, 30)]
    return learned([visit(at, seed=i, gain=0.9 + 0.03 * i) for i, at in enumerate(places)])


@pytest.mark.parametrize("at", [(0, 0), (33, 47), (120, 60)])
@pytest.mark.parametrize("gain", [0.8, 1.25])
def test_what_moved_is_found_at_any_exposure(moving, at, gain):
    """The box of somebody new before the learned wall is right within three pixels of the search, darker and brighter."""
    found = place(visit(at, gain=gain, seed=50), moving)
    truth = np.array([at[0], at[1], at[0] + 40, at[1] + 60])
    assert np.abs(np.array(found.box) - truth).max() <= 3 * 160 / motion.SIDE
    assert found.note == "" and found.mask is not None


def test_nothing_moved_is_said_and_not_judged(moving):
    """The empty scene, at another exposure, is refused with its reason."""
    with pytest.raises(PhotoError, match="nothing moved: the picture shows the empty scene"):
        prepare(visit(gain=1.15, seed=9), spec(32, region=moving))


def test_another_wall_is_no_subject(moving):
    """When all of the picture changed, it is the light or the camera."""
    with pytest.raises(PhotoError, match="the light or the camera"):
        place(scene(999, 160, 120), moving)
    with pytest.raises(PhotoError, match="another shape"):
        place(scene(999, 120, 120), moving)


def test_two_who_moved_are_said(moving):
    """The larger of two is judged, and the note says that there were two."""
    two = visit((5, 20), seed=3)
    two.paste(Image.eval(scene(5, 30, 30), lambda value: 255 - value), (120, 60))
    found = place(two, moving)
    assert found.box[0] < 20 and found.box[2] < 60
    assert found.note == "2 things that moved: the largest one is judged, the other thing that moved is not"


def test_the_card_carries_the_scene(moving):
    """Written as JSON and read back, the region cuts the same pixels; a plain region writes nothing that it does not need."""
    again = Region.model_validate_json(moving.model_dump_json())
    picture = visit((33, 47), seed=50)
    assert place(picture, again).box == place(picture, moving).box and again.complete
    assert Region().model_dump() == {"how": "whole", "box": None}


@pytest.mark.parametrize(
    ("pictures", "reason"),
    [
        ([visit((5, 5), seed=1), visit((90, 5), seed=2)], "at least 5 pictures"),
        ([scene(seed, 160, 120) for seed in range(6)], "no common background"),
        ([*(visit(seed=i) for i in range(5)), scene(1, 120, 160)], "several sizes"),
        ([visit((60, 30), seed=i) for i in range(8)], "cannot see the background"),
    ],
    ids=["two photos", "other walls", "two shapes", "always there"],
)
def test_a_scene_that_cannot_be_learned_is_said(pictures, reason):
    """Too few, different walls, several shapes, or a subject that never moves: each with its own reason and a way out."""
    with pytest.raises(DataError, match=reason) as error:
        learned(pictures)
    assert "--region face" in error.value.hint


def test_a_lamp_of_another_colour_is_no_subject(moving):
    """Warm light on the same wall is still the empty scene."""
    lamp = (np.asarray(visit(seed=4), np.float32) * (1.0, 0.8, 0.6)).astype(np.uint8)
    with pytest.raises(PhotoError, match="nothing moved"):
        place(Image.fromarray(lamp), moving)


def test_the_scene_follows_the_sun_but_not_who_stands_still(moving):
    """A shadow that creeps over a part of the wall in 120 frames becomes wall; who stands there for 120 frames does not."""
    shadow = np.where(np.arange(160) < 64, 1.0, 0.0)[None, :, None]
    scene_now = stays = motion.background_of(moving.motion)
    for frame in range(121):
        dark = Image.fromarray((np.asarray(visit(seed=frame), np.float32) * (1 - frame / 300 * shadow)).astype(np.uint8))
        scene_now = motion.follow(scene_now, motion.small(dark, scene_now), moving.motion)
        stays = motion.follow(stays, motion.small(visit((60, 30), seed=frame, who=8), stays), moving.motion)
    assert place(dark, moving).box[2] < 90  # the scene as it was learned takes the shadow for somebody
    with pytest.raises(PhotoError, match="nothing moved"):
        place(dark, moving, scene_now)
    left, _, right, _ = place(visit((60, 30), seed=500, who=8), moving, stays).box
    assert abs(left - 60) < 6 and abs(right - 100) < 6


@pytest.mark.parametrize("text", ["AAAA", "iVBORw0KGgo=", base64.b64encode(b"GIF89a" + bytes(40)).decode()])
def test_a_background_that_is_none_is_refused(moving, text):
    """A card whose scene is no picture of the right kind judges nothing, and says so before the first frame."""
    broken = moving.model_copy(update={"motion": moving.motion.model_copy(update={"background": text})})
    with pytest.raises(InputError, match="background is no picture"):
        require_ready(broken)


def test_a_huge_background_is_refused_unread(moving):
    """A scene of 3000 x 3000 pixels in a few bytes is not unpacked."""
    buffer = io.BytesIO()
    Image.new("RGBA", (3000, 3000)).save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    with pytest.raises(InputError, match="background is no picture"):
        require_ready(moving.model_copy(update={"motion": moving.motion.model_copy(update={"background": text})}))


@pytest.fixture(scope="module")
def face() -> Region:
    """A face region as this OpenCV gives it."""
    pytest.importorskip("cv2")
    from peephole.data.face import finder

    return Region(how="face", face=finder())


@pytest.mark.parametrize("picture", [Image.new("L", (1, 1), 9), Image.new("RGB", (1, 900)), scene(3, 200, 150)], ids=["a pixel", "a line", "a scene"])
def test_no_face_is_a_plain_reason(face, picture):
    """A pixel, a line and a scene hold no face; each is refused in the words that the door repeats."""
    with pytest.raises(PhotoError) as error:
        cut(picture, face)
    assert error.value.what == NO_FACE


def test_another_cascade_is_refused(face):
    """A cascade with another digest would cut other pixels: nothing is judged, and the hint names the version to install."""
    other = face.model_copy(update={"face": face.face.model_copy(update={"sha256": "0" * 64, "opencv": "4.1.0"})})
    with pytest.raises(InputError, match="another haarcascade") as error:
        require_ready(other)
    assert not isinstance(error.value, PhotoError) and "opencv-python-headless==4.1.0" in error.value.hint
    require_ready(face)


@pytest.mark.parametrize("how", ["motion", "face"])
def test_a_region_without_what_it_needs_is_refused(how):
    """A card that names a region and not how to find it cuts nothing."""
    with pytest.raises(InputError, match="needs"):
        place(scene(1), Region(how=how))
    assert not Region(how=how).complete


def test_a_part_is_prepared_as_a_picture_of_its_own():
    """Preparing a box of a picture gives the bytes of preparing the picture cut beforehand."""
    image = scene(6, 90, 70)
    assert np.array_equal(prepare_part(image, (10, 5, 70, 65), spec(24)), prepare(image.crop((10, 5, 70, 65)), spec(24)))


def test_the_smallest_pictures_have_glances() -> None:
    """A picture one pixel high keeps its height: grey or colour, it is looked at as it stands."""
    grey, colour = np.full((2, 1, 5, 1), 90, np.uint8), np.full((2, 1, 1, 3), (10, 20, 30), np.uint8)
    assert glances(grey).shape == glances(colour).shape == (2, 16, 16, 3)
    assert (glances(grey) == 90).all() and (glances(colour) == (10, 20, 30)).all()
