"""The policy: whoever opens a door had enough frames in a row, in time, by permission, within hours; everything else is shut."""

import math
import time as stopwatch
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peephole.base.records import Decision, Neighbour, Prediction
from peephole.gateway.conditions import Row
from peephole.gateway.factor import Asked, Heard, Shown
from peephole.gateway.hours import ALWAYS, parse_hours
from peephole.gateway.lockout import Kept, Lockout
from peephole.gateway.policy import Ended, Glance, Policy, Reaction, Rule, State, finish, judge, step, tick

DAY = "Mo-Fr 07:00-20:00"
RULES = (
    Rule("rule 1", frozenset({"ana"}), parse_hours(DAY), "open", True),
    Rule("rule 2", frozenset({"junho"}), ALWAYS, "open", True),
    Rule("rule 3", frozenset({"unknown"}), ALWAYS, "call", False),
)
AT_ANA = "its familiarity with ana's known examples is"
POLICY = Policy(agree=3, within=2.0, gap=2.0, cool_down=5.0, rules=RULES, zone=UTC)
MONDAY_NOON = datetime(2026, 11, 2, 12, tzinfo=UTC).timestamp()
SUNDAY_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()
NAN = math.nan


def seen(label: str | None, familiarity: float = 0.9, **changes: object) -> Prediction:
    """Return a prediction of somebody, accepted unless `label` is None."""
    best = label or "ana"
    familiarity = familiarity if label else 0.59
    whole = Prediction(label, 0.95, familiarity, 0.3, ((best, 0.95), ("x", 0.05)), (Neighbour("a/1", best, 0.1),), label is not None, 0.67)
    return replace(whole, **changes)  # type: ignore[arg-type]


KINDS: dict[str, Prediction | None] = {
    "ana": seen("ana"),
    "junho": seen("junho"),
    "mallory": seen("mallory"),
    "stranger": seen(None),
    "dark": None,
    "nan": seen("ana", familiarity=NAN),
    "nan-probability": seen("ana", probability=NAN),
    "nan-margin": seen("ana", margin=NAN),
    "liar": seen("ana", familiarity=0.1),
    "nobody": replace(seen("ana"), label=None),
    "named-unknown": seen("unknown"),
}
GOOD = {"ana", "junho", "mallory"}


def glance(kind: str, time: float, wall: float = MONDAY_NOON, visit: str | None = None) -> Glance:
    return Glance(time, wall, KINDS[kind], "too dark" if kind == "dark" else "", visit)


def line(text: str, every: float = 0.2, start: float = 0.0, **more: object) -> list[Glance]:
    """Write a visit as words: "ana ana dark ana"."""
    return [glance(kind, start + every * n, **more) for n, kind in enumerate(text.split())]  # type: ignore[arg-type]


Step = Callable[[Policy, State, Glance], Reaction]


def play(policy: Policy, glances: Sequence[Glance], walk: Step = step) -> list[tuple[int, Decision | Ended]]:
    """Return all events with the number of the glance that caused them."""
    state, events = State(), []
    for number, one in enumerate(glances):
        reaction = walk(policy, state, one)
        state = reaction.state
        events += [(number, event) for event in reaction.events]
    return events + [(len(glances), event) for event in finish(policy, state).events]


def decisions(glances: Sequence[Glance], policy: Policy = POLICY) -> list[Decision]:
    return [event for _, event in play(policy, glances) if isinstance(event, Decision)]


def opened(glances: Sequence[Glance], policy: Policy = POLICY) -> list[str | None]:
    return [decision.label for decision in decisions(glances, policy) if decision.verdict == "open"]


def in_hours(label: str, wall: float) -> bool:
    """Whether the rules of this file let somebody in, worked out without the policy's code."""
    if label == "junho":
        return True
    if label != "ana" or not wall >= 1_577_836_800:
        return False
    moment = datetime.fromtimestamp(wall, UTC)
    return moment.weekday() < 5 and 7 <= moment.hour < 20


