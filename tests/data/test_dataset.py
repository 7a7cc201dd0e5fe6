"""Loading accounts for every file; splits are honest, stratified and repeatable."""

import io

import numpy as np
import pytest
from pictures import folder, save, scene, spec
from PIL import Image

from peephole.base.errors import DataError
from peephole.data import dataset
from peephole.data.dataset import PhotoSet, load, split, stranger_split
from peephole.data.photos import scan
from peephole.data.prepare import prepare


def made(labels: list[int], sources: list[int] | None = None, strangers: list[int] | None = None, given: list[str] | None = None) -> PhotoSet:
    """Return examples of noise with these labels, sources, strangers and given splits."""
    count = len(labels)
    who = strangers or [-1] * count
    return PhotoSet(
        images=np.random.default_rng(0).integers(0, 256, (count, 4, 4, 1), np.uint8),
        labels=np.array(labels, np.int64),
        names=tuple("abcdefghij"[: max(labels) + 1]),
        sources=np.array(sources if sources is not None else range(count), np.int64),
        strangers=np.array(who, np.int64),
        stranger_names=tuple(f"s{i}" for i in range(max(who) + 1)),
        ids=tuple(f"x{i}.png" for i in range(count)),
        digests=tuple(f"{i:064x}" for i in range(count)),
        given=tuple(given or [""] * count),
        refused=(),
        duplicates_dropped=0,
        notes=(),
    )


def test_every_file_is_used_refused_or_a_duplicate(tmp_path):
    """Truncated files are refused on loading, equal ones dropped, pictures under two labels refused; the counts add up."""
    folder(tmp_path, {"ana": 4, "junho": 4, "unknown": 1})
    first = sorted((tmp_path / "ana").glob("*.png"))[0]
    (tmp_path / "ana" / "again.png").write_bytes(first.read_bytes())
    save(Image.open(first), tmp_path / "ana" / "again.bmp")
    (tmp_path / "ana" / "half.png").write_bytes(first.read_bytes()[:2000])
    for label in ("ana", "junho"):
        save(scene(500), tmp_path / label / "both.png")
    listing = scan(tmp_path)
    photos = load(listing, spec())
    assert listing.seen == 14
    assert len(photos) + len(photos.refused) + photos.duplicates_dropped == 14
    assert photos.duplicates_dropped == 2
    assert {refusal.id for refusal in photos.refused} == {"ana/half.png", "ana/both.png", "junho/both.png"}
    assert np.array_equal(photos.images[photos.ids.index("junho/" + sorted((tmp_path / "junho").glob("p*"))[0].name)].shape, (32, 32, 3))


def test_what_is_loaded_is_what_prepare_gives(tmp_path):
    """Each row is the prepared picture of its id, with the sha256 of its file, also after rows were dropped."""
    folder(tmp_path, {"ana": 3, "junho": 3})
    (tmp_path / "ana" / "a0.png").write_bytes(b"\x89PNG broken")
    (tmp_path / "ana" / "p0000x9.png").write_bytes(next((tmp_path / "ana").glob("p*")).read_bytes()[:1500])
    photos = load(scan(tmp_path), spec(24, "grey"))
    assert len(photos) == 6
    for at, id in enumerate(photos.ids):
        assert np.array_equal(photos.images[at], prepare(Image.open(tmp_path / id), spec(24, "grey")))
        assert photos.names[photos.labels[at]] == id.split("/")[0]
    assert len(set(photos.digests)) == 6
    assert all(len(digest) == 64 for digest in photos.digests)


def test_take_keeps_rows_together():
    """take() reorders every column alike, by numbers or by a mask."""
    photos = made([0, 0, 1, 1], sources=[0, 1, 2, 2])
    part = photos.take([3, 0])
    assert part.ids == ("x3.png", "x0.png")
    assert np.array_equal(part.images, photos.images[[3, 0]])
    assert part.sources.tolist() == [2, 0]
    assert photos.take(np.array([True, False, False, True])).ids == ("x0.png", "x3.png")
    assert len(photos.take([])) == 0


def test_too_much_for_the_memory_is_refused_before_decoding(tmp_path, monkeypatch):
    """Over the cap the error says which size would fit."""
    folder(tmp_path, {"ana": 2, "junho": 2})
    monkeypatch.setattr(dataset, "MAX_ARRAY_BYTES", 10_000)
    with pytest.raises(DataError, match="memory") as caught:
        load(scan(tmp_path), spec(64))
    assert "28 x 28" in caught.value.hint


