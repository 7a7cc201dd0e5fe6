"""What an agreement may cause, rule by rule: times are quarters of a second, so that every limit can be met exactly."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from peephole.base.records import Decision, Prediction
from peephole.gateway.conditions import Row
from peephole.gateway.factor import Asked, Heard, Shown
from peephole.gateway.hours import ALWAYS, parse_hours
from peephole.gateway.lockout import Kept, Lockout
from peephole.gateway.permission import agreement
from peephole.gateway.policy import UNKNOWN, Glance, Policy, Rule, State, step
from peephole.gateway.remotestate import Standing
from peephole.gateway.state import also_source
from peephole.gateway.weighing import Weights

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC).timestamp()
NEVER = parse_hours("Su 00:00-01:00")
OPEN = Rule("opens", frozenset({"ana", "junho"}), ALWAYS, "open", True)
LIGHT = Rule("lights", frozenset({"ana"}), ALWAYS, "light", False)
CALL = Rule("calls", frozenset({UNKNOWN}), ALWAYS, "call", False)
POLICY = Policy(agree=3, within=2.0, gap=2.0, cool_down=5.0, rules=(OPEN, CALL), zone=UTC)


def seen(who: str, familiarity: float = 0.9, probability: float = 0.75) -> Prediction:
    known = who != "stranger"
    ranking = ((who if known else "ana", probability), ("x", 1 - probability))
    return Prediction(who if known else None, probability, familiarity, 0.3, ranking, (), known, 0.67)


def play(policy: Policy, words: str, state: State | None = None, start: float = 0.0) -> tuple[State, list[Decision]]:
    """Show faces, a quarter of a second apart; "dark" is a frame that could not be judged."""
    state, found = state or State(), []
    for number, who in enumerate(words.split()):
        time = start + number / 4
        glance = Glance(time, NOON + time, None if who == "dark" else seen(who))
        reaction = step(policy, state, glance)
        state = reaction.state
        found += [event for event in reaction.events if isinstance(event, Decision)]
    return state, found


def acts(policy: Policy, words: str, state: State | None = None, start: float = 0.0) -> list[tuple[str, str | None, str]]:
    """Return verdict, label and rule of whatever was decided."""
    return [(one.verdict, one.label, one.rule) for one in play(policy, words, state, start)[1]]


def test_an_agreement_in_words_and_figures() -> None:
    """The last frame's time and figures, and each label's mean probability over the frames that agree and no others."""
    state = State()
    for time, familiarity, probability in ((0.0, 0.81, 1.0), (0.25, 0.82, 0.875), (0.5, 0.83, 0.75), (0.75, 0.84, 0.625)):
        state = step(POLICY, state, Glance(time, NOON, seen("ana", familiarity, probability))).state
    assert state.visit is not None
    found = agreement(state.visit)
    assert (found.who, found.time) == ("ana", 0.75) and dict(found.odds) == pytest.approx({"ana": 0.75, "x": 0.25})
    assert found.brief == "three frames in a row were ana" and found.told == f"{found.brief} within 0.5 s"
    assert found.why.startswith(f"{found.told}; the last one: its familiarity with ana's known examples is 0.84")


def test_an_agreement_of_one_frame_or_on_a_stranger() -> None:
    """One frame has no last one; a stranger has no name."""
    one = play(replace(POLICY, agree=1), "ana")[0].visit
    stranger = play(POLICY, "stranger stranger stranger")[0].visit
    assert one is not None and stranger is not None
    assert agreement(one).why.startswith("one frame was ana; its familiarity")
    assert (agreement(stranger).who, agreement(stranger).brief) == (UNKNOWN, "three frames in a row were a stranger")
    two = play(replace(POLICY, agree=2), "ana ana")[0].visit
    assert two is not None and agreement(two).why.startswith("two frames in a row were ana within 0.2 s; the last one: its familiarity")


def test_the_first_rule_that_holds_is_followed_and_no_other() -> None:
    """One whose hours do not hold is passed over; what comes after the first is not done, also when that is done already."""
    policy = replace(POLICY, rules=(replace(OPEN, name="never", hours=NEVER), LIGHT, OPEN))
    assert acts(policy, "ana ana ana ana ana ana") == [("ask", "ana", "lights")]
    assert acts(replace(policy, rules=policy.rules[:1]), "ana ana ana ana") == [("refuse", "ana", "hours")]


def test_a_visit_opens_one_door_and_may_do_other_things() -> None:
    """After ana was let in, junho opens nothing else in the same visit, and what opens nothing is done all the same."""
    gate = Rule("gates", frozenset({"junho"}), ALWAYS, "gate", True)
    policy = replace(POLICY, cool_down=0.0)
    assert acts(replace(policy, rules=(replace(OPEN, who=frozenset({"ana"})), gate)), "ana ana ana junho junho junho") == [("open", "ana", "opens")]
    light = replace(LIGHT, who=frozenset({"junho"}))
    both = acts(replace(policy, rules=(replace(OPEN, who=frozenset({"ana"})), light)), "ana ana ana junho junho junho junho")
    assert both == [("open", "ana", "opens"), ("ask", "junho", "lights")]


@pytest.mark.parametrize(("start", "opened"), [(5.0, 2), (4.75, 1)])
def test_the_cool_down_is_exact(start: float, opened: int) -> None:
    """It opened at half a second: five seconds later it opens again, a quarter before that it does not."""
    state, _ = play(POLICY, "ana ana ana")
    found = play(POLICY, "junho junho junho", state, start)[1]
    assert 1 + sum(one.verdict == "open" for one in found) == opened
    assert opened == 2 or "shut for another 0.2 s" in found[-1].reason


def test_a_lock_forbids_it() -> None:
    """Whoever it is: shut, with the reason, once a visit; what opens nothing is done."""
    state = State(lockout=Lockout(Kept(standing=Standing("locked from afar"))))
    ((verdict, label, rule),) = acts(POLICY, "ana ana ana ana", state)
    assert (verdict, label, rule) == ("refuse", "ana", "lockout")
    assert play(POLICY, "ana ana ana", state)[1][0].reason == "three frames in a row were ana within 0.5 s, but it is locked from afar"
    assert acts(replace(POLICY, rules=(LIGHT,)), "ana ana ana", state) == [("ask", "ana", "lights")]


@pytest.mark.parametrize(
    ("who", "time", "opens"),
    [("ana", 0.5, True), ("ana", -1.5, True), ("ana", -1.75, False), ("ana", 2.5, True), ("ana", 2.75, False), ("junho", 0.5, False)],
)
def test_another_model_must_have_seen_the_same_in_time(who: str, time: float, opens: bool) -> None:
    """Two seconds before or after half a second, exactly."""
    policy = replace(POLICY, also=("side",))
    state = State(rows={also_source("side"): Row(time, {"who": who})})
    (decision,) = play(policy, "ana ana ana", state)[1]
    assert (decision.verdict == "open", decision.rule) == (opens, "opens" if opens else "another model")
    assert decision.reason.endswith("; side sees the same" if opens else "within 0.5 s; side must see the same within 2 s")
    assert play(policy, "ana ana ana")[1][0].rule == "another model"


def test_every_other_model_is_asked() -> None:
    """One of two is not enough."""
    policy = replace(POLICY, also=("side", "back"))
    rows = {also_source("side"): Row(0.5, {"who": "ana"})}
    assert "back must see the same" in play(policy, "ana ana ana", State(rows=rows))[1][0].reason
    both = {**rows, also_source("back"): Row(0.5, {"who": "ana"})}
    assert play(policy, "ana ana ana", State(rows=both))[1][0].reason.endswith("; side sees the same; back sees the same")


SECRET, PHONE = replace(POLICY, factor=Asked("secret")), replace(POLICY, factor=Asked("presence"))


@pytest.mark.parametrize(
    ("policy", "reason"),
    [(SECRET, "ana's PIN or tag is awaited for 20 s"), (PHONE, "ana's phone is not here; it is awaited for 20 s")],
    ids=["secret", "presence"],
)
def test_a_second_factor_is_awaited(policy: Policy, reason: str) -> None:
    """It is said once, and the visit waits."""
    state, (decision,) = play(policy, "ana ana ana ana")
    assert (decision.rule, decision.reason) == ("second factor", f"three frames in a row were ana within 0.5 s; {reason}")
    assert state.visit is not None and state.visit.awaits and not state.visit.opened


def test_a_pin_is_used_up_and_forgives() -> None:
    """It opens, says so, counts no second time, sets the failures to zero, and nothing is awaited any more."""
    before = State(lockout=Lockout(Kept(3, ("spent",))), heard=Heard((Shown(frozenset({"ana"}), 0.0),), ("nonce",)))
    state, (decision,) = play(SECRET, "ana ana ana", before)
    assert decision.verdict == "open" and decision.reason.endswith("; ana's PIN or tag came 0.5 s before")
    assert state.heard == Heard((), ("nonce",)) and state.lockout.kept == Kept(0, ("spent",))
    assert state.visit is not None and state.visit.opened and not state.visit.awaits and state.shut_until == 5.5


def test_a_phone_stays_and_forgives_nothing() -> None:
    """It backs whoever it belongs to again and again, and has nothing to do with wrong PINs."""
    before = State(lockout=Lockout(Kept(3)), heard=Heard(phones=(("ana", 0.0),)))
    state, (decision,) = play(PHONE, "ana ana ana", before)
    assert decision.verdict == "open" and decision.reason.endswith("; ana's phone was here 0 s before")
    assert (state.heard, state.lockout) == (before.heard, before.lockout)


@pytest.mark.parametrize(
    ("policy", "words", "who"),
    [
        (POLICY, "ana ana ana ana", "ana"),
        (replace(POLICY, rules=()), "stranger stranger stranger stranger", UNKNOWN),
        (replace(POLICY, rules=()), "ana ana ana ana", "ana"),
        (SECRET, "ana ana ana ana", "ana"),
    ],
    ids=["opened already", "a stranger whom nothing is for", "told already", "awaited already"],
)
def test_the_latest_agreement_is_known_also_when_nothing_follows(policy: Policy, words: str, who: str) -> None:
    """The fourth frame causes nothing, and whoever asks later knows that they still agreed then."""
    visit = play(policy, words)[0].visit
    assert visit is not None and visit.agreed is not None and (visit.agreed.who, visit.agreed.time) == (who, 0.75)


WEIGHTS = Weights(0.2, 0.01, 10.0, {"open": 100.0, "call": 1.0, "light": 0.0})
CALLS = replace(CALL, who=frozenset({"ana"}))


@pytest.mark.parametrize(
    ("rules", "probability", "follows", "told"),
    [
        ((OPEN, CALLS), 0.75, ("ask", "calls"), "nothing 10 x 0.748 = 7.48; open 100 x 0.252 = 25.2; call 1 = 1; the least is call"),
        ((OPEN, CALLS), 1.0, ("open", "opens"), "nothing 10 x 0.998 = 9.98; open 100 x 0.00249 = 0.249; call 1 = 1; the least is open"),
        ((OPEN,), 0.75, ("refuse", "weighing"), "nothing 10 x 0.748 = 7.48; open 100 x 0.252 = 25.2; the least is nothing"),
        ((OPEN, replace(CALLS, hours=NEVER)), 0.75, ("refuse", "weighing"), "open 100 x 0.252 = 25.2; the least is nothing"),
        ((OPEN, replace(CALLS, opens=True)), 0.75, ("refuse", "weighing"), "open 100 x 0.252 = 25.2; the least is nothing"),
        ((CALLS, OPEN), 1.0, ("ask", "calls"), "nothing 10 x 0.998 = 9.98; call 1 = 1; the least is call"),
        ((LIGHT, CALLS), 0.75, ("ask", "calls"), "light 0 + 10 x 0.748 = 7.48; call 1 = 1; the least is call"),
    ],
    ids=["ringing", "opening", "nothing", "its hours do not hold", "a second opening", "the opening comes second", "none opens"],
)
def test_what_is_weighed(rules: tuple[Rule, ...], probability: float, follows: tuple[str, str], told: str) -> None:
    """The first rule, and those that open nothing; what does not hold, or opens beside the first, is not in the scales."""
    policy, state, found = replace(POLICY, rules=rules, weights=WEIGHTS), State(), []
    for time in (0.0, 0.25, 0.5):
        reaction = step(policy, state, Glance(time, NOON, seen("ana", probability=probability)))
        state = reaction.state
        found += [event for event in reaction.events if isinstance(event, Decision)]
    assert [(one.verdict, one.rule) for one in found] == [follows] and found[0].reason.endswith(told)
