"""Another model at the same gate: both must see the same, at the same time, or the door stays shut."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doorworld import FACES, POLICY, WALL

from peephole.base.errors import SettingsError
from peephole.base.records import Decision, Frame, Quality
from peephole.gateway.agent import run
from peephole.gateway.clock import SteppedClock
from peephole.gateway.door import Door
from peephole.gateway.factor import Heard
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.hearing import hear
from peephole.gateway.inbox import Inbox, Signal
from peephole.gateway.onlooker import Onlooker
from peephole.gateway.policy import Glance, Policy, State, step
from peephole.gateway.sensors import Capture, Idle
from peephole.gateway.state import also_source
from peephole.gateway.switchboard import rehearsal

ALSO = replace(POLICY, factor=None, also=("side",))
COLOURS = {"ana": (200, 30, 30), "junho": (30, 30, 200)}


def play(story: str, policy: Policy = ALSO) -> list[Decision]:
    """Play words: a face in front of the camera, side:NAME what the other model says, numbers seconds that pass."""
    state, now, found = State(), 0.0, []
    for word in story.split():
        if word[0].isdigit():
            now += float(word)
            continue
        now += 0.2
        who = word.removeprefix("side:")
        signal = Signal(now, WALL, also_source("side"), "reading", {"who": "" if who == "nobody" else who})
        reaction = hear(policy, state, signal) if word != who else step(policy, state, Glance(now, WALL, FACES[who]))
        state = reaction.state
        found += [event for event in reaction.events if isinstance(event, Decision)]
    return found


@pytest.mark.parametrize(
    ("story", "opens"),
    [
        ("side:ana ana ana ana", True),
        ("ana ana ana side:ana", True),
        ("ana ana ana", False),
        ("side:junho ana ana ana", False),
        ("ana ana ana side:junho", False),
        ("ana ana ana side:unknown", False),
        ("ana ana ana side:nobody", False),
        ("side:ana side:nobody ana ana ana", False),
        ("side:ana 2 ana ana ana", False),
        ("ana ana ana 2.1 side:ana", False),
        ("side:ana stranger stranger stranger", False),
        ("side:mallory mallory mallory mallory", False),
        ("ana ana ana side:junho side:ana", True),
    ],
)
def test_both_must_agree(story: str, opens: bool) -> None:
    """The same label, within the window, and still; each story opens without the other model where somebody may enter."""
    assert any(decision.verdict == "open" for decision in play(story)) is opens
    if "ana ana ana" in story:
        alone = play(story, replace(ALSO, also=()))
        assert any(decision.verdict == "open" for decision in alone), "the twin that ignores the other model opens"


def test_it_says_what_it_waits_for() -> None:
    """Once, with the window; and the opening says that both agreed."""
    asked, opening = play("ana ana ana ana side:ana")
    assert (asked.rule, asked.verdict) == ("another model", "refuse") and asked.reason.endswith("side must see the same within 2 s")
    assert opening.verdict == "open" and opening.reason.endswith("; side sees the same")


def test_another_model_that_ends_is_always_told_of() -> None:
    """Its last word comes once, so nothing that was told just before keeps it from the journal; it is no visitor's refusal."""
    state = replace(State(), heard=Heard(told=0.4))
    for number in range(2):
        state = step(ALSO, state, Glance(number * 0.2, WALL, FACES["ana"])).state
    reaction = hear(ALSO, state, Signal(0.5, WALL, also_source("side"), "reading", {"who": "", "problem": "unplugged"}))
    assert reaction.events == (Decision("-", "note", None, "side says nothing any more: unplugged", "another model", None),)
    assert reaction.state.visit == state.visit


def test_a_reading_cannot_speak_for_a_model() -> None:
    """No name of a reading makes its message the other model's word."""
    state = State()
    for number in range(3):
        state = step(ALSO, state, Glance(number * 0.2, WALL, FACES["ana"])).state
    for name in ("side", "also side", "also"):
        policy = replace(ALSO, fresh={name: 60.0})
        assert hear(policy, state, Signal(0.5, WALL, name, "reading", {"who": "ana"})).events == ()


