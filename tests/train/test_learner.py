"""The learners: a network trained, or a last layer fitted on frozen features; both learn only from what they are given."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import PLAN, recipe

from drawings import photo_set
from peephole.base.watch import Watcher
from peephole.nets.blocks import fold_batch_norm
from peephole.train.augment import Augment
from peephole.train.forms import last_layer
from peephole.train.learner import Frozen, Scratch, learner_for
from peephole.train.loop import answers_of
from peephole.train.recipe import Recipe
from peephole.train.scenery import Scenery

PHOTOS = photo_set(6)
EVERYTHING = np.arange(len(PHOTOS))


def drawn(**changes):
    """Return the toy's recipe at the drawings' size."""
    return recipe(**{"steps": 20, "height": 16, "width": 16, "plain": PLAN} | changes)


def test_the_normalisation_is_of_the_photos_that_may_be_learned_from():
    """A held-out photo does not move the mean."""
    ours = Scratch(PHOTOS, drawn(), EVERYTHING[:6])
    pixels = PHOTOS.images[:6].astype(float)
    assert ours.mean[0] == pytest.approx(pixels.mean()) and ours.std[0] == pytest.approx(pixels.std())
    assert ours.mean != Scratch(PHOTOS, drawn(), EVERYTHING).mean


def test_a_blank_set_does_not_divide_by_zero():
    """All white: the spread is taken as 1."""
    blank = PHOTOS.take(EVERYTHING)
    blank.images[:] = 255
    assert Scratch(blank, drawn(), EVERYTHING).std == (1.0,)


def test_it_learns_from_what_it_is_given_alone():
    """Other pixels in the photos that are held out change no weight."""
    rest, away = EVERYTHING[EVERYTHING % 3 > 0], EVERYTHING[EVERYTHING % 3 == 0]
    other = PHOTOS.take(EVERYTHING)
    other.images[away] = 255 - other.images[away]
    one = Scratch(PHOTOS, drawn(), rest).learn(rest, PHOTOS.labels, 1.0)
    two = Scratch(other, drawn(), rest).learn(rest, PHOTOS.labels, 1.0)
    np.testing.assert_array_equal(one.answers(rest)[0], two.answers(rest)[0])
    assert (one.answers(away)[0] != two.answers(away)[0]).any()


def test_finishing_fixes_the_steps():
    """A recipe in seconds has its steps after the final training; shares of it are counted in steps from then on."""
    learner = Scratch(PHOTOS, drawn(steps=0, seconds=0.5), EVERYTHING)
    fitted = learner.finish(EVERYTHING, np.empty(0, np.int64), None, None)
    assert learner.recipe.steps == fitted.recipe.steps > 0


def test_a_team_is_one_network_in_the_end():
    """Members begin from other weights, all learn, and what comes out answers with the mean of theirs, when held out in turn as well."""
    learner = Scratch(PHOTOS, drawn(members=3, batch=12), EVERYTHING)
    fresh = [member.head().weight.detach().clone() for member in learner.build(len(PHOTOS.names), 3).members()]
    fitted = learner.finish(EVERYTHING, np.empty(0, np.int64), None, None)
    weights = fitted.network.head().weight.detach().chunk(3, 1)
    for at, weight in enumerate(weights):
        assert all(not torch.equal(weight, other) for other in weights[at + 1 :])
        assert (3 * weight - fresh[at]).abs().max() > 0.01
    assert fitted.network.embedding_of == "team" and not fitted.network.training
    logits, embedding = learner.learn(EVERYTHING, PHOTOS.labels, 1.0).answers(EVERYTHING[:4])
    assert logits.shape == (4, len(PHOTOS.names)) and embedding.shape[1] == 3 * PLAN.hidden


def test_glances_change_the_answer_and_not_what_is_learned():
    """The weights are those of the recipe without; the file's network and what is held out in turn answer as five looks do."""
    one, five = (Scratch(PHOTOS, drawn(steps=30, glances=glances), EVERYTHING) for glances in (False, True))
    plain, glances = (learner.finish(EVERYTHING, np.empty(0, np.int64), None, None).network for learner in (one, five))
    torch.testing.assert_close(glances.body.glances.still.conv1.weight, fold_batch_norm(plain).body.conv1.weight)
    wanted = answers_of(glances, PHOTOS.images, EVERYTHING)[0]
    assert np.abs(wanted - answers_of(plain, PHOTOS.images, EVERYTHING)[0]).max() > 0.001
    np.testing.assert_allclose(five.learn(EVERYTHING, PHOTOS.labels, 1.0).answers(EVERYTHING)[0], wanted, atol=1e-5)


