"""The retained status: what a gate says of itself, and what is said of it when it cannot speak any more."""

import json
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livegate import SECRET, running, until

from peephole.base.records import Frame, Quality
from peephole.gateway import status
from peephole.gateway.clock import SteppedClock
from peephole.gateway.door import Door
from peephole.gateway.journal import Remark
from peephole.gateway.mqtt import BrokerPlace
from peephole.gateway.remotesend import exchange, ordered
from peephole.gateway.sensors import Capture
from peephole.gateway.status import Snapshot, StatusBoard, condition

TOPIC = "peephole/front-door/status"


@pytest.fixture
def make_told(make_door: Callable[..., Door], tmp_path: Path, mosquitto: Any) -> Callable[[], Door]:
    """Return a function that makes a door whose status is told to a real broker."""
    (tmp_path / "remote.secret").write_text(SECRET)
    (tmp_path / "door.onnx").write_bytes(b"a model")
    return lambda: make_door(more=f'[broker]\nurl = "{mosquitto.url}"\n[remote]\nsecret = {{file = "remote.secret"}}')


def told(ear: Any) -> list[dict[str, Any]]:
    return [json.loads(text) for text in ear.topic(TOPIC)]


def test_a_gates_life(make_told: Callable[[], Door], mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """Armed with all its facts, locked out after a lock, offline after the stop; whoever comes later hears the last of it."""
    ear = listen(mosquitto.port)
    place = BrokerPlace("127.0.0.1", mosquitto.port)
    with running(make_told()):
        assert until(lambda: told(ear))
        first = told(ear)[0]
        assert (first["gate"], first["state"], first["armed"], first["why"]) == ("front-door", "armed", "low risk", "")
        assert first["model"] == sha256(b"a model").hexdigest()
        assert first["version"] and first["uptime"] >= 0 and first["frame_age"] is None and abs(first["time"] - time.time()) < 60
        assert (answer := exchange(place, SECRET, ordered("front-door", "lock", {}, 10), 5)) is not None and answer.done
        assert until(lambda: told(ear)[-1]["state"] == "locked out") and "locked from afar" in told(ear)[-1]["why"]
        late = listen(mosquitto.port)
        late.wait(TOPIC, 1)
        assert told(late)[0]["state"] == "locked out"
    assert until(lambda: told(ear)[-1]["state"] == "offline")
    assert told(listen_until(listen(mosquitto.port)))[0]["state"] == "offline"


def listen_until(ear: Any) -> Any:
    ear.wait(TOPIC, 1)
    return ear


def board(port: int, clock: Any) -> StatusBoard:
    return StatusBoard(BrokerPlace("127.0.0.1", port), "front-door", {"armed": "proof", "model": None}, clock)


def test_a_gate_that_dies_is_offline(mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """Its last will is read, and says which gate it was."""
    ear = listen(mosquitto.port)
    kept = board(mosquitto.port, SteppedClock())
    kept.follow(lambda: "")
    assert until(lambda: told(ear))
    kept._stop.set()  # the thread is gone, as the whole process is
    kept._thread.join(5)
    client = kept._messenger._client
    assert client is not None
    client.socket().shutdown(2)  # type: ignore[union-attr]  # without a goodbye
    assert until(lambda: told(ear)[-1]["state"] == "offline") and told(ear)[-1]["gate"] == "front-door"


def test_a_broker_that_comes_back_is_told_again(mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """After a broker that forgot everything was restarted, the status stands there again by itself."""
    kept = board(mosquitto.port, SteppedClock())
    kept.follow(lambda: "")
    ear = listen(mosquitto.port)
    assert until(lambda: told(ear))
    mosquitto.kill()
    mosquitto.start()
    again = listen(mosquitto.port)
    # The clock stands still: nothing is told because time passed.
    assert until(lambda: kept._clock.step(1.1) or told(again))  # type: ignore[attr-defined]
    kept.close()


def test_not_too_often_and_not_too_rarely(mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """The same is told every thirty seconds, a change at once, and what flickers once a second."""
    clock, ear = SteppedClock(), listen(mosquitto.port)
    kept = board(mosquitto.port, clock)
    shut = [""]
    kept.follow(lambda: shut[0])
    assert until(lambda: len(told(ear)) == 1)
    kept.passed(0, 0)
    for seconds, state, count in ((29, "armed", 1), (2, "armed", 2), (0, "locked out", 2), (2, "locked out", 3), (2, "armed", 4)):
        clock.step(seconds)
        shut[0] = "it is locked" if state == "locked out" else ""
        kept.passed(0, 0)
        kept._wake.set()
        time.sleep(0.4)
        assert until(lambda count=count: len(told(ear)) == count), (seconds, state, told(ear))
        assert len(told(ear)) == count
    assert told(ear)[-1]["state"] == "armed" and told(ear)[2]["why"] == "it is locked"
    kept.close()


def test_conditions() -> None:
    """A hanging watch, a blind camera, a lockout, a fault of the last minute, in this order."""
    assert condition(Snapshot(100.0), 101.0).state == "armed"
    everything = Snapshot(100.0, shut="it is locked", blind="no picture", fault="the lock: jammed", failed=100.0)
    assert condition(everything, 106.0).why == "the watch has not moved for 6 s"
    assert condition(everything, 99.0).state == "degraded"
    assert (condition(everything, 101.0).state, condition(everything, 101.0).why) == ("locked out", "it is locked")
    assert condition(Snapshot(100.0, blind="no picture"), 101.0).why == "the last picture could not be had: no picture"
    assert condition(Snapshot(100.0, fault="the lock: jammed", failed=99.0), 101.0).why == "the lock: jammed"
    assert condition(Snapshot(200.0, fault="the lock: jammed", failed=99.0), 201.0).state == "armed"


def test_a_watch_that_hangs_is_not_praised(
    make_told: Callable[[], Door], mosquitto: Any, listen: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status comes from another thread, and still says within seconds that the watch does not move. A timer alone would say armed."""
    monkeypatch.setattr(status, "HANGS", 1.0)  # not five, for the sake of the test's time
    ear = listen(mosquitto.port)
    with running(make_told()) as gate:
        assert until(lambda: told(ear))
        gate.sensor.hang.set()
        assert until(lambda: told(ear)[-1]["state"] == "degraded", 10) and "has not moved" in told(ear)[-1]["why"]
        gate.sensor.hang.clear()
        assert until(lambda: told(ear)[-1]["state"] == "armed", 10)


def test_frames_and_faults_are_noted() -> None:
    """The age of the last picture, a camera that gives none, a fault with its subject; a clock of 1970 is no time."""
    clock = SteppedClock(10.0, 5.0)
    kept = board(1, clock)
    pixels = np.zeros((2, 2, 3), np.uint8)
    kept.saw(Capture(10.0, 5.0, "a.png", Frame(10.0, 5.0, "a.png", pixels, Quality(0.5, 0.5)), ""), None, "", "")
    clock.step(4)
    kept.passed(0, 0)
    said = json.loads(kept.status())
    assert (said["frame_age"], said["time"], said["uptime"], said["state"]) == (4.0, None, 4, "armed")
    kept.saw(Capture(14.0, 9.0, "b.png", None, "it is broken"), None, "", "")
    assert json.loads(kept.status())["state"] == "degraded" and json.loads(kept.status())["frame_age"] == 4.0
    kept = board(1, clock)
    kept.heard(Remark("fault", "open", "the lock is away"), 1, 0, 0)
    assert json.loads(kept.status())["why"] == "open: the lock is away"
    kept.close()


def test_a_broker_that_is_away_holds_nobody_up(free_port: int) -> None:
    """Telling, answering and closing take no time that the door would miss."""
    kept = board(free_port, SteppedClock())
    kept.follow(lambda: "")
    began = time.monotonic()
    for _ in range(1000):
        kept.passed(0, 0)
        kept.say("a/topic", "an answer")
    assert time.monotonic() - began < 1.0
    kept.close()
    assert time.monotonic() - began < 8.0


def test_answers_that_are_late_are_dropped(mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """An answer of ten seconds ago tells nobody anything."""
    clock, ear = SteppedClock(), listen(mosquitto.port)
    kept = board(mosquitto.port, clock)
    kept.say("an/answer", "old")
    clock.step(11)
    kept.say("an/answer", "new")
    kept.follow(lambda: "")
    assert ear.wait("an/answer", 1) == ["new"]
    kept.close()
