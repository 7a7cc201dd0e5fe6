"""Opens the sensor that a door's settings name, with the part of the frame that is looked at and the sleep while nothing moves."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from peephole.base.errors import InputError, MissingInput, SensorError
from peephole.gateway.address import SOURCE_OPTIONS, VIDEO, Address
from peephole.gateway.attention import Awake, Cropped
from peephole.gateway.camera import CameraSensor, VideoSensor
from peephole.gateway.clock import Clock
from peephole.gateway.door import Door
from peephole.gateway.post import PostSensor
from peephole.gateway.sensors import Sensor, number, open_sensor
from peephole.gateway.switchboard import broker_place
from peephole.gateway.web import WebSensor

__all__ = ["OPEN", "open_source"]


def open_source(door: Door, clock: Clock) -> Sensor:
    """Return a door's sensor; raises SettingsError, SensorError, MissingInput or InputError for what can be known before the first picture."""
    settings = door.settings.sensor
    scheme = settings.source.partition(":")[0]
    opens = OPEN.get(scheme)
    found = opens(Address.parse(settings.source, OPEN), door, clock) if opens else open_sensor(settings.source, door.folder, clock)
    if settings.region != "card":
        found = Cropped(found, settings.region)
    sleeps = settings.motion if settings.motion is not None else scheme in VIDEO
    return Awake(found) if sleeps and not found.recorded else found


def _camera(address: Address, _: Door, clock: Clock) -> Sensor:
    wide, high, fps = address.take(*SOURCE_OPTIONS["camera"])
    width, height = (round(number(name, text, 0, 0, 8192, "pixels")) for name, text in (("width", wide), ("height", high)))
    return CameraSensor.of(address.place or "0", clock, width=width, height=height, fps=number("fps", fps, 10, 0.1, 120, "pictures a second"))


def _video(address: Address, door: Door, _: Clock) -> Sensor:
    fps, start = address.take(*SOURCE_OPTIONS["video"])
    path = address.path(door.folder)
    if not path.is_file():
        raise MissingInput(f"there is no video {path}", "correct [sensor] source")
    return VideoSensor(path, number("fps", fps, 5, 0.1, 120, "pictures a second"), None if start is None else _moment(start))


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise SensorError(f"'{text[:40]}' is not a date and time", "write for example ?start=2026-11-02T08:00") from None


def _web(address: Address, door: Door, clock: Clock) -> Sensor:
    own = {"every", "login"}
    every, login = (next((value for name, value in address.options if name == wanted), None) for wanted in ("every", "login"))
    # The rest of the query is the camera's own, as in http://camera/snapshot?channel=1.
    head, mark, query = address.text.partition("?")
    rest = "&".join(part for part in query.split("&") if part.partition("=")[0] not in own)
    url = f"{head}?{rest}" if mark and rest else head
    return WebSensor(url, clock, number("every", every, 0.5, 0.05, 60, "seconds"), None if login is None else _login(door.folder / login))


def _login(path: Path) -> tuple[str, str]:
    """Read `name:password` from a file of one line."""
    try:
        name, colon, password = path.read_text(encoding="utf-8").strip().partition(":")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"the camera's login cannot be read from {path}: {why}", "write name:password there") from error
    if not (name and colon and password) or len(password) > 1000 or "\n" in password:
        raise InputError(f"{path} should hold name:password and nothing else", "write it there, on one line")
    return name, password


def _post(address: Address, door: Door, clock: Clock) -> Sensor:
    address.take()
    return PostSensor(address.place, broker_place(door), door.settings.gate.name, clock)


OPEN: dict[str, Callable[[Address, Door, Clock], Sensor]] = {"camera": _camera, "video": _video, "http": _web, "https": _web, "mqtt": _post}
