"""The two ways to learn from photos, behind one verb: train a network, or fit a last layer on frozen features.

A learner can be asked again and again for models of parts of the same photos; that is what cross-fitting needs.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import nn

from peephole.base.watch import Watcher
from peephole.data.dataset import PhotoSet
from peephole.decide.familiarity import centre_of
from peephole.nets.blocks import Network, Shape
from peephole.nets.glances import glancing
from peephole.nets.lite import FORMS, LITES, MEAN, STD, Form, both, lite
from peephole.nets.networks import draw
from peephole.nets.team import Team, joined
from peephole.train import distributed, forms
from peephole.train.augment import Key, augment
from peephole.train.checkpoint import Kept
from peephole.train.ink import ink
from peephole.train.insight import Insight
from peephole.train.loop import LEAST_STEPS, Examples, Fitted, Moment, answers, answers_of, device, fit, steps_in
from peephole.train.recipe import Recipe
from peephole.train.scenery import Scenery

__all__ = ["Frozen", "Learner", "Model", "Scratch", "learner_for"]

Watch = Callable[[Moment], None]
# What a cosine of 1 is worth in logits while the practised network is trained on: as in practice.
SHARPNESS = 16.0
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

    def learn(self, indices: np.ndarray, labels: np.ndarray, share: float, seed: int | None = None) -> Model:
        """Return a model learned from `indices` alone; its draws are those of `seed`, the recipe's unless given."""
        ...

    def other(self, recipe: Recipe) -> "Learner":
        """Return a learner of the same photos by another recipe for the same network."""
        ...

    def pace(self, indices: np.ndarray) -> float:
        """Return the seconds that a step takes, or the features of one photo where they are kept."""
        ...

    def finish(self, indices: np.ndarray, held_out: np.ndarray, watch: Watch | None, kept: Kept | None, insight: Insight | None = None) -> Fitted:
        """Return the network to export, learned from `indices` with the set's own labels; `held_out` may stop it early, `insight` looks on."""
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


