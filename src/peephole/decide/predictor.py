"""What `peephole.load` returns: a model file that answers for photos, files and arrays alike."""

import html
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from peephole.base.card import Card
from peephole.base.engine import Engine, Outputs
from peephole.base.errors import InputError, PhotoError
from peephole.base.evidence import counted, describe
from peephole.base.modelfile import ModelFile, read
from peephole.base.records import Prediction
from peephole.data.motion import Background, background_of, follow, small
from peephole.data.photos import open_photo
from peephole.data.prepare import frame_of, placed
from peephole.data.region import Place
from peephole.decide.judge import judge

__all__ = ["Photo", "Predictor", "load"]

Photo = str | Path | Image.Image | np.ndarray
REGIONS = {
    "whole": "photos become",
    "rectangle": "a rectangle of each photo becomes",
    "motion": "what moved becomes",
    "face": "the largest face becomes",
}


class Predictor:
    """A model file, its engine, and the preparation its card names."""

    def __init__(self, model: ModelFile, threads: int = 1, *, engine: Engine | None = None) -> None:
        """Open the model with `threads` >= 1 threads, or take over an `engine` that is open."""
        self.model = model
        self.engine = engine or Engine(model, threads)
        self._scene: Background | None = None

    @property
    def card(self) -> Card:
        """What the model file says of itself."""
        return self.model.card

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it knows; a stranger is None."""
        return self.model.card.labels

    def prepare(self, photo: Photo) -> np.ndarray:
        """Return uint8 (H, W, C), what the network is given: a file, a Pillow image or an array uint8 (H, W) or (H, W, C).

        Raises PhotoError with the reason when the model's region finds nothing to judge, such as "no face was found".
        """
        return self._placed(photo)[0]

    def _placed(self, photo: Photo) -> tuple[np.ndarray, Place]:
        if isinstance(photo, np.ndarray):
            return placed(frame_of(photo), self.card.input, self._scene)
        if isinstance(photo, Image.Image):
            return placed(photo, self.card.input, self._scene)
        if isinstance(photo, str | Path):
            try:
                return placed(open_photo(photo), self.card.input, self._scene)
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
        if not isinstance(photo, list | tuple):
            return self.predict([photo])[0]  # type: ignore[list-item]  # the other half of Sequence is str
        if not photo:
            return []
        parts = [self._placed(one) for one in photo]
        answers = self._judged(self.engine.run(np.stack([pixels for pixels, _ in parts])))
        found = zip(answers, parts, strict=True)
        return [replace(answer, note=where.note, subjects=where.subjects, share=where.share) for answer, (_, where) in found]

    def _judged(self, outputs: Outputs) -> list[Prediction]:
        """Turn what the engine answered for N prepared photos into N predictions."""
        return judge(outputs, self.card)

    def follow(self, frame: np.ndarray) -> Prediction:
        """Answer for the next frame of the camera, uint8 (H, W, C).

        As `predict`, but a motion region's scene then moves a little towards the frame, so that it keeps up with the light of the day.
        """
        region = self.card.input.region
        try:
            return self.predict(frame)
        finally:
            if region.motion is not None:
                scene = self._scene or background_of(region.motion)
                self._scene = follow(scene, small(frame_of(frame), scene), region.motion)

    @property
    def _facts(self) -> tuple[tuple[str, str], ...]:
        card = self.card
        scores = [
            ("accuracy", f"{round(score.accuracy * score.n)} of {counted(score.n, score.unit)} held out ({score.role})")
            for score in card.scores.values()
        ]
        height, width = card.input.resize.to
        return (
            ("labels", ", ".join(self.labels)),
            ("trained on", counted(sum(card.training.examples.values()), "photo") + f": {card.training.sentence}"),
            *scores,
            *((found.claim, describe(found).partition(": ")[2]) for found in card.evidence),
            ("threshold", f"{card.unknown.threshold:.3f} on familiarity ({card.unknown.how})"),
            ("input", f"{REGIONS[card.input.region.how]} {height} x {width}, {card.input.colour}"),
        )

    def __repr__(self) -> str:
        return f"<Predictor {self.model.name}: {', '.join(self.labels[:6])}{', ...' if len(self.labels) > 6 else ''} or a stranger>"

    def __str__(self) -> str:
        return "\n".join([self.model.name, *(f"  {name}: {fact}" for name, fact in self._facts)])

    def _repr_html_(self) -> str:
        """Show the model in a notebook: what it knows, how good it is and how that is known."""
        rows = "".join(f"<tr><th>{html.escape(name)}</th><td style='text-align:left'>{html.escape(fact)}</td></tr>" for name, fact in self._facts)
        return f"<div><b>{html.escape(self.model.name)}</b><table>{rows}</table></div>"


def load(path: str | Path, threads: int = 1) -> Predictor:
    """Read a model file and open it; raises ModelFileError for a file that may not be trusted."""
    return Predictor(read(path), threads)
