"""Doubtful labels: a photo is judged by all others but its copies, and nothing of what is held out reaches its judge."""

import numpy as np

from drawings import photo_set
from peephole.train.doubt import LEAD, compare, judge, lead, left_out, shares, told, unsure
from peephole.train.gradients import gradients

PHOTOS = photo_set(6, "XO=IL")


def judged(labels, sources=None, count=5):
    """Judge the drawings under these labels; return answers and leads."""
    sources = PHOTOS.sources if sources is None else sources
    features = (*gradients(PHOTOS.images), None)
    how = compare(features, labels, sources, count, things=False)
    return judge(features, labels, sources, count, how)[:2]


def test_a_wrong_label_comes_first_and_is_flagged():
    """One of six labels of a sign is flipped: it leads the ranking, looks like its true label and is called doubtful, in most draws."""
    first = flagged = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        at, labels = int(rng.integers(len(PHOTOS))), PHOTOS.labels.copy()
        labels[at] = (labels[at] + 1 + rng.integers(4)) % 5
        answers, ahead = judged(labels)
        first += (ahead > ahead[at]).sum() < 3 and answers[at].argmax() == PHOTOS.labels[at]
        flagged += ahead[at] > LEAD
    assert first >= 9 and flagged >= 8


def test_clean_labels_are_left_alone():
    """Among right labels at most 5 % are flagged."""
    _, ahead = judged(PHOTOS.labels)
    assert (ahead > LEAD).mean() <= 0.05


def test_labels_dealt_by_chance_cannot_be_foretold():
    """What is held out does not leak into its judge: with features centred over all photos and no offset, 80 % of these would be right."""
    right = []
    for seed in range(10):
        labels = np.random.default_rng(seed).permutation(PHOTOS.labels)
        answers, _ = judged(labels)
        right.append((answers.argmax(1) == labels).mean())
    assert np.mean(right) < 0.25


def test_left_out_is_what_leaving_out_and_fitting_again_gives():
    """The closed form, for single photos and for a source of three, is the answer of a fit without them."""
    rng = np.random.default_rng(0)
    features = rng.random((12, 20))
    alike, labels = features @ features.T, np.arange(12) % 3
    sources = np.array([0, 0, 0, *range(1, 10)])
    found = left_out(alike, labels, sources, 3, 0.1)
    for source in np.unique(sources):
        own, rest = np.flatnonzero(sources == source), np.flatnonzero(sources != source)
        targets = np.eye(3)[labels[rest]] - 1 / 3
        weights = np.linalg.solve(alike[np.ix_(rest, rest)] + 1 + 0.1 * np.eye(len(rest)), targets)
        np.testing.assert_allclose(found[own], (alike[np.ix_(own, rest)] + 1) @ weights, atol=1e-9)


def test_near_copies_do_not_vouch_for_each_other():
    """A mistake and its copy: as two sources each speaks for the other, as one source both are found."""
    pixels = np.concatenate([PHOTOS.images, PHOTOS.images[:1], PHOTOS.images[:1]])
    labels = np.concatenate([PHOTOS.labels, [1, 1]])
    labels[0] = 1
    features = (*gradients(pixels), None)
    alone, together = np.arange(len(labels)), np.where(np.isin(np.arange(len(labels)), [0, 30, 31]), 0, np.arange(len(labels)))
    how = compare(features, labels, together, 5, things=False)
    _, vouched, _ = judge(features, labels, alone, 5, how)
    _, found, _ = judge(features, labels, together, 5, how)
    assert found[0] > LEAD > vouched[0]


def test_a_label_of_one_source_is_not_judged():
    """Nothing could speak for it, so nothing is said against it."""
    labels = np.where(np.arange(30) == 0, 5, PHOTOS.labels)
    features = (*gradients(PHOTOS.images), None)
    how = compare(features, labels, PHOTOS.sources, 6, things=False)
    assert judge(features, labels, PHOTOS.sources, 6, how)[1][0] == -np.inf


def test_light_changes_little():
    """A lamp at half strength or a brighter one leaves gradient histograms nearly as they are."""
    images = PHOTOS.images.astype(float)
    for was, now in zip(gradients(PHOTOS.images), gradients((images * 0.5 + 60).astype(np.uint8)), strict=True):
        cosine = (was * now).sum(1) / np.linalg.norm(was, axis=1) / np.linalg.norm(now, axis=1)
        assert cosine.min() > 0.95


def test_flat_pictures_give_numbers():
    """All-black photos have no gradient, and still an answer."""
    found = gradients(np.zeros((4, 16, 16, 1), np.uint8))
    assert all(np.isfinite(part).all() for part in found)
    how = compare((*found, None), np.array([0, 0, 1, 1]), np.arange(4), 2, things=False)
    assert np.isfinite(judge((*found, None), np.array([0, 0, 1, 1]), np.arange(4), 2, how)[0]).all()


def test_shares_add_up_and_lead_is_the_best_other():
    """Shares are at least 0 and sum to 1; the lead is the best other label's answer less the own one's."""
    answers = np.array([[0.5, -0.3, -0.2], [-0.9, 0.1, 0.2]])
    np.testing.assert_allclose(shares(answers).sum(1), 1)
    np.testing.assert_allclose(lead(answers, np.array([0, 0])), [-0.7, 1.1])


def test_after_a_training_only_the_sure_are_told():
    """A held-out photo that a calibrated network gives another label with little doubt is named, one that it is torn about is not."""
    logits, labels = np.array([[0.0, 9.0], [0.0, 0.3], [9.0, 0.0]]), np.array([0, 0, 0])
    assert unsure(logits, labels, 1.0).tolist() == [0]
    assert told(("a/1.png", "a/2.png", "a/3.png"), logits, labels, 1.0, "photos") == (
        "1 photo may carry the wrong label: a/1.png; look with: peephole doubt photos"
    )
    assert not told(("a/1.png", "a/2.png", "a/3.png"), logits, labels, 100.0, "photos")
