"""The whole gate, from pictures to commands: with the shipped fake model, real files, a real journal and a real broker."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from peephole.base.card import Region
from peephole.base.errors import InputError, MissingInput, NotArmed, PhotoError, SettingsError
from peephole.base.evidence import measure
from peephole.base.extras import load
from peephole.base.records import Decision
from peephole.gateway.actuators import RecordingActuator
from peephole.gateway.agent import Summary, run
from peephole.gateway.clock import SteppedClock
from peephole.gateway.door import Door, load_door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal, Record, Remark
from peephole.gateway.policy import Ended
from peephole.gateway.sentences import check
from peephole.gateway.switchboard import Switchboard, rehearsal
from peephole.gateway.visits import Tally

Paint = Callable[[Path, str], Path]
MakeDoor = Callable[..., Door]

NIGHT = {
    "v01": "ana ana ana ana",
    "v02": "stranger stranger stranger",
    "v03": "ana junho ana junho ana",
    "v04": "dark dark dark",
    "v05": "junho junho broken junho junho junho",
    "v06": "ana ana",
}
VERDICTS = {"v01": "open", "v02": "ask", "v03": "refuse", "v04": "refuse", "v05": "open", "v06": "refuse"}
LIGHT = "[sensor.quality]\nmin_light = 0.05"


@pytest.fixture
def night(tmp_path: Path, paint: Paint) -> Path:
    """A night of six visits, one folder each."""
    root = tmp_path / "night"
    for visit, words in NIGHT.items():
        for number, who in enumerate(words.split()):
            path = root / visit / f"{number}.png"
            if who == "broken":
                path.write_bytes(b"no picture")
            else:
                paint(path, who)
    return root


def lock(summary_door: Door) -> tuple[Any, RecordingActuator]:
    """Return controllers that remember, and the one of `open`."""
    board = rehearsal(summary_door)
    actuator = board.lines["open"].actuator
    assert isinstance(actuator, RecordingActuator)
    return board, actuator


def test_a_night_at_the_door(night: Path, make_door: MakeDoor, model: ColourPredictor) -> None:
    """Residents enter, strangers ring, everybody else stays outside; counts, journal and controllers agree."""
    door = make_door(more=LIGHT)
    board, remembers = lock(door)
    told: list[Record] = []
    summary = run(door, model.predict, model.card, switchboard=board, tell=told.append)
    assert {outcome.visit: outcome.verdict for outcome in summary.outcomes} == VERDICTS
    assert (summary.visits, summary.opened, summary.asked, summary.shut, summary.faults) == (6, 2, 1, 3, 0)
    assert (summary.frames, summary.refused_frames) == (23, 4)
    # Safe at the start, each opening with its end, safe at the stop.
    assert [(command.state, command.label) for command in remembers.commands] == [
        ("off", None), ("on", "ana"), ("off", None), ("on", "junho"), ("off", None), ("off", None),
    ]  # fmt: skip
    with Journal(door.journal, "front-door") as journal:
        rows = journal.entries()
    assert [row.record for row in rows] == told
    assert [row.kind for row in rows if row.kind != "decision"] == ["start", "visit", "visit", "visit", "visit", "frame", "visit", "visit", "stop"]
    assert {row.record.visit.id: row.record.verdict for row in rows if isinstance(row.record, Ended)} == VERDICTS
    (refused,) = (row.record for row in rows if row.kind == "frame")
    assert isinstance(refused, Remark) and refused.subject == "v05/2.png" and refused.text
    decided = [row.record for row in rows if isinstance(row.record, Decision)]
    assert "too dark: light 0.01" in next(decision for decision in decided if decision.visit == "v04").reason


def test_it_says_on_what_grounds_it_was_armed(night: Path, make_door: MakeDoor, model: ColourPredictor) -> None:
    """The start says whole that the rate is not proven; the stop says how it ended and reminds of it in a few words."""
    door = make_door()
    summary = run(door, model.predict, model.card)
    assert summary.armed.how == "low risk"
    assert texts(door, "start", "stop") == [
        summary.armed.sentence,
        "the recording ended; armed as low risk only: 1 % false accepts are not proven",
    ]
    assert "needs 299" in summary.armed.sentence and len(summary.armed.short) < 80


def texts(door: Door, *kinds: str) -> list[str]:
    """Return what the journal's remarks of these kinds say."""
    with Journal.read(door.journal) as journal:
        return [row.record.text for kind in kinds for row in journal.entries(kind) if isinstance(row.record, Remark)]


