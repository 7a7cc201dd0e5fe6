"""What the exported graph itself answers on everything held out: parity, scores and evidence for the card.

Proof is counted on the graph, not on the network: the file is what stands at the door.
"""

from dataclasses import dataclass

import numpy as np
import onnx

from peephole.base import evidence
from peephole.base.card import Card, Input, Score
from peephole.base.engine import Outputs
from peephole.base.records import Evidence, Unit
from peephole.data.dataset import PhotoSet, Split, merged_strangers
from peephole.decide.judge import accepts
from peephole.decide.threshold import clear_of
from peephole.export.onnx import Known
from peephole.export.parity import compare, run_graph
from peephole.nets.blocks import Network
from peephole.train.crossfit import HeldOut
from peephole.train.judged import Judged
from peephole.train.learner import Learner
from peephole.train.recipe import Recipe

__all__ = ["Trained", "prove"]


@dataclass(frozen=True, eq=False)
class Trained:
    """All that training leaves: the network and its recipe, the photos and who of them did what, the known examples, the line.

    `chosen` and `proving` are indices into `photos`: the known examples, and the strangers kept for proof. The learner can train more of its kind.
    """

    network: Network
    recipe: Recipe
    seconds: float
    photos: PhotoSet
    parts: Split
    spec: Input
    known: Known
    chosen: np.ndarray
    judged: Judged
    proving: np.ndarray
    learner: Learner


def prove(card: Card, trained: Trained, graph: onnx.ModelProto, unit: Unit) -> Card:
    """Return the card with parity, scores and evidence; raises ParityError when graph and network disagree.

    The threshold is raised by the millionths that keep every score counted here off the line.
    """
    photos, parts = trained.photos, trained.parts
    held = np.concatenate([parts.choose, parts.prove]) if parts.role == "proof" else parts.train
    asked = np.concatenate([held, trained.proving])
    outputs = run_graph(graph, photos.images, asked)
    line = clear_of(card.unknown.threshold, np.take_along_axis(outputs.familiarity, outputs.logits.argmax(1)[:, None], 1)[:, 0])
    card = card.model_copy(update={"unknown": card.unknown.model_copy(update={"threshold": line})})
    parity = compare(trained.network, trained.known, outputs, photos.images, asked, line=(card.unknown.threshold, card.unknown.margin))
    judges = trained.judged.held
    if len(parts.prove):
        own = _part(outputs, np.isin(asked, parts.prove))
        judges = HeldOut(own.logits, photos.labels[parts.prove], own.familiarity, parts.prove)
    found = [_false_reject(card, photos, judges, parts.role)]
    if len(trained.proving):
        at = asked[np.isin(asked, trained.proving)]
        strange = _part(outputs, np.isin(asked, trained.proving))
        found.insert(0, _false_accept(card, merged_strangers(photos.strangers[at], photos.sources[at]), strange, unit))
    right = judges.right[_first_of_sources(photos, judges.indices)]
    return card.model_copy(update={"parity": parity, "scores": {"held_out": _score(right, parts.role)}, "evidence": tuple(found)})


def _accepted(card: Card, logits: np.ndarray, familiarity: np.ndarray) -> np.ndarray:
    return accepts(logits, familiarity, card.unknown.threshold, card.unknown.margin)


def _false_accept(card: Card, who: np.ndarray, outputs: Outputs, unit: Unit) -> Evidence:
    """Count strangers, not photos: one accepted photo of a stranger is a stranger let in."""
    let_in = _accepted(card, outputs.logits, outputs.familiarity)
    return evidence.measure("false accept", len(np.unique(who[let_in])), len(np.unique(who)), unit, "proof")


def _false_reject(card: Card, photos: PhotoSet, held: HeldOut, role: str) -> Evidence:
    """Count held-out photos of known labels, one per source, that were refused or taken for another."""
    ones = _first_of_sources(photos, held.indices)
    let_in = (_accepted(card, held.logits, held.familiarity) & held.right)[ones]
    return evidence.measure("false reject", int((~let_in).sum()), len(ones), "photo", "proof" if role == "proof" else "estimate")


def _first_of_sources(photos: PhotoSet, indices: np.ndarray) -> np.ndarray:
    """Return positions within `indices` of one photo per source: copies must not count as evidence twice."""
    return np.asarray(np.unique(photos.sources[indices], return_index=True)[1])


def _score(right: np.ndarray, role: str) -> Score:
    hits, n = int(right.sum()), len(right)
    return Score(accuracy=hits / n, n=n, interval=evidence.interval(hits, n), role="proof" if role == "proof" else "estimate")


def _part(outputs: Outputs, at: np.ndarray) -> Outputs:
    return Outputs(outputs.logits[at], outputs.embedding[at], outputs.familiarity[at], outputs.similarity[at])
