"""The two ways to learn from photos, behind one verb: train a network, or fit a last layer on frozen features.

A learner can be asked again and again for models of parts of the same photos; that is what cross-fitting needs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet
from peephole.nets.blocks import Network, Shape
from peephole.nets.lite0 import lite0
from peephole.nets.networks import draw
from peephole.train import distributed
from peephole.train.augment import Key, augment
from peephole.train.checkpoint import Kept
from peephole.train.loop import LEAST_STEPS, Examples, Fitted, Moment, answers, answers_of, device, fit, steps_in
from peephole.train.recipe import Recipe
from peephole.train.scenery import Scenery

__all__ = ["Frozen", "Learner", "Model", "Scratch", "learner_for"]

Watch = Callable[[Moment], None]
# The inverse of the L2 penalty, chosen on tuning draws of cats and dogs (docs/log.md).
STRENGTH = 1.0
# What the views of one photo differ in counts less: down to the root of this over its variance in units of the mean one (docs/log.md).
CALM, CALMED = 0.01, 1500  # and how many rows that is learned from at most
# Seconds in which many steps fit, however slow: what is asked when too few fit into those given.
PROBE = 100.0


class Model(Protocol):
    """A network, or as good as one, that answers for photos by their index in the set."""

    def answers(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return logits (n, labels) and embeddings (n, features), float32."""
        ...


class Learner(Protocol):
    """Learns a model of some photos; `labels` (N,) numbers them 0, 1, ... for this model, `share` is its part of the recipe's steps."""

    recipe: Recipe

    def plan(self, indices: np.ndarray) -> float:
        """Fix the steps that fit into the recipe's seconds; return the seconds of one step where only the least number would, else 0."""
        ...

    def learn(self, indices: np.ndarray, labels: np.ndarray, share: float) -> Model:
        """Return a model learned from `indices` alone."""
        ...

    def finish(self, indices: np.ndarray, held_out: np.ndarray, watch: Watch | None, kept: Kept | None) -> Fitted:
        """Return the network to export, learned from `indices` with the set's own labels; `held_out` may stop it early."""
        ...


