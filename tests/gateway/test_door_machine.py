"""The door as a state machine: retained, doubled, replayed and expired PINs, lockouts, crashes, full disks and clocks that jump.

SAFETY test 3 and the policy's half of test 12. The second opinion stands in doorworld.py.
"""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from doorworld import FACES, POLICY, World, broken_step, ear_that_sees
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from peephole.gateway.factor import Asked
from peephole.gateway.hearing import began, hear
from peephole.gateway.lockout import Kept, Patience, cleared, held
from peephole.gateway.policy import Reaction, State

LONG = os.environ.get("PEEPHOLE_LONG") == "1"


class Door(RuleBasedStateMachine):
    """Draws what happens at a door; residents come often, so that it has a reason to open."""

    @initialize()
    def begin(self) -> None:
        """Begin with a new door."""
        self.world = World()

    @rule(who=st.sampled_from(["ana", "ana", "junho", *FACES]), frames=st.integers(1, 4), every=st.sampled_from([0.2, 0.2, 0.9, 1.5]))
    def come(self, who: str, frames: int, every: float) -> None:
        """Somebody stands in front of the camera."""
        for _ in range(frames):
            self.world.frame(who, every)

    @rule(who=st.sampled_from(["ana", "junho"]), first=st.booleans())
    def come_and_type(self, who: str, first: bool) -> None:
        """A resident does everything right."""
        if first:
            self.world.pin(who)
        for _ in range(3):
            self.world.frame(who)
        if not first:
            self.world.pin(who)

    @rule(whose=st.sampled_from(["ana", "junho", "mallory", ""]), life=st.sampled_from([10.0, 10.0, 60.0, 0.0, -5.0, 61.0, 1e9]))
    def type_a_pin(self, whose: str, life: float) -> None:
        """A PIN, with an expiry that may be out of order."""
        self.world.pin(whose, life)

    @rule(whose=st.sampled_from(["ana", ""]), nonce=st.sampled_from(["", "short", None]), retained=st.booleans())
    def type_a_bad_message(self, whose: str, nonce: str | None, retained: bool) -> None:
        """A PIN in a message without a nonce, or one that the broker kept."""
        self.world.pin(whose, 10.0, nonce, retained)

    @rule(times=st.integers(1, 60))
    def guess(self, times: int) -> None:
        """Somebody tries PINs."""
        for _ in range(times):
            self.world.pin("")
            self.world.wait(1.0)

    @rule(number=st.integers(0, 1000), times=st.integers(1, 3))
    def replay(self, number: int, times: int) -> None:
        """A message of before comes again."""
        for _ in range(times if self.world.sent else 0):
            self.world.again(number)

    @rule(seconds=st.sampled_from([0.1, 2.5, 6.0, 19.0, 21.0, 29.0, 31.0, 3600.0]))
    def wait(self, seconds: float) -> None:
        """Nothing happens for a while."""
        self.world.wait(seconds)

    @rule(boots=st.booleans(), wall=st.sampled_from([None, 0.0, -3600.0]))
    def crash(self, boots: bool, wall: float | None) -> None:
        """The gate is killed, or the power fails; the clock may come back wrong."""
        self.world.crash(boots)
        if wall is not None:
            self.world.set_clock(wall if wall == 0 else self.world.wall + wall)

    @rule()
    def die_at_the_next_write(self) -> None:
        """Be killed after what must be kept is on disk, and before anything else happens."""
        self.world.dies = True

    @rule(full=st.booleans())
    def disk(self, full: bool) -> None:
        """The disk fills up, or has room again."""
        self.world.full = full

    @rule(old=st.one_of(st.none(), st.integers(0, 5)))
    def person(self, old: int | None) -> None:
        """A person ends the lockout, or an old order turns up again."""
        self.world.order(old)

    @rule(jump=st.sampled_from([-3600.0, 3600.0, -31_536_000.0, 31_536_000.0, -1e9, 5.0]))
    def jump(self, jump: float) -> None:
        """The wall clock is set."""
        self.world.set_clock(self.world.wall + jump)

    @rule(back=st.sampled_from([0.1, 3.0, 100.0]))
    def back(self, back: float) -> None:
        """The monotonic clock does what it never should."""
        self.world.frame("dark", 0.1)
        self.world.frame("ana", -back)

    @invariant()
    def nothing_wrong(self) -> None:
        """The book and the door agree."""
        if hasattr(self, "world"):
            assert self.world.violations == []


