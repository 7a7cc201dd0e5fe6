"""An opening for somebody who was seen goes on only while the gate sees its door, and ends whatever hangs; others do not know of it."""

import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.base.errors import PhotoError
from peephole.base.records import Decision, Prediction
from peephole.gateway import camera
from peephole.gateway.actuators import Command, RecordingActuator
from peephole.gateway.address import Address
from peephole.gateway.agent import run
from peephole.gateway.camera import CameraSensor
from peephole.gateway.clock import SteppedClock, SystemClock
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal, Remark
from peephole.gateway.live import Live
from peephole.gateway.sensors import Capture, FolderSensor, Idle
from peephole.gateway.sight import SIGHT, Sight
from peephole.gateway.switchboard import Line, Switchboard, rehearsal

OPEN = Decision("v1", "open", "ana", "three frames in a row were ana", "rule 1", "open")
AFAR = replace(OPEN, visit="-")
PULSE = 4.0
SHORT = 3.0  # seconds: the pulse of a whole gate
LATE = 0.3  # seconds that threads and a busy computer may take


class Held(Switchboard):
    """The planted bug: whether anybody vouches is not asked."""

    def _doubted(self, line: Line, now: float) -> str:
        return ""


def board(kind: type[Switchboard] = Switchboard, *, opens: bool = True) -> tuple[Switchboard, RecordingActuator]:
    lock = RecordingActuator()
    return kind("front", {"open": Line(lock, PULSE, opens=opens)}), lock


@pytest.mark.parametrize(("kind", "holds"), [(Switchboard, True), (Held, False)])
def test_what_nobody_vouches_for_ends(kind: type[Switchboard], holds: bool) -> None:
    """On while somebody vouches, again and again; off when the last word is over, with the reason and once; the next one counts anew."""
    switch, lock = board(kind)
    switch.vouch(101.5, "nobody looks")
    switch.act(OPEN, 100.0, 0)
    assert switch.tick(101.5, 0) == () and lock.state == "on"
    switch.vouch(102.5, "nobody looks")
    switch.doubt("it is dark")
    assert switch.tick(102.5, 0) == () and lock.state == "on"
    assert (switch.tick(102.6, 0) == ("open: ended 1.4 s before its pulse was over: it is dark",)) is holds
    assert (lock.state == "off") is holds
    assert switch.tick(103.0, 0) == () and len(lock.commands) == 1 + holds
    switch.vouch(120.0)
    switch.act(OPEN, 110.0, 0)
    assert switch.tick(113.9, 0) == () and lock.state == "on"


def test_a_clock_that_is_none_ends_it() -> None:
    """Until NaN is never, and no time is before it."""
    switch, lock = board()
    switch.vouch(math.nan)
    switch.act(OPEN, 100.0, 0)
    switch.tick(100.1, 0)
    assert lock.state == "off"


@pytest.mark.parametrize(("decision", "opens"), [(AFAR, True), (OPEN, False)])
def test_what_the_camera_did_not_open_goes_on(decision: Decision, opens: bool) -> None:
    """An opening from afar, and what lets nobody in: a lamp must not go out because it is dark."""
    switch, lock = board(opens=opens)
    switch.vouch(-math.inf, "the camera is gone")
    switch.act(decision, 100.0, 0)
    assert switch.tick(103.9, 0) == () and lock.state == "on"


def test_a_slow_bell_shuts_no_door() -> None:
    """Nobody can vouch while a bell waits for its broker: that time does not count, on the same clock."""

    class Slow(RecordingActuator):
        def send(self, command: Command) -> None:
            time.sleep(0.5)
            during.append(switch.tick(now() + 0.1, 0, "open"))

    during: list[Any] = []
    lock, now = RecordingActuator(), time.monotonic
    switch = Switchboard("front", {"open": Line(lock, PULSE, opens=True), "call": Line(Slow())})
    switch.vouch(now() + 0.2)
    switch.act(OPEN, now(), 0)
    switch.act(replace(OPEN, action="call"), now(), 0)
    assert during == [()] and switch.tick(now(), 0) == () and lock.state == "on"
    switch.tick(now() + 0.3, 0)
    assert lock.state == "off"


def test_a_recording_is_not_vouched_for() -> None:
    """Nothing can be lost there."""
    switch, lock = board()
    switch.act(OPEN, 100.0, 0)
    sight = Sight(None)
    sight.frame(0.0, "too dark")
    sight.idle(Idle(0.0, 0.0, lost="gone"))
    sight.close()
    assert switch.tick(103.9, 0) == () and lock.state == "on"


def fake(*script: str, pace: float = 0.1) -> CameraSensor:
    """Return a camera that follows a script."""
    return CameraSensor("camera://fake", SystemClock(), [sys.executable, "-m", "peephole.gateway.fakecamera", *script], pace)


MODEL = ColourPredictor({"ana": (200, 30, 30), "junho": (30, 30, 200)})


class Odd:
    """The colour model, which does something else from its fifth answer on."""

    def __init__(self, otherwise: Callable[[Prediction], Prediction]) -> None:
        self.otherwise, self.count = otherwise, 0

    def predict(self, pixels: np.ndarray) -> Prediction:
        """Answer."""
        self.count += 1
        answer = MODEL.predict(pixels)
        return answer if self.count < 5 else self.otherwise(answer)