@pytest.fixture(scope="module")
def frozen():
    """Frozen features of coloured drawings at 32 x 32, with one varied view of each but the last two."""
    photos = PHOTOS.take(EVERYTHING)
    photos = type(photos)(**photos.__dict__ | {"images": np.repeat(np.repeat(photos.images, 2, 1), 2, 2).repeat(3, 3)})
    how = Recipe("lite0", "frozen", 32, 32, 3, 1.0, 3, views=1, augment=Augment(shift=0.1))
    learner = learner_for(photos, how, EVERYTHING[:-2])
    assert isinstance(learner, Frozen)
    return learner


def test_frozen_features_tell_signs_apart(frozen):
    """A last layer on ImageNet features, asked about photos it has not seen."""
    rest, away = EVERYTHING[EVERYTHING % 3 > 0], EVERYTHING[EVERYTHING % 3 == 0]
    model = frozen.learn(rest, PHOTOS.labels, 1.0)
    logits, embedding = model.answers(away)
    assert logits.shape == (len(away), 2) and embedding.shape == (len(away), 1280)
    assert (logits.argmax(1) == PHOTOS.labels[away]).mean() >= 0.75
    assert (model.answers(rest)[0].argmax(1) == PHOTOS.labels[rest]).all()


def test_only_photos_that_may_be_learned_from_are_varied(frozen):
    """Views of the others are not made."""
    assert frozen.views[0, :-2].any(axis=1).all() and not frozen.views[0, -2:].any()


def test_the_finished_network_answers_as_the_fitted_layer(frozen):
    """What is exported holds the very weights that were fitted."""
    fitted = frozen.finish(EVERYTHING[:-2], np.empty(0, np.int64), None, None)
    model = frozen.learn(EVERYTHING[:-2], PHOTOS.labels, 1.0)
    np.testing.assert_array_equal(fitted.network.head().weight.detach().numpy(), model.head.weight)
    with torch.no_grad():
        features = torch.from_numpy(frozen.features)
        np.testing.assert_allclose(fitted.network.head()(features).numpy(), model.answers(EVERYTHING)[0], atol=1e-4)


def test_a_learner_by_another_recipe_leaves_the_first_alone(frozen):
    """Without variation each view is the photo itself, as many as before; another seed gives other views; the plain features stay."""
    before = frozen.views.copy()
    bare = frozen.other(replace(frozen.recipe, augment=Augment()))
    assert bare.views.shape == before.shape and (bare.views[0] == frozen.features).all() and bare.features is frozen.features
    again, seeded = frozen.other(frozen.recipe), frozen.other(replace(frozen.recipe, seed=99))
    np.testing.assert_allclose(again.views, before, atol=1e-4)
    assert np.abs(seeded.views - before).max() > 0.01
    np.testing.assert_array_equal(frozen.views, before)


def test_each_training_may_have_a_seed_of_its_own():
    """The recipe's seed unless another is given, and another recipe's learner trains by that recipe."""
    learner = Scratch(PHOTOS, drawn(), EVERYTHING)
    asked = EVERYTHING[:3]
    own, same, other = (learner.learn(EVERYTHING[3:], PHOTOS.labels, 1.0, seed).answers(asked)[0] for seed in (None, learner.recipe.seed, 99))
    np.testing.assert_array_equal(own, same)
    assert (own != other).any()
    varied = learner.other(replace(learner.recipe, augment=Augment(noise=60))).learn(EVERYTHING[3:], PHOTOS.labels, 1.0).answers(asked)[0]
    assert (own != varied).any() and learner.recipe == drawn()


def test_a_label_with_a_few_more_photos_is_not_preferred():
    """Frozen features, 14 photos of one label and 10 of the other: half-way between the two means neither leads."""
    labels = np.repeat([0, 1], [14, 10])
    features = np.random.default_rng(0).normal(0, 0.05, (24, 200)).astype(np.float32)
    head = last_layer(features[None], labels, whitened=False)
    first, second = head.logits((features[:14].mean(0) + features[14:].mean(0)) / 2)
    assert abs(first - second) < 0.05  # by counts alone it would be log(14 / 10) = 0.34


