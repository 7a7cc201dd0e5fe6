"""What is heard beside the frames, signal by signal: what it changes, what is said of it, and every limit on both of its sides."""

import math
from dataclasses import replace
from datetime import UTC

import pytest
from doorworld import FACES, RULES

from peephole.base.records import Decision
from peephole.gateway.factor import Asked, Heard, Shown, mark
from peephole.gateway.hearing import END_LOCKOUT, began, hear, unkept
from peephole.gateway.inbox import Kind, Signal
from peephole.gateway.lockout import Kept, Lockout, Patience, held
from peephole.gateway.policy import Glance, Policy, Reaction, State, step
from peephole.gateway.remote import LIFE
from peephole.gateway.remotestate import FOREVER, Standing
from peephole.gateway.state import also_source

WALL = 1_790_000_000.0
SECRET = Policy(rules=RULES, zone=UTC, factor=Asked("secret", 20.0, patience=Patience(5, 30.0, 50)))
PHONE = replace(SECRET, factor=Asked("presence", 20.0, 300.0))
NUMBER = iter(range(10**6))


def signal(kind: Kind, time: float, source: str = "pin", **values: float | str) -> Signal:
    """Return a signal in an envelope that is in order, but for what `values` say."""
    envelope: dict[str, float | str] = {"nonce": f"nonce-{next(NUMBER):06}", "expires": WALL + 5.0}
    return Signal(time, WALL, source, kind, {**envelope, **values})


def pin(time: float, whose: str = '["ana"]', **values: float | str) -> Signal:
    return signal("factor", time, whose=whose, **values)


def phone(time: float, here: str = "yes", whose: str = '["ana"]', **values: float | str) -> Signal:
    return signal("presence", time, whose=whose, here=here, **values)


def recognised(policy: Policy, who: str = "ana", start: float = 0.0) -> State:
    """Return the state after three frames of somebody, the last of them half a second after `start`."""
    state = State()
    for number in range(3):
        state = step(policy, state, Glance(start + number / 4, WALL, FACES[who])).state
    return state


def told(reaction: Reaction) -> list[tuple[str, str, str | None]]:
    """Return verdict, rule and label of what was decided."""
    return [(one.verdict, one.rule, one.label) for one in reaction.events if isinstance(one, Decision)]


def reason(reaction: Reaction) -> str:
    """Return the one reason that was given."""
    (decision,) = (one for one in reaction.events if isinstance(one, Decision))
    return decision.reason


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", ["factor", "presence", "reading", "command"])
def test_a_signal_without_a_time_never_happened(kind: Kind, time: float) -> None:
    """Whatever it says."""
    state = recognised(SECRET)
    values = {"whose": '["ana"]', "do": END_LOCKOUT, "order": "order"}
    assert hear(SECRET, state, signal(kind, time, **values)) == Reaction(state)


@pytest.mark.parametrize(
    ("policy", "one"),
    [(replace(SECRET, factor=None), pin(1.0)), (replace(SECRET, factor=None), phone(1.0)), (SECRET, phone(1.0)), (PHONE, pin(1.0))],
    ids=["a PIN, nothing asked", "a phone, nothing asked", "a phone, a PIN asked", "a PIN, a phone asked"],
)
def test_what_nobody_asked_for_is_not_heard(policy: Policy, one: Signal) -> None:
    """Not even its nonce is remembered."""
    state = recognised(policy)
    assert hear(policy, state, one) == Reaction(state)


def test_a_right_pin_is_remembered_and_its_nonce_spent() -> None:
    """Whose, since when, and beside those that are still good: twenty seconds, exactly."""
    old, good = Shown(frozenset({"junho"}), 9.75), Shown(frozenset({"junho"}), 10.0)
    one = pin(30.0)
    reaction = hear(SECRET, State(heard=Heard((old, good))), one)
    assert reaction.events == () and reaction.state.heard.shown == (good, Shown(frozenset({"ana"}), 30.0))
    assert reaction.state.lockout.kept == Kept(0, (mark(one.values),)) and reaction.state.heard.nonces == (mark(one.values),)