def test_no_story_opens_the_door_wrongly() -> None:
    """Whatever happens in whatever order: 0 violations."""
    run_state_machine_as_test(Door, settings=settings(max_examples=1500 if LONG else 150, stateful_step_count=40, deadline=None))


def resident(world: World) -> None:
    """Ana does everything right."""
    for _ in range(3):
        world.frame("ana")
    world.pin("ana")


def guesses(world: World, number: int, pause: float = 31.0) -> None:
    for _ in range(number):
        world.pin("")
        world.wait(pause)


def test_the_world_opens() -> None:
    """The plain story, before and after the PIN, twice: the machine above tests a door that does open."""
    world = World()
    resident(world)
    world.wait(10)
    world.pin("ana")
    for _ in range(3):
        world.frame("ana")
    assert (world.openings, world.violations) == (2, [])


def replayed(world: World) -> None:
    resident(world)
    world.wait(6)
    for _ in range(3):
        world.frame("ana")
    world.again(0)


def replayed_after_a_crash(world: World) -> None:
    world.pin("ana", 60.0)
    for _ in range(3):
        world.frame("ana")
    world.crash()
    for _ in range(3):
        world.frame("ana")
    world.again(0)


def wrong_person(world: World) -> None:
    for _ in range(3):
        world.frame("ana")
    world.pin("junho")


def bad_messages(world: World) -> None:
    for _ in range(3):
        world.frame("ana")
    world.pin("ana", retained=True)
    world.wait(0.1)
    world.pin("ana", -5.0)
    world.wait(0.1)
    world.pin("ana", 10.0, "")


def guessed(world: World) -> None:
    for _ in range(5):
        world.pin("")
    for _ in range(3):
        world.frame("ana")
    world.pin("ana")


def guessed_after_a_crash(world: World) -> None:
    for _ in range(5):
        world.pin("")
    world.crash()
    resident(world)


def disabled(world: World) -> None:
    guesses(world, 51)
    resident(world)


def disabled_for_good(world: World) -> None:
    world.order()
    guesses(world, 51)
    world.order(0)
    resident(world)


def left(world: World) -> None:
    for _ in range(3):
        world.frame("ana")
    world.wait(25)
    world.pin("ana")


def another_came(world: World) -> None:
    for face in ("ana", "ana", "ana", "mallory", "mallory", "mallory"):
        world.frame(face)
    world.pin("ana")


def twice(world: World) -> None:
    world.pin("ana", 60.0)
    for start in (0.0, 8.0):
        world.wait(start)
        for _ in range(3):
            world.frame("ana")


def typed_before_a_lockout(world: World) -> None:
    world.pin("ana")
    for _ in range(5):
        world.pin("")
    world.order()
    for _ in range(3):
        world.frame("ana")


def full(world: World) -> None:
    world.full = True
    guesses(world, 3, 1.0)
    resident(world)


def forgets(kept: Kept) -> Kept:
    return replace(kept, failures=0)


def without(name: str, value: float | str) -> Callable[..., Reaction]:
    """Return an ear that takes one value of a message for another."""
    return ear_that_sees(lambda values: {**values, name: value} if "nonce" in values else values)


def honours_again(policy: object, state: State, signal: object) -> Reaction:
    state = replace(state, lockout=replace(state.lockout, kept=replace(state.lockout.kept, orders=())))
    return hear(policy, state, signal)  # type: ignore[arg-type]


def no_second_thought(policy: object, state: State, signal: object) -> Reaction:
    visit = state.visit
    if visit is not None and visit.agreed is not None and visit.agreed.who != "ana":
        state = replace(state, visit=replace(visit, agreed=replace(visit.agreed, who="ana"), awaits=True))
    return hear(policy, state, signal)  # type: ignore[arg-type]