def _scale(photos: PhotoSet, recipe: Recipe, among: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the spread of each channel that the network takes off its pixels; `among` may set them."""
    if recipe.network in LITES:
        return MEAN, STD
    if recipe.network == "strokes":
        mean, std = ink(photos.images, among)
        return (mean,), (std,)
    return _spread(photos.images, among[:: max(1, len(among) // 5000)])


class Scratch:
    """Trains a network step by step; also fine-tunes a pretrained one."""

    def __init__(self, photos: PhotoSet, recipe: Recipe, among: np.ndarray, scenery: Scenery | None = None) -> None:
        """`among` are the photos whose pixels may set the normalisation."""
        self.photos, self.recipe, self.among, self.scenery = photos, recipe, among, scenery
        self.examples = Examples.of(photos.images, photos.labels)
        self.mean, self.std = _scale(photos, recipe, among)

    def build(self, labels: int, seed: int) -> Network:
        """Return a fresh network for so many labels, or a team of them."""
        torch.manual_seed(seed)
        recipe, shape = self.recipe, Shape(self.recipe.channels, self.recipe.height, self.recipe.width)
        members = [draw(recipe.network, shape, labels, self.mean, self.std, plan=recipe.plain, deep=recipe.deep) for _ in range(recipe.members)]
        if recipe.embedding == "maps":
            for member in members:
                member.embedding_of = "flatten"
        return Team(members) if len(members) > 1 else members[0]

    def _answering(self, trained: Network) -> Network:
        """Return what answers for a trained network: a team as one, and with as many glances as the recipe takes."""
        one = joined(trained)
        return glancing(one, Shape(self.recipe.channels, self.recipe.height, self.recipe.width)) if self.recipe.glances else one

    def _begun(self, indices: np.ndarray, labels: np.ndarray, seed: int) -> Network:
        """Return a network for the labels (N,) of some photos: with practised weights, each label's last weights point to the mean of its photos.

        What was learned before is not shaken by a last layer of chance (Kumar et al. 2022).
        """
        network = self.build(int(labels[indices].max()) + 1, seed)
        if self.recipe.network == "strokes":
            _, embedding = answers_of(network, self.photos.images, indices)
            means = np.stack([embedding[labels[indices] == label].mean(0) for label in range(network.head().out_features)])
            means = means / np.linalg.norm(means, axis=1, keepdims=True).clip(1e-6) - centre_of(embedding, labels[indices])
            with torch.no_grad():
                network.head().weight.copy_(torch.from_numpy(SHARPNESS * means))
        return network

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
        return 0.0 if self.recipe.steps > LEAST_STEPS else self.pace(indices)

    def pace(self, indices: np.ndarray) -> float:
        """Measure the seconds of a step."""
        network = self.build(len(self.photos.names), self.recipe.seed)
        return 0.95 * PROBE / steps_in(PROBE, network, self._examples(indices, self.photos.labels), self.recipe)

    def other(self, recipe: Recipe) -> "Scratch":
        """Return a learner of the same photos by another recipe."""
        return Scratch(self.photos, recipe, self.among, self.scenery)

    def learn(self, indices: np.ndarray, labels: np.ndarray, share: float, seed: int | None = None) -> Model:
        """Train for `share` of the final training's steps, which must have been taken before."""
        steps = max(LEAST_STEPS // 2, round(self.recipe.steps * share))
        recipe = replace(self.recipe, steps=steps, seed=self.recipe.seed if seed is None else seed)
        network = self._begun(indices, labels, recipe.seed)
        return _Answering(self._answering(fit(network, self._examples(indices, labels), recipe).network), self.photos.images)

    def finish(self, indices: np.ndarray, held_out: np.ndarray, watch: Watch | None, kept: Kept | None, insight: Insight | None = None) -> Fitted:
        """Train the network to export."""
        labels = self.photos.labels
        looked = self._examples(held_out[:2000], labels) if len(held_out) else None
        network = self._begun(indices, labels, self.recipe.seed)
        fitted = fit(network, self._examples(indices, labels), self.recipe, looked, watch=watch, kept=kept, onlooker=insight)
        self.recipe = fitted.recipe
        return replace(fitted, network=self._answering(fitted.network))


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

    def __init__(self, photos: PhotoSet, recipe: Recipe, among: np.ndarray, watch: Watcher | None = None, scenery: Scenery | None = None) -> None:
        """Compute the features of every photo once, and of `recipe.views` varied views of those in `among`: fewer where the time is short.

        With a `scenery` a view may stand before the background of a photo that is held out later. It stands behind every label equally often
        and its subject is painted over, so it names nobody.
        """
        self.photos, self.recipe, self.among, self.watch, self.scenery = photos, recipe, among, watch or Watcher(), scenery
        trying = recipe.network in LITES and recipe.features != "whole" and (recipe.features != "auto" or len(among) <= forms.MOST)
        network, self.placed = both(recipe.network, self._shape()) if trying else (self._drawn(), 0)
        self.network = network.to(device()).eval()
        self.begun = time.perf_counter()
        self.images = Examples.of(photos.images, photos.labels).images
        self.done, self.each = 0, 0.0
        plain = list[np.ndarray]()
        chunks = self._chunks(np.arange(len(self.images)))
        for number, chunk in enumerate(chunks):
            begun = time.perf_counter()
            plain.append(self._features(chunk, None))
            if number == min(1, len(chunks) - 1):  # the very first one also warms the machine up
                self.each = (time.perf_counter() - begun) / len(chunk)
                self._afford(self.each, len(among))
        self.features = np.concatenate(plain)
        self.width = self.features.shape[1]
        self.views = self._varied(self.width)
        self._settle()

    def _shape(self) -> Shape:
        return Shape(self.recipe.channels, self.recipe.height, self.recipe.width)

    def _drawn(self, form: Form = "whole", axes: int = 0) -> Network:
        """Return the pretrained network with a fresh last layer, its features in a form."""
        labels = len(self.photos.names)
        if self.recipe.network in LITES:
            return lite(self.recipe.network, self._shape(), labels, form, axes)
        return draw(self.recipe.network, self._shape(), labels, *_scale(self.photos, self.recipe, self.among))

    def _settle(self) -> None:
        """Keep the columns of one form: the recipe's, or the one that held-out photos choose; the first `placed` columns are those of "places"."""
        form = self.recipe.features
        if form == "auto" and self.placed:
            learned = np.concatenate([self.features[None, self.among], self.views[:, self.among]])
            tried = {form: learned[..., _columns(form, self.placed)] for form in FORMS}
            form, shares = forms.choose(tried, self.photos.labels[self.among], self.photos.sources[self.among])
            if shares:
                told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
                self.watch.said(f"features {form} (of photos held out in turn these forms name right: {told})")
        self.recipe = replace(self.recipe, features="whole" if form == "auto" else form)
        self.features, self.views = self._cut(self.features), self._cut(self.views)

    def _cut(self, rows: np.ndarray) -> np.ndarray:
        """Return the columns of the recipe's form."""
        assert self.recipe.features != "auto"  # settled when the features were computed
        return np.ascontiguousarray(rows[..., _columns(self.recipe.features, self.placed)])

    @staticmethod
    def _chunks(indices: np.ndarray) -> list[np.ndarray]:
        """Cut indices into as many as are looked at at a time, shared among the processes."""
        each = 32 * distributed.size()
        return [indices[at : at + each] for at in range(0, len(indices), each)]

    def _features(self, chosen: np.ndarray, key: Key | None) -> np.ndarray:
        """Return the features of some photos, varied by a key's draws where there is one."""
        mine = distributed.share(len(chosen))
        pixels = self.images[torch.from_numpy(chosen[mine])]
        if key:
            behind = self.scenery.behind(torch.from_numpy(chosen[mine])) if self.scenery else None
            pixels = augment(pixels, self.recipe.augment, replace(key, first=key.first + mine.start), behind)
        found = distributed.gathered(answers(self.network, pixels, 32)[1].numpy())
        self.done += len(chosen)
        self.watch.progress(self.done, len(self.images) + self.recipe.views * len(self.among))
        return found

    def _varied(self, width: int) -> np.ndarray:
        """Return the features (views, N, width) of varied views in all forms; those of photos that may not be learned from stay 0."""
        views = np.zeros((self.recipe.views, len(self.images), width), np.float32)
        for view in range(self.recipe.views):
            at = 0
            for chosen in self._chunks(self.among):
                views[view, chosen] = self._features(chosen, Key(self.recipe.seed, view, at))
                at += len(chosen)
        return views

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

    def pace(self, indices: np.ndarray) -> float:
        """Return the seconds that the features of a photo took."""
        return self.each

    def other(self, recipe: Recipe) -> "Frozen":
        """Return a learner of the same photos by another recipe: the features stay, the views are made anew."""
        found = copy.copy(self)
        found.recipe, found.watch = replace(recipe, features=self.recipe.features), Watcher()
        # Without variation every view is the photo itself; as many of them as elsewhere, or the penalty would weigh more.
        still = np.broadcast_to(self.features, (recipe.views, *self.features.shape))
        found.views = found._cut(found._varied(self.width)) if recipe.augment.on() else still
        return found

    def learn(self, indices: np.ndarray, labels: np.ndarray, share: float, seed: int | None = None) -> _Fitted:
        """Fit the last layer, and the whitening before it where the form has one."""
        views = np.concatenate([self.features[None, indices], self.views[:, indices]])
        how = {"whitened": self.recipe.features != "whole", "calmed": self.recipe.augment.background > 0}
        return _Fitted(forms.last_layer(views, labels[indices], **how), self.features)

    def finish(self, indices: np.ndarray, held_out: np.ndarray, watch: Watch | None, kept: Kept | None, insight: Insight | None = None) -> Fitted:
        """Fit the last layers of the network to export; takes a moment, so there is nothing to resume."""
        head, form = self.learn(indices, self.photos.labels, 1.0).head, self.recipe.features
        assert form != "auto"  # settled when the features were computed
        network = self._drawn(form, head.weight.shape[1])
        with torch.no_grad():
            if head.whitening:
                whiten = network.body.get_submodule("whiten")
                assert isinstance(whiten, nn.Linear)
                whiten.weight.copy_(torch.from_numpy(head.whitening.matrix))
                whiten.bias.copy_(torch.from_numpy(head.whitening.offset))
            network.head().weight.copy_(torch.from_numpy(head.weight))
            network.head().bias.copy_(torch.from_numpy(head.bias))
        if insight:
            insight.look(network.eval(), Examples(self.images, torch.from_numpy(self.photos.labels[indices]), torch.from_numpy(indices)), 0, 0)
        return Fitted(network.eval(), self.recipe, time.perf_counter() - self.begun, ())


def _columns(form: Form, placed: int) -> slice:
    """Return where the features of a form lie among those of `both`."""
    return slice(0, placed) if form == "places" else slice(placed, None)


def learner_for(photos: PhotoSet, recipe: Recipe, among: np.ndarray, watch: Watcher | None = None, scenery: Scenery | None = None) -> Learner:
    """Return the learner that the recipe names; `among` are the photos that may be learned from, `scenery` their subjects and backgrounds."""
    return Frozen(photos, recipe, among, watch, scenery) if recipe.fit == "frozen" else Scratch(photos, recipe, among, scenery)
