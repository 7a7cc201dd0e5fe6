"""What a card proved was proved for the card's people: at a gate that knows more, it arms only on what was measured with all of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import peephole
from peephole.base.card import Card
from peephole.base.engine import Outputs
from peephole.base.errors import NotArmed
from peephole.base.evidence import measure, upper_bound
from peephole.base.records import Evidence
from peephole.decide.gallery import judge_with
from peephole.decide.predictor import Predictor
from peephole.gateway.arming import arm
from peephole.gateway.enrol import begun
from peephole.gateway.people import Example, People
from peephole.gateway.standing import card_here, carried, crowd, standing

Standing = Callable[[Card, People], tuple[Evidence, ...]]
PROOF = measure("false accept", 0, 299, "stranger", "proof")


@pytest.fixture
def predictor(tiny_model_path: Path) -> Predictor:
    """The tiny model, which knows left and top."""
    return peephole.load(tiny_model_path)


@pytest.fixture
def card(predictor: Predictor) -> Card:
    """Its card, with a proof for 1 % and a share of known photos refused."""
    return predictor.card.model_copy(update={"evidence": (PROOF, measure("false reject", 1, 40, "photo", "proof"))})


def person(who: str, answers: Outputs) -> Example:
    return Example(0, "person", who, f"digest of {who}", "kim", 1.8e9, answers)


def strangers(predictor: Predictor, count: int, seed: int = 0) -> list[Example]:
    """Return so many strangers: noise, one photo each."""
    draw = np.random.default_rng(seed)
    answers = predictor.engine.run(draw.integers(0, 256, (count, 8, 8, 1), np.uint8))
    return [Example(0, "stranger", f"{at:08x}" * 2, f"{at:064x}", "", 0.0, answers.at(slice(at, at + 1))) for at in range(count)]


@pytest.fixture
def met(predictor: Predictor, tiny_photos: dict[str, np.ndarray]) -> People:
    """A gallery with one person."""
    return begun(predictor).plus([person("min", predictor.engine.run(tiny_photos["stranger"]))])


def test_nobody_enrolled_leaves_the_card_alone(predictor: Predictor, card: Card) -> None:
    """The card's evidence, word for word."""
    assert standing(card, begun(predictor)) == card.evidence
    assert arm(standing(card, begun(predictor)), 0.01, low_risk=False).how == "proof"


def arms_on_the_card_alone(stand: Standing, card: Card, people: People) -> bool:
    """Say whether a gate that knows somebody more arms without low risk, though nothing was measured with them."""
    try:
        arm(stand(card, people), 0.01, low_risk=False)
    except NotArmed:
        return False
    return True


def test_an_enrolled_person_ends_the_proof(card: Card, met: People) -> None:
    """The bound is carried over to three people and is an estimate; the gate does not arm on it and says what would help."""
    accept, reject, enrolled = standing(card, met)
    assert (accept.role, accept.errors, accept.trials) == ("estimate", 0, 299) and "carried over to 3" in accept.method
    assert accept.bound == pytest.approx(1 - (1 - PROOF.bound) ** 1.5) and accept.bound > PROOF.bound
    assert reject.role == "estimate" and "before anybody was enrolled" in reject.method
    # The one photo, held out, is known by nothing that is left.
    assert (enrolled.claim, enrolled.errors, enrolled.trials, enrolled.role) == ("false reject of the enrolled", 1, 1, "estimate")
    with pytest.raises(NotArmed, match="no proof, an estimate only: false accept: 0 of 299") as caught:
        arm(standing(card, met), 0.01, low_risk=False)
    assert "--strangers" in caught.value.hint
    assert "carried over" in arm(standing(card, met), 0.01, low_risk=True).sentence


def card_as_it_is(card: Card, people: People) -> tuple[Evidence, ...]:
    """A planted bug: the card's proof is taken for everybody."""
    _ = people
    return card.evidence


def test_the_test_of_the_proof_finds_a_planted_bug(card: Card, met: People) -> None:
    """The real evidence does not arm; evidence that forgets the enrolled does, and is caught by the same question."""
    assert not arms_on_the_card_alone(standing, card, met) and arms_on_the_card_alone(card_as_it_is, card, met)


def test_strangers_measured_here_prove_again(predictor: Predictor, card: Card, met: People) -> None:
    """With everybody known here and strangers enough the gate arms; one in four of them watches and is not counted."""
    people = met.plus(strangers(predictor, 400))
    accept = standing(card, people)[0]
    assert (accept.role, accept.trials) == ("proof", 300) and accept.method.endswith("with everybody known here")
    assert accept.bound == upper_bound(accept.errors, 300)
    passing = people.gallery
    answers = [judge_with(example.outputs, predictor.model.card, people.gallery)[0] for example in people.strangers]
    watchers = [int(example.who[:8], 16) % 4 == 0 for example in people.strangers]
    assert accept.errors == sum(answer.accepted for answer, watches in zip(answers, watchers, strict=True) if not watches)
    assert passing.who == ("min",)
    few = standing(card, met.plus(strangers(predictor, 12)))[0]
    assert few.trials == 12


def test_without_enrolled_people_strangers_are_added_up(predictor: Predictor, card: Card) -> None:
    """Other strangers, the same people: counts of card and gate together."""
    mine = standing(card, begun(predictor).plus(strangers(predictor, 12)))
    alone = standing(card.model_copy(update={"evidence": ()}), begun(predictor).plus(strangers(predictor, 12)))
    assert mine[0].trials == 299 + 12 and mine[0].errors == alone[0].errors and alone[0].trials == 12
    kinds = card.model_copy(update={"evidence": (measure("false accept", 0, 5, "kind", "proof"),)})
    assert [item.unit for item in standing(kinds, begun(predictor).plus(strangers(predictor, 12)))] == ["stranger", "kind"]


def test_more_photos_of_a_trained_person_count_too(predictor: Predictor, card: Card, tiny_photos: dict[str, np.ndarray]) -> None:
    """Their region grew, so it counts as one more to be tried against; nobody is new."""
    people = begun(predictor).plus([person("left", predictor.engine.run(tiny_photos["left-2"]))])
    size = crowd(card, people)
    assert (size.trained, size.new, size.grown, size.enrolled) == (2, 0, 3, (("left", 1),))
    assert standing(card, people)[0].role == "estimate" and card_here(card, people).labels == card.labels


@given(st.floats(1e-6, 0.999), st.integers(1, 200), st.integers(0, 200))
def test_more_people_never_make_it_better(bound: float, before: int, more: int) -> None:
    """A bound carried over to more people is no smaller, and is a rate."""
    found = carried(bound, before, before + more)
    assert bound - 1e-12 <= found <= 1 and carried(bound, before, before + more + 1) >= found
    assert carried(1.0, before, before + more) == 1.0


def test_the_carried_bound_covers_equal_people() -> None:
    """1,000 simulated deployments in which everybody lets strangers in alike: the bound for 9 people from one for 3 holds in 94 % or more."""
    draw, covered = np.random.default_rng(5), 0
    for _ in range(1000):
        each = draw.uniform(0, 0.05)
        three, nine = 1 - (1 - each) ** 3, 1 - (1 - each) ** 9
        covered += nine <= carried(upper_bound(int(draw.binomial(60, three)), 60), 3, 9)
    print(f"covered in {covered} of 1000")
    assert covered >= 940
