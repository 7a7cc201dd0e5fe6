"""Where pixels lie: in memory while they fit, else in a file that leaves nothing behind."""

import numpy as np
import pytest
from PIL import Image

from peephole.base.card import Input, Resize
from peephole.base.errors import OutputError, SettingsError
from peephole.data import pixels
from peephole.data.dataset import load
from peephole.data.photos import scan
from peephole.data.pixels import Room, file_of, free_memory, opened
from peephole.export.build import build
from peephole.train.recipe import Options

SPEC = Input(shape=("N", 16, 16, 3), resize=Resize(to=(16, 16), fit="cover"), colour="rgb")


@pytest.fixture
def photos(tmp_path):
    """Twelve photos of each of two labels, one of them twice."""
    rng = np.random.default_rng(0)
    for label in ("ana", "ben"):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for number in range(12):
            at = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            at[:, : 8 if label == "ana" else 16] //= 4
            Image.fromarray(at).save(folder / f"{number}.png")
        (folder / "again.png").write_bytes((folder / "3.png").read_bytes())
    return tmp_path / "photos"


def test_a_set_on_disk_is_the_set_in_memory(photos, tmp_path):
    """Same pixels, same order, the duplicate dropped; the file's name is gone at once."""
    here, there = load(scan(photos), SPEC), load(scan(photos), SPEC, room=Room(tmp_path, 1000))
    assert isinstance(there.images, np.memmap) and not isinstance(here.images, np.memmap)
    np.testing.assert_array_equal(here.images, there.images)
    assert here.ids == there.ids and len(here) == 24
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_what_fits_stays_in_memory(tmp_path):
    """By the number given, or by half of what is free."""
    assert not isinstance(Room(tmp_path, 1000).array((10, 10, 10, 1), "ten"), np.memmap)
    assert isinstance(Room(tmp_path, 999).array((10, 10, 10, 1), "ten"), np.memmap)
    assert free_memory() > 0 and not isinstance(Room(tmp_path).array((1, 2, 2, 1), "one"), np.memmap)


def test_another_process_opens_the_same_file(tmp_path):
    """A named file is shared; writing to what was opened changes nobody else's."""
    own = Room(tmp_path, named=True).array((3, 2, 2, 1), "three")
    own[1] = 7
    other = opened(file_of(own), own.shape)
    assert other[1].max() == 7
    other[1] = 9
    assert own[1].max() == 7
    file_of(own).unlink()


def test_a_full_disk_is_told_before_anything_is_decoded(tmp_path, monkeypatch):
    """What is needed, what is free, and three ways out."""
    monkeypatch.setattr(pixels, "SPARE", 10**18)
    with pytest.raises(OutputError, match=r"100 photos take .* GB of disk free") as told:
        Room(tmp_path, 0).array((100, 8, 8, 3), "100 photos")
    assert "--size" in told.value.hint and not list(tmp_path.iterdir())


def test_a_network_learns_the_same_from_disk(photos, tmp_path):
    """Every weight of the file to the bit."""
    options = Options(network="plain", steps=8, threads=1)
    files = [build(photos, tmp_path / f"{memory}.onnx", options, memory=memory).path.read_bytes() for memory in (1.0, 0.0)]
    assert len(files[0]) == len(files[1]) and files[0] == files[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.0.onnx", "1.0.onnx", "photos"]


def test_memory_out_of_range(photos, tmp_path):
    """Said before anything is read."""
    with pytest.raises(SettingsError, match="memory is between 0"):
        build(photos, tmp_path / "m.onnx", memory=-1)