def slow(answer: Prediction) -> Prediction:
    """Take as long as the gate is watched."""
    time.sleep(2.5)
    return answer


def nobody(answer: Prediction) -> Prediction:
    """Find nobody to judge, as a region does in an empty doorway."""
    raise PhotoError("nobody is there", "step closer")


def shut_after(door: Door, sensor: CameraSensor, odd: Callable[[Prediction], Prediction] = lambda answer: answer) -> tuple[float, list[str]]:
    """Watch until the door, once opened, is shut again; returns how long it was open, and the faults in the journal."""
    switch, stop = rehearsal(door), threading.Event()
    line = switch.lines["open"]
    line.pulse = SHORT
    times: list[float] = []

    class Lock(RecordingActuator):
        def send(self, command: Command) -> None:
            if command.state == "on" or times:
                times.append(time.monotonic())
            if len(times) == 2:
                threading.Timer(0.2, stop.set).start()  # once it is in the journal

    line.actuator = Lock()
    timer = threading.Timer(20.0, stop.set)
    timer.start()
    model = Odd(odd)
    with Journal(door.journal, "front-door") as journal:
        run(door, model.predict, MODEL.card, sensor=sensor, switchboard=switch, journal=journal, stop=stop)
        timer.cancel()
        faults = [row.record.text for row in journal.entries("fault") if isinstance(row.record, Remark)]
    return times[1] - times[0], faults


@pytest.mark.parametrize(
    ("script", "odd", "says"),
    [
        (("show:8", "hang"), None, "was seen for 1.5 s"),
        (("show:8", "black:200"), None, "was seen for 1.5 s: too dark"),
        (("show:8", "freeze:200"), None, "was seen for 1.5 s"),
        (("show:200",), slow, "was seen for 1.5 s"),
        (("show:200",), lambda answer: replace(answer, probability=math.nan), "was seen for 1.5 s: the model's answer is not a number"),
    ],
    ids=["hangs", "black", "frozen", "the model hangs", "the model says NaN"],
)
def test_a_door_that_is_not_seen_is_shut(make_door: Callable[..., Door], script: tuple[str, ...], odd: Any, says: str) -> None:
    """Within two seconds of the last picture that was judged, long before the pulse is over, and the journal says why."""
    door = make_door(more="[sensor.quality]\nmin_light = 0.05", decide='cool_down = "30 s"')
    took, faults = shut_after(door, fake(*script), *([odd] if odd else []))
    assert took < 0.05 * 8 + SIGHT + LATE, faults  # eight pictures, and what was seen last is good for so long
    assert any("before its pulse was over" in text and says in text for text in faults), faults


def test_a_camera_whose_process_ends_shuts_the_door_at_once(make_door: Callable[..., Door]) -> None:
    """Also when it is back within the second."""
    took, faults = shut_after(make_door(decide='cool_down = "30 s"'), fake("show:8", "die"))
    assert took < 0.05 * 8 + LATE + 0.3 and any("before its pulse was over: the camera fell off the wall" in text for text in faults), faults


@pytest.mark.parametrize("odd", [nobody, lambda answer: replace(answer, accepted=False)])
def test_a_door_that_is_seen_stays_open_for_its_pulse(make_door: Callable[..., Door], odd: Any) -> None:
    """Nobody in the picture, or a stranger: whoever was let in has walked on."""
    took, faults = shut_after(make_door(decide='cool_down = "30 s"'), fake("show:200"), odd)
    assert SHORT <= took < SHORT + LATE and faults == []


def test_a_slow_camera_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is set to a picture a second neither hangs nor lets the door be shut between two of them; a fast one does."""
    monkeypatch.setattr(camera, "HANGS", 0.4)
    for pace, whole in ((1.0, True), (0.1, False)):
        stop, found = threading.Event(), list[Capture | Idle]()
        sensor = fake("show:1", "wait:1.2", "show:1", "wait:9", pace=pace)
        for item in sensor.captures(stop):
            found.append(item)
            if sum(isinstance(one, Capture) and one.frame is not None for one in found) == 2:
                stop.set()
        idle = [one for one in found if isinstance(one, Idle)]
        assert any(one.lost for one in idle) is not whole
    clock = SteppedClock()
    fast, slow, silent = Live("a", clock), Live("b", clock, pace=10.0), Live("c", clock, silence=None)
    for sensor in (fast, slow, silent):
        sensor._sight = 100.0
    assert [one._idle(110.0, 0.0).sees for one in (fast, slow, silent)] == [False, True, True]
    assert [one._idle(125.0, 0.0).sees for one in (fast, slow, silent)] == [False, False, True]


def test_a_folder_that_is_looked_at_rarely_lets_time_pass(tmp_path: Path) -> None:
    """Every ten seconds a look, and twice a second word that the watch goes on: the service manager waits for no longer."""
    clock, stop, times = SteppedClock(), threading.Event(), list[float]()
    for item in FolderSensor(Address.parse("folder://.?poll=10", ("folder",)), tmp_path, clock).captures(stop):
        times.append(item.time)
        if len(times) == 45:
            stop.set()
    assert max(np.diff(times)) <= 0.5 and isinstance(item, Idle) and item.sees