def violations(policy: Policy, glances: Sequence[Glance], walk: Step = step) -> list[str]:
    """Check every opening against the rules of a door, from the glances alone."""
    found, last_open, visits, kinds = [], -math.inf, set(), {id(value): name for name, value in KINDS.items() if value is not None}
    for number, event in play(policy, glances, walk):
        if not isinstance(event, Decision):
            continue
        if event.verdict != "open" and event.action == "open":
            found.append("acted without the verdict open")
        if event.verdict != "open":
            continue
        run = glances[max(0, number - POLICY.agree + 1) : number + 1]
        who = {kinds.get(id(one.prediction), "") for one in run}
        times = [one.time for one in run]
        if len(run) < POLICY.agree or len(who) != 1 or who != {event.label} or not who <= GOOD or any(one.problem for one in run):
            found.append("too few frames in a row")
        if not all(b >= a for a, b in pairwise(times)) or not times[-1] - times[0] <= POLICY.within:
            found.append("not within the window, or time went back")
        if len({one.visit for one in run}) > 1:
            found.append("frames of two visits")
        if not in_hours(str(event.label), run[-1].wall):
            found.append("nobody allowed that")
        if 0 <= times[-1] - last_open < POLICY.cool_down:
            found.append("opened again before the cool-down was over")
        if event.visit in visits:
            found.append("opened twice in one visit")
        visits.add(event.visit)
        last_open = times[-1]
    return found


STEPS = st.one_of(st.sampled_from([0.0, 0.1, 0.2, 0.2, 0.2, 0.9, 1.1, 2.1, 6.0, -0.1, -3.0, NAN]), st.floats(-1, 8))
WORD = st.tuples(
    st.sampled_from(["ana", "ana", "ana", "junho", "junho", *KINDS]),
    STEPS,
    st.sampled_from([MONDAY_NOON, MONDAY_NOON, SUNDAY_NOON, 30.0, NAN, 1e300]),
)


@st.composite
def nights(draw: st.DrawFn) -> list[Glance]:
    """Draw a night at the door, with clocks that misbehave and, in some, visits that have names."""
    named = draw(st.booleans())
    now, visit, glances = 0.0, 0, []
    for kind, pause, wall in draw(st.lists(WORD, max_size=40)):
        now = now if math.isnan(pause) else now + pause
        visit += pause > 2
        glances.append(glance(kind, NAN if math.isnan(pause) else now, wall, f"v{visit}" if named else None))
    return glances


@settings(max_examples=400, deadline=None)
@given(nights())
def test_no_sequence_opens_without_agreement_permission_and_hours(night: list[Glance]) -> None:
    """Whatever comes, an opening has its frames in a row, one permitted label, the window, the hours and the cool-down behind it."""
    assert violations(POLICY, night) == []


@settings(max_examples=200, deadline=None)
@given(nights())
def test_every_visit_has_a_decision_and_every_frame_a_visit(night: list[Glance]) -> None:
    """Nothing is lost: the frames of the visits add up, and each visit ends with its strongest verdict."""
    events = [event for _, event in play(POLICY, night)]
    ended = [event for event in events if isinstance(event, Ended)]
    assert sum(visit.seen for visit in ended) + sum(event.visit == "-" for event in events if isinstance(event, Decision)) == len(night)
    for visit in ended:
        verdicts = {event.verdict for event in events if isinstance(event, Decision) and event.visit == visit.visit.id}
        assert visit.verdict in verdicts
        assert visit.refused <= visit.seen