@pytest.mark.parametrize("source", ["replay://night", "folder://night/v01?once=1"])
def test_a_recording_that_ends_lets_the_pulse_finish(night: Path, make_door: MakeDoor, model: ColourPredictor, source: str) -> None:
    """The last pictures opened the door: it stays open for its five seconds, on the clock that the pictures came by, and no longer."""
    for visit in sorted(night.iterdir())[1:]:
        visit.rename(night.parent / visit.name)
    door = make_door(source)
    board, remembers = lock(door)
    summary = run(door, model.predict, model.card, switchboard=board, clock=SteppedClock())
    assert summary.opened == 1
    assert [command.state for command in remembers.commands] == ["off", "on", "off", "off"]
    _, on, off, _ = remembers.commands
    assert off.wall - on.wall == pytest.approx(5.0, abs=0.2)
    assert "before its pulse" not in " ".join(texts(door, "stop"))


def test_a_stop_in_the_middle_of_a_pulse_is_written_down(night: Path, make_door: MakeDoor, model: ColourPredictor) -> None:
    """Whoever ends the gate while the door is open shuts it at once, also while it waits for the pulse to end; the stop says so."""
    door = make_door("folder://night/v01?once=1")
    board, remembers = lock(door)
    stop = threading.Event()

    class Impatient(SteppedClock):
        def wait(self, seconds: float, halt: threading.Event) -> None:
            super().wait(seconds, halt)
            if remembers.state == "on":
                stop.set()

    run(door, model.predict, model.card, switchboard=board, clock=Impatient(), stop=stop)
    assert [command.state for command in remembers.commands] == ["off", "on", "off"]
    (told,) = texts(door, "stop")
    assert told.startswith("it was told to stop; 'open' was ended 4.8 s before its pulse was over; armed")


def test_a_lock_that_is_away_does_not_keep_the_gate_from_ending(night: Path, make_door: MakeDoor, model: ColourPredictor) -> None:
    """A pulse that cannot be ended is no reason to wait for ever."""
    door = make_door("folder://night/v01?once=1")
    board, remembers = lock(door)

    def tell(record: Record) -> None:
        remembers.fails = isinstance(record, Ended) or remembers.fails

    assert run(door, model.predict, model.card, switchboard=board, clock=SteppedClock(), tell=tell).faults == 1


def test_faults_of_witnesses_count(night: Path, make_door: MakeDoor, model: ColourPredictor) -> None:
    """Whoever reads the summary hears of every fault that stands in the journal, also of those that the watch did not write."""
    door = make_door(more='[journal]\nhead = "file:///proc/none/head"')
    for _ in range(2):
        before = len(texts(door, "fault")) if door.journal.exists() else 0
        summary = run(door, model.predict, model.card)
        assert summary.faults == len(texts(door, "fault")) - before > 0


def test_a_run_that_never_stopped_is_noticed(night: Path, make_door: MakeDoor, model: ColourPredictor) -> None:
    """After a kill or a power cut the next start says so, once."""
    door = make_door()
    with Journal(door.journal, "front-door") as journal:
        journal.write(Remark("start", "door.onnx", "armed"), 0.0, 0.0)
    for _ in range(2):
        run(door, model.predict, model.card)
    assert ["wrote no stop" in text for text in texts(door, "start")] == [False, True, False]


def test_a_recording_without_dates_matters_to_hours_alone(night: Path, make_door: MakeDoor, model: ColourPredictor) -> None:
    """The note is for doors with hours; it names the rules, and how to give a date."""
    assert run(make_door(), model.predict, model.card).notes == ()
    path = make_door().path
    text = path.read_text().replace('do = "open"', 'do = "open"\nwhen = "Mo-Su 00:00-24:00"')
    path.write_text(text)
    (note,) = run(load_door(path), model.predict, model.card).notes
    assert "the hours of rule 1 never hold" in note and "?start=" in note
    path.write_text(text.replace("replay://night", "replay://night?start=2026-11-02T08:00"))
    summary = run(load_door(path), model.predict, model.card)
    assert summary.notes == () and summary.opened == 2


