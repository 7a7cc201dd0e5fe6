"""Copies of one photo share a source; different photos, drawings and digits do not."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pictures import scene
from PIL import Image, ImageEnhance, ImageOps

from peephole.data.copies import group, same_pixels, thumbnail
from peephole.data.photos import Photo


def _photo(id: str, *, taken: float | None = None, split: str = "", stranger: str = "") -> Photo:
    label = id.split("/", maxsplit=1)[0]
    return Photo(Path("/photos") / id, id, label, stranger, split, 128, 96, "RGB", 1, taken)


def _sources(pictures: dict[str, Image.Image], side: int = 64) -> dict[str, int]:
    photos = [_photo(id) for id in pictures]
    found = group(photos, np.stack([thumbnail(image, side) for image in pictures.values()]))
    return dict(zip(pictures, found.sources.tolist(), strict=True))


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def _noisy(image: Image.Image, deviation: float) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, deviation, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image.convert("RGB")) + noise, 0, 255).astype(np.uint8))


def _crop(image: Image.Image, share: float, where: float) -> Image.Image:
    wide, high = round(image.width * share**0.5), round(image.height * share**0.5)
    left, top = round((image.width - wide) * where), round((image.height - high) * (1 - where))
    return image.crop((left, top, left + wide, top + high))


COPIES = {
    "saved again as JPEG": lambda im: _jpeg(im, 30),
    "half the size": lambda im: im.resize((im.width // 2, im.height // 2)),
    "cropped to 90 %": lambda im: _crop(im, 0.9, 0.2),
    "cropped to 70 %, a corner": lambda im: _crop(im, 0.7, 0.0),
    "cropped to 70 %, the middle": lambda im: _crop(im, 0.7, 0.5),
    "darker": lambda im: ImageEnhance.Brightness(im).enhance(0.6),
    "less contrast": lambda im: ImageEnhance.Contrast(im).enhance(0.6),
    "turned by 10 degrees": lambda im: im.rotate(10, Image.Resampling.BILINEAR),
    "noisy": lambda im: _noisy(im, 10),
    "flipped": ImageOps.mirror,
    "grey": lambda im: im.convert("L"),
    "flipped, turned and noisy": lambda im: _noisy(ImageOps.mirror(im).rotate(-5, Image.Resampling.BILINEAR), 6),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_shares_the_source_of_its_original(how):
    """Among 12 scenes and one copy of each, every copy (11 of 12 at least) finds its original and no scene another."""
    pictures = {f"ana/{chr(97 + i)}": scene(i) for i in range(12)}
    copies = {f"ana/{chr(97 + i)}{chr(97 + i)}": COPIES[how](scene(i)) for i in range(12)}
    sources = _sources(pictures | copies)
    found = sum(sources[f"ana/{chr(97 + i)}"] == sources[f"ana/{chr(97 + i)}{chr(97 + i)}"] for i in range(12))
    assert found >= 11
    assert len({sources[id] for id in pictures}) == 12


def test_different_scenes_are_different_sources():
    """Of 300 scenes none is merged with another."""
    sources = _sources({f"{'ana' if i % 2 else 'junho'}/x{i}q": scene(1000 + i, 64, 48) for i in range(300)})
    assert len(set(sources.values())) == 300


def _merged(folder: list[tuple[str, Image.Image]]) -> float:
    """Return the share of honest pictures that lost their own source."""
    sources = _sources({f"{label}/{chr(97 + i % 26)}{i}q{chr(97 + i % 7)}": image for i, (label, image) in enumerate(folder)})
    return 1 - len(set(sources.values())) / len(folder)


def test_honest_digits_and_drawings_are_rarely_merged(shared_data):
    """Of 200 MNIST ones, the most alike pictures there are, at most 5 % are merged; of 120 drawn X and O at most 2 %."""
    with zipfile.ZipFile(shared_data / "mnist" / "mnist_png.zip") as archive:
        names = [name for name in archive.namelist() if name.startswith("train/1/") and name.endswith(".png")][:200]
        ones = [("1", Image.open(io.BytesIO(archive.read(name))).convert("L")) for name in names]
    drawn = [(path.parent.name, Image.open(path).convert("L")) for path in sorted((shared_data / "xo" / "drawn").glob("*/*.png"))[::3]]
    assert _merged(ones) <= 0.05
    assert _merged(drawn) <= 0.02


def test_honest_photos_are_not_merged_and_their_copies_are_found(shared_data):
    """Of 150 cats and dogs none is merged, and 95 % of crops, flips and re-saves of them find their original."""
    paths = sorted((shared_data / "cats-dogs" / "128x128" / "1000").glob("*.jpg"))[::7][:150]
    pictures = {f"{path.name[:3]}/{path.stem}": Image.open(path).convert("RGB") for path in paths}
    assert len(set(_sources(pictures).values())) == len(pictures)
    ways = list(COPIES.values())
    some = list(pictures)[:60]
    copies = {f"{id}~": ways[i % len(ways)](pictures[id]) for i, id in enumerate(some)}
    sources = _sources(pictures | copies)
    assert np.mean([sources[id] == sources[f"{id}~"] for id in some]) >= 0.95


def test_many_photos_are_searched_in_buckets():
    """Beyond 3,000 photos re-saved and noisy copies are still found, and the notes say what was not searched."""
    rng = np.random.default_rng(0)
    tiny = np.clip(rng.normal(128, 50, (1600, 8, 8)), 0, 255).astype(np.uint8)
    originals = [Image.fromarray(picture).resize((32, 32), Image.Resampling.BICUBIC) for picture in tiny]
    changed = [np.clip(np.asarray(image) * 0.8 + rng.normal(0, 1, (32, 32)), 0, 255).astype(np.uint8) for image in originals]
    thumbnails = np.concatenate([np.stack([np.asarray(image) for image in originals]), np.stack(changed)])
    found = group([_photo(f"ana/{i}q") for i in range(3200)], thumbnails)
    assert np.mean(found.sources[:1600] == found.sources[1600:]) >= 0.97
    assert len(set(found.sources[:1600].tolist())) == 1600
    assert any("3,000" in note for note in found.notes)


def test_a_burst_shares_a_source_whatever_it_shows():
    """Photos of one label within 3 seconds are one source; later ones, other labels and unset clocks are not."""
    times = [("ana/a", 100.0), ("ana/b", 102.0), ("ana/c", 104.0), ("ana/d", 110.0), ("junho/e", 101.0)]
    photos = [_photo(id, taken=time) for id, time in times]
    sources = group(photos, np.stack([thumbnail(scene(i), 64) for i in range(5)])).sources.tolist()
    assert sources == [0, 0, 0, 1, 2]
    unset = [_photo(f"ana/q{i}q", taken=0.0) for i in range(40)]
    found = group(unset, np.stack([thumbnail(scene(i, 64, 48), 64) for i in range(40)]))
    assert len(set(found.sources.tolist())) == 40
    assert any("same second" in note for note in found.notes)


def test_the_same_photo_under_two_labels_is_told():
    """A re-save under another label is linked as a conflict; equal pixels under two labels are refused on both sides."""
    pictures = {f"ana/{chr(97 + i)}": scene(i) for i in range(6)} | {"junho/x": _jpeg(scene(2), 60)}
    found = group([_photo(id) for id in pictures], np.stack([thumbnail(image, 64) for image in pictures.values()]))
    assert [(link.first, link.second, link.how) for link in found.links] in (
        [("ana/c", "junho/x", "same photo under two labels")],
        [("junho/x", "ana/c", "same photo under two labels")],
    )
    copies = same_pixels([_photo("ana/a"), _photo("junho/b"), _photo("ana/c")], [b"1", b"1", b"2"])
    assert copies.keep == (2,)
    assert [id for id, _, _ in copies.conflicts] == ["ana/a", "junho/b"]
    assert copies.conflicts[0][1] == "junho/b" and "junho" in copies.conflicts[0][2]


def test_of_exact_duplicates_the_training_copy_stays():
    """Equal pixels in train/ and test/ count once, in train/, and the notes say so."""
    copies = same_pixels([_photo("ana/a", split="test"), _photo("ana/b", split="train")], [b"1", b"1"])
    assert copies.keep == (1,)
    assert copies.duplicates == (("ana/a", "ana/b"),)
    assert "two splits" in copies.notes[0]


def test_flat_pictures_are_not_copies_of_everything():
    """Blank pictures of different grey have no detail to compare and stay apart from the others."""
    pictures = {f"ana/{chr(97 + i)}": scene(i) for i in range(5)} | {"ana/w": Image.new("L", (50, 50), 255), "ana/k": Image.new("L", (50, 50), 0)}
    assert len(set(_sources(pictures).values())) == 7