BROKEN: dict[str, tuple[Step, list[Glance]]] = {
    "bad frames are skipped instead of ending the run": (
        lambda policy, state, one: step(policy, state, one) if judge(one).who else Reaction(state),
        line("junho junho dark junho"),
    ),
    "one frame too few": (lambda policy, state, one: step(replace(policy, agree=2), state, one), line("junho junho")),
    "no window": (lambda policy, state, one: step(replace(policy, within=1e9), state, one), line("junho junho junho", every=1.9)),
    "no cool-down": (
        lambda policy, state, one: step(replace(policy, cool_down=0), state, one),
        line("junho junho junho") + line("junho junho junho", start=3),
    ),
    "hours ignored": (
        lambda policy, state, one: step(replace(policy, rules=tuple(replace(rule, hours=ALWAYS) for rule in policy.rules)), state, one),
        line("ana ana ana", wall=SUNDAY_NOON),
    ),
    "forgets that it opened": (
        lambda policy, state, one: step(
            policy, replace(state, visit=replace(state.visit, opened=False, done=frozenset())) if state.visit else state, one
        ),
        line(" ".join(["junho"] * 60)),
    ),
    "time may run backwards": (
        lambda policy, state, one: step(policy, replace(state, time=-math.inf), one),
        [glance("junho", 1.0), glance("junho", 0.9), glance("junho", 1.1)],
    ),
    "NaN is let through": (
        lambda policy, state, one: step(policy, state, replace(one, prediction=replace(one.prediction, familiarity=0.9) if one.prediction else None)),
        line("nan nan nan"),
    ),
    "anybody known may enter": (
        lambda policy, state, one: step(replace(policy, rules=(Rule("all", frozenset({"mallory"}), ALWAYS, "open", True),)), state, one),
        line("mallory mallory mallory"),
    ),
}


@pytest.mark.parametrize("bug", BROKEN)
def test_the_check_finds_planted_bugs(bug: str) -> None:
    """Each planted bug opens a door that the right policy keeps shut, and the check of this file says so."""
    walk, night = BROKEN[bug]
    assert violations(POLICY, night, walk)
    assert not violations(POLICY, night)


def test_three_in_a_row_open_once() -> None:
    """The plain case: the third frame opens, later frames of the visit do not open again."""
    events = play(POLICY, line("ana ana ana ana ana ana"))
    (at, decision), (_, ended) = events
    assert (at, decision.verdict, decision.label, decision.action, decision.rule) == (2, "open", "ana", "open", "rule 1")
    assert isinstance(ended, Ended) and (ended.verdict, ended.seen, ended.refused, ended.label) == ("open", 6, 0, "ana")
    assert decision.reason == f"three frames in a row were ana within 0.4 s; the last one: {AT_ANA} 0.90, at or above the threshold 0.67"


@pytest.mark.parametrize("between", ["dark", "stranger", "junho", "nan", "nan-probability", "nan-margin", "liar", "nobody", "named-unknown"])
def test_anything_in_between_starts_the_count_again(between: str) -> None:
    """Two, something else, one do not open; three afterwards do."""
    assert opened(line(f"ana ana {between} ana")) == []
    assert opened(line(f"ana ana {between} ana ana ana")) == ["ana"]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"ana", "junho"}))
def test_nobody_else_ever_opens(kind: str) -> None:
    """Strangers, the dark, NaN and answers that contradict themselves keep the door shut however long they stay."""
    assert opened(line(" ".join([kind] * 12))) == []


def test_two_labels_must_agree_anew() -> None:
    """A second label in a visit begins at one; the refusal names both."""
    assert opened(line("ana ana junho junho ana ana")) == []
    assert "ana and junho were both seen" in decisions(line("ana junho ana junho"))[-1].reason
    assert opened(line("ana junho junho junho")) == ["junho"]


@pytest.mark.parametrize(("every", "who"), [(1.0, ["junho"]), (1.01, [])])
def test_the_window_is_exact(every: float, who: list[str]) -> None:
    """Three frames in exactly two seconds count, a hair more does not."""
    assert opened(line("junho junho junho", every=every)) == who


def test_cool_down_then_open_again() -> None:
    """A second visit inside the cool-down is refused with the seconds that are left; after it, the door opens."""
    first = line("junho junho junho")
    soon, later = line("junho junho junho", start=3), line("junho junho junho", start=9)
    assert opened(first + soon) == ["junho"]
    assert "shut for another 2.0 s" in decisions(first + soon)[-1].reason
    assert opened(first + later) == ["junho", "junho"]


def test_cool_down_ends_within_a_visit() -> None:
    """Whoever waits in front of the camera until the cool-down is over is let in then."""
    assert opened(line("junho junho junho") + line(" ".join(["ana"] * 20), start=3)) == ["junho", "ana"]