def test_the_reason_of_a_visit_is_that_of_its_verdict(tmp_path: Path, paint: Paint, make_door: MakeDoor, model: ColourPredictor) -> None:
    """Ana was let in, and then junho came, who may not enter now: the visit opened, and the summary says for whom and why."""
    for number, who in enumerate(["ana"] * 3 + ["junho"] * 3):
        paint(tmp_path / "night" / "v1" / f"{number}.png", who)
    path = make_door().path
    hours = '[[rule]]\nwho = ["junho"]\ndo = "open"\nwhen = "Mo-Su 00:00-24:00"\n'
    path.write_text(path.read_text().replace('who = ["ana", "junho"]', 'who = ["ana"]').replace("[action.open]", f"{hours}\n[action.open]"))
    summary = run(load_door(path), model.predict, model.card)
    (outcome,) = summary.outcomes
    assert (outcome.verdict, outcome.label) == ("open", "ana") and outcome.reason.startswith("three frames in a row were ana")


def test_what_was_opened_is_let_go_when_the_gate_cannot_start(make_door: MakeDoor, model: ColourPredictor, free_port: int) -> None:
    """A secret that is not there keeps the gate from starting: the controllers, the witnesses and the journal are closed all the same."""
    closed: list[str] = []

    class Board(Switchboard):
        def close(self) -> None:
            super().close()
            closed.append("board")

    class Onlooking(Tally):
        def close(self) -> None:
            closed.append("witness")

    more = f'[broker]\nurl = "mqtt://127.0.0.1:{free_port}"\n\n[remote]\nsecret = {{file = "none.secret"}}'
    door = make_door("folder://.?poll=0.02", more=more)
    with pytest.raises(InputError, match="secret"):
        run(door, model.predict, model.card, switchboard=Board("front-door", rehearsal(door).lines), witnesses=(Onlooking(),))
    assert closed == ["board", "witness"] and not door.journal.with_name(f"{door.journal.name}-wal").exists()


def test_it_refuses_to_arm(night: Path, make_door: MakeDoor, model: ColourPredictor) -> None:
    """Without low risk and without a proof nothing is touched; with a proof of the rate it runs."""
    door = make_door()
    settings = door.settings
    strict = Door(door.path, settings.model_copy(update={"gate": settings.gate.model_copy(update={"low_risk": False})}))
    with pytest.raises(NotArmed, match="needs 299 strangers"):
        run(strict, model.predict, model.card)
    assert not door.journal.exists()
    proven = model.card.model_copy(update={"evidence": (measure("false accept", 0, 299, "stranger", "proof"),)})
    assert run(strict, model.predict, proven).armed.how == "proof"


def test_a_model_for_other_people_is_refused(night: Path, make_door: MakeDoor) -> None:
    """Rules that name somebody whom the model lacks stop the gate before anything moves."""
    with pytest.raises(SettingsError, match="did you mean 'anna'"):
        run(make_door(), lambda pixels: pytest.fail("asked"), ColourPredictor({"anna": (1, 2, 3), "junho": (4, 5, 6)}).card)


def test_a_missing_recording_is_refused(make_door: MakeDoor, model: ColourPredictor) -> None:
    """No sensor, no gate."""
    with pytest.raises(MissingInput):
        run(make_door(), model.predict, model.card)


def test_truth_gives_evidence_per_visit(tmp_path: Path, paint: Paint, make_door: MakeDoor, model: ColourPredictor) -> None:
    """A table with the truth tells how many strangers got in, with its bound, and called simulated."""
    for who in ("ana", "stranger"):
        paint(tmp_path / f"{who}.png", who)
    rows = ["time,file,visit,truth"]
    for visit, (who, truth) in enumerate([("ana", "ana"), ("stranger", "unknown"), ("ana", "unknown")]):
        rows += [f"{visit * 60 + n * 0.2},{who}.png,v{visit},{truth}" for n in range(3)]
    (tmp_path / "night.csv").write_text("\n".join(rows))
    summary = run(make_door("replay://night.csv"), model.predict, model.card)
    assert [(outcome.truth, outcome.verdict) for outcome in summary.outcomes] == [("ana", "open"), ("unknown", "ask"), ("unknown", "open")]
    rate = summary.false_accepts
    assert rate is not None and (rate.errors, rate.trials, rate.unit, rate.role) == (1, 2, "visit", "simulated")
    assert replace(summary, outcomes=()).false_accepts is None


