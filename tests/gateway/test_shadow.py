"""A shadow looks on: it says where it would have acted otherwise, never acts, never holds up the door, and its faults are faults and no more."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.base.errors import InputError, JournalError
from peephole.base.records import Frame, Prediction, Quality, Visit
from peephole.gateway import shadow as module
from peephole.gateway.actuators import RecordingActuator
from peephole.gateway.agent import Summary, run
from peephole.gateway.door import Door, load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal, Record, Remark
from peephole.gateway.keys import Limits
from peephole.gateway.policy import Ended
from peephole.gateway.sensors import Capture
from peephole.gateway.shadow import BYTES, Shadow, shadows
from peephole.gateway.switchboard import Line, Switchboard

LIVE = {"ana": (200, 30, 30), "junho": (30, 30, 200)}
GREEN = {"ana": (30, 200, 30), "junho": (30, 30, 200)}
Predict = Callable[[np.ndarray], Prediction]


@pytest.fixture
def door(tmp_path: Path, paint: Callable[[Path, str], Path], make_door: Callable[..., Door]) -> Door:
    """A door at which ana, a stranger, junho and a dark frame pass."""
    for visit, who in (("v1", "ana"), ("v2", "stranger"), ("v3", "junho"), ("v4", "dark")):
        for number in range(4):
            paint(tmp_path / "night" / visit / f"{number}.png", who)
    return make_door(decide='cool_down = "1 s"', more="")


class Inline(Shadow):
    """Planted bug: a shadow that computes on the door's own path."""

    def saw(self, capture: Capture, prediction: Prediction | None, problem: str, visit: str) -> None:
        """Ask at once."""
        if capture.frame is not None:
            self._predict(capture.frame.pixels)
        super().saw(capture, prediction, problem, visit)


def watch(door: Door, predict: Predict | None, kind: type[Shadow] = Shadow, journal: Journal | None = None, **more: Any) -> tuple[Any, ...]:
    """Run the night with a shadow (None: without); returns the summary, the lock, the journal's remarks and the shadow."""
    lock, live = RecordingActuator(), ColourPredictor(LIVE)
    board = Switchboard("front-door", {"open": Line(lock, 5.0), "call": Line(RecordingActuator())})
    with journal or Journal(None, "front-door") as book:
        looks = None if predict is None else kind("new.onnx", predict, door, book, **({"frames": 10_000, "patience": 20.0} | more))
        summary = run(door, live.follow, live.card, switchboard=board, journal=book, witnesses=(looks,) if looks else ())
        remarks = [row.record for row in book.entries() if isinstance(row.record, Remark) and row.record.kind in ("shadow", "fault")]
    return summary, lock, remarks, looks


def commands(lock: RecordingActuator) -> list[tuple[str, str | None]]:
    return [(command.state, command.label) for command in lock.commands]


def test_the_same_model_has_nothing_to_say(door: Door) -> None:
    """One row at the end: so many visits compared, none would have gone otherwise."""
    summary, _, remarks, _ = watch(door, ColourPredictor(LIVE).follow)
    assert [(row.kind, row.text) for row in remarks] == [("shadow", told(4, 0, 0))]
    assert summary.faults == 0 and summary.opened == 2


def told(compared: int, differing: int, opened: int) -> str:
    return f"{compared} visits compared, {differing} would have gone otherwise, {opened} of them with an opening that the door did not make"


def test_every_difference_is_a_remark_and_moves_nothing(door: Door) -> None:
    """Another model would let a stranger in and ana not: the journal says so under the visit; the lock did what it did without a shadow."""
    alone, lock_alone, _, _ = watch(door, None)
    summary, lock, remarks, _ = watch(door, ColourPredictor(GREEN).follow)
    assert commands(lock) == commands(lock_alone) and summary.opened == alone.opened == 2 and summary.outcomes == alone.outcomes
    assert [row.subject for row in remarks] == ["v1", "v2", "new.onnx"]
    assert remarks[0].text.startswith("the door: open (ana); new.onnx: call (a stranger)")
    assert remarks[1].text.startswith("the door: call (a stranger); new.onnx: open (ana); three frames in a row were ana")
    assert remarks[2].text == told(4, 2, 1)


