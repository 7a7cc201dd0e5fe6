"""Writes docs/reference/cli.md from the command line itself: `python tests/reference.py`; test_docs.py keeps it true."""

from pathlib import Path

import typer
from typer.main import get_command

from peephole.cli.verbs import app

PATH = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"


def _verb(name: str, command) -> list[str]:
    lines = [f"## {name}", "", " ".join((command.help or "").split()), "", "| | what | default |", "|---|---|---|"]
    for parameter in command.params:
        if parameter.name == "help":
            continue
        names = "/".join([*parameter.opts, *parameter.secondary_opts]) if parameter.param_type_name == "option" else parameter.name.upper()
        default = "" if parameter.default in (None, False, ()) or callable(parameter.default) or parameter.required else f"`{parameter.default}`"
        lines.append(f"| `{names}` | {' '.join((getattr(parameter, 'help', '') or '').split())} | {default} |")
    return [*lines, ""]


def text() -> str:
    """Return the reference of every verb and option."""
    root = get_command(app)
    lines = ["# The command line", "", "Written by `python tests/reference.py`; do not edit.", ""]
    lines += ["Exit codes: 0 done; 1 the input was wrong (one sentence and a hint); 2 usage; 3 a check found a problem.", ""]
    for name, command in root.commands.items():
        for inner, verb in getattr(command, "commands", {"": command}).items():
            lines += _verb(f"peephole {name} {inner}".strip(), verb)
    return "\n".join(lines)


if __name__ == "__main__":
    assert isinstance(app, typer.Typer)
    PATH.write_text(text(), encoding="utf-8")
