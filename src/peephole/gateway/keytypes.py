"""Kinds of values that several tables of DOOR.toml have: durations, numbers, names, labels, keys that are not there yet."""

import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, Strict, StrictStr, ValidationInfo

from peephole.base.errors import SettingsError
from peephole.gateway.hours import seconds

__all__ = ["Label", "Later", "Name", "Number", "Seconds", "told"]


def told(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
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


def _name(value: str) -> str:
    if not value.isprintable() or set(value) & set("/+#$\\") or value.strip() != value:
        raise ValueError("is printed, logged and part of a topic: use letters, digits, - and _")
    return value


def _label(value: str) -> str:
    return unicodedata.normalize("NFC", value)


Seconds = Annotated[float, BeforeValidator(told(seconds))]
Later = Annotated[None, BeforeValidator(_later)]
Number = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=64), AfterValidator(_name)]
Label = Annotated[StrictStr, Field(min_length=1, max_length=200), AfterValidator(_label)]