def test_progress_is_told(tmp_path):
    """The last call says that all is done."""
    calls = []
    load(scan(folder(tmp_path, {"ana": 2, "junho": 2})), spec(8), progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (4, 4)


@pytest.mark.parametrize("each", [20, 21, 47, 300])
def test_with_enough_sources_a_part_proves(each):
    """From 20 sources per label: three parts, disjoint in sources, complete, 70 / 15 / 15 in every label."""
    labels = np.repeat([0, 1, 2], 2 * each)
    sources = np.repeat(np.arange(3 * each), 2)
    found = split(made(labels.tolist(), sources.tolist()), 1)
    assert found.role == "proof"
    parts = (found.train, found.choose, found.prove)
    assert sorted(np.concatenate(parts).tolist()) == list(range(6 * each))
    assert not set(sources[found.train]) & set(sources[found.prove]) and not set(sources[found.choose]) & set(sources[found.prove])
    assert not set(sources[found.train]) & set(sources[found.choose])
    for label in range(3):
        assert abs((labels[found.prove] == label).sum() / 2 - 0.15 * each) <= 1
        assert abs((labels[found.choose] == label).sum() / 2 - 0.15 * each) <= 1


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2), (5, 40), (4, 4, 4), (12, 12), (19, 1000)])
def test_with_few_sources_folds_hold_everything_out_once(sizes):
    """Every labelled example is held out exactly once, no source on both sides, and each fold leaves every label something to train on."""
    labels = np.concatenate([np.repeat(label, 2 * size) for label, size in enumerate(sizes)])
    sources = np.repeat(np.arange(sum(sizes)), 2)
    found = split(made(labels.tolist(), sources.tolist()), 3)
    assert found.role == "estimate"
    assert len(found.train) == len(labels) and not len(found.choose) and not len(found.prove)
    assert len(found.folds) == min(5, *sizes)
    assert sorted(np.concatenate(found.folds).tolist()) == list(range(len(labels)))
    for fold in found.folds:
        rest = np.setdiff1d(found.train, fold)
        assert not set(sources[fold]) & set(sources[rest])
        assert set(labels[rest]) == set(labels) == set(labels[fold])


def test_the_seed_decides_the_split():
    """Same seed, same split; another seed, another one."""
    photos = made([0] * 50 + [1] * 50)
    assert np.array_equal(split(photos, 4).prove, split(photos, 4).prove)
    assert not np.array_equal(split(photos, 4).prove, split(photos, 5).prove)


def test_the_folders_splits_are_honoured_and_leaks_left_out():
    """train/, val/ and test/ become train, choose and prove; a copy of a training photo in test/ proves nothing."""
    given = ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    photos = made([0, 0, 1, 1, 0, 1, 0, 1, 1], sources=[0, 1, 2, 3, 4, 5, 6, 7, 2], given=given)
    found = split(photos, 0)
    assert found.role == "proof"
    assert (found.train.tolist(), found.choose.tolist(), found.prove.tolist()) == ([0, 1, 2, 3], [4, 5], [6, 7])
    assert any("x8.png" in note for note in found.notes)


def test_a_missing_part_is_taken_from_train_when_there_is_enough():
    """With train/ and test/ only, choose comes from train by source; with train/ and val/ of a few photos all is an estimate."""
    photos = made([0, 1] * 60, given=["train"] * 100 + ["test"] * 20)
    found = split(photos, 0)
    assert len(found.choose) == 16 and set(found.choose) <= set(range(100))
    assert found.prove.tolist() == list(range(100, 120))
    few = split(made([0, 1] * 6, given=["train"] * 8 + ["val"] * 4), 0)
    assert few.role == "estimate" and len(few.train) == 12


def test_a_label_that_cannot_be_held_out_is_refused():
    """One photo, copies of one photo, none left, or none in train/: each has its sentence."""
    with pytest.raises(DataError, match="b has 1 usable photo;"):
        split(made([0, 0, 1]), 0)
    with pytest.raises(DataError, match="b's 3 photos were taken for copies of one photo"):
        split(made([0, 0, 1, 1, 1], sources=[0, 1, 2, 2, 2]), 0)
    with pytest.raises(DataError, match="b has no usable photo"):
        split(made([0, 0, 2, 2]), 0)
    with pytest.raises(DataError, match="label b has no photo in train/"):
        split(made([0, 0, 1, 1], given=["train", "train", "test", "test"]), 0)


