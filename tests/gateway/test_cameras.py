"""Live cameras: stale, frozen, black, hanging, lying ones give no decision, are told within 5 s and are back within 10 (SAFETY test 11)."""

import http.server
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paho.mqtt import publish
from PIL import Image

from peephole.base.errors import InputError, MissingInput, SensorError
from peephole.gateway.agent import Summary, run
from peephole.gateway.attention import Awake, Movement
from peephole.gateway.camera import CameraSensor
from peephole.gateway.clock import SteppedClock, SystemClock
from peephole.gateway.door import Door
from peephole.gateway.fakes import ColourPredictor
from peephole.gateway.journal import Journal, Remark
from peephole.gateway.live import Live, Picture
from peephole.gateway.sensors import Capture, Idle, Sensor
from peephole.gateway.sources import open_source
from peephole.gateway.switchboard import rehearsal

RED = (200, 30, 30)


def fake(*script: str) -> CameraSensor:
    """Return a camera that follows a script."""
    return CameraSensor("camera://fake", SystemClock(), [sys.executable, "-m", "peephole.gateway.fakecamera", *script])


def watched(sensor: Sensor, seconds: float) -> list[Capture | Idle]:
    """Return what a sensor gives in so many seconds."""
    stop, found = threading.Event(), []
    end = time.monotonic() + seconds
    for item in sensor.captures(stop):
        found.append(item)
        if time.monotonic() > end:
            stop.set()
    return found


def said(items: list[Capture | Idle]) -> list[str]:
    """Return the problems that were told, each once in a row."""
    problems = [item.problem for item in items if isinstance(item, Capture) and item.problem]
    return [text for before, text in zip(["", *problems], problems, strict=False) if text != before]


def gate(door: Door, model: ColourPredictor, sensor: Sensor, seconds: float) -> tuple[Summary, list[Any]]:
    """Keep watch with a sensor for so many seconds; return what was done and the journal's rows."""
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    with Journal(door.journal, "front-door") as journal:
        summary = run(door, model.predict, model.card, sensor=sensor, switchboard=rehearsal(door), journal=journal, stop=stop)
        return summary, list(journal.entries())


def test_a_camera_opens_the_door(make_door: Callable[..., Door], model: ColourPredictor) -> None:
    """Pictures through the child process: ana comes, three agree, the door opens; frames are fresh."""
    summary, rows = gate(make_door(), model, fake("show:200"), 3.0)
    assert summary.opened == 1 and summary.faults == 0
    assert [row.record.label for row in rows if row.kind == "decision" and row.record.verdict == "open"] == ["ana"]


@pytest.mark.parametrize(
    ("script", "tells"),
    [
        (("freeze:200",), "frozen"),
        (("black:200",), "too dark"),
        (("hang",), "no picture for 3 s"),
        (("garbage", "hang"), "no picture"),
        (("die",), "fell off the wall"),
    ],
)
def test_no_decision_by_a_broken_camera(make_door: Callable[..., Door], model: ColourPredictor, script: tuple[str, ...], tells: str) -> None:
    """Whatever it does, nobody enters by it, and what is wrong stands in the journal within 5 s."""
    door = make_door(more="[sensor.quality]\nmin_light = 0.05", decide="agree = 3")
    summary, rows = gate(door, model, fake(*script), 4.5)
    assert summary.opened == 0
    remarks = [row.record.text for row in rows if isinstance(row.record, Remark) and row.record.kind == "frame"]
    reasons = [*remarks, *(row.record.reason for row in rows if row.kind == "decision")]
    assert any(tells in text for text in reasons), reasons


@pytest.mark.parametrize("script", [("hang",), ("die",), ("garbage",)])
def test_a_camera_that_is_down_is_no_visit(make_door: Callable[..., Door], model: ColourPredictor, script: tuple[str, ...]) -> None:
    """Nobody came: the summary and the journal tell of a camera without pictures, and of no visit."""
    summary, rows = gate(make_door(), model, fake(*script), 4.0)
    assert (summary.visits, summary.shut) == (0, 0) and summary.frames == summary.refused_frames > 0
    assert {row.kind for row in rows} == {"start", "frame", "stop"}


