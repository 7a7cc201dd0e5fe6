"""The keys of DOOR.toml as frozen settings: every one checked, and whatever this version does not honour refused by name.

A setting that is silently ignored could leave a door open, so there is none.
"""

import unicodedata
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, Strict, StrictBool, StrictInt, StrictStr, ValidationInfo, model_validator

from peephole.base.errors import SettingsError, did_you_mean
from peephole.base.settings import Section
from peephole.gateway.address import SOURCE_OPTIONS, Address
from peephole.gateway.hours import ALWAYS, Hours, parse_hours, seconds
from peephole.gateway.policy import UNKNOWN
from peephole.gateway.targets import EGRESS, Asked, misfits, require_target, shared_pins

__all__ = ["HARMLESS", "LATER_SOURCES", "PULSE", "SOURCES", "Action", "DoorSettings", "Journal", "opens"]

SOURCES = ("folder", "replay")
LATER_SOURCES = ("camera", "video", "http", "https", "mqtt", "csv")
# Every other action counts as an opening: a name that nobody thought of must not let a stranger in.
HARMLESS = ("call", "light", "record")
PULSE = 5.0  # seconds that an opening lasts unless it says otherwise


def _told(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Turn our own error into the plain ValueError that pydantic collects."""

    def wrapped(value: Any) -> Any:
        try:
            return read(value)
        except SettingsError as error:
            raise ValueError(f"{error.what}; {error.hint}") from error

    return wrapped


def _later(value: Any, info: ValidationInfo) -> Any:
    if value is not None:
        raise ValueError(f"{info.field_name} is not supported yet; remove it, so that nobody relies on it")
    return value


def _region(value: Any) -> Any:
    if value != "card":
        raise ValueError('a region at the door is not supported yet; write region = "card": the region the model was trained on')
    return value


def _factor(value: Any) -> Any:
    if value != "none":
        raise ValueError('a second factor is not supported yet; write second_factor = "none" together with low_risk = true')
    return value


def _source(value: str) -> str:
    address = Address.parse(value, SOURCES, LATER_SOURCES)
    address.take(*SOURCE_OPTIONS[address.scheme])
    return value


def _broker_url(value: str) -> str:
    address = Address.parse(value, ("mqtt",), ("mqtts", "ws", "wss"))
    host, _, port = address.place.rpartition(":") if ":" in address.place else (address.place, "", "1883")
    if not host or "/" in address.place or "@" in host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise SettingsError(f"'{value[:60]}' is not a broker", 'write url = "mqtt://127.0.0.1:1883"; the name and password have their own keys')
    address.take()
    return value


def _egress(value: bool) -> bool:
    if value:
        raise ValueError(f"{EGRESS}; wire the way out so that it works without this software")
    return value


def _name(value: str) -> str:
    if not value.isprintable() or set(value) & set("/+#$\\") or value.strip() != value:
        raise ValueError("is printed, logged and part of a topic: use letters, digits, - and _")
    return value


def _label(value: str) -> str:
    return unicodedata.normalize("NFC", value)


Seconds = Annotated[float, BeforeValidator(_told(seconds))]
Later = Annotated[None, BeforeValidator(_later)]
Number = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=64), AfterValidator(_name)]
Label = Annotated[StrictStr, Field(min_length=1, max_length=200), AfterValidator(_label)]


class Gate(Section):
    """Who the gate is; `low_risk` true: a lock may open on the camera alone, which every report repeats."""

    name: Name
    model: Annotated[StrictStr, Field(min_length=1)]
    low_risk: StrictBool = False


class Limits(Section):
    """Frames below these figures (see Quality) are refused unjudged."""

    min_light: Annotated[float, Strict(), Field(ge=0, le=1)] = 0.0
    min_sharpness: Number = 0.0
    max_subjects: Later = None


class Sensor(Section):
    """Where frames come from, as an address."""

    source: Annotated[StrictStr, AfterValidator(_told(_source))]
    region: Annotated[Literal["card"], BeforeValidator(_region)] = "card"
    quality: Limits = Limits()


class Decide(Section):
    """How many frames must agree and within how long; `gap` ends a visit, `cool_down` follows an opening.

    `false_accept` is the rate per visit that is asked of the gate; see arming.
    """

    agree: Annotated[StrictInt, Field(ge=1, le=100)] = 3
    within: Annotated[Seconds, Field(gt=0, le=60)] = 2.0
    gap: Annotated[Seconds, Field(gt=0, le=600)] = 2.0
    cool_down: Annotated[Seconds, Field(ge=0, le=3600)] = 5.0
    false_accept: Annotated[float, Strict(), Field(gt=0, lt=1)]
    second_factor: Annotated[Literal["none"], BeforeValidator(_factor)] = "none"
    lockout: Later = None


class Permission(Section):
    """Who may make the gate do what, and when (local time)."""

    who: Annotated[tuple[Label, ...], Field(min_length=1, max_length=1000)]
    when: Annotated[Hours, BeforeValidator(_told(lambda value: parse_hours(value) if isinstance(value, str) else value))] = ALWAYS
    do: Annotated[StrictStr, Field(min_length=1, max_length=64)]


class Secret(Section):
    """Where a password or the key of a signature stands; never in DOOR.toml itself."""

    file: Annotated[StrictStr, Field(min_length=1)]


class Action(Section):
    """A controller: on for `pulse` seconds, then back to `safe`, which it also takes at start, stop and any fault.

    `timeout` is how long it may take to say that it did it; `secret` signs what a webhook is told.
    """

    target: Annotated[StrictStr, AfterValidator(_told(require_target))]
    pulse: Annotated[Seconds, Field(gt=0, le=600)] | None = None
    safe: Literal["off", "on"] = "off"
    egress: Annotated[StrictBool, AfterValidator(_egress)] = False
    secret: Secret | None = None
    timeout: Annotated[Seconds, Field(gt=0, le=10)] | None = None


class Broker(Section):
    """The MQTT broker that mqtt:// targets go through."""

    url: Annotated[StrictStr, AfterValidator(_told(_broker_url))]
    username: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = None
    password: Secret | None = None

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.partition("://")[2].partition(":")
        return host, int(port or 1883)


class Journal(Section):
    """Where the journal stands, beside DOOR.toml unless the path is absolute."""

    path: Annotated[StrictStr, Field(min_length=1)] = "journal.db"
    pictures: Later = None
    head: Later = None


class DoorSettings(Section):
    """The whole of DOOR.toml."""

    gate: Gate
    sensor: Sensor
    decide: Decide
    rule: Annotated[tuple[Permission, ...], Field(min_length=1, max_length=100)]
    action: dict[Name, Action]
    broker: Broker | None = None
    journal: Journal = Journal()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*self._rules(), *self._actions()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _rules(self) -> Iterable[str]:
        for number, rule in enumerate(self.rule, 1):
            if rule.do not in self.action:
                yield f"rule {number} does '{rule.do}', but there is no [action.{rule.do}]{did_you_mean(rule.do, self.action)}"
            if UNKNOWN in rule.who and opens(rule.do):
                yield f"rule {number} lets strangers do '{rule.do}'; for them the door stays shut, they may only {', '.join(HARMLESS)}"
            if opens(rule.do) and not self.gate.low_risk:
                yield (
                    f"rule {number} does '{rule.do}' on the camera alone, and a second factor is not supported yet: "
                    "say low_risk = true under [gate] if this door protects little, or take the rule out"
                )

    def _actions(self) -> Iterable[str]:
        for name, action in self.action.items():
            if opens(name) and action.safe != "off":
                yield f'[action.{name}] must have safe = "off": on a fault the door stays shut'
            if action.target.startswith("mqtt:") and self.broker is None:
                yield f"[action.{name}] goes over MQTT, but there is no [broker] with its url"
            pulse = action.pulse or (PULSE if opens(name) else None)
            yield from (f"[action.{name}]: {misfit}" for misfit in misfits(action.target, Asked(action.secret is not None, action.timeout, pulse)))
        yield from shared_pins({name: action.target for name, action in self.action.items()})


def opens(action: str) -> bool:
    """Say whether an action counts as an opening: all do, but call, light and record."""
    return action not in HARMLESS