@pytest.mark.parametrize(
    ("wall", "who"),
    [
        (MONDAY_NOON, ["ana"]),
        (SUNDAY_NOON, []),
        (12.0, []),
        (NAN, []),
        (math.inf, []),
        (-1e300, []),
        (MONDAY_NOON + 8 * 3600, []),
        (MONDAY_NOON + 8 * 3600 - 1, ["ana"]),
    ],
)
def test_hours_need_a_clock_that_was_set(wall: float, who: list[str]) -> None:
    """Rules with hours hold in their hours and never on a clock that stands in 1970 or nowhere; rules without hours do not care."""
    assert opened(line("ana ana ana", wall=wall)) == who
    assert opened(line("junho junho junho", wall=wall)) == ["junho"]


def test_known_but_not_allowed_is_told_once() -> None:
    """Somebody without a rule, or outside the hours, hears why, once per visit."""
    assert [decision.reason for decision in decisions(line(" ".join(["mallory"] * 9)))] == [
        "three frames in a row were mallory, who is named by no rule"
    ]
    late = decisions(line(" ".join(["ana"] * 9), wall=SUNDAY_NOON))
    assert [decision.rule for decision in late] == ["hours"] and DAY in late[0].reason
    assert late[0].reason.endswith("and it is Su 12:00")
    (never,) = decisions(line("ana ana ana", wall=12.0))
    assert never.reason.endswith("the date and time are not known")


def test_a_stranger_rings_once() -> None:
    """A stranger causes what the rule for unknown says, once per visit, and never an opening even if a rule said so."""
    rang = decisions(line(" ".join(["stranger"] * 9)))
    assert [(decision.verdict, decision.action, decision.label) for decision in rang] == [("ask", "call", None)]
    careless = replace(POLICY, rules=(Rule("rule 1", frozenset({"unknown"}), ALWAYS, "open", True),))
    assert opened(line(" ".join(["stranger"] * 9)), careless) == []


def test_a_resident_may_enter_after_the_bell_rang() -> None:
    """First frames that nobody could recognise do not lock a resident out; the visit counts as opened."""
    events = [event for _, event in play(POLICY, line("stranger stranger stranger ana ana ana"))]
    assert [event.verdict for event in events] == ["ask", "open", "open"]


def test_time_going_back_refuses_and_starts_again() -> None:
    """A clock that jumps back forgets the frames before it, and the cool-down begins again."""
    jump = [glance("junho", 10.0), glance("junho", 10.2), glance("junho", 9.9), glance("junho", 10.3)]
    assert opened(jump) == []
    assert decisions(jump)[0].rule == "time" and decisions(jump)[0].verdict == "refuse"
    again = line("junho junho junho", start=100) + line("junho junho junho junho", start=50)
    assert opened(again) == ["junho"]
    assert opened(again + line("junho junho junho", start=58)) == ["junho", "junho"]


@pytest.mark.parametrize("time", [NAN, math.inf, -math.inf])
def test_a_frame_without_a_time_is_refused(time: float) -> None:
    """NaN and infinity are no times: the run is forgotten, the door goes on working."""
    assert opened([*line("ana ana"), glance("ana", time), glance("ana", 0.6)]) == []
    assert opened([glance("ana", time), *line("ana ana ana")]) == ["ana"]


def test_visits_end_by_gap_or_by_name() -> None:
    """Two seconds without a frame end a visit; a recording's names decide alone, whatever the time."""
    by_gap = [event.visit.id for _, event in play(POLICY, line("ana ana") + line("ana", start=2.3)) if isinstance(event, Ended)]
    assert by_gap == ["visit-1", "visit-2"]
    named = line("ana ana", visit="a") + line("ana", start=0.4, visit="b") + line("ana", start=50, visit="b")
    ended = [event for _, event in play(POLICY, named) if isinstance(event, Ended)]
    assert [(event.visit.id, event.seen) for event in ended] == [("a", 2), ("b", 2)]
    assert (ended[1].visit.start, ended[1].visit.end) == (0.4, 50)
    assert opened(line("ana ana", visit="a") + line("ana", start=0.4, visit="b")) == []