def test_it_has_no_way_to_an_actuator() -> None:
    """The module knows of no switchboard and no controller."""
    assert not {"switchboard", "Switchboard", "actuators", "Actuator", "open_switchboard"} & set(vars(module))


@pytest.mark.parametrize(("kind", "held_up"), [(Shadow, False), (Inline, True)], ids=["a thread of its own", "planted bug: on the door's path"])
def test_a_slow_shadow_does_not_hold_up_the_door(door: Door, kind: type[Shadow], held_up: bool) -> None:
    """Sixteen frames of 0.1 s each would take 1.6 s on the door's path; off it the door is done long before."""
    model, ended = ColourPredictor(LIVE), []

    def slow(pixels: np.ndarray) -> Prediction:
        time.sleep(0.1)
        return model.predict(pixels)

    class Told(kind):  # type: ignore[misc, valid-type]  # the class under test
        def close(self) -> None:
            """Remember when the watch was over."""
            ended.append(time.monotonic())
            super().close()

    began = time.monotonic()
    summary, _, _, _ = watch(door, slow, Told)
    assert summary.opened == 2
    assert (ended[0] - began > 1.2) == held_up


def test_a_full_queue_drops_and_counts(door: Door) -> None:
    """While it is busy no more than its room waits; a visit with a dropped frame is not compared, and the end says how many."""
    model, go, most = ColourPredictor(GREEN), threading.Event(), [0]

    def stuck(pixels: np.ndarray) -> Prediction:
        go.wait(20)
        return model.predict(pixels)

    class Counting(Shadow):
        def saw(self, *words: Any) -> None:
            """Count what waits."""
            super().saw(*words)
            most[0] = max(most[0], len(self._waiting))

        def close(self) -> None:
            """Let it go on when the watch is over."""
            go.set()
            super().close()

    summary, _, remarks, looks = watch(door, stuck, Counting, frames=3)
    assert summary.opened == 2 and summary.faults == 0
    assert most[0] <= 3 + 4  # frames, and the ends of four visits
    assert looks.dropped >= 12 - 4 and looks.skipped >= 3
    assert f"({looks.dropped} frames dropped)" in remarks[-1].text and "not compared" in remarks[-1].text


def test_waiting_frames_are_bounded_by_bytes(door: Door) -> None:
    """Large pictures fill the room before their number does."""
    go = threading.Event()
    with Journal(None, "front-door") as journal:
        looks = Shadow("new.onnx", lambda pixels: go.wait(20) and ColourPredictor(LIVE).predict(pixels), door, journal)  # type: ignore[arg-type, return-value]
        frame = Frame(0.0, 0.0, "f", np.zeros((2500, 4000, 3), np.uint8), Quality(0.5, 1.0))
        for number in range(20):
            looks.saw(Capture(number, 0.0, "f", frame), None, "", "v1")
        assert sum(item.pixels.nbytes for item in looks._waiting) <= BYTES  # type: ignore[union-attr]
        assert looks.dropped >= 20 - 1 - BYTES // frame.pixels.nbytes
        go.set()
        looks.close()


def hangs(_: np.ndarray) -> Prediction:
    time.sleep(1.5)
    raise AssertionError("nobody waits for this")


