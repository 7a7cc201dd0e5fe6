"""The two ways to learn from photos, behind one verb: train a network, or fit a last layer on frozen features.

A learner can be asked again and again for models of parts of the same photos; that is what cross-fitting needs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import nn

from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet
from peephole.nets.blocks import Network, Shape
from peephole.nets.lite import FORMS, Form, both, lite
from peephole.nets.networks import draw
from peephole.train import distributed, forms
from peephole.train.augment import Key, augment
from peephole.train.checkpoint import Kept
from peephole.train.loop import LEAST_STEPS, Examples, Fitted, Moment, answers, answers_of, device, fit, steps_in
from peephole.train.recipe import Recipe

__all__ = ["Frozen", "Learner", "Model", "Scratch", "learner_for"]

Watch = Callable[[Moment], None]
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

    def __init__(self, photos: PhotoSet, recipe: Recipe, among: np.ndarray) -> None:
        """`among` are the photos whose pixels may set the normalisation."""
        self.photos, self.recipe = photos, recipe
        self.examples = Examples.of(photos.images, photos.labels)
        self.mean, self.std = _spread(photos.images, among[:: max(1, len(among) // 5000)])

    def build(self, labels: int, seed: int) -> Network:
        """Return a fresh network for so many labels."""
        torch.manual_seed(seed)
        shape = Shape(self.recipe.channels, self.recipe.height, self.recipe.width)
        return draw(self.recipe.network, shape, labels, self.mean, self.std, plan=self.recipe.plain, deep=self.recipe.deep)

    def _examples(self, indices: np.ndarray, labels: np.ndarray) -> Examples:
        return Examples(self.examples.images, torch.from_numpy(labels[indices]), torch.from_numpy(indices))

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
class _Fitted:
    """A last layer over features (N, D) that were computed once."""

    head: forms.Head
    features: np.ndarray

    def answers(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        embedding = self.head.embedding(self.features[indices])
        return self.head.logits(embedding), embedding


class Frozen:
    """Keeps the pretrained network as it is and fits its last layer on several views of each photo."""

    def __init__(self, photos: PhotoSet, recipe: Recipe, among: np.ndarray, watch: Watcher | None = None) -> None:
        """Compute the features of every photo once, and of `recipe.views` varied views of those in `among`: fewer where the time is short."""
        self.photos, self.recipe, self.watch = photos, recipe, watch or Watcher()
        shape = Shape(3, recipe.height, recipe.width)
        trying = recipe.features != "whole" and (recipe.features != "auto" or len(among) <= forms.MOST)
        network, placed = both(recipe.network, shape) if trying else (lite(recipe.network, shape, len(photos.names)), 0)
        network = network.to(device()).eval()
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
                pixels = augment(pixels, recipe.augment, replace(key, first=key.first + mine.start))
            found = distributed.gathered(answers(network, pixels, 32)[1].numpy())
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
        self._settle(placed, among)

    def _settle(self, placed: int, among: np.ndarray) -> None:
        """Keep the columns of one form: the recipe's, or the one that held-out photos choose; the first `placed` columns are those of "places"."""
        form = self.recipe.features
        if form == "auto" and placed:
            learned = np.concatenate([self.features[None, among], self.views[:, among]])
            tried = {form: learned[..., _columns(form, placed)] for form in FORMS}
            form, shares = forms.choose(tried, self.photos.labels[among], self.photos.sources[among])
            if shares:
                told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
                self.watch.said(f"features {form} (of photos held out in turn these forms name right: {told})")
        form = "whole" if form == "auto" else form
        self.recipe = replace(self.recipe, features=form)
        self.features, self.views = (np.ascontiguousarray(rows[..., _columns(form, placed)]) for rows in (self.features, self.views))

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

    def learn(self, indices: np.ndarray, labels: np.ndarray, share: float) -> _Fitted:
        """Fit the last layer, and the whitening before it where the form has one."""
        views = np.concatenate([self.features[None, indices], self.views[:, indices]])
        return _Fitted(forms.last_layer(views, labels[indices], whitened=self.recipe.features != "whole"), self.features)

    def finish(self, indices: np.ndarray, held_out: np.ndarray, watch: Watch | None, kept: Kept | None) -> Fitted:
        """Fit the last layers of the network to export; takes a moment, so there is nothing to resume."""
        recipe, head = self.recipe, self.learn(indices, self.photos.labels, 1.0).head
        form = recipe.features
        assert form != "auto"  # settled when the features were computed
        network = lite(recipe.network, Shape(3, recipe.height, recipe.width), len(self.photos.names), form, head.weight.shape[1])
        with torch.no_grad():
            if head.whitening:
                whiten = network.body.get_submodule("whiten")
                assert isinstance(whiten, nn.Linear)
                whiten.weight.copy_(torch.from_numpy(head.whitening.matrix))
                whiten.bias.copy_(torch.from_numpy(head.whitening.offset))
            network.head().weight.copy_(torch.from_numpy(head.weight))
            network.head().bias.copy_(torch.from_numpy(head.bias))
        return Fitted(network.eval(), recipe, time.perf_counter() - self.begun, ())


def _columns(form: Form, placed: int) -> slice:
    """Return where the features of a form lie among those of `both`."""
    return slice(0, placed) if form == "places" else slice(placed, None)


def learner_for(photos: PhotoSet, recipe: Recipe, among: np.ndarray, watch: Watcher | None = None) -> Learner:
    """Return the learner that the recipe names; `among` are the photos that may be learned from."""
    return Frozen(photos, recipe, among, watch) if recipe.fit == "frozen" else Scratch(photos, recipe, among)