def test_a_tick_ends_a_visit_only_after_the_gap() -> None:
    """Time that passes without frames ends a visit without a name, once."""
    state = step(POLICY, State(), glance("ana", 1.0)).state
    assert tick(POLICY, state, 3.0).events == ()
    gone = tick(POLICY, state, 3.1)
    assert [type(event) for event in gone.events] == [Decision, Ended]
    assert tick(POLICY, gone.state, 9.0).events == ()
    assert tick(POLICY, state, NAN).state == state


def untaken(time: float, visit: str | None = None) -> Glance:
    """Return a frame that there is no picture of, as from a camera that is down."""
    return Glance(time, MONDAY_NOON, None, "the camera does not answer", visit, taken=False)


def test_a_camera_that_is_down_is_nobodys_visit() -> None:
    """Frames that could not be taken begin no visit and cause no decision, however many; whoever comes afterwards is a visit of their own."""
    night = [untaken(number * 0.5) for number in range(100)]
    assert play(POLICY, night) == []
    events = [event for _, event in play(POLICY, [*night, *line("ana ana ana", start=50.0)])]
    assert [event.verdict for event in events] == ["open", "open"] and isinstance(events[1], Ended)
    assert (events[1].seen, events[1].visit.start, events[1].visit.id) == (3, 50.0, "visit-1")


def test_a_camera_that_goes_down_ends_a_visit() -> None:
    """The count begins anew, and the visit is over after the gap, as if nobody stood there: its end is the last picture's time."""
    assert opened([*line("ana ana"), untaken(0.4), *line("ana", start=0.6)]) == []
    events = play(POLICY, [*line("stranger stranger"), *(untaken(0.3 + 0.1 * number) for number in range(40))])
    (ended,) = [event for _, event in events if isinstance(event, Ended)]
    assert ended.visit.end == 0.2 and next(number for number, event in events if event is ended) < 30


def test_a_recording_says_itself_what_a_visit_is() -> None:
    """A visit that it names is one, also when none of its pictures can be read: a door that saw nothing refused somebody."""
    (decision, ended) = [event for _, event in play(POLICY, [untaken(0.0, "v1"), untaken(0.2, "v1")])]
    assert decision.verdict == "refuse" and isinstance(ended, Ended) and (ended.seen, ended.refused, ended.visit.end) == (2, 2, 0.2)


def test_time_that_goes_back_while_the_camera_is_down() -> None:
    """What was waited for begins again, with a picture or without."""
    state = State()
    for one in [*line("ana ana ana", start=100.0), untaken(110.0), untaken(50.0)]:
        state = step(POLICY, state, one).state
    assert state.visit is None and (state.time, state.shut_until) == (50.0, 55.0)


@pytest.mark.parametrize(
    ("words", "every", "reason"),
    [
        (
            "ana stranger stranger",
            0.2,
            f"two of the last three frames were not ana; the last of these: {AT_ANA} 0.59, below the threshold 0.67: a stranger",
        ),
        ("ana ana dark", 0.2, "one of the last three frames was not ana; too dark"),
        ("ana ana", 0.2, "only two frames in a row showed ana, three are needed"),
        ("ana", 0.2, "only one frame showed ana, three are needed"),
        ("ana ana ana", 1.5, "three frames in a row were ana, but they took 3.0 s; 2.0 s are allowed"),
        ("stranger stranger", 0.2, f"the last two frames showed nobody known; the last one: {AT_ANA} 0.59, below the threshold 0.67: a stranger"),
        ("dark", 0.2, "the only frame could not be judged; the last one: too dark"),
        ("dark dark nan", 0.2, "three of the last three frames could not be judged; the last one: the model's answer is not a number"),
    ],
)
def test_reasons_read_well(words: str, every: float, reason: str) -> None:
    """A refusal is a sentence a person can read, with the figures that decided."""
    policy = replace(POLICY, within=2.0, gap=10.0)
    assert decisions(line(words, every=every), policy)[-1].reason == reason