def test_strangers_are_split_by_person():
    """From 20 strangers half choose; with fewer all prove; two folders with the same photo are one stranger."""
    people = np.repeat(np.arange(40), 3)
    photos = made([0, 0, *[-1] * 120], strangers=[-1, -1, *people.tolist()])
    choose, prove = stranger_split(photos, 0)
    assert len(choose) == len(prove) == 60
    assert not set(photos.strangers[choose]) & set(photos.strangers[prove])
    few = made([0, 0, -1, -1], strangers=[-1, -1, 0, 1])
    assert stranger_split(few, 0)[0].tolist() == [] and stranger_split(few, 0)[1].tolist() == [2, 3]
    same = made([0, 0] + [-1] * 40, sources=[0, 1, *[2 + i // 2 for i in range(40)]], strangers=[-1, -1, *range(40)])
    choose, prove = stranger_split(same, 0)
    assert not set(same.sources[choose]) & set(same.sources[prove])


def test_strangers_in_given_splits_stay_there():
    """A stranger in val/ chooses and one in test/ proves; one in both chooses."""
    photos = made([0, 0, -1, -1, -1, -1], strangers=[-1, -1, 0, 1, 2, 2], given=["train", "train", "val", "test", "test", "train"])
    choose, prove = stranger_split(photos, 0)
    assert (choose.tolist(), prove.tolist()) == ([2, 4, 5], [3])


def test_a_hundred_thousand_examples_are_split_in_a_moment():
    """Splitting 100,000 examples of 10 labels is vectorised: under two seconds even on a busy machine."""
    photos = made(np.arange(100_000).__mod__(10).tolist(), sources=(np.arange(100_000) // 20 * 10 + np.arange(100_000) % 10).tolist())
    found = split(photos, 0)
    assert len(found.train) + len(found.choose) + len(found.prove) == 100_000


def _nearest_hits(photos: PhotoSet, train: np.ndarray, prove: np.ndarray) -> np.ndarray:
    """Return whether the nearest training picture of each proving one has its label."""
    flat = photos.images.reshape(len(photos), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    return photos.labels[train][(flat[prove] @ flat[train].T).argmax(1)] == photos.labels[prove]


@pytest.fixture(scope="module")
def canary(tmp_path_factory) -> PhotoSet:
    """120 scenes under random labels, each with a re-save, a brighter frame and a slight crop: nothing but leaks can be learned."""
    root = tmp_path_factory.mktemp("canary")
    rng = np.random.default_rng(8)
    for i in range(120):
        label = ("ana", "junho")[i % 2]
        image = scene(int(rng.integers(1 << 30)), 64, 48)
        name = "".join(chr(97 + int(d)) for d in str(i))
        save(image, root / label / f"{name}.png")
        save(image, root / label / f"{name}y.jpg", quality=70)
        save(image.point(lambda v: min(255, int(v * 1.1 + 5))), root / label / f"{name}z.png")
        save(image.crop((2, 1, 63, 47)), root / label / f"{name}w.png")
    return load(scan(root), spec(16))


def test_no_leak_a_nearest_neighbour_stays_at_chance(canary):
    """With random labels a 1-NN across the split is right half of the time, within 3 standard deviations of so many sources."""
    found = split(canary, 2)
    hits = _nearest_hits(canary, found.train, found.prove)
    by_source = [hits[canary.sources[found.prove] == source].mean() for source in np.unique(canary.sources[found.prove])]
    assert len(by_source) >= 16
    assert abs(np.mean(by_source) - 0.5) <= 3 * 0.5 / len(by_source) ** 0.5


def test_the_canary_sings_when_photos_are_split_instead_of_sources(canary):
    """The planted bug: split by photo, and the same 1-NN is right almost always."""
    blind = canary.take(np.arange(len(canary)))
    object.__setattr__(blind, "sources", np.arange(len(canary)))
    found = split(blind, 2)
    assert _nearest_hits(canary, found.train, found.prove).mean() > 0.9


def test_real_layout_end_to_end(shared_data):
    """The drawn X and O load whole: two labels, proof role, nothing refused."""
    photos = load(scan(shared_data / "xo" / "drawn"), spec(28, "grey"))
    assert photos.names == ("O", "X")
    assert len(photos) + len(photos.refused) + photos.duplicates_dropped == 360
    assert split(photos, 0).role == "proof"


def test_an_exif_burst_from_files_shares_a_source(tmp_path):
    """Photos whose camera clock is 2 seconds apart are one source after loading."""
    for i, second in enumerate((0, 2, 30)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"2026:11:23 09:11:{second:02d}"
        buffer = io.BytesIO()
        scene(i).save(buffer, "JPEG", exif=exif)
        path = tmp_path / "ana" / f"{'abc'[i]}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(buffer.getvalue())
    assert load(scan(tmp_path), spec(16)).sources.tolist() == [0, 0, 1]