def test_visits_without_names_end_by_the_gap(tmp_path: Path, paint: Paint, make_door: MakeDoor, model: ColourPredictor) -> None:
    """A table without visits is cut where nobody came for more than the gap; names are unique across runs."""
    paint(tmp_path / "ana.png", "ana")
    times = (0.0, 0.2, 0.4, 30.0, 30.2, 30.4)
    (tmp_path / "night.csv").write_text("time,file\n" + "".join(f"{time},ana.png\n" for time in times))
    door = make_door("replay://night.csv")
    names = {outcome.visit for _ in range(2) for outcome in run(door, model.predict, model.card).outcomes}
    assert len(names) == 4


def test_a_live_folder(tmp_path: Path, paint: Paint, make_door: MakeDoor, model: ColourPredictor) -> None:
    """Pictures dropped into a folder open the door; the visit ends after the gap; stop ends the gate with the door shut."""
    (tmp_path / "frames").mkdir()
    door = make_door("folder://frames?poll=0.02", decide='gap = "300 ms"')
    board, remembers = lock(door)
    stop, told, result = threading.Event(), [], []
    thread = threading.Thread(target=lambda: result.append(run(door, model.predict, model.card, switchboard=board, stop=stop, tell=told.append)))
    thread.start()

    def until(kind: type) -> None:
        for _ in range(300):
            if any(isinstance(record, kind) for record in told):
                return
            time.sleep(0.02)
        raise AssertionError(f"no {kind.__name__} in {told}")

    until(Remark)
    for number in range(3):
        paint(tmp_path / "frames" / f"{number}.png", "ana")
    until(Decision)
    assert remembers.state == "on"
    until(Ended)
    stop.set()
    thread.join(5)
    (summary,) = result
    assert isinstance(summary, Summary) and (summary.opened, summary.visits, summary.frames) == (1, 1, 3)
    assert remembers.state == "off"


def test_a_stale_frame_is_not_judged(tmp_path: Path, paint: Paint, make_door: MakeDoor, model: ColourPredictor) -> None:
    """A live model that takes longer than a second opens for nobody: who was at the door may be gone."""
    for number in range(4):
        paint(tmp_path / "frames" / f"{number}.png", "ana")

    class Slow:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

        def wall(self) -> float:
            return 1.8e9

        def wait(self, seconds: float, stop: threading.Event) -> None:
            self.now += seconds

    clock = Slow()

    def predict(pixels: np.ndarray) -> Any:
        clock.now += 1.1
        return model.predict(pixels)

    door = make_door("folder://frames?once=1", decide='within = "10 s"\ngap = "10 s"')
    summary = run(door, predict, model.card, clock=clock)
    assert (summary.opened, summary.refused_frames) == (0, 4)
    assert "s old when it was judged" in summary.outcomes[0].reason
    clock.now = 0
    assert run(door, model.predict, model.card, clock=clock).opened == 1


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_pictures_of_any_mode(tmp_path: Path, make_door: MakeDoor, mode: str) -> None:
    """Grey and transparent pictures reach the model as they are."""
    shapes = []

    def predict(pixels: np.ndarray) -> Any:
        shapes.append(pixels.shape)
        return ColourPredictor({"ana": (1, 1, 1), "junho": (200, 0, 0)}).predict(pixels)

    (tmp_path / "night" / "v").mkdir(parents=True)
    Image.new(mode, (9, 7)).save(tmp_path / "night" / "v" / "a.png")
    run(make_door(), predict, ColourPredictor({"ana": (1, 1, 1), "junho": (200, 0, 0)}).card)
    assert shapes[0][:2] == (7, 9)


