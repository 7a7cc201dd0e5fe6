"""People beside the model file: known by the same method, never at the cost of anybody's safety."""

import numpy as np
import pytest

import peephole
from peephole.base.engine import Outputs
from peephole.base.errors import ModelFileError
from peephole.decide.gallery import Acquainted, Gallery, judge_with, stand
from peephole.decide.judge import judge
from peephole.decide.known import Compared, compared, require_same


@pytest.fixture
def predictor(tiny_model_path):
    """The tiny model, which knows left and top."""
    return peephole.load(tiny_model_path)


@pytest.fixture
def chequered(predictor, tiny_photos):
    """A gallery in which the tiny model's stranger is somebody called min."""
    embedding = predictor.engine.run(tiny_photos["stranger"]).embedding
    return Gallery(embedding, ("min",), ("min/enrolled-1",), compared(predictor.model).centre)


def test_a_stranger_becomes_somebody(predictor, chequered, tiny_photos):
    """Whoever was enrolled is known, with the nearest examples named; those who were known before are so still, to the last bit."""
    assert predictor.predict(tiny_photos["stranger"]).label is None
    here = Acquainted(predictor.model, predictor.engine, chequered, predictor.card.model_copy(update={"labels": ("left", "top", "min")}))
    found = here.predict(tiny_photos["stranger"])
    assert found.label == found.best == "min" and found.accepted and found.nearest[0].id == "min/enrolled-1"
    assert found.familiarity == pytest.approx(1.0, abs=1e-5) and found.threshold == predictor.card.unknown.threshold
    assert {name for name, _ in found.ranking} == {"left", "top", "min"} and sum(p for _, p in found.ranking) == pytest.approx(1)
    for name in ("left-1", "left-2", "top-1"):
        now, before = here.predict(tiny_photos[name]), predictor.predict(tiny_photos[name])
        assert (now.label, now.familiarity, now.probability, now.ranking) == (before.label, before.familiarity, before.probability, before.ranking)
    assert here.labels == ("left", "top", "min") and predictor.labels == ("left", "top")
    assert "enrolled here: min (1) photos" in str(here)


def test_nobody_enrolled_changes_nothing(predictor, tiny_photos):
    """An empty gallery answers as the model does."""
    empty = Gallery(np.empty((0, 4), np.float32), (), (), compared(predictor.model).centre)
    outputs = predictor.engine.run(np.stack(list(tiny_photos.values())))
    assert judge_with(outputs, predictor.card, empty) == judge(outputs, predictor.card)


def test_a_gallery_only_refuses_those_of_the_model(predictor):
    """On any embedding: a trained label is given only where the model alone gives it too."""
    rng = np.random.default_rng(0)
    card = predictor.card.model_copy(update={"unknown": predictor.card.unknown.model_copy(update={"threshold": 0.2, "margin": 0.0})})
    centre, directions = compared(predictor.model).centre, compared(predictor.model).directions
    embedding = rng.normal(0, 1, (500, 4)).astype(np.float32) + centre
    unit = (embedding - centre) / np.linalg.norm(embedding - centre, axis=1, keepdims=True)
    similar = unit @ directions.T
    familiar = np.stack([similar[:, :2].max(1), similar[:, 2]], 1)
    outputs = Outputs(familiar + rng.normal(0, 0.2, familiar.shape).astype(np.float32), embedding, familiar, similar)
    gallery = Gallery(rng.normal(0, 1, (6, 4)).astype(np.float32) + centre, ("min",) * 3 + ("seo",) * 3, ("",) * 6, centre)
    with_them, alone = stand(outputs, card, gallery), stand(outputs, card, gallery.take(np.zeros(6, bool)))
    named = with_them.accepted & (with_them.best < 2)
    assert named.any() and (with_them.accepted & (with_them.best >= 2)).any()
    assert (alone.accepted[named] & (alone.best[named] == with_them.best[named])).all()
    assert (with_them.familiarity.argmax(1) == with_them.best)[with_them.accepted].all()


@pytest.mark.parametrize("part", ["logits", "embedding", "familiarity", "similarity"])
def test_what_is_no_number_is_nobody(predictor, chequered, tiny_photos, part):
    """NaN in any of the model's answers lets nobody in, not even somebody who was enrolled."""
    outputs = predictor.engine.run(tiny_photos["stranger"])
    assert stand(outputs, predictor.card, chequered).accepted.all()
    broken = Outputs(*(np.full_like(getattr(outputs, name), np.nan) if name == part else getattr(outputs, name) for name in vars(outputs)))
    if part != "similarity":  # on which nothing rests where only new people stand in the gallery
        assert not stand(broken, predictor.card, chequered).accepted.any()
    assert not any(np.isnan(answer.familiarity) and answer.accepted for answer in judge_with(broken, predictor.card, chequered))


def test_what_is_infinite_is_nobody(predictor, chequered, tiny_photos):
    """A graph that claims endless familiarity with somebody lets nobody in."""
    outputs = predictor.engine.run(tiny_photos["left-1"])
    assert stand(outputs, predictor.card, chequered).accepted.all()
    endless = Outputs(outputs.logits, outputs.embedding, np.array([[np.inf, 0.0]], np.float32), outputs.similarity)
    assert not stand(endless, predictor.card, chequered).accepted.any()


def test_what_the_graph_compares_with_is_read_and_checked(predictor, tiny_photos):
    """Centre and known examples give the graph's own similarities; a centre that is off is noticed."""
    found, outputs = compared(predictor.model), predictor.engine.run(np.stack(list(tiny_photos.values())))
    require_same(found, outputs)
    with pytest.raises(ModelFileError, match="compares otherwise"):
        require_same(Compared(found.centre + np.float32(0.3), found.directions), outputs)