@dataclass(frozen=True, eq=False)
class _Answering:
    """A trained network and the photos uint8 (N, H, W, C) it can be asked about; of many processes each asks about its share."""

    network: Network
    images: np.ndarray

    def answers(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, embedding = answers_of(self.network, self.images, indices[distributed.share(len(indices))])
        return distributed.gathered(logits), distributed.gathered(embedding)


def _spread(images: np.ndarray, chosen: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation (at least 1) of each channel of some photos uint8 (N, H, W, C): sums of whole numbers, photo by photo."""
    sums, squares = np.zeros(images.shape[-1], np.int64), np.zeros(images.shape[-1], np.int64)
    for at in chosen:
        values = images[at].reshape(-1, images.shape[-1]).astype(np.int64)
        sums += values.sum(0)
        squares += np.square(values).sum(0)
    count = len(chosen) * images.shape[1] * images.shape[2]
    mean = sums / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return tuple(float(v) for v in mean), tuple(max(float(v), 1.0) for v in std)


class Scratch:
    """Trains a network step by step; also fine-tunes a pretrained one."""

    def __init__(self, photos: PhotoSet, recipe: Recipe, among: np.ndarray, scenery: Scenery | None = None) -> None:
        """`among` are the photos whose pixels may set the normalisation."""
        self.photos, self.recipe, self.scenery = photos, recipe, scenery
        self.examples = Examples.of(photos.images, photos.labels)
        self.mean, self.std = _spread(photos.images, among[:: max(1, len(among) // 5000)])

    def build(self, labels: int, seed: int) -> Network:
        """Return a fresh network for so many labels."""
        torch.manual_seed(seed)
        shape = Shape(self.recipe.channels, self.recipe.height, self.recipe.width)
        return draw(self.recipe.network, shape, labels, self.mean, self.std, plan=self.recipe.plain, deep=self.recipe.deep)

    def _examples(self, indices: np.ndarray, labels: np.ndarray) -> Examples:
        scenery = self.scenery and self.scenery.lent_by(indices)  # no background of a photo that is held out
        return Examples(self.examples.images, torch.from_numpy(labels[indices]), torch.from_numpy(indices), scenery)

    def plan(self, indices: np.ndarray) -> float:
        """Measure how many steps fit; raise the number to the least that teach anything."""
        if self.recipe.steps:
            return 0.0
        if self.recipe.threads:
            torch.set_num_threads(self.recipe.threads)
        network, examples = self.build(len(self.photos.names), self.recipe.seed), self._examples(indices, self.photos.labels)
        self.recipe = replace(self.recipe, steps=steps_in(self.recipe.seconds, network, examples, self.recipe))
        if self.recipe.steps > LEAST_STEPS:
            return 0.0
        return 0.95 * PROBE / steps_in(PROBE, network, examples, self.recipe)

    def learn(self, indices: np.ndarray, labels: np.ndarray, share: float) -> Model:
        """Train for `share` of the final training's steps, which must have been taken before."""
        recipe = replace(self.recipe, steps=max(LEAST_STEPS // 2, round(self.recipe.steps * share)))
        network = self.build(int(labels[indices].max()) + 1, recipe.seed)
        return _Answering(fit(network, self._examples(indices, labels), recipe).network, self.photos.images)

    def finish(self, indices: np.ndarray, held_out: np.ndarray, watch: Watch | None, kept: Kept | None) -> Fitted:
        """Train the network to export."""
        labels = self.photos.labels
        looked = self._examples(held_out[:2000], labels) if len(held_out) else None
        network = self.build(len(self.photos.names), self.recipe.seed)
        fitted = fit(network, self._examples(indices, labels), self.recipe, looked, watch=watch, kept=kept)
        self.recipe = fitted.recipe
        return fitted


@dataclass(frozen=True, eq=False)
class _Head:
    """A last layer over features that were computed once."""

    weight: np.ndarray
    bias: np.ndarray
    features: np.ndarray

    def answers(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        embedding = self.features[indices]
        return embedding @ self.weight.T + self.bias, embedding


def _calming(views: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a symmetric linear map that takes rows (n, features) and shrinks the directions in which views (V, N, features) of one photo differ.

    Within-class covariance normalisation (Hatch, Kajarekar & Stolcke 2006) with photos for classes: what another background changes in
    frozen features says nothing about the subject, and a last layer fitted on few photos would lean on it all the same.
    """
    apart = (views - views.mean(0)).reshape(-1, views.shape[-1])
    apart = apart[:: max(1, len(apart) // CALMED)]
    _, spread, axes = np.linalg.svd(apart, full_matrices=False)
    variance = spread**2 / len(apart)
    axes, variance = axes[variance > 1e-9], variance[variance > 1e-9]
    if not len(variance):
        return lambda rows: rows
    shrink = 1 / np.sqrt(1 + variance / (CALM * variance.mean())) - 1
    return lambda rows: np.asarray(rows + ((rows @ axes.T) * shrink) @ axes)


class Frozen:
    """Keeps the pretrained network as it is and fits its last layer on several views of each photo."""

    def __init__(self, photos: PhotoSet, recipe: Recipe, among: np.ndarray, watch: Watcher | None = None, scenery: Scenery | None = None) -> None:
        """Compute the features of every photo once, and of `recipe.views` varied views of those in `among`: fewer where the time is short.

        With a `scenery` a view may stand before the background of a photo that is held out later. It stands behind every label equally often
        and its subject is painted over, so it names nobody.
        """
        self.photos, self.recipe, self.watch = photos, recipe, watch or Watcher()
        self.network = lite0(Shape(3, recipe.height, recipe.width), len(photos.names)).to(device()).eval()
        self.begun = time.perf_counter()
        images = Examples.of(photos.images, photos.labels).images
        done = 0

        each = 32 * distributed.size()  # photos at a time, shared among the processes

        def features(chosen: np.ndarray, key: Key | None) -> np.ndarray:
            """Return the features of some photos, varied by a key's draws where there is one."""
            nonlocal done
            done += len(chosen)
            mine = distributed.share(len(chosen))
            pixels = images[torch.from_numpy(chosen[mine])]
            if key:
                behind = scenery.behind(torch.from_numpy(chosen[mine])) if scenery else None
                pixels = augment(pixels, recipe.augment, replace(key, first=key.first + mine.start), behind)
            found = distributed.gathered(answers(self.network, pixels, 32)[1].numpy())
            self.watch.progress(done, len(images) + self.recipe.views * len(among))
            return found

        chunks = [np.arange(at, min(at + each, len(images))) for at in range(0, len(images), each)]
        plain = list[np.ndarray]()
        for number, chunk in enumerate(chunks):
            begun = time.perf_counter()
            plain.append(features(chunk, None))
            if number == min(1, len(chunks) - 1):  # the very first one also warms the machine up
                self._afford((time.perf_counter() - begun) / len(chunk), len(among))
        self.features = np.concatenate(plain)
        self.views = np.zeros((self.recipe.views, *self.features.shape), np.float32)
        for view in range(self.recipe.views):
            for at in range(0, len(among), each):
                chosen = among[at : at + each]
                self.views[view, chosen] = features(chosen, Key(recipe.seed, view, at))

    def _afford(self, each: float, among: int) -> None:
        """Take as many views as fit into the recipe's seconds at `each` seconds a photo, at least one, and say so where they are fewer."""
        once, wanted = each * len(self.photos), self.recipe.views
        views = distributed.agreed(int(np.clip((self.recipe.seconds - once) / (each * among), min(1, wanted), wanted)))
        if views < wanted:
            self.recipe = replace(self.recipe, views=views)
            least = once + each * among
            short = f"--seconds is below the least, about {least:.0f} s here" if least > self.recipe.seconds else "--seconds is short"
            self.watch.said(
                f"{short}: a photo takes {each * 1000:.0f} ms and there are {len(self.photos)}; {views} varied view{'s' * (views > 1)} of each "
                f"instead of {wanted} (more with --seconds {1.4 * (once + wanted * each * among):.0f})"
            )

    def plan(self, indices: np.ndarray) -> float:
        """Take no steps."""
        return 0.0

    def learn(self, indices: np.ndarray, labels: np.ndarray, share: float) -> _Head:
        """Fit the last layer: multinomial logistic regression on centred features."""
        views = np.stack([self.features[indices], *(view[indices] for view in self.views)])
        rows, targets = views.reshape(-1, views.shape[-1]), np.tile(labels[indices], len(views))
        calm = _calming(views) if len(views) > 1 and self.recipe.augment.background else None
        rows = rows if calm is None else calm(rows)
        centre = rows.mean(0)
        # So strong a penalty leaves little but the offset to tell labels apart: 10 and 14 photos would cost 20 points (docs/log.md).
        fitted = LogisticRegression(C=STRENGTH, max_iter=500, class_weight="balanced").fit(rows - centre, targets)
        weight, bias = fitted.coef_, fitted.intercept_
        if len(weight) == 1:  # scikit-learn gives one row for two labels: softmax wants one each
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        bias = bias - weight @ centre
        weight = weight if calm is None else calm(weight)  # symmetric: what it does to features the layer's weights do as well
        return _Head(weight.astype(np.float32), bias.astype(np.float32), self.features)

    def finish(self, indices: np.ndarray, held_out: np.ndarray, watch: Watch | None, kept: Kept | None) -> Fitted:
        """Fit the last layer of the network to export; takes a moment, so there is nothing to resume."""
        head = self.learn(indices, self.photos.labels, 1.0)
        with torch.no_grad():
            self.network.head().weight.copy_(torch.from_numpy(head.weight))
            self.network.head().bias.copy_(torch.from_numpy(head.bias))
        return Fitted(self.network.cpu().eval(), self.recipe, time.perf_counter() - self.begun, ())


def learner_for(photos: PhotoSet, recipe: Recipe, among: np.ndarray, watch: Watcher | None = None, scenery: Scenery | None = None) -> Learner:
    """Return the learner that the recipe names; `among` are the photos that may be learned from, `scenery` their subjects and backgrounds."""
    return Frozen(photos, recipe, among, watch, scenery) if recipe.fit == "frozen" else Scratch(photos, recipe, among, scenery)
