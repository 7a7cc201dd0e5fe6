"""Holding out what the split allows, to choose the temperature and the line between the known and strangers."""

from dataclasses import dataclass

import numpy as np

from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet, Split
from peephole.decide.familiarity import centre_of, choose_known, familiarity, similarity
from peephole.decide.threshold import Line
from peephole.nets.blocks import Network
from peephole.train.calibrate import line_for, temperature
from peephole.train.crossfit import HeldOut, fewer, groups_of, held_out, labels_in_turn
from peephole.train.learner import Learner
from peephole.train.loop import answers_of
from peephole.train.practice import invented

__all__ = ["Judged", "judge_by_holding_out", "known_examples", "parts_held_out"]

# Steps of the final training that all folds together may take, and all groups of labels together.
CROSS_SHARE = {"estimate": 1.5, "proof": 0.15}
MADE = 1000  # characters that a program invents, as strangers to a network that has practised on such
# More would only cost time: the line is read off some hundred scores.
MOST = 5000


@dataclass(frozen=True, eq=False)
class Judged:
    """Scores of held-out examples, the softmax temperature (> 0) and the line on familiarity that they gave."""

    held: HeldOut
    temperature: float
    line: Line


def parts_held_out(parts: Split, labels: int, strangers: int, *, hurried: bool) -> int:
    """Return how many further trainings judge a network: one for each fold and each group of labels that is held out."""
    folds = 0 if len(parts.choose) else len(fewer(parts.folds) if hurried else parts.folds)
    return folds + (0 if strangers else groups_of(labels, hurried))


def judge_by_holding_out(
    learner: Learner,
    network: Network,
    photos: PhotoSet,
    parts: Split,
    known: np.ndarray,
    *,
    strangers: np.ndarray,
    false_accept: float,
    watch: Watcher,
    hurried: bool = False,
) -> Judged:
    """Judge a trained network by the examples in `choose`, or by folds where there are none.

    `known` are the examples that the model file will hold; `strangers` choose the line if there are any. All are indices into `photos`.
    A `hurried` training holds fewer parts out, each for the fewest steps.
    """
    share = 0.0 if hurried else CROSS_SHARE[parts.role]
    folds = fewer(parts.folds) if hurried else parts.folds
    counted = iter(range(1, 1000))
    total = 0 if len(parts.choose) else len(folds)

    def note() -> None:
        watch.progress(next(counted), max(total, 4))

    if len(parts.choose):
        held = _scores(network, photos, known, parts.choose)
    else:
        watch.stage("holding out examples in turn")
        held = held_out(learner, photos, folds, share=share / len(folds), note=note)
    strange, scores = None, np.empty(0)
    if len(strangers):
        scores = _scores(network, photos, known, strangers).familiarity.max(1)
    elif len(photos.names) > 2:
        watch.stage("holding out labels in turn, as strangers")
        counted, total = iter(range(1, 1000)), 4
        # Dealt by label, so that a rare label is not lost among the others.
        among = parts.train[choose_known(photos.labels[parts.train], photos.sources[parts.train], MOST, MOST, learner.recipe.seed)]
        strange = labels_in_turn(learner, photos, among, np.intersect1d(folds[0], among), share=share, note=note, hurried=hurried)
    one_scale = learner.recipe.fit == "frozen" and learner.recipe.features == "whole"  # nothing that a label's absence could stretch
    made = None
    if learner.recipe.network == "strokes" and one_scale and not len(strangers):
        inside, centre = known_examples(network, photos, known)
        made = familiarity(similarity(invented(network, MADE), inside, centre), photos.labels[known], len(photos.names)).max(1)
    line = line_for(held.genuine, strange, scores, false_accept, one_scale=one_scale, made=made)
    return Judged(held, temperature(held.logits, held.labels), line)


def known_examples(network: Network, photos: PhotoSet, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings (M, features) of the chosen photos and their centre (features,)."""
    _, embedding = answers_of(network, photos.images, chosen)
    return embedding, centre_of(embedding, photos.labels[chosen])


def _scores(network: Network, photos: PhotoSet, known: np.ndarray, asked: np.ndarray) -> HeldOut:
    """Score photos that the network did not train on against the known examples."""
    inside, centre = known_examples(network, photos, known)
    logits, embedding = answers_of(network, photos.images, asked)
    familiar = familiarity(similarity(embedding, inside, centre), photos.labels[known], len(photos.names))
    return HeldOut(logits, photos.labels[asked], familiar, asked)