class Pictures:
    """A sensor that gives these colours, 0.2 s apart, then raises, or ends."""

    recorded, dated, notes = False, True, ()

    def __init__(self, clock: SteppedClock, colours: list[tuple[int, int, int] | None], error: Exception | None = None) -> None:
        self._clock, self._colours, self._error = clock, colours, error

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield them."""
        for colour in self._colours:
            self._clock.step(0.2)
            now, wall = self._clock.monotonic(), self._clock.wall()
            pixels = np.full((4, 4, 3), colour or 0, np.uint8)
            yield Idle(now, wall) if colour is None else Capture(now, wall, "side", Frame(now, wall, "side", pixels, Quality(0.5, 1.0)))
        if self._error is not None:
            raise self._error


def said(colours: list[tuple[int, int, int] | None], model: Any = None, error: Exception | None = None) -> list[str]:
    """Return what an onlooker says of pictures, its last word with the problem."""
    clock, inbox = SteppedClock(), Inbox(room=100)
    onlooker = Onlooker("side", Pictures(clock, colours, error), (model or ColourPredictor(COLOURS)).predict, ALSO, inbox=inbox, clock=clock)
    onlooker.start()
    onlooker._thread.join(5)
    onlooker.close()
    return [f"{signal.values['who']}{':' if 'problem' in signal.values else ''}{signal.values.get('problem', '')}" for signal in inbox.empty()]


ANA, JUNHO, OTHER = COLOURS["ana"], COLOURS["junho"], (30, 200, 30)


def test_an_onlooker_says_whom_its_frames_agree_on() -> None:
    """From the third frame in a row; another face, or a stranger's, begins anew; at the end it says that it ended."""
    ended = ":its pictures ended"
    assert said([ANA, ANA, ANA, None, ANA]) == ["", "", "ana", "ana", ended]
    assert said([ANA, ANA, JUNHO, ANA, OTHER, OTHER, OTHER]) == [""] * 6 + ["unknown", ended]


def test_an_onlooker_that_breaks_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """A model that fails agrees with nobody; a sensor that fails ends it, with the reason."""
    assert said([ANA] * 5, ColourPredictor(COLOURS, breaks_after=3)) == ["", "", "ana", "", "", ":its pictures ended"]
    assert said([ANA], error=OSError("unplugged")) == ["", ":OSError: unplugged"]
    assert "told to break" in caplog.text and "unplugged" in caplog.text


def test_an_old_frame_agrees_with_nobody() -> None:
    """A model that takes longer than a second says nothing."""
    clock, inbox, model = SteppedClock(), Inbox(), ColourPredictor(COLOURS)

    def slow(pixels: np.ndarray) -> Any:
        clock.step(1.1)
        return model.predict(pixels)

    onlooker = Onlooker("side", Pictures(clock, [ANA] * 5), slow, replace(ALSO, within=60.0), inbox=inbox, clock=clock)
    onlooker.start()
    onlooker._thread.join(5)
    assert {signal.values["who"] for signal in inbox.empty()} == {""}


@pytest.fixture
def two(make_door: Callable[..., Door], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    """A door with two live folders, and the fake model for both."""
    (tmp_path / "frames").mkdir()
    (tmp_path / "side").mkdir()
    monkeypatch.setattr("peephole.gateway.onlooker.load", lambda path: ColourPredictor(COLOURS))
    more = '[also.side]\nmodel = "side.onnx"\nsource = "folder://side?poll=0.02"'
    return make_door("folder://frames?poll=0.02", decide='within = "5 s"\ngap = "10 s"', more=more)


@pytest.mark.parametrize(("other", "opened"), [("ana", 1), ("junho", 0), ("stranger", 0)])
def test_two_cameras_at_a_live_gate(two: Door, paint: Callable[[Path, str], Path], model: ColourPredictor, other: str, opened: int) -> None:
    """Both folders see ana, and the door opens; the other one sees somebody else, and it does not."""
    stop, told = threading.Event(), []
    parts: dict[str, Any] = {"switchboard": rehearsal(two), "stop": stop, "tell": told.append}
    thread = threading.Thread(target=lambda: told.append(run(two, model.predict, model.card, **parts)))
    thread.start()
    for _ in range(200):
        if any(other.name == "also side" for other in threading.enumerate()):
            break
        time.sleep(0.02)
    time.sleep(0.2)
    for number in range(3):
        paint(two.folder / "side" / f"{number}.png", other)
        paint(two.folder / "frames" / f"{number}.png", "ana")
    for _ in range(100):
        if sum(isinstance(record, Decision) for record in told) > opened:
            break
        time.sleep(0.01)
    time.sleep(0.3)
    stop.set()
    thread.join(5)
    assert told[-1].opened == opened and told[-1].faults == 0


def test_a_model_that_lacks_somebody_is_refused(two: Door, model: ColourPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything moves, with the near miss."""
    monkeypatch.setattr("peephole.gateway.onlooker.load", lambda path: ColourPredictor({"ana": ANA, "juno": JUNHO}))
    with pytest.raises(SettingsError, match="did you mean 'juno'"):
        run(two, model.predict, model.card)