def test_a_shadow_that_hangs_is_given_up(door: Door) -> None:
    """It has not answered for longer than it may: one fault, and the door goes on; the end does not wait for it."""
    lock, live = RecordingActuator(), ColourPredictor(LIVE)

    def unhurried(pixels: np.ndarray) -> Prediction:
        time.sleep(0.03)
        return live.predict(pixels)

    board = Switchboard("front-door", {"open": Line(lock, 5.0), "call": Line(RecordingActuator())})
    with Journal(None, "front-door") as book:
        looks = Shadow("new.onnx", hangs, door, book, hang=0.1, patience=0.1)
        began = time.monotonic()
        summary = run(door, unhurried, live.card, switchboard=board, journal=book, witnesses=(looks,))
        assert time.monotonic() - began < 1.4
        faults = [row.record.text for row in book.entries("fault") if isinstance(row.record, Remark)]
    assert (summary.opened, summary.faults) == (2, 1) and "has not answered for 0.1 s" in faults[0]


def test_a_shadow_that_does_not_end_is_left_behind(door: Door) -> None:
    """The watch is over before its time is up: the gate ends all the same, and the journal says why."""
    summary, _, remarks, _ = watch(door, hangs, patience=0.1)
    assert summary.opened == 2 and [(row.kind, "left behind" in row.text) for row in remarks] == [("fault", True)]


def test_a_shadow_that_fails_is_a_fault_and_nothing_else(door: Door) -> None:
    """At any frame, with any error: the door opens as it would have, and the fault is written down once."""

    def fails(pixels: np.ndarray) -> Prediction:
        raise MemoryError("no room")

    alone, lock_alone, _, _ = watch(door, None)
    for predict in (fails, ColourPredictor(LIVE, breaks_after=0).follow, ColourPredictor(LIVE, breaks_after=15).follow):
        summary, lock, remarks, _ = watch(door, predict)
        assert summary.outcomes == alone.outcomes and commands(lock) == commands(lock_alone)
        assert [row.kind for row in remarks] == ["fault"] and ("no room" in remarks[0].text or "told to break" in remarks[0].text)


def test_a_journal_that_takes_no_remarks_of_a_shadow(door: Door) -> None:
    """A disk that is full at that moment: a fault, and the door goes on."""

    class Full(Journal):
        def write(self, record: Record, time: float, wall: float) -> int:
            """Refuse what a shadow says."""
            if isinstance(record, Remark) and record.kind == "shadow":
                raise JournalError("the disk is full", "make room")
            return super().write(record, time, wall)

    summary, _, remarks, _ = watch(door, ColourPredictor(GREEN).follow, journal=Full(None, "front-door"))
    assert summary.opened == 2 and [(row.kind, "full" in row.text) for row in remarks] == [("fault", True)]


def test_what_the_door_could_not_judge(door: Door) -> None:
    """Frames that are too dark are too dark for both; frames on which the door's model failed are shown to the shadow."""
    dim = Door(door.path, door.settings.model_copy(update={"sensor": door.settings.sensor.model_copy(update={"quality": dark_is(0.1)})}))
    asked = []

    def predict(pixels: np.ndarray) -> Prediction:
        asked.append(pixels.mean())
        return ColourPredictor(LIVE).predict(pixels)

    watch(dim, predict)
    assert len(asked) == 12 and min(asked) > 50
    lock, live = RecordingActuator(), ColourPredictor(LIVE, breaks_after=0)
    board = Switchboard("front-door", {"open": Line(lock, 5.0), "call": Line(RecordingActuator())})
    with Journal(None, "front-door") as book:
        looks = Shadow("new.onnx", ColourPredictor(LIVE).follow, door, book, frames=1000, patience=20)
        assert run(door, live.follow, live.card, switchboard=board, journal=book, witnesses=(looks,)).opened == 0
    assert looks.opened == 2 and not [command for command in lock.commands if command.state == "on"]


def test_a_camera_that_is_down_is_no_visit_of_the_shadows(door: Door) -> None:
    """Where the door has no visit and no picture there is nothing to compare: no queue fills and nothing is told."""
    with Journal(None, "front-door") as book:
        looks = Shadow("new.onnx", ColourPredictor(LIVE).follow, door, book, frames=3)
        for number in range(50):
            looks.saw(Capture(number / 10, 0.0, "camera", None, "the camera does not answer"), None, "the camera does not answer", "")
        looks.close()
        assert (looks.dropped, looks.compared, looks._state.count) == (0, 0, 0)