def test_a_right_pin_forgives_nothing_by_itself() -> None:
    """Only an opening sets the count to zero."""
    assert hear(SECRET, State(lockout=Lockout(Kept(4))), pin(1.0)).state.lockout.kept.failures == 4


@pytest.mark.parametrize(
    ("values", "why", "known"),
    [
        ({"retained": 1.0}, "it was retained by the broker, so nobody knows when it was said", False),
        ({"nonce": "short"}, "it has no nonce of 8 to 200 letters", False),
        ({"expires": WALL - 2}, "it expired 2 s ago", True),
        ({"problem": "it is no JSON"}, "it is no JSON", True),
    ],
    ids=["retained", "no nonce", "expired", "no JSON"],
)
def test_a_pin_that_is_not_looked_at(values: dict[str, float | str], why: str, known: bool) -> None:
    """It is said why, nothing is counted, and its nonce never counts again, unless the broker had kept the message."""
    state = recognised(SECRET)
    one = pin(1.0, **values)
    reaction = hear(SECRET, state, one)
    assert told(reaction) == [("refuse", "second factor", None)] and reason(reaction) == f"a PIN or tag was not looked at: {why}"
    assert reaction.state.lockout == state.lockout and reaction.state.heard.shown == ()
    assert reaction.state.heard == Heard(nonces=(mark(one.values),) if known else (), told=1.0)


def test_a_pin_during_a_lockout_is_not_looked_at_and_never_counts() -> None:
    """Neither then nor when it comes again afterwards."""
    state, one = State(lockout=Lockout(Kept(5), until=30.0)), pin(10.0, expires=WALL + 50)
    shut = hear(SECRET, state, one)
    assert reason(shut).endswith("in a row the door stays shut for another 20.0 s") and shut.state.lockout == state.lockout
    again = hear(SECRET, shut.state, replace(one, time=31.0))
    assert reason(again).endswith("it came before") and again.state.heard.shown == ()


def test_wrong_pins_are_told_with_their_number() -> None:
    """Each of them, and what follows from it; those that nobody had used are let go when the door is shut."""
    shown = (Shown(frozenset({"ana"}), 0.0),)
    state = State(heard=Heard(shown), lockout=Lockout(Kept(3)))
    fourth = hear(SECRET, state, pin(1.0, "[]"))
    assert told(fourth) == [("refuse", "second factor", None)]
    assert reason(fourth) == "a PIN or tag came that belongs to nobody, number 4 in a row" and fourth.state.heard.shown == shown
    fifth = hear(SECRET, fourth.state, pin(2.0, "[]"))
    assert reason(fifth).startswith("a PIN or tag came that belongs to nobody, number 5 in a row; after 5 wrong PINs")
    assert fifth.state.heard.shown == () and len(fifth.state.heard.nonces) == 2 and fifth.state.lockout.until == 32.0


def test_the_last_wrong_pin_before_the_door_is_disabled_counts_no_pin_of_before() -> None:
    """Also where the number that disables is none that shuts for a while."""
    policy = replace(SECRET, factor=Asked("secret", patience=Patience(5, 30.0, 7)))
    state = State(heard=Heard((Shown(frozenset({"ana"}), 0.0),)), lockout=Lockout(Kept(6)))
    assert hear(policy, state, pin(1.0, "[]")).state.heard.shown == ()


@pytest.mark.parametrize(("time", "opens"), [(0.5, True), (20.5, True), (20.75, False), (0.25, True)])
def test_a_pin_opens_for_whoever_waits(time: float, opens: bool) -> None:
    """Twenty seconds after the agreement, exactly; one that was heard a moment before the frame that agreed counts from that frame on."""
    reaction = hear(SECRET, recognised(SECRET), pin(time))
    assert told(reaction) == ([("open", "rule 1", "ana")] if opens else [])
    assert reaction.state.shut_until == (max(time, 0.5) + 5.0 if opens else -math.inf)


@pytest.mark.parametrize("who", ["junho", "mallory", "stranger"])
def test_a_pin_of_somebody_else_opens_for_nobody(who: str) -> None:
    """It stays for its owner."""
    reaction = hear(SECRET, recognised(SECRET, who), pin(1.0))
    assert told(reaction) == [] and [sorted(one.whose) for one in reaction.state.heard.shown] == [["ana"]]


