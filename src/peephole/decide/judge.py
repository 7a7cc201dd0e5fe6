"""From what the engine answers to predictions: calibrated softmax, familiarity, margin, nearest known examples."""

import numpy as np

from peephole.base.card import Card
from peephole.base.engine import Outputs
from peephole.base.records import Neighbour, Prediction
from peephole.decide.familiarity import margin

__all__ = ["accepts", "judge", "softmax"]

NEAREST = 5


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return exp(z / T) / sum over the last axis, in float64; the largest is taken away first, so nothing overflows."""
    scaled = np.asarray(logits, np.float64) / temperature
    with np.errstate(invalid="ignore"):  # infinity - infinity is NaN, and whoever judges refuses that
        powers = np.exp(scaled - scaled.max(-1, keepdims=True))
        return np.asarray(powers / powers.sum(-1, keepdims=True))


def accepts(logits: np.ndarray, familiar: np.ndarray, threshold: float, least_margin: float) -> np.ndarray:
    """Return bool (N,): the best label by logits (N, L) is familiar enough (N, L) and leads by enough; NaN and infinity are never accepted."""
    best = logits.argmax(1)
    own = np.take_along_axis(familiar, best[:, None], 1)[:, 0]
    with np.errstate(invalid="ignore"):
        lead = margin(familiar, best)
    return np.asarray(np.isfinite(logits).all(1) & np.isfinite(familiar).all(1) & (own >= threshold) & (lead >= least_margin))


def judge(outputs: Outputs, card: Card) -> list[Prediction]:
    """Turn answers for N inputs into N predictions."""
    probabilities = softmax(outputs.logits, card.temperature)
    taken = accepts(outputs.logits, outputs.familiarity, card.unknown.threshold, card.unknown.margin) & np.isfinite(outputs.similarity).all(1)
    best = outputs.logits.argmax(1)
    with np.errstate(invalid="ignore"):
        leads = margin(outputs.familiarity, best)
    return [
        _one(
            card,
            probability=probabilities[i],
            familiarity=float(outputs.familiarity[i, best[i]]),
            lead=float(leads[i]),
            similarity=outputs.similarity[i],
            accepted=bool(taken[i]),
        )
        for i in range(len(best))
    ]


def _one(card: Card, *, probability: np.ndarray, familiarity: float, lead: float, similarity: np.ndarray, accepted: bool) -> Prediction:
    order = np.argsort(-probability, kind="stable")
    near = np.argsort(-similarity, kind="stable")[:NEAREST]
    unknown = card.unknown
    return Prediction(
        label=card.labels[order[0]] if accepted else None,
        probability=float(probability[order[0]]),
        familiarity=familiarity,
        margin=lead,
        ranking=tuple((card.labels[i], float(probability[i])) for i in order),
        nearest=tuple(Neighbour(unknown.known_ids[i], card.labels[unknown.known_labels[i]], float(1 - similarity[i])) for i in near),
        accepted=accepted,
        threshold=unknown.threshold,
    )
