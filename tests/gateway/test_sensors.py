"""Sensors: pictures as they appear, recordings at any speed, broken ones as refusals."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from peephole.base.errors import InputError, MissingInput, SensorError, SettingsError
from peephole.gateway.clock import SteppedClock
from peephole.gateway.quality import WEIGHTS, _grey, measure
from peephole.gateway.sensors import Capture, Idle, open_sensor

Paint = Callable[[Path, str], Path]


def watch(source: str, folder: Path) -> Iterator[Capture | Idle]:
    return open_sensor(source, folder, SteppedClock()).captures(threading.Event())


def until_idle(stream: Iterator[Capture | Idle]) -> list[str]:
    """Return the names of what a live sensor gives before it has nothing new."""
    names = []
    for item in stream:
        if isinstance(item, Idle):
            break
        names.append(item.source)
    return names


def test_new_pictures_oldest_first(tmp_path: Path, paint: Paint) -> None:
    """What was there is old news; what appears is given once, by its time of change."""
    paint(tmp_path / "old.png", "ana")
    sensor = open_sensor("folder://.", tmp_path, SteppedClock())
    assert "1 file already" in sensor.notes[0]
    stream = sensor.captures(threading.Event())
    assert until_idle(stream) == []
    for name, changed in (("a.png", 300), ("b.png", 100), ("c.png", 200)):
        os.utime(paint(tmp_path / name, "ana"), (changed, changed))
    assert until_idle(stream) == []  # seen for the first time: may still be growing
    assert until_idle(stream) == ["b.png", "c.png", "a.png"]
    assert until_idle(stream) == []
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.png", "b.png", "c.png", "old.png"]


def test_a_half_written_picture_is_waited_for(tmp_path: Path, paint: Paint) -> None:
    """A file that grows is left alone until it stops; then it is one good picture."""
    whole = paint(tmp_path / "elsewhere" / "x.png", "ana").read_bytes()
    stream = watch("folder://.", tmp_path)
    with (tmp_path / "x.png").open("wb") as file:
        for at in range(0, len(whole), 200):
            file.write(whole[at : at + 200])
            file.flush()
            assert until_idle(stream) == []
    assert isinstance(got := next(stream), Capture) and got.frame is not None


def test_a_rewritten_picture_is_new(tmp_path: Path, paint: Paint) -> None:
    """A camera that overwrites latest.png is seen each time."""
    stream = watch("folder://.", tmp_path)
    for changed in (100, 200):
        os.utime(paint(tmp_path / "latest.png", "ana"), (changed, changed))
        assert until_idle(stream) == []
        assert until_idle(stream) == ["latest.png"]


@pytest.mark.parametrize("name", [".x.png", "x.png.part", "x.png.TMP", "x.png~", "x.crdownload"])
def test_temporary_names_and_folders_are_ignored(tmp_path: Path, paint: Paint, name: str) -> None:
    """What is being written under another name is no picture yet."""
    stream = watch("folder://.", tmp_path)
    paint(tmp_path / "y.png", "ana").rename(tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    assert [until_idle(stream), until_idle(stream), until_idle(stream)] == [[], [], []]


def test_once_takes_what_is_there_and_stops(tmp_path: Path, paint: Paint) -> None:
    """With ?once=1 the pictures that are there are given and the stream ends; an empty file is refused, not lost."""
    for name in ("a.png", "b.png"):
        paint(tmp_path / "my frames" / name, "ana")
    (tmp_path / "my frames" / "empty.png").touch()
    items = [item for item in watch("folder://my%20frames?once=1", tmp_path) if isinstance(item, Capture)]
    assert [item.source for item in items if item.frame] == ["a.png", "b.png"]
    assert [(item.source, item.problem) for item in items if not item.frame] == [("empty.png", "it is empty or was still being written")]


def test_once_gives_up_on_a_file_that_grows(tmp_path: Path) -> None:
    """A file that never stops growing ends as a refusal."""
    file = tmp_path / "x.png"
    file.write_bytes(b"x")

    class Growing(SteppedClock):
        def wait(self, seconds: float, stop: threading.Event) -> None:
            file.write_bytes(file.read_bytes() + b"x")
            super().wait(seconds, stop)

    items = list(open_sensor("folder://.?once=1", tmp_path, Growing()).captures(threading.Event()))
    assert isinstance(items[-1], Capture) and "still being written" in items[-1].problem
    assert len(items) < 100


def test_a_vanished_folder_is_an_error(tmp_path: Path) -> None:
    """A folder that goes away, or never was, is a fault of the sensor and not an idle one."""
    (tmp_path / "frames").mkdir()
    stream = watch("folder://frames", tmp_path)
    next(stream)
    (tmp_path / "frames").rmdir()
    with pytest.raises(SensorError, match="cannot be read"):
        next(stream)
    with pytest.raises(SensorError, match="create it"):
        watch("folder://frames", tmp_path)


def test_stop_ends_a_live_sensor(tmp_path: Path) -> None:
    """A set stop ends the stream."""
    stop = threading.Event()
    stream = open_sensor("folder://.", tmp_path, SteppedClock()).captures(stop)
    next(stream)
    stop.set()
    assert list(stream) == []


BROKEN = {"text.jpg": b"hello", "cut.png": None, "empty.png": b"", "zero.jpg": bytes(5000)}


def test_broken_pictures_are_refusals(tmp_path: Path, paint: Paint) -> None:
    """Text, a truncated file, nothing, zeros, a missing file: each is one capture with its reason."""
    cut = paint(tmp_path / "whole.png", "ana").read_bytes()[:300]
    for name, data in BROKEN.items():
        (tmp_path / name).write_bytes(cut if data is None else data)
    names = [*BROKEN, "missing.png"]
    (tmp_path / "night.csv").write_text("time,file\n" + "".join(f"{n},{name}\n" for n, name in enumerate(names)))
    items = list(watch("replay://night.csv", tmp_path))
    assert [isinstance(item, Capture) and (item.frame is None, bool(item.problem), item.source) for item in items] == [
        (True, True, name) for name in names
    ]


def test_a_table_with_visits_and_truth(tmp_path: Path, paint: Paint) -> None:
    """Times are the file's own, in seconds or as dates; columns in any order; a byte-order mark does not matter."""
    paint(tmp_path / "day" / "a.png", "ana")
    (tmp_path / "n.csv").write_text(
        "truth,visit,file,time\nana,v1,day/a.png,2026-11-02T08:00:00.5+00:00\n,v1,day/a.png,1793606401.25\n\nunknown,v2,day/a.png,1793606400\n",
        encoding="utf-8-sig",
    )
    items = [item for item in watch("replay://n.csv", tmp_path) if isinstance(item, Capture)]
    assert [(item.time, item.visit, item.truth) for item in items] == [
        (1793606400.5, "v1", "ana"),
        (1793606401.25, "v1", None),
        (1793606400.0, "v2", "unknown"),
    ]
    assert all(item.wall == item.time for item in items)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "needs each of the columns"),
        ("time\n1\n", "needs each of the columns"),
        ("time,file,file\n", "needs each of the columns"),
        ("time,flie\n1,a.png\n", "did you mean 'file'"),
        ("time,file\n", "holds no picture"),
        ("time,file\nsoon,a.png\n", "line 2: 'soon' is not a time"),
        ("time,file\nnan,a.png\n", "line 2"),
        ("time,file\n1,a.png\n2,../a.png\n", "line 3: '../a.png' is not a file beside the table"),
        ("time,file\n1,/etc/passwd\n", "not a file beside"),
        ("time,file\n1\n", "1 fields missing"),
        ("time,file\n1,a.png,x\n", "1 fields too many"),
        ("time,file,visit\n1,a.png,v\n2,a.png,w\n3,a.png,v\n", "line 4: visit 'v' goes on"),
        (f"time,file,visit\n1,a.png,{'v' * 300}\n", "longer than 200"),
        ('time,file\n1,"a.png\n', "cannot be read as a table"),
        ("time,file\n1,\x00\n", "line 2"),
    ],
)
def test_bad_tables_name_the_line(tmp_path: Path, text: str, says: str) -> None:
    """A table with a mistake is refused as a whole, with the line."""
    (tmp_path / "n.csv").write_text(text)
    with pytest.raises((SensorError, SettingsError), match=says.replace("(", "\\(")):
        watch("replay://n.csv", tmp_path)