def dark_is(light: float) -> Any:
    return Limits(min_light=light)


@pytest.fixture
def shadowed(door: Door) -> Door:
    """The same door with a shadow in its settings that is not there."""
    text = door.path.read_text()
    door.path.write_text(f'{text}\n[models]\nshadow = "nwe.onnx"\n')
    return load_door(door.path)


def test_a_shadow_that_is_not_there_keeps_nobody_out(shadowed: Door) -> None:
    """The gate runs without it and says so; a rehearsal has no shadow at all."""
    live = ColourPredictor(LIVE)
    lines = {"open": Line(RecordingActuator(), 5.0), "call": Line(RecordingActuator())}
    summary: Summary = run(shadowed, live.follow, live.card, switchboard=Switchboard("front-door", lines))
    assert (summary.opened, summary.faults) == (2, 1)
    with Journal.read(shadowed.journal) as book:
        faults = [row.record for row in book.entries("fault")]
    assert "the shadow" in str(faults[0]) and "there is no model file" in str(faults[0])
    with Journal(None, "front-door") as book:
        assert run(shadowed, live.follow, live.card, switchboard=Switchboard("front-door", lines), journal=book).faults == 0


def test_a_fit_shadow_is_opened_by_its_settings(shadowed: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is named under [models] looks on, under its own name and digest; one with other labels is refused as a fault."""
    found = {"ok": ColourPredictor(GREEN), "other": ColourPredictor({"min": (0, 200, 0), "sua": (9, 9, 9)})}
    live = ColourPredictor(LIVE)
    for which, faults in (("ok", 0), ("other", 1)):
        monkeypatch.setattr("peephole.decide.predictor.load", lambda path, which=which: found[which])
        lines = {"open": Line(RecordingActuator(), 5.0), "call": Line(RecordingActuator())}
        assert run(shadowed, live.follow, live.card, switchboard=Switchboard("front-door", lines)).faults == faults
    with Journal.read(shadowed.journal) as book:
        rows = [row.record for row in book.entries("shadow")]
    assert [row.subject for row in rows if isinstance(row, Remark)][:2] == ["v1", "v2"]
    assert f"nwe.onnx ({ColourPredictor(GREEN).model.sha256[:16]})" in str(rows[-1])
    assert shadows(load_door(shadowed.path), Journal(None, "x"))[0].name == "shadow"


def test_an_error_of_the_door_leaves_no_thread(door: Door) -> None:
    """Closing twice and closing at once are fine; what it found stands after the stop, and is not older."""
    with Journal(None, "front-door") as book:
        looks = Shadow("new.onnx", ColourPredictor(LIVE).follow, door, book)
        looks.heard(Remark("stop", "door.onnx", "it was told to stop"), 7, 99.0, 1.8e9)
        looks.close()
        looks.close()
        assert not looks._thread.is_alive()
        assert [(row.time, row.wall) for row in book.entries("shadow")] == [(99.0, 1.8e9)]


def test_a_visit_that_ends_while_it_is_far_behind(door: Door) -> None:
    """The ends of visits are bounded too."""
    go = threading.Event()

    def stuck(pixels: np.ndarray) -> Prediction:
        go.wait(20)
        raise InputError("late", "")

    with Journal(None, "front-door") as book:
        looks = Shadow("new.onnx", stuck, door, book, frames=2)
        frame = Frame(0.0, 0.0, "f", np.zeros((4, 4, 3), np.uint8), Quality(0.5, 1.0))
        for number in range(1000):
            looks.saw(Capture(number, 0.0, "f", frame), None, "", f"v{number}")
            looks.heard(Ended(Visit(f"v{number}", 0, 0, ()), 1, 0, "refuse", None), number, 0.0, 0.0)
        assert len(looks._waiting) <= 2 + 256 and looks.skipped >= 700 and len(looks._lost) == 0
        go.set()
        looks.close()