class Trusting(Live):
    """The planted bug: a sensor that lets old and frozen pictures through."""

    def _capture(self, picture: Picture, now: float) -> Capture | Idle:
        """Believe everything."""
        return super()._capture(Picture(now, picture.wall, picture.pixels + np.uint8(now * 1000 % 2)), now)  # type: ignore[operator]


@pytest.mark.parametrize(("kind", "holds"), [(Live, True), (Trusting, False)])
def test_old_and_frozen_pictures_are_refused(kind: type[Live], holds: bool) -> None:
    """A picture older than a second, one from the future, and the same picture for a second: each refused; the trusting twin is caught."""
    clock = SteppedClock(monotonic=100.0)
    sensor = kind("camera", clock)
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    old = sensor._capture(Picture(98.5, 0.0, pixels), 100.0)
    future = sensor._capture(Picture(103.0, 0.0, pixels), 100.0)
    frozen = [sensor._capture(Picture(110.0 + number / 10, 0.0, pixels), 110.0 + number / 10) for number in range(12)]
    refused = [isinstance(item, Idle) or item.frame is None for item in (old, future, *frozen[1:])]
    assert all(refused) is holds
    if holds:
        assert "1.5 s old" in getattr(old, "problem", "") and "frozen" in getattr(frozen[10], "problem", "")
        assert isinstance(frozen[0], Capture) and frozen[0].frame is not None


def test_it_comes_back(make_door: Callable[..., Door], model: ColourPredictor) -> None:
    """A camera whose process dies is started anew: the door opens again within 10 s."""
    began = time.monotonic()
    summary, rows = gate(make_door(decide='cool_down = "0 s"\ngap = "0.4 s"'), model, fake("show:8", "die"), 7.0)
    assert summary.opened >= 2 and time.monotonic() - began < 10
    assert (
        any("fell off" in row.record.text or "no picture" in row.record.text for row in rows if isinstance(row.record, Remark)) or summary.visits > 1
    )


def test_a_hanging_child_is_ended() -> None:
    """A child that hangs after its first pictures is killed, and the next one gives pictures again."""
    items = watched(fake("show:3", "hang"), 6.0)
    times = [item.time for item in items if isinstance(item, Capture) and item.frame is not None]
    assert len(times) >= 6 and max(np.diff(times)) > 2.5
    assert any("hangs" in text or "no picture" in text for text in said(items))


class Moving:
    """A live sensor that shows a recorded list of pictures, ten a second."""

    recorded, dated, notes = False, True, ()

    def __init__(self, pictures: list[np.ndarray]) -> None:
        self.pictures = pictures

    def captures(self, stop: threading.Event) -> Iterator[Capture | Idle]:
        """Yield them."""
        from peephole.base.records import Frame, Quality

        for number, pixels in enumerate(self.pictures):
            yield Capture(number / 10, number / 10, "moving", Frame(number / 10, number / 10, "moving", pixels, Quality(0.5, 1.0)))


def scene(random: np.random.Generator, people: int = 0, light: float = 0.0) -> np.ndarray:
    """Return a noisy wall, with somebody in `people` of its 20 columns."""
    pixels = np.full((120, 160, 3), 110.0 + light)
    pixels[20:, : people * 8] = RED
    return np.clip(pixels + random.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)


def test_sleep_loses_no_visit() -> None:
    """Eight visits with thirty empty seconds before each: every picture of every visit comes through, most empty ones do not."""
    random = np.random.default_rng(1)
    shown, truth = [], []
    empty, busy = ([scene(random, people=people) for _ in range(40)] for people in (0, 3))
    for _ in range(8):
        shown += [empty[number % 40] for number in range(300)] + busy[:20]
        truth += [False] * 300 + [True] * 20
    sensor = Awake(Moving(shown))
    through = [isinstance(item, Capture) for item in sensor.captures(threading.Event())]
    assert all(seen for seen, somebody in zip(through, truth, strict=True) if somebody)
    assert sensor.asleep > 0.6 * 8 * 300


