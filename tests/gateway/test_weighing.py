"""Weighing: the least expected cost among what the rules permit; an opening can only be taken away."""

from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peephole.base.records import Decision, Prediction
from peephole.gateway.hours import ALWAYS
from peephole.gateway.policy import Glance, Policy, Rule, State, step
from peephole.gateway.weighing import Weights, posterior, weigh

COSTS = {"open": 100.0, "call": 1.0, "record": 0.0}
WEIGHTS = Weights(0.2, 0.01, 10.0, COSTS)


def seen(probability: float, margin: float = 0.3) -> Prediction:
    return Prediction("ana", probability, 0.9, margin, (("ana", probability), ("junho", 1 - probability)), (), True, 0.67)


def decide(probability: float, policy: Policy) -> Decision | None:
    """Return what three such frames lead to."""
    state, events = State(), []
    for number in range(3):
        reaction = step(policy, state, Glance(number * 0.2, 1.8e9, seen(probability)))
        state = reaction.state
        events += [event for event in reaction.events if isinstance(event, Decision)]
    return events[0] if events else None


RULES = (
    Rule("rule 1", frozenset({"ana"}), ALWAYS, "open", True),
    Rule("rule 2", frozenset({"ana", "junho", "unknown"}), ALWAYS, "call", False),
)
POLICY = Policy(rules=RULES, zone=UTC, weights=WEIGHTS)


def test_the_posterior_by_hand() -> None:
    """A fifth of the visits are strangers', of whom one in a hundred is accepted: 0.8 / (0.8 + 0.002) of what the model says."""
    assert posterior(WEIGHTS, {"ana": 0.9, "junho": 0.1}) == pytest.approx({"ana": 0.9 * 0.8 / 0.802, "junho": 0.1 * 0.8 / 0.802})
    assert posterior(replace(WEIGHTS, strangers=1.0, mistaken=0.0), {"ana": 1.0}) == {"ana": 0.0}


def test_sure_enough_opens_and_doubt_rings() -> None:
    """At 0.999 opening costs 0.35, ringing 1; at 0.95 opening costs 5.2, so somebody is asked; the sum stands in the reason."""
    sure, doubt = decide(0.999, POLICY), decide(0.95, POLICY)
    assert sure is not None and doubt is not None
    assert (sure.verdict, sure.action) == ("open", "open")
    assert (doubt.verdict, doubt.action, doubt.rule) == ("ask", "call", "rule 2")
    assert doubt.reason.endswith("expected costs: nothing 10 x 0.948 = 9.48; open 100 x 0.0524 = 5.24; call 1 = 1; the least is call")


def test_doing_nothing_may_be_cheapest() -> None:
    """Where leaving somebody outside costs nothing, the door stays shut and says why, once."""
    never = decide(0.6, replace(POLICY, weights=replace(WEIGHTS, refusal=0.0), rules=RULES[:1]))
    assert never is not None and (never.verdict, never.rule) == ("refuse", "weighing") and never.reason.endswith("the least is nothing")


def test_what_was_chosen_stays_chosen() -> None:
    """After the bell rang the door does not open a frame later, just because the bell needs no second ring."""
    state, actions = State(), []
    for number in range(12):
        reaction = step(POLICY, state, Glance(number * 0.2, 1.8e9, seen(0.95)))
        state = reaction.state
        actions += [event.action for event in reaction.events if isinstance(event, Decision)]
    assert actions == ["call"]


COST = st.sampled_from([0.0, 0.5, 1.0, 10.0, 1e9])


@given(st.tuples(COST, COST, COST), st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 0.999)), st.permutations(RULES), st.booleans())
def test_weighing_never_adds_an_opening(
    costs: tuple[float, float, float], shares: tuple[float, float, float], rules: list[Rule], known: bool
) -> None:
    """Whatever the costs: where the door would stay shut without weighing, it stays shut with it."""
    (opening, call, refusal), (probability, strangers, mistaken) = costs, shares
    rules = rules if known else [replace(rule, who=frozenset({"junho"})) for rule in rules]
    plain = Policy(rules=tuple(rules), zone=UTC)
    weights = Weights(strangers, mistaken, refusal, {"open": opening, "call": call})
    before, after = decide(probability, plain), decide(probability, replace(plain, weights=weights))
    assert not (after is not None and after.verdict == "open") or (before is not None and before.verdict == "open")


@given(st.floats(0, 1), COST, COST, COST)
def test_the_choice_is_the_least(probability: float, opening: float, call: float, refusal: float) -> None:
    """The chosen action's sum is no more than any other's, worked out here again."""
    weights = Weights(0.2, 0.01, refusal, {"open": opening, "call": call, "record": 0.1})
    may = 0.8 / 0.802 * probability
    sums = {"": refusal * may, "open": opening * (1 - may), "call": call, "record": 0.1 + refusal * may}
    choice = weigh(weights, {"ana": probability}, ["ana"], ["open", "call", "record"], "open")
    assert sums[choice.action] <= min(sums.values()) + 1e-9


@pytest.mark.parametrize(("margin", "opens"), [(0.049, False), (0.05, True), (0.3, True)])
def test_the_margin(margin: float, opens: bool) -> None:
    """A frame whose margin is below the asked one counts for nobody."""
    state, verdicts = State(), []
    policy = Policy(rules=RULES, zone=UTC, margin=0.05)
    for number in range(3):
        reaction = step(policy, state, Glance(number * 0.2, 1.8e9, seen(0.9, margin)))
        state = reaction.state
        verdicts += [event.verdict for event in reaction.events if isinstance(event, Decision)]
    assert (verdicts == ["open"]) is opens
    assert state.visit is not None and state.visit.refused == (0 if opens else 3)
    assert opens or "leads the next label by 0.049 only, at least 0.050 is asked" in state.visit.latest[-1].problem
