"""What `peephole.load` returns: a model file that answers for photos, files and arrays alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from peephole.base.card import Card
from peephole.base.engine import Engine
from peephole.base.errors import InputError, PhotoError
from peephole.base.modelfile import ModelFile, read
from peephole.base.records import Prediction
from peephole.data.photos import open_photo
from peephole.data.prepare import prepare, prepare_array
from peephole.decide.judge import judge

__all__ = ["Photo", "Predictor", "load"]

Photo = str | Path | Image.Image | np.ndarray


class Predictor:
    """A model file, its engine, and the preparation its card names."""

    def __init__(self, model: ModelFile, threads: int = 1) -> None:
        """Open the model with `threads` >= 1 threads."""
        self.model = model
        self.engine = Engine(model, threads)

    @property
    def card(self) -> Card:
        """What the model file says of itself."""
        return self.model.card

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it knows; a stranger is None."""
        return self.model.card.labels

    def prepare(self, photo: Photo) -> np.ndarray:
        """Return uint8 (H, W, C), what the network is given: a file, a Pillow image or an array uint8 (H, W) or (H, W, C)."""
        if isinstance(photo, np.ndarray):
            return prepare_array(photo, self.card.input)
        if isinstance(photo, Image.Image):
            return prepare(photo, self.card.input)
        if isinstance(photo, str | Path):
            try:
                return prepare(open_photo(photo), self.card.input)
            except PhotoError as error:  # the reason alone does not say which of many
                raise PhotoError(f"{photo}: {error.what}", error.hint) from error
        # A number would be taken for an open file's, and that file would be read and closed.
        raise InputError(f"{type(photo).__name__} is no photo", "give a path, a Pillow image, an array of uint8, or a list of these")

    @overload
    def predict(self, photo: Photo) -> Prediction: ...  # type: ignore[overload-overlap]  # a str is a Photo before it is a sequence
    @overload
    def predict(self, photo: Sequence[Photo]) -> list[Prediction]: ...
    def predict(self, photo: Photo | Sequence[Photo]) -> Prediction | list[Prediction]:
        """Answer for one photo, or for a list of them; raises InputError for what is no photo."""
        if isinstance(photo, list | tuple):
            return judge(self.engine.run(np.stack([self.prepare(one) for one in photo])), self.card) if photo else []
        return judge(self.engine.run(self.prepare(photo)), self.card)[0]  # type: ignore[arg-type]  # the other half of Sequence is str

    def __repr__(self) -> str:
        return f"<Predictor {self.model.name}: {', '.join(self.labels[:6])}{', ...' if len(self.labels) > 6 else ''} or a stranger>"


def load(path: str | Path, threads: int = 1) -> Predictor:
    """Read a model file and open it; raises ModelFileError for a file that may not be trusted."""
    return Predictor(read(path), threads)