@pytest.mark.parametrize("form", ["whole", "whitened", "places"])
def test_the_network_to_export_gives_the_answers_of_the_fit(form):
    """Logits and embedding of the finished network are those that were held out by, for every form of the features."""
    photos = PHOTOS.take(EVERYTHING)
    photos = type(photos)(**photos.__dict__ | {"images": np.repeat(np.repeat(photos.images, 3, 1), 3, 2).repeat(3, 3)})
    how = Recipe("lite0", "frozen", 48, 48, 3, 100.0, 3, views=1, features=form, augment=Augment(shift=0.1))
    learner = learner_for(photos, how, EVERYTHING)
    model, fitted = learner.learn(EVERYTHING, photos.labels, 1.0), learner.finish(EVERYTHING, EVERYTHING[:0], None, None)
    assert fitted.recipe.features == form and ("whiten" in dict(fitted.network.body.named_children())) == (form != "whole")
    for ours, theirs in zip(answers_of(fitted.network, photos.images, EVERYTHING), model.answers(EVERYTHING), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_the_form_is_settled_by_held_out_photos_and_said():
    """Auto tries all three and says what each named right; a recipe that names one tries nothing."""
    photos = PHOTOS.take(EVERYTHING)
    photos = type(photos)(**photos.__dict__ | {"images": np.repeat(np.repeat(photos.images, 2, 1), 2, 2).repeat(3, 3)})
    said = []
    how = Recipe("lite0", "frozen", 32, 32, 3, 100.0, 3, views=1, features="auto", augment=Augment(shift=0.1))
    watch = Watcher()
    watch.said = said.append
    learner = Frozen(photos, how, EVERYTHING, watch)
    assert learner.recipe.features in ("whole", "whitened", "places") and learner.features.shape[1] in (1280, 448)
    assert any(text.startswith(f"features {learner.recipe.features} (") and "whitened" in text for text in said)


def leaning(background):
    """Return a frozen learner over made-up features: a strong one names the wall, by chance in all but the first view, a weak one the label."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 20)
    views = rng.normal(0, 0.02, (3, 40, 30)).astype(np.float32)
    views[:, :, 0] += 0.1 * (2 * labels - 1)
    views[0, :, 1] += 2 * labels - 1
    views[1:, :, 1] += rng.choice([-1, 1], (2, 40))
    learner = object.__new__(Frozen)
    learner.features, learner.views = views[0], views[1:]
    learner.recipe = Recipe("lite0", "frozen", 32, 32, 3, 1.0, 3, augment=Augment(background=background))
    return learner.learn(np.arange(40), labels, 1.0), labels


def test_a_last_layer_leans_less_on_what_another_background_changes():
    """Before the other's wall the label is still named where backgrounds were exchanged, and not where the layer was fitted as it came."""
    swapped = []
    for background in (1.0, 0.0):
        head, labels = leaning(background)
        features = head.features.copy()
        features[:, 1] *= -1
        swapped.append((head.head.logits(features).argmax(1) == labels).mean())
        assert (head.answers(np.arange(40))[0].argmax(1) == labels).all()
    assert swapped[0] > 0.9 and swapped[1] < 0.5, swapped


def test_a_background_of_what_is_held_out_teaches_nothing():
    """Other pixels in the backdrops of photos that are held out change no weight; in those that are learned from they do."""
    rest, away = EVERYTHING[EVERYTHING % 3 > 0], EVERYTHING[EVERYTHING % 3 == 0]
    weights = []
    for dark in ([], away, rest):
        walls = PHOTOS.images.copy()
        walls[dark] = 0
        scenery = Scenery.of(walls, np.zeros(walls.shape[:3], np.uint8), PHOTOS.labels, EVERYTHING, EVERYTHING[:0])
        learner = learner_for(PHOTOS, drawn(augment=Augment(background=0.5)), rest, scenery=scenery)
        weights.append(learner.learn(rest, PHOTOS.labels, 1.0).answers(rest)[0])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()