def test_a_table_in_another_encoding(tmp_path: Path) -> None:
    """UTF-16 is not guessed at."""
    (tmp_path / "n.csv").write_text("time,file\n1,a.png\n", encoding="utf-16")
    with pytest.raises(SensorError, match="UTF-8"):
        watch("replay://n.csv", tmp_path)


def test_a_folder_of_visits(tmp_path: Path, paint: Paint) -> None:
    """Each sub-folder is a visit, its pictures 0.2 s apart in the order people count, visits a minute apart."""
    for name in ("v2/10.png", "v2/9.png", "v10/a.png", "loose.png"):
        paint(tmp_path / "night" / name, "ana")
    items = [item for item in watch("replay://night?start=2026-11-02T08:00:00Z", tmp_path) if isinstance(item, Capture)]
    assert [(item.visit, Path(item.source).name) for item in items] == [("night", "loose.png"), ("v2", "9.png"), ("v2", "10.png"), ("v10", "a.png")]
    assert [round(item.time, 3) for item in items] == [0.0, 60.2, 60.4, 120.6]
    assert items[1].wall == 1793606400 + items[1].time
    undated = open_sensor("replay://night?step=1&apart=5", tmp_path, SteppedClock())
    assert not undated.dated and open_sensor("replay://night?start=2026-11-02T08:00", tmp_path, SteppedClock()).dated
    assert [item.time for item in undated.captures(threading.Event())] == [0, 6, 7, 13]