BROKEN: dict[str, tuple[Callable[[World], None], dict[str, object]]] = {
    "nonces are not looked at": (replayed, {"ear": lambda p, s, one: hear(p, replace(s, heard=replace(s.heard, nonces=()), lockout=replace(s.lockout, kept=replace(s.lockout.kept, spent=()))), one)}),  # noqa: E501
    "nonces are forgotten in a crash": (replayed_after_a_crash, {"save": lambda kept: replace(kept, spent=())}),
    "a PIN counts for anybody": (wrong_person, {"ear": without("whose", '["ana", "junho"]')}),
    "retained messages count": (bad_messages, {"ear": without("retained", 0.0)}),
    "expired messages count": (bad_messages, {"ear": ear_that_sees(lambda v: {**v, "expires": float(v.get("expires", 0)) + 9.0})}),
    "a message needs no nonce": (bad_messages, {"ear": ear_that_sees(lambda v: {**v, "nonce": v.get("nonce") or "nonce-anyway"})}),
    "no lockout": (guessed, {"ear": lambda p, s, one: hear(p, replace(s, lockout=cleared(s.lockout)), one)}),
    "a restart ends the lockout": (guessed_after_a_crash, {"start": lambda p, s, kept, time: replace(s, lockout=replace(s.lockout, kept=kept))}),
    "a restart forgets the failures": (guessed_after_a_crash, {"save": forgets}),
    "never disabled": (disabled, {"policy": replace(POLICY, factor=Asked("secret", 20.0, 300.0, Patience(5, 30.0, 10**6)))}),
    "an old order ends the lockout again": (disabled_for_good, {"ear": honours_again}),
    "the PIN may come any time later": (left, {"policy": replace(POLICY, factor=replace(POLICY.factor, within=1e6))}),  # type: ignore[type-var]
    "who comes in between does not matter": (another_came, {"ear": no_second_thought}),
    "a PIN opens more than once": (twice, {"walk": lambda p, s, one: _again(s, broken_step()(p, s, one))}),
    "a PIN of before a lockout counts after it": (typed_before_a_lockout, {"ear": lambda p, s, one: _keeps(s, hear(p, s, one))}),
    "the camera alone is enough": (another_came, {"walk": broken_step(factor=None)}),
    "a full disk does not matter": (full, {"careless": True}),
}  # fmt: skip


def _again(state: State, reaction: Reaction) -> Reaction:
    return replace(reaction, state=replace(reaction.state, heard=replace(reaction.state.heard, shown=state.heard.shown)))


def _keeps(state: State, reaction: Reaction) -> Reaction:
    shown = max(state.heard.shown, reaction.state.heard.shown, key=len)
    return replace(reaction, state=replace(reaction.state, heard=replace(reaction.state.heard, shown=shown)))


@pytest.mark.parametrize("bug", BROKEN)
def test_the_world_finds_planted_bugs(bug: str) -> None:
    """Each planted bug is a violation in its story; the right policy has none there."""
    story, parts = BROKEN[bug]
    world, right = World(**parts), World()  # type: ignore[arg-type]
    story(world)
    story(right)
    assert world.violations
    assert right.violations == []


def test_a_person_ends_the_lockout_once() -> None:
    """After fifty failures nobody comes in, over crashes too, until a person acts; then the door opens again."""
    world = World()
    guesses(world, 55)
    assert world.state.lockout.kept.failures == 50
    for _ in range(3):
        world.crash(boots=True)
        world.wait(1e6)
        resident(world)
    assert world.openings == 0
    world.order()
    world.wait(10)
    resident(world)
    assert (world.openings, world.violations) == (1, [])


def test_began_is_what_the_world_starts_with() -> None:
    """A start with five failures on disk is locked for thirty seconds, however long ago they were."""
    state = began(POLICY, State(), Kept(5), 100.0)
    assert (state.lockout.until, state.lockout.kept.failures) == (130.0, 5)
    assert held(None, began(replace(POLICY, factor=None), State(), Kept(5), 100.0).lockout, 100.0) == ""


def test_an_opening_forgives_and_ends_the_waiting() -> None:
    """The right PIN sets the count to zero; afterwards the visit ends with its gap, not twenty seconds later."""
    world = World()
    guesses(world, 3)
    assert world.state.lockout.kept.failures == 3
    resident(world)
    assert (world.openings, world.state.lockout.kept.failures) == (1, 0)
    world.wait(2.5)
    assert world.state.visit is None


def test_a_visit_waits_for_its_pin_and_no_longer() -> None:
    """Without frames it goes on for twenty seconds, then it ends shut."""
    world = World()
    for _ in range(3):
        world.frame("ana")
    world.wait(19)
    assert world.state.visit is not None
    world.wait(1.5)
    assert world.state.visit is None and world.openings == 0


def test_somebody_else_while_a_pin_is_awaited() -> None:
    """Who comes meanwhile begins anew: the first one's PIN finds nobody waiting, the second one's lets the second in."""
    world = World()
    for face in ("ana", "ana", "ana", "junho", "junho", "junho"):
        world.frame(face)
    world.pin("ana")
    assert world.openings == 0
    world.pin("junho")
    assert (world.openings, world.violations) == (1, [])
