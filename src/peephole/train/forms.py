"""Which form of a pretrained network's features tells some labels apart: whole, whitened, or with their places kept; no network in here.

Photos of one label differ by light, pose and place; the directions of those differences are common to all labels and can be learned from
a few photos of each. Whitened, they count no more than any other (within-class covariance normalisation, Hatch et al. 2006).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from peephole.nets.lite import Form

__all__ = ["MOST", "Head", "Whitening", "choose", "last_layer", "right", "whitening"]

# The inverse of the L2 penalty, chosen on tuning draws of cats and dogs (docs/log.md).
STRENGTH = 1.0
# Whitened axes at most: more cost the device and win nothing (docs/log.md).
AXES = 128
# The share of an even spread that is mixed into the covariance of differences, which a few photos leave uncertain.
SHRINK = 0.1
# What the views of one photo differ in counts less: down to the root of this over its variance in units of the mean one (docs/log.md).
CALM, CALMED = 0.01, 1500  # and how many rows that is learned from at most
# Photos to learn from beyond which the forms are not tried: the differences within labels need no help there, and they would take long.
MOST = 400
# Varied views of each photo that the whitening looks at, beside the photo itself.
VIEWS = 2
FOLDS = 3
# Held-out photos that whitening must name right beyond those of the usual form: it costs little where it does not help, so it takes more to tell.
WHITENED_LEAD = 3
# Places lose clearly where they do not help, as with cats and dogs; they must lead by so many photos that luck would name all of those right at
# most once in as many times: 3 of 2 labels, 2 of 3 to 7, 1 of 8 and more (one draw of 50 of cats or dogs led by one photo, docs/log.md).
LUCK = 8
# Held-out photos with fewer of which nothing is chosen: chance would.
FEWEST = 12


@dataclass(frozen=True, eq=False)
class Whitening:
    """Maps features (N, D) to unit vectors (N, axes): `matrix` (axes, D), `offset` (axes,)."""

    matrix: np.ndarray
    offset: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return the numpy twin of the layers `whiten` and `unit_whiten`."""
        turned = features @ self.matrix.T + self.offset
        return np.asarray(turned / (np.linalg.norm(turned, axis=1, keepdims=True) + 1e-6), np.float32)


@dataclass(frozen=True, eq=False)
class Head:
    """A last layer: `weight` (labels, features) and `bias` (labels,), over features that `whitening`, if any, has turned."""

    weight: np.ndarray
    bias: np.ndarray
    whitening: Whitening | None = None

    def embedding(self, features: np.ndarray) -> np.ndarray:
        """Return what the last layer sees of features (N, D)."""
        return self.whitening(features) if self.whitening else features

    def logits(self, embedding: np.ndarray) -> np.ndarray:
        """Return the scores (N, labels) of embeddings."""
        return np.asarray(embedding @ self.weight.T + self.bias)


def whitening(rows: np.ndarray, labels: np.ndarray) -> Whitening:
    """Fit to features (N, D) with their labels (N,): at least one label with two rows that differ."""
    centre = rows.mean(0, dtype=np.float64)
    away = rows - centre
    # The rows' own span through their products with each other: rows are few, features many.
    spread, turn = np.linalg.eigh(away @ away.T)
    kept = np.flatnonzero(spread > 1e-4 * spread[-1])[-AXES:]
    axes = (turn[:, kept] / np.sqrt(spread[kept])).T @ away
    inside = away @ axes.T
    for label in np.unique(labels):
        inside[labels == label] -= inside[labels == label].mean(0)
    covariance = inside.T @ inside / len(rows)
    covariance = (1 - SHRINK) * covariance + SHRINK * np.trace(covariance) / len(kept) * np.eye(len(kept))
    variance, turn = np.linalg.eigh(covariance)
    matrix = (turn / np.sqrt(np.maximum(variance, 1e-12))).T @ axes
    return Whitening(matrix.astype(np.float32), (-matrix @ centre).astype(np.float32))


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


def last_layer(views: np.ndarray, labels: np.ndarray, *, whitened: bool, calmed: bool = False) -> Head:
    """Fit multinomial logistic regression to views (V, N, D) of photos, the photos themselves first, and their labels (N,).

    With `whitened`, to features after the whitening that the first of these views give; with `calmed`, else, to features that lean less on what
    the views of one photo differ in: another background, above all.
    """
    rows, targets = views.reshape(-1, views.shape[-1]), np.tile(labels, len(views))
    few = min(len(views), 1 + VIEWS) * len(labels)
    turned = whitening(rows[:few], targets[:few]) if whitened else None
    calm = _calming(views) if calmed and not turned and len(views) > 1 else None
    rows = turned(rows) if turned else calm(rows) if calm else rows
    centre = rows.mean(0)
    # So strong a penalty leaves little but the offset to tell labels apart: 10 and 14 photos would cost 20 points (docs/log.md).
    fitted = LogisticRegression(C=STRENGTH, max_iter=500, class_weight="balanced").fit(rows - centre, targets)
    weight, bias = fitted.coef_, fitted.intercept_
    if len(weight) == 1:  # scikit-learn gives one row for two labels: softmax wants one each
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    bias = bias - weight @ centre
    weight = calm(weight) if calm else weight  # symmetric: what it does to features the layer's weights do as well
    return Head(weight.astype(np.float32), bias.astype(np.float32), turned)


def _folds(labels: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Deal photos (N,) into FOLDS parts, sources whole, label by label; -1 for photos of a label with one source, which always stay."""
    found = np.full(len(labels), -1)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        _, number = np.unique(sources[own], return_inverse=True)
        if number.max() > 0:
            found[own] = number % FOLDS
    return found


def right(views: np.ndarray, labels: np.ndarray, sources: np.ndarray, *, whitened: bool) -> np.ndarray:
    """Tell for each photo that can be held out (n,) whether a last layer that was fitted without its part names it right."""
    folds, found = _folds(labels, sources), np.zeros(len(labels), bool)
    for fold in range(FOLDS):
        away, rest = folds == fold, folds != fold
        if away.any():
            head = last_layer(views[:, rest], labels[rest], whitened=whitened)
            found[away] = head.logits(head.embedding(views[0, away])).argmax(1) == labels[away]
    return found[folds >= 0]


def _lead(form: Form, labels: int) -> int:
    """Return by how many held-out photos a form must lead."""
    if form == "places":
        return math.ceil(math.log(LUCK) / math.log(max(labels, 2)) - 1e-9)
    return WHITENED_LEAD if form == "whitened" else 0


def choose(forms: Mapping[Form, np.ndarray], labels: np.ndarray, sources: np.ndarray) -> tuple[Form, dict[Form, float]]:
    """Choose a form by held-out photos; return it, and the share (0..1) of photos that each form names right.

    `forms` holds the views (V, N, D) of each form, the usual one first; labels and sources (N,). The usual one stays unless another leads clearly;
    with fewer than FEWEST photos that can be held out nothing is tried, and no share is returned.
    """
    usual, *_ = forms
    if (_folds(labels, sources) >= 0).sum() < FEWEST:
        return usual, {}
    found = {form: right(views[: 1 + VIEWS], labels, sources, whitened=form != "whole") for form, views in forms.items()}
    best = usual
    for form, held in found.items():
        if held.sum() >= found[usual].sum() + _lead(form, len(np.unique(labels))) and held.sum() >= found[best].sum():
            best = form
    return best, {form: float(held.mean()) for form, held in found.items()}
