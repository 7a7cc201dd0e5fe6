"""Pictures before other walls, and whether borders alone name the labels."""

import sys

import numpy as np
import pytest
from pictures import folder, save, scene, spec
from PIL import Image

from peephole.base.card import Region
from peephole.base.errors import DataError, MissingExtra
from peephole.data import border
from peephole.data.dataset import load
from peephole.data.hygiene import check
from peephole.data.photos import scan
from peephole.data.settle import choose, learned, require_found
from peephole.data.subject import masks, seeker, subject
from peephole.data.wallpaper import GREY, blanked, emptied, swapped


@pytest.fixture
def rooms(tmp_path):
    """Two labels, six photos of each, all of one before her own wall; what stands in the middle differs in every photo."""
    for label, wall in (("ana", 300), ("junho", 301)):
        for number in range(6):
            picture = scene(wall, 120, 90)
            picture.paste(scene(400 + 7 * number + wall, 50, 50), (35, 20))
            save(Image.eval(picture, lambda value, number=number: min(255, int(value * (0.9 + 0.04 * number)))), tmp_path / label / f"{number}.png")
    return tmp_path


def test_the_subject_stays_and_the_rest_changes():
    """Where the mask is 1 the pixels are the photo's, where it is 0 the other scene's, stretched to fit; grey when blanked."""
    picture, other = np.asarray(scene(1, 64, 48)), np.asarray(scene(2, 30, 30))
    mask = np.zeros((48, 64), np.float32)
    mask[10:30, 20:40] = 1
    pasted = swapped(picture, mask, other)
    assert np.array_equal(pasted[10:30, 20:40], picture[10:30, 20:40]) and pasted.shape == picture.shape
    assert not np.array_equal(pasted[:10], picture[:10])
    grey = blanked(picture, mask)
    assert (grey[mask == 0] == GREY).all() and np.array_equal(grey[mask == 1], picture[mask == 1])


def test_an_emptied_picture_holds_nothing_of_its_subject():
    """Painting over: whatever stood under the mask, the same comes out, between its surroundings' extremes; outside nothing changes."""
    wall = np.full((40, 60, 3), (40, 90, 200), np.uint8)
    mask = np.zeros((40, 60), np.float32)
    mask[12:28, 20:45] = 1
    seen = [wall.copy(), wall.copy()]
    seen[0][12:28, 20:45], seen[1][12:28, 20:45] = 255, np.asarray(scene(3, 25, 16))
    empty = [emptied(picture, mask) for picture in seen]
    assert np.array_equal(empty[0], empty[1]) and np.abs(empty[0].astype(int) - wall).max() <= 1
    assert (emptied(wall, np.ones((40, 60), np.float32)) == GREY).all()
    assert emptied(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.float32)).shape == (1, 1, 3)


def test_borders_tell_labels_with_walls_of_their_own(rooms):
    """`check` says it, with the count, the interval and what a guess gets; no hint says that nothing can be done."""
    found = [remark for remark in check(rooms).remarks if "border of the photos alone" in remark.what]
    assert len(found) == 1 and "12 of 12 sources (100%" in found[0].what and "a guess gets 50%" in found[0].what
    assert "a background of its own" in found[0].what and "--region auto" in found[0].hint


def test_borders_of_any_wall_tell_nothing(tmp_path):
    """Every photo before a wall of its own, and drawings all on one sheet: no remark."""
    report = check(folder(tmp_path / "walls", {"a": 12, "b": 12}))
    assert not [remark for remark in report.remarks if "border" in remark.what]
    sheets = np.full((40, 16, 16, 3), 255, np.uint8)
    sheets[:, 5:11, 5:11] = np.random.default_rng(0).integers(0, 255, (40, 6, 6, 3))
    found = border.test(sheets, np.arange(40) % 2, np.arange(40))
    assert found is not None and not found.better and border.sheets(sheets)


def test_copies_of_one_photo_are_no_evidence():
    """Six copies of each label's only photo are two sources: too few to say anything."""
    images = np.repeat(np.stack([np.asarray(scene(s, 16, 16)) for s in (1, 2)]), 6, 0)
    assert border.test(images, np.repeat([0, 1], 6), np.repeat([0, 1], 6)) is None
    assert border.test(images, np.zeros(12, np.int64), np.arange(12)) is None


def test_auto_says_what_it_chose_and_why(rooms, tmp_path):
    """Walls of their own but neither one camera nor faces: whole, and the reasons are given; no walls of their own: whole."""
    region, why = choose(scan(rooms))
    assert region.how == "whole" and "12 of 12" in why and "motion:" in why and "face:" in why
    region, why = choose(scan(folder(tmp_path / "walls", {"a": 6, "b": 6})))
    assert region.how == "whole" and "no background of their own" in why