def test_pictures_taken_together_took_no_time() -> None:
    """Pictures without times of their own are not said to have come "within 0.0 s", and one frame alone never is."""
    assert decisions(line("ana ana ana", every=0.0))[0].reason.startswith("three frames in a row were ana; the last one: its")
    assert decisions(line("ana"), replace(POLICY, agree=1))[0].reason == f"one frame was ana; {AT_ANA} 0.90, at or above the threshold 0.67"


def test_an_answer_without_a_ranking_is_no_crash() -> None:
    """A model that ranks nobody is told by its figures alone."""
    bare = replace(glance("ana", 0.0), prediction=replace(seen("ana"), ranking=()))
    assert decisions([bare], replace(POLICY, agree=1))[0].reason.endswith("its familiarity is 0.90, the threshold 0.67")


def test_an_endless_visit_stays_small() -> None:
    """An empty doorway all night is one visit with a bounded memory of its frames."""
    state = State()
    for number in range(5000):
        state = step(POLICY, state, glance("stranger", number * 0.2)).state
    assert state.visit is not None
    assert state.visit.seen == 5000
    assert len(state.visit.frames) == 30 and len(state.visit.run) == 3 and len(state.visit.latest) == 3


def test_a_night_takes_no_time() -> None:
    """A night of 50 visits is replayed in a moment: the policy never waits."""
    night = [one for visit in range(50) for one in line("stranger ana ana ana dark", start=visit * 600.0)]
    began = stopwatch.perf_counter()
    assert len(opened(night)) == 50
    assert stopwatch.perf_counter() - began < 1.0


def test_two_frames_at_the_same_time_are_no_clock_that_went_back() -> None:
    """The visit goes on: what agreed before still does, and a second factor is awaited on."""
    policy = replace(POLICY, factor=Asked("secret"), gap=5.0)
    state = step(policy, after(policy, line("junho junho junho")), glance("junho", 0.4)).state
    assert state.visit is not None and state.visit.agreed is not None and state.visit.awaits
    reaction = step(policy, state, glance("dark", 0.4))
    assert reaction.events == () and reaction.state.visit is not None and reaction.state.visit.awaits


def after(policy: Policy, glances: Sequence[Glance], state: State | None = None) -> State:
    state = state or State()
    for one in glances:
        state = step(policy, state, one).state
    return state


LOCKED = Lockout(Kept(5), until=130.0)
HEARD = Heard((Shown(frozenset({"ana"}), 99.0),), ("nonce",), (("ana", 98.0),), 97.0)
BEFORE = State(time=100.0, lockout=LOCKED, heard=HEARD, rows={"air": Row(99.0, {})}, fired={"rule": 99.0}, ajar_since=95.0)


def test_a_clock_that_went_back_forgets_what_was_heard_and_not_what_was_counted() -> None:
    """Readings, phones, PINs and pauses were timed by another clock; nonces and failures stand, and the lockout begins anew."""
    policy = replace(POLICY, factor=Asked("secret"))
    state = step(policy, BEFORE, glance("dark", 40.0)).state
    assert (state.heard, state.rows, state.fired, state.ajar_since) == (Heard(nonces=("nonce",)), {}, {}, None)
    assert state.lockout == Lockout(Kept(5), until=70.0) and state.shut_until == -math.inf
    assert step(POLICY, BEFORE, glance("dark", 40.0)).state.lockout == LOCKED, "without a second factor nobody counts"
    cooling = step(policy, replace(BEFORE, shut_until=103.0), glance("dark", 40.0)).state
    assert cooling.shut_until == 45.0
    assert step(policy, BEFORE, glance("dark", 100.0)).state.heard == HEARD


def test_a_visit_whose_clock_went_back() -> None:
    """It began with its earliest frame, says once what became of the others, and what agreed before is nobody's any more."""
    state = after(POLICY, line("mallory mallory mallory", start=10.0))
    assert state.visit is not None and state.visit.agreed is not None
    reaction = step(POLICY, state, glance("mallory", 9.5))
    (decision,) = reaction.events
    assert isinstance(decision, Decision)
    assert decision.reason == "time went back by 0.9 s, so the frames before it no longer count" and decision.label is None
    visit = reaction.state.visit
    assert visit is not None and (visit.start, visit.last, visit.who, visit.run, visit.agreed) == (9.5, 9.5, "", (), None)
    assert visit.latest[-1].problem == "time went back by 0.9 s" and visit.refused == 1
    assert step(POLICY, reaction.state, glance("mallory", 9.25)).events == (), "once a visit"


