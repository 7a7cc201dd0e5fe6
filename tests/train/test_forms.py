"""The forms of frozen features: what whitening evens out, and how held-out photos choose among them."""

import numpy as np
import pytest
import torch

from peephole.nets.blocks import Shape
from peephole.nets.lite import lite
from peephole.train import forms


def lit(labels=12, each=4, views=3, seed=0):
    """Return views (V, N, D) and labels: what tells labels apart is small, lights common to all are large and unlike from photo to photo."""
    rng = np.random.default_rng(seed)
    parts, lamps = rng.normal(0, 0.5, (6, 60)), rng.normal(0, 1, (4, 60))
    who = rng.normal(0, 1, (labels, 6)) @ parts
    named = np.repeat(np.arange(labels), each)
    photos = who[named] + rng.normal(0, 1, (len(named), 4)) @ lamps
    return (photos + rng.normal(0, 0.02, (views, *photos.shape))).astype(np.float32), named


def nearest(features, labels):
    """Return the share of photos whose nearest other photo, by the cosine, has their label."""
    alike = features @ features.T / np.outer(np.linalg.norm(features, axis=1), np.linalg.norm(features, axis=1))
    np.fill_diagonal(alike, -2)
    return (labels[alike.argmax(1)] == labels).mean()


def test_whitening_evens_out_what_labels_share():
    """Fitted to eight labels, it brings photos of four labels that it never saw together."""
    views, labels = lit()
    known = labels < 8
    fitted = forms.whitening(views[:, known].reshape(-1, views.shape[-1]), np.tile(labels[known], len(views)))
    strange, names = views[0, ~known], labels[~known]
    assert nearest(strange - views[0, known].mean(0), names) < 0.8
    assert nearest(fitted(strange), names) == 1
    np.testing.assert_allclose(np.linalg.norm(fitted(strange), axis=1), 1, atol=1e-4)


def test_there_are_no_more_axes_than_rows_tell():
    """Four rows span three directions; many rows at most AXES."""
    rng = np.random.default_rng(1)
    assert forms.whitening(rng.normal(size=(4, 50)), np.array([0, 0, 1, 1])).matrix.shape == (3, 50)
    assert forms.whitening(rng.normal(size=(300, 200)), np.arange(300) % 3).matrix.shape == (forms.AXES, 200)


def test_photos_that_are_all_alike_stay_finite():
    """No difference within a label is no division by zero."""
    views, labels = np.repeat(np.eye(2, 30, dtype=np.float32), 3, 0)[None].repeat(2, 0), np.repeat([0, 1], 3)
    head = forms.last_layer(views, labels, whitened=True)
    logits = head.logits(head.embedding(views[0]))
    assert np.isfinite(logits).all() and (logits.argmax(1) == labels).all()


@pytest.mark.parametrize("form", ["whitened", "places"])
def test_the_layers_of_the_network_are_those_of_the_fit(form):
    """`whiten` and `unit_whiten` of the network give what the numpy twin gives."""
    network = lite("lite0", Shape(3, 32, 32), 2, form, 5).eval()
    whiten = network.body.get_submodule("whiten")
    rng = np.random.default_rng(2)
    features = rng.normal(size=(3, whiten.in_features)).astype(np.float32)
    twin = forms.Whitening(whiten.weight.detach().numpy(), whiten.bias.detach().numpy())
    with torch.no_grad():
        ours = network.body.get_submodule("unit_whiten")(whiten(torch.from_numpy(features))).numpy()
    np.testing.assert_allclose(ours, twin(features), atol=1e-5)


def test_held_out_photos_choose_the_form():
    """A form that names clearly more photos right is taken; one that is no better leaves the usual one."""
    views, labels = lit(each=6)
    sources = np.arange(len(labels))
    noise = np.random.default_rng(3).normal(size=views.shape).astype(np.float32)
    best, shares = forms.choose({"whole": noise, "whitened": views, "places": noise}, labels, sources)
    assert best == "whitened" and shares["whitened"] > 0.9 and shares["whole"] < 0.5
    plain = np.eye(12, dtype=np.float32)[labels][None].repeat(3, 0) + noise[..., :12] * 0.01
    assert forms.choose({"whole": plain, "whitened": plain, "places": plain}, labels, sources)[0] == "whole"


@pytest.mark.parametrize(("labels", "needed"), [(2, 3), (3, 2), (4, 2), (8, 1), (24, 1)])
def test_a_lead_of_chance_does_not_choose(monkeypatch, labels, needed):
    """Whitened needs a lead of three photos; places so many as luck would hardly name: the fewer the labels, the more."""
    told = {"whole": 20, "whitened": 22, "places": 20}
    given, truth = dict.fromkeys(told, np.zeros((1, 24, 2))), np.arange(24) % labels
    sources = np.arange(24)
    monkeypatch.setattr(forms, "_folds", lambda labels, sources: np.arange(len(labels)) % 3)

    def best():
        counts = iter(told.values())
        monkeypatch.setattr(forms, "right", lambda *_, **__: np.arange(24) < next(counts))
        return forms.choose(given, truth, sources)[0]

    for places, form in ((20 + needed - 1, "whole"), (20 + needed, "places")):
        told["places"] = places
        assert best() == form
    told |= {"whitened": 23, "places": 20}
    assert best() == "whitened"


def test_few_photos_or_sources_choose_nothing():
    """Two photos of each of three labels are too few; so are many photos of one original each."""
    views, labels = lit(labels=3, each=2)
    assert forms.choose({"whole": views, "places": views}, labels, np.arange(6)) == ("whole", {})
    views, labels = lit(labels=3, each=8)
    assert forms.choose({"whole": views, "places": views}, labels, labels) == ("whole", {})


def test_copies_are_held_out_together():
    """A photo is never named by a copy of itself: with two originals of each label, each named one at a time."""
    labels, sources = np.repeat([0, 1], 6), np.repeat([0, 1, 2, 3], 3)
    folds = forms._folds(labels, sources)
    assert all(len(set(folds[sources == source])) == 1 for source in range(4)) and len(set(folds)) == 2
