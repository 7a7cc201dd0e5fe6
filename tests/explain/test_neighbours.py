"""Nearest known examples, familiarity, and pictures only where they are given."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from peephole.base.card import Unknown
from peephole.base.errors import DataError, MissingInput
from peephole.explain.neighbours import familiarities, find_pictures, nearest

CARD = Unknown(k=2, threshold=0.5, how="set", known_labels=(0, 0, 0, 1), known_digests=("a", "b", "c", "d"), known_ids=("1", "2", "3", "4"))


def test_nearest_first():
    """Examples come by similarity; distance is 1 - similarity."""
    found = nearest(np.array([0.1, 0.9, 0.5, 0.7], np.float32), CARD, {}, most=3)
    assert [known.id for known in found] == ["2", "4", "3"]
    assert found[0].distance == pytest.approx(0.1)
    assert [known.label for known in found] == [0, 1, 0]


def test_familiarity_is_the_mean_of_the_nearest():
    """Each label has its k nearest, or all it has."""
    found = familiarities(np.array([0.1, 0.9, 0.5, 0.7]), np.array([0.7, 0.7]), CARD)
    assert [each.similarities for each in found] == [(0.9, 0.5), (0.7,)]
    assert [each.mean for each in found] == pytest.approx([0.7, 0.7])


def test_pictures_are_found_by_digest(tmp_path):
    """Only a file with the example's very bytes is its picture, whatever it is called; a broken file is passed over."""
    buffer = io.BytesIO()
    Image.new("RGB", (200, 100), "red").save(buffer, "PNG")
    (tmp_path / "somebody").mkdir()
    (tmp_path / "somebody" / "renamed.png").write_bytes(buffer.getvalue())
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    digests = {hashlib.sha256(data).hexdigest() for data in (buffer.getvalue(), b"not a picture")}
    found = find_pictures(tmp_path, digests | {"0" * 64})
    assert list(found) == [hashlib.sha256(buffer.getvalue()).hexdigest()]
    assert max(next(iter(found.values())).size) <= 96


def test_no_folder(tmp_path):
    """A folder that is not there, or is a file, is the user's to put right."""
    with pytest.raises(MissingInput):
        find_pictures(tmp_path / "nowhere", {"x"})
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError):
        find_pictures(tmp_path / "file", {"x"})
