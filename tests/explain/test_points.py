"""What a map is drawn of: the known examples in a model file, or the photos of a folder."""

import numpy as np
import pytest
from PIL import Image

from peephole.base.errors import DataError, MissingInput, ModelFileError
from peephole.decide.predictor import load
from peephole.explain.points import known_points, photo_points


@pytest.fixture
def predictor(tiny_model_path):
    """The tiny model."""
    return load(tiny_model_path)


def put(root, name, pixels):
    """Save pixels uint8 (8, 8, 1) as a photo."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:, :, 0]).save(path)


def test_known_examples_come_out_of_the_file(predictor, tiny_photos, tmp_path):
    """Names and labels are the card's, and a photo of a known example lies exactly on it: its cosine is the graph's similarity."""
    known = known_points(predictor)
    assert known.names == ("left-1", "left-2", "top-1") and known.labels == ("left", "left", "top")
    put(tmp_path, "left/a.png", tiny_photos["left-1"])
    found = photo_points(predictor, tmp_path)
    np.testing.assert_allclose(found.vectors @ known.vectors.T, predictor.engine.run(tiny_photos["left-1"]).similarity, atol=1e-6)
    assert found.centred and np.linalg.norm(found.vectors[0] - known.vectors[0]) < 1e-3


def test_folders_name_the_labels(predictor, tiny_photos, tmp_path):
    """Sub-folders are labels, unknown/ holds strangers, loose photos have no label; what is no photo is left out and said."""
    for name in ("left/a.png", "unknown/eve/b.png", "c.png", "<img src=x onerror=alert(1)>/d.png"):
        put(tmp_path, name, tiny_photos["top-1"])
    (tmp_path / "left" / "notes.txt").write_text("no photo")
    seen = []
    found = photo_points(predictor, tmp_path, progress=lambda *at: seen.append(at))
    labels = dict(zip(found.names, found.labels, strict=True))
    assert labels == {
        "left/a.png": "left",
        "unknown/eve/b.png": None,
        "c.png": "",
        "<img src=x onerror=alert(1)>/d.png": "<img src=x onerror=alert(1)>",
    }
    assert found.notes[0].startswith("1 file left out; left/notes.txt: ") and str(tmp_path) not in found.notes[0]
    assert len(found.paths) == 4 and seen[-1] == (5, 5)


def test_what_is_no_folder_of_photos_is_refused(predictor, tmp_path):
    """Nothing there, a file, an empty folder, and one without photos."""
    with pytest.raises(MissingInput, match="is not there"):
        photo_points(predictor, tmp_path / "nothing")
    (tmp_path / "a.txt").write_text("no photo")
    with pytest.raises(DataError, match="is a file"):
        photo_points(predictor, tmp_path / "a.txt")
    with pytest.raises(DataError, match=r"no photo to put on a map; 1 file refused, the first one: a\.txt"):
        photo_points(predictor, tmp_path)


def test_a_graph_that_hides_its_centre(make_door, tmp_path, tiny_photos):
    """Its known examples cannot be mapped; photos can, by their embeddings as they are."""
    door = load(make_door())
    with pytest.raises(ModelFileError, match="does not show its known examples"):
        known_points(door)
    put(tmp_path, "ana/a.png", np.zeros((28, 28, 1), np.uint8))
    found = photo_points(door, tmp_path)
    assert not found.centred and found.vectors.shape == (1, 32)


def test_an_embedding_that_is_not_a_number_is_left_out(predictor, tiny_photos, tmp_path, monkeypatch):
    """The photo is named, the others are mapped; where none is a number there is no map."""
    for name in ("left/a.png", "left/b.png", "top/c.png"):
        put(tmp_path, name, tiny_photos["left-1"])
    run, bad = predictor.engine.run, [1]

    def answer(images):
        outputs = run(images)
        outputs.embedding[bad, 0] = np.nan
        return outputs

    monkeypatch.setattr(predictor.engine, "run", answer)
    found = photo_points(predictor, tmp_path)
    assert found.names == ("left/a.png", "top/c.png") and found.labels == ("left", "top") and len(found.vectors) == len(found.paths) == 2
    assert found.notes == ("1 file left out; left/b.png: its embedding is not a number",)
    bad[:] = [0, 1, 2]
    with pytest.raises(DataError, match=r"3 files refused, the first one: left/a\.png: its embedding is not a number"):
        photo_points(predictor, tmp_path)