def test_a_frame_without_a_time_inside_a_visit() -> None:
    """It is counted and refused, whatever agreed before is nobody's any more, and it is said once; outside a visit it belongs to none."""
    policy = replace(POLICY, factor=Asked("secret"))
    state = after(policy, line("junho junho junho"))
    assert state.visit is not None and state.visit.awaits
    reaction = step(policy, state, glance("junho", NAN))
    (decision,) = reaction.events
    assert isinstance(decision, Decision) and (decision.visit, decision.rule) == ("visit-1", "no time")
    visit = reaction.state.visit
    assert visit is not None and (visit.who, visit.run, visit.agreed, visit.seen, visit.refused) == ("", (), None, 4, 1)
    assert step(policy, reaction.state, glance("junho", NAN)).events == ()
    assert [type(event) for event in tick(policy, reaction.state, 4.0).events] == [Ended], "nobody's PIN is awaited any more"
    outside = step(policy, State(), glance("junho", NAN))
    assert outside.state == State() and [event.visit for event in outside.events if isinstance(event, Decision)] == ["-"]


def test_what_a_visit_remembers() -> None:
    """Its first and last time, its frames, and the latest ones with what kept them from being judged."""
    state = after(POLICY, [*line("junho dark"), *line("ana ana", start=0.4)])
    visit = state.visit
    assert visit is not None and state.time == visit.last == 0.6000000000000001
    assert (visit.start, visit.seen, visit.refused, len(visit.frames)) == (0.0, 4, 1, 3)
    assert [one.who for one in visit.latest] == ["", "ana", "ana"] and (visit.who, visit.run) == ("ana", (0.4, 0.6000000000000001))


def test_who_is_no_longer_there_is_awaited_no_longer() -> None:
    """Junho's PIN is awaited until somebody else is recognised: then the visit ends with its gap, and not twenty seconds later."""
    policy = replace(POLICY, factor=Asked("secret"))
    state = after(policy, line("junho junho junho"))
    assert tick(policy, state, 10.0).events == ()
    for word in ("mallory", "stranger"):
        other = after(policy, line(f"{word} {word} {word}", start=0.6), state)
        assert [type(event) for event in tick(policy, other, 4.0).events] == [Ended], word


def test_an_ended_visit_says_for_whom_it_ended() -> None:
    """A refusal that names somebody stands in the visit's own record; one that names nobody leaves it open."""
    assert [(event.verdict, event.label) for _, event in play(POLICY, line("mallory mallory mallory"))] == [("refuse", "mallory")] * 2
    assert [(event.verdict, event.label) for _, event in play(POLICY, line("ana ana"))] == [("refuse", None)] * 2
    assert finish(POLICY, State()) == Reaction(State())


def test_a_frame_with_a_name_and_one_without_are_two_visits() -> None:
    """Whichever comes first, and however soon after the other."""
    for first, second in (("a", None), (None, "a")):
        ended = [event for _, event in play(POLICY, [glance("ana", 0.0, visit=first), glance("ana", 0.2, visit=second)]) if isinstance(event, Ended)]
        assert [event.seen for event in ended] == [1, 1]


def test_who_is_awaited_is_awaited_still_when_something_else_forbids_it_meanwhile() -> None:
    """Junho's PIN is awaited when the gate is opened from afar: after the cool-down it opens, though junho was not seen any more."""
    policy = replace(POLICY, factor=Asked("secret"))
    state = replace(after(policy, line("junho junho junho")), shut_until=5.0)
    state = step(policy, state, glance("junho", 0.6)).state
    assert tick(policy, state, 6.0).events == () and state.visit is not None and state.visit.awaits
