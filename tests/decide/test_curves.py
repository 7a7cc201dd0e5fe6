"""Labels, calibration and DET: counted by source and by stranger, with exact bounds, and the same figures as the evaluation."""

from dataclasses import replace

import numpy as np
import pytest

from drawings import folder
from peephole.base.evidence import interval
from peephole.decide.curves import calibration, curves, det
from peephole.decide.evaluate import evaluate, examine
from peephole.decide.predictor import load


@pytest.fixture(scope="module")
def found(drawn_model, tmp_path_factory):
    """The drawn model examined on new drawings, of which some are strangers and one lies in the wrong folder."""
    root = folder(tmp_path_factory.mktemp("curves") / "photos", 12, strangers="=IL", start=300)
    (root / "O" / "O300.png").rename(root / "X" / "wrong.png")
    return examine(load(drawn_model), root)


def test_the_curves_agree_with_the_evaluation(found):
    """The point at the card's line has the counts of the evidence; labels add up to the accuracy; every wrong photo is listed once."""
    counted, said = curves(found), {each.claim: each for each in found.evaluation.evidence}
    card = counted.det.card
    assert (card.accepted, counted.det.strangers) == (said["false accept"].errors, said["false accept"].trials)
    assert (card.rejected, counted.det.known) == (said["false reject"].errors, said["false reject"].trials)
    assert card.reject_interval == interval(card.rejected, counted.det.known)
    assert sum(each.right for each in counted.labels) == round(found.evaluation.accuracy.accuracy * found.evaluation.accuracy.n)
    assert sum(each.n for each in counted.labels) == counted.calibration.n == len(found.ones)
    for each in counted.labels:
        assert each.recognised + each.confused + each.refused == each.n and each.interval == interval(each.right, each.n)
    wrong = found.evaluation.confusion.sum() - np.trace(found.evaluation.confusion) + found.evaluation.strangers[:-1].sum()
    assert len(counted.wrong) == wrong == len({each.row for each in counted.wrong}) > 0
    assert any(found.ids[each.row] == "X/wrong.png" for each in counted.wrong)


def test_examining_is_evaluating(found, drawn_model, tmp_path):
    """`evaluate` gives the very evaluation that `examine` counted."""
    root = folder(tmp_path / "photos", 4, strangers="=", start=400)
    one, other = evaluate(drawn_model, root), examine(drawn_model, root).evaluation
    assert str(one) == str(other) and (one.confusion == other.confusion).all()


def test_the_worst_stands_first(found):
    """Strangers let in before the known under another's name before the known turned away; the most familiar intruder first."""
    made = replace(found, given=np.where(np.arange(len(found.truth)) % 3 == 0, 0, -1))
    wrong = curves(made).wrong
    order = ["stranger_in", "wrong_label", "turned_away"]
    places = [order.index(each.kind) for each in wrong]
    assert places == sorted(places) and set(places) == {0, 1, 2}
    own = made.outputs.familiarity[np.arange(len(made.truth)), made.outputs.logits.argmax(1)]
    intruders = [own[each.row] for each in wrong if each.kind == "stranger_in"]
    assert intruders == sorted(intruders, reverse=True)


def test_honest_probabilities_are_called_honest():
    """Right as often as it says: within what chance allows; always sure and right half the time: far beyond; each bin holds as many."""
    draw = np.random.default_rng(0)
    shares = draw.uniform(0.3, 1, 400)
    honest = calibration(shares, draw.random(400) < shares)
    assert honest.ece <= honest.honest_most and honest.n == 400 and {each.n for each in honest.bins} == {40} and len(honest.bins) == 10
    sure = calibration(np.full(400, 0.99), draw.random(400) < 0.5)
    assert sure.ece == pytest.approx(0.49, abs=0.06) and sure.ece > 3 * sure.honest_most
    assert all(each.interval[1] < each.confidence for each in sure.bins)
    assert all(each.interval == interval(each.right, each.n) and each.low <= each.confidence <= each.high for each in honest.bins)


def test_ece_by_hand():
    """Twenty photos, two bins: |0.5 - 0.6| and |0.9 - 0.95|, each half of the mass."""
    shares = np.repeat([0.6, 0.95], 10)
    right = np.array([True] * 5 + [False] * 5 + [True] * 9 + [False])
    found = calibration(shares, right)
    assert [each.right for each in found.bins] == [5, 9] and found.ece == pytest.approx(0.5 * 0.1 + 0.5 * 0.05)
    one = calibration(np.array([0.7]), np.array([True]))
    assert one.n == 1 and one.ece == pytest.approx(0.3) and one.bins[0].interval == interval(1, 1)


def test_det_by_hand():
    """Three strangers, four known: a line at each score; who is let in at no line is always rejected."""
    strange, known = np.array([0.1, 0.5, -np.inf]), np.array([0.4, 0.6, 0.9, -np.inf])
    found = det(strange, known, 0.5)
    assert (found.card.accepted, found.card.rejected) == (1, 2) and found.card.false_accept == pytest.approx(1 / 3)
    assert [(each.accepted, each.rejected) for each in found.points] == [(2, 1), (1, 1), (1, 2), (0, 2), (0, 3), (0, 4)]
    assert found.card.accept_interval == interval(1, 3)
    many = np.random.default_rng(1).normal(size=500)
    drawn = det(many, many + 1, 0.0)
    assert len(drawn.points) <= 60 and drawn.points[0].false_accept == 1 and drawn.points[-1].false_reject == 1


def test_one_photo_let_in_is_a_stranger_let_in(found):
    """Of a stranger's two photos one passes: that stranger was let in, and no other."""
    familiar = np.full_like(found.outputs.familiarity, -0.9)
    row = int(np.flatnonzero(found.truth < 0)[0])
    familiar[row, found.best[row]] = 1.0
    assert (found.strangers == found.strangers[row]).sum() == 2
    drawn = curves(replace(found, outputs=replace(found.outputs, familiarity=familiar))).det
    assert (drawn.card.accepted, drawn.strangers) == (1, 3)


def test_without_strangers_or_labels(found):
    """Only known labels: no DET; only strangers: no calibration and no labels; NaN is let in at no line and right at none."""
    known, strange = ((found.truth >= 0) == wanted for wanted in (True, False))

    def part(rows):
        return replace(
            found,
            truth=found.truth[rows],
            strangers=found.strangers[rows],
            sources=found.sources[rows],
            given=found.given[rows],
            outputs=found.outputs.at(np.flatnonzero(rows)),
        )

    assert curves(part(known)).det is None and curves(part(known)).calibration is not None
    assert curves(part(strange)) == replace(curves(part(strange)), labels=(), calibration=None, det=None)
    broken = replace(found.outputs, logits=np.full_like(found.outputs.logits, np.nan))
    nothing = curves(replace(found, outputs=broken))
    assert (
        nothing.det.card.accepted == 0
        and nothing.det.card.rejected == nothing.det.known
        and not any(each.right for each in (*nothing.labels, *nothing.calibration.bins))
    )
