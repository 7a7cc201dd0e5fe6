"""The keys of DOOR.toml as frozen settings: every one checked, and whatever this version does not honour refused by name.

A setting that is silently ignored could leave a door open, so there is none.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, Strict, StrictBool, StrictInt, StrictStr, model_validator

from peephole.base.errors import SettingsError, did_you_mean
from peephole.base.settings import Section
from peephole.gateway.address import SOURCE_OPTIONS, Address, require_topic
from peephole.gateway.brokerurl import read_broker
from peephole.gateway.decidekeys import NO_FACTOR, PRESENCE, Decide, Factor, Permission, Reading
from peephole.gateway.keytypes import Name, Number, Seconds, told
from peephole.gateway.policy import UNKNOWN
from peephole.gateway.remotekeys import Remote
from peephole.gateway.targets import EGRESS, Asked, misfits, require_target, shared_pins

__all__ = ["HARMLESS", "LATER_SOURCES", "PULSE", "SOURCES", "Action", "DoorSettings", "Journal", "Models", "Rows", "opens"]

SOURCES = ("camera", "folder", "http", "https", "mqtt", "replay", "video")
LATER_SOURCES = ("csv",)
# Every other action counts as an opening: a name that nobody thought of must not let a stranger in.
HARMLESS = ("call", "light", "record")
PULSE = 5.0  # seconds that an opening lasts unless it says otherwise


def _region(value: Any) -> Any:
    if value == "card":
        return value
    numbers = isinstance(value, list | tuple) and all(isinstance(part, int | float) and not isinstance(part, bool) for part in value)
    if not numbers or len(value) != 4:
        raise ValueError('is "card", or a rectangle [left, top, width, height] in fractions of the frame, such as [0.25, 0, 0.5, 1]')
    left, top, width, height = (float(part) for part in value)
    if not (0 <= left < 1 and 0 <= top < 1 and 0 < width <= 1 - left + 1e-9 and 0 < height <= 1 - top + 1e-9):
        raise ValueError("a rectangle [left, top, width, height] lies inside the frame, each a fraction 0..1")
    return left, top, width, height


def _source(value: str) -> str:
    address = Address.parse(value, SOURCES, LATER_SOURCES)
    if address.scheme in ("http", "https"):  # what follows the ? may be the camera's own
        if "@" in address.place.partition("/")[0]:
            raise SettingsError("a password does not belong into the address", "write name:password into a file and ?login=FILE")
        if not address.place or address.place.startswith(("/", ":")):
            raise SettingsError(f"'{value[:60]}' names no camera", "write http://192.168.1.20/snapshot.jpg")
        return value
    address.take(*SOURCE_OPTIONS[address.scheme])
    if address.scheme == "mqtt":
        require_topic(address.place)
    return value


def _live(value: str) -> str:
    if value.startswith("replay:"):
        raise SettingsError("a recording has times of its own, which another sensor's cannot be compared with", "name a live source")
    return _source(value)


def _head(value: str) -> str:
    address = Address.parse(value, ("mqtt", "file"))
    address.take()
    if address.scheme == "mqtt":
        require_topic(address.place)
    elif not address.place or address.place.endswith("/"):
        raise SettingsError(f"'{value[:60]}' names no file", "write file:///mnt/elsewhere/front-door.head")
    return value


def _topic(value: str) -> str:
    address = Address.parse(value, ("mqtt",))
    address.take()
    require_topic(address.place)
    return value


def _broker_url(value: str) -> str:
    read_broker(value)
    return value


def _egress(value: bool) -> bool:
    if value:
        raise ValueError(f"{EGRESS}; wire the way out so that it works without this software")
    return value


class Gate(Section):
    """Who the gate is; `low_risk` true: a lock may open on the camera alone, which every report repeats."""

    name: Name
    model: Annotated[StrictStr, Field(min_length=1)]
    low_risk: StrictBool = False


class Limits(Section):
    """Frames below these figures (see Quality) are refused unjudged."""

    min_light: Annotated[float, Strict(), Field(ge=0, le=1)] = 0.0
    min_sharpness: Number = 0.0
    max_overexposed: Annotated[float, Strict(), Field(ge=0, le=1)] = 1.0
    max_subjects: Annotated[StrictInt, Field(ge=1, le=100)] | None = None
    min_subject: Annotated[float, Strict(), Field(ge=0, le=1)] = 0.0


class Sensor(Section):
    """Where frames come from, as an address; `region` is the part that is looked at, before the card's own region is found in it.

    `motion` true: the model sleeps while nothing moves; None: where pictures come all the time (camera, http, https).
    """

    source: Annotated[StrictStr, AfterValidator(told(_source))]
    region: Annotated[Literal["card"] | tuple[float, float, float, float], BeforeValidator(_region)] = "card"
    motion: StrictBool | None = None
    quality: Limits = Limits()


class Also(Section):
    """Another model with a live source of its own, which must see the same before anything opens."""

    model: Annotated[StrictStr, Field(min_length=1)]
    source: Annotated[StrictStr, AfterValidator(told(_live))]


class Secret(Section):
    """Where a password or the key of a signature stands; never in DOOR.toml itself."""

    file: Annotated[StrictStr, Field(min_length=1)]


class Action(Section):
    """A controller: on for `pulse` seconds, then back to `safe`, which it also takes at start, stop and any fault.

    `timeout` is how long it may take to say that it did it; `secret` signs what a webhook is told; `opens` false: it lets nobody in.
    """

    target: Annotated[StrictStr, AfterValidator(told(require_target))]
    pulse: Annotated[Seconds, Field(gt=0, le=600)] | None = None
    safe: Literal["off", "on"] = "off"
    egress: Annotated[StrictBool, AfterValidator(_egress)] = False
    secret: Secret | None = None
    timeout: Annotated[Seconds, Field(gt=0, le=10)] | None = None
    opens: Literal[False] | None = None
    cost: Annotated[Number, Field(le=1e9)] | None = None


class Broker(Section):
    """The MQTT broker that mqtt:// targets go through.

    With mqtts:// only certificates that the authority in `ca` signed are believed (None: those of this computer); a broker that asks for
    one is shown the gate's own `certificate`, which goes with `key`.
    """

    url: Annotated[StrictStr, AfterValidator(told(_broker_url))]
    username: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = None
    password: Secret | None = None
    ca: Annotated[StrictStr, Field(min_length=1)] | None = None
    certificate: Annotated[StrictStr, Field(min_length=1)] | None = None
    key: Annotated[StrictStr, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        ignored = [f"broker.{key}" for key in ("ca", "certificate", "key") if getattr(self, key) is not None]
        if ignored and not self.secure:
            raise ValueError(f'{" and ".join(ignored)} would be ignored: write url = "mqtts://..." for TLS, or take them out')
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("certificate and key belong together: the key's file is the one that the certificate was made with")
        return self

    @property
    def secure(self) -> bool:
        """Whether the broker is spoken to over TLS."""
        return read_broker(self.url).secure

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        found = read_broker(self.url)
        return found.host, found.port


class Pictures(Section):
    """How long pictures of visits are kept, in days, and how many megabytes (of 1,000,000 bytes) of them."""

    days: Annotated[float, Strict(), Field(gt=0, le=3650, allow_inf_nan=False)]
    megabytes: Annotated[float, Strict(), Field(ge=1, le=1_000_000, allow_inf_nan=False)]


class Rows(Section):
    """How long rows of the journal are kept, in days, and how many megabytes (of 1,000,000 bytes) of them; the oldest go first."""

    days: Annotated[float, Strict(), Field(gt=0, le=36_500, allow_inf_nan=False)] = 365.0
    megabytes: Annotated[float, Strict(), Field(ge=1, le=1_000_000, allow_inf_nan=False)] = 1_000.0


class Journal(Section):
    """Where the journal stands, beside DOOR.toml unless the path is absolute; its pictures and rows; where its head is kept off the box."""

    path: Annotated[StrictStr, Field(min_length=1)] = "journal.db"
    pictures: Pictures | None = None
    rows: Rows = Rows()
    head: Annotated[StrictStr, AfterValidator(told(_head))] | None = None

    @model_validator(mode="after")
    def _rows_outlast_pictures(self) -> Self:
        if self.pictures is not None and self.rows.days <= self.pictures.days:
            raise ValueError(
                f"rows are kept for {self.rows.days:g} days and pictures for {self.pictures.days:g}, but a picture without its row proves nothing: "
                "keep rows longer, as in rows = {days = 365}"
            )
        return self


class Events(Section):
    """Where every row of the journal is told to, as it is written; what the broker misses is told later, in order."""

    target: Annotated[StrictStr, AfterValidator(told(_topic))]


class Models(Section):
    """Which model files may run: with a public `key` only signed ones; `shadow` is one that looks on and never acts."""

    key: Annotated[StrictStr, Field(min_length=1)] | None = None
    shadow: Annotated[StrictStr, Field(min_length=1)] | None = None


class Gallery(Section):
    """Where the people who were enrolled at the gate stand; without a path, beside the model file, with the ending .gallery."""

    path: Annotated[StrictStr, Field(min_length=1)] | None = None


class DoorSettings(Section):
    """The whole of DOOR.toml."""

    gate: Gate
    sensor: Sensor
    decide: Decide
    rule: Annotated[tuple[Permission, ...], Field(min_length=1, max_length=100)]
    action: dict[Name, Action]
    factor: Factor | None = None
    also: Annotated[dict[Name, Also], Field(max_length=8)] = Field(default_factory=dict)
    reading: Annotated[dict[Name, Reading], Field(max_length=100)] = Field(default_factory=dict)
    broker: Broker | None = None
    journal: Journal = Journal()
    events: Events | None = None
    models: Models = Models()
    gallery: Gallery = Gallery()
    remote: Remote | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*self._rules(), *self._actions(), *self._factors(), *self._readings(), *self._weighing(), *self._remote()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def opens(self, action: str) -> bool:
        """Say whether an action counts as an opening: all do, but call, light, record and what says opens = false."""
        return opens(action) and not (action in self.action and self.action[action].opens is False)

    def _rules(self) -> Iterable[str]:
        for number, rule in enumerate(self.rule, 1):
            opening = self.opens(rule.do)
            if rule.do not in self.action:
                yield f"rule {number} does '{rule.do}', but there is no [action.{rule.do}]{did_you_mean(rule.do, self.action)}"
            if not rule.who and (opening or not rule.conditions):
                why = f"nobody needs to be seen for '{rule.do}', which opens" if opening else 'there is no `if = ["air.co2 > 1000"]` either'
                yield f"rule[{number}].who is empty, and {why}"
            if UNKNOWN in rule.who and opening:
                yield f"rule {number} lets strangers do '{rule.do}'; for them the door stays shut, they may only {', '.join(HARMLESS)}"
            if opening and not self.gate.low_risk and self.decide.second_factor == NO_FACTOR:
                yield (
                    f"rule {number} does '{rule.do}' on the camera alone: ask for a second factor, [decide] second_factor = "
                    '"mqtt://peephole/front-door/pin" or "presence"; or say low_risk = true under [gate] if this door protects little'
                )

    def _actions(self) -> Iterable[str]:
        for name, action in self.action.items():
            if name in ("open", "unlock") and action.opens is False:
                yield f"[action.{name}] says opens = false; whatever it is, call it something else"
            if self.opens(name) and action.safe != "off":
                yield f'[action.{name}] must have safe = "off": on a fault the door stays shut'
            if action.target.startswith("mqtt:") and self.broker is None:
                yield f"[action.{name}] goes over MQTT, but there is no [broker] with its url"
            pulse = action.pulse or (PULSE if self.opens(name) else None)
            yield from (f"[action.{name}]: {misfit}" for misfit in misfits(action.target, Asked(action.secret is not None, action.timeout, pulse)))
        yield from shared_pins({name: action.target for name, action in self.action.items()})
        if self.broker is None and (self.journal.head or "").startswith("mqtt:"):
            yield "[journal] head goes over MQTT, but there is no [broker] with its url"
        if self.sensor.source.startswith("mqtt:") and self.broker is None:
            yield "sensor.source comes over MQTT, but there is no [broker] with its url"
        if self.events is not None and self.broker is None:
            yield "[events] goes over MQTT, but there is no [broker] with its url"

    def _factors(self) -> Iterable[str]:
        asked = self.decide.second_factor
        if asked == NO_FACTOR and self.factor is not None:
            yield '[factor] says how a second factor is shown, but second_factor = "none" asks for none'
        if "lockout" in self.decide.model_fields_set and asked in (NO_FACTOR, PRESENCE):
            yield f'decide.lockout counts wrong PINs and tags, but second_factor = "{asked}" asks for none'
        if self.decide.lockout.disable_after < self.decide.lockout.after:
            yield "decide.lockout.disable_after is less than after"
        if (asked == PRESENCE) is not bool(self.factor and self.factor.phones):
            yield 'second_factor = "presence" and [factor] phones = {ana = "peephole/front-door/phone/ana"} belong together'
        if (asked == PRESENCE or asked.startswith("mqtt:")) and self.broker is None:
            yield "decide.second_factor comes over MQTT, but there is no [broker] with its url"

    def _readings(self) -> Iterable[str]:
        held = self.decide.held_open.conditions if self.decide.held_open else ()
        for name in dict.fromkeys(condition.name for condition in (*held, *(one for rule in self.rule for one in rule.conditions))):
            if name not in self.reading:
                yield f"a condition asks {name}, but there is no [reading.{name}]{did_you_mean(name, self.reading)}"
        for name, reading in self.reading.items():
            if reading.source.startswith("mqtt:") and self.broker is None:
                yield f"[reading.{name}] comes over MQTT, but there is no [broker] with its url"

    def _weighing(self) -> Iterable[str]:
        if not self.decide.weigh:
            ignored = [f"[action.{name}] cost" for name, action in self.action.items() if action.cost is not None]
            ignored += [f"decide.{key}" for key in ("refusal", "strangers") if key in self.decide.model_fields_set]
            if ignored:
                yield f"{' and '.join(ignored)} would be ignored: say weigh = true under [decide], or take it out"
        elif missing := [name for name, action in self.action.items() if action.cost is None]:
            yield f"weigh = true needs a cost for every action: {', '.join(f'[action.{name}]' for name in missing)}"

    def _remote(self) -> Iterable[str]:
        if self.remote is None:
            return
        if self.broker is None:
            yield "[remote] commands come over MQTT, but there is no [broker] with its url"
        if self.remote.may_open and not any(self.opens(name) for name in self.action):
            yield "remote.may_open = true, but there is no action that opens"


def opens(action: str) -> bool:
    """Say whether an action counts as an opening: all do, but call, light and record."""
    return action not in HARMLESS
