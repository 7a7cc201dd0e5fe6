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

from peephole.data.dataset import PhotoSet
from peephole.nets.blocks import Network, Shape
from peephole.nets.cnn import plain
from peephole.nets.lite0 import lite0
from peephole.train.augment import augment
from peephole.train.checkpoint import Kept
from peephole.train.loop import LEAST_STEPS, Examples, Fitted, Moment, answers, device, draws, fit
from peephole.train.recipe import Recipe

__all__ = ["Frozen", "Learner", "Model", "Scratch", "learner_for"]

Watch = Callable[[Moment], None]
# The inverse of the L2 penalty, chosen on tuning draws of cats and dogs (docs/log.md).
STRENGTH = 1.0


class Model(Protocol):
    """A network, or as good as one, that answers for photos by their index in the set."""

    def answers(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return logits (n, labels) and embeddings (n, features), float32."""
        ...


class Learner(Protocol):
    """Learns a model of some photos; `labels` (N,) numbers them 0, 1, ... for this model, `share` is its part of the recipe's steps."""

    recipe: Recipe

    def learn(self, indices: np.ndarray, labels: np.ndarray, share: float) -> Model:
        """Return a model learned from `indices` alone."""
        ...

    def finish(self, indices: np.ndarray, held_out: np.ndarray, watch: Watch | None, kept: Kept | None) -> Fitted:
        """Return the network to export, learned from `indices` with the set's own labels; `held_out` may stop it early."""
        ...


@dataclass(frozen=True, eq=False)
class _Answering:
    """A trained network and the photos it can be asked about."""

    network: Network
    images: torch.Tensor

    def answers(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, embedding = answers(self.network, self.images[torch.from_numpy(indices)])
        return logits.numpy(), embedding.numpy()


class Scratch:
    """Trains a network step by step; also fine-tunes a pretrained one."""

    def __init__(self, photos: PhotoSet, recipe: Recipe, among: np.ndarray) -> None:
        """`among` are the photos whose pixels may set the normalisation."""
        self.photos, self.recipe = photos, recipe
        self.examples = Examples.of(photos.images, photos.labels)
        sample = photos.images[among[:: max(1, len(among) // 5000)]].reshape(-1, photos.images.shape[-1]).astype(np.float64)
        self.mean = tuple(float(v) for v in sample.mean(0))
        self.std = tuple(max(float(v), 1.0) for v in sample.std(0))

    def build(self, labels: int, seed: int) -> Network:
        """Return a fresh network for so many labels."""
        torch.manual_seed(seed)
        shape = Shape(self.recipe.channels, self.recipe.height, self.recipe.width)
        return lite0(shape, labels) if self.recipe.network == "lite0" else plain(self.recipe.plain, shape, labels, self.mean, self.std)

    def _examples(self, indices: np.ndarray, labels: np.ndarray) -> Examples:
        return Examples(self.examples.images[torch.from_numpy(indices)], torch.from_numpy(labels[indices]))

    def learn(self, indices: np.ndarray, labels: np.ndarray, share: float) -> Model:
        """Train for `share` of the final training's steps, which must have been taken before."""
        recipe = replace(self.recipe, steps=max(LEAST_STEPS // 2, round(self.recipe.steps * share)))
        network = self.build(int(labels[indices].max()) + 1, recipe.seed)
        return _Answering(fit(network, self._examples(indices, labels), recipe).network, self.examples.images)

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


class Frozen:
    """Keeps the pretrained network as it is and fits its last layer on several views of each photo."""

    def __init__(self, photos: PhotoSet, recipe: Recipe, among: np.ndarray, progress: Callable[[int, int], None] | None = None) -> None:
        """Compute the features of every photo once, and of `recipe.views` varied views of those in `among`."""
        self.photos, self.recipe = photos, recipe
        self.network = lite0(Shape(3, recipe.height, recipe.width), len(photos.names)).to(device()).eval()
        self.begun = time.perf_counter()
        images = Examples.of(photos.images, photos.labels).images
        total = len(images) + recipe.views * len(among)
        done = 0

        def features(pixels: torch.Tensor) -> np.ndarray:
            nonlocal done
            done += len(pixels)
            found = answers(self.network, pixels, 32)[1].numpy()
            if progress:
                progress(done, total)
            return found

        chunks = [images[at : at + 32] for at in range(0, len(images), 32)]
        self.features = np.concatenate([features(chunk) for chunk in chunks])
        self.views = np.zeros((recipe.views, *self.features.shape), np.float32) if recipe.views else np.zeros((0, *self.features.shape), np.float32)
        for view in range(recipe.views):
            for at in range(0, len(among), 32):
                chosen = among[at : at + 32]
                varied = augment(images[torch.from_numpy(chosen)].float(), recipe.augment, draws(recipe.seed, view * 1_000_000 + at))
                self.views[view, chosen] = features(varied)

    def learn(self, indices: np.ndarray, labels: np.ndarray, share: float) -> _Head:
        """Fit the last layer: multinomial logistic regression on centred features."""
        rows = np.concatenate([self.features[indices], *(view[indices] for view in self.views)])
        targets = np.tile(labels[indices], 1 + len(self.views))
        centre = rows.mean(0)
        weighting = "balanced" if np.bincount(targets).max() > 1.5 * np.bincount(targets).min() else None
        fitted = LogisticRegression(C=STRENGTH, max_iter=500, class_weight=weighting).fit(rows - centre, targets)
        weight, bias = fitted.coef_, fitted.intercept_
        if len(weight) == 1:  # scikit-learn gives one row for two labels: softmax wants one each
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        return _Head(weight.astype(np.float32), (bias - weight @ centre).astype(np.float32), self.features)

    def finish(self, indices: np.ndarray, held_out: np.ndarray, watch: Watch | None, kept: Kept | None) -> Fitted:
        """Fit the last layer of the network to export; takes a moment, so there is nothing to resume."""
        head = self.learn(indices, self.photos.labels, 1.0)
        with torch.no_grad():
            self.network.head().weight.copy_(torch.from_numpy(head.weight))
            self.network.head().bias.copy_(torch.from_numpy(head.bias))
        return Fitted(self.network.cpu().eval(), self.recipe, time.perf_counter() - self.begun, ())


def learner_for(photos: PhotoSet, recipe: Recipe, among: np.ndarray, progress: Callable[[int, int], None] | None = None) -> Learner:
    """Return the learner that the recipe names; `among` are the photos that may be learned from."""
    return Frozen(photos, recipe, among, progress) if recipe.fit == "frozen" else Scratch(photos, recipe, among)
