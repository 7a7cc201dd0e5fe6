"""The keys of DOOR.toml that say who may do what: [decide], [factor], [reading.*] and [[rule]]."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SkipValidation, Strict, StrictBool, StrictInt, StrictStr

from peephole.base.errors import SettingsError
from peephole.base.settings import Section
from peephole.gateway.address import Address, require_topic
from peephole.gateway.conditions import Condition, parse_condition
from peephole.gateway.hours import ALWAYS, Hours, parse_hours
from peephole.gateway.keytypes import Label, Number, Seconds, told

__all__ = ["NO_FACTOR", "PRESENCE", "Decide", "Factor", "HeldOpen", "Lockout", "Permission", "Reading", "port_of"]

NO_FACTOR, PRESENCE = "none", "presence"


def _factor(value: str) -> str:
    if value in (NO_FACTOR, PRESENCE):
        return value
    address = Address.parse(value, ("mqtt", "http"), ("https", "gpio"))
    address.take()
    if address.scheme == "mqtt":
        require_topic(address.place)
    elif re.fullmatch(r"(127\.0\.0\.1|\[::1\]|localhost):[0-9]{1,5}(/[\w./-]*)?", address.place) is None or not 0 < port_of(address) < 65536:
        raise SettingsError(f"'{value[:60]}' is no place on this computer", 'write second_factor = "http://127.0.0.1:8471/pin"')
    return value


def port_of(address: Address) -> int:
    """Return the port of an http:// address."""
    return int(address.place.partition("/")[0].rpartition(":")[2])


def _reading(value: str) -> str:
    address = Address.parse(value, ("mqtt", "csv"))
    address.take()
    if address.scheme == "mqtt":
        require_topic(address.place)
    elif not address.place:
        raise SettingsError(f"'{value[:60]}' names no file", 'write source = "csv://air.csv"')
    return value


def _conditions(value: Any) -> Any:
    return tuple(parse_condition(one) for one in value) if isinstance(value, list | tuple) else value


Topic = Annotated[StrictStr, AfterValidator(told(require_topic))]
Conditions = Annotated[tuple[Annotated[Condition, SkipValidation], ...], BeforeValidator(told(_conditions)), Field(max_length=20)]


class Lockout(Section):
    """After `after` wrong PINs or tags in a row the door stays shut for `seconds`; after `disable_after` until a person acts."""

    after: Annotated[StrictInt, Field(ge=1, le=100)] = 5
    seconds: Annotated[float, Strict(), Field(ge=1, le=86400)] = 30.0
    disable_after: Annotated[StrictInt, Field(ge=1, le=1000)] = 50


class HeldOpen(Section):
    """`when` a reading says that the door stands open, it is told of after `after`."""

    conditions: Annotated[Conditions, Field(alias="if", min_length=1)]
    after: Annotated[Seconds, Field(gt=0, le=86400)] = 30.0


class Decide(Section):
    """How many frames must agree and within how long; `gap` ends a visit, `cool_down` follows an opening.

    `false_accept` is the rate per visit that is asked of the gate, `false_reject` the one that residents hope for; see arming.
    """

    agree: Annotated[StrictInt, Field(ge=1, le=100)] = 3
    within: Annotated[Seconds, Field(gt=0, le=60)] = 2.0
    gap: Annotated[Seconds, Field(gt=0, le=600)] = 2.0
    cool_down: Annotated[Seconds, Field(ge=0, le=3600)] = 5.0
    margin: Annotated[float, Strict(), Field(ge=0, le=2)] = 0.0
    false_accept: Annotated[float, Strict(), Field(gt=0, lt=1)]
    false_reject: Annotated[float, Strict(), Field(gt=0, lt=1)] | None = None
    second_factor: Annotated[StrictStr, AfterValidator(told(_factor))] = NO_FACTOR
    lockout: Lockout = Lockout()
    held_open: HeldOpen | None = None
    weigh: StrictBool = False
    refusal: Annotated[Number, Field(le=1e9)] = 1.0
    strangers: Annotated[float, Strict(), Field(ge=0, le=1)] = 0.5


class Factor(Section):
    """Details of the second factor: PINs and tags count `within` so long of agreement, phones while they were heard `fresh`ly."""

    within: Annotated[Seconds, Field(gt=0, le=300)] = 20.0
    file: Annotated[StrictStr, Field(min_length=1)] = "factors.json"
    phones: Annotated[dict[Label, Topic], Field(max_length=1000)] = Field(default_factory=dict)
    fresh: Annotated[Seconds, Field(gt=0, le=3600)] = 300.0


class Reading(Section):
    """Where a sensor's rows come from; they count while they are `fresh`."""

    source: Annotated[StrictStr, AfterValidator(told(_reading))]
    fresh: Annotated[Seconds, Field(gt=0, le=86400)] = 600.0


class Permission(Section):
    """Who may make the gate do what, when (local time), and `if` what readings say; with nobody, readings alone do it."""

    who: Annotated[tuple[Label, ...], Field(max_length=1000)]
    when: Annotated[Hours, BeforeValidator(told(lambda value: parse_hours(value) if isinstance(value, str) else value))] = ALWAYS
    conditions: Annotated[Conditions, Field(alias="if")] = ()
    do: Annotated[StrictStr, Field(min_length=1, max_length=64)]
