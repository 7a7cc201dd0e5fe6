"""Settings from TOML: every unknown key, wrong type and value out of range told at once, each with its place.

Knows nothing of gates or networks; whoever has settings describes them as a `Section` and asks for them here.
"""

import json
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from peephole.base.errors import MissingInput, SettingsError, did_you_mean
from peephole.base.syntax import SECRET, syntax_error

__all__ = ["Section", "check", "load_table", "load_tables", "load_toml"]

MAX_BYTES = 2**20
MAX_DEPTH = 16
MAX_TOLD = 20
# What pydantic asks of a value, in the words of somebody who writes TOML.
WORDS = {
    "string_type": "a text, in quotes",
    "dataclass_type": "a text, in quotes",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "tuple_type": "a list, in [ ]",
    "list_type": "a list, in [ ]",
    "dict_type": "a table, as in {name = value}",
}
UNQUOTED = ("bool_type", "int_type", "int_parsing", "float_type", "float_parsing")


class Section(BaseModel):
    """One table of a settings file: frozen, unknown keys refused, no NaN and no infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Kind = TypeVar("Kind", bound=BaseModel)


def load_toml(path: Path | str, kind: type[Kind]) -> Kind:
    """Read a TOML file of at most 1 MB as `kind`; raises MissingInput when it is not there, SettingsError for all else."""
    return check(kind, _values(Path(path)), str(path))


def load_table(path: Path | str, name: str, kind: type[Kind]) -> Kind:
    """Read one table of a TOML file, empty when it is not there, whatever the others hold; raises as load_toml does."""
    table = _values(Path(path)).get(name, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: {name} is no table", f"write [{name}] on a line of its own, its settings below")
    return check(kind, table, f"{path}, [{name}]")


def load_tables(path: Path | str, kind: type[Kind]) -> Kind:
    """Read the tables of a TOML file that `kind` names, whatever else it holds; raises as load_toml does."""
    return check(kind, {name: table for name, table in _values(Path(path)).items() if name in kind.model_fields}, str(path))


def _values(path: Path) -> dict[str, Any]:
    """Read a TOML file without knowing its settings."""
    raw = _bytes(path)
    # The standard parser needs time by the square of a key's dots: 6 s for a line of 40 KB.
    if any(part.count(b".") > 64 for part in re.split(rb"[=,{}\[\]\n]", raw)):
        raise SettingsError(f"{path} nests its settings too deep", f"use at most {MAX_DEPTH} levels")
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}, line {line}: not UTF-8 text", "save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise syntax_error(path, raw.decode("utf-8-sig"), str(error)) from None
    except (RecursionError, ValueError) as error:  # Python refuses to read numbers of more than 4,300 digits
        raise SettingsError(f"{path} cannot be read as TOML: {str(error)[:80]}", "see https://toml.io") from None


def check(kind: type[Kind], values: Mapping[str, Any], where: str) -> Kind:
    """Return `values` as `kind`; raises one SettingsError that lists every problem with its dotted place.

    `where` names the source, such as a file; every model in `kind` must refuse unknown keys (see Section).
    """
    assert all(model.model_config.get("extra") == "forbid" for model in _all_models(kind)), "a settings model must refuse unknown keys"
    if _depth(values) > MAX_DEPTH:
        raise SettingsError(f"{where} nests its settings too deep", f"use at most {MAX_DEPTH} levels")
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        problems = list(dict.fromkeys(_problem(kind, dict(item)) for item in error.errors(include_url=False)))
    if len(problems) == 1:
        raise SettingsError(f"{where}: {problems[0]}", f"change it in {where}")
    told = "".join(f"\n  {problem}" for problem in problems[:MAX_TOLD])
    rest = f"\n  and {len(problems) - MAX_TOLD} more" if len(problems) > MAX_TOLD else ""
    raise SettingsError(f"{where} has {len(problems)} problems:{told}{rest}", f"change them in {where}")


def _bytes(path: Path) -> bytes:
    """Return a plain file's bytes; its kind and size are asked before anything is read."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise SettingsError(f"{path} is not a file", "give the .toml file itself")
        if facts.st_size > MAX_BYTES:
            raise SettingsError(f"{path} has {facts.st_size:,} bytes; settings have at most {MAX_BYTES:,}", "is it the right file?")
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        names = sorted(entry.name for entry in path.parent.glob("*.toml")) if path.parent.is_dir() else []
        raise MissingInput(f"there is no settings file {path}{did_you_mean(path.name, names)}", "check the path") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}", "check the path and its permissions") from error
    except ValueError as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"{str(path)!r} is no path: {error}", "check the path") from None