def test_a_pin_with_nobody_there_is_kept() -> None:
    """Before the first frame, and between two visits."""
    assert hear(SECRET, State(), pin(1.0)).events == ()


def test_a_phone_that_is_here_opens_and_one_that_left_does_not() -> None:
    """It counts for its owner alone, until it says that it left."""
    state = recognised(PHONE)
    assert told(hear(PHONE, state, phone(1.0))) == [("open", "rule 1", "ana")]
    for one in (phone(1.0, here="no"), phone(1.0, here=""), phone(1.0, whose='["junho"]')):
        assert told(hear(PHONE, state, one)) == []
    both = hear(PHONE, hear(PHONE, State(), phone(1.0)).state, phone(2.0, whose='["junho"]')).state
    assert dict(both.heard.phones) == {"ana": 1.0, "junho": 2.0} and len(both.heard.nonces) == 2
    assert dict(hear(PHONE, both, phone(3.0, here="no")).state.heard.phones) == {"junho": 2.0}
    assert dict(hear(PHONE, both, phone(3.0)).state.heard.phones) == {"junho": 2.0, "ana": 3.0}


@pytest.mark.parametrize(
    ("values", "why"), [({"retained": 1.0}, "it was retained"), ({"problem": "it is"}, "it is"), ({"expires": WALL}, "it expired")]
)
def test_a_phone_that_is_not_believed(values: dict[str, float | str], why: str) -> None:
    """It is said why, and whoever waits goes on waiting."""
    state = recognised(PHONE)
    reaction = hear(PHONE, state, phone(1.0, **values))
    assert told(reaction) == [("refuse", "second factor", None)] and reason(reaction).startswith(f"a phone's message was not believed: {why}")
    assert reaction.state.heard == replace(state.heard, told=1.0)


def test_a_phones_message_counts_once() -> None:
    """The same again is a replay, also when it left in between."""
    one = phone(1.0)
    left = hear(PHONE, hear(PHONE, State(), one).state, phone(2.0, here="no")).state
    again = hear(PHONE, left, replace(one, time=3.0))
    assert reason(again).endswith("it came before") and again.state.heard.phones == ()


@pytest.mark.parametrize(("time", "said"), [(10.0, False), (19.75, False), (20.0, True), (9.75, True)])
def test_how_often_it_is_said_that_something_was_not_believed(time: float, said: bool) -> None:
    """Once in ten seconds, exactly; a clock that went back silences nobody."""
    state = State(heard=Heard(told=10.0))
    reaction = hear(SECRET, state, pin(time, retained=1.0))
    assert bool(reaction.events) is said and reaction.state.heard.told == (time if said else 10.0)


ALSO = replace(SECRET, factor=None, also=("side",))


@pytest.mark.parametrize(("time", "opens"), [(0.5, True), (2.5, True), (2.75, False), (0.25, True), (-1.75, False)])
def test_another_models_word_completes_an_agreement(time: float, opens: bool) -> None:
    """Two seconds, exactly, and never at a time before the agreement."""
    state = recognised(ALSO)
    word = Signal(time, WALL, also_source("side"), "reading", {"who": "ana"})
    reaction = hear(ALSO, state, word)
    assert told(reaction) == ([("open", "rule 1", "ana")] if opens else []) and reaction.state.rows[also_source("side")].time == time
    assert reaction.state.shut_until == (max(time, 0.5) + 5.0 if opens else -math.inf)


def test_another_models_word_about_somebody_else_or_with_nobody_there() -> None:
    """It is kept, and nothing follows."""
    for state, who in ((recognised(ALSO), "junho"), (State(), "ana"), (step(ALSO, State(), Glance(0.0, WALL, FACES["ana"])).state, "ana")):
        reaction = hear(ALSO, state, Signal(0.5, WALL, also_source("side"), "reading", {"who": who}))
        assert reaction.events == () and reaction.state == replace(state, rows={also_source("side"): reaction.state.rows[also_source("side")]})


def test_a_word_of_a_model_that_nobody_asks_for() -> None:
    """It is no reading of DOOR.toml and leaves no trace; a reading of that kind of another model is none either."""
    for source in (also_source("back"), "side"):
        assert hear(ALSO, State(), Signal(0.5, WALL, source, "reading", {"who": "ana"})) == Reaction(State())


