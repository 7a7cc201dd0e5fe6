"""Whether what was practised beforehand is enough as it is: a last layer on its features, asked about drawings that were held out.

A second of work that saves minutes: where the held-out drawings are all named right, training on could only forget.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from peephole.base.evidence import percent
from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet, Split
from peephole.train import distributed
from peephole.train.learner import Frozen
from peephole.train.recipe import Facts, Options, Recipe, derive

__all__ = ["ENOUGH", "held_out_right", "settled"]

ENOUGH = 1.0  # share of held-out drawings named right from which on training on brings nothing; at 99 of 100 it still does (docs/log.md)
MOST = 5000  # so many drawings are asked in a second or two; more are trained on without asking


def held_out_right(photos: PhotoSet, parts: Split, recipe: Recipe) -> float:
    """Return the share (0..1) of the training drawings that a last layer on frozen features names right while they are held out.

    Every fold once; the drawings that choose and prove are not looked at. `recipe` is one of frozen features.
    """
    learner = Frozen(photos, replace(recipe, views=0), parts.train, Watcher())
    right = list[np.ndarray]()
    for fold in parts.folds:
        logits, _ = learner.learn(np.setdiff1d(parts.train, fold), photos.labels, 1.0).answers(fold)
        right.append(logits.argmax(1) == photos.labels[fold])
    return float(np.concatenate(right).mean())


def settled(recipe: Recipe, options: Options, photos: PhotoSet, parts: Split, survey: Callable[[], Facts], *, watch: Watcher) -> Recipe:
    """Return the recipe, or one that trains the practised network on where its features are not enough; what the user fixed stays.

    `survey` tells the facts of the photos once more, if they are needed.
    """
    if recipe.network != "strokes" or options.fit != "auto":
        return recipe
    if len(parts.train) <= MOST:
        right = distributed.agreed(held_out_right(photos, parts, recipe))
        if right >= ENOUGH:
            return recipe
        watch.said(f"strokes as it has practised names {percent(right)} of held-out drawings right: it is trained on (--fit frozen would keep it)")
    return derive(survey(), replace(options, network="strokes", fit="finetune"))