def test_light_alone_is_no_movement() -> None:
    """A lamp that brightens the whole picture wakes nobody; a person who stands still for half a minute is seen all the while."""
    random = np.random.default_rng(2)
    movement = Movement()
    assert movement.seen(scene(random), 0.0)
    assert not any(movement.seen(scene(random, light=light), 1.0 + light / 10) for light in range(0, 60, 3))
    movement = Movement()
    movement.seen(scene(random), 0.0)
    assert all(movement.seen(scene(random, people=4), 1 + number / 10) for number in range(300))
    still = [movement.seen(scene(random, people=4), 31 + number / 10) for number in range(600)]
    assert not still[-1]  # after a minute without the least movement it is furniture


class Camera(http.server.BaseHTTPRequestHandler):
    """An IP camera: /snap.jpg, /stream, /moved, /page, /huge, /locked (basic login), /slow."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def picture(self) -> bytes:
        """Return a JPEG of somebody in red, never the same twice."""
        pixels = np.clip(np.array(RED) + np.random.default_rng().integers(-3, 4, (48, 64, 3)), 0, 255).astype(np.uint8)
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=95)
        return data.getvalue()

    def do_GET(self) -> None:  # http.server's own name
        """Answer."""
        path = self.path.partition("?")[0]
        if path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/snap.jpg")
            self.end_headers()
            return
        if path == "/locked" and self.headers.get("Authorization") != "Basic YW5hOnMzY3JldA==":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        if path.startswith("/stream"):
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for _ in range(30):
                data = self.picture()
                length = b"" if path == "/stream-plain" else f"Content-Length: {len(data)}\r\n".encode()
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n" + data + b"\r\n")
                time.sleep(0.03)
            return
        kinds = {"/page": "text/html"}
        self.send_header("Content-Type", kinds.get(path, "image/jpeg"))
        if path == "/huge":
            self.send_header("Content-Length", str(10**9))
        self.end_headers()
        self.wfile.write(b"\xff\xd8 nothing" if path == "/broken" else self.picture())


@pytest.fixture
def camera() -> Iterator[str]:
    """An IP camera on this computer."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a gate that hangs up is no error of the camera
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/snap.jpg?every=0.05", "/snap.jpg?channel=1&every=0.05", "/stream", "/stream-plain"])
def test_a_web_camera_opens_the_door(make_door: Callable[..., Door], model: ColourPredictor, camera: str, path: str) -> None:
    """A snapshot that is asked for again and again, and a stream with and without lengths."""
    door = make_door(camera + path)
    summary, _ = gate(door, model, open_source(door, SystemClock()), 1.5)
    assert summary.opened == 1 and summary.faults == 0 and summary.frames >= 5


@pytest.mark.parametrize(
    ("path", "tells"),
    [("/moved", "answers 302"), ("/page", "sends text/html"), ("/huge", "too large"), ("/locked", "answers 401"), ("/broken", "not a photo")],
)
def test_what_is_no_camera_is_told(make_door: Callable[..., Door], camera: str, path: str, tells: str) -> None:
    """Redirects are not followed, pages and monsters not read, a login not guessed."""
    door = make_door(camera + path)
    items = watched(open_source(door, SystemClock()), 3.6)
    assert not any(isinstance(item, Capture) and item.frame is not None for item in items)
    assert any(tells in text for text in said(items)), said(items)


