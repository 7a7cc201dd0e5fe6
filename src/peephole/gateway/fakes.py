"""A model to try a gate with before there is one: it knows people by the colour they wear.

A peer of the real predictor: tests, examples and users call it in the same way.
"""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from peephole.base.card import Card, Input, Parity, Resize, Training, Unknown
from peephole.base.engine import Outputs
from peephole.base.errors import InputError
from peephole.base.modelfile import ModelFile
from peephole.base.records import Evidence, Neighbour, Prediction

__all__ = ["ColourEngine", "ColourPredictor", "card_for"]

THRESHOLD = 0.8


class ColourEngine:
    """Says how near the mean of each picture is to each colour; a peer of the real engine."""

    def __init__(self, colours: Iterable[tuple[int, int, int]]) -> None:
        self._colours = np.array(list(colours), np.float64)

    def run(self, images: np.ndarray) -> Outputs:
        """Answer for uint8 images (N, H, W, C) or one image (H, W, C); grey is as much red as green and blue."""
        images = images[None] if images.ndim == 3 else images
        seen = np.stack([np.broadcast_to(image[..., :3].reshape(-1, min(3, image.shape[2])).mean(axis=0), 3) for image in images])
        near = 1 - np.abs(seen[:, None] - self._colours).max(-1) / 255
        return Outputs(near * 10, seen, near, np.empty((len(images), 0)))


class ColourPredictor:
    """Says whose colour (red, green, blue; each 0..255) the mean of a frame is nearest to.

    Familiarity is 1 - distance / 255; below 0.8 it is a stranger. `breaks_after` answers, it raises, like a model that fails.
    """

    def __init__(self, colours: Mapping[str, tuple[int, int, int]], *, evidence: Iterable[Evidence] = (), breaks_after: int | None = None) -> None:
        self._colours = dict(sorted(colours.items()))
        self._left = breaks_after
        self.engine = ColourEngine(self._colours.values())
        self.card = card_for(self._colours, evidence)
        self.labels = self.card.labels
        self.model = ModelFile("colour", self.card, hashlib.sha256(repr(self._colours).encode()).hexdigest(), b"")

    def predict(self, pixels: np.ndarray) -> Prediction:
        """Answer for uint8 pixels (H, W, C); raises InputError once it is to break."""
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise InputError("the colour model was told to break", "set breaks_after = None")
        near = dict(zip(self._colours, map(float, self.engine.run(pixels).familiarity[0]), strict=True))
        ranking = sorted(near.items(), key=lambda item: -item[1])
        best, familiarity = ranking[0]
        margin = familiarity - (ranking[1][1] if len(ranking) > 1 else 0.0)
        total = sum(max(value, 1e-9) for value in near.values())
        accepted = familiarity >= THRESHOLD
        return Prediction(
            label=best if accepted else None,
            probability=familiarity / total if total else 0.0,
            familiarity=familiarity,
            margin=margin,
            ranking=tuple((label, max(value, 1e-9) / total) for label, value in ranking),
            nearest=(Neighbour(f"{best}/colour", best, 1 - familiarity),),
            accepted=accepted,
            threshold=THRESHOLD,
        )

    def follow(self, frame: np.ndarray) -> Prediction:
        """Answer for the next frame as `predict` does: it knows no scene that could change."""
        return self.predict(frame)


def card_for(labels: Iterable[str], evidence: Iterable[Evidence] = ()) -> Card:
    """Return a card as a model with these labels and this evidence would carry it."""
    labels = tuple(labels)
    return Card(
        kind="photo",
        labels=labels,
        input=Input(shape=("N", 32, 32, 3), resize=Resize(to=(32, 32)), colour="rgb"),
        outputs={"logits": ("N", len(labels))},
        layers=(),
        unknown=Unknown(k=1, threshold=THRESHOLD, how="set by hand", known_labels=(), known_digests=(), known_ids=()),
        temperature=1.0,
        evidence=tuple(evidence),
        training=Training(examples=dict.fromkeys(labels, 1), sources=len(labels), digests=(), recipe={}, sentence="nothing was trained", seed=0),
        parity=Parity(max_difference=0.0, changed_decisions=0, n=1),
        software={},
    )