@pytest.mark.parametrize(
    "source",
    [
        "replay://none",
        "replay://" + "x" * 5000,
        "replay://",
        "folder://",
        "replay://.?step=0",
        "replay://.?step=x",
        "replay://.?start=noon",
        "replay://.?stpe=1",
        "replay://.?step=1&step=2",
        "folder://.?once=yes",
        "folder://.?poll=99",
    ],
)
def test_bad_addresses(tmp_path: Path, paint: Paint, source: str) -> None:
    """Paths that are not there and options that mean nothing are said, never ignored."""
    paint(tmp_path / "a.png", "ana")
    with pytest.raises((SensorError, InputError, MissingInput), match="hint"):
        watch(source, tmp_path)


def test_a_table_takes_no_times_from_the_address(tmp_path: Path) -> None:
    """step, apart and start belong to folders; beside a table they would be ignored, so they are refused."""
    (tmp_path / "n.csv").write_text("time,file\n1,a.png\n")
    with pytest.raises(SensorError, match="its own times"):
        watch("replay://n.csv?step=1", tmp_path)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4), ("LA", 4)])
def test_pixels_keep_what_the_card_needs(tmp_path: Path, mode: str, channels: int) -> None:
    """Grey stays grey and transparency stays, so that the card's own rule is the one that settles it."""
    Image.new(mode, (5, 4)).save(tmp_path / "a.png")
    (tmp_path / "n.csv").write_text("time,file\n1,a.png\n")
    (item,) = watch("replay://n.csv", tmp_path)
    assert isinstance(item, Capture) and item.frame is not None
    assert item.frame.pixels.shape == (4, 5, channels) and item.frame.pixels.dtype == np.uint8


def test_quality_tells_dark_and_blurred(tmp_path: Path) -> None:
    """Light is the mean grey; sharpness falls when a picture is smoothed, whatever the number of pixels."""
    random = np.random.default_rng(3)
    noise = random.integers(0, 256, (64, 64, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(noise).resize((8, 8)).resize((64, 64)))
    assert measure(np.full((8, 8, 3), 255, np.uint8)).light == pytest.approx(1)
    assert measure(np.zeros((8, 8, 1), np.uint8)).light == 0
    assert measure(np.full((8, 8, 3), 128, np.uint8)).sharpness == pytest.approx(0, abs=1e-9)
    assert measure(noise).sharpness > 20 * measure(smooth).sharpness > 0
    small = random.integers(0, 256, (160, 320, 1), np.uint8)
    assert measure(small.repeat(4, 0).repeat(4, 1)).sharpness == pytest.approx(measure(small).sharpness, rel=1e-4)
    assert measure(np.zeros((1, 1, 3), np.uint8)).sharpness == 0
    assert measure(np.zeros((2, 5000, 3), np.uint8)).sharpness == 0


@pytest.mark.parametrize("shape", [(480, 640, 3), (1081, 723, 1), (5, 3000, 4), (300, 83_300, 1), (60, 90, 3)])
def test_blocks_are_means(shape: tuple[int, int, int]) -> None:
    """Added row by row and column by column, blocks are what numpy's mean says, also where a sum needs more than 16 bits."""
    pixels = np.random.default_rng(4).integers(200, 256, shape, np.uint8)
    n = min(max(1, max(shape) // 320), shape[0], shape[1])
    high, wide = shape[0] // n, shape[1] // n
    means = pixels[: high * n, : wide * n].reshape(high, n, wide, n, shape[2]).mean(axis=(1, 3), dtype=np.float64) / 255
    assert np.allclose(_grey(pixels), means[..., 0] if shape[2] == 1 else means[..., :3] @ WEIGHTS, rtol=1e-5)