def test_auto_takes_motion_where_the_scene_is_known(tmp_path):
    """One wall with a stripe of light at one label's photos, and photos of the empty scene: what moved is judged."""
    wall = scene(500, 120, 90)
    generator = np.random.default_rng(1)
    for label, shade in (("ana", 0.75), ("junho", 1.2)):
        for number in range(6):
            picture = Image.eval(wall, lambda value, shade=shade: min(255, int(value * shade)))
            picture.paste(scene(600 + number + 10 * len(label), 40, 50), (int(generator.integers(10, 70)), int(generator.integers(0, 40))))
            save(picture, tmp_path / label / f"{number}.png")
    for number in range(5):
        save(Image.eval(wall, lambda value, number=number: min(255, value + number)), tmp_path / "unknown" / "empty" / f"{number}.png")
    region, why = choose(scan(tmp_path))
    assert region.how == "motion" and region.motion is not None and region.motion.frames == 5, why
    photos = load(scan(tmp_path), spec(32, region=region))
    assert len(photos) == 12 and all("nothing moved" in refusal.reason for refusal in photos.refused)
    found = masks(scan(tmp_path), photos.ids, spec(32, region=region))
    assert found.shape == (12, 32, 32) and found.dtype == np.uint8
    assert found.mean() > 0.4 * 255  # a region around the subject is mostly subject


def test_a_centre_ellipse_when_nothing_better_is_known(rooms):
    """Walls of many rooms and no face: the mask is an ellipse in the judged part, and says so."""
    how = seeker(scan(rooms), Region())
    assert how.how == "whole"
    found = subject(scene(1, 100, 80), Region(how="rectangle", box=(0.5, 0, 0.5, 1)), how)
    assert found.how == "ellipse" and found.mask[:, :50].max() == 0 and found.mask[40, 75] == 1


def coloured(side=120, move=0):
    """Return a blotchy yellow disc before a blotchy blue wall, and where it is, bool (side, side)."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:side, :side] - side / 2
    inside = np.hypot(x - move, y) < 0.26 * side
    pixels = np.where(inside[..., None], (220, 190, 40), (40, 80, 190)) + rng.normal(0, 18, (side, side, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), inside


def overlap(mask, truth):
    """Return the share of what either covers that both cover."""
    return ((mask > 0.5) & truth).sum() / ((mask > 0.5) | truth).sum()


@pytest.mark.parametrize("side", [48, 120, 400])
def test_grabcut_finds_the_edge_that_an_ellipse_only_guesses(side, monkeypatch):
    """A disc aside from the middle, smaller than the ellipse: nearly all of it; without OpenCV the ellipse, as before."""
    pytest.importorskip("cv2")
    picture, truth = coloured(side, move=side // 20)
    found = subject(picture, Region(), Region())
    assert found.how == "cut" and overlap(found.mask, truth) > 0.93 and found.mask.dtype == np.float32
    assert np.array_equal(subject(picture, Region(), Region()).mask, found.mask)
    inner = subject(picture, Region(how="rectangle", box=(0.1, 0.1, 0.8, 0.8)), Region())
    assert inner.how == "cut" and overlap(inner.mask, truth) > 0.93
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "peephole.data.cut")
    guessed = subject(picture, Region(), Region())
    assert guessed.how == "ellipse" and overlap(guessed.mask, truth) < overlap(found.mask, truth) - 0.1


def test_where_grabcut_finds_no_subject_the_ellipse_stays():
    """Grey pictures, in which it is worse, and a pixel or two; in one colour all over it keeps to the ellipse's size."""
    pytest.importorskip("cv2")
    plain = np.full((60, 60, 3), (200, 30, 30), np.uint8)
    for picture in (coloured()[0].convert("L").convert("RGB"), coloured(8)[0].resize((1, 2)), Image.new("RGB", (1, 1), "red")):
        found = subject(picture, Region(), Region())
        assert found.how == "ellipse" and found.mask.shape == (picture.height, picture.width)
    one = subject(Image.fromarray(plain), Region(), Region())
    assert one.mask.shape == (60, 60) and 0.1 < one.mask.mean() < 0.6  # nothing to go by: something about as large as the ellipse
    assert subject(coloured(8)[0], Region(), Region()).mask.shape == (8, 8)


def test_faces_among_drawings_are_told(rooms):
    """A face region on photos without faces names the label that is left with nothing, and why."""
    pytest.importorskip("cv2")
    listing = scan(rooms)
    region = learned(Region(how="face"), listing)
    photos = load(listing, spec(32, region=region))
    assert len(photos) == 0 and {refusal.reason for refusal in photos.refused} == {"no face was found"}
    with pytest.raises(DataError, match="--region face leaves 0 of ana's 6 photos; in the others no face was found"):
        require_found(photos, listing, region)


def test_without_opencv_auto_goes_on_and_face_gives_the_command(rooms, monkeypatch):
    """A computer without the camera extra: `auto` names it among the reasons, `face` says what to install, nothing breaks."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "peephole.data.face", raising=False)
    region, why = choose(scan(rooms))
    assert region.how == "whole" and "face: this needs cv2, which is not installed)" in why
    assert seeker(scan(rooms), Region()).how == "whole"
    with pytest.raises(MissingExtra) as error:
        learned(Region(how="face"), scan(rooms))
    assert error.value.hint == 'pip install "peephole[camera]"'