def test_a_camera_with_a_login(
    make_door: Callable[..., Door], model: ColourPredictor, camera: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Name and password come from a file, and stand in no log, journal or error."""
    (tmp_path / "camera.secret").write_text("ana:s3cret\n")
    door = make_door(f"{camera}/locked?login=camera.secret&every=0.05")
    summary, rows = gate(door, model, open_source(door, SystemClock()), 1.5)
    assert summary.opened == 1
    assert "s3cret" not in caplog.text + repr(rows)
    with pytest.raises(InputError, match="cannot be read"):
        open_source(make_door(f"{camera}/locked?login=nowhere"), SystemClock())


def test_pictures_over_mqtt(make_door: Callable[..., Door], model: ColourPredictor, mosquitto: Any) -> None:
    """A message is a picture; one that the broker had kept, one that is none, and a bomb are refused with their reason."""
    picture = Camera.picture(None)  # type: ignore[arg-type]  # it needs nothing of a request
    publish.single("door/eye", picture, qos=1, retain=True, hostname="127.0.0.1", port=mosquitto.port)
    door = make_door("mqtt://door/eye", more=f'[broker]\nurl = "{mosquitto.url}"')
    sensor = open_source(door, SystemClock())

    def post() -> None:
        time.sleep(0.7)
        for payload in (b"no picture", b"", *(Camera.picture(None) for _ in range(4))):  # type: ignore[arg-type]
            publish.single("door/eye", payload, qos=1, hostname="127.0.0.1", port=mosquitto.port)
            time.sleep(0.1)

    threading.Thread(target=post, daemon=True).start()
    summary, rows = gate(door, model, sensor, 2.5)
    told = [row.record.text for row in rows if isinstance(row.record, Remark) and row.record.kind == "frame"]
    assert summary.opened == 1
    assert sum("had kept" in text for text in told) == 1 and len(told) == 3


def test_a_video_file_is_a_recording(make_door: Callable[..., Door], model: ColourPredictor, tmp_path: Path) -> None:
    """A film of three seconds: its pictures in order, on the film's own time; a file that is none is told."""
    cv2 = pytest.importorskip("cv2")
    film = cv2.VideoWriter(str(tmp_path / "night.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(30):
        film.write(np.full((48, 64, 3), RED[::-1], np.uint8))
    film.release()
    door = make_door("video://night.avi?fps=5&start=2026-11-02T08:00")
    sensor = open_source(door, SystemClock())
    summary = run(door, model.predict, model.card, sensor=sensor, switchboard=rehearsal(door))
    assert (summary.frames, summary.opened) == (15, 1) and sensor.dated
    (tmp_path / "none.mp4").write_bytes(b"no film" * 100)
    with pytest.raises(SensorError, match="no video"):
        list(open_source(make_door("video://none.mp4"), SystemClock()).captures(threading.Event()))
    with pytest.raises(MissingInput):
        open_source(make_door("video://nowhere.mp4"), SystemClock())


def test_a_part_of_the_frame(make_door: Callable[..., Door], tmp_path: Path, paint: Callable[[Path, str], Path]) -> None:
    """[sensor] region cuts the frame before everything else."""
    paint(tmp_path / "night" / "v1" / "0.png", "ana")
    door = make_door()
    path = door.path
    path.write_text(path.read_text().replace('source = "replay://night"', 'source = "replay://night"\nregion = [0.25, 0.5, 0.5, 0.5]'))
    from peephole.gateway.door import load_door

    (item,) = open_source(load_door(path), SystemClock()).captures(threading.Event())
    assert isinstance(item, Capture) and item.frame is not None and item.frame.pixels.shape == (12, 16, 3)


def test_too_many_too_far_too_bright() -> None:
    """What the quality gate refuses, in words."""
    from dataclasses import replace

    from peephole.base.records import Quality
    from peephole.gateway.keys import Limits
    from peephole.gateway.quality import measure, poor, unfit

    white = np.full((40, 40, 3), 255, np.uint8)
    white[:10] = 90
    assert measure(white).overexposed == pytest.approx(0.75)
    limits = Limits(min_light=0.1, max_overexposed=0.5)
    assert "75% of the frame is white" in poor(measure(white), limits)
    assert "too dark" in poor(Quality(float("nan"), 1.0), limits) and poor(Quality(0.5, 1.0), limits) == ""
    seen = replace(ColourPredictor({"ana": RED}).predict(white), subjects=2, share=0.004)
    assert "2 at once" in unfit(seen, Limits(max_subjects=1))
    assert "too far" in unfit(seen, Limits(min_subject=0.01)) and unfit(seen, Limits(max_subjects=2)) == ""