def order(name: str = "order", do: str = END_LOCKOUT, time: float = 1.0) -> Signal:
    return Signal(time, WALL, "a person", "command", {"do": do, "order": name})


def test_a_person_ends_a_lockout() -> None:
    """It is a note of the gate itself, also while somebody stands there; the order is remembered, and the failures are not."""
    state = replace(recognised(SECRET), lockout=Lockout(Kept(5, ("spent",)), until=30.0))
    reaction = hear(SECRET, state, order())
    assert reaction.events == (Decision("-", "note", None, "a person ended the lockout; 5 failures forgotten", "lockout", None),)
    assert reaction.state == replace(state, lockout=Lockout(Kept(0, ("spent",), ("order",))))
    assert hear(SECRET, reaction.state, order()) == Reaction(reaction.state)


def test_a_person_ends_a_lock_from_afar_and_a_lost_memory() -> None:
    """What was locked is said; commands that may have been followed before the memory was lost stay out."""
    lost = Standing("shut: what it must remember cannot be read", floor=FOREVER)
    reaction = hear(SECRET, State(lockout=Lockout(Kept(50, standing=lost))), order())
    assert reason(reaction) == f"a person ended the lockout, and what was {lost.locked}; 50 failures forgotten"
    assert reaction.state.lockout.kept.standing == Standing(floor=int(WALL + LIFE)) and held(SECRET.patience, reaction.state.lockout, 1.0) == ""
    locked = hear(SECRET, State(lockout=Lockout(Kept(1, standing=Standing("locked from afar", (), 7)))), order())
    assert reason(locked) == "a person ended the lockout, and what was locked from afar; 1 failure forgotten"
    assert locked.state.lockout.kept.standing == Standing(floor=7)


@pytest.mark.parametrize("one", [order(""), order(do="lock"), order(do="")])
def test_what_is_no_order(one: Signal) -> None:
    """An empty one, and one for something else."""
    state = State(lockout=Lockout(Kept(5), until=30.0))
    assert hear(SECRET, state, one) == Reaction(state)


def test_where_nobody_counts_wrong_pins_a_start_locks_nobody_out() -> None:
    """What was locked stays locked all the same."""
    kept = Kept(5, standing=Standing("locked from afar"))
    assert began(PHONE, State(), Kept(5), 100.0).lockout == Lockout(Kept(5), until=130.0)
    assert began(replace(SECRET, factor=None), State(), kept, 100.0).lockout == Lockout(kept)


FULL = "it is full"


def test_on_a_full_disk_nobody_comes_in() -> None:
    """An opening does not happen, and the count, the PIN and what was waited for are as before; its nonce never counts again. It is said once."""
    state = replace(recognised(SECRET), lockout=Lockout(Kept(3)))
    one = pin(1.0)
    opening = hear(SECRET, state, one)
    assert told(opening) == [("open", "rule 1", "ana")]
    after = unkept(state, opening, FULL)
    assert told(after) == [("refuse", "lockout", None)]
    assert reason(after) == "nobody comes in: wrong PINs and tags cannot be counted on disk: it is full"
    assert after.state.lockout == Lockout(Kept(3, (mark(one.values),)), unwritten=True)
    assert after.state.heard == opening.state.heard and after.state.shut_until == -math.inf
    assert after.state.visit is not None and not after.state.visit.opened and after.state.visit.awaits
    assert unkept(after.state, hear(SECRET, after.state, pin(2.0)), FULL).events == ()


def test_on_a_full_disk_a_lockout_begins_and_does_not_end() -> None:
    """The fifth wrong PIN shuts for thirty seconds also where it cannot be written down, and an order ends nothing before it can be."""
    state = State(lockout=Lockout(Kept(4)))
    shut = unkept(state, hear(SECRET, state, pin(1.0, "[]")), FULL).state
    assert shut.lockout == Lockout(Kept(5), until=31.0, unwritten=True)
    still = unkept(shut, hear(SECRET, shut, order()), FULL).state
    assert still.lockout == shut.lockout
