"""docs/reference/who.md: its snippets are read, its table names every key and nothing else, and its figures are the code's."""

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from doors import PAGE as PAGE_DOOR

from peephole.base.settings import check
from peephole.gateway.decidekeys import Decide, Factor, Reading
from peephole.gateway.keys import DoorSettings

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "who.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
OLDER = {"agree", "within", "gap", "cool_down", "false_accept"}  # the guide's, for every gate
BASE = tomllib.loads(f'{PAGE_DOOR}[action.call]\ntarget = "log://"\n')


def merged(snippet: dict[str, Any]) -> dict[str, Any]:
    values = copy.deepcopy(BASE)
    for name, table in snippet.items():
        values[name] = {**values.get(name, {}), **table} if isinstance(table, dict) else table
    return {"rule": [{"who": ["ana"], "do": "open"}], **values}


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippets_are_read(number: int) -> None:
    """Each, put into a whole DOOR.toml, is accepted."""
    snippet = tomllib.loads(SNIPPETS[number])
    assert set(snippet) <= check(DoorSettings, merged(snippet), "who.md").model_fields_set


def test_the_table_names_every_key() -> None:
    """All keys of the tables that this page is about, with the value that holds without them."""
    rows = {f"{table} {key}": rest for table, key, rest in re.findall(r"^\| `\[+([\w.]+?)\]+ (\w+)` \|.*\| (.*?) ?\|$", PAGE, re.M)}
    kinds = {"decide": Decide, "factor": Factor, "reading.NAME": Reading}
    keys = {f"{table} {field.alias or name}" for table, kind in kinds.items() for name, field in kind.model_fields.items()}
    assert keys - {f"decide {name}" for name in OLDER} == {row for row in rows if not row.startswith(("rule", "action"))}
    assert rows["factor file"] == f'`"{Factor().file}"`' and rows["factor within"] == f'`"{Factor().within:g} s"`'
    assert rows["decide refusal"] == f"{Decide(false_accept=0.1).refusal:g}" and rows["decide strangers"] == f"{Decide(false_accept=0.1).strangers:g}"
