"""docs/guide/pi-en.md, followed to the letter: its blocks are edits of examples/door/DOOR.toml, and the gate they end in arms."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from peephole.base.evidence import measure, needed
from peephole.base.settings import check
from peephole.gateway.arming import arm
from peephole.gateway.keys import DoorSettings

ROOT = Path(__file__).parents[2]
DOOR = tomllib.loads((ROOT / "examples" / "door" / "DOOR.toml").read_text(encoding="utf-8"))
GUIDES = {language: (ROOT / "docs" / "guide" / f"pi-{language}.md").read_text(encoding="utf-8") for language in ("en", "ko")}


def edits(text: str) -> list[dict[str, Any]]:
    """Return the blocks of settings, in order."""
    return [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.S)]


def edited(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return settings with the lines of `part` changed; raises KeyError for a line that would have to be added to a table that is there."""
    found = dict(whole)
    for key, value in part.items():
        if isinstance(value, dict) and isinstance(whole.get(key), dict) and key != "quality":
            if key not in ("action", "broker"):
                _ = [whole[key][line] for line in value]
            found[key] = edited(whole[key], value)
        else:
            found[key] = value
    return found


@pytest.mark.parametrize("text", GUIDES.values(), ids=GUIDES)
def test_its_blocks_end_in_a_gate_that_arms(text: str) -> None:
    """Every block changes lines that stand there; with the 20 strangers it speaks of, the gate of step 6 arms by proof, not by low_risk."""
    door = DOOR
    steps = edits(text)
    assert len(steps) == 4
    for step in steps:
        door = edited(door, step)
        settings = check(DoorSettings, door, "DOOR.toml")
    assert settings.gate.low_risk is False and settings.decide.second_factor == f"mqtt://peephole/{settings.gate.name}/pin"
    evidence = [measure("false accept", 0, 20, "stranger", "proof")]
    assert arm(evidence, settings.decide.false_accept, settings.gate.low_risk, factor=True).how == "proof"


@pytest.mark.parametrize("text", GUIDES.values(), ids=GUIDES)
def test_its_rates_are_those_that_so_many_strangers_prove(text: str) -> None:
    """The table of strangers and rates holds, and is sharp."""
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \|$", text, re.M)
    assert len(rows) == 3
    for strangers, rate in rows:
        assert needed(float(rate)) <= int(strangers) < needed(float(rate)) + 2


@pytest.mark.parametrize("text", GUIDES.values(), ids=GUIDES)
def test_what_makes_files_is_done_as_the_gate(text: str) -> None:
    """After step 1 each command line of the gate's says as whom, and with which program."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines() if "peephole gate" in line]
    assert len(lines) >= 10
    assert [line for line in lines if not line.startswith("sudo -u gate /home/gate/venv/bin/peephole gate ")] == []