def commands(heard: list[str]) -> list[tuple[str, str | None]]:
    return [(told["state"], told["label"]) for told in map(json.loads, heard)]


def test_through_mosquitto(night: Path, make_door: MakeDoor, model: ColourPredictor, mosquitto: Any, listen: Callable[[int], Any]) -> None:
    """The same night over a real broker: safe, open, safe. Nobody is told the status of a gate that looks at a recording."""
    ear = listen(mosquitto.port)
    summary = run(make_door(target="mqtt://home/lock", more=f'{LIGHT}\n[broker]\nurl = "{mosquitto.url}"'), model.predict, model.card)
    assert (summary.opened, summary.faults) == (2, 0)
    # `open` and `call` share the topic here: both are made safe at the start and at the end.
    safe, ring = [("off", None)], [("on", None)]
    assert commands(ear.wait("home/lock", 9)) == [*safe * 2, ("on", "ana"), *safe, *ring, ("on", "junho"), *safe, *safe * 2]
    assert ear.topic("peephole/front-door/status") == []


# amqtt 0.12 still names things of asyncio and its own that are on their way out; nothing of ours is deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:amqtt")
def test_through_the_embedded_broker(night: Path, make_door: MakeDoor, model: ColourPredictor, listen: Callable[[int], Any]) -> None:
    """The demo's broker carries the same commands."""
    with load("gateway.broker:EmbeddedBroker")() as broker:
        ear = listen(broker.port)
        summary = run(make_door(target="mqtt://home/lock", more=f'{LIGHT}\n[broker]\nurl = "{broker.url}"'), model.predict, model.card)
        heard = commands(ear.wait("home/lock", 8))
    assert summary.opened == 2
    assert [label for state, label in heard if state == "on"] == ["ana", None, "junho"]


class Facing(ColourPredictor):
    """The colour model behind a region: finds nobody in a picture without red, and says so when there are two."""

    def predict(self, pixels: np.ndarray) -> Any:
        """Answer, or refuse as a region does."""
        if pixels[..., 0].mean() < 40:
            raise PhotoError("no face was found", "look at the camera")
        return replace(super().predict(pixels), note="2 faces: the largest one is judged, the other face is not")


def test_where_the_region_finds_nobody_is_no_fault(make_door: MakeDoor, tmp_path: Path) -> None:
    """A frame without a face is not judged, in plain words, and the door stays shut without a fault. Two faces are journaled once a visit."""
    for visit, colour in (("v1", (0, 200, 30)), ("v2", (200, 0, 0))):
        for number in range(3):
            path = tmp_path / "night" / visit / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), colour).save(path)
    model = Facing({"ana": (200, 0, 0), "junho": (0, 0, 200)})
    rows: list[Record] = []
    done = run(make_door(), model.follow, model.card, tell=rows.append)
    assert done.faults == 0 and done.refused_frames == 3
    nobody, ana = done.outcomes
    assert nobody.verdict == "refuse" and "could not be judged" in nobody.reason and "no face was found" in nobody.reason
    assert (ana.verdict, ana.label) == ("open", "ana")
    assert [row.text for row in rows if isinstance(row, Remark) and row.kind == "frame"] == [model.predict(np.full((4, 4, 3), 200, np.uint8)).note]


def test_a_door_without_what_its_region_needs_never_opens_its_sensor(make_door: MakeDoor, tmp_path: Path, paint: Paint) -> None:
    """A card that wants a cascade nobody has here is refused before the watch begins, with the version to install."""
    pytest.importorskip("cv2")
    face = load("data.face:finder")().model_copy(update={"sha256": "0" * 64})
    paint(tmp_path / "night" / "v1" / "0.png", "ana")
    model = ColourPredictor({"ana": (200, 0, 0), "junho": (0, 0, 200)})
    card = model.card.model_copy(update={"input": model.card.input.model_copy(update={"region": Region(how="face", face=face)})})
    with pytest.raises(InputError, match="another haarcascade"):
        run(make_door(), model.predict, card)
    part = next(part for part in check(make_door(), card).parts if part.name == "region")
    assert part.state == "problem" and "opencv-python-headless==" in part.hint
