"""People whom a gate got to know after its model was trained: their embeddings beside the model file, and what they change in an answer.

The same method as the graph's own familiarity, in numpy: the model file stays as it is. Knows nothing of files or of who confirmed what.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from peephole.base.card import Card
from peephole.base.engine import Engine, Outputs
from peephole.base.modelfile import ModelFile
from peephole.base.records import Neighbour, Prediction
from peephole.decide.familiarity import familiarity, margin, similarity
from peephole.decide.judge import NEAREST, accepts, softmax
from peephole.decide.predictor import Predictor

__all__ = ["Acquainted", "Gallery", "Standing", "judge_with", "stand"]

# A cosine of 1 in logits, as where the practised network is trained on: the model has no logit for somebody it never learned.
SHARPNESS = 16.0


@dataclass(frozen=True, eq=False)
class Gallery:
    """Examples of people beside a model: `embeddings` float32 (G, D) as the graph gives them, `who` and `ids` one of each.

    `centre` (D,) is what the model's graph takes from every embedding before the cosine.
    """

    embeddings: np.ndarray
    who: tuple[str, ...]
    ids: tuple[str, ...]
    centre: np.ndarray

    def labels(self, trained: tuple[str, ...]) -> tuple[str, ...]:
        """Return the trained labels, then those that stand in the gallery alone, sorted."""
        return (*trained, *sorted(set(self.who) - set(trained)))

    def take(self, keep: np.ndarray) -> "Gallery":
        """Return the examples at bool or int `keep` alone."""
        at = np.arange(len(self.who))[keep]
        return Gallery(self.embeddings[at], tuple(self.who[i] for i in at), tuple(self.ids[i] for i in at), self.centre)


@dataclass(frozen=True, eq=False)
class Standing:
    """How N inputs stand to everybody known: `similarity` (N, M + G) to the model's examples, then the gallery's; `familiarity` (N, L).

    `best` (N,) indexes `labels` (trained first): whom each is taken for; `accepted` bool (N,).
    """

    labels: tuple[str, ...]
    similarity: np.ndarray
    familiarity: np.ndarray
    best: np.ndarray
    accepted: np.ndarray


def stand(outputs: Outputs, card: Card, gallery: Gallery) -> Standing:
    """Compare what the engine answered for N inputs with the model's people and the gallery's.

    Somebody of the gallery is taken when nobody is nearer, at the card's own threshold and margin, and the model alone would call it a stranger.
    For all others the network's logits decide as before, and a gallery can only refuse them: who is nearer to somebody else is not let in. So
    where the network knows somebody whom the gallery thinks somebody else, nobody is let in. NaN and infinity are never accepted.
    """
    trained, labels = len(card.labels), gallery.labels(card.labels)
    similar = np.concatenate([outputs.similarity, similarity(outputs.embedding, gallery.embeddings, gallery.centre)], 1)
    owners = np.array([*card.unknown.known_labels, *(labels.index(who) for who in gallery.who)], np.int64)
    familiar = familiarity(similar, owners, len(labels), card.unknown.k)
    # To the last bit what the graph says, wherever the gallery adds nothing.
    untouched = [at for at, label in enumerate(card.labels) if label not in gallery.who]
    familiar[:, untouched] = outputs.familiarity[:, untouched]
    nearest = familiar.argmax(1)
    alone = accepts(outputs.logits, outputs.familiarity, card.unknown.threshold, card.unknown.margin)
    best = np.where((nearest >= trained) & ~alone, nearest, outputs.logits.argmax(1))
    own = np.take_along_axis(familiar, best[:, None], 1)[:, 0]
    sound = np.isfinite(outputs.logits).all(1) & np.isfinite(familiar).all(1) & np.isfinite(similar).all(1)
    accepted = sound & (own >= card.unknown.threshold) & (margin(familiar, best) >= card.unknown.margin)
    return Standing(labels, similar, familiar, best, accepted)


def judge_with(outputs: Outputs, card: Card, gallery: Gallery) -> list[Prediction]:
    """Turn answers for N inputs into N predictions, the people of the gallery among them; `card` is the model file's.

    For somebody of the gallery the model has no logit: `probability` is then the softmax of 16 times the familiarity over all labels, which
    nobody calibrated. It decides nothing.
    """
    found = stand(outputs, card, gallery)
    learned, near = softmax(outputs.logits, card.temperature), softmax(SHARPNESS * found.familiarity)
    leads = margin(found.familiarity, found.best)
    names = [(card.unknown.known_ids[at], card.labels[label]) for at, label in enumerate(card.unknown.known_labels)]
    names += list(zip(gallery.ids, gallery.who, strict=True))
    answers = []
    for at, best in enumerate(found.best):
        shares = learned[at] if best < len(card.labels) else near[at]
        # Whoever is taken stands first, also where rounding makes two shares one.
        order = np.lexsort((np.arange(len(shares)) != best, -shares))
        nearest = np.argsort(-found.similarity[at], kind="stable")[:NEAREST]
        answers.append(
            Prediction(
                label=found.labels[best] if found.accepted[at] else None,
                probability=float(shares[best]),
                familiarity=float(found.familiarity[at, best]),
                margin=float(leads[at]),
                ranking=tuple((found.labels[label], float(shares[label])) for label in order),
                nearest=tuple(Neighbour(names[i][0], names[i][1], float(1 - found.similarity[at, i])) for i in nearest),
                accepted=bool(found.accepted[at]),
                threshold=card.unknown.threshold,
            )
        )
    return answers


class Acquainted(Predictor):
    """A predictor that also knows the people of a gallery.

    `card` is the card as it stands here, with everybody's label and the evidence that still holds; `model.card` stays the file's own.
    """

    def __init__(self, model: ModelFile, engine: Engine, gallery: Gallery, card: Card) -> None:
        """Take an open engine over: one session serves both."""
        super().__init__(model, engine=engine)
        self.gallery, self._card = gallery, card

    @property
    def card(self) -> Card:
        """The card with everybody who is known here."""
        return self._card

    @property
    def labels(self) -> tuple[str, ...]:
        """Everybody who is known here; a stranger is None."""
        return self._card.labels

    def _judged(self, outputs: Outputs) -> list[Prediction]:
        """Judge by the model's examples and the gallery's."""
        return judge_with(outputs, self.model.card, self.gallery)

    @property
    def _facts(self) -> tuple[tuple[str, str], ...]:
        met = ", ".join(f"{name} ({count})" for name, count in sorted(Counter(self.gallery.who).items()))
        return (*super()._facts, ("enrolled here", f"{met} photos"))
