"""What load() returns: it answers for files, pictures, arrays and lists, and says what is no photo."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

import peephole
from peephole.base.errors import HostileModelFile, InputError, MissingInput, PhotoError


@pytest.fixture
def predictor(tiny_model_path):
    """The tiny model, opened."""
    return peephole.load(tiny_model_path)


@pytest.fixture
def saved(tiny_photos, tmp_path):
    """Return a function that saves a tiny photo as a file."""

    def save(name):
        path = tmp_path / f"{name}.png"
        Image.fromarray(tiny_photos[name][:, :, 0]).save(path)
        return path

    return save


def test_path_text_picture_and_array_answer_alike(predictor, saved, tiny_photos):
    """A path, its text, a Pillow image, and arrays of all three shapes give one and the same prediction."""
    path, pixels = saved("left-1"), tiny_photos["left-1"]
    first = predictor.predict(path)
    assert first.label == "left"
    assert predictor.predict(str(path)) == first
    with Image.open(path) as image:
        assert predictor.predict(image) == first
    for array in (pixels, pixels[:, :, 0], np.repeat(pixels, 3, 2)):
        assert predictor.predict(array) == first


def test_a_list_answers_as_one_by_one(predictor, saved, tiny_photos):
    """Order kept, kinds mixed, a tuple as good as a list; nothing in, nothing out."""
    photos = [saved("top-1"), tiny_photos["stranger"], Image.fromarray(tiny_photos["left-2"][:, :, 0])]
    together = predictor.predict(photos)
    assert [one.label for one in together] == ["top", None, "left"]
    assert together == [predictor.predict(photo) for photo in photos] == predictor.predict(tuple(photos))
    assert predictor.predict([]) == []


def test_more_than_a_batch(predictor, tiny_photos):
    """200 photos at once, each with its own answer."""
    names = ["left-1", "top-1", "stranger", "left-2"] * 50
    found = predictor.predict([tiny_photos[name] for name in names])
    assert [one.label for one in found] == ["left", "top", None, "left"] * 50


@pytest.mark.parametrize("wrong", [5, None, 3.5, b"bytes", {"a": 1}, object(), io.BytesIO(b"")])
def test_the_wrong_type_is_named(predictor, wrong):
    """An InputError that says what a photo may be, alone and inside a list."""
    for asked in (wrong, [wrong]):
        with pytest.raises(InputError, match=type(wrong).__name__) as refused:
            predictor.predict(asked)
        assert "path" in refused.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((8, 8), np.float32),
        np.zeros((8, 8, 2), np.uint8),
        np.zeros((0, 8), np.uint8),
        np.zeros(8, np.uint8),
        np.zeros((2, 8, 8, 1), np.uint8),
        np.zeros((8, 8), bool),
    ],
)
def test_arrays_that_are_no_picture(predictor, wrong):
    """Floats, two channels, nothing, one row, a whole batch: refused with the shape that is wanted."""
    with pytest.raises(InputError, match="uint8"):
        predictor.predict(wrong)


def test_a_file_that_is_not_there_or_no_photo(predictor, tmp_path):
    """The sentence says which."""
    with pytest.raises(MissingInput):
        predictor.predict(tmp_path / "absent.png")
    (tmp_path / "text.jpg").write_text("this is no photo")
    with pytest.raises(PhotoError):
        predictor.predict(tmp_path / "text.jpg")


def test_a_large_colour_photo_is_prepared_as_the_card_says(predictor, tiny_photos):
    """Any size and mode: what is bright on the left at 640 x 480 in colour is still left."""
    picture = Image.fromarray(tiny_photos["left-1"][:, :, 0]).resize((640, 640)).convert("RGB")
    assert predictor.predict(picture).label == "left"
    assert predictor.prepare(picture).shape == (8, 8, 1)


def test_it_says_what_it_is(predictor):
    """File and labels, in one line; the card is at hand."""
    assert repr(predictor) == "<Predictor tiny.onnx: left, top or a stranger>"
    assert predictor.labels == predictor.card.labels == ("left", "top")


def test_threads_change_no_answer(tiny_model_path, tiny_photos):
    """Two threads give what one gives; none cannot run."""
    pixels = list(tiny_photos.values())
    assert peephole.load(tiny_model_path, threads=2).predict(pixels) == peephole.load(tiny_model_path).predict(pixels)
    with pytest.raises(InputError):
        peephole.load(tiny_model_path, threads=0)


def test_a_broken_file_is_refused(tiny_model_path, tmp_path):
    """Truncated in the middle."""
    (tmp_path / "cut.onnx").write_bytes(tiny_model_path.read_bytes()[:-200])
    with pytest.raises(HostileModelFile):
        peephole.load(tmp_path / "cut.onnx")


def test_a_predictor_shows_itself(tiny_model_path):
    """One line as repr; labels, evidence with its count, threshold and input as str and, escaped, in a notebook."""
    model = peephole.load(tiny_model_path)
    assert repr(model) == "<Predictor tiny.onnx: left, top or a stranger>"
    for part in ("labels: left, top", "false accept: 0 of 1 stranger; the true rate is at most 95 %", "threshold: 0.900", "8 x 8, grey"):
        assert part in str(model)
    renamed = peephole.Predictor(
        dataclasses.replace(model.model, name="<i>.onnx", card=model.card.model_copy(update={"labels": ("<script>", "top")}))
    )
    shown = renamed._repr_html_()
    assert "&lt;script&gt;" in shown and "<script>" not in shown and "<i>" not in shown
