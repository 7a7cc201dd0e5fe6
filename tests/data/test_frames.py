"""Folders of frames: every photo in it, whatever its folders are called, and the reasons for all others."""

import numpy as np
import pytest

from drawings import save
from peephole.base.errors import DataError, MissingInput
from peephole.data.frames import frames


def test_all_folders_are_frames(tmp_path):
    """A frame in a folder named like a label, or unknown/, is a frame; each is a stranger of its own; a broken file keeps its reason."""
    for name in ("a.png", "ana/b.png", "unknown/c.png"):
        save(np.zeros((8, 8), np.uint8), tmp_path / name)
    (tmp_path / "d.jpg").write_bytes(b"no photo")
    found = frames(tmp_path)
    assert [photo.id for photo in found.photos] == [photo.stranger for photo in found.photos]
    assert {photo.id for photo in found.photos} == {"a.png", "ana/b.png", "unknown/c.png"} and {photo.label for photo in found.photos} == {"unknown"}
    assert [refusal.id for refusal in found.refused] == ["d.jpg"]


def test_nothing_to_look_at(tmp_path):
    """No folder, a file, an empty folder: each says which."""
    with pytest.raises(MissingInput, match="not there"):
        frames(tmp_path / "absent")
    with pytest.raises(DataError, match="is a file"):
        frames(save(np.zeros((8, 8), np.uint8), tmp_path / "one.png"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no frame that can be read"):
        frames(tmp_path / "empty")
