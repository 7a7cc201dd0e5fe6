"""The self-test: what a model must be able to do before a door runs it, and each way to fail it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import peephole.decide.predictor
from peephole.base.engine import Outputs
from peephole.base.errors import HostileModelFile, InputError, ModelFileError, PhotoError
from peephole.base.records import Prediction
from peephole.decide.probes import plain, probes
from peephole.gateway.door import Door, load_door
from peephole.gateway.fakes import ColourEngine, ColourPredictor
from peephole.gateway.selftest import examine

COLOURS = {"ana": (200, 30, 30), "junho": (30, 30, 200)}


class Sociable(ColourEngine):
    """An engine whose answers hang on what else is asked at the same time."""

    def run(self, images: np.ndarray) -> Outputs:
        """Answer for what is half the mean of all."""
        images = images[None] if images.ndim == 3 else images
        return super().run((images * 0.5 + images.mean(0) * 0.5).astype(np.uint8))


class Mute(ColourEngine):
    """An engine whose familiarity is no number."""

    def run(self, images: np.ndarray) -> Outputs:
        """Answer NaN."""
        found = super().run(images)
        return replace(found, familiarity=found.familiarity * np.nan)


def with_engine(kind: type[ColourEngine]) -> ColourPredictor:
    model = ColourPredictor(COLOURS)
    model.engine = kind(COLOURS.values())
    return model


class Facing(ColourPredictor):
    """A model whose region finds nobody in an empty frame."""

    def predict(self, pixels: np.ndarray) -> Prediction:
        """Refuse what is all the same."""
        if pixels.std() == 0:
            raise PhotoError("no face was found", "look at the camera")
        return super().predict(pixels)


def examined(door: Door, model: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(peephole.decide.predictor, "load", lambda path: model)
    return examine(door, Path("door.onnx"))


def test_a_fit_model_passes(make_door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test is told with what there is to say; a region that finds nobody in an empty frame is right."""
    for model in (ColourPredictor(COLOURS), Facing(COLOURS)):
        fit = examined(make_door(), model, monkeypatch)
        assert [name for name, _ in fit.passed] == ["opens", "labels", "region", "answers", "arming"]
        assert fit.armed.how == "low risk" and fit.signature == b"" and fit.named.startswith("door.onnx (")


def test_answers_that_hang_on_others_are_found(make_door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch) -> None:
    """A person alone at the door must get the answer that they got among many on the bench."""
    with pytest.raises(ModelFileError, match="alone than among others"):
        examined(make_door(), with_engine(Sociable), monkeypatch)


def test_answers_that_are_no_numbers_are_found(make_door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN on a built-in picture is reason enough."""
    with pytest.raises(HostileModelFile, match="not a number"):
        examined(make_door(), with_engine(Mute), monkeypatch)


@pytest.mark.parametrize(("name", "colour"), [("black", 0), ("grey", 127), ("white", 255)])
def test_an_empty_frame_opens_for_nobody(make_door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch, name: str, colour: int) -> None:
    """A hand on the lens, fog or a lamp must not be taken for somebody who may open; for somebody who may not, it does no harm."""
    colours = {"ana": (colour,) * 3, "junho": (30, 30, 200)}
    with pytest.raises(ModelFileError, match=f"empty {name} frame for ana") as caught:
        examined(make_door(), ColourPredictor(colours), monkeypatch)
    assert "several sub-folders of unknown/" in caught.value.hint and "--false-accept 0.005" in caught.value.hint
    path = make_door().path
    path.write_text(path.read_text().replace('who = ["ana", "junho"]', 'who = ["junho"]'))
    assert examined(load_door(path), ColourPredictor(colours), monkeypatch).passed


def test_a_model_that_raises_is_not_fit(make_door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks on a built-in picture breaks at the door."""
    with pytest.raises(InputError, match="told to break"):
        examined(make_door(), ColourPredictor(COLOURS, breaks_after=2), monkeypatch)


@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3), (224, 224, 3), (17, 96, 1), (1, 1, 3)])
def test_the_built_in_pictures(shape: tuple[int, int, int]) -> None:
    """The same in every run, of the right shape, all different, none empty."""
    pictures = probes(shape, 64)
    assert pictures.dtype == np.uint8 and pictures.shape == (64, *shape)
    assert (pictures == probes(shape, 64)).all() and (pictures[:4] == probes(shape, 4)).all()
    if shape[0] > 1:
        assert len({picture.tobytes() for picture in pictures}) == 64 and all(picture.std() > 5 for picture in pictures)
    assert [name for name, _ in plain()] == ["black", "grey", "white"]