def _depth(values: Any) -> int:
    """Return how deep tables and lists are nested, without recursion."""
    depth, level = 0, [values]
    while level:
        depth += 1
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, Mapping) else outer)]
        level = [inner for inner in level if isinstance(inner, Mapping | list | tuple)]
        if depth > MAX_DEPTH:
            break
    return depth


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation such as `tuple[Rule, ...] | None` names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _all_models(kind: type[BaseModel]) -> set[type[BaseModel]]:
    """Return a model with all models inside it."""
    found: set[type[BaseModel]] = set()
    waiting = [kind]
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.add(model)
            waiting.extend(inner for field in model.model_fields.values() for inner in _models(field.annotation))
    return found


def _names_at(kind: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the settings that exist in the table at `place`."""
    models = [kind]
    for part in place:
        fields = [field for model in models for name, field in model.model_fields.items() if part in (name, field.alias)]
        if fields:
            models = [inner for field in fields for inner in _models(field.annotation)]
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})


def _dotted(place: tuple[int | str, ...]) -> str:
    """Write a place as gate.name or rule[2].who, counting tables from 1 as people do."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            plain = part if re.fullmatch(r"[\w-]+", part) else json.dumps(part, ensure_ascii=False)
            text += f".{plain[:60]}" if text else plain[:60]
    return text


def _problem(kind: type[BaseModel], item: dict[str, Any]) -> str:
    """Return one problem as `place: what is wrong`."""
    place, value, message = item["loc"], item["input"], str(item["msg"])
    dotted = _dotted(place)
    if item["type"] == "extra_forbidden":
        names = _names_at(kind, place[:-1])
        near = did_you_mean(str(place[-1]), names) or f" (there are: {', '.join(names)})"
        return f"{dotted} is not a setting{near}"
    if item["type"] == "missing":
        return f"{dotted} is missing"
    if item["type"] in ("value_error", "assertion_error"):
        reason = message.partition(", ")[2]
        reason = f"it {reason}" if reason.startswith("is ") else reason
        # A reason that repeats the value itself needs no second one before it.
        said = isinstance(value, str | int | float) and f"'{value}'"[:40] in reason
        return f"{dotted}{'' if said else _shown(dotted, value)}: {reason}" if dotted else reason
    return f"{dotted}{_shown(dotted, value)}: {_should(kind, item)}"


def _should(kind: type[BaseModel], item: dict[str, Any]) -> str:
    """Say what a value should be, in the words of somebody who writes TOML, with the near miss."""
    value, message, given = item["input"], str(item["msg"]), item.get("ctx", {})
    if item["type"] in ("string_too_short", "too_short") and given.get("min_length") == 1:
        return "it should not be empty"
    if item["type"] == "model_type":
        return f"it should be a table, as in {{{', '.join(f'{name} = ...' for name in _names_at(kind, item['loc'])[:3])}}}"
    if item["type"] in WORDS:
        return f"it should be {WORDS[item['type']]}{', without quotes' if isinstance(value, str) and item['type'] in UNQUOTED else ''}"
    near = ""
    if item["type"] in ("literal_error", "enum") and isinstance(value, str):
        near = did_you_mean(value, re.findall(r"'([^']*)'", str(given.get("expected", ""))))
    return re.sub(r"^(Input|String|Value) should", "it should", message) + near


def _shown(dotted: str, value: Any) -> str:
    """Repeat a simple value, but never a secret."""
    if SECRET.search(dotted) or not isinstance(value, str | int | float) or re.search(r"://[^/]*@", str(value)):
        return ""
    return f" is {ascii(value)[:60] if len(str(value)) > 60 else repr(value)}"
